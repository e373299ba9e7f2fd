//! The asking side: one request, or an address followed to its page.

use std::{borrow::Cow, net::SocketAddrV4, rc::Rc, time::Duration};

use super::{Header, HttpRequest, HttpResponse, Parsed, Reply, Url, parse_response};
use crate::{
    fabric::{
        Conn, ConnectError, Endpoint, Frame, NameFiles,
        dns::{self, ResolveError},
    },
    sim::{Either, race},
};

/// The name of the endpoint that answered: a pod's or a machine's.
pub type AnsweredBy = Rc<str>;

/// How to ask.
#[derive(Clone)]
pub struct HttpOptions {
    /// `GET`.
    pub method: Cow<'static, str>,
    /// Headers beside `Host`.
    pub headers: Vec<Header>,
    /// The body.
    pub body: Rc<Vec<u8>>,
    /// Patience in all.
    pub timeout: Option<Duration>,
    /// Patience for connecting.
    pub connect_timeout: Option<Duration>,
    /// Redirects that are followed.
    pub redirects: u32,
    /// Where names are looked up; `None`: where the endpoint says.
    pub names: Option<Rc<dyn NameFiles>>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        HttpOptions {
            method: Cow::Borrowed("GET"),
            headers: Vec::new(),
            body: Rc::default(),
            timeout: None,
            connect_timeout: None,
            redirects: 0,
            names: None,
        }
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct HttpAnswer {
    /// The response.
    pub response: Rc<HttpResponse>,
    /// Who sent it.
    pub by: AnsweredBy,
    /// The address that answered.
    pub from: SocketAddrV4,
    /// The page's address, after redirects.
    pub url: Url,
    /// The request that was answered.
    pub request: Rc<HttpRequest>,
}

/// Why no answer came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpError {
    /// The address can't be used, in words.
    BadUrl(String),
    /// The host's name was not found.
    Resolve(String, ResolveError),
    /// No connection.
    Connect(SocketAddrV4, ConnectError),
    /// It took too long. Whether the connection stood.
    TimedOut {
        /// Whether the connection stood.
        connected: bool,
    },
    /// The connection was closed without an answer.
    Empty,
    /// The connection was reset.
    Reset,
    /// The answer was not HTTP.
    NotHttp,
    /// Too many redirects.
    Redirects(u32),
}

/// In the few words a browser says.
impl std::fmt::Display for HttpError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            HttpError::BadUrl(why) => f.write_str(why),
            HttpError::Resolve(name, _) => write!(f, "could not resolve {name}"),
            HttpError::Connect(_, error) => write!(f, "{error}"),
            HttpError::TimedOut { .. } => f.write_str("timed out"),
            HttpError::Empty => f.write_str("the connection was closed without an answer"),
            HttpError::Reset => f.write_str("connection reset"),
            HttpError::NotHttp => f.write_str("the answer was not HTTP"),
            HttpError::Redirects(n) => write!(f, "stopped after {n} redirects"),
        }
    }
}

/// One request over a connection that stands.
///
/// # Errors
/// Where no answer came.
pub async fn request(conn: &Conn, request: Rc<HttpRequest>) -> Result<Rc<HttpResponse>, HttpError> {
    conn.send(Frame::Request(request)).map_err(|_| HttpError::Reset)?;
    let mut raw = Vec::new();
    loop {
        let (bytes, ended) = match conn.recv().await {
            Ok(Some(Frame::Response(response))) if raw.is_empty() => return Ok(response),
            Ok(Some(frame)) => (frame.into_bytes(), false),
            Ok(None) if raw.is_empty() => return Err(HttpError::Empty),
            Ok(None) => (Vec::new(), true),
            Err(_) => return Err(HttpError::Reset),
        };
        raw.extend(bytes);
        match parse_response(&raw, ended) {
            Parsed::Complete(response, _) => return Ok(Rc::new(response)),
            Parsed::Partial if !ended => {}
            _ if !raw.starts_with(b"HTTP/") || !ended => return Err(HttpError::NotHttp),
            _ => return Err(HttpError::Empty),
        }
    }
}

/// One request to an address over a connection of its own.
///
/// # Errors
/// Where no answer came.
pub async fn exchange(
    endpoint: &Endpoint,
    to: SocketAddrV4,
    what: Rc<HttpRequest>,
) -> Result<(Rc<HttpResponse>, AnsweredBy), HttpError> {
    let conn = endpoint.connect(to).await.map_err(|error| HttpError::Connect(to, error))?;
    let response = request(&conn, what).await?;
    Ok((response, conn.peer_name()))
}

