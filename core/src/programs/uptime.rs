//! `uptime`.

use super::support::time::Date;
use crate::machine::{Proc, Program};

/// `uptime`
pub const PROGRAM: Program = Program {
    name: "uptime",
    summary: "tell how long the machine has been running",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

async fn main(proc: Proc) -> i32 {
    proc.print(&format!(" {}\n", line(&proc))).await;
    0
}

/// What `uptime` and `top` say.
pub fn line(proc: &Proc) -> String {
    let now = proc.sim().now();
    let minutes = now.since(proc.machine().started()).as_secs() / 60;
    let (days, hours, rest) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    let up = match (days, hours) {
        (0, 0) => format!("{rest} min"),
        (0, _) => format!("{hours:>2}:{rest:02}"),
        _ => format!("{days} day{}, {hours:>2}:{rest:02}", if days == 1 { "" } else { "s" }),
    };
    let time = Date::new(now).format("%H:%M:%S", now);
    format!("{time} up {up},  1 user,  load average: 0.00, 0.00, 0.00")
}
