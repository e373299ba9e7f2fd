//! Requests of a connection: read whole, asked of the simulation, answered.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response, StatusCode,
    body::{Body, Bytes, Frame, Incoming},
    header::{HeaderName, HeaderValue},
};
use sandbar_core::{
    apiserver::rest::{self, MAX_BODY},
    client::User,
};
use tokio::{sync::oneshot, time::timeout};

use crate::{
    clients::{Clients, Holder},
    engine::Engine,
    proto, sandbar,
    spdy::Wire,
    upgrade,
    users::Tokens,
    wire::{Answer, Carried, Pieces, pack},
};

/// How long a body may take to arrive.
const BODY: Duration = Duration::from_secs(60);

/// So much of a body is taken before the connection is given up.
const MOST_TAKEN: usize = 64 << 20;

/// What all connections share.
pub struct Shared {
    /// The simulation.
    pub engine: Engine,
    /// Tokens that the endpoint knows.
    pub tokens: Tokens,
    /// Whose certificates it knows.
    pub clients: Arc<Clients>,
}

/// What responses carry.
pub type Out = UnsyncBoxBody<Bytes, Infallible>;

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.poll(cx).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes.into()))))
    }
}

/// A whole body.
pub fn whole(bytes: impl Into<Bytes>) -> Out {
    Full::new(bytes.into()).boxed_unsync()
}

/// A failure as the API words it.
pub fn status(code: u16, reason: &'static str, message: &str) -> Response<Out> {
    let value = sandbar_core::api::Status::new(code, reason, message).to_value();
    json(code, &value)
}

/// A JSON document.
pub fn json(code: u16, value: &serde_json::Value) -> Response<Out> {
    let mut response = Response::new(whole(format!("{value}\n")));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or_default();
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, json);
    response
}

/// Answers one request. `holder` is whom the connection's certificate is about.
pub async fn answer(
    shared: Arc<Shared>,
    holder: Option<Holder>,
    mut request: Request<Incoming>,
) -> Result<Response<Out>, Infallible> {
    let (user, certificate) = match holder {
        Some(Holder::Known(user)) => (Some(user), None),
        Some(Holder::Other(pem)) => (None, Some(pem)),
        None => (None, None),
    };
    let user = known(&shared, user, &request);
    let switch = hyper::upgrade::on(&mut request);
    let (head, body) = request.into_parts();
    let body = match timeout(BODY, read(body)).await {
        Ok(Ok(body)) => body,
        Ok(Err(refused)) => return Ok(refused),
        Err(_) => return Ok(status(408, "Timeout", "the request's body did not arrive in time")),
    };
    let path = head.uri.path().to_owned();
    if path.starts_with("/sandbar/") {
        return Ok(sandbar::answer(
            &shared.engine,
            user.as_ref(),
            head.method.as_str(),
            &path,
            &body,
        )
        .await);
    }
    let headers = head.headers.iter().filter_map(|(name, value)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    });
    let mut headers: Vec<(String, String)> = headers.collect();
    if let (true, Some(host)) = (head.headers.get("host").is_none(), head.uri.authority()) {
        headers.push(("host".into(), host.to_string()));
    }
    let body = match from_proto(&mut headers, body) {
        Ok(body) => body,
        Err(why) => return Ok(status(400, "BadRequest", &why)),
    };
    let request = rest::Request {
        certificate,
        method: head.method.as_str().to_owned(),
        path,
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers,
        body,
        user,
    };
    let key = head.headers.get("sec-websocket-key").cloned();
    let is_spdy = request.is_upgrade("spdy/3.1");
    let query = request.query.clone();
    let Some(answer) = ask(&shared.engine, request).await else {
        return Ok(status(503, "ServiceUnavailable", "the API server is not running"));
    };
    Ok(match answer.body {
        Carried::Bytes(bytes) => respond(answer.status, &answer.headers, whole(bytes)),
        Carried::Stream(pieces) => respond(answer.status, &answer.headers, pieces.boxed_unsync()),
        Carried::Messages(protocol, to, from) if is_spdy => {
            let engine = shared.engine.clone();
            let expected = crate::spdy_process::expected(&query);
            upgrade::switch_spdy(protocol, switch, move |io| {
                crate::spdy_process::run(io, to, from, (expected, engine))
            })
        }
        Carried::Ports(protocol, dial) if is_spdy => {
            let engine = shared.engine.clone();
            upgrade::switch_spdy(protocol, switch, move |io| {
                crate::spdy::ports(Wire::Raw(io), dial, engine)
            })
        }
        Carried::Messages(protocol, to, from) => {
            let engine = shared.engine.clone();
            upgrade::switch(key, protocol, switch, move |socket| {
                upgrade::messages(socket, to, from, engine)
            })
        }
        Carried::Ports(protocol, dial) => {
            let engine = shared.engine.clone();
            upgrade::switch(key, protocol, switch, move |socket| {
                crate::spdy::ports(Wire::Socket(Box::new(socket)), dial, engine)
            })
        }
    })
}

/// A body, whole. What is too large is still taken, up to a point: whoever hangs up on a client that
/// is sending may take the answer with it.
async fn read(mut body: Incoming) -> Result<Vec<u8>, Response<Out>> {
    let (mut bytes, mut count) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| status(400, "BadRequest", &error.to_string()))?;
        let Ok(data) = frame.into_data() else { continue };
        count += data.len();
        if count <= MAX_BODY {
            bytes.extend_from_slice(&data);
        } else if count > MOST_TAKEN {
            break;
        }
    }
    if count > MAX_BODY {
        let why = format!("Request entity too large: limit is {MAX_BODY}");
        return Err(status(413, "RequestEntityTooLarge", &why));
    }
    Ok(bytes)
}

/// A protobuf body as JSON; others as they are.
fn from_proto(headers: &mut [(String, String)], body: Vec<u8>) -> Result<Vec<u8>, String> {
    let kind = headers.iter_mut().find(|(name, _)| name == "content-type");
    let Some((_, kind)) = kind.filter(|(_, kind)| kind.starts_with(proto::MEDIA_TYPE)) else {
        return Ok(body);
    };
    *kind = "application/json".into();
    if body.is_empty() {
        return Ok(body);
    }
    let value = proto::to_json(&body).map_err(|why| {
        format!("the object provided is unrecognized: couldn't get version/kind; {why}")
    })?;
    Ok(value.to_string().into_bytes())
}

/// Who the certificate or a token of the endpoint's own says that this is; all other tokens are the
/// API server's business.
fn known(shared: &Shared, certificate: Option<User>, request: &Request<Incoming>) -> Option<User> {
    let header = request.headers().get("authorization").and_then(|v| v.to_str().ok());
    let token = header.and_then(|h| h.strip_prefix("Bearer "));
    certificate.or_else(|| shared.tokens.find(token?.trim()).cloned())
}

/// Asks the simulation. `None` where there is no API server.
async fn ask(engine: &Engine, request: rest::Request) -> Option<Answer> {
    let (to, from) = oneshot::channel();
    let (own, _busy) = (engine.clone(), engine.count());
    engine.send(move |state| {
        let Some(client) = state.world.client() else { return };
        let sim = client.sim().clone();
        client.serve(&request, move |response| {
            let _ = to.send(pack(&sim, response, &own)); // the client may be gone
        });
    });
    from.await.ok()
}

fn respond(code: u16, headers: &[(String, String)], body: Out) -> Response<Out> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or_default();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        // Bytes beyond ASCII are allowed in header values, line ends are not.
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
            response.headers_mut().append(name, value);
        }
    }
    response
}
