//! Zipkin's B3 headers, in their single and their multiple form (github.com/openzipkin/b3-propagation).

use super::{hex, sent, set};
use crate::exchange::TraceIds;
use crate::message::View;

/// What the log shows of them, in this order (spec 10.1).
pub(super) const HEADERS: [&str; 4] = [TRACE_ID, SPAN_ID, PARENT_ID, SINGLE];

const TRACE_ID: &str = "X-B3-TraceId";
const SPAN_ID: &str = "X-B3-SpanId";
const PARENT_ID: &str = "X-B3-ParentSpanId";
const SINGLE: &str = "b3";

/// Keeps a usable single header; makes it from the ids if only they came; else begins a trace. `own` is the trace id to
/// begin with.
pub(super) fn apply(
    request: &mut View<'_>,
    ids: &mut Option<TraceIds>,
    own: &str,
    span: &mut dyn FnMut() -> String,
) {
    if let Some(context) = sent(request, SINGLE).and_then(Context::parse_single) {
        *ids = Some(context.ids());
        return;
    }
    if let (Some(trace), Some(span)) = (sent(request, TRACE_ID), sent(request, SPAN_ID)) {
        // What came but cannot be understood goes on untouched.
        if let Some(context) = Context::parse_multiple(request, trace, span) {
            set(request, SINGLE, context.single().as_bytes());
            *ids = Some(context.ids());
        }
        return;
    }
    let span = span();
    set(request, TRACE_ID, own.as_bytes());
    set(request, SPAN_ID, span.as_bytes());
    set(request, SINGLE, format!("{own}-{span}").as_bytes());
    *ids = Some(TraceIds {
        trace: own.into(),
        span: span.into(),
    });
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Context {
    trace: (u64, u64),
    span: u64,
    sampling: Option<char>,
    parent: Option<u64>,
}

impl Context {
    /// `TRACE-SPAN[-SAMPLING[-PARENT]]`, or a sampling decision alone.
    fn parse_single(value: &[u8]) -> Option<Context> {
        let text = std::str::from_utf8(value).ok()?;
        let mut context = Context::default();
        if text.len() == 1 {
            context.sampling = Some(sampling(text)?);
            return Some(context);
        }
        let mut parts = text.split('-');
        let trace = parts.next()?;
        context.trace = match trace.len() {
            16 | 32 => trace_id(trace)?,
            _ => return None,
        };
        let span = parts.next().filter(|span| span.len() == 16)?;
        context.span = number(span)?;
        if let Some(decision) = parts.next() {
            context.sampling = Some(sampling(decision)?);
        }
        if let Some(parent) = parts.next() {
            context.parent = Some(number(parent).filter(|_| parent.len() == 16)?);
        }
        parts.next().is_none().then_some(context)
    }

    fn parse_multiple(request: &View<'_>, trace: &[u8], span: &[u8]) -> Option<Context> {
        let text = |value| std::str::from_utf8(value).ok();
        let mut context = Context {
            trace: trace_id(text(trace)?)?,
            span: number(text(span)?)?,
            ..Context::default()
        };
        if let Some(sampled) = sent(request, "X-B3-Sampled") {
            context.sampling = match sampled.to_ascii_lowercase().as_slice() {
                b"1" | b"true" => Some('1'),
                b"0" | b"false" => Some('0'),
                _ => return None,
            };
        }
        if sent(request, "X-B3-Flags") == Some(b"1") {
            context.sampling = Some('d');
        }
        if let Some(parent) = sent(request, PARENT_ID) {
            context.parent = Some(number(text(parent)?)?);
        }
        Some(context)
    }

    fn single(&self) -> String {
        let mut text = format!("{}-{}", self.trace_text(), hex(self.span));
        if let Some(sampling) = self.sampling {
            text.push('-');
            text.push(sampling);
        }
        if let Some(parent) = self.parent {
            text.push('-');
            text.push_str(&hex(parent));
        }
        text
    }

    fn trace_text(&self) -> String {
        match self.trace {
            (0, low) => hex(low),
            (high, low) => hex(high) + &hex(low),
        }
    }

    fn ids(&self) -> TraceIds {
        TraceIds {
            trace: self.trace_text().into(),
            span: hex(self.span).into(),
        }
    }
}

/// `1`, `0`, or `d` for debugging.
fn sampling(text: &str) -> Option<char> {
    match text {
        "1" => Some('1'),
        "0" => Some('0'),
        "d" => Some('d'),
        _ => None,
    }
}

/// 64 or 128 bits.
fn trace_id(text: &str) -> Option<(u64, u64)> {
    match text.len().checked_sub(16) {
        Some(high @ 1..) => {
            let (high, low) = text.split_at_checked(high)?;
            Some((number(high)?, number(low)?))
        }
        _ => Some((0, number(text)?)),
    }
}

fn number(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    u64::from_str_radix(text, 16).ok().filter(|_| digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_headers_are_read_as_zipkin_reads_them() {
        let (trace, span) = ("463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312");
        for usable in [
            "0".to_owned(),
            "d".to_owned(),
            format!("{trace}-{span}"),
            format!("{}-{span}", &trace[16..]),
            format!("{trace}-{span}-1"),
            format!("{trace}-{span}-d-0020000000000001"),
        ] {
            assert!(
                Context::parse_single(usable.as_bytes()).is_some(),
                "{usable}"
            );
        }
        for unusable in [
            "x".to_owned(),
            "nonsense".to_owned(),
            trace.to_owned(),
            format!("{trace}-"),
            format!("{trace}-{span}-"),
            format!("{trace}-{span}-2"),
            format!("{trace}-{span}-0020000000000001"),
            format!("{trace}-{span}-1-0020000000000001-1"),
            format!("{trace}-{}", &span[1..]),
            format!("+{}-{span}", &trace[1..]),
        ] {
            assert_eq!(
                Context::parse_single(unusable.as_bytes()),
                None,
                "{unusable}"
            );
        }
    }

    #[test]
    fn ids_have_all_their_digits() {
        let context = Context {
            trace: trace_id("1").unwrap(),
            span: 2,
            sampling: None,
            parent: Some(3),
        };
        assert_eq!(
            context.single(),
            "0000000000000001-0000000000000002-0000000000000003"
        );
        assert_eq!(trace_id("10000000000000002"), Some((1, 2)));
        assert_eq!(trace_id("ä0000000000000002"), None);
    }
}
