//! `whoami`.

use super::support::names::user;
use crate::machine::{Proc, Program};

/// `whoami`
pub const PROGRAM: Program = Program {
    name: "whoami",
    summary: "print the name of the current user",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

async fn main(proc: Proc) -> i32 {
    let name = user(&proc, proc.who().uid);
    proc.print(&format!("{name}\n")).await;
    0
}
