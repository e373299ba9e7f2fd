//! The context a program runs in: its arguments, descriptors, signals and children.

use std::{
    collections::BTreeMap,
    future::{Future, pending, poll_fn},
    rc::Rc,
    task::Poll,
    time::Duration,
};

use super::{
    Machine, Process,
    command::{Child, Command, Env},
    errno::SpawnError,
    fd::{Fd, Io},
    fs::Who,
    signal::{ExitStatus, Signal},
    tty::Tty,
};
use crate::sim::{Sim, TaskHandle};

/// After this many bytes written without waiting, a process gives up a millisecond.
const WRITE_SLICE: usize = 65_536;
/// The same for a terminal, which is slower.
const TTY_SLICE: usize = 8_192;

/// A program's view of its process. Clones are the same process.
#[derive(Clone)]
pub struct Proc {
    pub(super) process: Rc<Process>,
    pub(super) machine: Rc<Machine>,
    pub(super) args: Rc<[String]>,
    pub(super) io: Rc<Io>,
}

impl Proc {
    /// The arguments; the first is the name it was called by.
    pub fn args(&self) -> &[String] {
        &self.args
    }

    /// The name it was called by, without directories; for error messages.
    pub fn name(&self) -> &str {
        let name = self.args.first().map_or("", String::as_str);
        name.rsplit('/').next().unwrap_or(name)
    }

    /// The simulation.
    pub fn sim(&self) -> &Sim {
        self.machine.sim()
    }

    /// The machine it runs on.
    pub fn machine(&self) -> &Rc<Machine> {
        &self.machine
    }

    /// Its row in the process table.
    pub fn process(&self) -> &Rc<Process> {
        &self.process
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.process.pid
    }

    /// Who it runs as.
    pub fn who(&self) -> Who {
        self.process.who.get()
    }

    /// An environment variable.
    pub fn env(&self, name: &str) -> Option<String> {
        self.process.env.borrow().get(name).cloned()
    }

    /// The whole environment.
    pub fn env_all(&self) -> Env {
        self.process.env()
    }

    /// Changes the whole environment (the shell's `export`).
    pub fn set_env(&self, env: BTreeMap<String, String>) {
        *self.process.env.borrow_mut() = Rc::new(env);
    }

    /// The working directory.
    pub fn cwd(&self) -> String {
        self.process.cwd().to_string()
    }

    /// Its descriptors.
    pub fn io(&self) -> &Rc<Io> {
        &self.io
    }

    /// The same process with other arguments and descriptors: how a shell runs a builtin.
    pub fn with(&self, args: Vec<String>, io: Rc<Io>) -> Proc {
        Proc { args: args.into(), io, ..self.clone() }
    }

    /// Writes to a descriptor, waiting while a pipe is full. If nobody reads a pipe any more the
    /// process ends here, as by SIGPIPE. Errors (a closed descriptor) are swallowed.
    pub async fn write(&self, fd: u8, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let mut slice = WRITE_SLICE;
        match self.io.get(fd) {
            Fd::PipeWriter(pipe) if !pipe.write(bytes).await && !self.ignores(Signal::Pipe) => {
                self.process.end(ExitStatus::Signal(Signal::Pipe));
                pending::<()>().await;
            }
            Fd::Tty(tty) => {
                tty.write(bytes);
                slice = TTY_SLICE;
            }
            Fd::File(file) => drop(file.write(bytes, self.sim().now())),
            Fd::Sink(sink) => sink(bytes),
            _ => {}
        }
        // Output costs time, so that `yes` and its kin can't hold up the simulation.
        let written = self.process.written.get() + bytes.len();
        self.process.written.set(written % slice);
        if written >= slice {
            let millis = (written / slice) as u64;
            self.process.add_cpu_micros(millis * 1000);
            self.sim().sleep(Duration::from_millis(millis)).await;
        }
    }

    fn ignores(&self, signal: Signal) -> bool {
        self.process.signals.borrow().ignored.contains(&signal)
    }

    /// Writes text to standard output.
    pub async fn print(&self, text: &str) {
        self.write(1, text.as_bytes()).await;
    }

    /// Writes text to standard error.
    pub async fn eprint(&self, text: &str) {
        self.write(2, text.as_bytes()).await;
    }

    /// Reads from standard input: at most `max` bytes, empty at the end.
    pub async fn read(&self, max: usize) -> Vec<u8> {
        self.read_fd(0, max, None).await
    }

    /// Reads from a descriptor: at most `max` bytes, up to and including the first `stop` if one is
    /// given; empty at the end.
    pub async fn read_fd(&self, fd: u8, max: usize, stop: Option<u8>) -> Vec<u8> {
        match self.io.get(fd) {
            Fd::PipeReader(pipe) => pipe.read(max, stop).await,
            Fd::Tty(tty) => tty.read(&self.machine, self.process.group.get(), max, stop).await,
            Fd::File(file) => file.read(max, stop).unwrap_or_default(),
            Fd::Zero => self.idle_bytes(vec![0; max.min(4096)]).await,
            Fd::Random => {
                let bytes = (0..max.min(4096)).map(|_| self.sim().random(256) as u8).collect();
                self.idle_bytes(bytes).await
            }
            _ => Vec::new(),
        }
    }

