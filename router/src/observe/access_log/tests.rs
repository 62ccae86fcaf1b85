use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::mpsc;

use super::*;
use crate::observe::record::{Text, View};
use crate::observe::sink::Lines;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Folder {
        let folder = std::env::temp_dir().join(format!(
            "cloverleaf-access-log-{test}-{}",
            std::process::id()
        ));
        fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("access.log")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn to(file: &Path) -> LogSettings {
    LogSettings {
        file: Some(file.to_owned()),
        ..LogSettings::default()
    }
}

fn record(target: &str) -> Record {
    let mut record = Record::default();
    record.set(Text::Host, b"app.test");
    record.set(Text::Method, b"GET");
    record.set(Text::Target, target.as_bytes());
    record.set(Text::Protocol, b"HTTP/1.1");
    record
}

fn targets(log: &str) -> Vec<&str> {
    log.lines()
        .map(|line| line.split(' ').nth(4).unwrap())
        .collect()
}

#[test]
fn the_file_is_appended_to_and_made_with_mode_0644() {
    let folder = Folder::new("mode");
    for run in ["/first", "/second"] {
        let log = AccessLog::start(&to(&folder.file()), Arc::default()).unwrap();
        log.worker().push(&record(run));
        log.shutdown();
    }
    assert_eq!(
        targets(&fs::read_to_string(folder.file()).unwrap()),
        ["/first", "/second"]
    );
    let mode = fs::metadata(folder.file()).unwrap().permissions().mode();
    // The process's umask may take more away.
    assert_eq!(mode & 0o777 & !0o644, 0, "{mode:o}");
}

#[test]
fn a_file_that_cannot_be_opened_is_named() {
    let error =
        AccessLog::start(&to(Path::new("/nonexistent/access.log")), Arc::default()).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("access log /nonexistent/access.log: "),
        "{error}"
    );
}

