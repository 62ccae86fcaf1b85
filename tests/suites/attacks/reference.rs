//! A reader of requests that takes nothing that could be read in two ways: slow, plain, and written from RFC 9112 alone.

/// Whose bytes are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// A client's: chunk extensions and trailer fields are legal.
    Client,
    /// The router's: it sends neither, and HTTP/1.1 only.
    Backend,
}

/// What the bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// A request, and its length.
    One(Request, usize),
    /// The beginning of one.
    More,
    /// None, and why.
    Bad(&'static str),
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    pub target: String,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// What routes it.
    pub host: String,
    /// Whether the connection ends behind it.
    pub closes: bool,
}

impl Request {
    /// All values of a field.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let fits = |field: &&(String, String)| field.0.eq_ignore_ascii_case(name);
        self.fields
            .iter()
            .filter(fits)
            .map(|field| field.1.as_str())
            .collect()
    }
}

/// Reads the request at the beginning of `bytes`.
pub fn request(bytes: &[u8], side: Side) -> Read {
    match read(bytes, side) {
        Ok((request, length)) => Read::One(request, length),
        Err(Some(why)) => Read::Bad(why),
        Err(None) => Read::More,
    }
}

/// Fields that frame, route or identify a message, or concern one connection only (RFC 9110 section 6.5.1).
const NOT_IN_TRAILERS: [&str; 7] = [
    "connection",
    "content-length",
    "host",
    "te",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-for",
];

/// `Err(None)` is: more is needed.
type Part<T> = Result<T, Option<&'static str>>;

/// A line without its CRLF, and where the next one begins.
fn line(bytes: &[u8], at: usize) -> Part<(&[u8], usize)> {
    let rest = &bytes[at..];
    for (index, byte) in rest.iter().enumerate() {
        match byte {
            b'\n' => return Err(Some("bare LF")),
            b'\r' => {
                return match rest.get(index + 1) {
                    Some(b'\n') => Ok((&rest[..index], at + index + 2)),
                    Some(_) => Err(Some("bare CR")),
                    None => Err(None),
                };
            }
            b'\t' => {}
            0..=31 | 127 => return Err(Some("control character")),
            _ => {}
        }
    }
    Err(None)
}

