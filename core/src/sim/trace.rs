//! What led to what: a bounded memory of commands, writes and containers, each with its cause.
//!
//! While a callback, a task or a watcher runs, the simulation knows the [`Cause`] it runs for: that
//! which was in force when the callback was asked for or the task begun. Whoever does something that
//! others may ask about [`Sim::record`]s it and so becomes the cause of what follows. So nobody hands
//! causes from function to function; only queues that merge work carry them along
//! ([`Sim::under`]).
//!
//! Nothing is decided by what is in here. Records are plain data of rooms that `sim` does not know.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, VecDeque},
    rc::Rc,
};

use super::{Sim, Time};

/// Writes and containers remembered.
const EFFECTS: usize = 20_000;
/// Commands, requests and inputs remembered: there are fewer of them, and chains begin with them.
const BEGINNINGS: usize = 4_000;

/// Names a record; the default is no cause at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cause(u64);

/// The number's lowest bits: whether it is weighty ([`Cause::or`]), whether it is a process.
const WEIGHTY: u64 = 1;
const PROCESS: u64 = 2;
const BITS: u32 = 2;

impl Cause {
    /// Whether nothing is known to have led to it.
    pub fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Of two causes of the same piece of work the one to tell: the earlier, unless only the later
    /// is weighty (an object that is new, gone or wanted otherwise, and not just a new status).
    pub fn or(self, later: Cause) -> Cause {
        let weighty = |cause: Cause| cause.0 & WEIGHTY != 0;
        if self.is_none() || (weighty(later) && !weighty(self)) { later } else { self }
    }
}

/// A process that was started.
#[derive(Debug)]
pub struct Process {
    /// The machine's host name.
    pub machine: String,
    /// Its number there.
    pub pid: u32,
    /// Its command line.
    pub argv: Rc<[String]>,
    /// The terminal it was started in (`pts/1`); empty where there is none.
    pub terminal: String,
}

/// What a write did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Did {
    /// The object is new.
    Created,
    /// Something else is wanted of it.
    Changed,
    /// A pod got its node.
    Bound,
    /// Only its status changed.
    Status,
    /// It is to go, and something holds it yet.
    DeletionBegan,
    /// It is gone.
    Deleted,
}

/// A write of an API object.
#[derive(Clone, Debug)]
pub struct Write {
    /// Which store ([`Sim::number`]).
    pub store: u64,
    /// The kind's place in that store's table of kinds.
    pub kind: u16,
    /// Empty for cluster-scoped kinds.
    pub namespace: Rc<str>,
    /// The object's name.
    pub name: Rc<str>,
    /// The revision that it made.
    pub revision: u64,
    /// What it did.
    pub did: Did,
    /// Which component or user wrote.
    pub by: Rc<str>,
}

/// Something that happened to a container of a pod.
#[derive(Debug)]
pub struct Container {
    /// The machine whose engine has it.
    pub machine: String,
    /// The pod's namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The pod's uid.
    pub uid: String,
    /// The container's name in the pod.
    pub container: String,
    /// What happened: `created`, `started` …
    pub what: &'static str,
    /// How it exited, if that is what happened.
    pub exit_code: Option<i32>,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Fact {
    /// A process began.
    Process(Rc<Process>),
    /// Something came from outside: a request over the wire, a fault on purpose; in words.
    Outside(Rc<str>),
    /// An object was written.
    Write(Write),
    /// A container was created, started, exited or removed.
    Container(Rc<Container>),
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its own name, by which it is the cause of others; later ones are greater.
    pub id: Cause,
    /// What led to it.
    pub because: Cause,
    /// When.
    pub at: Time,
    /// What.
    pub fact: Fact,
}

#[derive(Default)]
pub(super) struct Trace {
    pub current: Cell<Cause>,
    last: Cell<u64>,
    effects: RefCell<VecDeque<Record>>,
    beginnings: RefCell<VecDeque<Record>>,
    /// Processes that run and have led to nothing yet.
    idle: RefCell<BTreeMap<Cause, Record>>,
}

impl Sim {
    /// For what the code at hand runs.
    pub fn cause(&self) -> Cause {
        self.0.trace.current.get()
    }

    /// Runs `f` as something that `cause` led to.
    pub fn under<T>(&self, cause: Cause, f: impl FnOnce() -> T) -> T {
        let before = self.0.trace.current.replace(cause);
        let result = f();
        self.0.trace.current.set(before);
        result
    }

    /// A number that nobody else has.
    pub fn number(&self) -> u64 {
        let trace = &self.0.trace;
        trace.last.set(trace.last.get() + 1);
        trace.last.get()
    }

    /// Notes that something happened, because of the cause at hand. `weighty`: see [`Cause::or`].
    pub fn record(&self, fact: Fact, weighty: bool) -> Cause {
        let id = Cause((self.number() << BITS) | if weighty { WEIGHTY } else { 0 });
        let because = self.cause();
        if because.0 & PROCESS != 0 {
            self.0.trace.keep_process(because);
        }
        self.0.trace.keep(Record { id, because, at: self.now(), fact });
        id
    }

    /// A process begins, because of the cause at hand. It is noted once it leads to something:
    /// what only looks, and what only runs, is forgotten when it ends ([`Sim::process_ends`]).
    pub fn process_begins(&self, process: Process) -> Cause {
        let id = Cause((self.number() << BITS) | PROCESS | WEIGHTY);
        let fact = Fact::Process(Rc::new(process));
        let record = Record { id, because: self.cause(), at: self.now(), fact };
        self.0.trace.idle.borrow_mut().insert(id, record);
        id
    }

