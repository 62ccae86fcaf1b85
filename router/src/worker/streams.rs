//! What a connection of HTTP/2 carries, as far as the end of the router depends on it.
//!
//! A drain waits for requests and not for tunnels. A connection that carries both is busy; with tunnels alone it is upgraded,
//! as one of HTTP/1.1 is that has become a tunnel.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::handover::{Handover, Upgrade};

/// The streams of one connection.
#[derive(Debug)]
pub struct Streams {
    handover: Handover,
    open: Cell<usize>,
    tunnels: Cell<usize>,
    /// Held while all of them are tunnels.
    upgrade: RefCell<Option<Upgrade>>,
}

/// Counts a stream for as long as it is served.
#[derive(Debug)]
pub struct OpenStream(Rc<Streams>);

/// Counts a stream as a tunnel for as long as it is one.
#[derive(Debug)]
pub struct UpgradedStream(Rc<Streams>);

/// Counts a tunnel, whatever carries it.
#[derive(Debug)]
pub enum Upgraded {
    /// A connection of its own.
    Connection(Upgrade),
    /// A stream.
    Stream(UpgradedStream),
}

impl Streams {
    /// None yet, on a connection that counts in `handover`.
    pub fn new(handover: &Handover) -> Rc<Streams> {
        Rc::new(Streams {
            handover: handover.clone(),
            open: Cell::new(0),
            tunnels: Cell::new(0),
            upgrade: RefCell::default(),
        })
    }

    /// How many are served.
    pub fn open(&self) -> usize {
        self.open.get()
    }

    /// One more.
    pub fn begin(self: &Rc<Self>) -> OpenStream {
        self.open.set(self.open.get() + 1);
        self.settle();
        OpenStream(Rc::clone(self))
    }

    /// One of them has become a tunnel.
    pub fn upgrade(self: &Rc<Self>) -> UpgradedStream {
        self.tunnels.set(self.tunnels.get() + 1);
        self.settle();
        UpgradedStream(Rc::clone(self))
    }

    fn settle(&self) {
        let upgraded = self.tunnels.get() > 0 && self.tunnels.get() == self.open.get();
        let mut upgrade = self.upgrade.borrow_mut();
        if upgraded != upgrade.is_some() {
            *upgrade = upgraded.then(|| self.handover.upgrade());
        }
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
        self.0.settle();
    }
}

impl Drop for UpgradedStream {
    fn drop(&mut self) {
        self.0.tunnels.set(self.0.tunnels.get() - 1);
        self.0.settle();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::handovers;

    #[test]
    fn a_connection_is_upgraded_while_all_its_streams_are_tunnels() {
        let (handover, _inbox) = handovers(1).remove(0);
        let streams = Streams::new(&handover);
        let one = streams.begin();
        assert_eq!(handover.upgraded(), 0);
        let tunnel = streams.upgrade();
        assert_eq!(handover.upgraded(), 1);
        let others = [streams.begin(), streams.begin()];
        assert_eq!(handover.upgraded(), 0);
        let more = [streams.upgrade(), streams.upgrade()];
        assert_eq!(
            handover.upgraded(),
            1,
            "one connection, however many tunnels"
        );
        drop((more, others));
        assert_eq!(handover.upgraded(), 1);
        drop((tunnel, one));
        assert_eq!((handover.upgraded(), streams.open()), (0, 0));
    }
}
