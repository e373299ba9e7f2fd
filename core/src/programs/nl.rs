//! `nl`.

use super::support::inputs;
use crate::machine::{Proc, Program};

/// `nl`
pub const PROGRAM: Program = Program {
    name: "nl",
    summary: "number the lines of files",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

async fn main(proc: Proc) -> i32 {
    let args = proc.args().get(1..).unwrap_or_default();
    let all = args.iter().any(|a| a == "-ba");
    let rest: Vec<String> = args.iter().filter(|a| *a != "-ba").cloned().collect();
    let (text, complete) = inputs::all_text(&proc, &rest).await;
    let mut number = 0;
    for line in text.lines() {
        if line.is_empty() && !all {
            proc.print("       \n").await;
            continue;
        }
        number += 1;
        proc.print(&format!("{number:>6}\t{line}\n")).await;
    }
    i32::from(!complete)
}
