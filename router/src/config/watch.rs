//! Tells when files have other contents than before.
//!
//! Files are replaced in many ways: written in place, renamed over, or by a link on their way that points elsewhere (BOSH,
//! Kubernetes). So it is the folders that are watched, those of every link on the way too, and what counts is the contents.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecursiveMode, Watcher};
use tokio::sync::Notify;

/// Folders must be quiet for so long before the files are looked at: a certificate and its key come one after the other.
const QUIET: Duration = Duration::from_millis(250);
/// A folder that is never quiet is not waited for any longer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often the files are looked at without being told: for file systems that tell nothing.
const POLL: Duration = Duration::from_secs(10);
/// Links on the way to a file that are followed.
const MOST_LINKS: usize = 40;

/// Watches files on a thread of its own, until it is dropped.
#[derive(Debug)]
pub struct FileWatch {
    orders: Sender<Order>,
    changed: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Order {
    Watch(BTreeSet<PathBuf>),
    Look,
    End,
}

impl FileWatch {
    /// Watches `files`, given with the contents that they had when the caller has read them: others by now count as a
    /// change.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start<'a>(
        files: impl IntoIterator<Item = (&'a Path, &'a str)>,
    ) -> io::Result<FileWatch> {
        let (orders, inbox) = channel();
        let changed = Arc::new(Notify::new());
        let told = Arc::clone(&changed);
        let mut looker = Looker::new(orders.clone());
        let known: BTreeMap<&Path, &str> = files.into_iter().collect();
        looker.files = known.keys().map(|&path| path.to_owned()).collect();
        looker.follow();
        looker.contents = contents(&looker.files);
        if looker.contents != fingerprint(known.values().map(|text| Some(text.as_bytes()))) {
            changed.notify_one();
        }
        let thread = Builder::new()
            .name("file-watch".to_owned())
            .spawn(move || looker.run(&inbox, &told))?;
        Ok(FileWatch {
            orders,
            changed,
            thread: Some(thread),
        })
    }

    /// Watches these files from now on, in place of the former ones. When they are others, that counts as a change: they
    /// may have got other contents since the caller has read them.
    pub fn watch(&self, files: impl IntoIterator<Item = PathBuf>) {
        // It fails only when the thread is gone, and with it every interest.
        drop(self.orders.send(Order::Watch(files.into_iter().collect())));
    }

    /// Waits until a file has other contents than when it was last looked at. Safe to cancel.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }
}

impl Drop for FileWatch {
    fn drop(&mut self) {
        drop(self.orders.send(Order::End));
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(target: "main", "file-watch-panicked");
        }
    }
}

struct Looker {
    orders: Sender<Order>,
    /// `None` while there is nothing to watch, or where the system cannot: then there are the looks without being told.
    watcher: Option<notify::RecommendedWatcher>,
    files: BTreeSet<PathBuf>,
    folders: BTreeSet<PathBuf>,
    contents: u64,
}

impl Looker {
    fn new(orders: Sender<Order>) -> Looker {
        Looker {
            orders,
            watcher: None,
            files: BTreeSet::new(),
            folders: BTreeSet::new(),
            contents: 0,
        }
    }

    fn run(mut self, orders: &Receiver<Order>, changed: &Notify) {
        loop {
            let order = match self.files.is_empty() {
                true => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
                false => orders.recv_timeout(POLL),
            };
            match order {
                Ok(Order::Watch(files)) => self.watch(files, changed),
                // Nobody has told: then somebody may be at it right now.
                Err(RecvTimeoutError::Timeout) if contents(&self.files) == self.contents => {}
                Ok(Order::Look) | Err(RecvTimeoutError::Timeout) => match settle(orders) {
                    Settled::Quiet => {}
                    Settled::Watch(files) => self.watch(files, changed),
                    Settled::End => return,
                },
                Ok(Order::End) | Err(RecvTimeoutError::Disconnected) => return,
            }
            // A link may lead elsewhere now.
            self.follow();
            let contents = contents(&self.files);
            if std::mem::replace(&mut self.contents, contents) != contents {
                changed.notify_one();
            }
        }
    }

