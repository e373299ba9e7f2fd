//! SPDY/3.1: connections to ports of a pod, in frames in a WebSocket (`SPDY/3.1+portforward.k8s.io`)
//! or on the connection itself, as older clients do it.
//!
//! Of SPDY there is what Kubernetes needs: streams that the client opens in pairs (one for data,
//! one for an error), data, ends, pings. Header blocks are one zlib stream a direction, begun with
//! the dictionary of the specification (draft-mbelshe-httpbis-spdy-00, 2.6.10.1).
//!
//! Models `kubelet/cri/streaming/portforward/httpstream.go` and `moby/spdystream`.

use std::collections::BTreeMap;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{mpsc, oneshot},
};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    engine::Engine,
    upgrade::Socket,
    wire::{Dial, Dialled},
};

/// What frames travel on.
pub enum Wire {
    /// Messages of a WebSocket.
    Socket(Box<Socket>),
    /// The connection itself.
    Raw(TokioIo<Upgraded>),
}

impl Wire {
    /// The next bytes; `None` at the end.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        match self {
            Wire::Socket(socket) => loop {
                match socket.next().await {
                    Some(Ok(Message::Binary(bytes))) => return Some(bytes.to_vec()),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                    Some(Ok(_)) => {}
                }
            },
            Wire::Raw(io) => {
                let mut bytes = Vec::with_capacity(READ);
                match io.read_buf(&mut bytes).await {
                    Ok(0) | Err(_) => None,
                    Ok(_) => Some(bytes),
                }
            }
        }
    }

    /// Sends bytes; whether that worked.
    pub async fn send(&mut self, bytes: Vec<u8>) -> bool {
        match self {
            Wire::Socket(socket) => socket.send(Message::binary(bytes)).await.is_ok(),
            Wire::Raw(io) => io.write_all(&bytes).await.is_ok() && io.flush().await.is_ok(),
        }
    }
}

/// So many bytes are read at once.
const READ: usize = 32 << 10;
/// A stream is opened.
pub const SYN_STREAM: u16 = 1;
/// It was.
pub const SYN_REPLY: u16 = 2;
/// A stream is broken off.
pub const RST_STREAM: u16 = 3;
/// Is somebody there?
pub const PING: u16 = 6;
/// The session ends.
pub const GOAWAY: u16 = 7;
/// Flag of a frame: the stream ends with it.
pub const FIN: u8 = 1;
/// Streams that may be open at once.
const MOST_STREAMS: usize = 2_000;
/// The largest header block, uncompressed.
const LARGEST_BLOCK: usize = 64 << 10;
/// The largest frame.
const LARGEST_FRAME: usize = 4 << 20;
/// Frames that wait for a slow client.
const WAITING: usize = 64;

/// Words of the dictionary, each preceded by its length.
const WORDS: &[&str] = &[
    "options",
    "head",
    "post",
    "put",
    "delete",
    "trace",
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "age",
    "allow",
    "authorization",
    "cache-control",
    "connection",
    "content-base",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-md5",
    "content-range",
    "content-type",
    "date",
    "etag",
    "expect",
    "expires",
    "from",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "last-modified",
    "location",
    "max-forwards",
    "pragma",
    "proxy-authenticate",
    "proxy-authorization",
    "range",
    "referer",
    "retry-after",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "via",
    "warning",
    "www-authenticate",
    "method",
    "get",
    "status",
    "200 OK",
    "version",
    "HTTP/1.1",
    "url",
    "public",
    "set-cookie",
    "keep-alive",
    "origin",
];

/// What follows them.
const TAIL: &str = "100101201202205206300302303304305306307402405406407408409410411412413414415416\
    417502504505203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad \
    Request401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not \
    Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 \
    Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,\
    application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,\
    deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

fn dictionary() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1_500);
    for word in WORDS {
        bytes.extend((word.len() as u32).to_be_bytes());
        bytes.extend(word.bytes());
    }
    bytes.extend(TAIL.bytes());
    bytes
}

