//! The bounded queue between the bus and one subscriber.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;

use crate::message::Message;
use crate::status::Board;
use crate::task::OwnedTask;

/// After so many messages without a pause a subscriber lets other tasks of its thread run. tokio's
/// own budget of 128 is too small: a connection hands over thousands in one turn, and with 128 a
/// turn the subscriber would lose although the thread has time to spare.
const MESSAGES_A_TURN: u32 = 1024;

/// How much may wait for one subscriber; what comes on top is dropped and counted.
///
/// The default is GoRouter's: 131072 messages and 128 MiB of payload (http-router 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingLimits {
    /// Messages.
    pub messages: u64,
    /// Bytes of payload.
    pub bytes: u64,
}

impl Default for PendingLimits {
    fn default() -> PendingLimits {
        PendingLimits {
            messages: 131_072,
            bytes: 131_072 * 1024,
        }
    }
}

/// The messages that a subscriber receives. Dropping it ends the subscription.
#[derive(Debug)]
pub struct Subscription {
    receiver: mpsc::UnboundedReceiver<Message>,
    depth: Arc<Depth>,
    taken_in_turn: u32,
    /// Brings the messages, where they do not come by themselves.
    source: Option<OwnedTask>,
}

impl Subscription {
    /// The next message; `None` once the bus is closed and nothing waits any more.
    ///
    /// Safe to cancel: no message is lost. It sleeps only when nothing waits, but it lets other
    /// tasks run every 1024 messages.
    pub async fn next(&mut self) -> Option<Message> {
        if self.taken_in_turn >= MESSAGES_A_TURN {
            self.taken_in_turn = 0;
            tokio::task::yield_now().await;
        }
        if let Some(message) = self.try_next() {
            self.taken_in_turn += 1;
            return Some(message);
        }
        self.taken_in_turn = 0;
        let message = self.receiver.recv().await?;
        self.depth.leave(&message);
        Some(message)
    }

    /// The next message if one waits, at once: for taking all that is there after [`next`].
    ///
    /// [`next`]: Subscription::next
    pub fn try_next(&mut self) -> Option<Message> {
        let message = self.receiver.try_recv().ok()?;
        self.depth.leave(&message);
        Some(message)
    }

    /// Messages that wait now.
    pub fn pending(&self) -> u64 {
        self.depth.messages()
    }

    /// The same subscription, fed by `source`, which ends with it.
    pub(crate) fn fed_by(mut self, source: OwnedTask) -> Subscription {
        self.source = Some(source);
        self
    }
}

impl Drop for Subscription {
    /// Counts out what nobody will take any more.
    fn drop(&mut self) {
        self.receiver.close();
        while self.try_next().is_some() {}
    }
}

/// The other end of a [`Subscription`]. When it is dropped the subscription ends.
#[derive(Debug)]
pub(crate) struct Inlet {
    sender: mpsc::UnboundedSender<Message>,
    depth: Arc<Depth>,
    limits: PendingLimits,
    board: Arc<Board>,
}

/// What an [`Inlet`] says when the subscription is gone.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Gone;

pub(crate) fn queue(limits: PendingLimits, board: &Arc<Board>) -> (Inlet, Subscription) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let depth = Arc::new(Depth::default());
    board.include(&depth);
    let inlet = Inlet {
        sender,
        depth: Arc::clone(&depth),
        limits,
        board: Arc::clone(board),
    };
    let subscription = Subscription {
        receiver,
        depth,
        taken_in_turn: 0,
        source: None,
    };
    (inlet, subscription)
}

impl Inlet {
    /// Takes a message, or drops and counts it when too much waits already.
    pub(crate) fn push(&self, message: Message) -> Result<(), Gone> {
        if self.is_gone() {
            return Err(Gone);
        }
        if !self.depth.enter(&message, self.limits) {
            self.board.count_dropped();
            return Ok(());
        }
        self.sender.send(message).map_err(|refused| {
            self.depth.leave(&refused.0);
            Gone
        })
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.sender.is_closed()
    }
}

/// How much waits in one queue.
#[derive(Debug, Default)]
pub(crate) struct Depth {
    messages: AtomicU64,
    bytes: AtomicU64,
}

impl Depth {
    pub(crate) fn messages(&self) -> u64 {
        self.messages.load(Ordering::Relaxed)
    }

    /// Counts a message in, unless that would exceed a limit.
    fn enter(&self, message: &Message, limits: PendingLimits) -> bool {
        let size = message.payload.len() as u64;
        let messages = self.messages.fetch_add(1, Ordering::Relaxed);
        let bytes = self.bytes.fetch_add(size, Ordering::Relaxed);
        let fits = messages < limits.messages && bytes + size <= limits.bytes;
        if !fits {
            self.leave(message);
        }
        fits
    }

    fn leave(&self, message: &Message) {
        self.messages.fetch_sub(1, Ordering::Relaxed);
        self.bytes
            .fetch_sub(message.payload.len() as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{Stats, Status};
    use bytes::Bytes;

    fn board() -> Arc<Board> {
        Board::new(Status::Disconnected)
    }

    fn message(size: usize) -> Message {
        Message {
            subject: "a".into(),
            reply: None,
            payload: Bytes::from(vec![0; size]),
        }
    }

    #[test]
    fn bytes_are_limited_as_well_as_messages() {
        let board = board();
        let limits = PendingLimits {
            messages: 3,
            bytes: 100,
        };
        let (inlet, mut subscription) = queue(limits, &board);
        for size in [60, 60, 40, 0, 0] {
            assert_eq!(inlet.push(message(size)), Ok(()));
        }
        assert_eq!(
            board.stats(),
            Stats {
                pending: 3,
                dropped: 2
            }
        );
        let taken: Vec<usize> = std::iter::from_fn(|| subscription.try_next())
            .map(|message| message.payload.len())
            .collect();
        assert_eq!(taken, [60, 40, 0]);
        assert_eq!(inlet.push(message(100)), Ok(()));
        assert_eq!(subscription.pending(), 1);
    }

    #[test]
    fn a_dropped_subscription_is_noticed_and_not_counted() {
        let board = board();
        let (inlet, subscription) = queue(PendingLimits::default(), &board);
        assert_eq!(inlet.push(message(1)), Ok(()));
        drop(subscription);
        assert_eq!(inlet.push(message(1)), Err(Gone));
        assert_eq!(board.stats(), Stats::default());
    }
}
