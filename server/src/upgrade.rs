//! Connections that become WebSockets: the switch, and messages that are passed on as they are.

use std::future::Future;

use futures_util::{SinkExt, StreamExt};
use hyper::{
    Response, StatusCode,
    header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL, UPGRADE},
    upgrade::{OnUpgrade, Upgraded},
};
use hyper_util::rt::TokioIo;
use tokio::sync::mpsc;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        handshake::derive_accept_key,
        protocol::{CloseFrame, frame::coding::CloseCode},
        protocol::{Role, WebSocketConfig},
    },
};

use crate::{
    engine::Engine,
    http::{Out, status, whole},
    wire::Pieces,
};

/// A connection that became a WebSocket.
pub type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// The largest message that is taken.
const LARGEST: usize = 1 << 20;

/// Answers that the connection is switched, and goes on with it in `run`.
pub fn switch<F: Future<Output = ()> + Send + 'static>(
    key: Option<HeaderValue>,
    protocol: &'static str,
    switch: OnUpgrade,
    run: impl FnOnce(Socket) -> F + Send + 'static,
) -> Response<Out> {
    let accept = key.map(|key| derive_accept_key(key.as_bytes()));
    let Some(accept) = accept.and_then(|a| HeaderValue::from_str(&a).ok()) else {
        return status(400, "BadRequest", "the header Sec-WebSocket-Key is missing");
    };
    tokio::spawn(async move {
        let Ok(upgraded) = switch.await else { return };
        let config = WebSocketConfig::default()
            .max_message_size(Some(LARGEST))
            .max_frame_size(Some(LARGEST));
        let socket =
            WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config));
        run(socket.await).await;
    });
    let mut response = Response::new(whole(""));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
    response
}

/// Answers that the connection is switched to SPDY, and goes on with it in `run`.
pub fn switch_spdy<F: Future<Output = ()> + Send + 'static>(
    protocol: &'static str,
    switch: OnUpgrade,
    run: impl FnOnce(TokioIo<Upgraded>) -> F + Send + 'static,
) -> Response<Out> {
    tokio::spawn(async move {
        if let Ok(upgraded) = switch.await {
            run(TokioIo::new(upgraded)).await;
        }
    });
    let mut response = Response::new(whole(""));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("SPDY/3.1"));
    headers.insert("x-stream-protocol-version", HeaderValue::from_static(protocol));
    response
}

/// Passes messages on, both ways, until either side ends.
pub async fn messages(
    mut socket: Socket,
    to: mpsc::UnboundedSender<Vec<u8>>,
    mut from: Pieces,
    engine: Engine,
) {
    loop {
        tokio::select! {
            out = from.next() => match out {
                Some(message) => {
                    if socket.send(Message::binary(message)).await.is_err() {
                        break;
                    }
                }
                None => {
                    let end = CloseFrame { code: CloseCode::Normal, reason: "".into() };
                    let _ = socket.close(Some(end)).await; // the client may be gone
                    break;
                }
            },
            message = socket.next() => match message {
                // The Python client sends what is text as text; upstream takes either.
                Some(Ok(message @ (Message::Binary(_) | Message::Text(_)))) => {
                    if to.send(message.into_data().to_vec()).is_err() {
                        break;
                    }
                    engine.nudge();
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                Some(Ok(_)) => {}
            },
        }
    }
    drop(to);
    engine.nudge();
}
