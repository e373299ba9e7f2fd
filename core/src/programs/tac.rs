//! `tac`.

use super::support::inputs;
use crate::machine::{Proc, Program};

/// `tac`
pub const PROGRAM: Program = Program {
    name: "tac",
    summary: "print files in reverse, last line first",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

async fn main(proc: Proc) -> i32 {
    let (text, complete) = inputs::all_text(&proc, proc.args().get(1..).unwrap_or_default()).await;
    for line in text.lines().rev() {
        proc.print(&format!("{line}\n")).await;
    }
    i32::from(!complete)
}
