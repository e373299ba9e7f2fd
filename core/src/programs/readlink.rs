//! `readlink`.

use super::support::opts::{Spec, options};
use crate::machine::{Proc, Program, fs::Kind};

/// `readlink`
pub const PROGRAM: Program = Program {
    name: "readlink",
    summary: "print where links point",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec { usage: "readlink [-f] FILE...", short: "fenm", long: &[], trouble: 1 };

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let mut status = 0;
    for path in &options.rest {
        let text = if options.last_of("fe").is_some() {
            proc.machine().files().real_path(&proc.resolve(path), proc.who()).ok()
        } else {
            match proc.lstat(path).as_deref().map(|n| &n.kind) {
                Ok(Kind::Link(target)) => Some(target.to_string()),
                _ => None,
            }
        };
        match text {
            Some(text) => proc.print(&format!("{text}\n")).await,
            None => status = 1,
        }
    }
    status
}
