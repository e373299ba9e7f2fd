//! `docker exec`.

use std::rc::Rc;

use super::{
    ANY, Cx, Error, Flag, Offer, Parsed, Sub,
    attach::{Raw, Tasks},
};
use crate::{
    machine::{Fd, Tty, pipe},
    runtime::{ExecSpec, Work},
};

/// `docker exec`
pub const EXEC: Sub = Sub {
    name: "exec",
    usage: "exec [OPTIONS] CONTAINER COMMAND [ARG...]",
    short: "Run a command in a running container",
    flags: &[
        Flag::bool("detach", false, "Run it in the background").short("d"),
        Flag::array("env", "Set a variable").short("e"),
        Flag::bool("interactive", false, "Keep standard input open").short("i"),
        Flag::bool("privileged", false, "Let it do everything"),
        Flag::bool("tty", false, "Give it a terminal").short("t"),
        Flag::str("user", "", "Who it runs as").short("u"),
        Flag::str("workdir", "", "Its working directory").short("w"),
    ],
    leading: true,
    args: (2, ANY),
    run: |cx, parsed| Box::pin(exec(cx, parsed)),
    common: true,
    complete: Offer::Running,
};

async fn exec(cx: Cx, parsed: Parsed) -> Result<(), Error> {
    let engine = cx.engine()?;
    let (interactive, tty) = (parsed.bool("interactive"), parsed.bool("tty"));
    if tty && interactive && cx.proc.tty().is_none() {
        return Err(Error { text: "the input device is not a TTY".into(), code: 1 });
    }
    let container = engine.find(&parsed.args[0])?;
    if !container.is_running() {
        let id = &container.id;
        let text = format!("Error response from daemon: container {id} is not running");
        return Err(Error::new(text));
    }
    let text = |name: &str| Some(parsed.str(name).to_string()).filter(|t| !t.is_empty());
    let mut env: Vec<_> = parsed
        .list("env")
        .iter()
        .filter_map(|line| match line.split_once('=') {
            Some((k, v)) => Some((k.to_string(), v.to_string())),
            None => cx.proc.env(line).map(|value| (line.clone(), value)),
        })
        .collect();
    let detach = parsed.bool("detach");
    let io = cx.proc.io();
    let mut tasks = Tasks::new(&cx);
    let mut raw = None;
    let mut gone = None;
    let fds = if detach {
        [Fd::Null, Fd::Null, Fd::Null]
    } else if tty {
        env.push(("TERM".into(), "xterm".into()));
        let own = cx.proc.any_tty();
        let (cols, rows) = own.as_ref().map_or((80, 24), Tty::size);
        let out = io.get(1);
        let now = cx.proc.sim().clone();
        let inner =
            Tty::new("pts/0", cols, rows, Rc::new(move |bytes| write_now(&out, bytes, &now)));
        if interactive {
            raw = Some(Raw::new(cx.proc.tty()));
            let (cx, inner) = (cx.clone(), inner.clone());
            tasks.add(async move {
                loop {
                    let bytes = cx.proc.read(4096).await;
                    if bytes.is_empty() {
                        return inner.hangup();
                    }
                    inner.input(&bytes);
                }
            });
        }
        if let Some(own) = own {
            let (cx, inner) = (cx.clone(), inner.clone());
            tasks.add(async move {
                loop {
                    cx.proc.size_changed().await;
                    let (cols, rows) = own.size();
                    inner.resize(cols, rows);
                }
            });
        }
        gone = Some(HangUp(inner.clone()));
        let fd = || Fd::Tty(inner.clone());
        [fd(), fd(), fd()]
    } else {
        let stdin = match interactive {
            true => {
                let (reader, writer) = pipe();
                let cx = cx.clone();
                tasks.add(async move {
                    loop {
                        let bytes = cx.proc.read(4096).await;
                        if bytes.is_empty() || !writer.write(&bytes).await {
                            return;
                        }
                    }
                });
                Fd::PipeReader(reader)
            }
            false => Fd::Null,
        };
        [stdin, io.get(1), io.get(2)]
    };
    engine.takes(Work::Exec).await;
    let spec = ExecSpec {
        argv: parsed.args[1..].to_vec(),
        env,
        workdir: text("workdir"),
        user: text("user"),
        fds: Some(fds),
    };
    let child = engine.exec(&container, spec).map_err(|error| {
        // runc's complaint comes over the stream, without docker's words.
        match error.message.starts_with("OCI runtime") {
            true => Error { text: error.message, code: error.code },
            false => Error::from(error),
        }
    })?;
    if detach {
        return Ok(());
    }
    let code = child.wait().await.code();
    drop((raw, tasks, gone));
    if code == 0 { Ok(()) } else { Err(Error::code(code)) }
}

/// The terminal in the container ends with the command, however that comes.
struct HangUp(Tty);

impl Drop for HangUp {
    fn drop(&mut self) {
        self.0.hangup();
    }
}

/// Writes where a process can't wait: from a terminal's callback.
fn write_now(to: &Fd, bytes: &[u8], sim: &crate::sim::Sim) {
    match to {
        Fd::Tty(tty) => tty.write(bytes),
        Fd::PipeWriter(pipe) => drop(pipe.push(bytes)),
        Fd::File(file) => drop(file.write(bytes, sim.now())),
        Fd::Sink(sink) => sink(bytes),
        _ => {}
    }
}
