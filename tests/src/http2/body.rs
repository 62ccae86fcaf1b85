//! The two directions of a stream.

use std::future::poll_fn;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::runtime::{wait, within};

/// How a stream ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// By RST_STREAM.
    Reset(Reason),
    /// By GOAWAY.
    GoneAway(Reason),
    /// With the connection.
    Lost,
}

/// What the other side sends.
#[derive(Debug)]
pub struct Incoming {
    stream: RecvStream,
    unread: BytesMut,
}

/// What goes to the other side.
#[derive(Debug)]
pub struct Outgoing {
    stream: SendStream<Bytes>,
}

impl From<h2::Error> for Broken {
    fn from(error: h2::Error) -> Broken {
        match error.reason() {
            Some(reason) if error.is_reset() => Broken::Reset(reason),
            Some(reason) if error.is_go_away() => Broken::GoneAway(reason),
            _ => Broken::Lost,
        }
    }
}

impl Incoming {
    pub(super) fn new(stream: RecvStream) -> Incoming {
        Incoming {
            stream,
            unread: BytesMut::new(),
        }
    }

    /// The next piece of the body, and none at its end.
    ///
    /// # Errors
    /// How the stream ended.
    pub fn piece(&mut self) -> Result<Option<Bytes>, Broken> {
        if !self.unread.is_empty() {
            return Ok(Some(self.unread.split().freeze()));
        }
        match wait("a piece of a body", self.stream.data()) {
            None => Ok(None),
            Some(piece) => {
                let piece = piece?;
                // Fails for a stream that is gone, where it does not matter.
                self.stream
                    .flow_control()
                    .release_capacity(piece.len())
                    .ok();
                Ok(Some(piece))
            }
        }
    }

    /// Exactly so many bytes.
    ///
    /// # Errors
    /// How the stream ended before; an end in order is [`Broken::Lost`].
    pub fn exactly(&mut self, count: usize) -> Result<Vec<u8>, Broken> {
        while self.unread.len() < count {
            let unread = self.unread.split();
            let piece = self.piece()?.ok_or(Broken::Lost)?;
            self.unread = unread;
            self.unread.extend_from_slice(&piece);
        }
        Ok(self.unread.split_to(count).to_vec())
    }

    /// Whether nothing comes and nothing ends within `time`.
    pub fn is_silent(&mut self, time: Duration) -> bool {
        self.unread.is_empty() && within(time, self.stream.data()).is_none()
    }

    /// The trailers; empty where there are none.
    ///
    /// # Errors
    /// How the stream ended.
    pub fn trailers(&mut self) -> Result<HeaderMap, Broken> {
        let trailers = wait("trailers", poll_fn(|cx| self.stream.poll_trailers(cx)))?;
        Ok(trailers.unwrap_or_default())
    }

    /// All that comes, the trailers, and how it ends.
    pub fn rest(&mut self) -> (Vec<u8>, HeaderMap, Result<(), Broken>) {
        let mut body = Vec::new();
        loop {
            match self.piece() {
                Ok(Some(piece)) => body.extend_from_slice(&piece),
                Ok(None) => break,
                Err(broken) => return (body, HeaderMap::new(), Err(broken)),
            }
        }
        match self.trailers() {
            Ok(trailers) => (body, trailers, Ok(())),
            Err(broken) => (body, HeaderMap::new(), Err(broken)),
        }
    }
}

impl Outgoing {
    pub(super) fn new(stream: SendStream<Bytes>) -> Outgoing {
        Outgoing { stream }
    }

    /// Sends all of it, as the other side's windows allow.
    ///
    /// # Errors
    /// How the stream ended before.
    pub fn send(&mut self, bytes: impl Into<Bytes>) -> Result<(), Broken> {
        let mut bytes = bytes.into();
        while !bytes.is_empty() {
            let room = wait("room to send", room(&mut self.stream, bytes.len()))?;
            let piece = bytes.split_to(room.min(bytes.len()));
            self.stream.send_data(piece, false)?;
        }
        Ok(())
    }

    /// Sends so much of it as the other side takes within `time`, and says how much that was.
    pub fn send_within(&mut self, bytes: impl Into<Bytes>, time: Duration) -> usize {
        let mut bytes = bytes.into();
        let all = bytes.len();
        while !bytes.is_empty() {
            let Some(Ok(room)) = within(time, room(&mut self.stream, bytes.len())) else {
                break;
            };
            let piece = bytes.split_to(room.min(bytes.len()));
            if self.stream.send_data(piece, false).is_err() {
                break;
            }
        }
        all - bytes.len()
    }

    /// Says that nothing follows.
    ///
    /// # Errors
    /// When the stream is gone.
    pub fn end(&mut self) -> Result<(), Broken> {
        Ok(self.stream.send_data(Bytes::new(), true)?)
    }

    /// Ends with these trailers.
    ///
    /// # Errors
    /// When the stream is gone.
    ///
    /// # Panics
    /// When a field is none.
    pub fn trailers(&mut self, fields: &[(&str, &str)]) -> Result<(), Broken> {
        Ok(self.stream.send_trailers(map(fields))?)
    }

    /// Gives the stream up.
    pub fn reset(&mut self, reason: Reason) {
        self.stream.send_reset(reason);
    }

    /// Waits until the other side gives the stream up.
    ///
    /// # Errors
    /// When the connection ends in place of that.
    pub fn reset_by_peer(&mut self) -> Result<Reason, Broken> {
        Ok(wait("a reset", poll_fn(|cx| self.stream.poll_reset(cx)))?)
    }
}

/// Fields as a map.
#[track_caller]
pub(super) fn map(fields: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        map.append(
            HeaderName::from_bytes(name.as_bytes()).expect("a field's name"),
            HeaderValue::from_str(value).expect("a field's value"),
        );
    }
    map
}

/// How many of `wanted` bytes the other side takes now.
async fn room(stream: &mut SendStream<Bytes>, wanted: usize) -> Result<usize, Broken> {
    stream.reserve_capacity(wanted);
    loop {
        let room = stream.capacity();
        if room > 0 {
            return Ok(room);
        }
        match poll_fn(|cx| stream.poll_capacity(cx)).await {
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(error.into()),
            None => {
                let reset = poll_fn(|cx| stream.poll_reset(cx)).await;
                return Err(reset.map_or_else(Broken::from, Broken::Reset));
            }
        }
    }
}
