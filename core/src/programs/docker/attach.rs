//! `docker attach`, and being attached to a container that `docker run` or `start -a` starts.

use std::{cell::Cell, rc::Rc};

use super::{Cx, Error, Flag, Offer, Parsed, Sub};
use crate::{
    machine::{Signal, Tty},
    runtime::{Container, Engine},
    sim::{Either, Notify, TaskHandle, race},
};

/// `docker attach`
pub const ATTACH: Sub = Sub {
    name: "attach",
    usage: "attach [OPTIONS] CONTAINER",
    short: "Join a running container's input and output",
    flags: &[
        Flag::bool("no-stdin", false, "Don't pass on standard input"),
        Flag::bool("sig-proxy", true, "Pass on signals"),
    ],
    args: (1, 1),
    run: |cx, parsed| Box::pin(attach(cx, parsed)),
    complete: Offer::Running,
    ..Sub::EMPTY
};

async fn attach(cx: Cx, parsed: Parsed) -> Result<(), Error> {
    let engine = cx.engine()?;
    let container = engine.find(&parsed.args[0])?;
    if !container.is_running() {
        return Err(Error::new("cannot attach to a stopped container, start it first"));
    }
    let output = Output::before_start(&cx, &engine, &container, true);
    let code = output.follow(&cx, &engine, &container, !parsed.bool("no-stdin")).await;
    if code == 0 { Ok(()) } else { Err(Error::code(code)) }
}

/// A container's output from now on: read from its log, which nothing escapes, so that what it
/// writes in its first instant is not lost.
pub struct Output {
    from: u64,
    wanted: bool,
}

impl Output {
    /// Output is wanted from here on.
    pub fn before_start(_: &Cx, _: &Engine, container: &Container, wanted: bool) -> Output {
        Output { from: container.log.end(), wanted }
    }

    /// Shows output and passes on input and signals until the container ends; its exit code.
    pub async fn follow(
        self,
        cx: &Cx,
        engine: &Engine,
        container: &Rc<Container>,
        stdin: bool,
    ) -> i32 {
        if !self.wanted {
            return 0;
        }
        if container.spec.tty {
            return self.follow_tty(cx, engine, container, stdin).await;
        }
        let mut tasks = Tasks::new(cx);
        if stdin && container.spec.stdin {
            let (cx, engine, container) = (cx.clone(), engine.clone(), container.clone());
            tasks.add(async move {
                loop {
                    let bytes = cx.proc.read(4096).await;
                    if bytes.is_empty() {
                        return engine.close_stdin(&container);
                    }
                    engine.write_stdin(&container, &bytes);
                }
            });
        }
        let mut next = self.from;
        loop {
            let changed = container.log.changed().wait();
            next = show(cx, container, next).await;
            if !container.is_running() || container.is_removed() {
                show(cx, container, next).await;
                return container.status().exit_code;
            }
            // Ctrl-C and the like go to the container, which may end or not.
            match race(race(changed, container.exited()), cx.proc.signal()).await {
                Either::Left(_) => {}
                Either::Right(Signal::Winch) => {}
                Either::Right(signal) => engine.kill(container, signal),
            }
        }
    }

    async fn follow_tty(
        self,
        cx: &Cx,
        engine: &Engine,
        container: &Rc<Container>,
        stdin: bool,
    ) -> i32 {
        let mut output = engine.attach(container);
        // What it wrote before anyone was attached.
        let mut early = Vec::new();
        container.log.read(self.from, |line| early.extend_from_slice(&line.text));
        cx.proc.write(1, &early).await;
        let raw = Raw::new(cx.proc.tty().filter(|_| stdin));
        let mut tasks = Tasks::new(cx);
        if let Some(tty) = cx.proc.any_tty() {
            let (cols, rows) = tty.size();
            engine.resize(container, cols, rows);
            let (cx, engine, container) = (cx.clone(), engine.clone(), container.clone());
            tasks.add(async move {
                loop {
                    cx.proc.size_changed().await;
                    let (cols, rows) = tty.size();
                    engine.resize(&container, cols, rows);
                }
            });
        }
        let detached = Rc::new((Cell::new(false), Notify::default()));
        if stdin && container.spec.stdin {
            let (cx, engine, container) = (cx.clone(), engine.clone(), container.clone());
            let detached = detached.clone();
            tasks.add(async move {
                let mut prefix = false;
                loop {
                    let bytes = cx.proc.read(4096).await;
                    if bytes.is_empty() {
                        return;
                    }
                    // Ctrl-P Ctrl-Q leaves the container running.
                    if (prefix && bytes.first() == Some(&17)) || bytes == [16, 17] {
                        detached.0.set(true);
                        return detached.1.notify();
                    }
                    prefix = bytes.last() == Some(&16);
                    engine.write_stdin(&container, &bytes);
                }
            });
        }
        loop {
            let left = detached.1.wait();
            if detached.0.get() {
                drop(raw);
                cx.print("read escape sequence\n").await;
                return 0;
            }
            match race(output.recv(), left).await {
                Either::Left(Some((_, bytes))) => cx.proc.write(1, &bytes).await,
                Either::Left(None) => break,
                Either::Right(()) => {}
            }
        }
        drop(raw);
        container.exited().await;
        container.status().exit_code
    }
}

/// Shows the lines of a log from a number on; the number after the last.
async fn show(cx: &Cx, container: &Container, from: u64) -> u64 {
    let mut lines = Vec::new();
    let next = container.log.read(from, |line| lines.push((line.stream, line.text.clone())));
    for (stream, text) in lines {
        cx.proc.write(if stream == 2 { 2 } else { 1 }, &text).await;
    }
    next
}

/// A terminal in raw mode while this lives.
pub struct Raw(Option<Tty>);

impl Raw {
    /// Raw from now on.
    pub fn new(tty: Option<Tty>) -> Raw {
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

/// Tasks beside a command, ended with it.
pub struct Tasks {
    cx: Cx,
    list: Vec<TaskHandle>,
}

impl Tasks {
    /// None yet.
    pub fn new(cx: &Cx) -> Tasks {
        Tasks { cx: cx.clone(), list: Vec::new() }
    }

    /// Runs something beside the command.
    pub fn add(&mut self, task: impl Future<Output = ()> + 'static) {
        self.list.push(self.cx.proc.spawn_task(task));
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        for task in &self.list {
            self.cx.proc.sim().kill(task);
        }
    }
}