    async fn idle_bytes(&self, bytes: Vec<u8>) -> Vec<u8> {
        self.sim().sleep(Duration::from_micros(50)).await;
        bytes
    }

    /// Reads a line from standard input, without its end; `None` at the end of input.
    pub async fn read_line(&self) -> Option<String> {
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') {
            let more = self.read_fd(0, 65_536, Some(b'\n')).await;
            if more.is_empty() {
                break;
            }
            line.extend(more);
        }
        if line.is_empty() {
            return None;
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        Some(String::from_utf8_lossy(&line).into_owned())
    }

    /// Reads standard input to its end.
    pub async fn read_to_end(&self) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let more = self.read(65_536).await;
            if more.is_empty() {
                return all;
            }
            all.extend(more);
        }
    }

    /// The terminal standard input is, if it is one.
    pub fn tty(&self) -> Option<Tty> {
        self.io.get(0).tty().cloned()
    }

    /// The terminal any of the three standard descriptors is (`/dev/tty`).
    pub fn any_tty(&self) -> Option<Tty> {
        (0..3).find_map(|fd| self.io.get(fd).tty().cloned())
    }

    /// Whether standard output is a terminal.
    pub fn stdout_is_tty(&self) -> bool {
        self.io.get(1).tty().is_some()
    }

    /// Completes at the next change of its terminal's size; never without a terminal.
    pub async fn size_changed(&self) {
        match self.any_tty() {
            Some(tty) => tty.resized().await,
            None => pending().await,
        }
    }

    /// Completes with the next signal. A program that has called this once (even if the future was
    /// dropped) handles all signals but KILL itself from then on; otherwise their default
    /// action is taken.
    pub fn signal(&self) -> impl Future<Output = Signal> + '_ {
        self.process.catch_signals();
        poll_fn(|cx| {
            let mut signals = self.process.signals.borrow_mut();
            if let Some(signal) = signals.queue.pop_front() {
                return Poll::Ready(signal);
            }
            signals.waker = Some(cx.waker().clone());
            Poll::Pending
        })
    }

    /// A signal that has come already.
    pub fn try_signal(&self) -> Option<Signal> {
        self.process.catch_signals();
        self.process.signals.borrow_mut().queue.pop_front()
    }

    /// Ignores a signal (or no longer).
    pub fn ignore(&self, signal: Signal, ignore: bool) {
        let mut signals = self.process.signals.borrow_mut();
        signals.ignored.retain(|s| *s != signal);
        if ignore {
            signals.ignored.push(signal);
        }
    }

    /// Goes back to the default action for signals.
    pub fn default_signals(&self) {
        let mut signals = self.process.signals.borrow_mut();
        signals.caught = false;
        signals.queue.clear();
    }

    /// Waits for simulated time to pass.
    pub async fn sleep(&self, delay: Duration) {
        self.sim().sleep(delay).await;
    }

    /// Starts a program; what the command leaves open is inherited.
    ///
    /// # Errors
    /// Where there is no such program.
    pub fn spawn(&self, command: Command) -> Result<Child, SpawnError> {
        self.machine.spawn_from(Some(self), command)
    }

    /// Starts a process that runs `body` in place of a program: a shell's subshell.
    pub fn fork<F>(&self, command: Command, body: impl FnOnce(Proc) -> F) -> Child
    where
        F: Future<Output = i32> + 'static,
    {
        let proc = self.machine.prepare(Some(self), command);
        let run = body(proc.clone());
        self.machine.launch(proc, Box::pin(run))
    }

    /// Replaces the program that runs in this process (`exec`): completes with its exit code.
    ///
    /// # Errors
    /// Where there is no such program; the process goes on.
    pub fn exec(&self, argv: Vec<String>) -> Result<impl Future<Output = i32> + use<>, SpawnError> {
        let (program, argv) =
            self.machine.find_program(&argv, &self.env_all(), &self.cwd(), self.who())?;
        let args: Rc<[String]> = argv.into();
        *self.process.args.borrow_mut() = args.clone();
        self.default_signals();
        let proc = Proc { args, ..self.clone() };
        self.sim().process_becomes(self.process.cause.get(), self.machine.begun(&proc));
        Ok((program.run)(proc))
    }

    /// Runs something else beside the program in the same process; it ends with the process.
    pub fn spawn_task(&self, future: impl Future<Output = ()> + 'static) -> TaskHandle {
        let task = self.sim().spawn(future);
        let mut threads = self.process.threads.borrow_mut();
        threads.retain(|t| !t.is_finished());
        threads.push(task.clone());
        task
    }
}
