//! `docker`: the command line of the container engine of the machine it runs on.
//!
//! The engine hangs on the machine ([`Engine::of`]); on the learner's host it runs minikube's node, on
//! that node it runs the pods' containers. Each command is a [`Sub`]: one line in [`SUBS`].
//!
//! Models docker's command line 28. What is not simulated says so in one sentence.

mod ago;
mod attach;
mod copy;
mod doc;
mod exec;
mod filter;
mod help;
mod images;
mod info;
mod inspect;
mod life;
mod logs;
mod networks;
mod ps;
mod pull;
mod remove;
mod run;
mod run_flags;
mod stats;
mod template;
#[cfg(test)]
mod tests;

use std::{future::Future, pin::Pin, rc::Rc};

use super::kubectl::flags::{Flag, Parsed};
use crate::{
    machine::{CompleteCx, Proc, Program},
    runtime::{Container, Engine, EngineError, EngineKind},
};

/// `docker`
pub const PROGRAM: Program = Program {
    name: "docker",
    summary: "run and look at containers and images",
    run: |proc| Box::pin(main(proc)),
    complete: Some(complete),
};

/// What a command is run with.
#[derive(Clone)]
struct Cx {
    proc: Proc,
}

/// Why a command failed: what goes to standard error (without an end), and the exit code.
struct Error {
    text: String,
    code: i32,
}

impl Error {
    fn new(text: impl Into<String>) -> Self {
        Error { text: text.into(), code: 1 }
    }

    /// Silent: everything was said.
    fn code(code: i32) -> Self {
        Error { text: String::new(), code }
    }
}

impl From<EngineError> for Error {
    fn from(error: EngineError) -> Self {
        Error::new(format!("Error response from daemon: {}", error.message))
    }
}

type Outcome = Pin<Box<dyn Future<Output = Result<(), Error>>>>;

/// A command.
struct Sub {
    name: &'static str,
    /// What follows `docker ` in its usage line.
    usage: &'static str,
    short: &'static str,
    flags: &'static [Flag],
    /// Whether flags end at the first argument: what follows is a command line of its own.
    leading: bool,
    /// How many arguments, at least and at most.
    args: (usize, usize),
    run: fn(Cx, Parsed) -> Outcome,
    /// Whether `docker --help` lists it among the common ones.
    common: bool,
    /// What Tab offers.
    complete: Offer,
}

/// What Tab offers for arguments.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Offer {
    Nothing,
    Containers,
    Running,
    Images,
}

/// Many.
const ANY: usize = usize::MAX;

impl Sub {
    const EMPTY: Sub = Sub {
        name: "",
        usage: "",
        short: "",
        flags: &[],
        leading: false,
        args: (0, 0),
        run: |_, _| Box::pin(async { Ok(()) }),
        common: false,
        complete: Offer::Nothing,
    };
}

/// All commands, sorted by name.
static SUBS: &[&Sub] = &[
    &attach::ATTACH,
    &copy::CP,
    &run::CREATE,
    &exec::EXEC,
    &images::HISTORY,
    &images::IMAGES,
    &info::INFO,
    &inspect::INSPECT,
    &life::KILL,
    &logs::LOGS,
    &info::PORT,
    &ps::PS,
    &pull::PULL,
    &images::PUSH,
    &life::RENAME,
    &life::RESTART,
    &remove::RM,
    &remove::RMI,
    &run::RUN,
    &life::START,
    &stats::STATS,
    &life::STOP,
    &images::TAG,
    &stats::TOP,
    &info::VERSION,
    &life::WAIT,
];

