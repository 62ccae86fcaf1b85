//! What one exchange leaves behind for the access log.

use std::net::SocketAddr;

use super::aside::{Aside, pairs};

/// Raw values of one exchange; formatting happens on the log's own thread.
///
/// Made once and used again for the next exchange: after [`clear`](Record::clear) its memory stays, so a warm record
/// allocates nothing.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Everything of fixed size.
    pub entry: Entry,
    pieces: Pieces,
    text: Vec<u8>,
    extra: Vec<Option<Piece>>,
    aside: Aside,
}

/// The part of a record that has a fixed size.
#[derive(Clone, Copy, Debug, Default)]
pub struct Entry {
    /// When the request arrived, in nanoseconds since the Unix epoch.
    pub received_unix_ns: u64,
    /// Status of the final response; 0 shows as `"-"`.
    pub status: u16,
    /// Body bytes read from the client.
    pub request_bytes: u64,
    /// Body bytes sent to the client.
    pub response_bytes: u64,
    /// From the arrival of the request to the end of the exchange, in nanoseconds.
    pub response_time_ns: u64,
    /// The part of it that the router itself took, in nanoseconds; 0 when no endpoint was involved.
    pub gorouter_time_ns: u64,
    /// From the choice of the first endpoint to the end of the exchange, in nanoseconds; 0 when no endpoint was involved.
    pub proxied_ns: u64,
    /// Looking the route up, in nanoseconds; 0 when none was looked up, or nobody wants to know.
    pub lookup_ns: u64,
    /// The client as the request shows it: the TCP peer, or what the PROXY protocol said.
    pub peer: Option<SocketAddr>,
    /// Whether the client speaks TLS with us.
    pub secure: bool,
    /// Nobody was asked: the endpoint is the one that would have been.
    pub unasked: bool,
    /// What became of the attempts.
    pub attempts: Attempts,
}

/// Details of the attempts; `None` shows as `"-"`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attempts {
    /// Number of failed attempts.
    pub failed: u32,
    /// From the arrival of the request to the last failure, in nanoseconds.
    pub failed_time_ns: Option<u64>,
    /// Name resolution of the successful attempt, in nanoseconds.
    pub dns_ns: Option<u64>,
    /// Connecting, in the successful attempt, in nanoseconds.
    pub dial_ns: Option<u64>,
    /// TLS handshake of the successful attempt, in nanoseconds.
    pub tls_ns: Option<u64>,
    /// The successful attempt as a whole, in nanoseconds.
    pub backend_ns: Option<u64>,
}

/// The texts of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// Host as sent, with its port.
    Host,
    /// Request method.
    Method,
    /// Path and query as sent, such as `/a?b`.
    Target,
    /// `HTTP/1.1`
    Protocol,
    /// `Referer`
    Referer,
    /// `User-Agent`
    UserAgent,
    /// `X-Forwarded-For` as sent to the backend, else as received.
    ForwardedFor,
    /// `X-Forwarded-Proto` as sent to the backend, else as received.
    ForwardedProto,
    /// `X-Vcap-Request-Id`
    RequestId,
    /// Address of the endpoint, `ip:port`.
    Endpoint,
    /// The endpoint's application.
    AppId,
    /// The endpoint's instance index.
    AppIndex,
    /// The endpoint's instance id.
    InstanceId,
    /// `X-Cf-RouterError`
    RouterError,
    /// Our own address towards the endpoint, `ip:port`.
    LocalAddress,
    /// The application that calls.
    CallerApp,
    /// Its organization.
    CallerOrg,
    /// Its space.
    CallerSpace,
    /// The rule that let the caller in or kept it out.
    RoutePolicy,
    /// The name that the client asked for in its TLS handshake.
    ServerName,
}

const TEXTS: usize = Text::ServerName as usize + 1;

/// Where each text stands.
pub(super) type Pieces = [Piece; TEXTS];

/// A stretch of the record's text.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Piece {
    start: u32,
    length: u32,
}

