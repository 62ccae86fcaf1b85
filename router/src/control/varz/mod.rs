//! `/varz` of the deprecated status server: GoRouter's numbers under GoRouter's names (spec 9.2).
//!
//! The data path counts for it in its ordinary counters. What needs a past, such as rates, is made here of samples that are
//! taken every five seconds; a look at `/varz` costs the data path nothing.

mod latency;
mod rates;
mod top_apps;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use tokio::time::MissedTickBehavior;

use super::listener;
use crate::config::Config;
use crate::observe::process;
use crate::observe::registry::Metrics;
use crate::observe::summary::{Summary, Traffic};
use crate::table::{Millis, Table};
use latency::Latency;
use rates::Rates;
use top_apps::TopApps;

/// Time between two samples.
const SAMPLE: Duration = Duration::from_secs(5);

/// The router as a component of the platform, and its numbers.
pub struct Varz {
    component: Component,
    metrics: Arc<Metrics>,
    table: Arc<Table>,
    started: Instant,
    history: Mutex<History>,
}

/// What does not change.
struct Component {
    index: u32,
    host: String,
    credentials: [String; 2],
    uuid: String,
    start: String,
    cpus: usize,
}

#[derive(Default)]
struct History {
    all: Series,
    components: BTreeMap<String, Series>,
    apps: TopApps,
}

/// What needs a past, of one kind of traffic.
#[derive(Default)]
struct Series {
    rates: Rates,
    latency: Latency,
}

impl Series {
    fn sample(&mut self, traffic: &Traffic) {
        self.rates.sample(traffic.requests, SAMPLE);
        self.latency.sample(&traffic.latency, SAMPLE);
    }
}

impl Varz {
    /// The numbers in `metrics` and `table`. `uuid` names this process on the bus; `started` is zero of the table's times.
    pub fn new(
        config: &Config,
        uuid: &str,
        metrics: Arc<Metrics>,
        table: Arc<Table>,
        started: Instant,
    ) -> Varz {
        let status = &config.status;
        let component = Component {
            index: config.index,
            host: format!("{}:{}", status.host, status.port),
            credentials: [status.user.clone(), status.pass.clone()],
            uuid: uuid.to_owned(),
            start: start_text(OffsetDateTime::now_utc() - started.elapsed()),
            cpus: Config::cpus(),
        };
        Varz {
            component,
            metrics,
            table,
            started,
            history: Mutex::default(),
        }
    }

