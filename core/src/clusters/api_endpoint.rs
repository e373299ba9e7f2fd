//! The API server as machines reach it over the network: `curl` in a pod, with the pod's token.
//!
//! Certificates of clients are not carried by this network; tokens are. Who shows none is
//! `system:anonymous`.

use std::rc::Rc;

use crate::{
    client::{Client, User, rest},
    fabric::{
        Endpoint,
        http::{Answer, Handler, HttpRequest, HttpResponse, Reply, Tls, converse, reason},
    },
    machine::Proc,
    sim::channel,
};

/// Serves the API on a port until the process ends. `health` answers the probes of kubelets.
pub fn serve(proc: &Proc, client: &Client, port: u16, health: &Handler) {
    let Some(endpoint) = proc.machine().get::<Endpoint>() else { return };
    let tls = Rc::new(Tls { authority: client.authority() });
    let Ok(listener) = endpoint.listen_service(port, tls, false) else { return };
    listener.set_handler(health);
    let (client, spawner) = (client.clone(), proc.clone());
    proc.spawn_task(async move {
        loop {
            let link = listener.accept().await;
            let client = client.clone();
            spawner.spawn_task(async move {
                let asker = &client;
                converse(link, |request| async move { answer(asker, &request, None).await }).await;
            });
        }
    });
}

/// A request over the network as the API server answers it, for `user` or else for whose token it
/// carries.
pub async fn answer(client: &Client, request: &HttpRequest, user: Option<User>) -> Answer {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let headers = request.headers.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    let asked = rest::Request {
        certificate: None,
        method: request.method.to_string(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: headers.collect(),
        body: request.body.to_vec(),
        user,
    };
    let (to, mut from) = channel();
    client.serve(&asked, move |response| {
        to.send(response);
    });
    match from.recv().await {
        Some(response) => passed_on(response),
        None => plain(502, "the connection to the server was lost\n"),
    }
}

/// A text, as servers written in Go answer.
pub fn plain(status: u16, text: &str) -> Answer {
    let response = HttpResponse::new(status, "text/plain; charset=utf-8", text.as_bytes());
    Answer::Whole(response.with("X-Content-Type-Options", "nosniff"))
}

/// The server's response, as it goes on to whoever asked.
fn passed_on(response: rest::Response) -> Answer {
    let headers = response.headers.into_iter().map(|(name, value)| (name.into(), value.into()));
    let head =
        HttpResponse { status: response.status, headers: headers.collect(), body: Rc::default() };
    match response.body {
        rest::Body::Bytes(bytes) => Answer::Whole(HttpResponse { body: Rc::new(bytes), ..head }),
        rest::Body::Stream(pieces) => Answer::Pieces(head, pieces),
        rest::Body::Upgrade(..) => {
            plain(501, &format!("{}: web sockets are not carried here\n", reason(501)))
        }
    }
}

/// What a probe is answered.
pub fn healthy(route: &str) -> Reply {
    let status = match route {
        "/health" | "/healthz" | "/livez" | "/ready" | "/readyz" => 200,
        _ => 404,
    };
    let body = if status == 200 { "ok" } else { "404 page not found\n" };
    Reply::now(HttpResponse::new(status, "text/plain; charset=utf-8", body))
}