#[test]
fn shutdown_writes_what_every_worker_has_handed_over() {
    let folder = Folder::new("shutdown");
    let losses = Arc::new(Losses::default());
    let log = AccessLog::start(&to(&folder.file()), Arc::clone(&losses)).unwrap();
    let workers: Vec<_> = (0..4)
        .map(|worker| {
            let mut end = log.worker();
            std::thread::spawn(move || {
                for number in 0..2_500 {
                    end.push(&record(&format!("/{worker}/{number}")));
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().unwrap();
    }
    log.shutdown();
    let written = fs::read_to_string(folder.file()).unwrap();
    assert_eq!(
        (written.lines().count(), losses.dropped_records()),
        (10_000, 0)
    );
    let ones = targets(&written)
        .into_iter()
        .filter_map(|target| target.strip_prefix("/1/"));
    assert!(
        ones.eq((0..2_500).map(|number| number.to_string())),
        "a worker's lines keep their order"
    );
}

/// Shows what it is given, and waits for a word before it takes it.
struct Gate {
    took: mpsc::Sender<String>,
    go_on: mpsc::Receiver<()>,
}

impl Sink for Gate {
    fn take(&mut self, lines: &Lines, _: &[View<'_>]) {
        self.took
            .send(String::from_utf8(lines.text.clone()).unwrap())
            .ok();
        self.go_on.recv().ok();
    }

    fn close(&mut self) {}
}

fn gated() -> (
    AccessLog,
    Arc<Losses>,
    mpsc::Receiver<String>,
    mpsc::Sender<()>,
) {
    let ((took, taken), (word, go_on)) = (mpsc::channel(), mpsc::channel());
    let losses = Arc::new(Losses::default());
    let sinks: Vec<Box<dyn Sink>> = vec![Box::new(Gate { took, go_on })];
    let log = AccessLog::with_sinks(sinks, &LogSettings::default(), Arc::clone(&losses)).unwrap();
    (log, losses, taken, word)
}

/// How many lines were taken until the log ended.
fn lines(taken: &mpsc::Receiver<String>) -> usize {
    taken.iter().map(|text| text.lines().count()).sum()
}

#[test]
fn a_stalled_disk_makes_no_worker_wait_and_drops_are_counted() {
    let (log, losses, taken, word) = gated();
    let mut worker = log.worker();
    let huge = record(&"a".repeat(Batch::SIZE));
    // The gate holds what it was given first, so the queue fills up.
    let mut pushed = 0;
    while losses.dropped_records() < 3 {
        worker.push(&huge);
        pushed += 1;
    }
    assert!(pushed > WAITING as u64, "{pushed}");
    drop(word);
    log.shutdown();
    assert_eq!(lines(&taken) as u64 + losses.dropped_records(), pushed);
}

#[test]
fn lines_of_several_workers_are_in_the_order_in_which_their_exchanges_ended() {
    let (log, _, taken, word) = gated();
    let mut workers = [log.worker(), log.worker()];
    // While the log thread is busy with something else, both workers hand over.
    workers[0].push(&record("/before"));
    workers[0].flush();
    assert_eq!(targets(&taken.recv().unwrap()), ["/before"]);
    let ended = |target: &str, received, took| {
        let mut record = record(target);
        record.entry.received_unix_ns = received;
        record.entry.response_time_ns = took;
        record
    };
    workers[0].push(&ended("/third", 3, 10));
    workers[0].push(&ended("/fourth", 1, 20));
    workers[1].push(&ended("/first", 5, 1));
    workers[1].push(&ended("/second", 6, 1));
    drop(workers);
    drop(word);
    log.shutdown();
    assert_eq!(
        targets(&taken.recv().unwrap()),
        ["/first", "/second", "/third", "/fourth"]
    );
}

#[test]
fn what_waits_is_handed_over_soon_but_not_at_every_call() {
    let (log, _, taken, word) = gated();
    drop(word);
    let mut worker = log.worker();
    let waiting = |worker: &WorkerLog| worker.open.as_ref().unwrap().batch.len();
    let start = Instant::now();
    worker.flush_if_due(start);
    worker.push(&record("/1"));
    worker.flush_if_due(start);
    assert_eq!(
        waiting(&worker),
        0,
        "the first after a pause is not held back"
    );
    worker.push(&record("/2"));
    worker.flush_if_due(start + MIN_WAIT - Duration::from_millis(1));
    assert_eq!(waiting(&worker), 1);
    worker.push(&record("/3"));
    worker.flush_if_due(start + MIN_WAIT);
    assert_eq!(waiting(&worker), 0);
    log.shutdown();
    assert_eq!(lines(&taken), 3);
}

#[test]
fn memory_comes_back_to_its_worker() {
    let (log, _, taken, word) = gated();
    let mut worker = log.worker();
    worker.push(&record("/1"));
    worker.flush();
    taken.recv().unwrap();
    word.send(()).unwrap();
    let open = worker.open.as_mut().unwrap();
    let back = open.empty.recv().unwrap();
    assert!(back.is_empty());
    drop(word);
    log.shutdown();
}

#[test]
fn without_a_sink_nothing_is_kept() {
    let log = AccessLog::start(&LogSettings::default(), Arc::default()).unwrap();
    let mut worker = log.worker();
    worker.push(&record("/"));
    worker.flush_if_due(Instant::now());
    assert!(worker.open.is_none());
    log.shutdown();
}

#[test]
fn a_worker_that_outlives_the_log_loses_its_records_and_says_so() {
    let (log, losses, taken, word) = gated();
    drop(word);
    let mut worker = log.worker();
    log.shutdown();
    worker.push(&record("/"));
    drop(worker);
    assert_eq!((losses.dropped_records(), taken.iter().count()), (1, 0));
}

///
#[test]
fn tracing_headers_come_behind_the_configured_ones_and_none_twice() {
    let extra_headers_to_log = ["X-First", "B3", "x-first"].map(String::from).to_vec();
    let mut config = Config {
        extra_headers_to_log,
        ..Config::default()
    };
    config.tracing.enable_zipkin = true;
    config.tracing.enable_w3c = true;
    config.access_log.file = "a.log".to_owned();
    let settings = LogSettings::from(&config);
    assert_eq!(settings.file.as_deref(), Some(Path::new("a.log")));
    let names: Vec<&str> = settings.extra_headers.iter().map(|name| &**name).collect();
    assert_eq!(
        names,
        [
            "X-First",
            "B3",
            "X-B3-TraceId",
            "X-B3-SpanId",
            "X-B3-ParentSpanId",
            "traceparent",
            "tracestate"
        ]
    );
    assert_eq!(LogSettings::from(&Config::default()).file, None);
}
