//! `kill`.

use crate::machine::{Proc, Program, SIGNALS, Signal};

/// `kill`
pub const PROGRAM: Program = Program {
    name: "kill",
    summary: "send signals to processes",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

async fn main(proc: Proc) -> i32 {
    let mut args = proc.args().get(1..).unwrap_or_default();
    let mut signal = Some(Signal::Term);
    match args.first().map(String::as_str) {
        Some("-l") => {
            let names: Vec<&str> = SIGNALS.iter().map(|(_, name)| *name).collect();
            proc.print(&format!("{}\n", names.join(" "))).await;
            return 0;
        }
        Some("-s") => {
            signal = args.get(1).and_then(|name| Signal::parse(name));
            args = args.get(2..).unwrap_or_default();
        }
        Some(flag) if flag.starts_with('-') => {
            signal = Signal::parse(&flag[1..]);
            args = &args[1..];
        }
        _ => {}
    }
    let Some(signal) = signal else {
        proc.eprint("kill: unknown signal\n").await;
        return 1;
    };
    if args.is_empty() {
        proc.eprint("kill: not enough arguments\n").await;
        return 1;
    }
    let mut status = 0;
    for target in args {
        let process = target.parse().ok().and_then(|pid| proc.machine().process(pid));
        match process {
            Some(p) if proc.who().uid == 0 || proc.who().uid == p.who.get().uid => {
                p.signal(signal, false)
            }
            Some(_) => {
                proc.eprint(&format!("kill: ({target}): Operation not permitted\n")).await;
                status = 1;
            }
            None => {
                proc.eprint(&format!("kill: ({target}): No such process\n")).await;
                status = 1;
            }
        }
    }
    status
}
