//! `busybox`: many programs in one, chosen by the name it is called by.

use crate::machine::{Proc, Program};

/// `busybox`
pub const PROGRAM: Program = Program {
    name: "busybox",
    summary: "many Unix utilities in one program",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

async fn main(proc: Proc) -> i32 {
    let mut args = proc.args().to_vec();
    if proc.name() == "busybox" {
        args.remove(0);
    }
    let Some(first) = args.first() else {
        proc.print("BusyBox v1.36.1 (simulated) multi-call binary.\n\n").await;
        proc.print("Usage: busybox [function [arguments]...]\n").await;
        return 0;
    };
    let applet = first.rsplit('/').next().unwrap_or(first);
    let name = if applet == "sh" { "ash" } else { applet };
    match proc.machine().registered(name).filter(|p| p.name != "busybox") {
        Some(program) => {
            let io = proc.io().clone();
            (program.run)(proc.with(args, io)).await
        }
        None => {
            proc.eprint(&format!("{applet}: applet not found\n")).await;
            127
        }
    }
}
