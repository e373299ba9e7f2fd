//! `pkill`.

use super::support::opts::{Spec, options};
use crate::{
    machine::{Proc, Program, Signal},
    shell::regex::{Syntax, compile},
};

/// `pkill`
pub const PROGRAM: Program = Program {
    name: "pkill",
    summary: "signal processes by name",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec {
    usage: "pkill [-SIGNAL] [-f] [-i] [-x] PATTERN\n       pgrep [-a] [-c] [-f] [-i] [-l] [-x] PATTERN",
    short: "acfilx",
    long: &[],
    trouble: 2,
};

/// `pgrep`
pub const PGREP: Program = Program {
    name: "pgrep",
    summary: "find processes by name",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

async fn main(proc: Proc) -> i32 {
    let find = proc.name() == "pgrep";
    let mut signal = Signal::Term;
    let mut args = proc.args().to_vec();
    if let Some(index) =
        args.iter().skip(1).position(|a| a.starts_with('-') && Signal::parse(&a[1..]).is_some())
    {
        signal = Signal::parse(&args.remove(index + 1)[1..]).unwrap_or(signal);
    }
    let io = proc.io().clone();
    let options = match options(&proc.with(args, io), &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let Some(pattern) = options.rest.first() else {
        proc.eprint(&format!("{}: no matching criteria specified\n", proc.name())).await;
        return 2;
    };
    let Ok(regex) = compile(pattern, Syntax::Extended, options.has('i')) else {
        proc.eprint(&format!("{}: invalid pattern\n", proc.name())).await;
        return 2;
    };
    let mut found = 0;
    for process in proc.machine().processes() {
        let text = if options.has('f') { process.args().join(" ") } else { process.comm() };
        let matched = match regex.find(&text) {
            Some(m) => !options.has('x') || m.range() == (0..text.len()),
            None => false,
        };
        if !matched || process.pid == proc.pid() {
            continue;
        }
        found += 1;
        if !find {
            if proc.who().uid == 0 || proc.who().uid == process.who.get().uid {
                process.signal(signal, false);
            }
        } else if options.has('l') {
            proc.print(&format!("{} {}\n", process.pid, process.comm())).await;
        } else if options.has('a') {
            proc.print(&format!("{} {}\n", process.pid, process.args().join(" "))).await;
        } else if !options.has('c') {
            proc.print(&format!("{}\n", process.pid)).await;
        }
    }
    if options.has('c') {
        proc.print(&format!("{found}\n")).await;
    }
    i32::from(found == 0)
}