/// Commands about one kind of thing: `docker container ls`. The last is the usual command it is, or
/// one of its own.
static GROUPED: &[(&str, &str, &Sub)] = &[
    ("container", "attach", &attach::ATTACH),
    ("container", "cp", &copy::CP),
    ("container", "create", &run::CREATE),
    ("container", "exec", &exec::EXEC),
    ("container", "inspect", &inspect::INSPECT_CONTAINER),
    ("container", "kill", &life::KILL),
    ("container", "list", &ps::PS),
    ("container", "logs", &logs::LOGS),
    ("container", "ls", &ps::PS),
    ("container", "port", &info::PORT),
    ("container", "prune", &remove::PRUNE_CONTAINERS),
    ("container", "ps", &ps::PS),
    ("container", "rename", &life::RENAME),
    ("container", "restart", &life::RESTART),
    ("container", "rm", &remove::RM),
    ("container", "run", &run::RUN),
    ("container", "start", &life::START),
    ("container", "stats", &stats::STATS),
    ("container", "stop", &life::STOP),
    ("container", "top", &stats::TOP),
    ("container", "wait", &life::WAIT),
    ("image", "history", &images::HISTORY),
    ("image", "inspect", &inspect::INSPECT_IMAGE),
    ("image", "list", &images::IMAGES),
    ("image", "ls", &images::IMAGES),
    ("image", "prune", &remove::PRUNE_IMAGES),
    ("image", "pull", &pull::PULL),
    ("image", "push", &images::PUSH),
    ("image", "rm", &remove::RMI),
    ("image", "tag", &images::TAG),
    ("network", "inspect", &networks::INSPECT),
    ("network", "list", &networks::LS),
    ("network", "ls", &networks::LS),
    ("system", "df", &info::DF),
    ("system", "info", &info::INFO),
    ("volume", "list", &networks::VOLUMES),
    ("volume", "ls", &networks::VOLUMES),
];

/// Commands of the real docker that are not here.
static NOT_SIMULATED: &[&str] = &[
    "build",
    "builder",
    "buildx",
    "checkpoint",
    "commit",
    "compose",
    "context",
    "diff",
    "events",
    "export",
    "import",
    "init",
    "load",
    "login",
    "logout",
    "manifest",
    "pause",
    "plugin",
    "save",
    "search",
    "secret",
    "service",
    "stack",
    "swarm",
    "trust",
    "unpause",
    "update",
];

async fn main(proc: Proc) -> i32 {
    match dispatch(&proc).await {
        Ok(()) => 0,
        Err(error) => {
            if !error.text.is_empty() {
                proc.eprint(&format!("{}\n", error.text.trim_end_matches('\n'))).await;
            }
            error.code
        }
    }
}

async fn dispatch(proc: &Proc) -> Result<(), Error> {
    let mut args = proc.args().get(1..).unwrap_or_default().to_vec();
    while let Some(first) = args.first() {
        match first.as_str() {
            "--version" | "-v" => {
                let text = format!("Docker version {}, build {}\n", version(), info::BUILD);
                proc.print(&text).await;
                return Ok(());
            }
            "--help" | "-h" => {
                proc.print(&help::overview()).await;
                return Ok(());
            }
            // The one engine there is; which socket leads to it makes no difference.
            "-H" | "--host" | "-c" | "--context" => drop(args.drain(..2.min(args.len()))),
            _ => break,
        }
    }
    let Some(name) = args.first().cloned() else {
        proc.print(&help::overview()).await;
        return Ok(());
    };
    if name == "help" {
        let text = match args.get(1).and_then(|n| find(n)) {
            Some(sub) => help::of(sub),
            None => help::overview(),
        };
        proc.print(&text).await;
        return Ok(());
    }
    let rest = &args[1..];
    if GROUPED.iter().any(|(group, ..)| *group == name) {
        return grouped(proc, &name, rest).await;
    }
    if let Some(sub) = find(&name) {
        return run_sub(proc, sub, rest).await;
    }
    if NOT_SIMULATED.contains(&name.as_str()) {
        return Err(Error::new(format!("docker {name} is not simulated in this sandbox.")));
    }
    if name.starts_with('-') {
        let text = format!("unknown flag: {name}\n\nUsage:  docker [OPTIONS] COMMAND [ARG...]\n\n");
        return Err(Error { text: text + "Run 'docker --help' for more information", code: 125 });
    }
    Err(Error::new(format!(
        "docker: unknown command: docker {name}\n\nRun 'docker --help' for more information"
    )))
}

async fn grouped(proc: &Proc, group: &str, args: &[String]) -> Result<(), Error> {
    let name = args.first().map_or("--help", String::as_str);
    if name == "--help" || name == "-h" {
        proc.print(&help::group(group)).await;
        return Ok(());
    }
    let found = GROUPED.iter().find(|(g, n, _)| *g == group && *n == name);
    match found {
        Some((.., sub)) => run_sub(proc, sub, &args[1..]).await,
        None => Err(Error::new(format!(
            "docker: unknown command: docker {group} {name}\n\nUsage:  docker {group} COMMAND\n\n\
             Run 'docker {group} --help' for more information"
        ))),
    }
}

fn find(name: &str) -> Option<&'static Sub> {
    SUBS.iter().find(|sub| sub.name == name).copied()
}

