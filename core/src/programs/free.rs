//! `free`.

use crate::machine::{MemoryTotal, Proc, Program};

/// `free`
pub const PROGRAM: Program = Program {
    name: "free",
    summary: "show how much memory there is",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

async fn main(proc: Proc) -> i32 {
    let flag = proc.args().get(1).map_or("", String::as_str);
    let total = proc.machine().get::<MemoryTotal>().map_or(8 << 30, |m| m.0);
    let used = proc.machine().memory();
    let free = total.saturating_sub(used);
    let show = |bytes: u64| match flag {
        "-m" => (bytes >> 20).to_string(),
        "-g" => (bytes >> 30).to_string(),
        "-b" => bytes.to_string(),
        "-h" => format!("{}i", super::support::names::human(bytes)),
        _ => (bytes >> 10).to_string(),
    };
    let text = format!(
        "               total        used        free      shared  buff/cache   available\n\
         Mem:     {:>11} {:>11} {:>11} {:>11} {:>11} {:>11}\n\
         Swap:    {:>11} {:>11} {:>11}\n",
        show(total),
        show(used),
        show(free),
        show(0),
        show(0),
        show(free),
        show(0),
        show(0),
        show(0)
    );
    proc.print(&text).await;
    0
}
