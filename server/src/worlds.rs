//! The worlds that the program can start: a sandbox with a cluster, and its host.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sandbar_core::{
    client::Client,
    machine::{Command, Fd},
    session::{
        Session,
        protocol::{Fault, Input},
    },
    sim::Time,
};

use crate::engine::{Running, World};

/// Clusters by name: the command lines that make them.
pub const CLUSTERS: &[(&str, &[&str])] =
    &[("cloud", &["sandbar cloud create"]), ("minikube", &["minikube start"])];

/// How long making a cluster may take, simulated.
const LONGEST_START: Duration = Duration::from_secs(1_200);

/// A whole sandbox, as in the page.
pub struct Sandbox {
    session: Session,
}

impl Sandbox {
    /// A sandbox in which these command lines were run, one after the other.
    ///
    /// # Errors
    /// What a command said that failed.
    pub fn new(seed: u64, start: Time, lines: &[&str]) -> Result<Self, String> {
        let mut sandbox = Sandbox { session: Session::new(seed, start) };
        for line in lines {
            let running = sandbox.run(line)?;
            let end = sandbox.now() + LONGEST_START;
            let (out, err, code) = loop {
                if let Some(result) = (running.done)() {
                    break result;
                }
                let next = sandbox.next_due().filter(|due| *due < end);
                let next = next.ok_or_else(|| format!("{line}: does not end"))?;
                sandbox.advance(next, 100_000);
            };
            if code != 0 {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                return Err(format!("{line}: {}{}", text(&out), text(&err)));
            }
        }
        Ok(sandbox)
    }
}

/// Starts `bash -c` on a machine.
///
/// # Errors
/// What the machine says.
pub fn run_on(
    machine: &Rc<sandbar_core::machine::Machine>,
    line: &str,
    prepare: impl FnOnce(Command) -> Command,
) -> Result<Running, String> {
    let (out, out_text) = Fd::capture();
    let (err, err_text) = Fd::capture();
    let mut command = Command::new(["bash", "-c", line]).stdout(out).stderr(err);
    command.stdin = Some(Fd::Null);
    let child = machine.spawn(prepare(command)).map_err(|error| error.to_string())?;
    let bytes = |text: &Rc<RefCell<Vec<u8>>>| text.borrow().clone();
    let done = move || Some((child.status()?.code(), bytes(&out_text), bytes(&err_text)));
    Ok(Running { done: Box::new(move || done().map(|(code, out, err)| (out, err, code))) })
}

impl World for Sandbox {
    fn now(&self) -> Time {
        self.session.now()
    }

    fn next_due(&self) -> Option<Time> {
        self.session.next_due()
    }

    fn advance(&mut self, until: Time, budget: u64) -> bool {
        let reached = self.session.advance(until, budget).reached;
        self.session.take_outputs();
        reached
    }

    fn client(&self) -> Option<Client> {
        let cluster = self.session.cluster()?;
        cluster.answers().then(|| cluster.viewer())
    }

    fn run(&mut self, line: &str) -> Result<Running, String> {
        run_on(self.session.host(), line, |command| command)
    }

    fn fault(&mut self, fault: serde_json::Value) -> Result<(), String> {
        let fault: Fault = serde_json::from_value(fault).map_err(|error| error.to_string())?;
        self.session.handle(Input::Fault(fault));
        Ok(())
    }

    fn as_any(&mut self) -> &mut dyn std::any::Any {
        self
    }
}
