//! What the router tells Loggregator: a metron that only listens.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::eventually::eventually;

/// A UDP port that collects envelopes. Ends when dropped.
#[derive(Debug)]
pub struct Metron {
    port: u16,
    datagrams: Arc<Mutex<Vec<Vec<u8>>>>,
}

/// A message in protobuf's encoding, by the numbers of its fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(BTreeMap<u64, Vec<Value>>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Number(u64),
    Fixed(u64),
    Bytes(Vec<u8>),
}

/// Types of events, as an envelope has them in field 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    /// A request.
    HttpStartStop = 4,
    /// A line of an application's log.
    LogMessage = 5,
    /// A number at a moment.
    ValueMetric = 6,
    /// How much a number has grown.
    CounterEvent = 7,
}

impl EventType {
    /// The envelope's field that holds such an event.
    fn field(self) -> u64 {
        match self {
            EventType::HttpStartStop => 7,
            EventType::LogMessage => 8,
            EventType::ValueMetric => 9,
            EventType::CounterEvent => 10,
        }
    }
}

impl Metron {
    /// Listens on a port of its own.
    ///
    /// # Panics
    /// When there is none.
    pub fn start() -> Metron {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = socket.local_addr().expect("a bound socket").port();
        let datagrams = Arc::new(Mutex::new(Vec::new()));
        // Only the thread's end of it is strong: the test's end decides how long it goes on.
        let collected = Arc::downgrade(&datagrams);
        thread::spawn(move || {
            let mut buffer = vec![0; 65_536];
            while let Ok(length) = socket.recv(&mut buffer) {
                let Some(collected) = collected.upgrade() else {
                    return;
                };
                // Nothing more: what comes meanwhile has to fit in the socket's buffer.
                collected
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(buffer[..length].to_vec());
            }
        });
        Metron { port, datagrams }
    }

    /// Its address.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The envelopes with such an event, oldest first.
    ///
    /// # Panics
    /// When something other than an envelope has come.
    pub fn envelopes(&self, event: EventType) -> Vec<Fields> {
        let datagrams = self
            .datagrams
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let envelopes = datagrams.iter().map(|datagram| {
            let envelope = Fields::read(datagram).expect("an envelope");
            assert_eq!(
                envelope.count(1),
                1,
                "one envelope a datagram: {envelope:?}"
            );
            envelope
        });
        let fits = |envelope: &Fields| envelope.number(2) == Some(event as u64);
        envelopes.filter(fits).collect()
    }

    /// The events of this type, oldest first.
    pub fn events(&self, event: EventType) -> Vec<Fields> {
        let envelopes = self.envelopes(event);
        let inner = |envelope: &Fields| envelope.message(event.field());
        envelopes.iter().filter_map(inner).collect()
    }

    /// Waits until there are so many events of this type.
    #[track_caller]
    pub fn wait_for(&self, event: EventType, count: usize) -> Vec<Fields> {
        eventually(&format!("{count} events of type {event:?}"), || {
            let events = self.events(event);
            (events.len() >= count).then_some(events)
        })
    }

    /// What was told of a value so far.
    pub fn values(&self, name: &str) -> Vec<f64> {
        let events = self.events(EventType::ValueMetric);
        let named = events.iter().filter(|event| event.text(1) == name);
        named.filter_map(|event| event.double(2)).collect()
    }

    /// The growth of a counter so far, all events together; none when it was not told at all.
    pub fn counted(&self, name: &str) -> Option<u64> {
        let events = self.events(EventType::CounterEvent);
        let named = events.iter().filter(|event| event.text(1) == name);
        named
            .filter_map(|event| event.number(2))
            .reduce(|a, b| a + b)
    }
}

impl Drop for Metron {
    fn drop(&mut self) {
        // Wakes the thread, which then finds nobody to collect for.
        drop(std::mem::take(&mut self.datagrams));
        if let Ok(socket) = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)) {
            drop(socket.send_to(&[], (Ipv4Addr::LOCALHOST, self.port)));
        }
    }
}

impl Fields {
    fn read(mut bytes: &[u8]) -> Option<Fields> {
        let mut fields = Fields::default();
        while !bytes.is_empty() {
            let key = varint(&mut bytes)?;
            let value = match key & 7 {
                0 => Value::Number(varint(&mut bytes)?),
                1 => {
                    let (value, rest) = bytes.split_first_chunk::<8>()?;
                    bytes = rest;
                    Value::Fixed(u64::from_le_bytes(*value))
                }
                2 => {
                    let length = usize::try_from(varint(&mut bytes)?).ok()?;
                    let (value, rest) = bytes.split_at_checked(length)?;
                    bytes = rest;
                    Value::Bytes(value.to_vec())
                }
                _ => return None,
            };
            fields.0.entry(key >> 3).or_default().push(value);
        }
        Some(fields)
    }

    /// How often the field is there.
    fn count(&self, field: u64) -> usize {
        self.0.get(&field).map_or(0, Vec::len)
    }

    /// A number, when the field is there.
    pub fn number(&self, field: u64) -> Option<u64> {
        match self.0.get(&field)?.first()? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// A number with a fraction, when the field is there.
    pub fn double(&self, field: u64) -> Option<f64> {
        match self.0.get(&field)?.first()? {
            Value::Fixed(bits) => Some(f64::from_bits(*bits)),
            _ => None,
        }
    }

    /// A text; empty when the field is not there.
    pub fn text(&self, field: u64) -> String {
        self.texts(field).into_iter().next().unwrap_or_default()
    }

    /// The texts of a field that may be there more than once.
    pub fn texts(&self, field: u64) -> Vec<String> {
        let values = self.bytes(field);
        values
            .map(|value| String::from_utf8_lossy(value).into_owned())
            .collect()
    }

    /// A message, when the field is there.
    pub fn message(&self, field: u64) -> Option<Fields> {
        self.bytes(field).next().and_then(Fields::read)
    }

    /// An envelope's tags.
    pub fn tags(&self) -> BTreeMap<String, String> {
        let tags = self.bytes(17).filter_map(Fields::read);
        tags.map(|tag| (tag.text(1), tag.text(2))).collect()
    }

    fn bytes(&self, field: u64) -> impl Iterator<Item = &[u8]> {
        let values = self.0.get(&field).into_iter().flatten();
        values.filter_map(|value| match value {
            Value::Bytes(bytes) => Some(bytes.as_slice()),
            _ => None,
        })
    }
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_by_field() {
        let fields =
            Fields::read(b"\x08\x96\x01\x12\x01a\x12\x01b\x19\0\0\0\0\0\0\xf8\x3f").unwrap();
        assert_eq!(fields.number(1), Some(150));
        assert_eq!(fields.texts(2), ["a", "b"]);
        assert_eq!(fields.double(3), Some(1.5));
        assert_eq!((fields.number(4), fields.text(4)), (None, String::new()));
        assert_eq!(Fields::read(b"\x12\x05a"), None);
    }
}
