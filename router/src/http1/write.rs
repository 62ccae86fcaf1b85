//! Heads back into bytes: kept lines are copied in runs, dropped and added ones are the only work.

use crate::message::{Head, Version};

use super::status;

/// Appends the kept field lines of `head`, then the added ones. Neighbouring kept lines that stand in canonical form
/// (`Name: value` CRLF) are copied in one run.
pub fn fields(bytes: &[u8], head: &Head, out: &mut Vec<u8>) {
    // The run not yet copied: from the first byte of a name to behind the last byte of a value.
    let mut run: Option<(usize, usize)> = None;
    for field in &head.fields {
        if !field.keep {
            flush(bytes, &mut run, out);
            continue;
        }
        if field.value.is_empty() {
            flush(bytes, &mut run, out);
            out.extend_from_slice(field.name.of(bytes));
            out.extend_from_slice(b": \r\n");
            continue;
        }
        let (start, end) = (field.name.start as usize, field.value.end as usize);
        match &mut run {
            // Only CRLF lies between the two lines.
            Some((_, run_end)) if start == *run_end + 2 => *run_end = end,
            _ => {
                flush(bytes, &mut run, out);
                run = Some((start, end));
            }
        }
    }
    flush(bytes, &mut run, out);
    out.extend_from_slice(&head.added);
}

fn flush(bytes: &[u8], run: &mut Option<(usize, usize)>, out: &mut Vec<u8>) {
    if let Some((start, end)) = run.take() {
        out.extend_from_slice(&bytes[start..end]);
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends a request line. The version is always 1.1 (spec 4.2).
pub fn request_line(method: &[u8], target: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(method);
    out.push(b' ');
    out.extend_from_slice(target);
    out.extend_from_slice(b" HTTP/1.1\r\n");
}

/// Appends a status line with the standard reason phrase (spec 4.6).
pub fn status_line(version: Version, code: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(match version {
        Version::Http11 => b"HTTP/1.1 ",
        Version::Http10 => b"HTTP/1.0 ",
    });
    let mut digits = itoa::Buffer::new();
    let code_text = digits.format(code);
    out.extend_from_slice(code_text.as_bytes());
    out.push(b' ');
    match status::reason(code) {
        Some(reason) => out.extend_from_slice(reason.as_bytes()),
        None => {
            out.extend_from_slice(b"status code ");
            out.extend_from_slice(code_text.as_bytes());
        }
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests;
