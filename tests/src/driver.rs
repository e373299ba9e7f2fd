//! A sandbox with hands and eyes: types commands, reads terminals, keeps the picture of the cluster.
//!
//! Virtual time only; for tests and the bench that play whole sessions natively.

use std::{collections::BTreeMap, rc::Rc, time::Duration};

use sandbar_core::{
    checkers::{ALWAYS, Seen, violations},
    clusters::ClusterNode,
    session::{
        Session,
        protocol::{Input, Output},
    },
    sim::Time,
    view::{Row, ViewChange},
};

/// The terminal a driver types into.
const TERMINAL: u32 = 1;

/// A session that is being driven.
pub struct Driver {
    /// The session itself.
    pub session: Session,
    /// The picture of the cluster, by uid.
    pub rows: BTreeMap<String, Row>,
    /// Everything the terminal printed, escape sequences included.
    pub printed: String,
    /// The foreground command, `None` at the prompt.
    pub running: Option<String>,
    /// Load generators: answered and failed requests so far.
    pub load: BTreeMap<u32, (u64, u64)>,
    /// Outputs of other sorts, oldest first, for whoever wants them.
    pub others: Vec<Output>,
}

impl Driver {
    /// A new sandbox with one terminal, at its prompt.
    pub fn new(seed: u64) -> Self {
        let mut driver = Driver {
            session: Session::new(seed, Time::from_secs(1_790_000_000)),
            rows: BTreeMap::new(),
            printed: String::new(),
            running: None,
            load: BTreeMap::new(),
            others: Vec::new(),
        };
        let place = String::new();
        driver.input(Input::TerminalOpen { id: TERMINAL, place, cols: 120, rows: 40 });
        driver.pass(Duration::from_secs(1));
        driver
    }

    /// Does something, now.
    pub fn input(&mut self, input: Input) {
        self.session.handle(input);
    }

    /// Lets simulated time pass.
    pub fn pass(&mut self, time: Duration) {
        let until = self.session.now() + time;
        while !self.session.advance(until, 100_000).reached {}
        self.look();
    }

    /// Lets time pass until something holds, looking every `step`; whether it came to hold in time.
    pub fn until(
        &mut self,
        step: Duration,
        limit: Duration,
        mut holds: impl FnMut(&Self) -> bool,
    ) -> bool {
        let end = self.session.now() + limit;
        loop {
            if holds(self) {
                return true;
            }
            if self.session.now() >= end {
                return false;
            }
            self.pass(step);
        }
    }

    /// Types keys.
    pub fn keys(&mut self, keys: &str) {
        self.input(Input::TerminalKeys { id: TERMINAL, data: keys.to_owned() });
    }

    /// Types a command and waits for the next prompt: what was printed, or that it did not end.
    pub fn run(&mut self, command: &str, limit: Duration) -> Result<String, String> {
        let start = self.printed.len();
        self.keys(&format!("{command}\r"));
        self.pass(Duration::from_millis(50));
        let ended = self.until(Duration::from_millis(100), limit, |d| d.running.is_none());
        let printed = self.printed[start..].to_owned();
        let what = format!("`{command}` did not end within {limit:?} but printed:\n{printed}");
        let broken = broken(&self.session);
        assert!(broken.is_empty(), "after `{command}`: {}", broken.join("\n"));
        if ended { Ok(printed) } else { Err(what) }
    }

    /// Asks the session something and takes its answer.
    pub fn ask(&mut self, question: Input) -> Option<Output> {
        let known = self.others.len();
        self.input(question);
        self.look();
        (self.others.len() > known).then(|| self.others.remove(known))
    }

    /// Ready replicas of a deployment.
    pub fn ready(&self, deployment: &str) -> u32 {
        let of = |row: &Row| match row {
            Row::Workload(w) if w.kind == "Deployment" && w.name == deployment => Some(w.ready),
            _ => None,
        };
        self.rows.values().find_map(of).unwrap_or(0)
    }

    /// Takes what the session has to show.
    fn look(&mut self) {
        for output in self.session.take_outputs() {
            match output {
                Output::Terminal { id: TERMINAL, data } => self.printed.push_str(&data),
                Output::TerminalState { id: TERMINAL, running, .. } => self.running = running,
                Output::View(changes) => changes.into_iter().for_each(|c| self.change(c)),
                Output::Load { id, answered, failed, .. } => {
                    let answered = answered.iter().map(|(_, n)| n).sum();
                    self.load.insert(id, (answered, failed));
                }
                other => self.others.push(other),
            }
        }
    }

    fn change(&mut self, change: ViewChange) {
        match change {
            ViewChange::Upsert(row) => {
                self.rows.insert(row.uid().to_owned(), row);
            }
            ViewChange::Remove { uid } => {
                self.rows.remove(&uid);
            }
            ViewChange::Clear => self.rows.clear(),
            ViewChange::Cluster(_) => {}
        }
    }
}

/// Promises of a session's cluster that are broken now.
pub fn broken(session: &Session) -> Vec<String> {
    let Some(cluster) = session.cluster() else { return Vec::new() };
    let engine = |node: Rc<ClusterNode>| Some((node.name.clone(), node.engine()?));
    let engines: Vec<_> = cluster.nodes().into_iter().filter_map(engine).collect();
    violations(ALWAYS, &Seen { client: &cluster.viewer(), engines: &engines })
}