async fn run_sub(proc: &Proc, sub: &'static Sub, args: &[String]) -> Result<(), Error> {
    let wrong = |text: String, code| {
        let (usage, name) = (sub.usage, sub.name);
        let text = format!(
            "{text}\n\nUsage:  docker {usage}\n\nRun 'docker {name} --help' for more information"
        );
        Error { text, code }
    };
    let flags = sub.flags.iter();
    let path = format!("docker {}", sub.name);
    let parsed = match sub.leading {
        true => Parsed::read_leading(&path, flags, args),
        false => Parsed::read(&path, flags, args),
    };
    let parsed = parsed.map_err(|text| wrong(text, 125))?;
    if parsed.help {
        proc.print(&help::of(sub)).await;
        return Ok(());
    }
    let count = parsed.args.len();
    let plural = |n: usize| if n == 1 { "argument" } else { "arguments" };
    let (least, most) = sub.args;
    if count < least || count > most {
        let what = match (least, most) {
            (0, 0) => "accepts no arguments".to_string(),
            (least, most) if least == most => format!("requires {least} {}", plural(least)),
            (least, _) if count < least => {
                format!("requires at least {least} {}", plural(least))
            }
            (_, most) => format!("requires at most {most} {}", plural(most)),
        };
        return Err(wrong(format!("docker: 'docker {}' {what}", sub.name), 1));
    }
    (sub.run)(Cx { proc: proc.clone() }, parsed).await
}

fn version() -> &'static str {
    EngineKind::Docker.version()
}

impl Cx {
    /// The engine of this machine.
    fn engine(&self) -> Result<Engine, Error> {
        let engine = Engine::of(self.proc.machine());
        engine.filter(|e| e.kind() == EngineKind::Docker).ok_or_else(|| {
            Error::new(
                "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker \
                 daemon running?",
            )
        })
    }

    async fn print(&self, text: &str) {
        self.proc.print(text).await;
    }

    /// Does something for each container that is named; what fails is told, the others go on.
    async fn each<F>(
        &self,
        names: &[String],
        mut f: impl FnMut(Engine, Rc<Container>) -> F,
    ) -> Result<(), Error>
    where
        F: Future<Output = Result<(), EngineError>>,
    {
        let engine = self.engine()?;
        let mut failed = false;
        for name in names {
            let result = match engine.find(name) {
                Ok(container) => f(engine.clone(), container).await,
                Err(error) => Err(error),
            };
            match result {
                Ok(()) => self.print(&format!("{name}\n")).await,
                Err(error) => {
                    failed = true;
                    let text = format!("Error response from daemon: {}\n", error.message);
                    self.proc.eprint(&text).await;
                }
            }
        }
        if failed { Err(Error::code(1)) } else { Ok(()) }
    }
}

fn complete(cx: &CompleteCx) -> Vec<String> {
    let words = cx.words;
    let begins = |names: Vec<String>| -> Vec<String> {
        names.into_iter().filter(|name| name.starts_with(cx.word())).collect()
    };
    let groups = || GROUPED.iter().map(|(group, ..)| group.to_string());
    if words.len() <= 2 {
        let mut names: Vec<_> = SUBS.iter().map(|s| s.name.to_string()).chain(groups()).collect();
        names.sort();
        names.dedup();
        return begins(names);
    }
    let group = words[1].as_str();
    let sub = match GROUPED.iter().any(|(g, ..)| *g == group) {
        true if words.len() == 3 => {
            let of_group = GROUPED.iter().filter(|(g, ..)| *g == group);
            return begins(of_group.map(|(_, name, _)| name.to_string()).collect());
        }
        true => GROUPED.iter().find(|(g, n, _)| *g == group && *n == words[2]).map(|(.., s)| *s),
        false => find(group),
    };
    let Some(sub) = sub else { return Vec::new() };
    if cx.word().starts_with("--") {
        return begins(sub.flags.iter().map(|f| format!("--{}", f.name)).collect());
    }
    let Some(engine) = Engine::of(cx.machine()) else { return Vec::new() };
    let containers = |running: bool| {
        let all = engine.containers().into_iter().filter(|c| !running || c.is_running());
        begins(all.map(|c| c.name.borrow().clone()).collect())
    };
    match sub.complete {
        Offer::Nothing => Vec::new(),
        Offer::Containers => containers(false),
        Offer::Running => containers(true),
        Offer::Images => {
            begins(engine.images().list().into_iter().flat_map(|row| row.tags).collect())
        }
    }
}