impl Piece {
    fn of(self, text: &[u8]) -> &[u8] {
        let start = self.start as usize;
        text.get(start..start + self.length as usize)
            .unwrap_or_default()
    }
}

impl Record {
    /// Makes it ready for the next exchange; its memory stays.
    pub fn clear(&mut self) {
        self.entry = Entry::default();
        self.pieces = Pieces::default();
        self.text.clear();
        self.extra.clear();
        self.aside.clear();
    }

    /// Sets a text; what was set before no longer counts. An empty one shows as `"-"`.
    #[inline]
    pub fn set(&mut self, which: Text, value: &[u8]) {
        self.pieces[which as usize] = self.keep(value);
    }

    /// Sets several texts that stand behind each other in `whole`; each ends where its number in `ends` says.
    #[inline]
    pub fn set_parts<const N: usize>(&mut self, whole: &[u8], which: [Text; N], ends: [usize; N]) {
        let Piece { start, length } = self.keep(whole);
        let mut from = 0;
        for (which, end) in which.into_iter().zip(ends) {
            // What did not fit is left out as a whole.
            let to = u32::try_from(end).unwrap_or(u32::MAX).min(length);
            self.pieces[which as usize] = Piece {
                start: start + from,
                length: to.saturating_sub(from),
            };
            from = to;
        }
    }

    /// A text, empty when it was not set.
    pub fn get(&self, which: Text) -> &[u8] {
        self.pieces[which as usize].of(&self.text)
    }

    /// Adds the value of the next extra header, in the order of [`LogSettings::extra_headers`]; `None` when the request
    /// does not have it.
    ///
    /// [`LogSettings::extra_headers`]: super::access_log::LogSettings::extra_headers
    pub fn push_extra(&mut self, value: Option<&[u8]>) {
        let piece = value.map(|value| self.keep(value));
        self.extra.push(piece);
    }

    /// Replaces the value of the extra header with this number.
    pub fn set_extra(&mut self, number: usize, value: Option<&[u8]>) {
        let piece = value.map(|value| self.keep(value));
        if let Some(extra) = self.extra.get_mut(number) {
            *extra = piece;
        }
    }

    /// Keeps the endpoint's tags, in place of all that was kept of tags and trace.
    pub fn set_tags<'a>(&mut self, tags: impl Iterator<Item = (&'a str, &'a str)>) {
        self.aside.set_tags(tags);
    }

    /// Keeps the ids under which the request is traced.
    pub fn set_trace(&mut self, trace: &str, span: &str) {
        self.aside.set_trace(trace, span);
    }

    pub(super) fn view(&self) -> View<'_> {
        View {
            entry: &self.entry,
            pieces: &self.pieces,
            text: &self.text,
            extra: &self.extra,
            aside: self.aside.text(),
            tags: self.aside.tags(),
        }
    }

    #[inline]
    fn keep(&mut self, value: &[u8]) -> Piece {
        let start = self.text.len();
        self.text.extend_from_slice(value);
        self.piece(start)
    }

    /// All text from `start` on.
    #[inline]
    fn piece(&self, start: usize) -> Piece {
        // A head is a few MiB at most; what would not fit is left out rather than shown wrong.
        match (u32::try_from(start), u32::try_from(self.text.len() - start)) {
            (Ok(start), Ok(length)) => Piece { start, length },
            _ => Piece::default(),
        }
    }
}

/// A record wherever its parts are kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub(super) entry: &'a Entry,
    pub(super) pieces: &'a Pieces,
    pub(super) text: &'a [u8],
    pub(super) extra: &'a [Option<Piece>],
    /// What no line shows, and where the tags in it end.
    pub(super) aside: &'a [u8],
    pub(super) tags: usize,
}

