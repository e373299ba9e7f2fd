//! `yes`.

use crate::machine::{Proc, Program};

/// `yes`
pub const PROGRAM: Program = Program {
    name: "yes",
    summary: "print a line until killed",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

async fn main(proc: Proc) -> i32 {
    let words = proc.args().get(1..).unwrap_or_default();
    let line = if words.is_empty() { "y\n".to_string() } else { format!("{}\n", words.join(" ")) };
    let block = line.repeat((1024 / line.len()).max(1));
    loop {
        proc.print(&block).await;
    }
}
