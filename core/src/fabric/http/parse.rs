//! HTTP messages from bytes, as far as a server or client of HTTP/1.x must read them.

use std::{borrow::Cow, rc::Rc};

use super::{Header, HttpRequest, HttpResponse, find};

/// What a look at the bytes so far yields.
#[derive(Debug, PartialEq, Eq)]
pub enum Parsed<T> {
    /// More is needed.
    Partial,
    /// A whole message and how many bytes it took.
    Complete(T, usize),
    /// Not HTTP.
    Invalid,
}

/// The longest head that is read (nginx: four buffers of 8 kB).
const HEAD_LIMIT: usize = 32_768;

struct Head<'a> {
    first: &'a str,
    headers: Vec<Header>,
    length: usize,
}

fn head(bytes: &[u8]) -> Parsed<Head<'_>> {
    let Some(end) = find_head_end(bytes) else {
        return if bytes.len() > HEAD_LIMIT { Parsed::Invalid } else { Parsed::Partial };
    };
    let Ok(text) = std::str::from_utf8(&bytes[..end]) else { return Parsed::Invalid };
    let mut lines = text.split('\n').map(|l| l.strip_suffix('\r').unwrap_or(l));
    let first = lines.next().unwrap_or_default();
    let mut headers: Vec<Header> = Vec::new();
    for line in lines.take_while(|l| !l.is_empty()) {
        let Some((name, value)) = line.split_once(':') else { return Parsed::Invalid };
        let (name, value) = (name.trim().to_string(), value.trim().to_string());
        headers.push((Cow::Owned(name), Cow::Owned(value)));
    }
    Parsed::Complete(Head { first, headers, length: end }, end)
}

/// Where the head ends: after an empty line, ended by CRLF or LF alone.
fn find_head_end(bytes: &[u8]) -> Option<usize> {
    let mut start = 0;
    while let Some(at) = bytes[start..].iter().position(|b| *b == b'\n') {
        let line = &bytes[start..start + at];
        if (line.is_empty() || line == b"\r") && start > 0 {
            return Some(start + at + 1);
        }
        start += at + 1;
    }
    None
}

/// Takes a body of known or chunked length; `None` while it is not all there.
fn body(bytes: &[u8], head: &Head<'_>, to_end: bool) -> Option<(Vec<u8>, usize)> {
    let rest = bytes.get(head.length..)?;
    if find(&head.headers, "Transfer-Encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked")) {
        return chunks(rest).map(|(body, used)| (body, head.length + used));
    }
    match find(&head.headers, "Content-Length").and_then(|v| v.parse::<usize>().ok()) {
        Some(length) => Some((rest.get(..length)?.to_vec(), head.length + length)),
        None if to_end => Some((rest.to_vec(), bytes.len())),
        None => Some((Vec::new(), head.length)),
    }
}

fn chunks(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut out, mut at) = (Vec::new(), 0);
    loop {
        let end = at + bytes.get(at..)?.iter().position(|b| *b == b'\n')?;
        let size = std::str::from_utf8(&bytes[at..end]).ok()?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        at = end + 1;
        out.extend_from_slice(bytes.get(at..at.checked_add(size)?)?);
        at += size;
        at += bytes.get(at..)?.iter().position(|b| *b == b'\n')? + 1;
        if size == 0 {
            return Some((out, at));
        }
    }
}

/// Reads a request from the bytes that have come so far.
pub fn parse_request(bytes: &[u8]) -> Parsed<HttpRequest> {
    let mut head = match head(bytes) {
        Parsed::Complete(head, _) => head,
        Parsed::Partial => return Parsed::Partial,
        Parsed::Invalid => return Parsed::Invalid,
    };
    let mut words = head.first.split_whitespace();
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Parsed::Invalid };
    let version = words.next().unwrap_or("HTTP/0.9");
    let token = method.bytes().all(|b| b.is_ascii_uppercase());
    if !token || !version.starts_with("HTTP/") || !path.starts_with(['/', '*']) {
        return Parsed::Invalid;
    }
    let Some((body, used)) = body(bytes, &head, false) else { return Parsed::Partial };
    if version != "HTTP/1.1" && find(&head.headers, "Connection").is_none() {
        head.headers.push(("Connection".into(), "close".into()));
    }
    let host = find(&head.headers, "Host").unwrap_or_default().to_string();
    head.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("Host"));
    let request = HttpRequest {
        method: Cow::Owned(method.to_string()),
        path: path.to_string(),
        host,
        headers: head.headers,
        body: Rc::new(body),
    };
    Parsed::Complete(request, used)
}

/// Reads a response from the bytes that have come so far. `ended`: no more will come, which ends
/// a body of unknown length.
pub fn parse_response(bytes: &[u8], ended: bool) -> Parsed<HttpResponse> {
    let head = match head(bytes) {
        Parsed::Complete(head, _) => head,
        Parsed::Partial => return Parsed::Partial,
        Parsed::Invalid => return Parsed::Invalid,
    };
    let mut words = head.first.split_whitespace();
    let version = words.next().unwrap_or_default();
    let status = words.next().and_then(|w| w.parse().ok());
    let (true, Some(status)) = (version.starts_with("HTTP/"), status) else {
        return Parsed::Invalid;
    };
    let open_ended = find(&head.headers, "Content-Length").is_none()
        && find(&head.headers, "Transfer-Encoding").is_none()
        && status != 204
        && status != 304;
    if open_ended && !ended {
        return Parsed::Partial;
    }
    let Some((body, used)) = body(bytes, &head, open_ended) else { return Parsed::Partial };
    let response = HttpResponse { status, headers: head.headers, body: Rc::new(body) };
    Parsed::Complete(response, used)
}
