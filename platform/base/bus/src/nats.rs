//! The bus over NATS servers.

mod events;
mod options;
mod plan;
mod tls;

pub use options::{NatsCredentials, NatsOptions, NatsTls, ServerAddress};

use std::future::{self, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_nats::{
    Client, ConnectOptions, Event, PublishErrorKind, Request, RequestErrorKind, Subscriber,
};
use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::error::{BusError, ConnectError, Failure};
use crate::message::{Message, Subject};
use crate::queue::{Gone, Inlet, PendingLimits, Subscription, queue};
use crate::status::{Board, Health, Status};
use crate::subject::Pattern;
use crate::task::OwnedTask;
use events::{EventWatch, host_and_addr};
use plan::{Plan, Step};
use tls::Credentials;

/// How many messages the library may hold for a subscription before they reach ours. The connection
/// reads 128 times 64 KiB in one turn at most, which is less than this many of the shortest.
const LIBRARY_QUEUE: usize = 262_144;
/// How long a message may wait for a place among those to be sent.
const SEND_LIMIT: Duration = Duration::from_secs(5);
/// How long closing may wait for what is still to be sent, in each of its steps.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);
/// Reconnections are spread over so much time, without TLS and with (a handshake costs more).
const JITTER: Duration = Duration::from_millis(100);
const JITTER_TLS: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Connection {
    client: Client,
    board: Arc<Board>,
    plan: Arc<Plan>,
    pending: PendingLimits,
    credentials: Option<Arc<Credentials>>,
    _event_watch: OwnedTask,
    _drop_reports: OwnedTask,
}

impl Connection {
    /// Tries the servers as [`NatsOptions`] say.
    pub(crate) async fn start(options: NatsOptions) -> Result<Connection, ConnectError> {
        let credentials = options.tls.as_ref().map(Credentials::new).transpose()?;
        let tls = credentials.as_ref().map(Credentials::config).transpose()?;
        let jitter = if tls.is_some() { JITTER_TLS } else { JITTER };
        let plan = Arc::new(Plan::new(&options.servers, options.reconnect_wait, jitter)?);
        let tries = options.start_tries.max(1);
        let mut failures = Vec::new();
        for number in 0..tries {
            if number > 0 {
                sleep(options.start_wait).await;
            }
            failures.clear();
            for server in plan.shuffled() {
                plan.aim_at(&server);
                let (events, incoming) = mpsc::unbounded_channel();
                let attempt = library_options(&options, tls.clone(), &plan, events)
                    .connect(plan.configured());
                // The library bounds a connection, but not the look-up of its name.
                let reason = match timeout(options.connect_timeout * 2, attempt).await {
                    Ok(Ok(client)) => {
                        let mut connection =
                            Connection::with(client, incoming, plan, options.pending).await;
                        connection.credentials = credentials;
                        return Ok(connection);
                    }
                    Ok(Err(error)) => with_sources(&error),
                    Err(_) => "timed out".to_owned(),
                };
                failures.push(Failure {
                    server: plan.as_configured(&server).to_string(),
                    reason,
                });
            }
        }
        Err(ConnectError::Unreachable { tries, failures })
    }

    async fn with(
        client: Client,
        incoming: mpsc::UnboundedReceiver<Event>,
        plan: Arc<Plan>,
        pending: PendingLimits,
    ) -> Connection {
        plan.connected();
        let (host, addr) = host_and_addr(&plan).await;
        let board = Board::new(Status::Connected { host, addr });
        let watch = EventWatch {
            board: Arc::clone(&board),
            plan: Arc::clone(&plan),
        };
        Connection {
            client,
            plan,
            pending,
            credentials: None,
            _event_watch: OwnedTask::spawn(watch.run(incoming)),
            _drop_reports: OwnedTask::spawn(Arc::clone(&board).report_drops()),
            board,
        }
    }

    /// See [`Bus::renew_tls`](crate::Bus::renew_tls).
    pub(crate) fn renew_tls(&self, tls: &NatsTls) -> Result<(), ConnectError> {
        match &self.credentials {
            Some(credentials) => credentials.renew(tls),
            None => Ok(()),
        }
    }

    pub(crate) async fn subscribe(&self, pattern: &Pattern) -> Result<Subscription, BusError> {
        self.still_open()?;
        let subscribing = self.client.subscribe(pattern.as_str().to_owned());
        let subscriber = match timeout(SEND_LIMIT, subscribing).await {
            Ok(Ok(subscriber)) => subscriber,
            Ok(Err(_)) => return Err(BusError::Closed),
            Err(_) => {
                return Err(BusError::TimedOut {
                    subject: pattern.as_str().to_owned(),
                    limit: SEND_LIMIT,
                });
            }
        };
        let (inlet, subscription) = queue(self.pending, &self.board);
        let pump = Pump { subscriber, inlet };
        // tokio's budget would let the library's queue run over while this one has room.
        let pumping = tokio::task::coop::unconstrained(pump.run());
        Ok(subscription.fed_by(OwnedTask::spawn(pumping)))
    }

    pub(crate) async fn publish(&self, message: Message) -> Result<(), BusError> {
        self.still_open()?;
        let Message {
            subject,
            reply,
            payload,
        } = message;
        let size = payload.len();
        let name = subject.0.clone();
        let sending = async {
            match reply {
                Some(reply) => {
                    let client = &self.client;
                    client.publish_with_reply(subject.0, reply.0, payload).await
                }
                None => self.client.publish(subject.0, payload).await,
            }
        };
        match timeout(SEND_LIMIT, sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(match error.kind() {
                PublishErrorKind::MaxPayloadExceeded => BusError::TooLarge {
                    subject: name.to_string(),
                    size,
                },
                PublishErrorKind::InvalidSubject => BusError::Subject(name.to_string()),
                PublishErrorKind::Send => BusError::Closed,
            }),
            Err(_) => Err(BusError::TimedOut {
                subject: name.to_string(),
                limit: SEND_LIMIT,
            }),
        }
    }

    pub(crate) async fn request(
        &self,
        subject: Subject,
        payload: Bytes,
        limit: Duration,
    ) -> Result<Message, BusError> {
        self.still_open()?;
        let size = payload.len();
        let name = subject.0.clone();
        let request = Request::new().payload(payload).timeout(None);
        let answering = self.client.send_request(subject.0, request);
        match timeout(limit, answering).await {
            Ok(Ok(answer)) => Ok(message(answer)),
            Ok(Err(error)) => Err(match error.kind() {
                RequestErrorKind::NoResponders => BusError::NoResponders(name.to_string()),
                RequestErrorKind::MaxPayloadExceeded => BusError::TooLarge {
                    subject: name.to_string(),
                    size,
                },
                RequestErrorKind::InvalidSubject => BusError::Subject(name.to_string()),
                RequestErrorKind::TimedOut | RequestErrorKind::Other => BusError::Closed,
            }),
            Err(_) => Err(BusError::TimedOut {
                subject: name.to_string(),
                limit,
            }),
        }
    }

    /// A request that nobody answers: the server says so once it has come to it.
    pub(crate) async fn flush(&self, limit: Duration) -> Result<(), BusError> {
        let nobody = Subject::from(self.client.new_inbox().as_str());
        match self.request(nobody, Bytes::new(), limit).await {
            Ok(_) | Err(BusError::NoResponders(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn close(&self) {
        if self.still_open().is_err() {
            return;
        }
        self.flush(CLOSE_LIMIT).await.ok();
        self.plan.close();
        self.board.tell(Status::Closed);
        timeout(CLOSE_LIMIT, self.client.drain()).await.ok();
    }

    pub(crate) fn board(&self) -> &Board {
        &self.board
    }

    fn still_open(&self) -> Result<(), BusError> {
        match self.board.health() {
            Health::Closed => Err(BusError::Closed),
            Health::Connected | Health::Disconnected => Ok(()),
        }
    }
}

impl Drop for Connection {
    /// Without this the library would go on trying to reach a lost server for nobody.
    fn drop(&mut self) {
        self.plan.close();
    }
}

fn library_options(
    options: &NatsOptions,
    tls: Option<rustls::ClientConfig>,
    plan: &Arc<Plan>,
    events: mpsc::UnboundedSender<Event>,
) -> ConnectOptions {
    let plan = Arc::clone(plan);
    let mut library = ConnectOptions::new()
        .connection_timeout(options.connect_timeout)
        .ping_interval(options.ping_interval)
        .subscription_capacity(LIBRARY_QUEUE)
        .max_reconnects(None)
        .event_callback(move |event| {
            // Nobody watches any more once the connection is dropped.
            events.send(event).ok();
            future::ready(())
        })
        .reconnect_to_server_callback(move |pool, _| {
            let step = plan.next(&pool);
            async move {
                match step {
                    Step::Try(server) => Some(server),
                    Step::Stop => future::pending().await,
                }
            }
        });
    if let Some(credentials) = &options.credentials {
        library = library.user_and_password(credentials.user.clone(), credentials.password.clone());
    }
    if let Some(name) = &options.client_name {
        library = library.name(name);
    }
    if let Some(tls) = tls {
        library = library.tls_client_config(tls).require_tls(true);
    }
    library
}

/// Moves a subscription's messages from the library's queue, which does not say what it drops, to
/// ours, which does.
struct Pump {
    subscriber: Subscriber,
    inlet: Inlet,
}

impl Pump {
    async fn run(mut self) {
        poll_fn(|cx| self.poll(cx)).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(received) = std::task::ready!(Pin::new(&mut self.subscriber).poll_next(cx)) {
            if self.inlet.push(message(received)) == Err(Gone) {
                break;
            }
        }
        Poll::Ready(())
    }
}

fn message(received: async_nats::Message) -> Message {
    Message {
        subject: Subject(received.subject),
        reply: received.reply.map(Subject),
        payload: received.payload,
    }
}

/// An error with its causes, joined by colons.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
