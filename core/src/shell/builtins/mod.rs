//! Builtin commands: what changes the shell itself, and a few programs that shells have inside.

mod control;
mod directory;
mod jobs;
mod read;
mod set;
mod variables;

use std::{future::Future, pin::Pin};

use super::{Exec, Flavour, Shell};
use crate::machine::Proc;

pub(super) type Fut<'a> = Pin<Box<dyn Future<Output = Exec> + 'a>>;

/// A builtin.
pub struct Builtin {
    /// Its name.
    pub name: &'static str,
    /// Whether only bash has it.
    bash_only: bool,
    run: for<'a> fn(&'a Shell, &'a Proc) -> Fut<'a>,
}

impl Builtin {
    /// Runs it; the process has its arguments and descriptors.
    pub fn run<'a>(&self, shell: &'a Shell, proc: &'a Proc) -> Fut<'a> {
        (self.run)(shell, proc)
    }
}

macro_rules! builtins {
    ($($name:literal $only:literal $run:expr;)*) => {
        /// All builtins, sorted by name.
        pub static BUILTINS: &[Builtin] =
            &[$(Builtin { name: $name, bash_only: $only, run: |s, p| Box::pin($run(s, p)) }),*];
    };
}

builtins! {
    "." false control::source;
    ":" false control::nothing;
    "[" false program;
    "alias" false set::alias;
    "bg" false jobs::bg;
    "break" false control::break_;
    "builtin" true control::builtin;
    "cd" false directory::cd;
    "command" false control::command;
    "continue" false control::continue_;
    "declare" true variables::declare;
    "dirs" true directory::dirs;
    "disown" true jobs::disown;
    "echo" false program;
    "eval" false control::eval;
    "exit" false control::exit;
    "export" false variables::export;
    "false" false program;
    "fg" false jobs::fg;
    "getopts" false read::getopts;
    "hash" false control::nothing;
    "history" false set::history;
    "jobs" false jobs::list;
    "kill" false jobs::kill;
    "let" true control::let_;
    "local" false variables::local;
    "logout" true control::exit;
    "mapfile" true read::mapfile;
    "popd" true directory::popd;
    "printf" false read::printf;
    "pushd" true directory::pushd;
    "pwd" false directory::pwd;
    "read" false read::read;
    "readarray" true read::mapfile;
    "readonly" false variables::readonly;
    "return" false control::return_;
    "set" false set::set;
    "shift" false variables::shift;
    "shopt" true set::shopt;
    "source" true control::source;
    "test" false program;
    "times" false control::times;
    "trap" false set::trap;
    "true" false program;
    "type" false control::type_;
    "typeset" true variables::declare;
    "ulimit" false set::ulimit;
    "umask" false set::umask;
    "unalias" false set::unalias;
    "unset" false variables::unset;
    "wait" false jobs::wait;
}

/// A builtin by name, if this shell has it.
pub fn find(name: &str, flavour: Flavour) -> Option<&'static Builtin> {
    let index = BUILTINS.binary_search_by(|b| b.name.cmp(name)).ok()?;
    let builtin = &BUILTINS[index];
    let has = !builtin.bash_only
        || flavour.is_bash()
        || (flavour == Flavour::Ash && name == "source")
        || (flavour == Flavour::Ash && name == "let");
    has.then_some(builtin)
}

/// A builtin that is the same as the program of that name.
async fn program(_shell: &Shell, proc: &Proc) -> Exec {
    match proc.machine().registered(proc.name()) {
        Some(program) => Ok((program.run)(proc.clone()).await),
        None => Ok(127),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn sorted() {
        assert!(super::BUILTINS.is_sorted_by(|a, b| a.name < b.name));
    }
}
