//! Starting processes and waiting for them.

use std::{collections::BTreeMap, rc::Rc};

use super::{
    Process,
    fd::Fd,
    fs::Who,
    signal::{ExitStatus, Signal},
};

/// Environment variables. Cheap to clone.
pub type Env = Rc<BTreeMap<String, String>>;

/// What to start. Missing parts come from the process that starts it, or for
/// [`Machine::spawn`](super::Machine::spawn) from the machine.
#[derive(Clone, Default)]
pub struct Command {
    /// Name (looked up on the PATH unless it holds a `/`) and arguments.
    pub argv: Vec<String>,
    /// The whole environment.
    pub env: Option<Env>,
    /// Working directory.
    pub cwd: Option<String>,
    /// Standard input.
    pub stdin: Option<Fd>,
    /// Standard output.
    pub stdout: Option<Fd>,
    /// Standard error.
    pub stderr: Option<Fd>,
    /// The process group to join; `Some(0)` for one of its own.
    pub group: Option<u32>,
    /// The user it runs as.
    pub who: Option<Who>,
}

impl Command {
    /// A command that inherits everything.
    pub fn new<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Command { argv: argv.into_iter().map(Into::into).collect(), ..Command::default() }
    }

    /// Sets where standard input comes from.
    pub fn stdin(mut self, fd: Fd) -> Self {
        self.stdin = Some(fd);
        self
    }

    /// Sets where standard output goes.
    pub fn stdout(mut self, fd: Fd) -> Self {
        self.stdout = Some(fd);
        self
    }

    /// Sets where standard error goes.
    pub fn stderr(mut self, fd: Fd) -> Self {
        self.stderr = Some(fd);
        self
    }

    /// Sets the whole environment.
    pub fn env(mut self, env: Env) -> Self {
        self.env = Some(env);
        self
    }

    /// Sets the working directory.
    pub fn cwd(mut self, cwd: impl Into<String>) -> Self {
        self.cwd = Some(cwd.into());
        self
    }
}

/// Handle on a process. Dropping it does not end the process.
#[derive(Clone)]
pub struct Child(pub(super) Rc<Process>);

impl Child {
    /// Its number on its machine.
    pub fn pid(&self) -> u32 {
        self.0.pid
    }

    /// How it ended, if it has.
    pub fn status(&self) -> Option<ExitStatus> {
        self.0.status()
    }

    /// Completes when it has ended.
    pub async fn wait(&self) -> ExitStatus {
        loop {
            if let Some(status) = self.0.status() {
                return status;
            }
            self.0.done.wait().await;
        }
    }

    /// Sends it a signal from outside its machine (as a container runtime does): even process 1
    /// obeys SIGKILL, but without a handler it ignores others.
    pub fn kill(&self, signal: Signal) {
        self.0.signal(signal, true);
    }

    /// The process's row in its machine's table.
    pub fn process(&self) -> &Rc<Process> {
        &self.0
    }
}