/// Reads header blocks, in their order.
pub struct Unpacker(Decompress);

impl Unpacker {
    /// At the beginning of a session.
    pub fn new() -> Self {
        Unpacker(Decompress::new(true))
    }

    /// The headers of a block; `None` where they can't be read.
    pub fn block(&mut self, mut packed: &[u8]) -> Option<BTreeMap<String, String>> {
        let mut plain = vec![0; LARGEST_BLOCK];
        let mut length = 0;
        let mut prepared = false;
        while !packed.is_empty() {
            let (before_in, before_out) = (self.0.total_in(), self.0.total_out());
            let rest = plain.get_mut(length..)?;
            let done = self.0.decompress(packed, rest, FlushDecompress::Sync);
            let taken = usize::try_from(self.0.total_in() - before_in).ok()?;
            length += usize::try_from(self.0.total_out() - before_out).ok()?;
            packed = packed.get(taken..)?;
            match done {
                Err(error) if error.needs_dictionary().is_some() && !prepared => {
                    self.0.set_dictionary(&dictionary()).ok()?;
                    prepared = true;
                }
                Err(_) => return None,
                Ok(Status::StreamEnd) => break,
                Ok(_) if taken == 0 => return None, // too large a block
                Ok(_) => {}
            }
        }
        headers(plain.get(..length)?)
    }
}

fn headers(mut block: &[u8]) -> Option<BTreeMap<String, String>> {
    let count = number(&mut block)?;
    let mut found = BTreeMap::new();
    for _ in 0..count {
        let name = text(&mut block)?;
        found.insert(name.to_ascii_lowercase(), text(&mut block)?);
    }
    Some(found)
}

fn number(block: &mut &[u8]) -> Option<u32> {
    let (head, rest) = block.split_first_chunk::<4>()?;
    *block = rest;
    Some(u32::from_be_bytes(*head))
}

fn text(block: &mut &[u8]) -> Option<String> {
    let length = usize::try_from(number(block)?).ok()?;
    let (head, rest) = block.split_at_checked(length)?;
    *block = rest;
    String::from_utf8(head.to_vec()).ok()
}

/// Writes header blocks without headers, which is all that is ever answered.
pub struct Packer(Compress);

impl Packer {
    /// At the beginning of a session.
    pub fn new() -> Option<Self> {
        let mut compress = Compress::new(Compression::fast(), true);
        compress.set_dictionary(&dictionary()).ok()?;
        Some(Packer(compress))
    }

    /// A block without headers.
    pub fn empty(&mut self) -> Option<Vec<u8>> {
        let mut packed = Vec::with_capacity(256);
        self.0.compress_vec(&[0; 4], &mut packed, FlushCompress::Sync).ok()?;
        Some(packed)
    }
}

/// A frame about a stream or the session.
pub fn control(kind: u16, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80, 3];
    frame.extend(kind.to_be_bytes());
    frame.push(flags);
    frame.extend(&(payload.len() as u32).to_be_bytes()[1..]);
    frame.extend(payload);
    frame
}

/// A frame with bytes of a stream.
pub fn data(stream: u32, flags: u8, bytes: &[u8]) -> Vec<u8> {
    let mut frame = stream.to_be_bytes().to_vec();
    frame.push(flags);
    frame.extend(&(bytes.len() as u32).to_be_bytes()[1..]);
    frame.extend(bytes);
    frame
}

/// A client's side of one stream.
struct Open {
    request: String,
    error: bool,
    /// To the pod, for a data stream that is connected.
    to: Option<mpsc::UnboundedSender<Vec<u8>>>,
}

/// One session.
struct Session {
    unpacker: Unpacker,
    packer: Packer,
    streams: BTreeMap<u32, Open>,
    out: mpsc::Sender<Vec<u8>>,
    dial: mpsc::UnboundedSender<Dial>,
    engine: Engine,
}

/// A frame that came.
pub enum Frame {
    /// Bytes of a stream, and flags.
    Data(u32, u8, Vec<u8>),
    /// Its kind, its flags, what it says, and all of it.
    Control(u16, u8, Vec<u8>, Vec<u8>),
}

