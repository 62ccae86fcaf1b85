use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;

mod compat;
mod files;
mod refusals;
mod tls;

/// Loads text that must be good.
fn load(text: &str) -> Loaded {
    match Config::from_text(text, "gorouter.yml") {
        Ok(loaded) => loaded,
        Err(report) => panic!("{report}"),
    }
}

/// The report on text that must be bad.
fn report(text: &str) -> String {
    match Config::from_text(text, "gorouter.yml") {
        Ok(_) => panic!("accepted: {text}"),
        Err(report) => report.to_string(),
    }
}

/// A folder that is removed at the end of a test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("cloverleaf-config-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("folder");
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).expect("folder removed");
    }
}

/// What `-check` says about a file with this text, called gorouter.yml.
fn check(text: &str) -> Check {
    let folder = Folder::new();
    let file = folder.path("gorouter.yml");
    std::fs::write(&file, text).expect("written");
    let check = Config::check(Some(&file), |_| Ok(()));
    Check {
        text: check
            .text
            .replace(&file.display().to_string(), "gorouter.yml"),
        ..check
    }
}

#[test]
fn an_empty_file_is_the_built_in_defaults() {
    for text in ["", "# only a comment\n", "---\n", "{}", "null"] {
        assert_eq!(load(text).config, Config::default(), "{text:?}");
    }
    let config = Config::load(None).expect("defaults").config;
    assert_eq!(config, Config::default());
    assert_eq!(config.port, 8081);
    assert_eq!(config.status.routes.port, 8082);
    assert_eq!(config.nats.hosts.len(), 1);
    assert_eq!(config.nats.hosts[0].hostname, "localhost");
    assert_eq!(config.nats.hosts[0].port, 4222);
    assert!(config.workers() >= 1);
}

#[test]
fn r_014_unknown_keys_are_ignored_at_every_level_and_noted() {
    let loaded = load(
        "some_future_key: {a: [1, 2]}\nrouter: null\nstatus: {future: 1}\nendpoint_timout: 3s\nlevel: info\n",
    );
    assert_eq!(loaded.config, Config::default());
    let notes: Vec<String> = loaded.notes.iter().map(ToString::to_string).collect();
    assert_eq!(
        notes,
        [
            "line 1: some_future_key: unknown key, ignored",
            "line 2: router: unknown key, ignored",
            "line 3: status.future: unknown key, ignored",
            "line 4: endpoint_timout: unknown key, ignored; did you mean `endpoint_timeout`?",
            "line 5: level: unknown key, ignored; did you mean `logging.level`?",
        ]
    );
}

#[test]
fn empty_values_mean_not_set() {
    let loaded = load(
        "html_error_template_file: \"\"\nisolation_segments: []\nextra_headers_to_log: []\n\
         oauth: {token_endpoint: \"\", port: \"\"}\nrouting_api: {uri: \"\"}\ntrace_key: \"\"\n\
         port: null\nendpoint_timeout: \"\"\nbalancing_algorithm: \"\"\nstatus:\nnats: {hosts: []}\n",
    );
    assert_eq!(loaded.config, Config::default());
    assert_eq!(loaded.notes, []);
    assert_eq!(loaded.not_yet, []);
}

#[test]
fn r_018_the_start_delay_raises_the_stale_threshold() {
    let config = load("start_response_delay_interval: 200s\ndroplet_stale_threshold: 120s").config;
    assert_eq!(config.droplet_stale_threshold, Duration::from_secs(200));
    let config = load("start_response_delay_interval: 0\ndroplet_stale_threshold: 1ns").config;
    assert_eq!(config.droplet_stale_threshold, Duration::from_nanos(1));
}

//
#[test]
fn r_019_the_drain_timeout_is_the_endpoint_timeout_when_zero_or_absent() {
    for drain in ["", "drain_timeout: 0s\n"] {
        let config = load(&format!("{drain}endpoint_timeout: 900s")).config;
        assert_eq!(config.drain_timeout, Duration::from_secs(900));
    }
    let config = load("drain_timeout: 2s\nendpoint_timeout: 900s").config;
    assert_eq!(config.drain_timeout, Duration::from_secs(2));
}

#[test]
fn the_websocket_dial_timeout_follows_the_dial_timeout() {
    let config = load("endpoint_dial_timeout: 1s").config;
    assert_eq!(config.websocket_dial_timeout, Duration::from_secs(1));
}

