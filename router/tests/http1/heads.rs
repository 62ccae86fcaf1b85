//! Request heads: read as they were written, whatever the cut, and written as they were edited.

use cloverleaf_router::http1::request::{Request, parse};
use cloverleaf_router::http1::{Framing, Parsed, Progress, write};
use cloverleaf_router::message::{Head, Version};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::generate::{FieldLine, blank, cases, changed, changes, field_line, mutation, sizes};
use crate::head::lines;
use crate::{request_head, response_head};

/// A head that is in order.
#[derive(Clone, Debug)]
struct Valid {
    method: String,
    target: String,
    version: Version,
    fields: Vec<FieldLine>,
    framing: Framing,
    bytes: Vec<u8>,
}

fn valid_head() -> impl Strategy<Value = Valid> {
    let method = prop_oneof![4 => select(vec!["GET", "POST", "OPTIONS"]).prop_map(str::to_owned), 1 => "[A-Za-z!#$%&'*+.^_`|~0-9-]{1,9}"];
    let method = method.prop_filter("never goes on", |method| method != "CONNECT");
    let target = prop_oneof![
        3 => "/[!-$&-~]{0,20}",
        1 => "/[a-z]{0,5}(%[0-9a-fA-F]{2}){0,3}[a-zäöü€]{0,4}(\\?[!-~]{0,8})?",
        1 => "[a-z][a-z0-9+.-]{0,5}://[a-z0-9.-]{1,12}(:[0-9]{0,5})?(/[!-$&-~]{0,8})?",
        1 => Just("*".to_owned()),
    ];
    let framing = prop_oneof![
        Just(Framing::None),
        (0..u64::MAX / 2 + 1).prop_map(Framing::Length),
        Just(Framing::Chunked)
    ];
    let version = prop_oneof![4 => Just(Version::Http11), 1 => Just(Version::Http10)];
    let count = prop_oneof![8 => 0..8_usize, 1 => 60..70_usize];
    let fields = count.prop_flat_map(|count| vec(field_line(), count));
    (
        method,
        target,
        version,
        fields,
        framing,
        (blank(), blank()),
        any::<usize>(),
    )
        .prop_map(
            |(method, target, version, mut fields, framing, around, place)| {
                let framing = if version == Version::Http10 && framing == Framing::Chunked {
                    Framing::None
                } else {
                    framing
                };
                let mut put = |name: &str, value: &str| {
                    let at = place % (fields.len() + 1);
                    fields.insert(
                        at,
                        FieldLine {
                            name: name.into(),
                            value: value.into(),
                            around,
                        },
                    );
                };
                put("hOST", "a.test:80");
                match framing {
                    Framing::Length(length) => put("content-Length", &length.to_string()),
                    Framing::Chunked => put("Transfer-encoding", "Chunked"),
                    _ => {}
                }
                let mut bytes = format!(
                    "{method} {target} HTTP/1.{}\r\n",
                    (version == Version::Http11) as u8
                )
                .into_bytes();
                fields.iter().for_each(|field| field.write(&mut bytes));
                bytes.extend_from_slice(b"\r\n");
                Valid {
                    method,
                    target,
                    version,
                    fields,
                    framing,
                    bytes,
                }
            },
        )
}

fn pairs(bytes: &[u8], head: &Head) -> Vec<(String, Vec<u8>)> {
    let text = |name: &[u8]| String::from_utf8(name.to_vec()).unwrap();
    lines(bytes, head)
        .into_iter()
        .map(|line| (text(line.name), line.value.to_vec()))
        .collect()
}

/// Reads a head that comes in pieces, as a connection does.
fn in_pieces(bytes: &[u8], head_length: usize, sizes: &[usize], head: &mut Head) -> Request {
    let mut progress = Progress::default();
    let (mut length, mut sizes) = (0_usize, sizes.iter().cycle());
    loop {
        length = length
            .saturating_add(*sizes.next().unwrap())
            .min(bytes.len());
        if progress.worth_parsing(&bytes[..length]) {
            match parse(&bytes[..length], head) {
                Parsed::Complete(request) => return request,
                Parsed::Partial => {}
                Parsed::Refused(refusal) => panic!("{refusal} after {length} bytes"),
            }
        }
        assert!(
            length < head_length,
            "the whole head is here and was not parsed"
        );
    }
}

