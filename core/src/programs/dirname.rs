//! `dirname`.

use super::support::opts::{Spec, options};
use crate::machine::{Proc, Program};

/// `dirname`
pub const PROGRAM: Program = Program {
    name: "dirname",
    summary: "strip the last part from file names",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec { usage: "dirname NAME...", short: "z", long: &[], trouble: 1 };

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    if options.rest.is_empty() {
        proc.eprint("dirname: missing operand\nTry 'dirname --help' for more information.\n").await;
        return 1;
    }
    for path in &options.rest {
        let trimmed = path.trim_end_matches('/');
        let dir = match trimmed.rsplit_once('/') {
            Some((dir, _)) => dir.trim_end_matches('/'),
            None if trimmed.is_empty() && !path.is_empty() => "",
            None => ".",
        };
        proc.print(&format!("{}\n", if dir.is_empty() { "/" } else { dir })).await;
    }
    0
}
