//! `touch`.

use super::support::opts::{Spec, options};
use crate::machine::{Proc, Program};

/// `touch`
pub const PROGRAM: Program = Program {
    name: "touch",
    summary: "change file times, make empty files",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec {
    usage: "touch [OPTION]... FILE...
  -c   make no files
  -r FILE   use the time of FILE",
    short: "acmr:",
    long: &[("no-create", 'c'), ("reference", 'r')],
    trouble: 1,
};

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let time = match options.value('r').map(|path| (path, proc.stat(path))) {
        Some((_, Ok(node))) => node.mtime,
        Some((path, Err(error))) => {
            proc.eprint(&format!("touch: failed to get attributes of '{path}': {error}\n")).await;
            return 1;
        }
        None => proc.sim().now(),
    };
    let mut status = 0;
    for path in &options.rest {
        if !proc.exists(path) {
            if options.has('c') {
                continue;
            }
            if let Err(error) = proc.write_file(path, b"") {
                proc.eprint(&format!("touch: cannot touch '{path}': {error}\n")).await;
                status = 1;
                continue;
            }
        }
        if let Err(error) = proc.set_attributes(path, |node| node.mtime = time) {
            proc.eprint(&format!("touch: setting times of '{path}': {error}\n")).await;
            status = 1;
        }
    }
    status
}
