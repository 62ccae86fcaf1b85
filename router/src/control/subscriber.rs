//! Routes from the bus: `router.register` and `router.unregister` in, `router.start` and answers to `router.greet` out
//! (spec 2.1).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cloverleaf_bus::{Bus, BusError, Message, Status, StatusEvents, Subscription};
use cloverleaf_model::{RegistryMessage, StartMessage};

use super::Registrar;
use crate::config::Config;
use crate::observe::registry::{Gauge, Metrics};
use crate::table::{Change, SourceId};

/// Messages that are handled before other work of the control plane gets its turn.
const BATCH: usize = 256;

/// What the router says about itself.
#[derive(Clone, Debug)]
pub struct Identity {
    id: Box<str>,
    start: Bytes,
}

impl Identity {
    /// An identity for the life of the process: `<index>-<uuid>`.
    pub fn new(config: &Config, local_ip: IpAddr) -> Identity {
        let id = format!("{}-{}", config.index, uuid::Uuid::new_v4());
        let start = StartMessage {
            id: id.clone(),
            hosts: vec![local_ip.to_string()],
            minimum_register_interval_in_seconds: config.start_response_delay_interval.as_secs(),
            prune_threshold_in_seconds: config.droplet_stale_threshold.as_secs(),
        };
        Identity {
            id: id.into(),
            start: start.to_json().into(),
        }
    }

    /// The id.
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// Keeps the table in step with what the bus says.
pub struct Subscriber {
    bus: Bus,
    routes: Subscription,
    status: StatusEvents,
    registrar: Arc<Registrar>,
    source: SourceId,
    identity: Identity,
    ping_interval: Duration,
}

impl Subscriber {
    /// Subscribes, and asks all emitters for their routes. `source` is the bus's name in the routes' provenance.
    ///
    /// # Errors
    /// When the bus refuses the subscription.
    pub async fn start(
        bus: Bus,
        source: &str,
        registrar: Arc<Registrar>,
        identity: Identity,
        ping_interval: Duration,
    ) -> Result<Subscriber, BusError> {
        tracing::info!(target: "subscriber", "subscriber-starting");
        let status = bus.status();
        let routes = bus.subscribe("router.*").await?;
        let source = registrar.source(source);
        bus.publish("router.start", identity.start.clone()).await?;
        tracing::info!(target: "subscriber", "subscriber-started");
        Ok(Subscriber {
            bus,
            routes,
            status,
            registrar,
            source,
            identity,
            ping_interval,
        })
    }

    /// Runs until the bus is closed for good.
    pub async fn run(mut self, metrics: Arc<Metrics>) {
        let mut down: Option<tokio::time::Interval> = None;
        loop {
            tokio::select! {
                message = self.routes.next() => match message {
                    Some(message) => self.handle_batch(message, &metrics).await,
                    None => break,
                },
                Some(status) = self.status.next() => match status {
                    Status::Disconnected => {
                        tracing::warn!(target: "nats", "nats-connection-disconnected");
                        self.registrar.apply(Change::SourceDown(self.source));
                        let mut ticks = tokio::time::interval(self.ping_interval.max(Duration::from_millis(10)));
                        ticks.reset();
                        down = Some(ticks);
                    }
                    Status::Reconnected { .. } => {
                        tracing::info!(target: "nats", "nats-connection-reconnected");
                        down = None;
                        self.registrar.apply(Change::SourceUp(self.source));
                        self.announce().await;
                    }
                    Status::MessagesDropped(count) => {
                        tracing::warn!(target: "nats", count, "nats-messages-dropped");
                        // What was lost is asked for again; emitters answer with all their routes.
                        self.announce().await;
                    }
                    // Said by whoever connected.
                    Status::Connected { .. } => {}
                    Status::Closed => break,
                },
                () = tick(&mut down) => tracing::warn!(target: "nats", "nats-connection-still-disconnected"),
            }
        }
        tracing::error!(target: "nats", "nats-connection-closed");
    }

    async fn handle_batch(&mut self, first: Message, metrics: &Metrics) {
        let mut next = Some(first);
        for _ in 0..BATCH {
            let Some(message) = next.take() else { break };
            self.handle(&message).await;
            next = self.routes.try_next();
        }
        if let Some(message) = next {
            self.handle(&message).await;
        }
        let stats = self.bus.stats();
        metrics.set(
            Gauge::BufferedMessages,
            i64::try_from(stats.pending).unwrap_or(i64::MAX),
        );
        metrics.set(
            Gauge::TotalDroppedMessages,
            i64::try_from(stats.dropped).unwrap_or(i64::MAX),
        );
        tokio::task::yield_now().await;
    }

    async fn handle(&self, message: &Message) {
        type Handler = fn(&Registrar, SourceId, &RegistryMessage<'_>);
        let handler: Handler = match &*message.subject {
            "router.register" => Registrar::register,
            "router.unregister" => Registrar::unregister,
            "router.greet" => {
                if let Some(reply) = &message.reply {
                    self.publish(reply, self.identity.start.clone()).await;
                }
                return;
            }
            _ => return,
        };
        match RegistryMessage::parse(&message.payload) {
            Ok(registry_message) => handler(&self.registrar, self.source, &registry_message),
            Err(error) => {
                let payload = String::from_utf8_lossy(&message.payload);
                tracing::error!(target: "subscriber", { %error, payload = %payload, subject = &*message.subject },
                    "validation-error");
            }
        }
    }

    async fn announce(&self) {
        self.publish("router.start", self.identity.start.clone())
            .await;
    }

    async fn publish(&self, subject: &str, payload: Bytes) {
        if let Err(error) = self.bus.publish(subject, payload).await {
            tracing::error!(target: "subscriber", { %error, subject }, "publish-failed");
        }
    }
}

async fn tick(interval: &mut Option<tokio::time::Interval>) {
    match interval {
        Some(interval) => {
            interval.tick().await;
        }
        None => std::future::pending().await,
    }
}
