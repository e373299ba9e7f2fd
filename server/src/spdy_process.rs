//! `exec` and `attach` over SPDY, as older clients do it: each stream of a process is a stream of
//! its own. Inside they are the messages that WebSockets carry (a byte that names the channel, then
//! the data).
//!
//! Models `kubelet/pkg/cri/streaming/remotecommand/httpstream.go`, version 4 of its protocol.

use std::{collections::BTreeMap, time::Duration};

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

use crate::{
    engine::Engine,
    spdy::{
        FIN, Frame, GOAWAY, PING, Packer, RST_STREAM, SYN_REPLY, SYN_STREAM, Unpacker, Wire,
        control, data, next_frame,
    },
    wire::Pieces,
};

/// Streams by name, and the channel that each is in a message.
const CHANNELS: &[(&str, u8)] =
    &[("stdin", 0), ("stdout", 1), ("stderr", 2), ("error", 3), ("resize", 4)];
const STDIN: u8 = 0;
/// In a message: the channel that follows is closed.
const CLOSE: u8 = 255;
/// The largest piece of data in one frame.
const PIECE: usize = 1 << 20;
/// How long a client may take to hang up when all is said.
const LAST: Duration = Duration::from_secs(5);
/// How long a client may take to open its streams (`DefaultStreamCreationTimeout`).
const OPENING: Duration = Duration::from_secs(30);

/// One session.
struct Session {
    unpacker: Unpacker,
    packer: Packer,
    /// Streams by channel, and back.
    streams: BTreeMap<u8, u32>,
    channels: BTreeMap<u32, u8>,
    to: Option<mpsc::UnboundedSender<Vec<u8>>>,
    engine: Engine,
}

/// How many streams a client opens that asks with this query.
pub fn expected(query: &str) -> usize {
    let is = |name: &str| {
        let mut all = query.split('&').filter_map(|pair| pair.split_once('='));
        all.any(|(key, value)| key == name && matches!(value, "true" | "1"))
    };
    let tty = is("tty");
    let open = [is("stdin"), is("stdout"), is("stderr") && !tty, tty];
    1 + open.into_iter().filter(|open| *open).count()
}

/// Passes a process' streams on, both ways, until either side ends. What it says waits until the
/// client has opened all its streams.
pub async fn run(
    io: TokioIo<Upgraded>,
    to: mpsc::UnboundedSender<Vec<u8>>,
    mut from: Pieces,
    (expected, engine): (usize, Engine),
) {
    let Some(packer) = Packer::new() else { return };
    let mut session = Session {
        unpacker: Unpacker::new(),
        packer,
        streams: BTreeMap::new(),
        channels: BTreeMap::new(),
        to: Some(to),
        engine: engine.clone(),
    };
    let mut wire = Wire::Raw(io);
    let mut buffer = Vec::new();
    let late = sleep(OPENING);
    tokio::pin!(late);
    let ended = loop {
        let open = session.streams.len() >= expected;
        tokio::select! {
            message = from.next(), if open => match message {
                Some(message) => {
                    if !session.out(&mut wire, &message).await {
                        break false;
                    }
                }
                None => break true,
            },
            () = &mut late, if !open => break false,
            bytes = wire.next() => {
                let Some(bytes) = bytes else { break false };
                buffer.extend_from_slice(&bytes);
                let Some(replies) = session.take(&mut buffer) else { break false };
                let mut lost = false;
                for reply in replies {
                    lost |= !wire.send(reply).await;
                }
                if lost {
                    break false;
                }
            }
        }
    };
    session.to = None;
    engine.nudge();
    if ended {
        for channel in [1, 2, 3] {
            if let Some(stream) = session.streams.get(&channel) {
                wire.send(data(*stream, FIN, b"")).await;
            }
        }
        // Whoever hangs up first may take with it what is still on its way.
        let rest = async { while wire.next().await.is_some() {} };
        let _ = timeout(LAST, rest).await;
    }
}

impl Session {
    /// Sends a message of the process.
    async fn out(&self, wire: &mut Wire, message: &[u8]) -> bool {
        let Some((channel, bytes)) = message.split_first() else { return true };
        let Some(stream) = self.streams.get(channel) else { return true };
        for piece in bytes.chunks(PIECE) {
            if !wire.send(data(*stream, 0, piece)).await {
                return false;
            }
        }
        true
    }

    /// Takes whole frames; what is to be answered. `None` ends the session.
    fn take(&mut self, buffer: &mut Vec<u8>) -> Option<Vec<Vec<u8>>> {
        let mut replies = Vec::new();
        while let Some(frame) = next_frame(buffer).ok()? {
            match frame {
                Frame::Data(stream, flags, bytes) => self.data(stream, flags, &bytes),
                Frame::Control(SYN_STREAM, flags, payload, _) => {
                    replies.push(self.opened(flags, &payload)?);
                }
                Frame::Control(RST_STREAM, _, payload, _) => {
                    let stream = u32::from_be_bytes(*payload.first_chunk()?);
                    self.ended(stream);
                }
                Frame::Control(PING, _, _, frame) => replies.push(frame),
                Frame::Control(GOAWAY, ..) => return None,
                Frame::Control(..) => {}
            }
        }
        Some(replies)
    }

    fn opened(&mut self, flags: u8, payload: &[u8]) -> Option<Vec<u8>> {
        let stream = u32::from_be_bytes(*payload.first_chunk()?);
        let headers = self.unpacker.block(payload.get(10..)?)?;
        let kind = headers.get("streamtype").map(String::as_str).unwrap_or_default();
        let known = CHANNELS.iter().find(|(name, _)| *name == kind);
        match known.filter(|(_, channel)| !self.streams.contains_key(channel)) {
            Some((_, channel)) => {
                self.streams.insert(*channel, stream);
                // The client says nothing on the streams that it only reads.
                if flags & FIN == 0 {
                    self.channels.insert(stream, *channel);
                }
            }
            None => {
                let mut refused = stream.to_be_bytes().to_vec();
                refused.extend(3_u32.to_be_bytes()); // REFUSED_STREAM
                return Some(control(RST_STREAM, 0, &refused));
            }
        }
        let mut reply = stream.to_be_bytes().to_vec();
        reply.extend(self.packer.empty()?);
        Some(control(SYN_REPLY, 0, &reply))
    }

    fn data(&mut self, stream: u32, flags: u8, bytes: &[u8]) {
        let Some(channel) = self.channels.get(&stream).copied() else { return };
        if !bytes.is_empty() {
            self.message([&[channel], bytes].concat());
        }
        if flags & FIN != 0 {
            self.ended(stream);
        }
    }

    /// The client sends nothing more on a stream.
    fn ended(&mut self, stream: u32) {
        if self.channels.remove(&stream) == Some(STDIN) {
            self.message(vec![CLOSE, STDIN]);
        }
    }

    fn message(&self, message: Vec<u8>) {
        if let Some(to) = &self.to {
            let _ = to.send(message); // the process may have ended
        }
        self.engine.nudge();
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_stream_has_a_channel() {
        let channels: Vec<u8> = super::CHANNELS.iter().map(|(_, channel)| *channel).collect();
        assert_eq!(channels, [0, 1, 2, 3, 4]);
        for (query, count) in [
            ("command=ls&stdout=true&stderr=true", 3),
            ("command=sh&stdin=true&stdout=true&tty=true&stderr=true", 4),
            ("command=ls", 1),
        ] {
            assert_eq!(super::expected(query), count, "{query}");
        }
    }
}
