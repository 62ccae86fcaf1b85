use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use prost::Message as _;

use uuid::Uuid;

use super::super::request::{Request, method};
use super::*;

/// Dropsonde's messages as prost reads them.
mod read {
    use std::collections::BTreeMap;

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Envelope {
        #[prost(string, required, tag = "1")]
        pub origin: String,
        #[prost(int32, required, tag = "2")]
        pub event_type: i32,
        #[prost(int64, optional, tag = "6")]
        pub timestamp: Option<i64>,
        #[prost(message, optional, tag = "7")]
        pub http_start_stop: Option<HttpStartStop>,
        #[prost(message, optional, tag = "8")]
        pub log_message: Option<LogMessage>,
        #[prost(message, optional, tag = "9")]
        pub value_metric: Option<ValueMetric>,
        #[prost(message, optional, tag = "10")]
        pub counter_event: Option<CounterEvent>,
        #[prost(btree_map = "string, string", tag = "17")]
        pub tags: BTreeMap<String, String>,
    }

    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub struct Uuid {
        #[prost(uint64, required, tag = "1")]
        pub low: u64,
        #[prost(uint64, required, tag = "2")]
        pub high: u64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct HttpStartStop {
        #[prost(int64, required, tag = "1")]
        pub start_timestamp: i64,
        #[prost(int64, required, tag = "2")]
        pub stop_timestamp: i64,
        #[prost(message, required, tag = "3")]
        pub request_id: Uuid,
        #[prost(int32, required, tag = "4")]
        pub peer_type: i32,
        #[prost(int32, required, tag = "5")]
        pub method: i32,
        #[prost(string, required, tag = "6")]
        pub uri: String,
        #[prost(string, required, tag = "7")]
        pub remote_address: String,
        #[prost(string, required, tag = "8")]
        pub user_agent: String,
        #[prost(int32, required, tag = "9")]
        pub status_code: i32,
        #[prost(int64, required, tag = "10")]
        pub content_length: i64,
        #[prost(message, optional, tag = "12")]
        pub application_id: Option<Uuid>,
        #[prost(int32, optional, tag = "13")]
        pub instance_index: Option<i32>,
        #[prost(string, optional, tag = "14")]
        pub instance_id: Option<String>,
        #[prost(string, repeated, tag = "15")]
        pub forwarded: Vec<String>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct LogMessage {
        #[prost(bytes = "vec", required, tag = "1")]
        pub message: Vec<u8>,
        #[prost(int32, required, tag = "2")]
        pub message_type: i32,
        #[prost(int64, required, tag = "3")]
        pub timestamp: i64,
        #[prost(string, optional, tag = "4")]
        pub app_id: Option<String>,
        #[prost(string, optional, tag = "5")]
        pub source_type: Option<String>,
        #[prost(string, optional, tag = "6")]
        pub source_instance: Option<String>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct ValueMetric {
        #[prost(string, required, tag = "1")]
        pub name: String,
        #[prost(double, required, tag = "2")]
        pub value: f64,
        #[prost(string, required, tag = "3")]
        pub unit: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct CounterEvent {
        #[prost(string, required, tag = "1")]
        pub name: String,
        #[prost(uint64, required, tag = "2")]
        pub delta: u64,
        #[prost(uint64, optional, tag = "3")]
        pub total: Option<u64>,
    }
}

fn read(datagrams: &Datagrams) -> Vec<read::Envelope> {
    let mut start = 0;
    let ends = datagrams.ends.iter();
    ends.map(|&end| {
        let bytes = &datagrams.bytes[std::mem::replace(&mut start, end)..end];
        read::Envelope::decode(bytes).unwrap()
    })
    .collect()
}

fn one(write: impl FnOnce(&mut Datagrams)) -> read::Envelope {
    let mut datagrams = Datagrams::default();
    write(&mut datagrams);
    let mut envelopes = read(&datagrams);
    assert_eq!(envelopes.len(), 1);
    envelopes.remove(0)
}

fn request() -> Request<'static> {
    Request {
        id: b"00010203-0405-0607-0809-0a0b0c0d0e0f",
        method: b"GET",
        uri: b"http://app.test/",
        remote_address: b"10.0.0.1:5",
        user_agent: b"",
        status: 200,
        content_length: 3,
        app_id: b"",
        instance_index: b"",
        instance_id: b"",
    }
}

fn start_stop(request: &Request<'_>, forwarded: &[u8]) -> read::HttpStartStop {
    let mut described = Described::default();
    described.set(&Request {
        uri: b"what was described before",
        ..*request
    });
    described.set(request);
    let seen = Seen {
        start_ns: 1,
        stop_ns: 2,
        peer_type: PeerType::Server,
        forwarded,
    };
    let envelope = one(|out| out.http_start_stop(9, &described, &seen, std::iter::empty()));
    assert_eq!(envelope.event_type, 4);
    envelope.http_start_stop.unwrap()
}

#[test]
fn a_uuid_is_two_little_endian_words() {
    let id = start_stop(&request(), b"").request_id;
    assert_eq!(
        (id.low, id.high),
        (0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908)
    );
}

#[test]
fn methods_have_numbers() {
    for (name, number) in [
        ("GET", 1),
        ("HEAD", 5),
        ("BASELINE-CONTROL", 7),
        ("CONNECT", 11),
        ("OPTIONS", 24),
        ("PATCH", 26),
        ("TRACE", 36),
        ("VERSION-CONTROL", 44),
        ("get", 0),
        ("BREW", 0),
    ] {
        assert_eq!(method(name.as_bytes()), number, "{name}");
    }
}

#[test]
fn what_is_required_is_there_though_empty_and_what_is_not_known_is_left_out() {
    let read = start_stop(&request(), b"");
    assert_eq!(read.user_agent, "");
    assert_eq!(
        (read.application_id, read.instance_index, read.instance_id),
        (None, None, None)
    );
    assert!(read.forwarded.is_empty());
}

#[test]
fn clients_are_listed_one_by_one() {
    let read = start_stop(&request(), b"10.0.0.1,, 10.0.0.2 ,");
    assert_eq!(read.forwarded, ["10.0.0.1", "10.0.0.2"]);
}

#[test]
fn text_that_is_not_utf_8_is_mended_and_a_log_line_is_left_as_it_is() {
    let mended = Request {
        user_agent: b"a\xffb",
        ..request()
    };
    let read = start_stop(&mended, b"");
    assert_eq!(read.user_agent, "a\u{fffd}b");
    let envelope = one(|out| out.log_message(9, b"a\xffb", b"app", "3", std::iter::empty()));
    let message = envelope.log_message.unwrap();
    assert_eq!(message.message, b"a\xffb");
    assert_eq!((message.message_type, message.timestamp), (1, 9));
    assert_eq!(message.source_type.as_deref(), Some("RTR"));
    assert_eq!(message.source_instance.as_deref(), Some("3"));
}

#[test]
fn envelopes_stand_one_behind_the_other() {
    let mut datagrams = Datagrams::default();
    assert!(datagrams.is_empty());
    datagrams.value(1, b"uptime", 2.5, "seconds");
    datagrams.counter(2, "responses", 300);
    let read = read(&datagrams);
    let value = read[0].value_metric.as_ref().unwrap();
    assert_eq!(
        (value.name.as_str(), value.value, value.unit.as_str()),
        ("uptime", 2.5, "seconds")
    );
    let counter = read[1].counter_event.as_ref().unwrap();
    assert_eq!(
        (counter.name.as_str(), counter.delta, counter.total),
        ("responses", 300, None)
    );
    assert_eq!((read[0].event_type, read[1].event_type), (6, 7));
    datagrams.clear();
    assert!(datagrams.is_empty());
}

#[test]
fn envelopes_of_one_length_are_sent_side_by_side_unless_their_order_is_to_be_kept() {
    for (mut datagrams, expected) in [
        (Datagrams::default(), ["cc", "dd", "a", "b"]),
        (Datagrams::in_order(), ["a", "cc", "b", "dd"]),
    ] {
        for name in ["a", "cc", "b", "dd"] {
            datagrams.counter(1, name, 1);
        }
        let pieces = datagrams.pieces();
        let read = pieces
            .iter()
            .map(|piece| read::Envelope::decode(&**piece).unwrap());
        let names: Vec<_> = read.map(|read| read.counter_event.unwrap().name).collect();
        assert_eq!(names, expected);
    }
}

proptest! {
    #[test]
    fn prost_reads_what_was_written(
        times in any::<[i64; 3]>(),
        ids in any::<[u128; 2]>(),
        texts in vec("[ -~äß€]{0,200}", 4),
        status in any::<u16>(),
        length in any::<i64>(),
        index in 0..i32::MAX,
        tags in btree_map("[a-z_]{1,20}", "[ -~ä]{0,300}", 0..8),
        line in vec(any::<u8>(), 0..500),
        value in any::<f64>().prop_filter("comparable", |value| !value.is_nan()),
        delta in any::<u64>(),
    ) {
        let ids = ids.map(Uuid::from_u128);
        let shown = ids.map(|id| id.to_string());
        let index_text = index.to_string();
        let mut described = Described::default();
        described.set(&Request {
            id: shown[0].as_bytes(),
            method: b"PUT",
            uri: texts[0].as_bytes(),
            remote_address: texts[1].as_bytes(),
            user_agent: texts[2].as_bytes(),
            status,
            content_length: length,
            app_id: shown[1].as_bytes(),
            instance_index: index_text.as_bytes(),
            instance_id: texts[3].as_bytes(),
        });
        let seen = Seen {
            start_ns: times[0].cast_unsigned(),
            stop_ns: times[1].cast_unsigned(),
            peer_type: PeerType::Client,
            forwarded: b"10.0.0.1",
        };
        let given: Vec<(&[u8], &[u8])> =
            tags.iter().map(|(k, v)| (k.as_bytes(), v.as_bytes())).collect();
        let mut datagrams = Datagrams::default();
        let now = times[2].cast_unsigned();
        datagrams.http_start_stop(now, &described, &seen, given.iter().copied());
        datagrams.log_message(now, &line, texts[0].as_bytes(), &texts[1], given.iter().copied());
        datagrams.value(now, texts[0].as_bytes(), value, &texts[1]);
        datagrams.counter(now, &texts[0], delta);
        let uuid = |id: Uuid| read::Uuid {
            low: u64::from_le_bytes(id.as_bytes()[..8].try_into().unwrap()),
            high: u64::from_le_bytes(id.as_bytes()[8..].try_into().unwrap()),
        };
        let envelope = |event_type: i32, tags: BTreeMap<String, String>| read::Envelope {
            origin: "gorouter".to_owned(),
            event_type,
            timestamp: Some(times[2]),
            tags,
            ..read::Envelope::default()
        };
        let expected = [
            read::Envelope {
                http_start_stop: Some(read::HttpStartStop {
                    start_timestamp: times[0],
                    stop_timestamp: times[1],
                    request_id: uuid(ids[0]),
                    peer_type: 1,
                    method: 3,
                    uri: texts[0].clone(),
                    remote_address: texts[1].clone(),
                    user_agent: texts[2].clone(),
                    status_code: i32::from(status),
                    content_length: length,
                    application_id: Some(uuid(ids[1])),
                    instance_index: Some(index),
                    instance_id: Some(texts[3].clone()).filter(|id| !id.is_empty()),
                    forwarded: vec!["10.0.0.1".to_owned()],
                }),
                ..envelope(4, tags.clone())
            },
            read::Envelope {
                log_message: Some(read::LogMessage {
                    message: line,
                    message_type: 1,
                    timestamp: times[2],
                    app_id: Some(texts[0].clone()),
                    source_type: Some("RTR".to_owned()),
                    source_instance: Some(texts[1].clone()),
                }),
                ..envelope(5, tags)
            },
            read::Envelope {
                value_metric: Some(read::ValueMetric {
                    name: texts[0].clone(),
                    value,
                    unit: texts[1].clone(),
                }),
                ..envelope(6, BTreeMap::new())
            },
            read::Envelope {
                counter_event: Some(read::CounterEvent {
                    name: texts[0].clone(),
                    delta,
                    total: None,
                }),
                ..envelope(7, BTreeMap::new())
            },
        ];
        prop_assert_eq!(read(&datagrams), expected);
    }
}
