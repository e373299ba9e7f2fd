//! A machine's process table: starting, finding and ending processes.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use super::{
    Child, Command, Env, ExitStatus, Fd, FsError, Io, Machine, Proc, Process, ProcessObserver,
    Program, Run, Signal, SpawnError,
    fs::{self, Who, program_name},
};
use crate::sim::trace;

/// Where commands are looked for when the environment has no PATH.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Scripts may name scripts as interpreters this deep.
const MAX_INTERPRETERS: usize = 4;

/// The processes of a PID namespace, by number.
#[derive(Default)]
pub(super) struct Pids {
    processes: RefCell<BTreeMap<u32, Rc<Process>>>,
    last: Cell<u32>,
}

impl Machine {
    /// Starts a process from outside (a container's first, `docker exec`, a login). What the command
    /// leaves open is `/dev/null`, `/`, and the machine's environment.
    ///
    /// # Errors
    /// Where there is no such program.
    pub fn spawn(self: &Rc<Self>, command: Command) -> Result<Child, SpawnError> {
        self.spawn_from(None, command)
    }

    pub(super) fn spawn_from(
        self: &Rc<Self>,
        parent: Option<&Proc>,
        mut command: Command,
    ) -> Result<Child, SpawnError> {
        let env = match (&command.env, parent) {
            (Some(env), _) => env.clone(),
            (None, Some(parent)) => parent.env_all(),
            (None, None) => self.env(),
        };
        let cwd = match (&command.cwd, parent) {
            (Some(cwd), _) => cwd.clone(),
            (None, Some(parent)) => parent.cwd(),
            (None, None) => "/".to_string(),
        };
        let who = command.who.or_else(|| parent.map(Proc::who)).unwrap_or(Who::ROOT);
        let (program, argv) = self.find_program(&command.argv, &env, &cwd, who)?;
        (command.env, command.cwd, command.argv) = (Some(env), Some(cwd), argv);
        let proc = self.prepare(parent, command);
        let cause = self.sim.process_begins(self.begun(&proc));
        proc.process.cause.set(cause);
        Ok(self.sim.under(cause, || {
            let run = (program.run)(proc.clone());
            self.launch(proc, run)
        }))
    }

    /// A process, for those who ask afterwards what led to what.
    pub(super) fn begun(&self, proc: &Proc) -> trace::Process {
        let terminal = match proc.io.get(0) {
            Fd::Tty(tty) => tty.name().to_string(),
            _ => String::new(),
        };
        let (pid, argv) = (proc.pid(), proc.args.clone());
        trace::Process { machine: self.hostname(), pid, argv, terminal }
    }

    /// Makes a process without a program yet.
    pub(super) fn prepare(self: &Rc<Self>, parent: Option<&Proc>, command: Command) -> Proc {
        let who = command.who.or_else(|| parent.map(Proc::who)).unwrap_or(Who::ROOT);
        let pid = self.next_pid();
        let process = Process::new(self, pid, parent.map_or(0, Proc::pid), who);
        match (command.group, parent) {
            (Some(0), _) | (None, None) => {}
            (Some(group), _) => process.group.set(group),
            (None, Some(parent)) => process.group.set(parent.process.group.get()),
        }
        let args: Rc<[String]> = match (command.argv.is_empty(), parent) {
            (true, Some(parent)) => parent.args.clone(),
            _ => command.argv.into(),
        };
        *process.args.borrow_mut() = args.clone();
        *process.env.borrow_mut() =
            command.env.or_else(|| parent.map(Proc::env_all)).unwrap_or_else(|| self.env());
        *process.cwd.borrow_mut() = match (command.cwd, parent) {
            (Some(cwd), _) => cwd.into(),
            (None, Some(parent)) => parent.process.cwd(),
            (None, None) => "/".into(),
        };
        if let Some(parent) = parent {
            let ignored = parent.process.signals.borrow().ignored.clone();
            process.signals.borrow_mut().ignored = ignored;
        }
        let io = inherit(parent, [command.stdin, command.stdout, command.stderr]);
        *process.io.borrow_mut() = Rc::downgrade(&io);
        let process = Rc::new(process);
        if let Fd::Tty(tty) = io.get(0)
            && tty.foreground().is_none()
        {
            tty.set_foreground(self, process.group.get());
        }
        self.pids.processes.borrow_mut().insert(pid, process.clone());
        self.changed.notify();
        Proc { process, machine: self.clone(), args, io }
    }

    /// Lets a prepared process run.
    pub(super) fn launch(self: &Rc<Self>, proc: Proc, run: Run) -> Child {
        let process = proc.process.clone();
        let ending = process.clone();
        drop(proc); // the program has its own; the descriptors close when that is gone
        let task = self.sim.spawn(async move {
            let code = run.await;
            ending.end(ExitStatus::Code(code));
        });
        if process.status().is_some() {
            self.sim.kill(&task); // it was killed before it began
        } else {
            *process.task.borrow_mut() = Some(task);
            if let Some(observer) = self.get::<ProcessObserver>() {
                (observer.started)(&process);
            }
        }
        Child(process)
    }

    fn next_pid(&self) -> u32 {
        if self.pids.processes.borrow().is_empty() {
            self.pids.last.set(0);
            self.started.set(self.sim.now());
        }
        self.pids.last.set(self.pids.last.get() + 1);
        self.pids.last.get()
    }

