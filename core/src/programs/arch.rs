//! `arch`.

use crate::machine::{Proc, Program};

/// `arch`
pub const PROGRAM: Program = Program {
    name: "arch",
    summary: "print the machine architecture",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

async fn main(proc: Proc) -> i32 {
    proc.print("x86_64\n").await;
    0
}
