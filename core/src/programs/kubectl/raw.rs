//! `--raw`: requests to paths of the API, as they are.

use super::{Conn, Cx, Error, flags::Parsed, global};
use crate::{
    api::{Status, gofmt::quote},
    client::{
        rest::{Body, Request},
        tap::Exchange,
    },
    sim::channel,
};

/// Sends what `-f` names to the path that `--raw` names and prints the answer. Models
/// `kubectl/pkg/rawhttp`, and the checks of the verbs that use it.
pub async fn run(cx: &Cx, conn: &Conn, p: &Parsed, method: &str) -> Result<(), Error> {
    let body = match p.list("filename") {
        [] if method == "DELETE" => Vec::new(),
        [name] if name.starts_with("http://") || name.starts_with("https://") => {
            return Err(Error::plain("--raw cannot read from a url"));
        }
        [name] if name == "-" => cx.proc.read_to_end().await,
        [name] => cx
            .proc
            .read_file(name)
            .map_err(|e| Error::plain(format!("open {name}: {}", e.to_string().to_lowercase())))?,
        _ => return Err(Error::plain("--raw can only use a single local file or stdin")),
    };
    for flag in ["recursive", "output"] {
        if p.changed(flag) && p.str(flag) != "false" {
            return Err(Error::plain(format!("--raw and --{flag} are mutually exclusive")));
        }
    }
    send(cx, conn, p, method, body).await
}

/// Sends a request and prints what is answered, as it comes. Errors: the server's refusal.
pub async fn send(
    cx: &Cx,
    conn: &Conn,
    p: &Parsed,
    method: &str,
    body: Vec<u8>,
) -> Result<(), Error> {
    let uri = p.str("raw");
    if !uri.starts_with('/') {
        let uri = quote(uri);
        return Err(Error::plain(format!(
            "--raw must be a valid URL path: parse {uri}: invalid URI for request"
        )));
    }
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let mut headers = vec![
        ("Accept".to_owned(), "application/json, */*".to_owned()),
        ("User-Agent".to_owned(), "kubectl".to_owned()),
    ];
    if !body.is_empty() {
        headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
    }
    let user = conn.client.user().clone();
    let request = Request {
        certificate: None,
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body,
        user: Some(user),
    };
    let (to, mut from) = channel();
    conn.client.serve(&request, move |response| {
        to.send(response);
    });
    let Some(answered) = global::within(cx, p, from.recv()).await? else {
        return Err(Error::Bare(
            "Unable to connect to the server: context deadline exceeded (Client.Timeout exceeded \
             while awaiting headers)"
                .into(),
        ));
    };
    let Some(response) = answered else {
        return Err(Error::plain("the connection to the server was lost"));
    };
    conn.client.tell(|| Exchange {
        method: match method {
            "DELETE" => "DELETE",
            "POST" => "POST",
            "PUT" => "PUT",
            _ => "GET",
        },
        path: request.path.clone(),
        query: request.query.clone(),
        accept: "application/json, */*",
        status: response.status,
        answer: match &response.body {
            Body::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            _ => String::new(),
        },
        ..Exchange::default()
    });
    for (name, value) in &response.headers {
        if name.eq_ignore_ascii_case("warning") {
            let text = value.split('"').nth(1).unwrap_or(value);
            cx.err(&format!("Warning: {text}\n")).await;
        }
    }
    match response.body {
        Body::Bytes(bytes) if response.status >= 400 => Err(refusal(response.status, &bytes)),
        Body::Bytes(bytes) => {
            cx.write(1, &bytes).await;
            Ok(())
        }
        Body::Stream(mut pieces) => {
            let copied = async {
                while let Some(bytes) = pieces.recv().await {
                    cx.write(1, &bytes).await;
                }
                Ok(())
            };
            global::within(cx, p, copied).await?.unwrap_or_else(|| {
                Err(Error::plain(
                    "context deadline exceeded (Client.Timeout or context cancellation while \
                     reading body)",
                ))
            })
        }
        Body::Upgrade(..) => Err(Error::plain("the server asks for a web socket")),
    }
}

/// What went wrong, in the words of the client where the server has none for it.
fn refusal(code: u16, body: &[u8]) -> Error {
    let status = serde_json::from_slice(body).ok().and_then(|v| Status::from_value(&v));
    let text = match code {
        404 => ("NotFound", "the server could not find the requested resource"),
        405 => {
            ("MethodNotAllowed", "the server does not allow this method on the requested resource")
        }
        _ => ("", "the server rejected our request for an unknown reason"),
    };
    status.unwrap_or_else(|| Status::new(code, text.0, text.1)).into()
}
