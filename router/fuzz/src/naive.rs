//! A second reader of chunked bodies, as plain as it can be: it sees the whole body at once, goes line by line, and shares
//! no code with the one that it judges.

/// What the reader made of some bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// How far it came.
    pub end: End,
    /// The content up to there.
    pub content: Vec<u8>,
    /// Trailer fields as they stood, line ends included, without the empty line.
    pub trailers: Vec<u8>,
    /// Whether any size line held more than digits.
    pub extended: bool,
    /// Whether the last chunk was seen.
    pub in_trailers: bool,
}

/// How the bytes ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With the body, after so many bytes.
    Whole(usize),
    /// Before the body.
    Cut,
    /// In something that is no chunked body (RFC 9112 section 7.1).
    Broken,
}

/// Reads a body from the beginning of `bytes`.
pub fn read(bytes: &[u8]) -> Reading {
    let mut reading = Reading {
        end: End::Cut,
        content: Vec::new(),
        trailers: Vec::new(),
        extended: false,
        in_trailers: false,
    };
    reading.end = match follow(bytes, &mut reading) {
        Ok(length) => End::Whole(length),
        Err(end) => end,
    };
    reading
}

fn follow(bytes: &[u8], reading: &mut Reading) -> Result<usize, End> {
    let mut at = 0;
    loop {
        let line = line(bytes, &mut at)?;
        let digits = line
            .iter()
            .take_while(|byte| byte.is_ascii_hexdigit())
            .count();
        if digits == 0 || digits > 15 || !is_extension(&line[digits..]) {
            return Err(End::Broken);
        }
        reading.extended |= digits < line.len();
        let size = line[..digits].iter().fold(0_usize, |size, &digit| {
            size * 16 + (digit as char).to_digit(16).unwrap() as usize
        });
        if size == 0 {
            reading.in_trailers = true;
            break;
        }
        let data = &bytes[at..bytes.len().min(at + size)];
        reading.content.extend_from_slice(data);
        at += data.len();
        if data.len() < size {
            return Err(End::Cut);
        }
        for expected in *b"\r\n" {
            if *bytes.get(at).ok_or(End::Cut)? != expected {
                return Err(End::Broken);
            }
            at += 1;
        }
    }
    loop {
        let from = at;
        let line = line(bytes, &mut at)?;
        if line.is_empty() {
            return Ok(at);
        }
        let colon = line
            .iter()
            .position(|&byte| byte == b':')
            .ok_or(End::Broken)?;
        if colon == 0 || !line[..colon].iter().all(|&byte| is_token(byte)) {
            return Err(End::Broken);
        }
        reading.trailers.extend_from_slice(&bytes[from..at]);
    }
}

/// The line at `at`, without its CRLF.
fn line<'b>(bytes: &'b [u8], at: &mut usize) -> Result<&'b [u8], End> {
    let rest = &bytes[*at..];
    let Some(length) = rest.iter().position(|&byte| byte == b'\n') else {
        return Err(End::Cut);
    };
    let line = rest[..length].strip_suffix(b"\r").ok_or(End::Broken)?;
    if line
        .iter()
        .any(|&byte| byte.is_ascii_control() && byte != b'\t')
    {
        return Err(End::Broken);
    }
    *at += length + 1;
    Ok(line)
}

fn is_extension(rest: &[u8]) -> bool {
    let blank = rest
        .iter()
        .take_while(|&&byte| byte == b' ' || byte == b'\t')
        .count();
    matches!(rest.get(blank), None | Some(b';'))
}

/// RFC 9110 section 5.6.2.
pub fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
