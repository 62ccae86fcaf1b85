use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// Far longer than a change takes to be seen, and shorter than a look without being told.
const SOON: Duration = Duration::from_secs(8);

struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("cloverleaf-watch-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Folder(path.canonicalize().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

async fn is_told(watch: &FileWatch) -> bool {
    tokio::time::timeout(SOON, watch.changed()).await.is_ok()
}

async fn is_quiet(watch: &FileWatch) -> bool {
    let a_while = QUIET * 4;
    tokio::time::timeout(a_while, watch.changed())
        .await
        .is_err()
}

#[tokio::test]
async fn a_file_that_is_written_or_renamed_over_is_told_of_and_one_with_the_same_contents_is_not() {
    let folder = Folder::new();
    let file = folder.write("a.pem", "1");
    let watch = FileWatch::start([(&*file, "1")]).unwrap();
    folder.write("a.pem", "2");
    assert!(is_told(&watch).await);
    fs::rename(folder.write("new", "3"), &file).unwrap();
    assert!(is_told(&watch).await);
    folder.write("a.pem", "3");
    folder.write("other.pem", "4");
    assert!(is_quiet(&watch).await);
}

#[tokio::test]
async fn a_file_that_was_replaced_between_being_read_and_being_watched_is_told_of() {
    let folder = Folder::new();
    let (a, b) = (folder.write("a.pem", "1"), folder.write("b.pem", "1"));
    let watch = FileWatch::start([(&*b, "1"), (&*a, "1")]).unwrap();
    assert!(is_quiet(&watch).await);
    let watch = FileWatch::start([(&*a, "0"), (&*b, "1")]).unwrap();
    assert!(is_told(&watch).await);
    assert!(is_quiet(&watch).await);
    drop(fs::remove_file(&b));
    let watch = FileWatch::start([(&*a, "1"), (&*b, "")]).unwrap();
    assert!(is_told(&watch).await);
}

#[tokio::test]
async fn a_link_on_the_way_that_leads_elsewhere_is_told_of() {
    let folder = Folder::new();
    folder.write("data/1/certs/a.pem", "1");
    folder.write("data/2/certs/a.pem", "2");
    let (jobs, next) = (folder.0.join("jobs"), folder.0.join("next"));
    // Two links: the job's folder, and within it another way to the file.
    symlink("data/1", &jobs).unwrap();
    symlink(jobs.join("certs/a.pem"), folder.0.join("a.pem")).unwrap();
    let watch = FileWatch::start([(&*folder.0.join("a.pem"), "1")]).unwrap();
    symlink("data/2", &next).unwrap();
    fs::rename(&next, &jobs).unwrap();
    assert!(is_told(&watch).await);
    folder.write("data/2/certs/a.pem", "3");
    assert!(is_told(&watch).await);
}

#[tokio::test]
async fn a_file_that_vanishes_and_comes_back_is_told_of_twice() {
    let folder = Folder::new();
    let file = folder.write("certs/a.pem", "1");
    let watch = FileWatch::start([(&*file, "1")]).unwrap();
    fs::remove_dir_all(folder.0.join("certs")).unwrap();
    assert!(is_told(&watch).await);
    folder.write("certs/a.pem", "1");
    assert!(is_told(&watch).await);
}

#[tokio::test]
async fn other_files_can_be_watched_later() {
    let folder = Folder::new();
    let (a, b) = (folder.write("a/x", "1"), folder.write("b/x", "1"));
    let watch = FileWatch::start([(&*a, "1")]).unwrap();
    watch.watch([b.clone()]);
    assert!(
        is_told(&watch).await,
        "they may have changed since they were read"
    );
    watch.watch([b.clone()]);
    assert!(is_quiet(&watch).await);
    folder.write("b/x", "2");
    assert!(is_told(&watch).await);
    folder.write("a/x", "2");
    assert!(is_quiet(&watch).await);
}

#[test]
fn the_folders_on_the_way_are_those_of_links_and_of_the_file_itself() {
    let folder = Folder::new();
    folder.write("data/a.pem", "1");
    symlink("data", folder.0.join("job")).unwrap();
    let seen = folders(&folder.0.join("job/a.pem"));
    assert_eq!(seen, [folder.0.clone(), folder.0.join("data")].into());
    assert_eq!(folders(&folder.0.join("none/b")), [folder.0.clone()].into());
}
