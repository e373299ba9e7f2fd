//! `which`.

use super::support::opts::{Spec, options};
use crate::machine::{Proc, Program};

/// `which`
pub const PROGRAM: Program = Program {
    name: "which",
    summary: "locate a program on the PATH",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec { usage: "which NAME...", short: "as", long: &[], trouble: 1 };

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let mut status = 0;
    for name in &options.rest {
        let found = proc.machine().find_command(name, &proc.env_all(), &proc.cwd(), proc.who());
        match found {
            Ok(path) => proc.print(&format!("{path}\n")).await,
            Err(_) => status = 1,
        }
    }
    status
}
