//! A row of the process table: what a process is, and how signals and endings reach it.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::{Rc, Weak},
    task::Waker,
};

use super::{
    Machine,
    command::Env,
    fd::Io,
    fs::Who,
    signal::{ExitStatus, Signal},
};
use crate::sim::{Cause, Notify, TaskHandle, Time};

#[derive(Default)]
pub(super) struct Signals {
    /// Whether the program asks for signals itself.
    pub caught: bool,
    /// Signals it ignores (`trap '' INT`, `nohup`).
    pub ignored: Vec<Signal>,
    pub queue: VecDeque<Signal>,
    pub waker: Option<Waker>,
}

/// A process, or what is left of one that ended.
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// When it started.
    pub start: Time,
    /// Who it runs as.
    pub who: Cell<Who>,
    /// Its parent's number; 0 for process 1 and for what was started from outside.
    pub parent: Cell<u32>,
    /// Its process group.
    pub group: Cell<u32>,
    pub(super) args: RefCell<Rc<[String]>>,
    pub(super) env: RefCell<Env>,
    pub(super) cwd: RefCell<Rc<str>>,
    pub(super) machine: Weak<Machine>,
    pub(super) done: Notify,
    pub(super) task: RefCell<Option<TaskHandle>>,
    pub(super) threads: RefCell<Vec<TaskHandle>>,
    pub(super) io: RefCell<Weak<Io>>,
    pub(super) signals: RefCell<Signals>,
    pub(super) written: Cell<usize>,
    /// What it is among causes.
    pub(super) cause: Cell<Cause>,
    /// Why it ended, if that was not its own doing.
    ended_for: Cell<Option<Cause>>,
    status: Cell<Option<ExitStatus>>,
    memory: Cell<u64>,
    cpu: Burned,
}

/// Processor time, as it is used up: at once, and from a moment on at a rate.
#[derive(Default)]
pub(super) struct Burned {
    micros: Cell<u64>,
    /// Since when, and how many thousandths of a processor.
    rate: Cell<(Time, u64)>,
}

impl Burned {
    pub(super) fn add(&self, micros: u64) {
        self.micros.set(self.micros.get().saturating_add(micros));
    }

    pub(super) fn rate(&self) -> u64 {
        self.rate.get().1
    }

    /// From now on so many thousandths of a processor are used.
    pub(super) fn set_rate(&self, now: Time, millicores: u64) {
        self.micros.set(self.at(now));
        self.rate.set((now, millicores));
    }

    /// Microseconds up to a moment.
    pub(super) fn at(&self, now: Time) -> u64 {
        let (since, millicores) = self.rate.get();
        let passed = u64::try_from(now.since(since).as_micros()).unwrap_or(u64::MAX);
        let more = if millicores == 0 { 0 } else { passed.saturating_mul(millicores) / 1000 };
        self.micros.get().saturating_add(more)
    }
}

/// Sees processes come and go; hangs on a machine.
pub struct ProcessObserver {
    /// A process was started.
    pub started: Box<dyn Fn(&Process)>,
    /// A process ended; it is in the table until this returns.
    pub ended: Box<dyn Fn(&Process, ExitStatus)>,
}

impl Process {
    pub(super) fn new(machine: &Rc<Machine>, pid: u32, parent: u32, who: Who) -> Process {
        Process {
            pid,
            start: machine.sim().now(),
            who: Cell::new(who),
            parent: Cell::new(parent),
            group: Cell::new(pid),
            args: RefCell::new(Rc::from([])),
            env: RefCell::default(),
            cwd: RefCell::new("/".into()),
            machine: Rc::downgrade(machine),
            done: Notify::default(),
            task: RefCell::default(),
            threads: RefCell::default(),
            io: RefCell::default(),
            signals: RefCell::default(),
            written: Cell::new(0),
            cause: Cell::default(),
            ended_for: Cell::new(None),
            status: Cell::new(None),
            memory: Cell::new(1 << 20),
            cpu: Burned::default(),
        }
    }

    /// Its command line.
    pub fn args(&self) -> Rc<[String]> {
        self.args.borrow().clone()
    }

