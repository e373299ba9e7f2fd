//! `realpath`.

use super::support::opts::{Spec, options};
use crate::machine::{Proc, Program};

/// `realpath`
pub const PROGRAM: Program = Program {
    name: "realpath",
    summary: "print absolute paths without links",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec { usage: "realpath [-e] FILE...", short: "ems", long: &[], trouble: 1 };

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let mut status = 0;
    for path in &options.rest {
        match proc.machine().files().real_path(&proc.resolve(path), proc.who()) {
            Ok(real) if options.has('e') && !proc.exists(path) => {
                proc.eprint(&format!("realpath: {real}: No such file or directory\n")).await;
                status = 1;
            }
            Ok(real) => proc.print(&format!("{real}\n")).await,
            Err(error) => {
                proc.eprint(&format!("realpath: {path}: {error}\n")).await;
                status = 1;
            }
        }
    }
    status
}