    /// A process runs another program from now on (`exec`).
    pub fn process_becomes(&self, id: Cause, process: Process) {
        if let Some(record) = self.0.trace.idle.borrow_mut().get_mut(&id) {
            record.fact = Fact::Process(Rc::new(process));
        }
    }

    /// The cause at hand will be told of as the cause of something later: it is remembered even if
    /// it is a process that ends before.
    pub fn keep_cause(&self) -> Cause {
        let cause = self.cause();
        self.0.trace.keep_process(cause);
        cause
    }

    /// A process has ended.
    pub fn process_ends(&self, id: Cause) {
        let ended = self.0.trace.idle.borrow_mut().remove(&id);
        drop(ended);
    }

    /// Everything that is remembered, oldest first. Costs time; for those who ask.
    pub fn records(&self) -> Vec<Record> {
        let trace = &self.0.trace;
        let (effects, beginnings) = (trace.effects.borrow(), trace.beginnings.borrow());
        let mut all: Vec<Record> = effects.iter().chain(beginnings.iter()).cloned().collect();
        all.sort_by_key(|record| record.id);
        all
    }
}

impl Trace {
    fn keep(&self, record: Record) {
        let (ring, most) = match record.fact {
            Fact::Process(_) | Fact::Outside(_) => (&self.beginnings, BEGINNINGS),
            Fact::Write(_) | Fact::Container(_) => (&self.effects, EFFECTS),
        };
        let mut ring = ring.borrow_mut();
        if ring.len() == most {
            ring.pop_front();
        }
        ring.push_back(record);
    }

    /// A process led to something: it is noted, with those that led to it.
    fn keep_process(&self, mut id: Cause) {
        while let Some(record) = self.idle.borrow_mut().remove(&id) {
            id = record.because;
            self.keep(record);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn note(sim: &Sim, text: &str) -> Cause {
        sim.record(Fact::Outside(text.into()), true)
    }

    fn shown(sim: &Sim) -> Vec<(String, String)> {
        let all = sim.records();
        let text = |record: &Record| match &record.fact {
            Fact::Outside(text) => text.to_string(),
            other => format!("{other:?}"),
        };
        let because = |record: &Record| {
            all.iter().find(|r| r.id == record.because).map(&text).unwrap_or_default()
        };
        all.iter().map(|r| (text(r), because(r))).collect()
    }

    #[test]
    fn timers_and_tasks_run_for_what_they_were_begun_for() {
        let sim = Sim::new(1, Time::from_secs(0));
        let command = note(&sim, "command");
        let s = sim.clone();
        sim.under(command, || {
            let timer = s.clone();
            s.after(Duration::from_secs(5), move || {
                let written = note(&timer, "write");
                let inner = timer.clone();
                timer.under(written, || {
                    timer.after(Duration::ZERO, move || _ = note(&inner, "reaction"))
                });
            });
            let task = s.clone();
            s.spawn(async move {
                task.sleep(Duration::from_secs(9)).await;
                note(&task, "task");
            });
        });
        let s = sim.clone();
        sim.after(Duration::from_secs(6), move || _ = note(&s, "something else"));
        sim.advance(Time::from_secs(10), 100);
        let pairs = shown(&sim);
        let want = [
            ("command", ""),
            ("write", "command"),
            ("reaction", "write"),
            ("something else", ""),
            ("task", "command"),
        ];
        assert_eq!(pairs, want.map(|(a, b)| (a.to_string(), b.to_string())));
        assert!(sim.cause().is_none());
    }

    #[test]
    fn of_two_causes_the_earlier_is_told_unless_it_weighs_less() {
        let sim = Sim::new(1, Time::from_secs(0));
        let light = sim.record(Fact::Outside("a".into()), false);
        let (first, second) = (note(&sim, "b"), note(&sim, "c"));
        assert_eq!(light.or(first), first);
        assert_eq!(first.or(second), first);
        assert_eq!(first.or(light), first);
        assert_eq!(Cause::default().or(light), light);
    }

    #[test]
    fn a_process_is_remembered_if_it_led_to_something() {
        let sim = Sim::new(1, Time::from_secs(0));
        let begin = |name: &str| {
            sim.process_begins(Process {
                machine: "host".into(),
                pid: 1,
                argv: Rc::new([name.to_string()]),
                terminal: String::new(),
            })
        };
        let (shell, looks) = (begin("bash"), begin("ls"));
        let writes = sim.under(shell, || begin("kubectl"));
        sim.under(writes, || note(&sim, "write"));
        for id in [looks, writes, shell] {
            sim.process_ends(id);
        }
        let told = |r: &Record| match &r.fact {
            Fact::Process(p) => p.argv[0].clone(),
            _ => "other".into(),
        };
        let all: Vec<String> = sim.records().iter().map(told).collect();
        assert_eq!(all, ["bash", "kubectl", "other"]);
        assert!(sim.0.trace.idle.borrow().is_empty());
    }

    #[test]
    fn memory_is_bounded() {
        let sim = Sim::new(1, Time::from_secs(0));
        for _ in 0..BEGINNINGS + 5 {
            note(&sim, "x");
        }
        assert_eq!(sim.records().len(), BEGINNINGS);
    }
}
