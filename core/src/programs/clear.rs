//! `clear`.

use crate::machine::{Proc, Program};

/// `clear`
pub const PROGRAM: Program = Program {
    name: "clear",
    summary: "clear the terminal screen",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

async fn main(proc: Proc) -> i32 {
    proc.print("\x1b[H\x1b[2J\x1b[3J").await;
    0
}