    /// Takes an ended process out of the table.
    pub(super) fn forget(&self, process: &Process, status: ExitStatus) {
        self.sim.process_ends(process.cause.get());
        if let Some(observer) = self.get::<ProcessObserver>() {
            (observer.ended)(process, status);
        }
        self.pids.processes.borrow_mut().remove(&process.pid);
        if process.pid == 1 {
            for other in self.processes() {
                other.end(ExitStatus::Signal(Signal::Kill));
            }
        } else {
            for other in self.pids.processes.borrow().values() {
                if other.parent.get() == process.pid {
                    other.parent.set(1);
                }
            }
        }
        self.changed.notify();
    }

    /// The processes that run on this machine itself, with its files.
    fn own(&self) -> Vec<Rc<Process>> {
        let mut all = self.processes();
        all.retain(|p| std::ptr::eq(p.machine.as_ptr(), self));
        all
    }

    /// Kills every process, as when power fails.
    pub fn kill_all(&self) {
        for process in self.own() {
            process.end(ExitStatus::Signal(Signal::Kill));
        }
    }

    /// The processes that can be seen, by number.
    pub fn processes(&self) -> Vec<Rc<Process>> {
        self.pids.processes.borrow().values().cloned().collect()
    }

    /// A process by number.
    pub fn process(&self, pid: u32) -> Option<Rc<Process>> {
        self.pids.processes.borrow().get(&pid).cloned()
    }

    /// Whether a process group has a process.
    pub fn has_group(&self, group: u32) -> bool {
        self.pids.processes.borrow().values().any(|p| p.group.get() == group)
    }

    /// Sends a signal to all processes of a group.
    pub fn signal_group(&self, group: u32, signal: Signal) {
        let members: Vec<_> = self
            .pids
            .processes
            .borrow()
            .values()
            .filter(|p| p.group.get() == group)
            .cloned()
            .collect();
        for process in members {
            process.signal(signal, false);
        }
    }

    /// Bytes of memory that all processes use.
    pub fn memory(&self) -> u64 {
        self.own().iter().map(|p| p.memory()).sum()
    }

    /// Where a command's file is: the name itself if it holds a `/`, else the first executable of
    /// that name on the PATH.
    ///
    /// # Errors
    /// `NotOnPath`, or why a path can't be run.
    pub fn find_command(
        &self,
        name: &str,
        env: &BTreeMap<String, String>,
        cwd: &str,
        who: Who,
    ) -> Result<String, SpawnError> {
        let absolute = |path: &str| match path.starts_with('/') {
            true => path.to_string(),
            false => format!("{}/{path}", cwd.trim_end_matches('/')),
        };
        let check = |path: &str| {
            let node = self.files.stat(path, who).map_err(SpawnError::File)?;
            match (node.is_file(), node.allows(who, 1)) {
                (true, true) => Ok(()),
                _ => Err(SpawnError::File(FsError::Access)),
            }
        };
        if name.is_empty() {
            return Err(SpawnError::NotOnPath);
        }
        if name.contains('/') {
            let path = absolute(name);
            return check(&path).map(|()| path);
        }
        let search = env.get("PATH").map_or(DEFAULT_PATH, String::as_str);
        let mut error = SpawnError::NotOnPath;
        for dir in search.split(':') {
            let dir = if dir.is_empty() { "." } else { dir };
            let path = absolute(&format!("{}/{name}", dir.trim_end_matches('/')));
            match check(&path) {
                Ok(()) => return Ok(path),
                Err(SpawnError::File(FsError::Access)) => {
                    error = SpawnError::File(FsError::Access);
                }
                Err(_) => {}
            }
        }
        Err(error)
    }

    /// The program that a command line runs, scripts' interpreters resolved, and the arguments it
    /// gets.
    ///
    /// # Errors
    /// Where there is none.
    pub fn find_program(
        &self,
        argv: &[String],
        env: &Env,
        cwd: &str,
        who: Who,
    ) -> Result<(&'static Program, Vec<String>), SpawnError> {
        let name = argv.first().ok_or(SpawnError::Empty)?;
        let mut path = self.find_command(name, env, cwd, who)?;
        let mut argv = argv.to_vec();
        for _ in 0..MAX_INTERPRETERS {
            let content = self.files.stat(&path, who).map_err(SpawnError::File)?;
            let fs::Kind::File(content) = &content.kind else {
                return Err(SpawnError::File(FsError::Access));
            };
            if let Some(name) = program_name(content) {
                let program = (self.programs)(name).ok_or(SpawnError::File(FsError::NotFound))?;
                return Ok((program, argv));
            }
            let Some(rest) = content.strip_prefix(b"#!") else {
                return Err(SpawnError::Format { path });
            };
            let line = rest.split(|b| *b == b'\n').next().unwrap_or_default();
            let line = String::from_utf8_lossy(line);
            let (interpreter, argument) =
                line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
            let mut new = vec![interpreter.to_string()];
            if !argument.trim().is_empty() {
                new.push(argument.trim().to_string());
            }
            new.push(path);
            new.extend(argv.drain(1..));
            path = self.find_command(interpreter, env, cwd, who)?;
            argv = new;
        }
        Err(SpawnError::File(FsError::Loop))
    }
}

fn inherit(parent: Option<&Proc>, given: [Option<Fd>; 3]) -> Rc<Io> {
    let io = match parent {
        Some(parent) => parent.io.copy(),
        None => Io::new(Fd::Null, Fd::Null, Fd::Null),
    };
    for (fd, to) in (0..).zip(given) {
        if let Some(to) = to {
            io.set(fd, to);
        }
    }
    io
}