/// Takes a whole frame from the front of `buffer`, if one is there. Errors: it is too large.
pub fn next_frame(buffer: &mut Vec<u8>) -> Result<Option<Frame>, ()> {
    let Some((head, _)) = buffer.split_first_chunk::<8>() else { return Ok(None) };
    let [a, b, c, d, flags, l1, l2, l3] = *head;
    let length = u32::from_be_bytes([0, l1, l2, l3]) as usize;
    if length > LARGEST_FRAME {
        return Err(());
    }
    if buffer.len() < 8 + length {
        return Ok(None);
    }
    let frame: Vec<u8> = buffer.drain(..8 + length).collect();
    let payload = frame.get(8..).unwrap_or_default().to_vec();
    Ok(Some(match a & 0x80 {
        0 => Frame::Data(u32::from_be_bytes([a, b, c, d]), flags, payload),
        _ => Frame::Control(u16::from_be_bytes([c, d]), flags, payload, frame),
    }))
}

/// Speaks SPDY until either side ends.
pub async fn ports(mut socket: Wire, dial: mpsc::UnboundedSender<Dial>, engine: Engine) {
    let (out, mut frames) = mpsc::channel(WAITING);
    let Some(packer) = Packer::new() else { return };
    let unpacker = Unpacker::new();
    let streams = BTreeMap::new();
    let mut session = Session { unpacker, packer, streams, out, dial, engine: engine.clone() };
    let mut buffer: Vec<u8> = Vec::new();
    loop {
        tokio::select! {
            frame = frames.recv() => {
                let Some(frame) = frame else { break };
                if !socket.send(frame).await {
                    break;
                }
            }
            bytes = socket.next() => {
                let Some(bytes) = bytes else { break };
                buffer.extend_from_slice(&bytes);
                let mut replies = Vec::new();
                if session.take(&mut buffer, &mut replies).is_none() {
                    break;
                }
                let mut lost = false;
                for reply in replies {
                    lost |= !socket.send(reply).await;
                }
                if lost {
                    break;
                }
            }
        }
    }
    drop(session);
    engine.nudge();
}

impl Session {
    /// Takes whole frames from the front of `buffer`; answers go to `replies`. `None` ends the
    /// session.
    fn take(&mut self, buffer: &mut Vec<u8>, replies: &mut Vec<Vec<u8>>) -> Option<()> {
        while let Some(frame) = next_frame(buffer).ok()? {
            match frame {
                Frame::Data(stream, flags, bytes) => self.data(stream, flags, &bytes),
                Frame::Control(SYN_STREAM, _, payload, _) => self.opened(&payload, replies)?,
                Frame::Control(RST_STREAM, _, payload, _) => {
                    let stream = u32::from_be_bytes(*payload.first_chunk()?);
                    self.streams.remove(&stream);
                }
                Frame::Control(PING, _, _, frame) => replies.push(frame),
                Frame::Control(GOAWAY, ..) => return None,
                Frame::Control(..) => {}
            }
        }
        Some(())
    }

    fn data(&mut self, stream: u32, flags: u8, bytes: &[u8]) {
        let Some(open) = self.streams.get_mut(&stream) else { return };
        if let (Some(to), false) = (&open.to, bytes.is_empty()) {
            let _ = to.send(bytes.to_vec()); // the pod may have closed already
        }
        if flags & FIN != 0 {
            open.to = None;
        }
        self.engine.nudge();
    }

