//! `nproc`.

use crate::machine::{Proc, Program};

/// `nproc`
pub const PROGRAM: Program = Program {
    name: "nproc",
    summary: "print the number of processors",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

async fn main(proc: Proc) -> i32 {
    proc.print("2\n").await;
    0
}
