//! Generated pieces of messages, common to the tests of this folder.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// So many cases, or as many as `PROPTEST_CASES` says if those are more, and no files left behind: a case that fails becomes
/// a test with a name.
pub fn cases(count: u32) -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig {
        cases: config.cases.max(count),
        failure_persistence: None,
        ..config
    }
}

/// Sizes of the pieces in which bytes come.
pub fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        vec(1_usize..4, 1..12),
        vec(1_usize..60, 1..12),
        Just(vec![1]),
        Just(vec![usize::MAX])
    ]
}

/// A name that no rule of the router looks at.
pub fn name() -> impl Strategy<Value = String> {
    "[a-z]{1,3}[!#$%&'*+.^_`|~0-9A-Za-z-]{0,12}x"
}

/// A value without white space around it; half of them hold bytes beyond ASCII.
pub fn value() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![9 => b' '..=b'~', 1 => Just(b'\t'), 1 => 0x80..=0xff_u8];
    vec(byte, 0..20).prop_map(|bytes| bytes.trim_ascii().to_vec())
}

/// White space as it may stand around a value.
pub fn blank() -> impl Strategy<Value = &'static str> {
    select(vec!["", " ", " ", " ", "  ", "\t", " \t "])
}

/// One field line in some spelling.
#[derive(Clone, Debug)]
pub struct FieldLine {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Vec<u8>,
    /// White space before and behind the value.
    pub around: (&'static str, &'static str),
}

impl FieldLine {
    /// Appends the line.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.name.as_bytes());
        out.push(b':');
        out.extend_from_slice(self.around.0.as_bytes());
        out.extend_from_slice(&self.value);
        out.extend_from_slice(self.around.1.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

/// Any field line that the router has no rule for.
pub fn field_line() -> impl Strategy<Value = FieldLine> {
    (name(), value(), (blank(), blank())).prop_map(|(name, value, around)| FieldLine {
        name,
        value,
        around,
    })
}

/// A chunked body and what is in it.
#[derive(Clone, Debug)]
pub struct ChunkedBody {
    /// As sent.
    pub bytes: Vec<u8>,
    /// The content.
    pub content: Vec<u8>,
    /// The trailer fields as sent, line ends included.
    pub trailers: Vec<u8>,
}

/// A chunked body as RFC 9112 section 7.1 allows it.
pub fn chunked_body() -> impl Strategy<Value = ChunkedBody> {
    let data = prop_oneof![
        4 => vec(any::<u8>(), 1..40),
        1 => Just(b"\r\n0\r\n\r\n".to_vec()),
        1 => vec(select(b"\r\n0;a".to_vec()), 1..8),
        1 => vec(any::<u8>(), 250..300),
    ];
    let chunk = (data, size_style(), extension());
    let last = (select(vec!["0", "00", "000000000000000"]), extension());
    (vec(chunk, 0..6), last, vec(field_line(), 0..4)).prop_map(|(chunks, last, fields)| {
        let mut body = ChunkedBody {
            bytes: Vec::new(),
            content: Vec::new(),
            trailers: Vec::new(),
        };
        for (data, style, extension) in chunks {
            body.bytes.extend_from_slice(style(data.len()).as_bytes());
            body.bytes.extend_from_slice(&extension);
            body.bytes.extend_from_slice(b"\r\n");
            body.bytes.extend_from_slice(&data);
            body.bytes.extend_from_slice(b"\r\n");
            body.content.extend_from_slice(&data);
        }
        body.bytes.extend_from_slice(last.0.as_bytes());
        body.bytes.extend_from_slice(&last.1);
        body.bytes.extend_from_slice(b"\r\n");
        fields
            .iter()
            .for_each(|field| field.write(&mut body.trailers));
        body.bytes.extend_from_slice(&body.trailers);
        body.bytes.extend_from_slice(b"\r\n");
        body
    })
}

fn size_style() -> impl Strategy<Value = fn(usize) -> String> {
    let lower: fn(usize) -> String = |size| format!("{size:x}");
    select(vec![
        lower,
        |size| format!("{size:X}"),
        |size| format!("{size:03x}"),
        |size| format!("{size:015X}"),
    ])
}

fn extension() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => Just(Vec::new()),
        1 => select(vec![" ", "\t \t", ";", ";a", ";a=b", " ; a = \"b;c\"", "\t;a;b=\"0\""]).prop_map(|text| text.as_bytes().to_vec()),
        1 => vec(prop_oneof![b' '..=b'~', 0x80..=0xff_u8, Just(b'\t')], 0..30).prop_map(|bytes| [&b";"[..], &bytes].concat()),
    ]
}

/// A change of one byte.
#[derive(Clone, Copy, Debug)]
pub enum Mutation {
    /// This one takes its place.
    Replace(u8),
    /// This one is put before it.
    Insert(u8),
    /// It goes.
    Delete,
    /// It comes twice.
    Double,
}

impl Mutation {
    /// Applies it to the byte at `index` (taken modulo the length).
    pub fn apply(self, index: usize, bytes: &mut Vec<u8>) {
        let at = index % bytes.len().max(1);
        match (self, bytes.get(at).copied()) {
            (_, None) => {}
            (Mutation::Replace(byte), _) => bytes[at] = byte,
            (Mutation::Insert(byte), _) => bytes.insert(at, byte),
            (Mutation::Delete, _) => _ = bytes.remove(at),
            (Mutation::Double, Some(byte)) => bytes.insert(at, byte),
        }
    }
}

/// A change of one byte, with those preferred that mean something to a parser.
pub fn mutation() -> impl Strategy<Value = Mutation> {
    let byte = prop_oneof![3 => select(b"\r\n\t :;,0159afzAF\0\x0b\x7f-_+\"/#%@[]\x80\xff".to_vec()), 1 => any::<u8>()];
    prop_oneof![
        byte.clone().prop_map(Mutation::Replace),
        byte.prop_map(Mutation::Insert),
        Just(Mutation::Delete),
        Just(Mutation::Double),
    ]
}

/// No change to most messages, a few to the others.
pub fn changes() -> impl Strategy<Value = Vec<(usize, Mutation)>> {
    let change = (any::<usize>(), mutation());
    prop_oneof![2 => Just(Vec::new()), 1 => vec(change, 1..4)]
}

/// How a body is announced, and the body: most of them go together.
pub fn framed_body() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    let chunked = || chunked_body().prop_map(|body| body.bytes);
    let announced = select(vec!["", "Content-Length: 5", "Transfer-Encoding: chunked"]);
    let any_body = prop_oneof![chunked(), Just(b"hello".to_vec()), vec(any::<u8>(), 0..20)];
    prop_oneof![
        2 => Just(("", Vec::new())),
        2 => Just(("Content-Length: 5", b"hello".to_vec())),
        4 => chunked().prop_map(|body| ("Transfer-Encoding: chunked", body)),
        1 => (announced, any_body),
    ]
}

/// Bytes with the changes applied.
pub fn changed(mut bytes: Vec<u8>, changes: Vec<(usize, Mutation)>) -> Vec<u8> {
    for (index, mutation) in changes {
        mutation.apply(index, &mut bytes);
    }
    bytes
}
