//! `bash`, `dash` (Debian's `sh`) and `ash` (busybox's): the shell with three kinds of manners.

use crate::{
    machine::Program,
    shell::{self, Flavour},
};

/// `bash`
pub const BASH: Program = Program {
    name: "bash",
    summary: "GNU Bourne-Again SHell",
    run: |proc| Box::pin(shell::run(proc, Flavour::Bash)),
    complete: None,
};

/// `dash`
pub const DASH: Program = Program {
    name: "dash",
    summary: "command interpreter (shell)",
    run: |proc| Box::pin(shell::run(proc, Flavour::Dash)),
    complete: None,
};

/// `ash`
pub const ASH: Program = Program {
    name: "ash",
    summary: "command interpreter (shell) of busybox",
    run: |proc| Box::pin(shell::run(proc, Flavour::Ash)),
    complete: None,
};