    fn watch(&mut self, files: BTreeSet<PathBuf>, changed: &Notify) {
        if self.files != files {
            self.files = files;
            changed.notify_one();
        }
    }

    fn follow(&mut self) {
        let folders = self.files.iter().flat_map(|file| folders(file)).collect();
        if self.watcher.is_none() && !self.files.is_empty() {
            self.watcher = watcher(self.orders.clone());
        }
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        // Those that stay are watched anew as well: another folder may have taken the place of one.
        for folder in &self.folders {
            // It may be gone.
            drop(watcher.unwatch(folder));
        }
        self.folders = folders;
        for folder in &self.folders {
            if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
                tracing::debug!(target: "main", { folder = %folder.display(), error = %error }, "folder-not-watched");
            }
        }
    }
}

/// Orders a look at every change.
fn watcher(orders: Sender<Order>) -> Option<notify::RecommendedWatcher> {
    let told = move |event: notify::Result<notify::Event>| {
        // Our own looks are events too.
        let is_look = |kind: &EventKind| {
            kind.is_access() && *kind != EventKind::Access(AccessKind::Close(AccessMode::Write))
        };
        if event.is_ok_and(|event| !is_look(&event.kind)) {
            drop(orders.send(Order::Look));
        }
    };
    let made = notify::recommended_watcher(told).inspect_err(|error| {
        tracing::debug!(target: "main", { error = %error }, "file-watch-polls");
    });
    made.ok()
}

enum Settled {
    Quiet,
    Watch(BTreeSet<PathBuf>),
    End,
}

/// Waits until nothing happens any more.
fn settle(orders: &Receiver<Order>) -> Settled {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        match orders.recv_timeout(QUIET) {
            Ok(Order::Look) => {}
            Ok(Order::Watch(files)) => return Settled::Watch(files),
            Err(RecvTimeoutError::Timeout) => return Settled::Quiet,
            Ok(Order::End) | Err(RecvTimeoutError::Disconnected) => return Settled::End,
        }
    }
    Settled::Quiet
}

/// One number for all contents; a file that cannot be read counts as such.
fn contents(files: &BTreeSet<PathBuf>) -> u64 {
    fingerprint(files.iter().map(|file| std::fs::read(file).ok()))
}

fn fingerprint(contents: impl Iterator<Item = Option<impl AsRef<[u8]>>>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for content in contents {
        content.as_ref().map(AsRef::as_ref).hash(&mut hasher);
    }
    hasher.finish()
}

/// Every folder in which a name on the way to `file` can be made to mean something else, as far as they exist.
fn folders(file: &Path) -> BTreeSet<PathBuf> {
    let mut folders = BTreeSet::new();
    let mut way = match std::path::absolute(file) {
        Ok(way) => way,
        Err(_) => return folders,
    };
    for _ in 0..MOST_LINKS {
        let Some((folder, target)) = first_link(&way) else {
            let parents = way.ancestors().skip(1);
            folders.extend(parents.filter(|at| at.is_dir()).map(Path::to_owned).next());
            break;
        };
        folders.insert(folder);
        way = target;
    }
    folders
}

/// The folder of the first link on the way, and where the way leads with the link followed.
fn first_link(way: &Path) -> Option<(PathBuf, PathBuf)> {
    let mut at = PathBuf::new();
    let mut components = way.components();
    while let Some(component) = components.next() {
        if component == Component::ParentDir {
            at.pop();
            continue;
        }
        at.push(component);
        let Ok(target) = std::fs::read_link(&at) else {
            continue;
        };
        at.pop();
        let target = at.join(target).join(components.as_path());
        return Some((at, target));
    }
    None
}

#[cfg(test)]
mod tests;
