//! `pwd`.

use crate::machine::{Proc, Program};

/// `pwd`
pub const PROGRAM: Program = Program {
    name: "pwd",
    summary: "print the name of the working directory",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

async fn main(proc: Proc) -> i32 {
    proc.print(&format!("{}\n", proc.cwd())).await;
    0
}
