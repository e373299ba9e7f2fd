//! `rev`.

use super::support::inputs;
use crate::machine::{Proc, Program};

/// `rev`
pub const PROGRAM: Program = Program {
    name: "rev",
    summary: "reverse the characters of each line",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

async fn main(proc: Proc) -> i32 {
    let (text, complete) = inputs::all_text(&proc, proc.args().get(1..).unwrap_or_default()).await;
    for line in text.lines() {
        let reversed: String = line.chars().rev().collect();
        proc.print(&format!("{reversed}\n")).await;
    }
    i32::from(!complete)
}