    /// The program's name, as `ps -o comm` prints it (at most 15 bytes).
    pub fn comm(&self) -> String {
        let args = self.args.borrow();
        let name = args.first().map_or("", |arg| arg.rsplit('/').next().unwrap_or(arg));
        name.trim_start_matches('-').chars().take(15).collect()
    }

    /// Its environment.
    pub fn env(&self) -> Env {
        self.env.borrow().clone()
    }

    /// Its working directory.
    pub fn cwd(&self) -> Rc<str> {
        self.cwd.borrow().clone()
    }

    /// Its descriptors, while it runs.
    pub fn io(&self) -> Option<Rc<Io>> {
        self.io.borrow().upgrade()
    }

    /// How it ended, if it has.
    pub fn status(&self) -> Option<ExitStatus> {
        self.status.get()
    }

    /// Why it ended, if it ended and not by its own doing.
    pub fn ended_for(&self) -> Option<Cause> {
        self.ended_for.get()
    }

    /// Bytes of memory it uses (what the program said with [`Process::set_memory`]).
    pub fn memory(&self) -> u64 {
        self.memory.get()
    }

    /// Says how much memory it uses from now on. Limits are the container runtime's business.
    pub fn set_memory(&self, bytes: u64) {
        self.memory.set(bytes);
        if let Some(machine) = self.machine.upgrade() {
            machine.memory_changed().notify();
        }
    }

    /// Microseconds of processor time it used.
    pub fn cpu_micros(&self) -> u64 {
        self.machine.upgrade().map_or(self.cpu.micros.get(), |m| self.cpu.at(m.sim().now()))
    }

    /// Adds processor time that it used.
    pub fn add_cpu_micros(&self, micros: u64) {
        self.cpu.add(micros);
        if let Some(machine) = self.machine.upgrade() {
            machine.cpu.add(micros);
        }
    }

    /// From now on, until it says otherwise or ends, it computes on so many thousandths of a
    /// processor.
    pub fn burn(&self, millicores: u64) {
        let before = self.cpu.rate();
        let Some(machine) = self.machine.upgrade() else { return };
        let now = machine.sim().now();
        self.cpu.set_rate(now, millicores);
        machine.cpu.set_rate(now, machine.cpu.rate() + millicores - before);
    }

    /// Says that the program handles signals itself.
    pub(super) fn catch_signals(&self) {
        self.signals.borrow_mut().caught = true;
    }

    /// Sends it a signal; `outside` means from outside its machine.
    pub fn signal(&self, signal: Signal, outside: bool) {
        if self.status.get().is_some() {
            return;
        }
        if signal.is_unstoppable() {
            if self.pid != 1 || outside {
                self.end(ExitStatus::Signal(signal));
            }
            return;
        }
        let mut signals = self.signals.borrow_mut();
        if signals.ignored.contains(&signal) {
            return;
        }
        if signals.caught && !matches!(signal, Signal::Pipe | Signal::Segv | Signal::Abrt) {
            signals.queue.push_back(signal);
            let waker = signals.waker.take();
            drop(signals);
            if let Some(waker) = waker {
                waker.wake();
            }
            return;
        }
        drop(signals);
        // The kernel drops signals for a process 1 that has no handler for them.
        let protected = self.pid == 1 && signal != Signal::Pipe;
        if !signal.ignored_by_default() && !protected {
            self.end(ExitStatus::Signal(signal));
        }
    }

    /// Ends it, wherever it is.
    pub fn end(&self, status: ExitStatus) {
        if self.status.get().is_some() {
            return;
        }
        self.status.set(Some(status));
        self.burn(0);
        let Some(machine) = self.machine.upgrade() else { return };
        let cause = machine.sim().cause();
        if cause != self.cause.get() && !cause.is_none() {
            self.ended_for.set(Some(machine.sim().keep_cause()));
        }
        let threads = self.threads.take();
        let task = self.task.take();
        for task in threads.iter().chain(&task) {
            machine.sim().kill(task);
        }
        machine.forget(self, status);
        self.done.notify();
    }
}
