//! What a program is: a name, a line about it and an async function.

use std::{future::Future, pin::Pin, rc::Rc};

use super::{Machine, Proc};

/// A running program: completes with its exit code.
pub type Run = Pin<Box<dyn Future<Output = i32>>>;

/// A program that files can refer to.
pub struct Program {
    /// Its name in the registry, usually the command's.
    pub name: &'static str,
    /// One line, as `whatis` would print it.
    pub summary: &'static str,
    /// The program. `run: |proc| Box::pin(main(proc))`.
    pub run: fn(Proc) -> Run,
    /// Completes its arguments in the shell; without it the shell offers files.
    pub complete: Option<fn(&CompleteCx) -> Vec<String>>,
}

/// Looks a program up by the name that a file refers to.
pub type ProgramFinder = fn(&str) -> Option<&'static Program>;

/// What there is to complete.
pub struct CompleteCx<'a> {
    /// The shell's process: its machine, files and environment.
    pub proc: &'a Proc,
    /// The words of the command so far, its name first; the last is the one to complete (maybe empty).
    pub words: &'a [String],
}

impl CompleteCx<'_> {
    /// The word to complete.
    pub fn word(&self) -> &str {
        self.words.last().map_or("", String::as_str)
    }

    /// The machine the shell runs on.
    pub fn machine(&self) -> &Rc<Machine> {
        self.proc.machine()
    }
}
