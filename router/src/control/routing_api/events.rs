//! Server-sent events: bytes in, events out.
//!
//! The format is that of the HTML standard, section 9.2.6: fields a line, an empty line behind each event, lines that begin
//! with a colon are comments. Fields other than `event` and `data` are of no use here.

/// The longest line, and the most data of one event: far above any route.
const MOST: usize = 1024 * 1024;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    /// Its name.
    pub(super) name: String,
    /// Its data; several lines have line feeds between them.
    pub(super) data: Vec<u8>,
}

/// A line or an event that is longer than anybody sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event of more than {MOST} bytes")]
pub(super) struct TooLong;

/// Puts events together from the pieces in which they arrive.
#[derive(Debug, Default)]
pub(super) struct EventReader {
    line: Vec<u8>,
    event: Event,
    has_data: bool,
    /// The last line ended with a carriage return: a line feed behind it belongs to it.
    after_return: bool,
}

impl EventReader {
    /// Takes the next bytes and gives the events that they complete.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<Vec<Event>, TooLong> {
        let mut events = Vec::new();
        let mut rest = bytes;
        if std::mem::take(&mut self.after_return)
            && let [b'\n', behind @ ..] = rest
        {
            rest = behind;
        }
        while let Some(end) = memchr::memchr2(b'\n', b'\r', rest) {
            self.extend(&rest[..end])?;
            let line = std::mem::take(&mut self.line);
            events.extend(self.field(&line)?);
            // The memory is of use for the next line.
            self.line = line;
            self.line.clear();
            rest = match &rest[end..] {
                [b'\r', b'\n', behind @ ..] => behind,
                [b'\r'] => {
                    self.after_return = true;
                    &[]
                }
                all => &all[1..],
            };
        }
        self.extend(rest)?;
        Ok(events)
    }

    fn extend(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        if self.line.len() + bytes.len() > MOST {
            return Err(TooLong);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    /// Takes one line; gives the event that an empty one ends.
    fn field(&mut self, line: &[u8]) -> Result<Option<Event>, TooLong> {
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            let has_data = std::mem::take(&mut self.has_data);
            return Ok(has_data.then_some(event));
        }
        let (name, value) = match memchr::memchr(b':', line) {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &b""[..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"event" => self.event.name = String::from_utf8_lossy(value).into_owned(),
            b"data" => {
                let data = &mut self.event.data;
                if data.len() + value.len() >= MOST {
                    return Err(TooLong);
                }
                if self.has_data {
                    data.push(b'\n');
                }
                data.extend_from_slice(value);
                self.has_data = true;
            }
            _ => {}
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(name: &str, data: &str) -> Event {
        Event {
            name: name.to_owned(),
            data: data.as_bytes().to_vec(),
        }
    }

    fn read(text: &str) -> Vec<Event> {
        EventReader::default().read(text.as_bytes()).unwrap()
    }

    #[test]
    fn an_event_is_its_name_and_its_data() {
        let text = "id: 0\nevent: Upsert\ndata: {\"a\":1}\n\nid: 1\nevent: Delete\ndata: {}\n\n";
        assert_eq!(
            read(text),
            [event("Upsert", "{\"a\":1}"), event("Delete", "{}")]
        );
    }

    #[test]
    fn comments_unknown_fields_and_events_without_data_are_passed_over() {
        let text = ":\n: still here\nretry: 5\nnonsense\nevent: Upsert\n\ndata: x\n\n";
        assert_eq!(read(text), [event("", "x")]);
    }

    #[test]
    fn lines_of_data_are_joined_and_only_one_blank_is_cut() {
        assert_eq!(read("data:a\ndata:  b\ndata\n\n"), [event("", "a\n b\n")]);
    }

    #[test]
    fn an_event_is_not_over_before_its_empty_line() {
        let mut reader = EventReader::default();
        assert_eq!(reader.read(b"event: Upsert\ndata: x\n").unwrap(), []);
        assert_eq!(reader.read(b"\n").unwrap(), [event("Upsert", "x")]);
    }

    #[test]
    fn lines_and_events_without_end_are_refused() {
        let mut reader = EventReader::default();
        let long = vec![b'a'; MOST];
        assert_eq!(reader.read(&long), Ok(Vec::new()));
        assert_eq!(reader.read(b"a"), Err(TooLong));
        let mut reader = EventReader::default();
        let line = [b"data:", &long[..MOST / 2], b"\n"].concat();
        assert_eq!(reader.read(&line), Ok(Vec::new()));
        assert_eq!(reader.read(&line), Err(TooLong));
    }

    proptest! {
        #[test]
        fn pieces_and_kinds_of_line_ends_make_no_difference(
            events in proptest::collection::vec(("[A-Z][a-z]{0,6}", "[ -~]{1,20}"), 0..5),
            end in prop_oneof![Just("\n"), Just("\r\n"), Just("\r")],
            cuts in proptest::collection::vec(1_usize..9, 1..40),
        ) {
            let text: String = events
                .iter()
                .map(|(name, data)| format!("event:{name}{end}data: {data}{end}{end}"))
                .collect();
            let mut reader = EventReader::default();
            let mut got = Vec::new();
            let (mut rest, mut cuts) = (text.as_bytes(), cuts.into_iter().cycle());
            while !rest.is_empty() {
                let cut = cuts.next().unwrap_or(1).min(rest.len());
                got.extend(reader.read(&rest[..cut]).unwrap());
                rest = &rest[cut..];
            }
            let expected: Vec<Event> =
                events.iter().map(|(name, data)| event(name, data)).collect();
            prop_assert_eq!(got, expected);
        }

        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut reader = EventReader::default();
            drop(reader.read(&bytes));
            drop(reader.read(&bytes));
        }
    }
}
