//! Responses on their way from the simulation's thread to a connection, and what may travel there.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use sandbar_core::{
    api::Status,
    apiserver::{
        connect::PortStreams,
        rest::{Body, Response, Upgrade},
    },
    sim::{self, Sim},
};
use tokio::sync::{mpsc, oneshot};

use crate::engine::{Busy, Engine};

/// Pieces of a stream that wait for a slow client; then the stream itself waits.
const WAITING: usize = 64;

/// A response whose parts can leave the thread.
pub struct Answer {
    /// HTTP status code.
    pub status: u16,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// What it carries.
    pub body: Carried,
}

/// What a response carries.
pub enum Carried {
    /// All of it.
    Bytes(Vec<u8>),
    /// Piece by piece.
    Stream(Pieces),
    /// Messages of a WebSocket with this subprotocol, both ways.
    Messages(&'static str, mpsc::UnboundedSender<Vec<u8>>, Pieces),
    /// Connections to ports in SPDY frames, in a WebSocket with this subprotocol.
    Ports(&'static str, mpsc::UnboundedSender<Dial>),
}

/// Asks for a connection to a port.
pub struct Dial {
    /// The port.
    pub port: u16,
    /// Where the connection, or what went wrong, goes to.
    pub reply: oneshot::Sender<Result<Dialled, String>>,
}

/// A connection to a port.
pub struct Dialled {
    /// Bytes to the pod; dropping it closes that direction.
    pub to: mpsc::UnboundedSender<Vec<u8>>,
    /// Bytes from the pod.
    pub from: Pieces,
}

/// Pieces that come from the simulation. Taking one from a full queue wakes the simulation.
pub struct Pieces {
    from: mpsc::Receiver<Vec<u8>>,
    engine: Engine,
    _busy: Busy,
}

impl Pieces {
    /// The next piece; `None` at the end.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Vec<u8>>> {
        let full = self.from.capacity() == 0;
        let got = Pin::new(&mut self.from).poll_recv(cx);
        if full {
            self.engine.nudge();
        }
        got
    }

    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        self.from.close();
        self.engine.nudge(); // whoever sends hears that nobody listens
    }
}

/// Hands a queue of the simulation on. Ends with either side.
fn hand_on(sim: &Sim, mut queue: sim::Receiver<Vec<u8>>, engine: &Engine) -> Pieces {
    let (to, from) = mpsc::channel(WAITING);
    sim.spawn(async move {
        loop {
            match sim::race(queue.recv(), to.closed()).await {
                sim::Either::Left(Some(piece)) => {
                    if to.send(piece).await.is_err() {
                        return;
                    }
                }
                _ => return,
            }
        }
    });
    Pieces { from, engine: engine.clone(), _busy: engine.count() }
}

/// Makes a response ready to leave the thread.
pub fn pack(sim: &Sim, response: Response, engine: &Engine) -> Answer {
    let Response { status, headers, body } = response;
    let body = match body {
        Body::Bytes(bytes) => Carried::Bytes(bytes),
        Body::Stream(queue) => Carried::Stream(hand_on(sim, queue, engine)),
        Body::Upgrade(protocol, Upgrade::Channels(channels)) => {
            let side = channels.to;
            let to = taken(sim, move |message| side.message(message));
            Carried::Messages(protocol, to, hand_on(sim, channels.from, engine))
        }
        Body::Upgrade(protocol, Upgrade::PortChannels(channels)) => {
            let side = channels.to;
            let to = taken(sim, move |message| side.message(message));
            Carried::Messages(protocol, to, hand_on(sim, channels.from, engine))
        }
        Body::Upgrade(protocol, Upgrade::Ports(dial)) => {
            Carried::Ports(protocol, dialler(sim, dial, engine))
        }
    };
    Answer { status, headers, body }
}

/// Where messages are sent that `take` shall take, until the sender is dropped.
fn taken(sim: &Sim, take: impl Fn(&[u8]) + 'static) -> mpsc::UnboundedSender<Vec<u8>> {
    let (to, mut messages) = mpsc::unbounded_channel::<Vec<u8>>();
    sim.spawn(async move {
        while let Some(message) = messages.recv().await {
            take(&message);
        }
    });
    to
}

/// Opens connections to ports for those who ask.
fn dialler(
    sim: &Sim,
    dial: Rc<dyn Fn(u16) -> Result<PortStreams, Status>>,
    engine: &Engine,
) -> mpsc::UnboundedSender<Dial> {
    let (to, mut wishes) = mpsc::unbounded_channel::<Dial>();
    let (own, engine) = (sim.clone(), engine.clone());
    sim.spawn(async move {
        while let Some(wish) = wishes.recv().await {
            let result = dial(wish.port).map_err(|status| status.message);
            let result = result.map(|streams| connected(&own, streams, &engine));
            let _ = wish.reply.send(result); // who no longer waits needs no connection
        }
    });
    to
}

/// A connection of the simulation, ready to leave the thread.
pub fn connected(sim: &Sim, streams: PortStreams, engine: &Engine) -> Dialled {
    let PortStreams { to: inner, from } = streams;
    let (to, mut outgoing) = mpsc::unbounded_channel::<Vec<u8>>();
    sim.spawn(async move {
        while let Some(bytes) = outgoing.recv().await {
            if !inner.send(bytes) {
                return;
            }
        }
    });
    Dialled { to, from: hand_on(sim, from, engine) }
}
