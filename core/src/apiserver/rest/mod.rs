//! The Kubernetes REST API: one HTTP-shaped request in, one HTTP-shaped response out.
//!
//! No sockets and no TLS: whoever has a request (the native server, `kubectl get --raw`) hands it to
//! [`ApiServer::serve`]. Routes, discovery and formats follow from the table of kinds; nobody lists
//! kinds a second time. Subresources are one line each in [`sub`].
//!
//! Invariant: every failure is answered with a `metav1.Status`, whatever was sent; nothing panics.
//!
//! Models `staging/src/k8s.io/apiserver/pkg/endpoints`.

mod body;
pub mod channels;
mod columns;
mod discovery;
mod encoded;
mod health;
mod metrics;
mod negotiate;
pub(super) mod openapi;
mod pages;
mod path;
pub mod port_channels;
mod proxy;
mod read;
mod scale;
mod streams;
mod sub;
mod tables;
#[cfg(test)]
mod tests;
mod watch;
mod write;

use std::rc::Rc;

pub(super) use self::{encoded::Texts, metrics::Counts, pages::Pages};

use serde_json::Value;

use self::{
    negotiate::Accept,
    path::{Parameters, Target},
};
use super::{
    ApiServer, FieldValidation, RequestCx, User,
    auth::{Attributes, Credentials, Impersonation},
    connect::PortStreams,
};
use crate::{
    api::{Kind, Status},
    sim::{Cause, Receiver, trace::Fact},
};

/// The largest body that is read (`MaxRequestBodyBytes`).
pub const MAX_BODY: usize = 3 << 20;

/// A request as it came over the wire.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `POST` …
    pub method: String,
    /// `/api/v1/pods`, still percent-encoded.
    pub path: String,
    /// What follows the question mark.
    pub query: String,
    /// Header fields; names in any case.
    pub headers: Vec<(String, String)>,
    /// The body, all of it.
    pub body: Vec<u8>,
    /// Who asks, where the connection or whoever passes the request on knows it; otherwise the
    /// `Authorization` header says it.
    pub user: Option<User>,
    /// A certificate in PEM form whose key the client was found to hold, and which is for the API
    /// server to judge.
    pub certificate: Option<String>,
}

impl Request {
    /// A GET without headers.
    pub fn get(path: &str, query: &str, user: Option<User>) -> Self {
        Request {
            method: "GET".into(),
            path: path.into(),
            query: query.into(),
            headers: Vec::new(),
            body: Vec::new(),
            user,
            certificate: None,
        }
    }

    /// A header's value; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value.as_str())
    }

    /// Whether the client wants to switch to this protocol: `websocket`, `spdy/3.1`.
    pub fn is_upgrade(&self, protocol: &str) -> bool {
        let has = |name: &str, word: &str| {
            self.header(name).split(',').any(|part| part.trim().eq_ignore_ascii_case(word))
        };
        has("connection", "upgrade") && has("upgrade", protocol)
    }

    /// All values of a header.
    pub fn all_headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let found = self.headers.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// What a response carries.
pub enum Body {
    /// All of it.
    Bytes(Vec<u8>),
    /// Piece by piece, as it comes; ends when the sender is gone.
    Stream(Receiver<Vec<u8>>),
    /// The connection goes on as a WebSocket of this subprotocol, or as SPDY with this version of its
    /// streams, as the client asked.
    Upgrade(&'static str, Upgrade),
}

/// What a connection becomes.
pub enum Upgrade {
    /// Messages of `v5.channel.k8s.io`, both ways.
    Channels(channels::Channels),
    /// Messages of a port-forward without SPDY, both ways.
    PortChannels(port_channels::PortChannels),
    /// Connections to ports of a pod, in SPDY frames.
    Ports(Rc<dyn Fn(u16) -> Result<PortStreams, Status>>),
}

/// A response.
pub struct Response {
    /// HTTP status code.
    pub status: u16,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// What it carries.
    pub body: Body,
}

impl Response {
    /// A whole answer of a media type.
    pub fn bytes(status: u16, media_type: &str, bytes: Vec<u8>) -> Self {
        let headers = vec![
            ("Content-Type".to_owned(), media_type.to_owned()),
            ("Cache-Control".to_owned(), "no-cache, private".to_owned()),
        ];
        Response { status, headers, body: Body::Bytes(bytes) }
    }

    fn text(status: u16, text: &str) -> Self {
        Response::bytes(status, "text/plain; charset=utf-8", text.as_bytes().to_vec())
    }

    fn stream(media_type: &str, stream: Receiver<Vec<u8>>) -> Self {
        let mut response = Response::bytes(200, media_type, Vec::new());
        response.body = Body::Stream(stream);
        response
    }
}

/// A request, read: what every handler gets.
struct Call<'a> {
    api: &'a ApiServer,
    request: &'a Request,
    parameters: Parameters,
    accept: Accept,
    cx: RequestCx,
}

