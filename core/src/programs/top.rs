//! `top`: the processes, over and over.

use std::time::Duration;

use super::support::{
    names::user,
    opts::{Spec, options},
    screen::{Event, Screen},
};
use crate::{
    machine::{MemoryTotal, Proc, Program},
    shell::edit::Key,
    sim::{Either, race},
};

/// `top`
pub const PROGRAM: Program = Program {
    name: "top",
    summary: "show processes, over and over",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec {
    usage: "top [-b] [-d SECONDS] [-n TIMES]\n  -b   print instead of taking the screen",
    short: "bd:n:",
    long: &[],
    trouble: 1,
};

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let delay = options.value('d').and_then(|d| d.parse::<f64>().ok()).unwrap_or(3.0);
    let delay = Duration::from_secs_f64(delay.clamp(0.1, 1e6));
    let mut left = options.value('n').and_then(|n| n.parse::<u64>().ok()).unwrap_or(u64::MAX);
    if options.has('b') {
        loop {
            proc.print(&format!("{}\n", table(&proc, usize::MAX, "\n"))).await;
            left -= 1;
            if left == 0 {
                return 0;
            }
            proc.sleep(delay).await;
        }
    }
    let Some(mut screen) = Screen::open(&proc) else {
        proc.eprint("top: failed tty get\n").await;
        return 1;
    };
    loop {
        let rows = screen.size().1;
        let text = table(&proc, rows, "\x1b[K\r\n");
        screen.write(&format!("\x1b[?25l\x1b[H{text}\x1b[J"));
        left -= 1;
        if left == 0 {
            break;
        }
        let wake = proc.sleep(delay);
        match race(screen.event(), wake).await {
            Either::Left(Event::Ended | Event::Key(Key::Char('q') | Key::Ctrl('c'))) => break,
            Either::Left(_) | Either::Right(()) => {}
        }
    }
    screen.close();
    0
}

fn table(proc: &Proc, rows: usize, end: &str) -> String {
    let total = proc.machine().get::<MemoryTotal>().map_or(8 << 30, |m| m.0);
    let used = proc.machine().memory();
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let processes = proc.machine().processes();
    let mut lines = vec![
        format!("top - {}", super::uptime::line(proc)),
        format!(
            "Tasks: {:>3} total,   1 running, {:>3} sleeping,   0 stopped,   0 zombie",
            processes.len(),
            processes.len().saturating_sub(1)
        ),
        "%Cpu(s):  0.0 us,  0.0 sy,  0.0 ni,100.0 id,  0.0 wa,  0.0 hi,  0.0 si,  0.0 st"
            .to_string(),
        format!(
            "MiB Mem : {:>8.1} total, {:>8.1} free, {:>8.1} used, {:>8.1} buff/cache",
            mib(total),
            mib(total.saturating_sub(used)),
            mib(used),
            0.0
        ),
        String::new(),
        "    PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND"
            .to_string(),
    ];
    for process in processes {
        let kib = process.memory() / 1024;
        let percent = process.memory() as f64 * 100.0 / total.max(1) as f64;
        let cpu = process.cpu_micros();
        let time =
            format!("{}:{:02}.{:02}", cpu / 60_000_000, cpu / 1_000_000 % 60, cpu / 10_000 % 100);
        lines.push(format!(
            "{:>7} {:<8}  20   0 {kib:>7} {kib:>6}      0 S   0.0 {percent:>5.1} {time:>9} {}",
            process.pid,
            user(proc, process.who.get().uid),
            process.comm()
        ));
    }
    lines.truncate(rows);
    lines.join(end)
}
