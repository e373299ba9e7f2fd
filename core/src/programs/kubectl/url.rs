//! `-f http://…`: files that other hosts serve, and what is said where they can't be had.
//!
//! Models `cli-runtime/pkg/resource.URLVisitor` over Go's `net/http`.

use std::{net::SocketAddrV4, rc::Rc, time::Duration};

use super::{Cx, Error};
use crate::{
    api::gofmt::quote,
    fabric::{
        ConnectError,
        dns::ResolvConf,
        http::{self, HttpRequest, HttpResponse, Tls, Url},
    },
    programs::support::net,
};

/// How often an answer of a server in trouble is waited for.
const ATTEMPTS: usize = 3;
/// How long until the next try.
const PAUSE: Duration = Duration::from_secs(1);
/// How often Go follows another address.
const REDIRECTS: usize = 10;

/// The text at an address. Errors: the host can't be found or reached, or it does not give the file.
pub async fn read(cx: &Cx, text: &str) -> Result<String, Error> {
    let mut result = Err(Error::plain("no attempt was made"));
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            cx.proc.sleep(PAUSE).await;
        }
        let response = match get(cx, text).await {
            Ok(response) => response,
            Err(e) => {
                result = Err(e);
                continue;
            }
        };
        if response.status == 200 {
            return Ok(String::from_utf8_lossy(&response.body).into_owned());
        }
        let (code, word) = (response.status, http::reason(response.status));
        result = Err(Error::plain(format!(
            "unable to read URL {}, server reported {code} {word}, status code={code}",
            quote(text)
        )));
        if !(500..600).contains(&code) {
            break;
        }
    }
    result
}

/// `Unable to connect to the server: …`, as is said of whatever Go's client meets.
fn unable(why: impl std::fmt::Display) -> Error {
    Error::Bare(format!("Unable to connect to the server: {why}"))
}

async fn get(cx: &Cx, text: &str) -> Result<Rc<HttpResponse>, Error> {
    let mut url = Url::parse(text).map_err(|_| unable(format!("parse {}", quote(text))))?;
    for _ in 0..REDIRECTS {
        let response = once(cx, &url).await?;
        let moved = matches!(response.status, 301 | 302 | 303 | 307 | 308);
        let Some(location) = response.header("Location").filter(|_| moved) else {
            return Ok(response);
        };
        url = url.join(location).map_err(|_| unable(format!("parse {}", quote(location))))?;
    }
    Err(unable(format!("stopped after {REDIRECTS} redirects")))
}

async fn once(cx: &Cx, url: &Url) -> Result<Rc<HttpResponse>, Error> {
    let no_host = || {
        let conf = cx.proc.read_file("/etc/resolv.conf").unwrap_or_default();
        let server = ResolvConf::parse(&conf).servers.first().map(|s| format!(" on {s}:53"));
        let server = server.unwrap_or_default();
        unable(format!("dial tcp: lookup {}{server}: no such host", url.host))
    };
    let Some(endpoint) = net::endpoint(&cx.proc) else {
        // A machine without a network still has itself.
        let itself = url.host == "localhost" || url.host.parse::<std::net::Ipv4Addr>().is_ok();
        let refused = Error::Refused { url: url.to_string(), logged: 0 };
        return Err(if itself { refused } else { no_host() });
    };
    let address = net::resolve(&cx.proc, &url.host).await.map_err(|_| no_host())?;
    let conn = endpoint.connect(SocketAddrV4::new(address, url.port)).await.map_err(|why| {
        let place = format!("dial tcp {address}:{}", url.port);
        match why {
            ConnectError::Refused => Error::Refused { url: url.to_string(), logged: 0 },
            ConnectError::TimedOut => unable(format!("{place}: i/o timeout")),
            ConnectError::NoRoute => unable(format!("{place}: connect: no route to host")),
        }
    })?;
    if url.scheme == "https" {
        if endpoint.service_now::<Tls>(conn.peer()).is_err() {
            return Err(unable("http: server gave HTTP response to HTTPS client"));
        }
        return Err(unable(
            "tls: failed to verify certificate: x509: certificate signed by unknown authority",
        ));
    }
    let mut request = HttpRequest::get(url.host_header(), url.path.clone());
    request.headers.push(("User-Agent".into(), "Go-http-client/1.1".into()));
    http::request(&conn, Rc::new(request)).await.map_err(|_| unable("EOF"))
}
