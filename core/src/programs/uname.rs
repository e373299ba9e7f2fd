//! `uname`.

use super::support::opts::{Spec, options};
use crate::machine::KERNEL;
use crate::machine::{Proc, Program};

/// `uname`
pub const PROGRAM: Program = Program {
    name: "uname",
    summary: "print system information",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec =
    Spec { usage: "uname [-a] [-snrvmo]", short: "asnrvmop", long: &[("all", 'a')], trouble: 1 };

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let host = proc.machine().hostname();
    let parts = [
        ('s', "Linux"),
        ('n', host.as_str()),
        ('r', KERNEL),
        ('v', "#1 SMP (simulated)"),
        ('m', "x86_64"),
        ('o', "GNU/Linux"),
    ];
    let plain = options.last_of("snrvmoa").is_none();
    let chosen = parts.iter().filter(|(letter, _)| {
        options.has('a') || options.has(*letter) || (plain && *letter == 's')
    });
    let text: Vec<&str> = chosen.map(|(_, text)| *text).collect();
    proc.print(&format!("{}\n", text.join(" "))).await;
    0
}
