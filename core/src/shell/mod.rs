//! The shell: a POSIX shell with the parts of bash that people type, as a program on a machine.
//!
//! Reading order: [`ast`], [`parse`], [`expand`], `exec` (lists and compound commands), `simple`
//! (simple commands), `builtins`; then [`edit`] (the line editor) and [`terminal`] (a window).
//!
//! A script takes no simulated time of its own, except that each turn of a loop and each call of a
//! function takes a little, so that endless ones can't hold up the simulation.

pub mod arith;
pub mod ast;
mod builtins;
pub mod edit;
pub mod escape;
mod exec;
pub mod expand;
mod jobs;
mod main;
pub mod parse;
pub mod pattern;
mod redirect;
pub mod regex;
mod simple;
pub mod terminal;
pub mod test_expr;
#[cfg(test)]
mod tests;
mod traps;
pub mod vars;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::{Rc, Weak},
};

pub use main::run;

use crate::{machine::Proc, sim::Time};
use ast::Command;
use jobs::Jobs;
use vars::{Options, Value, Variables};

/// Whose manners a shell has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// GNU bash.
    Bash,
    /// Debian's `/bin/sh`.
    Dash,
    /// Busybox's (Alpine's) shell.
    Ash,
}

impl Flavour {
    /// Whether what only bash has is there. (Busybox has much of it as well: `[[`, `${x/a/b}`.)
    pub fn is_bash(self) -> bool {
        self == Flavour::Bash
    }

    /// The lowest bar: whether the grammar knows `[[`, `function`, `((`.
    pub fn knows_extensions(self) -> bool {
        self != Flavour::Dash
    }
}

/// Why commands stop being run one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// `break n`
    Break(usize),
    /// `continue n`
    Continue(usize),
    /// `return n`
    Return(i32),
    /// `exit n`, or the end of a process that was replaced.
    Exit(i32),
    /// An error that ends a script, but in an interactive shell only the command.
    Error(i32),
    /// `^C`
    Interrupt,
}

/// The status of a command, or why the shell goes elsewhere.
pub type Exec = Result<i32, Flow>;

/// Where commands come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A person.
    Interactive,
    /// `-c`
    Argument,
    /// A file or standard input.
    Script,
}

/// A shell's state. A subshell gets a copy.
pub struct Shell {
    flavour: Flavour,
    source: Source,
    name: RefCell<String>,
    /// What error messages begin with.
    label: String,
    pid: u32,
    started: Time,
    vars: RefCell<Variables>,
    positional: RefCell<Vec<String>>,
    functions: RefCell<BTreeMap<String, Rc<Command>>>,
    aliases: RefCell<BTreeMap<String, String>>,
    options: Cell<Options>,
    status: Cell<i32>,
    /// Whether a command substitution has set the status since it was cleared.
    substituted: Cell<bool>,
    last_background: Cell<Option<u32>>,
    jobs: RefCell<Jobs>,
    traps: RefCell<BTreeMap<String, String>>,
    /// Above 0 where a failure is not the end (`set -e`): conditions.
    tolerant: Cell<usize>,
    line: Cell<usize>,
    /// Nested lists.
    depth: Cell<usize>,
    /// Those of them that share the stack.
    on_stack: Cell<usize>,
    me: Weak<Shell>,
    loops: Cell<usize>,
    subshell: bool,
    history: Rc<RefCell<Vec<String>>>,
}

impl Shell {
    /// A shell with the environment of its process.
    fn new(proc: &Proc, flavour: Flavour, source: Source, label: String) -> Rc<Shell> {
        let mut vars = Variables::default();
        for (name, value) in proc.env_all().iter() {
            let variable = vars.entry(name);
            variable.value = Some(Value::Text(value.clone()));
            variable.exported = true;
        }
        for (name, value) in [("PWD", proc.cwd()), ("IFS", " \t\n".into()), ("OPTIND", "1".into())]
        {
            let variable = vars.entry(name);
            variable.value = Some(Value::Text(value));
            variable.exported |= name == "PWD";
        }
        if vars.get("PATH").is_none() {
            let path = Value::Text(crate::machine::DEFAULT_PATH.into());
            vars.entry("PATH").value = Some(path);
        }
        Rc::new_cyclic(|me| Shell {
            me: me.clone(),
            on_stack: Cell::new(0),
            flavour,
            source,
            name: RefCell::new(label.clone()),
            label,
            pid: proc.pid(),
            started: proc.sim().now(),
            vars: RefCell::new(vars),
            positional: RefCell::default(),
            functions: RefCell::default(),
            aliases: RefCell::default(),
            options: Cell::default(),
            status: Cell::new(0),
            substituted: Cell::new(false),
            last_background: Cell::new(None),
            jobs: RefCell::default(),
            traps: RefCell::default(),
            tolerant: Cell::new(0),
            line: Cell::new(1),
            depth: Cell::new(0),
            loops: Cell::new(0),
            subshell: false,
            history: Rc::default(),
        })
    }

