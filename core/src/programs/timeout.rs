//! `timeout`.

use super::{
    sleep::duration,
    support::opts::{Spec, options},
};
use crate::{
    machine::{Command, Proc, Program, Signal},
    sim::{Either, race},
};

/// `timeout`
pub const PROGRAM: Program = Program {
    name: "timeout",
    summary: "run a program for a limited time",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec {
    usage: "timeout [-k DURATION] [-s SIGNAL] DURATION COMMAND [ARG]...",
    short: "+k:s:p",
    long: &[("signal", 's'), ("kill-after", 'k'), ("preserve-status", 'p')],
    trouble: 125,
};

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let (Some(limit), Some(name)) = (options.rest.first(), options.rest.get(1)) else {
        proc.eprint("timeout: missing operand\nTry 'timeout --help' for more information.\n").await;
        return 125;
    };
    let Some(limit) = duration(limit) else {
        proc.eprint(&format!("timeout: invalid time interval '{limit}'\n")).await;
        return 125;
    };
    let signal = options.value('s').map_or(Some(Signal::Term), Signal::parse);
    let Some(signal) = signal else {
        proc.eprint("timeout: invalid signal\n").await;
        return 125;
    };
    let child = match proc.spawn(Command::new(options.rest[1..].to_vec())) {
        Ok(child) => child,
        Err(error) => {
            proc.eprint(&format!("timeout: failed to run command '{name}': {error}\n")).await;
            return error.code();
        }
    };
    if limit.is_zero() {
        return child.wait().await.code();
    }
    match race(child.wait(), proc.sleep(limit)).await {
        Either::Left(status) => status.code(),
        Either::Right(()) => {
            child.process().signal(signal, false);
            if let Some(grace) = options.value('k').and_then(duration) {
                if let Either::Right(()) = race(child.wait(), proc.sleep(grace)).await {
                    child.process().signal(Signal::Kill, false);
                }
            }
            let status = child.wait().await;
            if options.has('p') { status.code() } else { 124 }
        }
    }
}
