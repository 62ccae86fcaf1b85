//! Counting by several workers, and what is left out.

use super::*;
use crate::config::Config;

fn counters(change: impl FnOnce(&mut Config)) -> Counters {
    let mut config = Config::default();
    change(&mut config);
    Counters::new(Scope::new(&config))
}

#[test]
fn workers_count_apart_and_are_added_up() {
    let counters = counters(|config| config.prometheus.histograms = true);
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let worker = counters.worker();
            std::thread::spawn(move || {
                for _ in 0..1000 {
                    worker.request("a");
                    worker.count(Count::WebsocketUpgrades);
                    worker.latency("b", 200, 1_000_000);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let totals = counters.totals();
    assert_eq!(totals.count(Count::WebsocketUpgrades), 3000);
    assert_eq!(totals.count(Count::WebsocketFailures), 0);
    assert_eq!(totals.components["a"].requests, 3000);
    assert_eq!(totals.components["b"].latency.histogram.count(), 3000);
}

#[test]
fn every_count_has_its_own_cell() {
    for (number, (count, _)) in Count::ALL.into_iter().enumerate() {
        assert_eq!(count as usize, number);
    }
}

#[test]
fn responses_are_grouped_by_their_first_digit() {
    let counters = counters(|_| {});
    let worker = counters.worker();
    for status in [200, 299, 301, 404, 499, 500, 599, 101, 600, 0] {
        worker.response(status);
    }
    assert_eq!(counters.totals().responses(), [2, 1, 2, 2, 3]);
}

#[test]
fn times_are_not_counted_when_that_is_off() {
    let counters = counters(|config| config.per_request_metrics_reporting = false);
    let worker = counters.worker();
    worker.latency("a", 200, 1);
    worker.route_lookup(1);
    worker.gorouter_time(1);
    worker.http_latency("app", 1);
    worker.app("app");
    let totals = counters.totals();
    assert!(totals.components.is_empty() && totals.apps.is_empty());
    assert!(totals.route_lookup.is_empty() && totals.gorouter.is_empty());
    assert!(counters.requests_by_app().is_empty());
}

#[test]
fn the_status_server_has_details_by_component_and_application() {
    let counters = counters(|config| {
        config.per_request_metrics_reporting = false;
        config.status.enable_deprecated_varz_healthz_endpoints = true;
    });
    let (one, other) = (counters.worker(), counters.worker());
    one.latency("a", 204, 5_000_000);
    other.latency("a", 500, 5_000_000);
    one.app("app");
    one.app("");
    other.app("app");
    other.app("second");
    let totals = counters.totals();
    let a = &totals.components["a"];
    assert_eq!(
        (a.responses, a.detailed_latency.count()),
        ([1, 0, 0, 1, 0], 2)
    );
    assert!(a.latency.is_empty());
    let apps = counters.requests_by_app();
    assert_eq!((apps.len(), apps["app"], apps["second"]), (2, 2, 1));
}

#[test]
fn latency_by_application_is_counted_when_asked_for() {
    let counters = counters(|config| {
        config.per_app_prometheus_http_metrics_reporting = true;
        config.prometheus.histograms = true;
    });
    let worker = counters.worker();
    worker.http_latency("app", 150_000_000);
    worker.http_latency("", 1);
    let apps = counters.totals().apps;
    assert_eq!(apps.keys().collect::<Vec<_>>(), ["app", "gorouter"]);
    assert_eq!(
        apps["app"]
            .histogram
            .shown(&counters.scope.http_latency)
            .get_sample_sum(),
        0.15
    );
}
