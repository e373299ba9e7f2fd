//! Machines: places where processes run (a host, a node, a container).
//!
//! A [`Machine`] has files, a process table and a name. Programs are `async fn`s that get a
//! [`Proc`]; only its calls suspend, and only simulated time or input wakes them, so a thousand
//! idle processes cost nothing. Files whose content names a registered program are what makes a
//! command exist on a machine.
//!
//! Not here: networks (`fabric`), what shells understand (`shell`), what is in images (`runtime`).
//!
//! Invariant: a process that ended has no task, no open descriptor and no row in the table.

mod command;
mod errno;
mod fd;
pub mod fs;
mod page;
mod pipe;
mod proc;
mod proc_files;
mod process;
mod procfs;
mod program;
mod signal;
pub mod socket;
mod table;
#[cfg(test)]
mod tests;
mod tty;

use std::{
    any::{Any, TypeId},
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

pub use command::{Child, Command, Env};
pub use errno::{FsError, SpawnError};
pub use fd::{Fd, Io, OpenFile};
use fs::{Files, Fs};
pub use page::Page;
pub use pipe::{PipeReader, PipeWriter, pipe};
pub use proc::Proc;
pub use process::{Process, ProcessObserver};
pub use procfs::{KERNEL, MemoryTotal};
pub use program::{CompleteCx, Program, ProgramFinder, Run};
pub use signal::{ExitStatus, SIGNALS, Signal};
pub use table::DEFAULT_PATH;
pub use tty::{Mode, Reporter, Tty};

use crate::sim::{Notify, Sim, Time};

/// What a machine is made from.
pub struct MachineSpec {
    /// Its host name.
    pub hostname: String,
    /// Its files.
    pub fs: Rc<Fs>,
    /// The environment of processes that are started from outside.
    pub env: BTreeMap<String, String>,
    /// Finds the programs that files refer to.
    pub programs: ProgramFinder,
}

/// A place where processes run.
pub struct Machine {
    sim: Sim,
    hostname: RefCell<String>,
    files: Files,
    env: RefCell<Env>,
    programs: ProgramFinder,
    /// What it sees of processes: its own table, or another machine's (a PID namespace).
    pids: Rc<table::Pids>,
    started: Cell<Time>,
    changed: Notify,
    memory_changed: Notify,
    cpu: process::Burned,
    extensions: RefCell<BTreeMap<TypeId, Rc<dyn Any>>>,
}

impl Machine {
    /// A machine without processes. The first one that is started on it is process 1; when that
    /// ends, everything else on the machine is killed, and numbers begin anew.
    pub fn new(sim: &Sim, spec: MachineSpec) -> Rc<Machine> {
        Machine::with_pids(sim, spec, Rc::default())
    }

    /// A machine whose processes stand in the table of another one and see what stands there, as
    /// containers that share a PID namespace. When process 1 of the table ends, all in it are killed.
    pub fn beside(sim: &Sim, spec: MachineSpec, other: &Machine) -> Rc<Machine> {
        Machine::with_pids(sim, spec, other.pids.clone())
    }

    fn with_pids(sim: &Sim, spec: MachineSpec, pids: Rc<table::Pids>) -> Rc<Machine> {
        let machine = Rc::new(Machine {
            sim: sim.clone(),
            hostname: RefCell::new(spec.hostname),
            files: Files::new(sim, spec.fs),
            env: RefCell::new(Rc::new(spec.env)),
            programs: spec.programs,
            pids,
            started: Cell::new(sim.now()),
            changed: Notify::default(),
            memory_changed: Notify::default(),
            cpu: process::Burned::default(),
            extensions: RefCell::default(),
        });
        procfs::mount(&machine);
        machine
    }

    /// The simulation.
    pub fn sim(&self) -> &Sim {
        &self.sim
    }

    /// Its host name.
    pub fn hostname(&self) -> String {
        self.hostname.borrow().clone()
    }

    /// Changes its host name.
    pub fn set_hostname(&self, name: &str) {
        *self.hostname.borrow_mut() = name.to_string();
    }

    /// Its files, as processes see them.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// The environment of processes that are started from outside.
    pub fn env(&self) -> Env {
        self.env.borrow().clone()
    }

    /// Changes the environment of processes that are started from outside.
    pub fn set_env(&self, env: BTreeMap<String, String>) {
        *self.env.borrow_mut() = Rc::new(env);
    }

    /// A registered program by name, whether or not a file refers to it.
    pub fn registered(&self, name: &str) -> Option<&'static Program> {
        (self.programs)(name)
    }

    /// Finds the programs that files refer to.
    pub fn finder(&self) -> ProgramFinder {
        self.programs
    }

    /// When it was switched on.
    pub fn started(&self) -> Time {
        self.started.get()
    }

    /// Notified whenever a process starts or ends.
    pub fn changed(&self) -> &Notify {
        &self.changed
    }

    /// Microseconds of processor time that all its processes used, those that ended included.
    pub fn cpu_micros(&self) -> u64 {
        self.cpu.at(self.sim.now())
    }

    /// Notified whenever a process says that it uses more or less memory.
    pub fn memory_changed(&self) -> &Notify {
        &self.memory_changed
    }

    /// What another room hung on this machine: its network endpoint, its container engine.
    pub fn get<T: 'static>(&self) -> Option<Rc<T>> {
        self.extensions.borrow().get(&TypeId::of::<T>()).cloned()?.downcast().ok()
    }

    /// Hangs something on this machine, in place of what had the same type.
    pub fn set<T: 'static>(&self, value: Rc<T>) {
        let old = self.extensions.borrow_mut().insert(TypeId::of::<T>(), value);
        drop(old);
    }

    /// Takes away what hangs on this machine.
    pub fn unset<T: 'static>(&self) {
        let old = self.extensions.borrow_mut().remove(&TypeId::of::<T>());
        drop(old);
    }
}