/// What a handler answers: at once, or when it can.
enum Answer {
    Now(Response),
    Later(Receiver<Response>),
}

type Handled = Result<Answer, Status>;

impl From<Response> for Answer {
    fn from(response: Response) -> Self {
        Answer::Now(response)
    }
}

impl ApiServer {
    /// Answers a request; `respond` is called once, before this returns unless the answer has to
    /// be waited for (requests that are passed on to pods).
    pub fn serve(&self, request: &Request, respond: impl FnOnce(Response) + 'static) {
        let parameters = Parameters::parse(&request.query);
        let accept = Accept::parse(request.header("accept"), &parameters, request);
        let cx = match self.context(request, &parameters) {
            Ok(cx) => cx,
            Err(status) => return respond(failure(&status, accept.as_ref().ok())),
        };
        let accept = match accept {
            Ok(accept) => accept,
            // Documents about the API have media types of their own.
            Err(_) if request.path.starts_with("/openapi/") => Accept::default(),
            Err(status) => return respond(failure(&status, None)),
        };
        let call = Call { api: self, request, parameters, accept, cx };
        match self.sim().under(call.cause(), || call.route()) {
            Ok(Answer::Now(response)) => {
                call.count(response.status);
                respond(call.warned(response));
            }
            Err(status) => {
                call.count(status.code);
                respond(call.warned(failure(&status, Some(&call.accept))));
            }
            Ok(Answer::Later(mut response)) => {
                self.sim().spawn(async move {
                    let lost = || {
                        let status = Status::internal("the connection to the pod was lost");
                        failure(&status, None)
                    };
                    respond(response.recv().await.unwrap_or_else(lost));
                });
            }
        }
    }
}

impl ApiServer {
    /// Who asks, as whom they want to act. Errors: Unauthorized, Forbidden.
    fn login_of(&self, request: &Request, manager: &str) -> Result<RequestCx, Status> {
        let mut wanted = Impersonation::default();
        for (name, value) in &request.headers {
            match name.to_ascii_lowercase().as_str() {
                "impersonate-user" => wanted.user.clone_from(value),
                "impersonate-uid" => wanted.uid.clone_from(value),
                "impersonate-group" => wanted.groups.push(value.clone()),
                name => {
                    if let Some(key) = name.strip_prefix("impersonate-extra-") {
                        let key = path::decode(key, false).unwrap_or_default();
                        wanted.extra.entry(key).or_default().push(value.clone());
                    }
                }
            }
        }
        let Some(user) = &request.user else {
            let token = request.header("authorization").strip_prefix("Bearer ");
            let certificate = request.certificate.clone();
            let shown = Credentials { certificate, token: token.map(str::to_owned) };
            return self.login(&shown, &wanted, manager);
        };
        let cx = RequestCx::new(user.clone().authenticated(), manager);
        match wanted.is_empty() {
            true => Ok(cx),
            false => Ok(RequestCx::new(self.impersonate(&cx, &wanted)?, manager)),
        }
    }

    /// Who asks on whose behalf, and how.
    fn context(&self, request: &Request, parameters: &Parameters) -> Result<RequestCx, Status> {
        let manager = match parameters.get("fieldManager") {
            Some(name) if !name.is_empty() => name.to_owned(),
            _ => {
                let agent = request.header("user-agent");
                agent.split('/').next().filter(|a| !a.is_empty()).unwrap_or("unknown").to_owned()
            }
        };
        let mut cx = self.login_of(request, &manager)?;
        let mut dry = parameters.all("dryRun").peekable();
        if dry.peek().is_some() {
            if let Some(other) = dry.find(|value| *value != "All") {
                let why = format!(
                    "invalid dryRun: [dryRun: Unsupported value: {other:?}: supported values: \"All\"]"
                );
                return Err(Status::bad_request(why));
            }
            cx = cx.dry_run(true);
        }
        cx.validation = match parameters.get("fieldValidation").unwrap_or("") {
            "" | "Warn" => FieldValidation::Warn,
            "Ignore" => FieldValidation::Ignore,
            "Strict" => FieldValidation::Strict,
            other => {
                let why = format!(
                    "fieldValidation: Unsupported value: {other:?}: supported values: \"Ignore\", \
                 \"Strict\", \"Warn\""
                );
                return Err(Status::bad_request(why));
            }
        };
        Ok(cx)
    }
}