proptest! {
    #![proptest_config(cases(800))]

    #[test]
    fn a_head_is_read_as_it_was_written_whatever_the_cut(valid in valid_head(), behind in vec(any::<u8>(), 0..10), sizes in sizes()) {
        let bytes = [&valid.bytes[..], &behind].concat();
        let mut head = Head::default();
        let request = in_pieces(&bytes, valid.bytes.len(), &sizes, &mut head);
        prop_assert_eq!(request.head_length, valid.bytes.len());
        prop_assert_eq!(request.framing, valid.framing);
        prop_assert_eq!(head.version, valid.version);
        prop_assert_eq!(head.method.of(&bytes), valid.method.as_bytes());
        prop_assert_eq!(head.target.of(&bytes), valid.target.as_bytes());
        let expected: Vec<_> = valid.fields.iter().map(|field| (field.name.clone(), field.value.clone())).collect();
        prop_assert_eq!(pairs(&bytes, &head), expected);
    }

    #[test]
    fn a_head_is_written_with_what_was_kept_then_what_was_added(
        valid in valid_head(),
        drops in vec(any::<bool>(), 1..80),
        added in vec(field_line(), 0..4),
    ) {
        let mut head = Head::default();
        let parsed = parse(&valid.bytes, &mut head);
        prop_assert!(matches!(parsed, Parsed::Complete(_)), "{:?}", parsed);
        let mut expected = Vec::new();
        for (field, (from, drop)) in head.fields.iter_mut().zip(valid.fields.iter().zip(drops.iter().cycle())) {
            // Without these two the result would be another message.
            let stays = ["host", "content-length", "transfer-encoding"].iter().any(|name| from.name.eq_ignore_ascii_case(name));
            field.keep = stays || !drop;
            if field.keep {
                expected.push((from.name.clone(), from.value.clone()));
            }
        }
        for field in &added {
            head.add(&field.name, &field.value);
            expected.push((field.name.clone(), field.value.clone()));
        }
        let mut out = b"earlier bytes stay".to_vec();
        let earlier = out.len();
        write::request_line(head.method.of(&valid.bytes), head.target.of(&valid.bytes), &mut out);
        write::fields(&valid.bytes, &head, &mut out);
        out.extend_from_slice(b"\r\n");
        let written = &out[earlier..];
        let mut again = Head::default();
        match parse(written, &mut again) {
            Parsed::Complete(request) => {
                prop_assert_eq!(request.head_length, written.len());
                prop_assert_eq!(request.framing, valid.framing);
                prop_assert_eq!(pairs(written, &again), expected);
                prop_assert_eq!(again.version, Version::Http11);
            }
            other => prop_assert!(false, "not accepted again: {:?}", other),
        }
    }
}

proptest! {
    #![proptest_config(cases(1500))]

    #[test]
    fn a_changed_head_is_refused_or_still_read_in_one_way_only(
        valid in valid_head(),
        changes in vec((any::<usize>(), mutation()), 1..4),
    ) {
        request_head::check(&changed(valid.bytes, changes));
    }

    #[test]
    fn a_changed_response_head_is_refused_or_still_read_in_one_way_only(
        valid in valid_head(),
        status in 95..1005_u16,
        to_head in any::<bool>(),
        changes in changes(),
    ) {
        let line_end = valid.bytes.iter().position(|&byte| byte == b'\n').unwrap();
        let status = format!("HTTP/1.{} {status} Some phrase\r\n", (valid.version == Version::Http11) as u8);
        let mut bytes = changed([status.as_bytes(), &valid.bytes[line_end + 1..]].concat(), changes);
        bytes.insert(0, to_head as u8);
        response_head::check(&bytes);
    }
}