    /// Takes samples until the future is dropped.
    pub async fn sample(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(SAMPLE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.reset();
        loop {
            ticks.tick().await;
            let (summary, apps) = (self.metrics.summary(), self.metrics.requests_by_app());
            let mut history = self.history();
            history.all.sample(&summary.all);
            for (name, traffic) in &summary.components {
                let series = history.components.entry(name.clone()).or_default();
                series.sample(traffic);
            }
            history.apps.sample(apps);
        }
    }

    /// The numbers of this moment as a JSON object. With a large table that takes a while, so it is done on a thread of its
    /// own.
    pub async fn text(self: Arc<Self>) -> String {
        let made = tokio::task::spawn_blocking(move || self.json().to_string());
        // It fails only when the process ends.
        made.await.unwrap_or_default()
    }

    fn json(&self) -> Value {
        let summary = self.metrics.summary();
        let history = self.history();
        let mut keys = self.component();
        keys.extend(traffic(&summary.all, Some(&history.all), &summary));
        let components: Map<String, Value> = summary
            .components
            .iter()
            .map(|(name, of_component)| {
                let series = history.components.get(name);
                let shown = traffic(of_component, series, &summary);
                (name.clone(), Value::Object(shown))
            })
            .collect();
        let rates = history.all.rates.per_second();
        let top = history.apps.top(&self.metrics.requests_by_app());
        let top: Vec<Value> = top
            .into_iter()
            .map(|(app, requests)| {
                json!({ "application_id": &*app, "rps": requests / 60, "rpm": requests })
            })
            .collect();
        for (key, value) in [
            ("urls", json!(self.table.route_count())),
            ("droplets", json!(self.table.endpoint_count())),
            ("bad_requests", json!(summary.bad_requests)),
            ("bad_gateways", json!(summary.bad_gateways)),
            ("requests_per_sec", json!(rates[0])),
            ("tags", json!({ "component": components })),
            ("top10_app_requests", json!(top)),
            ("ms_since_last_registry_update", json!(self.since_update())),
        ] {
            keys.insert(key.to_owned(), value);
        }
        Value::Object(keys)
    }

    /// What every component of the platform says of itself.
    fn component(&self) -> Map<String, Value> {
        let Component {
            index,
            host,
            credentials,
            uuid,
            start,
            cpus,
        } = &self.component;
        let up = self.started.elapsed();
        let cpu = process::cpu_time().map_or(0.0, |spent| {
            100.0 * spent.as_secs_f64() / up.as_secs_f64().max(1.0)
        });
        let keys = json!({
            "type": "Router",
            "index": index,
            "host": host,
            "credentials": credentials,
            "uuid": uuid,
            "start": start,
            "uptime": uptime_text(up),
            "num_cores": cpus,
            "mem": process::memory_kib().unwrap_or(0),
            "cpu": cpu,
            "log_counts": {},
        });
        match keys {
            Value::Object(keys) => keys,
            _ => Map::new(),
        }
    }

    fn since_update(&self) -> i64 {
        let now = Millis::try_from(self.started.elapsed().as_millis()).unwrap_or(Millis::MAX);
        let since = self.table.last_registration();
        since.map_or(-1, |then| {
            i64::try_from(now.saturating_sub(then)).unwrap_or(i64::MAX)
        })
    }

    fn history(&self) -> MutexGuard<'_, History> {
        // Numbers are whole at any time.
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn traffic(traffic: &Traffic, series: Option<&Series>, summary: &Summary) -> Map<String, Value> {
    let (rates, percentiles) = series.map_or_else(Default::default, |series| {
        let percentiles = series
            .latency
            .percentiles(&traffic.latency, &summary.bounds_ns);
        (series.rates.per_second(), percentiles)
    });
    let mut latency: Map<String, Value> = latency::SHARES
        .iter()
        .zip(percentiles)
        .map(|((name, _), seconds)| ((*name).to_owned(), json!(seconds)))
        .collect();
    // Collectors of old read these two; GoRouter gives constants.
    latency.insert("samples".to_owned(), json!(1));
    latency.insert("value".to_owned(), json!(percentiles[0]));
    let mut keys = Map::new();
    keys.insert("requests".to_owned(), json!(traffic.requests));
    keys.insert("rate".to_owned(), json!(rates));
    keys.insert("latency".to_owned(), Value::Object(latency));
    for (group, count) in ["2xx", "3xx", "4xx", "5xx", "xxx"]
        .iter()
        .zip(traffic.responses)
    {
        keys.insert(format!("responses_{group}"), json!(count));
    }
    keys
}

/// Answers `/varz`.
pub(super) async fn answer(State(varz): State<Arc<Varz>>) -> Response {
    let mut text = varz.text().await;
    text.push('\n');
    let mut response = listener::with_type(StatusCode::OK, "application/json", text);
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// As in `2031-03-04 05:06:07 +0000`.
fn start_text(at: OffsetDateTime) -> String {
    let (date, time) = (at.date(), at.time());
    format!(
        "{date} {:02}:{:02}:{:02} +0000",
        time.hour(),
        time.minute(),
        time.second()
    )
}

/// As in `0d:3h:25m:45s`.
fn uptime_text(up: Duration) -> String {
    let seconds = up.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    format!(
        "{days}d:{}h:{}m:{}s",
        hours % 24,
        minutes % 60,
        seconds % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_the_old_form() {
        let at = OffsetDateTime::from_unix_timestamp(1_930_367_167).unwrap();
        assert_eq!(start_text(at), "2031-03-04 05:06:07 +0000");
        assert_eq!(uptime_text(Duration::from_secs(59)), "0d:0h:0m:59s");
        assert_eq!(
            uptime_text(Duration::from_secs(2 * 86_400 + 3 * 3_600 + 25 * 60 + 45)),
            "2d:3h:25m:45s"
        );
    }
}