impl Call<'_> {
    /// A request that may write comes from outside, whatever the server does otherwise.
    fn cause(&self) -> Cause {
        if matches!(self.method(), "GET" | "HEAD" | "OPTIONS") {
            return Cause::default();
        }
        let agent = self.request.header("user-agent").split(' ').next().unwrap_or_default();
        let (method, path) = (self.method(), &self.request.path);
        let text = format!("{method} {path} by {} {agent}", self.cx.user.name);
        let (sim, text) = (self.api.sim(), text.trim_end());
        sim.under(Cause::default(), || sim.record(Fact::Outside(text.into()), true))
    }

    fn method(&self) -> &str {
        &self.request.method
    }

    fn route(&self) -> Handled {
        let decoded = path::segments(&self.request.path);
        let Some(decoded) = decoded else { return Ok(page_not_found().into()) };
        let segments: Vec<&str> = decoded.iter().map(String::as_str).collect();
        match segments.as_slice() {
            ["api", _, _, ..] | ["apis", _, _, _, ..] => self.resource(&segments),
            other => {
                let verb = match self.method() {
                    "HEAD" => "get".into(),
                    method => method.to_ascii_lowercase(),
                };
                let path = &self.request.path;
                self.api.authorize(&self.cx, &Attributes::of_path(&verb, path))?;
                match other {
                    ["api" | "apis", ..] => Ok(self.discovery(other).into()),
                    ["openapi", "v2" | "v3", ..] => self.openapi(other),
                    _ => Ok(self.health(other).into()),
                }
            }
        }
    }

    /// A request about objects.
    fn resource(&self, segments: &[&str]) -> Handled {
        let Some(target) = Target::parse(segments) else { return Ok(page_not_found().into()) };
        let (kind, known) = {
            let kinds = self.api.kinds();
            let known =
                kinds.iter().any(|k| k.group == target.group && k.version == target.version);
            (kinds.by_resource(target.group, target.version, target.resource).cloned(), known)
        };
        let kind = match kind {
            Some(kind) => kind,
            None if known => return Err(no_such_resource()),
            None => return Ok(page_not_found().into()),
        };
        // A namespace in the path of something that has none, or a single object without one.
        let misplaced = !kind.namespaced && target.namespace.is_some();
        let nowhere = kind.namespaced && target.namespace.is_none() && target.name.is_some();
        if misplaced || nowhere {
            return Err(no_such_resource());
        }
        if let Some(text) = self.api.strategy(kind.id).deprecated() {
            self.cx.warn(text);
        }
        match target.subresource {
            Some(_) => self.subresource(&kind, &target),
            None => self.objects(&kind, &target),
        }
    }

    fn objects(&self, kind: &Rc<Kind>, target: &Target) -> Handled {
        let watch = self.parameters.flag("watch");
        let verb = match (self.method(), target.name) {
            ("GET" | "HEAD", _) if watch => "watch",
            ("GET" | "HEAD", Some(_)) => "get",
            ("GET" | "HEAD", None) => "list",
            ("POST", _) => "create",
            _ => "update",
        };
        if !kind.is_stored() && !kind.verbs().contains(&verb) {
            return Err(not_allowed());
        }
        match (self.method(), target.name) {
            ("GET" | "HEAD", name) if watch => self.watch(kind, target, name),
            ("GET" | "HEAD", Some(name)) => self.get(kind, target, name),
            ("GET" | "HEAD", None) => self.list(kind, target),
            ("POST", None) if !kind.namespaced || target.namespace.is_some() => {
                self.create(kind, target)
            }
            ("PUT", Some(name)) => self.update(kind, target, name, super::Subresource::Main),
            ("PATCH", Some(name)) => self.patch(kind, target, name, super::Subresource::Main),
            ("DELETE", Some(name)) => self.delete(kind, target, name),
            ("DELETE", None) => self.delete_collection(kind, target),
            _ => Err(not_allowed()),
        }
    }

    /// A document in the form that the client wants.
    fn document(&self, status: u16, value: &Value) -> Response {
        self.accept.encode(status, value)
    }

    fn warned(&self, mut response: Response) -> Response {
        for text in self.cx.warnings.take() {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace(['\n', '\r'], " ");
            response.headers.push(("Warning".into(), format!("299 - \"{text}\"")));
        }
        response
    }
}

/// 405, as the server words it for a path that has no such method.
fn not_allowed() -> Status {
    Status::new(
        405,
        "MethodNotAllowed",
        "the server does not allow this method on the requested resource",
    )
}

/// 404 for what a group version does not have.
fn no_such_resource() -> Status {
    Status::new(404, "NotFound", "the server could not find the requested resource")
}

/// 404 for paths that lead nowhere: no Status, plain text as Go's.
fn page_not_found() -> Response {
    Response::text(404, "404 page not found\n")
}

/// A failure in the form that the client wants.
fn failure(status: &Status, accept: Option<&Accept>) -> Response {
    let value = status.to_value();
    match accept {
        Some(accept) => accept.plain().encode(status.code, &value),
        None => Accept::default().encode(status.code, &value),
    }
}
