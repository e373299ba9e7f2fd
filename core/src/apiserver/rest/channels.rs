//! `v4.channel.k8s.io` and `v5.channel.k8s.io`: a process's streams as messages of a WebSocket.
//!
//! A message's first byte names its channel: 0 standard input, 1 output, 2 error, 3 how it ended
//! (a Status), 4 the terminal's size, 255 (from v5 on) the end of the channel that its second byte names.
//!
//! Models `apimachinery/pkg/util/remotecommand` and `client-go/tools/remotecommand`.

use std::cell::RefCell;

use serde_json::{Value, json};

use crate::{
    apiserver::connect::ExecStreams,
    sim::{Receiver, Sender, Sim, channel},
};

const STDIN: u8 = 0;
const ERROR: u8 = 3;
const RESIZE: u8 = 4;
const CLOSE: u8 = 255;

/// Both directions of messages.
pub struct Channels {
    /// What the client sends; dropping it is the connection's end.
    pub to: ClientSide,
    /// What is to be sent; ends after the process's end was told.
    pub from: Receiver<Vec<u8>>,
}

/// Takes a client's messages apart.
pub struct ClientSide {
    stdin: RefCell<Option<Sender<Vec<u8>>>>,
    resize: Option<Sender<(u16, u16)>>,
}

impl ClientSide {
    /// A message came.
    pub fn message(&self, message: &[u8]) {
        let Some((which, data)) = message.split_first() else { return };
        match (*which, data) {
            (STDIN, []) => {}
            (STDIN, data) => {
                if let Some(stdin) = &*self.stdin.borrow() {
                    stdin.send(data.to_vec());
                }
            }
            (RESIZE, data) => {
                let size: Value = serde_json::from_slice(data).unwrap_or_default();
                let part = |name: &str| size[name].as_u64().and_then(|n| u16::try_from(n).ok());
                let size = part("Width").zip(part("Height")).filter(|(w, h)| *w > 0 && *h > 0);
                if let (Some(resize), Some(size)) = (&self.resize, size) {
                    resize.send(size);
                }
            }
            (CLOSE, [STDIN]) => {
                let closed = self.stdin.borrow_mut().take();
                drop(closed);
            }
            _ => {}
        }
    }
}

impl Channels {
    /// Messages for a process's streams.
    pub fn new(sim: &Sim, streams: ExecStreams) -> Self {
        let ExecStreams { stdin, mut output, resize, mut exit } = streams;
        let (out, from) = channel::<Vec<u8>>();
        sim.spawn(async move {
            while let Some((stream, bytes)) = output.recv().await {
                let mut message = vec![stream];
                message.extend(bytes);
                if !out.send(message) {
                    return;
                }
            }
            let code = exit.recv().await;
            let mut message = vec![ERROR];
            message.extend(ending(code).to_string().into_bytes());
            out.send(message);
        });
        Channels { to: ClientSide { stdin: RefCell::new(stdin), resize }, from }
    }
}

/// How a process ended, as a Status.
fn ending(code: Option<i32>) -> Value {
    match code {
        Some(0) | None => json!({"metadata": {}, "status": "Success"}),
        Some(code) => json!({"metadata": {}, "status": "Failure",
            "message": format!("command terminated with non-zero exit code: exit status {code}"),
            "reason": "NonZeroExitCode",
            "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]}}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Time;

    #[test]
    fn a_process_is_spoken_to_in_channels() {
        let sim = Sim::new(1, Time::from_secs(1_000));
        let (stdin, mut typed) = channel();
        let (resize, mut sizes) = channel();
        let (output, from) = channel();
        let (end, exit) = channel();
        let streams = ExecStreams { stdin: Some(stdin), output: from, resize: Some(resize), exit };
        let mut channels = Channels::new(&sim, streams);
        channels.to.message(b"\x00hello");
        channels.to.message(b"\x04{\"Width\":100,\"Height\":30}");
        channels.to.message(b"\x04nonsense");
        channels.to.message(b"");
        assert_eq!(typed.try_recv().as_deref(), Some(&b"hello"[..]));
        assert_eq!(sizes.try_recv(), Some((100, 30)));
        assert_eq!(sizes.try_recv(), None);
        channels.to.message(&[CLOSE, STDIN]);
        channels.to.message(b"\x00late");
        assert_eq!(typed.try_recv(), None);
        output.send((2, b"oh".to_vec()));
        drop(output);
        end.send(3);
        sim.advance(sim.now(), 100);
        assert_eq!(channels.from.try_recv().as_deref(), Some(&b"\x02oh"[..]));
        let last = channels.from.try_recv().unwrap();
        let status: Value = serde_json::from_slice(&last[1..]).unwrap();
        assert_eq!((last[0], &status["details"]["causes"][0]["message"]), (3, &"3".into()));
    }
}
