//! The bus inside one process: a list of subscriptions and nothing else.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;

use crate::error::BusError;
use crate::message::{Message, Subject};
use crate::queue::{Inlet, PendingLimits, Subscription, queue};
use crate::status::{Board, Health, Status};
use crate::subject::Pattern;
use crate::task::OwnedTask;

/// What [`Status::Connected`] names as the host.
const HOST: &str = "in-process";

#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) board: Arc<Board>,
    subscriptions: RwLock<Vec<(Pattern, Inlet)>>,
    limits: PendingLimits,
    inboxes: AtomicU64,
    _drop_reports: OwnedTask,
}

/// Who was there for a message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Listeners {
    Some,
    None,
}

impl Hub {
    pub(crate) fn new(limits: PendingLimits) -> Hub {
        let board = Board::new(Status::Connected {
            host: HOST.to_owned(),
            addr: None,
        });
        Hub {
            subscriptions: RwLock::default(),
            limits,
            inboxes: AtomicU64::new(0),
            _drop_reports: OwnedTask::spawn(Arc::clone(&board).report_drops()),
            board,
        }
    }

    pub(crate) fn subscribe(&self, pattern: Pattern) -> Result<Subscription, BusError> {
        let mut subscriptions = self
            .subscriptions
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that nothing is added behind the back of `close`.
        self.still_open()?;
        subscriptions.retain(|(_, inlet)| !inlet.is_gone());
        let (inlet, subscription) = queue(self.limits, &self.board);
        subscriptions.push((pattern, inlet));
        Ok(subscription)
    }

    pub(crate) fn publish(&self, message: &Message) -> Result<(), BusError> {
        self.deliver(message).map(|_| ())
    }

    pub(crate) async fn request(
        &self,
        subject: Subject,
        payload: Bytes,
        limit: Duration,
    ) -> Result<Message, BusError> {
        let number = self.inboxes.fetch_add(1, Ordering::Relaxed);
        let inbox = format!("_INBOX.{number}");
        let mut answers = self.subscribe(Pattern::parse(&inbox)?)?;
        let message = Message {
            subject,
            reply: Some(inbox.as_str().into()),
            payload,
        };
        if self.deliver(&message)? == Listeners::None {
            return Err(BusError::NoResponders(message.subject.to_string()));
        }
        match tokio::time::timeout(limit, answers.next()).await {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(BusError::Closed),
            Err(_) => Err(BusError::TimedOut {
                subject: message.subject.to_string(),
                limit,
            }),
        }
    }

    pub(crate) fn close(&self) {
        let mut subscriptions = self
            .subscriptions
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        self.board.tell(Status::Closed);
        subscriptions.clear();
    }

    fn deliver(&self, message: &Message) -> Result<Listeners, BusError> {
        self.still_open()?;
        let subscriptions = self
            .subscriptions
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let mut listeners = Listeners::None;
        for (pattern, inlet) in &*subscriptions {
            if pattern.matches(&message.subject) && inlet.push(message.clone()).is_ok() {
                listeners = Listeners::Some;
            }
        }
        Ok(listeners)
    }

    fn still_open(&self) -> Result<(), BusError> {
        match self.board.health() {
            Health::Closed => Err(BusError::Closed),
            Health::Connected | Health::Disconnected => Ok(()),
        }
    }
}