/// As [`exchange`], within `timeout`: what a probe does.
///
/// # Errors
/// Where no answer came in time.
pub async fn probe(
    endpoint: &Endpoint,
    to: SocketAddrV4,
    what: Rc<HttpRequest>,
    timeout: Duration,
) -> Result<Rc<HttpResponse>, HttpError> {
    let sim = endpoint.sim();
    let end = sim.now() + timeout;
    let (after, result) = match endpoint.ask_now(to, &what) {
        Some(asked) => asked,
        None => {
            let asking = exchange(endpoint, to, what);
            return match race(asking, sim.sleep_until(end)).await {
                Either::Left(result) => result.map(|(response, _)| response),
                Either::Right(()) => Err(HttpError::TimedOut { connected: false }),
            };
        }
    };
    if after <= timeout {
        sim.sleep(after).await;
    }
    let late = HttpError::TimedOut { connected: result.is_ok() };
    if after > timeout {
        sim.sleep_until(end).await;
        return Err(late);
    }
    let mut reply = result.map_err(|error| HttpError::Connect(to, error))?;
    while let Reply::Later(future) = reply {
        match race(future, sim.sleep_until(end)).await {
            Either::Left(Reply::Now(response, takes)) if sim.now() + takes <= end => {
                sim.sleep(takes).await;
                return Ok(response);
            }
            Either::Left(Reply::Now(..)) => reply = Reply::Hang,
            Either::Left(next) => reply = next,
            Either::Right(()) => return Err(late),
        }
    }
    match reply {
        Reply::Now(response, _) => Ok(response),
        Reply::Close => Err(HttpError::Empty),
        Reply::Hang | Reply::Later(_) => {
            sim.sleep_until(end).await;
            Err(late)
        }
    }
}

/// Asks for an address, as a browser does.
///
/// # Errors
/// Where no answer came.
pub async fn http_get(
    endpoint: &Endpoint,
    url: &str,
    options: &HttpOptions,
) -> Result<HttpAnswer, HttpError> {
    let connected = Rc::new(std::cell::Cell::new(false));
    let asking = follow(endpoint, url, options, connected.clone());
    match options.timeout {
        None => asking.await,
        Some(timeout) => match race(asking, endpoint.sim().sleep(timeout)).await {
            Either::Left(result) => result,
            Either::Right(()) => Err(HttpError::TimedOut { connected: connected.get() }),
        },
    }
}

async fn follow(
    endpoint: &Endpoint,
    url: &str,
    options: &HttpOptions,
    connected: Rc<std::cell::Cell<bool>>,
) -> Result<HttpAnswer, HttpError> {
    let mut url = Url::parse(url).map_err(HttpError::BadUrl)?;
    let (mut method, mut body) = (options.method.clone(), options.body.clone());
    let mut followed = 0;
    loop {
        if url.scheme == "https" {
            return Err(HttpError::BadUrl("TLS is not simulated: use http://".into()));
        }
        let what = HttpRequest {
            method: method.clone(),
            path: url.path.clone(),
            host: url.host_header(),
            headers: options.headers.clone(),
            body: body.clone(),
        };
        let what = Rc::new(what);
        let conn = connect(endpoint, &url, options).await?;
        connected.set(true);
        let response = request(&conn, what.clone()).await?;
        let redirect = matches!(response.status, 301 | 302 | 303 | 307 | 308);
        let location = response.header("Location").filter(|_| redirect && options.redirects > 0);
        let Some(location) = location else {
            let (by, from) = (conn.peer_name(), conn.peer());
            return Ok(HttpAnswer { response, by, from, url, request: what });
        };
        if followed == options.redirects {
            return Err(HttpError::Redirects(followed));
        }
        followed += 1;
        url = url.join(location).map_err(HttpError::BadUrl)?;
        if response.status < 304 && method != "HEAD" {
            (method, body) = (Cow::Borrowed("GET"), Rc::default());
        }
    }
}

async fn connect(endpoint: &Endpoint, url: &Url, options: &HttpOptions) -> Result<Conn, HttpError> {
    let connecting = async {
        let names = options.names.clone().or_else(|| endpoint.names());
        let addresses = dns::resolve(endpoint, names.as_deref(), &url.host).await;
        let addresses = addresses.map_err(|e| HttpError::Resolve(url.host.clone(), e))?;
        let mut last = HttpError::Resolve(url.host.clone(), ResolveError::NotFound);
        for address in addresses {
            let to = SocketAddrV4::new(address, url.port);
            match endpoint.connect(to).await {
                Ok(conn) => return Ok(conn),
                Err(error) => last = HttpError::Connect(to, error),
            }
        }
        Err(last)
    };
    match options.connect_timeout {
        None => connecting.await,
        Some(timeout) => match race(connecting, endpoint.sim().sleep(timeout)).await {
            Either::Left(result) => result,
            Either::Right(()) => Err(HttpError::TimedOut { connected: false }),
        },
    }
}
