//! `tty`.

use crate::machine::{Proc, Program};

/// `tty`
pub const PROGRAM: Program = Program {
    name: "tty",
    summary: "print the name of the terminal",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

async fn main(proc: Proc) -> i32 {
    match proc.tty() {
        Some(tty) => {
            proc.print(&format!("/dev/{}\n", tty.name())).await;
            0
        }
        None => {
            proc.print("not a tty\n").await;
            1
        }
    }
}
