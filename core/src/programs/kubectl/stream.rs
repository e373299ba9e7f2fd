//! Connecting a process in a container with this one: input, output, terminal.

use super::{Cx, Error};
use crate::{
    api::Status,
    client::ExecStreams,
    machine::Tty,
    sim::{Either, race},
};

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

/// The keys that leave a container.
pub struct Detach {
    keys: Vec<u8>,
    seen: usize,
}

impl Detach {
    /// None.
    pub fn never() -> Detach {
        Detach { keys: Vec::new(), seen: 0 }
    }

    /// `ctrl-p,ctrl-q`, or `a,b`. Errors name the key that there is not.
    pub fn parse(text: &str) -> Result<Detach, String> {
        let text = if text.is_empty() { "ctrl-p,ctrl-q" } else { text };
        let mut keys = Vec::new();
        for key in text.split(',') {
            keys.push(match (key.strip_prefix("ctrl-"), key.as_bytes()) {
                (Some(letter), _) => match letter.as_bytes() {
                    [c @ (b'a'..=b'z' | b'@'..=b'_')] => c & 0x1f,
                    _ => return Err(format!("Unknown character: '{key}'")),
                },
                (None, [c]) => *c,
                _ => return Err(format!("Unknown character: '{key}'")),
            });
        }
        Ok(Detach { keys, seen: 0 })
    }

    /// What of these bytes goes on to the container; `None` once the keys were typed.
    fn filter(&mut self, bytes: Vec<u8>) -> Option<Vec<u8>> {
        if self.keys.is_empty() {
            return Some(bytes);
        }
        let mut out = Vec::with_capacity(bytes.len());
        for byte in bytes {
            if self.keys.get(self.seen) == Some(&byte) {
                self.seen += 1;
                if self.seen == self.keys.len() {
                    return None;
                }
                continue;
            }
            out.extend(self.keys.iter().take(self.seen));
            self.seen = usize::from(self.keys.first() == Some(&byte));
            if self.seen == 0 {
                out.push(byte);
            }
        }
        Some(out)
    }
}

/// Passes data both ways until the other process ends; its exit code.
pub async fn connect(cx: &Cx, streams: ExecStreams, tty: bool) -> i32 {
    attach(cx, streams, tty, Detach::never()).await
}

/// As [`connect`], or until the user types the keys that leave the container.
pub async fn attach(cx: &Cx, mut streams: ExecStreams, tty: bool, mut detach: Detach) -> i32 {
    let raw = Raw::new(cx, tty && streams.stdin.is_some());
    let (left, mut leaving) = crate::sim::channel::<()>();
    let mut tasks = Vec::new();
    if let Some(stdin) = streams.stdin.take() {
        let proc = cx.proc.clone();
        tasks.push(cx.proc.spawn_task(async move {
            loop {
                let bytes = proc.read(4096).await;
                if bytes.is_empty() {
                    break;
                }
                let Some(bytes) = detach.filter(bytes) else {
                    left.send(());
                    // The other side must not take this for the end of its input.
                    std::future::pending::<()>().await;
                    break;
                };
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
    let shown = async {
        while let Some((fd, bytes)) = streams.output.recv().await {
            cx.write(if fd == 2 { 2 } else { 1 }, &bytes).await;
        }
        streams.exit.recv().await.unwrap_or(0)
    };
    let gone = async {
        if leaving.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    };
    let code = match race(shown, gone).await {
        Either::Left(code) => code,
        Either::Right(()) => {
            cx.out("\n").await;
            0
        }
    };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detach_keys_are_kept_back_until_it_is_clear_what_they_are() {
        let mut detach = Detach::parse("ctrl-p,ctrl-q").unwrap();
        assert_eq!(detach.filter(b"ab\x10".to_vec()), Some(b"ab".to_vec()));
        assert_eq!(detach.filter(b"c".to_vec()), Some(b"\x10c".to_vec()));
        assert_eq!(detach.filter(b"\x10\x11d".to_vec()), None);
        assert!(Detach::parse("ctrl-1").is_err());
    }
}