    /// The client opens a stream. The data stream of a request connects it.
    fn opened(&mut self, payload: &[u8], replies: &mut Vec<Vec<u8>>) -> Option<()> {
        let stream = u32::from_be_bytes(*payload.first_chunk()?);
        let headers = self.unpacker.block(payload.get(10..)?)?;
        if self.streams.len() >= MOST_STREAMS {
            let mut refused = stream.to_be_bytes().to_vec();
            refused.extend(3_u32.to_be_bytes()); // REFUSED_STREAM
            replies.push(control(RST_STREAM, 0, &refused));
            return Some(());
        }
        let header = |name: &str| headers.get(name).cloned().unwrap_or_default();
        let (request, error) = (header("requestid"), header("streamtype") == "error");
        let mut reply = stream.to_be_bytes().to_vec();
        reply.extend(self.packer.empty()?);
        replies.push(control(SYN_REPLY, 0, &reply));
        let mut open = Open { request: request.clone(), error, to: None };
        if !error {
            let paired = self.streams.iter().find(|(_, o)| o.error && o.request == request);
            let paired = paired.map(|(id, _)| *id);
            let (to, outgoing) = mpsc::unbounded_channel();
            open.to = Some(to);
            let port = header("port").parse().unwrap_or(0);
            let (reply, dialled) = oneshot::channel();
            let _ = self.dial.send(Dial { port, reply });
            self.engine.nudge();
            let (out, engine) = (self.out.clone(), self.engine.clone());
            tokio::spawn(forward(stream, paired, dialled, outgoing, out, engine));
            if let Some(paired) = paired {
                self.streams.remove(&paired); // nothing more comes in on it
            }
        }
        self.streams.insert(stream, open);
        // A stream that the client closed and the pod too is only a number.
        self.streams.retain(|id, open| *id == stream || open.error || open.to.is_some());
        Some(())
    }
}

/// Connects a data stream and carries bytes both ways; errors go to the stream beside it.
async fn forward(
    stream: u32,
    error: Option<u32>,
    dialled: oneshot::Receiver<Result<Dialled, String>>,
    mut outgoing: mpsc::UnboundedReceiver<Vec<u8>>,
    out: mpsc::Sender<Vec<u8>>,
    engine: Engine,
) {
    let dialled = dialled.await.unwrap_or_else(|_| Err("the pod is gone".into()));
    let Dialled { to, mut from } = match dialled {
        Ok(dialled) => dialled,
        Err(why) => {
            if let Some(error) = error {
                let _ = out.send(data(error, FIN, why.as_bytes())).await;
            }
            let _ = out.send(data(stream, FIN, b"")).await;
            return;
        }
    };
    let sending = tokio::spawn(async move {
        while let Some(bytes) = outgoing.recv().await {
            if to.send(bytes).is_err() {
                return;
            }
            engine.nudge();
        }
        drop(to);
        engine.nudge();
    });
    while let Some(bytes) = from.next().await {
        if out.send(data(stream, 0, &bytes)).await.is_err() {
            break;
        }
    }
    sending.abort();
    let _ = out.send(data(stream, FIN, b"")).await;
    if let Some(error) = error {
        let _ = out.send(data(error, FIN, b"")).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dictionary_is_the_specifications() {
        let (mut a, mut b) = (1_u32, 0_u32);
        for byte in dictionary() {
            a = (a + u32::from(byte)) % 65_521;
            b = (b + a) % 65_521;
        }
        assert_eq!((b << 16) | a, 0xe3c6_a7c2);
    }

    #[test]
    fn header_blocks_go_there_and_back() {
        let mut compress = Compress::new(Compression::fast(), true);
        compress.set_dictionary(&dictionary()).unwrap();
        let mut unpacker = Unpacker(Decompress::new(true));
        for request in ["0", "1"] {
            let mut plain = 2_u32.to_be_bytes().to_vec();
            for word in ["streamtype", "data", "requestid", request] {
                plain.extend((word.len() as u32).to_be_bytes());
                plain.extend(word.bytes());
            }
            let mut packed = Vec::with_capacity(1_000);
            compress.compress_vec(&plain, &mut packed, FlushCompress::Sync).unwrap();
            let read = unpacker.block(&packed).unwrap();
            assert_eq!(
                (read["streamtype"].as_str(), read["requestid"].as_str()),
                ("data", request)
            );
        }
        assert!(unpacker.block(b"nonsense").is_none());
    }
}
