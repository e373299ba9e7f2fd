//! Port-forward over `v4.channel.k8s.io`, as client libraries without SPDY ask for it.
//!
//! The ports are in the request. The n-th of them has channel 2n for data and 2n+1 for errors; each
//! begins with a message that says its port, little end first. There is one connection a port.
//!
//! Models `pkg/kubelet/server/portforward/websocket.go`.

use std::{cell::RefCell, rc::Rc};

use crate::{
    api::Status,
    apiserver::connect::PortStreams,
    sim::{Receiver, Sender, Sim, channel},
};

/// Opens a connection to a port of the pod.
type Dial = Rc<dyn Fn(u16) -> Result<PortStreams, Status>>;

/// More ports than a connection has channels for (a channel's number is one byte).
const MOST_PORTS: usize = 128;

/// Both directions of messages.
pub struct PortChannels {
    /// Where what the client sends goes, by port; dropping it is the connection's end.
    pub to: PortSide,
    /// What is to be sent; ends when every port's connection did.
    pub from: Receiver<Vec<u8>>,
}

/// Takes a client's messages apart.
pub struct PortSide(Vec<RefCell<Option<Sender<Vec<u8>>>>>);

impl PortSide {
    /// A message came. What comes for an error channel, or for none, means nothing.
    pub fn message(&self, message: &[u8]) {
        let Some((channel, data)) = message.split_first() else { return };
        if channel % 2 != 0 || data.is_empty() {
            return;
        }
        let Some(port) = self.0.get(usize::from(channel / 2)) else { return };
        if let Some(to) = &*port.borrow() {
            to.send(data.to_vec());
        }
    }
}

/// The ports that a request asks for, from its parameters (each may be a list with commas).
/// Errors: BadRequest.
pub fn ports<'a>(parameters: impl Iterator<Item = &'a str>) -> Result<Vec<u16>, Status> {
    let mut ports = Vec::new();
    for text in parameters.flat_map(|list| list.split(',')) {
        match text.parse::<u16>() {
            Ok(0) => return Err(Status::bad_request(format!("port {text:?} must be > 0"))),
            Ok(port) => ports.push(port),
            Err(_) => {
                return Err(Status::bad_request(format!("unable to parse {text:?} as a port")));
            }
        }
    }
    match ports.len() {
        0 => Err(Status::bad_request("query parameter \"ports\" is required")),
        n if n > MOST_PORTS => Err(Status::bad_request("too many ports")),
        _ => Ok(ports),
    }
}

impl PortChannels {
    /// Connects to each of `ports`.
    pub fn new(sim: &Sim, ports: &[u16], dial: &Dial) -> Self {
        let (out, from) = channel::<Vec<u8>>();
        let mut sides = Vec::new();
        for (data, port) in (0_u8..).step_by(2).zip(ports) {
            let [low, high] = port.to_le_bytes();
            out.send(vec![data, low, high]);
            out.send(vec![data + 1, low, high]);
            match dial(*port) {
                Ok(PortStreams { to, mut from }) => {
                    let out = out.clone();
                    sim.spawn(async move {
                        while let Some(bytes) = from.recv().await {
                            if !out.send([&[data][..], &bytes].concat()) {
                                return;
                            }
                        }
                    });
                    sides.push(RefCell::new(Some(to)));
                }
                Err(status) => {
                    out.send([&[data + 1][..], status.message.as_bytes()].concat());
                    sides.push(RefCell::new(None));
                }
            }
        }
        PortChannels { to: PortSide(sides), from }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Time;

    #[test]
    fn each_port_has_two_channels() {
        let sim = Sim::new(1, Time::from_secs(1_000));
        let (to, mut sent) = channel();
        let (answers, from) = channel();
        let streams = RefCell::new(Some(PortStreams { to, from }));
        let dial: Dial = Rc::new(move |port| match (port, streams.take()) {
            (80, Some(streams)) => Ok(streams),
            _ => Err(Status::internal("connection refused")),
        });
        let mut channels = PortChannels::new(&sim, &[80, 258], &dial);
        channels.to.message(b"\x00GET /");
        channels.to.message(b"\x02nobody is there");
        channels.to.message(b"\x09odd");
        channels.to.message(b"");
        assert_eq!(sent.try_recv().as_deref(), Some(&b"GET /"[..]));
        assert_eq!(sent.try_recv(), None);
        answers.send(b"200".to_vec());
        sim.advance(sim.now(), 100);
        let mut got = Vec::new();
        while let Some(message) = channels.from.try_recv() {
            got.push(message);
        }
        let refused = Status::internal("connection refused").message;
        assert_eq!(
            got,
            [
                b"\x00\x50\x00".to_vec(),
                b"\x01\x50\x00".to_vec(),
                b"\x02\x02\x01".to_vec(),
                b"\x03\x02\x01".to_vec(),
                [&b"\x03"[..], refused.as_bytes()].concat(),
                b"\x00200".to_vec(),
            ]
        );
    }

    #[test]
    fn ports_are_numbers() {
        let read = |text| ports([text].into_iter()).map_err(|e| e.message);
        assert_eq!(read("80,443"), Ok(vec![80, 443]));
        assert_eq!(read("0"), Err("port \"0\" must be > 0".into()));
        assert_eq!(read("http"), Err("unable to parse \"http\" as a port".into()));
        assert_eq!(
            ports(std::iter::empty()).map_err(|e| e.message),
            Err("query parameter \"ports\" is required".into())
        );
    }
}
