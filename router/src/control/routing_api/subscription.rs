//! The subscription to events: it begins anew for as long as the router runs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::RngExt;
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::SendError;
use tokio::time::sleep;

use super::client::{Client, ClientError};
use super::entry::Entry;
use super::events::{Event, EventReader, TooLong};
use crate::control::call::{Answer, CallError};
use crate::observe::registry::{Incident, Metrics};

/// More tries before a subscription has failed (spec 2.7).
const RETRIES: u32 = 3;
/// The pause before each of them, and behind a stream that broke.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause behind subscriptions that failed one after the other.
const LONGEST_PAUSE: Duration = Duration::from_secs(16);

/// What the subscription has to say.
#[derive(Debug)]
pub(super) enum Notice {
    /// Events are heard from now on: what happened before is in the next list.
    Subscribed,
    /// An entry is there, or has changed.
    Upsert(Entry),
    /// An entry has gone.
    Delete(Entry),
    /// No events can be heard.
    Failed,
}

/// How a stream of events ended.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the stream ended")]
    Ended,
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    TooLong(#[from] TooLong),
    #[error("nobody listens")]
    Unheard(#[from] SendError<Notice>),
}

/// Subscribes over and over; ends when nobody takes the notices.
pub(super) async fn subscribe(client: Arc<Client>, notices: Sender<Notice>, metrics: Arc<Metrics>) {
    let mut pause = PAUSE;
    loop {
        tracing::info!(target: "route-fetcher", "Subscribing-to-routing-api-event-stream");
        let broken = match connect(&client).await {
            Ok(stream) => {
                tracing::info!(target: "route-fetcher", "Successfully-subscribed-to-routing-api-event-stream");
                let began = Instant::now();
                let broken = listen(stream, &notices).await;
                // One that ends at once each time is as good as none.
                if began.elapsed() > LONGEST_PAUSE {
                    pause = PAUSE;
                }
                tracing::warn!(target: "route-fetcher", error = %broken, "routing-api-event-stream-ended");
                matches!(broken, Broken::Unheard(_))
            }
            Err(error) => {
                metrics.incident(Incident::SubscribeEvents);
                if error.is_about_token() {
                    metrics.incident(Incident::TokenFetch);
                }
                tracing::error!(target: "route-fetcher", %error, "failed-to-subscribe-to-routing-events");
                notices.send(Notice::Failed).await.is_err()
            }
        };
        if broken {
            return;
        }
        // Not all routers at the same moment.
        let spread = rand::rng().random_range(0.9..1.1);
        sleep(pause.mul_f64(spread)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn connect(client: &Client) -> Result<Answer, ClientError> {
    let mut left = RETRIES;
    loop {
        match client.events().await {
            Err(error) if left > 0 && !error.is_about_token() => {
                left -= 1;
                tracing::debug!(target: "route-fetcher", { %error, retries_left = left }, "retrying-subscription");
                sleep(PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}

/// Passes events on until the stream breaks.
async fn listen(mut stream: Answer, notices: &Sender<Notice>) -> Broken {
    let heard = async {
        notices.send(Notice::Subscribed).await?;
        let mut reader = EventReader::default();
        while let Some(piece) = stream.piece().await? {
            for event in reader.read(&piece)? {
                if let Some(notice) = notice(&event) {
                    notices.send(notice).await?;
                }
            }
        }
        Err::<(), Broken>(Broken::Ended)
    };
    match heard.await {
        Err(broken) => broken,
        Ok(()) => Broken::Ended,
    }
}

fn notice(event: &Event) -> Option<Notice> {
    let notice = match event.name.as_str() {
        "Upsert" => Notice::Upsert,
        "Delete" => Notice::Delete,
        // Others may come some day.
        _ => return None,
    };
    match serde_json::from_slice(&event.data) {
        Ok(entry) => Some(notice(entry)),
        Err(error) => {
            tracing::error!(target: "route-fetcher", { %error, event = event.name }, "unusable-event");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(name: &str, data: &str) -> Option<Notice> {
        notice(&Event {
            name: name.to_owned(),
            data: data.as_bytes().to_vec(),
        })
    }

    #[test]
    fn events_are_told_apart_by_name_and_what_cannot_be_read_is_passed_over() {
        let data = r#"{"route":"a.test","port":1,"ip":"b"}"#;
        assert!(matches!(told("Upsert", data), Some(Notice::Upsert(_))));
        assert!(matches!(told("Delete", data), Some(Notice::Delete(_))));
        assert!(told("Other", data).is_none());
        assert!(told("Upsert", "{").is_none());
    }
}
