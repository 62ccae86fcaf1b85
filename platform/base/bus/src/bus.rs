//! The bus, whichever kind it is.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::error::{BusError, ConnectError};
use crate::in_process::Hub;
use crate::message::{Message, Subject};
use crate::nats::{Connection, NatsOptions, NatsTls};
use crate::queue::{PendingLimits, Subscription};
use crate::status::{Board, Health, Stats, StatusEvents};
use crate::subject::{self, Pattern};

/// A connection to the message bus. Clones share it; it ends with the last of them.
#[derive(Clone, Debug)]
pub struct Bus(Kind);

#[derive(Clone, Debug)]
enum Kind {
    InProcess(Arc<Hub>),
    Nats(Arc<Connection>),
}

impl Bus {
    /// A bus among those who hold clones of it.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, on which it reports dropped messages.
    pub fn in_process(limits: PendingLimits) -> Bus {
        Bus(Kind::InProcess(Arc::new(Hub::new(limits))))
    }

    /// Connects to the first of the NATS servers that will have us, in random order. Once this has
    /// succeeded, a lost connection is renewed without end.
    ///
    /// # Errors
    ///
    /// [`ConnectError::Unreachable`] when each server was tried [`NatsOptions::start_tries`] times
    /// the others when the options cannot be used.
    pub async fn connect(options: NatsOptions) -> Result<Bus, ConnectError> {
        let connection = Connection::start(options).await?;
        Ok(Bus(Kind::Nats(Arc::new(connection))))
    }

    /// Shows servers another identity and trusts other authorities, from the next handshake on. Without TLS, and in the
    /// process, nothing changes.
    ///
    /// # Errors
    ///
    /// [`ConnectError::Tls`] when they cannot be used; those of before stay then.
    pub fn renew_tls(&self, tls: &NatsTls) -> Result<(), ConnectError> {
        match &self.0 {
            Kind::InProcess(_) => Ok(()),
            Kind::Nats(connection) => connection.renew_tls(tls),
        }
    }

    /// Subscribes to a pattern: `*` stands for one word, `>` at the end for one or more.
    ///
    /// Over NATS the server learns of it before it learns of anything that is published through
    /// this bus afterwards; [`flush`](Self::flush) waits until it has.
    ///
    /// # Errors
    ///
    /// [`BusError::Subject`], [`BusError::Closed`], or [`BusError::TimedOut`] when the connection
    /// is down and too much waits for it.
    pub async fn subscribe(&self, pattern: &str) -> Result<Subscription, BusError> {
        let pattern = Pattern::parse(pattern)?;
        match &self.0 {
            Kind::InProcess(hub) => hub.subscribe(pattern),
            Kind::Nats(connection) => connection.subscribe(&pattern).await,
        }
    }

    /// Publishes a message.
    ///
    /// While the NATS connection is down, some 2000 messages are kept for later; then this waits a
    /// few seconds and gives up.
    ///
    /// # Errors
    ///
    /// [`BusError::Subject`], [`BusError::TooLarge`], [`BusError::Closed`] or
    /// [`BusError::TimedOut`].
    pub async fn publish(&self, subject: &str, payload: impl Into<Bytes>) -> Result<(), BusError> {
        self.send(subject, None, payload.into()).await
    }

    /// Publishes a message that says where answers are expected.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    pub async fn publish_with_reply(
        &self,
        subject: &str,
        reply: &str,
        payload: impl Into<Bytes>,
    ) -> Result<(), BusError> {
        subject::check(reply)?;
        self.send(subject, Some(reply.into()), payload.into()).await
    }

    /// Publishes a message and waits for the first answer, at most for `limit`.
    ///
    /// # Errors
    ///
    /// [`BusError::NoResponders`] at once when nobody listens, [`BusError::TimedOut`], and as
    /// [`publish`](Self::publish).
    pub async fn request(
        &self,
        subject: &str,
        payload: impl Into<Bytes>,
        limit: Duration,
    ) -> Result<Message, BusError> {
        subject::check(subject)?;
        let (subject, payload) = (Subject::from(subject), payload.into());
        match &self.0 {
            Kind::InProcess(hub) => hub.request(subject, payload, limit).await,
            Kind::Nats(connection) => connection.request(subject, payload, limit).await,
        }
    }

    /// Waits until the server has handled all that was sent before: a round trip.
    ///
    /// # Errors
    ///
    /// [`BusError::TimedOut`] after `limit`, [`BusError::Closed`].
    pub async fn flush(&self, limit: Duration) -> Result<(), BusError> {
        match &self.0 {
            Kind::InProcess(_) => Ok(()),
            Kind::Nats(connection) => connection.flush(limit).await,
        }
    }

    /// What happens to the connection from now on, beginning with its state now.
    pub fn status(&self) -> StatusEvents {
        self.board().watch()
    }

    /// The state of the connection now.
    pub fn health(&self) -> Health {
        self.board().health()
    }

    /// Counters over all subscriptions.
    pub fn stats(&self) -> Stats {
        self.board().stats()
    }

    /// Sends what waits to be sent, a second or two at most, and closes the bus for every clone.
    /// Subscriptions end after the messages that they have.
    pub async fn close(&self) {
        match &self.0 {
            Kind::InProcess(hub) => hub.close(),
            Kind::Nats(connection) => connection.close().await,
        }
    }

    async fn send(
        &self,
        subject: &str,
        reply: Option<Subject>,
        payload: Bytes,
    ) -> Result<(), BusError> {
        subject::check(subject)?;
        let message = Message {
            subject: subject.into(),
            reply,
            payload,
        };
        match &self.0 {
            Kind::InProcess(hub) => hub.publish(&message),
            Kind::Nats(connection) => connection.publish(message).await,
        }
    }

    fn board(&self) -> &Board {
        match &self.0 {
            Kind::InProcess(hub) => &hub.board,
            Kind::Nats(connection) => connection.board(),
        }
    }
}