fn is_token(bytes: &[u8]) -> bool {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !bytes.is_empty() && bytes.iter().all(fits)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn read(bytes: &[u8], side: Side) -> Part<(Request, usize)> {
    let (first, mut at) = line(bytes, 0)?;
    let parts: Vec<&[u8]> = first.split(|&byte| byte == b' ').collect();
    let [method, target, version] = parts[..] else {
        return Err(Some("request line"));
    };
    let is_old = version == b"HTTP/1.0" && side == Side::Client;
    if !is_token(method) || target.is_empty() || !(version == b"HTTP/1.1" || is_old) {
        return Err(Some("request line"));
    }
    if target.contains(&b'\t') || !(target[0] == b'/' || target.starts_with(b"http://")) {
        return Err(Some("target"));
    }
    let (fields, behind) = fields(bytes, at)?;
    at = behind;
    let mut request = Request {
        method: text(method),
        target: text(target),
        fields,
        body: Vec::new(),
        host: String::new(),
        closes: false,
    };
    let hosts = request.all("Host");
    if hosts.len() > 1 || hosts.is_empty() && !is_old {
        return Err(Some("Host"));
    }
    let host = hosts.first().copied().unwrap_or_default();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!$%&'()*+,-.:;=[]_~".contains(&byte);
    if !host.bytes().all(fits) {
        return Err(Some("Host"));
    }
    let name = host.split(':').next().unwrap_or_default();
    request.host = name.to_ascii_lowercase();
    let connection = request.all("Connection").join(",");
    let says = |what: &str| {
        connection
            .split(',')
            .any(|option| option.trim().eq_ignore_ascii_case(what))
    };
    request.closes = says("close") || is_old && !says("keep-alive");
    let (lengths, codings) = (
        request.all("Content-Length"),
        request.all("Transfer-Encoding"),
    );
    match (&lengths[..], &codings[..]) {
        ([], []) => {}
        ([length], []) => {
            let is_number = !length.is_empty()
                && length.len() < 16
                && length.bytes().all(|b| b.is_ascii_digit());
            let length: usize = match is_number {
                true => length.parse().map_err(|_| Some("Content-Length"))?,
                false => return Err(Some("Content-Length")),
            };
            request.body = bytes.get(at..at + length).ok_or(None)?.to_vec();
            at += length;
        }
        ([], [coding]) if coding.eq_ignore_ascii_case("chunked") && !is_old => {
            (request.body, at) = chunked(bytes, at, side)?;
        }
        _ => return Err(Some("framing")),
    }
    Ok((request, at))
}

fn fields(bytes: &[u8], mut at: usize) -> Part<(Vec<(String, String)>, usize)> {
    let mut fields = Vec::new();
    loop {
        let (field, behind) = line(bytes, at)?;
        at = behind;
        if field.is_empty() {
            return Ok((fields, at));
        }
        let colon = field.iter().position(|&byte| byte == b':');
        let (name, value) = field.split_at(colon.ok_or(Some("no colon"))?);
        if !is_token(name) {
            return Err(Some("field name"));
        }
        fields.push((text(name), text(value[1..].trim_ascii())));
    }
}

fn chunked(bytes: &[u8], mut at: usize, side: Side) -> Part<(Vec<u8>, usize)> {
    let mut body = Vec::new();
    loop {
        let (size, behind) = line(bytes, at)?;
        at = behind;
        let end = size.iter().position(|&byte| byte == b';');
        let (digits, extension) = size.split_at(end.unwrap_or(size.len()));
        let digits = match side {
            Side::Client => digits.trim_ascii_end(),
            Side::Backend => digits,
        };
        if side == Side::Backend && !extension.is_empty() {
            return Err(Some("chunk extension"));
        }
        if digits.is_empty() || digits.len() > 15 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(Some("chunk size"));
        }
        let size = usize::from_str_radix(&text(digits), 16).map_err(|_| Some("chunk size"))?;
        if size == 0 {
            let section = &bytes[at..];
            let (trailers, behind) = match fields(bytes, at) {
                // A reader may wait for the whole section before it judges the fields.
                Err(Some(why)) if why != "bare LF" && !super::memmem(section, b"\r\n\r\n") => {
                    return Err(None);
                }
                read => read?,
            };
            let vouched = |name: &str| {
                let name = name.to_ascii_lowercase().replace(['_', '.'], "-");
                NOT_IN_TRAILERS.contains(&name.as_str())
            };
            let is_legal = match side {
                Side::Client => !trailers.iter().any(|field| vouched(&field.0)),
                Side::Backend => trailers.is_empty(),
            };
            return match is_legal {
                true => Ok((body, behind)),
                false => Err(Some("trailer")),
            };
        }
        let data = bytes.get(at..).unwrap_or_default();
        body.extend_from_slice(&data[..size.min(data.len())]);
        match data.get(size..) {
            Some([b'\r', b'\n', ..]) => at += size + 2,
            Some([] | [b'\r']) | None => return Err(None),
            Some(_) => return Err(Some("chunk end")),
        }
    }
}

#[test]
fn the_reference_reads_what_is_plain_and_refuses_the_rest() {
    let read = |text: &str| request(text.as_bytes(), Side::Client);
    let head = "POST / HTTP/1.1\r\nHost: a\r\n";
    let one = |text: &str| matches!(read(text), Read::One(_, length) if length == text.len());
    assert!(one(&format!("{head}\r\n")));
    assert!(one(&format!("{head}Content-Length: 2\r\n\r\nhi")));
    assert!(one(&format!(
        "{head}Transfer-Encoding: chunked\r\n\r\n2;x\r\nhi\r\n0\r\nA: b\r\n\r\n"
    )));
    assert_eq!(
        read(&format!("{head}Content-Length: 2\r\n\r\nh")),
        Read::More
    );
    for text in [
        "POST / HTTP/1.1\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +2\r\n\r\nhi",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\nhi",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\nhi\r\n0\r\n\r\n",
    ] {
        assert!(matches!(read(text), Read::Bad(_)), "{text:?}");
    }
}