//
#[test]
fn r_020_a_list_of_sticky_cookies_replaces_the_default() {
    let names = |text: &str| load(text).config.sticky_session_cookie_names;
    assert_eq!(names(""), ["JSESSIONID"]);
    assert_eq!(
        names("sticky_session_cookie_names: [SESSION, OTHER]"),
        ["SESSION", "OTHER"]
    );
    assert_eq!(names("sticky_session_cookie_names:"), ["JSESSIONID"]);
    assert!(names("sticky_session_cookie_names: []").is_empty());
}

#[test]
fn the_request_head_limit_has_two_names_and_a_ceiling() {
    let limit = |text: &str| load(text).config.max_request_header_bytes;
    assert_eq!(limit("max_header_bytes: 2048"), 2048);
    assert_eq!(
        limit("max_header_bytes: 1\nmax_request_header_bytes: 4096"),
        4096
    );
    for text in [
        "",
        "max_request_header_bytes: 0",
        "max_request_header_bytes: -1",
        "max_header_bytes: 1048577",
    ] {
        assert_eq!(limit(text), 1 << 20, "{text}");
    }
}

#[test]
fn attempts_are_at_least_one() {
    let config = load("backends: {max_attempts: 0}\nroute_services: {max_attempts: -3}").config;
    assert_eq!(config.backends.max_attempts, 1);
    assert_eq!(config.route_services.max_attempts, 1);
    assert_eq!(
        load("backends: {max_attempts: 3}")
            .config
            .backends
            .max_attempts,
        3
    );
}

#[test]
fn workers_are_as_many_as_configured_or_as_there_are_cpus() {
    assert_eq!(load("go_max_procs: 3").config.workers(), 3);
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    assert_eq!(load("go_max_procs: -1").config.workers(), cpus);
    assert_eq!(load("go_max_procs: 0").config.workers(), cpus);
}

#[test]
fn prometheus_runs_when_its_port_is_given_unless_it_is_off() {
    assert!(load("prometheus: {port: 9100}").config.prometheus.enabled);
    assert!(
        !load("prometheus: {port: 9100, enabled: false}")
            .config
            .prometheus
            .enabled
    );
    assert!(!load("").config.prometheus.enabled);
}

#[test]
fn attempts_details_put_their_fields_first_and_once() {
    let names = |text: &str| -> Vec<&str> {
        let fields = load(text).config.logging.extra_fields();
        fields.into_iter().map(ExtraLogField::as_str).collect()
    };
    let details = [
        "failed_attempts",
        "failed_attempts_time",
        "dns_time",
        "dial_time",
        "tls_time",
        "backend_time",
    ];
    assert_eq!(
        names(
            "logging: {enable_attempts_details: true, extra_access_log_fields: [failed_attempts]}"
        ),
        details
    );
    assert_eq!(
        names("logging: {extra_access_log_fields: [tls_time, nonsense, dns_time, tls_time]}"),
        ["tls_time", "dns_time"]
    );
}

#[test]
fn no_key_waits_for_its_feature() {
    assert!(!reference().contains("**Not yet.**"));
}

#[test]
fn keys_without_effect_by_design_say_why() {
    let loaded = load("pid_file: /run/router.pid");
    assert_eq!(
        loaded.notes[0].to_string(),
        "line 1: pid_file: has no effect: the supervisor writes the file"
    );
}

#[test]
fn debug_output_holds_no_secret() {
    let text = "nats: {pass: hunter2}\nstatus: {pass: hunter2}\nroute_services_secret: hunter2\noauth: {client_secret: hunter2}\n";
    let shown = format!("{:?}", load(text));
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("<redacted>"));
}

#[test]
fn configuration_page_is_up_to_date() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&page, reference()).expect("page written");
    }
    let checked_in = std::fs::read_to_string(&page).unwrap_or_default();
    assert!(
        checked_in == reference(),
        "docs/configuration.md differs from the definitions; renew it with UPDATE_DOCS=1 cargo test -p cloverleaf-router configuration_page"
    );
}

#[test]
fn every_key_has_a_meaning_in_the_reference() {
    for row in cloverleaf_config::rows(<Config as cloverleaf_config::Value>::KEYS) {
        assert!(!row.doc.is_empty(), "{}", row.path);
        assert!(!row.group.is_empty(), "{}", row.path);
    }
}