impl<'a> View<'a> {
    pub(super) fn get(&self, which: Text) -> &'a [u8] {
        self.pieces[which as usize].of(self.text)
    }

    /// When the exchange had ended, in nanoseconds since the Unix epoch.
    pub(super) fn ended_unix_ns(&self) -> u64 {
        let entry = self.entry;
        entry
            .received_unix_ns
            .saturating_add(entry.response_time_ns)
    }

    /// The endpoint's tags, name and value.
    pub(super) fn tags(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        pairs(self.aside.get(..self.tags).unwrap_or_default())
    }

    /// The same, and behind them the ids of trace and span.
    pub(super) fn tags_and_trace(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        pairs(self.aside)
    }

    /// What a line shows of it, as a record of its own.
    pub(super) fn to_record(self) -> Record {
        Record {
            entry: *self.entry,
            pieces: *self.pieces,
            text: self.text.to_vec(),
            extra: self.extra.to_vec(),
            aside: Aside::default(),
        }
    }

    /// The extra header with this number, empty when it is absent.
    pub(super) fn extra(&self, number: usize) -> &'a [u8] {
        let piece = self.extra.get(number).copied().flatten();
        piece.map(|piece| piece.of(self.text)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_come_out_as_they_went_in() {
        let mut record = Record::default();
        assert_eq!(record.view().tags().count(), 0);
        record.set(Text::Host, b"a.test");
        record.set_trace("7", "8");
        record.set_tags([("a", "1"), ("b\0", "x"), ("", "2"), ("c", "")].into_iter());
        let pair =
            |(name, value): (&'static str, &'static str)| (name.as_bytes(), value.as_bytes());
        let tags = [("a", "1"), ("b\0", "x"), ("", "2"), ("c", "")].map(pair);
        assert_eq!(record.view().tags_and_trace().collect::<Vec<_>>(), tags);
        for ids in ["6", "77"] {
            record.set_trace(ids, "8");
        }
        let view = record.view();
        assert_eq!(view.tags().collect::<Vec<_>>(), tags);
        let all: Vec<_> = view.tags_and_trace().collect();
        let trace = [("trace_id", "77"), ("span_id", "8")].map(pair);
        assert_eq!(all, [&tags[..], &trace].concat());
        let copy = view.to_record();
        assert_eq!(copy.get(Text::Host), b"a.test");
        record.clear();
        assert_eq!(record.view().tags_and_trace().count(), 0);
    }

    #[test]
    fn the_last_value_set_wins_and_clearing_forgets_it() {
        let mut record = Record::default();
        record.set(Text::Host, b"a.test");
        record.set(Text::AppId, b"app");
        record.set(Text::Host, b"b.test");
        assert_eq!(record.get(Text::Host), b"b.test");
        assert_eq!(record.get(Text::AppId), b"app");
        assert_eq!(record.get(Text::LocalAddress), b"");
        record.clear();
        assert_eq!(record.get(Text::Host), b"");
    }

    #[test]
    fn parts_of_one_piece_are_texts_of_their_own() {
        let mut record = Record::default();
        record.set(Text::Host, b"a.test");
        let which = [Text::Endpoint, Text::AppId, Text::InstanceId];
        record.set_parts(b"10.0.0.1:80app", which, [11, 14, 14]);
        assert_eq!(record.get(Text::Endpoint), b"10.0.0.1:80");
        assert_eq!(record.get(Text::AppId), b"app");
        assert_eq!(record.get(Text::InstanceId), b"");
        assert_eq!(record.get(Text::Host), b"a.test");
    }

    #[test]
    fn extra_headers_keep_their_order_and_their_gaps() {
        let mut record = Record::default();
        record.push_extra(Some(b"two"));
        record.push_extra(None);
        record.push_extra(Some(b"one"));
        let view = record.view();
        assert_eq!(
            [view.extra(0), view.extra(1), view.extra(2), view.extra(3)],
            [&b"two"[..], b"", b"one", b""]
        );
    }

    #[test]
    fn a_warm_record_does_not_allocate() {
        let mut record = Record::default();
        record.set(Text::Target, &[b'a'; 500]);
        record.push_extra(Some(b"x"));
        let (text, extra) = (record.text.as_ptr(), record.extra.as_ptr());
        record.clear();
        record.set(Text::Target, &[b'b'; 400]);
        record.push_extra(None);
        assert_eq!((record.text.as_ptr(), record.extra.as_ptr()), (text, extra));
    }
}