    /// A copy for a subshell: its own variables, no jobs, no traps.
    fn fork(&self) -> Rc<Shell> {
        Rc::new_cyclic(|me| Shell {
            me: me.clone(),
            on_stack: Cell::new(0),
            flavour: self.flavour,
            source: self.source,
            name: self.name.clone(),
            label: self.label.clone(),
            pid: self.pid,
            started: self.started,
            vars: self.vars.clone(),
            positional: self.positional.clone(),
            functions: self.functions.clone(),
            aliases: self.aliases.clone(),
            options: self.options.clone(),
            status: self.status.clone(),
            substituted: Cell::new(false),
            last_background: self.last_background.clone(),
            jobs: RefCell::new(self.jobs.borrow().for_subshell()),
            traps: RefCell::default(),
            tolerant: self.tolerant.clone(),
            line: self.line.clone(),
            depth: self.depth.clone(),
            loops: Cell::new(0),
            subshell: true,
            history: self.history.clone(),
        })
    }

    /// Whether it has a person before it and job control.
    fn is_interactive(&self) -> bool {
        self.source == Source::Interactive && !self.subshell
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.vars.borrow().get(name).map(|v| v.text().to_string())
    }

    fn set_variable(&self, name: &str, value: impl Into<String>) {
        let _ = self.vars.borrow_mut().set(name, Value::Text(value.into()));
    }

    /// Assigns a variable on behalf of a script.
    async fn assign(&self, proc: &Proc, name: &str, value: Value) -> Result<(), Flow> {
        let allexport = self.options.get().allexport;
        let done = {
            let mut vars = self.vars.borrow_mut();
            let done = vars.set(name, value);
            if allexport && done {
                vars.entry(name).exported = true;
            }
            done
        };
        if done {
            return Ok(());
        }
        let text = match self.flavour {
            Flavour::Bash => format!("{name}: readonly variable"),
            _ => format!("{name}: is read only"),
        };
        Err(self.fail(proc, &text).await)
    }

    fn option_letters(&self) -> String {
        let mut options = self.options.get();
        let mut letters: String = vars::NAMES
            .iter()
            .filter(|(letter, _)| options.by_letter(*letter).is_some_and(|set| *set))
            .map(|(letter, _)| *letter)
            .collect();
        if self.is_interactive() {
            letters.push('i');
        }
        letters
    }

    /// What an error message begins with: `bash: line 3: `, `sh: 3: `, `sh: `.
    fn prefix(&self) -> String {
        let (label, line) = (&self.label, self.line.get());
        match (self.flavour, self.source) {
            (Flavour::Bash | Flavour::Ash, Source::Interactive) => format!("{label}: "),
            (Flavour::Ash, Source::Argument) => format!("{label}: "),
            (Flavour::Bash | Flavour::Ash, _) => format!("{label}: line {line}: "),
            (Flavour::Dash, _) => format!("{label}: {line}: "),
        }
    }

    /// Says what is wrong.
    async fn complain(&self, proc: &Proc, message: &str) {
        proc.eprint(&format!("{}{message}\n", self.prefix())).await;
    }

    /// Says what is wrong with a builtin's use. Busybox puts the builtin before the line.
    async fn complain_builtin(&self, proc: &Proc, builtin: &str, message: &str) {
        let text = match (self.flavour, self.source) {
            (Flavour::Ash, Source::Interactive) => {
                format!("{}: {builtin}: {message}\n", self.label)
            }
            (Flavour::Ash, _) => {
                format!("{}: {builtin}: line {}: {message}\n", self.label, self.line.get())
            }
            _ => format!("{}{builtin}: {message}\n", self.prefix()),
        };
        proc.eprint(&text).await;
    }

    /// Says what is wrong and ends the script (or the interactive command).
    async fn fail(&self, proc: &Proc, message: &str) -> Flow {
        self.complain(proc, message).await;
        Flow::Error(match self.flavour {
            Flavour::Bash => 1,
            _ => 2,
        })
    }
}
