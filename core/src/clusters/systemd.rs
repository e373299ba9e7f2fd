//! The init of a node: keeps services running. `systemd` and `systemctl`, as far as nodes need them.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use crate::{
    machine::{Child, Command, Machine, Proc, Program, Signal},
    sim::{Either, Notify, race},
};

/// How long a service that died is left alone (`RestartSec`; the kubelet's unit has 600 ms here,
/// as minikube writes it).
const RESTART: Duration = Duration::from_millis(600);

/// A service.
pub struct Unit {
    /// `kubelet`, without `.service`.
    pub name: &'static str,
    /// What it is, for `systemctl status`.
    pub description: &'static str,
    /// Its command line.
    pub argv: Vec<String>,
    /// Whether it is started with the machine.
    pub enabled: Cell<bool>,
    /// Whether it should run now.
    wanted: Cell<bool>,
    child: RefCell<Option<Child>>,
}

impl Unit {
    /// A service that is not enabled yet.
    pub fn new(name: &'static str, description: &'static str, argv: &[&str]) -> Unit {
        Unit {
            name,
            description,
            argv: argv.iter().map(|a| a.to_string()).collect(),
            enabled: Cell::new(false),
            wanted: Cell::new(false),
            child: RefCell::default(),
        }
    }

    fn running(&self) -> Option<Child> {
        self.child.borrow().clone().filter(|c| c.status().is_none())
    }
}

/// The services of a machine; hangs on it.
pub struct Units {
    units: Vec<Unit>,
    changed: Notify,
}

impl Units {
    /// Hangs services on a machine; its init will run those that are enabled.
    pub fn hang(machine: &Machine, units: Vec<Unit>) {
        machine.set(Rc::new(Units { units, changed: Notify::default() }));
    }

    /// A service by name, with or without `.service`.
    pub fn find(&self, name: &str) -> Option<&Unit> {
        let name = name.strip_suffix(".service").unwrap_or(name);
        self.units.iter().find(|u| u.name == name)
    }

    /// Enables a service and starts it.
    pub fn enable_now(&self, name: &str) {
        if let Some(unit) = self.find(name) {
            unit.enabled.set(true);
            self.start(unit);
        }
    }

    /// Starts a service if it does not run.
    pub fn start(&self, unit: &Unit) {
        unit.wanted.set(true);
        self.changed.notify();
    }

    /// Stops a service.
    pub fn stop(&self, unit: &Unit) {
        unit.wanted.set(false);
        if let Some(child) = unit.running() {
            child.kill(Signal::Term);
        }
        self.changed.notify();
    }

    /// Whether a service runs.
    pub fn is_running(&self, name: &str) -> bool {
        self.find(name).is_some_and(|u| u.running().is_some())
    }
}

/// The init.
pub static SYSTEMD: Program = Program {
    name: "systemd",
    summary: "system and service manager",
    run: |proc| Box::pin(init(proc)),
    complete: None,
};

async fn init(proc: Proc) -> i32 {
    let Some(units) = proc.machine().get::<Units>() else {
        // A container of a node's image that no cluster was made for: nothing to run.
        while !ends(proc.signal().await) {}
        return 0;
    };
    for unit in &units.units {
        unit.wanted.set(unit.enabled.get());
        unit.child.take();
    }
    let mut died = false;
    loop {
        if died {
            proc.sleep(RESTART).await;
        }
        let changed = units.changed.wait();
        for unit in units.units.iter().filter(|u| u.wanted.get() && u.running().is_none()) {
            if let Ok(child) = proc.spawn(Command::new(unit.argv.iter().cloned())) {
                let (watched, notify) = (child.clone(), units.changed.clone());
                proc.spawn_task(async move {
                    watched.wait().await;
                    notify.notify();
                });
                *unit.child.borrow_mut() = Some(child);
            }
        }
        match race(proc.signal(), changed).await {
            Either::Left(signal) if ends(signal) => return 0,
            Either::Left(_) => died = false,
            Either::Right(()) => {
                died = units
                    .units
                    .iter()
                    .any(|u| u.wanted.get() && u.running().is_none() && u.child.borrow().is_some());
            }
        }
    }
}

/// SIGRTMIN+3 is what docker sends to an init; the runtime here sends SIGTERM.
fn ends(signal: Signal) -> bool {
    matches!(signal, Signal::Term | Signal::Int)
}

/// Looks at and changes services.
pub static SYSTEMCTL: Program = Program {
    name: "systemctl",
    summary: "control the system and service manager",
    run: |proc| Box::pin(control(proc)),
    complete: None,
};

async fn control(proc: Proc) -> i32 {
    let words: Vec<&str> =
        proc.args()[1..].iter().map(String::as_str).filter(|a| !a.starts_with('-')).collect();
    let Some(units) = proc.machine().get::<Units>() else {
        proc.eprint(
            "System has not been booted with systemd as init system (PID 1). Can't operate.\n",
        )
        .await;
        return 1;
    };
    let (verb, names) = match words.split_first() {
        Some((verb, names)) => (*verb, names),
        None => ("list-units", &[][..]),
    };
    if verb == "list-units" {
        for unit in &units.units {
            let state = if unit.running().is_some() { "active running" } else { "inactive dead" };
            let name = format!("{}.service", unit.name);
            proc.print(&format!("{name:<20} loaded {state} {}\n", unit.description)).await;
        }
        return 0;
    }
    if names.is_empty() {
        proc.eprint("Too few arguments.\n").await;
        return 1;
    }
    let mut code = 0;
    for name in names {
        let Some(unit) = units.find(name) else {
            let text = match verb {
                "status" | "is-active" => format!("Unit {name}.service could not be found.\n"),
                _ => format!("Failed to {verb} {name}.service: Unit {name}.service not found.\n"),
            };
            proc.eprint(&text).await;
            return if verb == "status" { 4 } else { 5 };
        };
        code = code.max(one(&proc, &units, unit, verb).await);
    }
    code
}

async fn one(proc: &Proc, units: &Units, unit: &Unit, verb: &str) -> i32 {
    match verb {
        "start" => units.start(unit),
        "stop" => {
            units.stop(unit);
            if let Some(child) = unit.running() {
                child.wait().await;
            }
        }
        "restart" => {
            units.stop(unit);
            if let Some(child) = unit.running() {
                child.wait().await;
            }
            units.start(unit);
        }
        "enable" => unit.enabled.set(true),
        "disable" => unit.enabled.set(false),
        "is-active" => {
            let active = unit.running().is_some();
            proc.print(if active { "active\n" } else { "inactive\n" }).await;
            return if active { 0 } else { 3 };
        }
        "status" => return status(proc, unit).await,
        other => {
            proc.eprint(&format!("Unknown command verb {other}.\n")).await;
            return 1;
        }
    }
    // What was started is there when the command returns.
    proc.sleep(Duration::from_millis(20)).await;
    0
}

async fn status(proc: &Proc, unit: &Unit) -> i32 {
    let running = unit.running();
    let state = match &running {
        Some(_) => "active (running)",
        None => "inactive (dead)",
    };
    let enabled = if unit.enabled.get() { "enabled" } else { "disabled" };
    let mut text = format!(
        "● {0}.service - {1}\n     Loaded: loaded (/lib/systemd/system/{0}.service; {enabled}; \
         preset: enabled)\n     Active: {state}\n",
        unit.name, unit.description
    );
    if let Some(child) = &running {
        text.push_str(&format!("   Main PID: {} ({})\n", child.pid(), unit.name));
    }
    proc.print(&text).await;
    if running.is_some() { 0 } else { 3 }
}
