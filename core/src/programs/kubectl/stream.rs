//! Connecting a process in a container with this one: input, output, terminal.

use super::{Cx, Error};
use crate::{api::Status, client::ExecStreams, machine::Tty};

/// Puts a terminal into raw mode while it lives.
pub struct Raw(Option<Tty>);

impl Raw {
    /// Raw from now on, if there is a terminal and it is wanted.
    pub fn new(cx: &Cx, wanted: bool) -> Raw {
        let tty = cx.proc.tty().filter(|_| wanted);
        if let Some(tty) = &tty {
            tty.set_raw(true);
        }
        Raw(tty)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(tty) = &self.0 {
            tty.set_raw(false);
        }
    }
}

/// Passes data both ways until the other process ends; its exit code.
pub async fn connect(cx: &Cx, mut streams: ExecStreams, tty: bool) -> i32 {
    let raw = Raw::new(cx, tty && streams.stdin.is_some());
    let mut tasks = Vec::new();
    if let Some(stdin) = streams.stdin.take() {
        let proc = cx.proc.clone();
        tasks.push(cx.proc.spawn_task(async move {
            loop {
                let bytes = proc.read(4096).await;
                if bytes.is_empty() {
                    break;
                }
                stdin.send(bytes);
            }
        }));
    }
    if let Some(resize) = streams.resize.take() {
        let proc = cx.proc.clone();
        tasks.push(cx.proc.spawn_task(async move {
            loop {
                proc.size_changed().await;
                if let Some(tty) = proc.any_tty() {
                    resize.send(tty.size());
                }
            }
        }));
    }
    while let Some((fd, bytes)) = streams.output.recv().await {
        cx.proc.write(if fd == 2 { 2 } else { 1 }, &bytes).await;
    }
    let code = streams.exit.recv().await.unwrap_or(0);
    for task in tasks {
        cx.proc.sim().kill(&task);
    }
    drop(raw);
    code
}

/// An exit code as kubectl tells it.
pub fn outcome(code: i32) -> Result<(), Error> {
    if code == 0 {
        return Ok(());
    }
    let text = format!("command terminated with exit code {code}");
    Err(Error::Code(Box::new(Error::Bare(text)), code))
}

/// A kubelet's refusal, as it comes through the API server.
pub fn refused(status: Status) -> Error {
    if status.reason == "InternalError" {
        return Error::plain(status.message);
    }
    status.into()
}

/// The terminal's size, if one is wanted and there.
pub fn size(cx: &Cx, wanted: bool) -> Option<(u16, u16)> {
    cx.proc.tty().filter(|_| wanted).map(|tty| tty.size())
}
