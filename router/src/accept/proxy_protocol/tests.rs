//! Headers as load balancers send them, and everything that is none.

use proptest::prelude::*;

use super::*;

/// A header of version 2.
fn binary(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = v2::SIGNATURE.to_vec();
    bytes.extend([command, family]);
    bytes.extend((body.len() as u16).to_be_bytes());
    bytes.extend(body);
    bytes
}

/// 203.0.113.7:5555 to 192.0.2.1:80.
const V4: [u8; 12] = [203, 0, 113, 7, 192, 0, 2, 1, 0x15, 0xb3, 0, 80];

fn header(bytes: &[u8]) -> (usize, Option<String>) {
    match parse(bytes) {
        Preamble::Header(Header { length, source }) => {
            (length, source.map(|source| source.to_string()))
        }
        other => panic!("{other:?} of {}", bytes.escape_ascii()),
    }
}

fn refused(bytes: &[u8]) -> Refusal {
    match parse(bytes) {
        Preamble::Refused(refusal) => refusal,
        other => panic!("{other:?} of {}", bytes.escape_ascii()),
    }
}

#[test]
fn a_line_names_the_client_and_ends_where_the_request_begins() {
    let line = b"PROXY TCP4 203.0.113.7 192.0.2.1 5555 80\r\nGET / HTTP/1.1\r\n";
    assert_eq!(header(line), (42, Some("203.0.113.7:5555".into())));
    let line = b"PROXY TCP6 2001:db8::7 ::1 65535 0\r\n";
    assert_eq!(header(line), (36, Some("[2001:db8::7]:65535".into())));
}

#[test]
fn the_longest_line_of_the_protocol_is_read_and_no_longer_one() {
    let address = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    let line = format!("PROXY TCP6 {address} {address} 65535 65535\r\n");
    assert_eq!(header(line.as_bytes()).0, line.len());
    let endless = [b"PROXY ".as_slice(), &[b'x'; 200]].concat();
    assert_eq!(parse(&endless[..106]), Preamble::Incomplete);
    assert_eq!(refused(&endless[..107]), Refusal::TooLong);
    assert_eq!(refused(&endless), Refusal::TooLong);
}

#[test]
fn a_line_that_is_not_in_order_is_refused() {
    for (line, refusal) in [
        ("PROXY UNKNOWN\r\n", Refusal::Unknown),
        ("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", Refusal::Unknown),
        (
            "PROXY UDP4 203.0.113.7 192.0.2.1 5555 80\r\n",
            Refusal::Protocol,
        ),
        (
            "PROXY tcp4 203.0.113.7 192.0.2.1 5555 80\r\n",
            Refusal::Protocol,
        ),
        (
            "PROXY  TCP4 203.0.113.7 192.0.2.1 5555 80\r\n",
            Refusal::Protocol,
        ),
        ("PROXY /path HTTP/1.1\r\n", Refusal::Protocol),
        ("PROXY TCP4\r\n", Refusal::Fields),
        ("PROXY TCP4 203.0.113.7 192.0.2.1 5555\r\n", Refusal::Fields),
        (
            "PROXY TCP4 203.0.113.7 192.0.2.1 5555 80 \r\n",
            Refusal::Fields,
        ),
        (
            "PROXY TCP4 203.0.113.7 192.0.2.1 5555 80\n",
            Refusal::Fields,
        ),
        (
            "PROXY TCP4 203.0.113.7 192.0.2.1 5555 80 1\r\n",
            Refusal::Fields,
        ),
        (
            "PROXY TCP4 2001:db8::7 192.0.2.1 5555 80\r\n",
            Refusal::Address,
        ),
        (
            "PROXY TCP6 203.0.113.7 192.0.2.1 5555 80\r\n",
            Refusal::Address,
        ),
        (
            "PROXY TCP4 203.0.113.07 192.0.2.1 5555 80\r\n",
            Refusal::Address,
        ),
        ("PROXY TCP4  203.0.113.7 192.0.2.1 80\r\n", Refusal::Address),
        (
            "PROXY TCP4 203.0.113.7 nonsense 5555 80\r\n",
            Refusal::Address,
        ),
        ("PROXY TCP6 fe80::1%eth0 ::1 5555 80\r\n", Refusal::Address),
        (
            "PROXY TCP4 203.0.113.7 192.0.2.1 65536 80\r\n",
            Refusal::Port,
        ),
        ("PROXY TCP4 203.0.113.7 192.0.2.1 +5 80\r\n", Refusal::Port),
        ("PROXY TCP4 203.0.113.7 192.0.2.1 05 80\r\n", Refusal::Port),
        ("PROXY TCP4 203.0.113.7 192.0.2.1 5555 x\r\n", Refusal::Port),
    ] {
        assert_eq!(refused(line.as_bytes()), refusal, "{line:?}");
    }
    let smuggled = b"PROXY TCP4 203.0.113.7\rX 192.0.2.1 5555 80\r\n";
    assert_eq!(refused(smuggled), Refusal::Address);
    assert_eq!(refused(b"PROXY TCP4 \xff\r\n"), Refusal::Fields);
}

