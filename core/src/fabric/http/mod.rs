//! HTTP/1.1: messages, their wire form, and the two sides of asking.

mod client;
mod converse;
mod parse;
mod server;

use std::{borrow::Cow, rc::Rc};

pub use client::{
    AnsweredBy, HttpAnswer, HttpError, HttpOptions, exchange, http_get, probe, request,
};
pub use converse::{Answer, converse};
pub use parse::{Parsed, parse_request, parse_response};
pub use server::{Handler, Reply, Server, Spawn, serve};
pub use url::Url;

mod url;

/// A header's name and value.
pub type Header = (Cow<'static, str>, Cow<'static, str>);

/// Says of a port that it speaks TLS: hang it on the listener with `listen_service`. Nothing is
/// encrypted here; what matters is that who asks in plain words is told apart, and by whom the
/// server's certificate is signed.
#[derive(Default)]
pub struct Tls {
    /// The certificate of the authority that signed the server's, as PEM; empty for one that the
    /// server signed itself.
    pub authority: String,
}

/// A request. Share one for requests that repeat: sending it again costs nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// `GET`.
    pub method: Cow<'static, str>,
    /// Path and query, beginning with `/`.
    pub path: String,
    /// The `Host` header.
    pub host: String,
    /// All other headers, in order.
    pub headers: Vec<Header>,
    /// The body; its length is sent along.
    pub body: Rc<Vec<u8>>,
}

impl HttpRequest {
    /// A GET without further headers.
    pub fn get(host: impl Into<String>, path: impl Into<String>) -> Self {
        HttpRequest {
            method: Cow::Borrowed("GET"),
            path: path.into(),
            host: host.into(),
            headers: Vec::new(),
            body: Rc::default(),
        }
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The path without its query.
    pub fn route(&self) -> &str {
        self.path.split('?').next().unwrap_or("/")
    }

    /// A parameter of the query, as it stands there.
    pub fn query(&self, name: &str) -> Option<&str> {
        let (_, query) = self.path.split_once('?')?;
        query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (key == name).then_some(value)
        })
    }

    /// Whether the connection stays open after it.
    pub fn keeps_alive(&self) -> bool {
        !self.header("Connection").is_some_and(|v| v.eq_ignore_ascii_case("close"))
    }

    /// Request line and headers, with the empty line that ends them.
    pub fn head(&self) -> Vec<u8> {
        let mut out = format!("{} {} HTTP/1.1\r\n", self.method, self.path).into_bytes();
        if !self.host.is_empty() {
            out.extend(format!("Host: {}\r\n", self.host).into_bytes());
        }
        put_headers(&mut out, &self.headers);
        if !self.body.is_empty() && self.header("Content-Length").is_none() {
            out.extend(format!("Content-Length: {}\r\n", self.body.len()).into_bytes());
        }
        out.extend(b"\r\n");
        out
    }

    /// As it goes over the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.head();
        out.extend(self.body.iter());
        out
    }
}

/// A response. Share one that is sent often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status.
    pub status: u16,
    /// All headers but `Content-Length` and `Connection`, in order.
    pub headers: Vec<Header>,
    /// The body.
    pub body: Rc<Vec<u8>>,
}

impl HttpResponse {
    /// A response with a content type.
    pub fn new(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        HttpResponse {
            status,
            headers: vec![("Content-Type".into(), content_type.into())],
            body: Rc::new(body.into()),
        }
    }

    /// Adds a header.
    pub fn with(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The `Content-Type`, empty if none.
    pub fn content_type(&self) -> &str {
        self.header("Content-Type").unwrap_or_default()
    }

    /// The status line without its end.
    pub fn status_line(&self) -> String {
        format!("HTTP/1.1 {} {}", self.status, reason(self.status))
    }

    /// Status line and headers, with the empty line that ends them.
    pub fn head(&self) -> Vec<u8> {
        let mut out = format!("{}\r\n", self.status_line()).into_bytes();
        put_headers(&mut out, &self.headers);
        if self.header("Content-Length").is_none() {
            out.extend(format!("Content-Length: {}\r\n", self.body.len()).into_bytes());
        }
        out.extend(b"\r\n");
        out
    }

    /// As it goes over the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.head();
        out.extend(self.body.iter());
        out
    }
}

fn find<'a>(headers: &'a [Header], name: &str) -> Option<&'a str> {
    headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_ref())
}

fn put_headers(out: &mut Vec<u8>, headers: &[Header]) {
    for (name, value) in headers {
        out.extend(name.bytes());
        out.extend(b": ");
        out.extend(value.bytes());
        out.extend(b"\r\n");
    }
}

/// What a status is called.
pub fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        413 => "Request Entity Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Unknown",
    }
}
