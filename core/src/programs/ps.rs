//! `ps`.

use super::support::{names::user, time::Date};
use crate::machine::{Proc, Process, Program};
use std::rc::Rc;

/// `ps`
pub const PROGRAM: Program = Program {
    name: "ps",
    summary: "list processes",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

async fn main(proc: Proc) -> i32 {
    let flags: String =
        proc.args().iter().skip(1).flat_map(|a| a.trim_start_matches('-').chars()).collect();
    let dashed = proc.args().get(1).is_some_and(|a| a.starts_with('-'));
    let custom = proc.args().iter().position(|a| a == "-o").and_then(|i| proc.args().get(i + 1));
    let processes = proc.machine().processes();
    if let Some(columns) = custom {
        return print_custom(&proc, &processes, columns).await;
    }
    if flags.contains('f') && dashed {
        return full(&proc, &processes).await;
    }
    if flags.contains('u') && !dashed {
        return user_format(&proc, &processes).await;
    }
    // A machine without a procps, as in busybox images, lists everything.
    let everything = flags.contains(['e', 'A', 'x', 'a']) || is_busybox(&proc);
    if is_busybox(&proc) {
        proc.print("PID   USER     TIME  COMMAND\n").await;
        for p in &processes {
            let line = format!(
                "{:>5} {:<8} {:>5} {}\n",
                p.pid,
                user(&proc, p.who.get().uid),
                minutes(p),
                line_of(p)
            );
            proc.print(&line).await;
        }
        return 0;
    }
    proc.print("    PID TTY          TIME CMD\n").await;
    let own = tty_of(proc.process());
    for p in &processes {
        if everything || tty_of(p) == own {
            let line = format!("{:>7} {:<8} {} {}\n", p.pid, tty_of(p), time_of(p), p.comm());
            proc.print(&line).await;
        }
    }
    0
}

fn is_busybox(proc: &Proc) -> bool {
    proc.exists("/bin/busybox")
}

fn tty_of(process: &Process) -> String {
    let tty = process
        .io()
        .and_then(|io| io.get(0).tty().or(io.get(1).tty()).map(|t| t.name().to_string()));
    tty.unwrap_or_else(|| "?".into())
}

fn time_of(process: &Process) -> String {
    let secs = process.cpu_micros() / 1_000_000;
    format!("{:02}:{:02}:{:02}", secs / 3600, secs / 60 % 60, secs % 60)
}

fn minutes(process: &Process) -> String {
    let secs = process.cpu_micros() / 1_000_000;
    format!("{}:{:02}", secs / 60, secs % 60)
}

fn line_of(process: &Process) -> String {
    process.args().join(" ").replace('\n', " ")
}

async fn full(proc: &Proc, processes: &[Rc<Process>]) -> i32 {
    proc.print("UID          PID    PPID  C STIME TTY          TIME CMD\n").await;
    for p in processes {
        let start = Date::new(p.start).format("%H:%M", p.start);
        let line = format!(
            "{:<8} {:>7} {:>7}  0 {start} {:<8} {} {}\n",
            user(proc, p.who.get().uid),
            p.pid,
            p.parent.get(),
            tty_of(p),
            time_of(p),
            line_of(p)
        );
        proc.print(&line).await;
    }
    0
}

async fn user_format(proc: &Proc, processes: &[Rc<Process>]) -> i32 {
    proc.print("USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\n")
        .await;
    for p in processes {
        let start = Date::new(p.start).format("%H:%M", p.start);
        let kib = p.memory() / 1024;
        let line = format!(
            "{:<8} {:>7}  0.0  0.0 {kib:>6} {kib:>5} {:<8} S    {start} {:>6} {}\n",
            user(proc, p.who.get().uid),
            p.pid,
            tty_of(p),
            minutes(p),
            line_of(p)
        );
        proc.print(&line).await;
    }
    0
}

async fn print_custom(proc: &Proc, processes: &[Rc<Process>], columns: &str) -> i32 {
    let columns: Vec<&str> = columns.split(',').map(|c| c.trim_end_matches('=')).collect();
    let cell = |p: &Process, column: &str| match column {
        "pid" => Some(p.pid.to_string()),
        "ppid" => Some(p.parent.get().to_string()),
        "user" => Some(user(proc, p.who.get().uid)),
        "comm" | "ucmd" => Some(p.comm()),
        "args" | "cmd" | "command" => Some(line_of(p)),
        "rss" => Some((p.memory() / 1024).to_string()),
        "tty" => Some(tty_of(p)),
        "time" => Some(time_of(p)),
        "stat" | "s" => Some("S".to_string()),
        _ => None,
    };
    if let Some(unknown) = columns.iter().find(|c| cell(proc.process(), c).is_none()) {
        proc.eprint(&format!("error: unknown user-defined format specifier \"{unknown}\"\n")).await;
        return 1;
    }
    let mut rows = vec![columns.iter().map(|c| c.to_uppercase()).collect::<Vec<_>>()];
    for p in processes {
        rows.push(columns.iter().map(|c| cell(p, c).unwrap_or_default()).collect());
    }
    for row in &rows {
        let cells: Vec<String> = row
            .iter()
            .enumerate()
            .map(|(i, text)| {
                let width = rows.iter().map(|r| r[i].len()).max().unwrap_or(0);
                if i + 1 == row.len() { text.clone() } else { format!("{text:<width$}") }
            })
            .collect();
        proc.print(&format!("{}\n", cells.join(" "))).await;
    }
    0
}