#[test]
fn version_2_names_the_client_over_both_families() {
    assert_eq!(
        header(&binary(0x21, 0x11, &V4)),
        (28, Some("203.0.113.7:5555".into()))
    );
    let mut v6 = [0; 36];
    v6[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
    v6[15] = 7;
    v6[32..].copy_from_slice(&[0x15, 0xb3, 1, 0xbb]);
    let mut bytes = binary(0x21, 0x21, &v6);
    bytes.extend(b"GET /");
    assert_eq!(header(&bytes), (52, Some("[2001:db8::7]:5555".into())));
}

#[test]
fn a_sender_that_speaks_for_itself_or_does_not_know_is_the_client() {
    assert_eq!(header(&binary(0x20, 0, b"")), (16, None));
    assert_eq!(header(&binary(0x20, 0xff, b"anything")), (24, None));
    assert_eq!(header(&binary(0x21, 0, b"")), (16, None));
    assert_eq!(header(&binary(0x21, 0x31, &[0; 216])), (232, None));
}

#[test]
fn a_binary_header_that_is_not_in_order_is_refused() {
    for (bytes, refusal) in [
        (binary(0x11, 0x11, &V4), Refusal::Command),
        (binary(0x22, 0x11, &V4), Refusal::Command),
        (binary(0x21, 0x12, &V4), Refusal::Protocol),
        (binary(0x21, 0x41, &V4), Refusal::Protocol),
        (binary(0x21, 0x11, &V4[..11]), Refusal::Fields),
        (binary(0x21, 0x11, b""), Refusal::Fields),
        (binary(0x21, 0x21, &V4), Refusal::Fields),
        (binary(0x21, 0x31, &V4), Refusal::Fields),
        (binary(0x21, 0x11, &[0; 16 * 1024]), Refusal::TooLong),
        (
            binary(0x21, 0x11, &[&V4[..], &[1, 0]].concat()),
            Refusal::Values,
        ),
        (
            binary(0x21, 0x11, &[&V4[..], &[1, 0, 2, 0]].concat()),
            Refusal::Values,
        ),
        (
            binary(0x21, 0x11, &[&V4[..], &[3, 0, 1, 0]].concat()),
            Refusal::Values,
        ),
    ] {
        assert_eq!(refused(&bytes), refusal, "{}", bytes.escape_ascii());
    }
}

#[test]
fn additional_values_are_passed_over_and_the_checksum_among_them_is_checked() {
    let mut body = V4.to_vec();
    body.extend(b"\x02\0\x08app.test"); // authority
    body.extend([4, 0, 0]); // nothing
    body.extend([3, 0, 4, 0, 0, 0, 0]);
    let sum_at = v2::SIGNATURE.len() + 4 + body.len() - 4;
    body.extend([0xea, 0, 1, 7]);
    let mut bytes = binary(0x21, 0x11, &body);
    assert_eq!(refused(&bytes), Refusal::Checksum);
    let sum = checksum::crc32c([&bytes[..]]).to_be_bytes();
    bytes[sum_at..sum_at + 4].copy_from_slice(&sum);
    assert_eq!(
        header(&bytes),
        (bytes.len(), Some("203.0.113.7:5555".into()))
    );
    // All but the mark of the checksum itself.
    for at in (16..bytes.len()).filter(|at| *at != sum_at - 3) {
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        assert!(
            !matches!(parse(&altered), Preamble::Header(_)),
            "byte {at} altered"
        );
    }
}

#[test]
fn what_a_client_sends_by_itself_is_no_header() {
    for bytes in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"POST / HTTP/1.1\r\n",
        b"PROXYX",
        b"proxy TCP4",
        b"\r\nGET /",
        b"\r\n\r\nGET /",
        b"\x16\x03\x01",
        b"\0",
    ] {
        assert_eq!(parse(bytes), Preamble::Absent, "{}", bytes.escape_ascii());
    }
    for bytes in [&b""[..], b"P", b"PROXY", b"\r", b"\r\n\r\n\0\r\nQUIT"] {
        assert_eq!(parse(bytes), Preamble::Undecided);
    }
}

fn any_header() -> impl Strategy<Value = Vec<u8>> {
    let line = (
        any::<[u8; 4]>(),
        any::<[u8; 4]>(),
        any::<u16>(),
        any::<u16>(),
    );
    let line = line.prop_map(|(source, destination, from, to)| {
        let (source, destination) = (
            std::net::Ipv4Addr::from(source),
            std::net::Ipv4Addr::from(destination),
        );
        format!("PROXY TCP4 {source} {destination} {from} {to}\r\n").into_bytes()
    });
    let body = (
        any::<[u8; 36]>(),
        prop::collection::vec(any::<u8>(), 0..300),
    );
    let body = body.prop_map(|(addresses, value)| {
        let mut body = addresses.to_vec();
        body.push(0xe0);
        body.extend((value.len() as u16).to_be_bytes());
        body.extend(value);
        binary(0x21, 0x21, &body)
    });
    prop_oneof![line, body]
}

proptest! {
    #[test]
    fn a_header_is_read_the_same_however_it_arrives(
        header in any_header(),
        behind in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let whole = [&header[..], &behind[..]].concat();
        let expected = parse(&whole);
        let is_whole = matches!(expected, Preamble::Header(Header { length, source: Some(_) }) if length == header.len());
        prop_assert!(is_whole, "{:?}", expected);
        for end in 0..header.len() {
            let part = parse(&whole[..end]);
            prop_assert!(matches!(part, Preamble::Undecided | Preamble::Incomplete), "{:?} at {}", part, end);
        }
    }

    #[test]
    fn a_verdict_stands_whatever_comes_behind_it(
        start in prop_oneof![Just(&b"PROXY "[..]), Just(&b"PROXY TCP4 "[..]), Just(v2::SIGNATURE), Just(&b""[..])],
        rest in prop::collection::vec(prop_oneof![any::<u8>(), Just(b' '), Just(b'\n')], 0..200),
        more in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let bytes = [start, &rest[..]].concat();
        let verdict = parse(&bytes);
        let later = parse(&[&bytes[..], &more[..]].concat());
        match verdict {
            Preamble::Undecided => {}
            Preamble::Incomplete => prop_assert!(!matches!(later, Preamble::Undecided | Preamble::Absent)),
            decided => prop_assert_eq!(decided, later),
        }
    }
}
