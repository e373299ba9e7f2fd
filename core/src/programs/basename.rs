//! `basename`.

use super::support::{
    names::base,
    opts::{Spec, options},
};
use crate::machine::{Proc, Program};

/// `basename`
pub const PROGRAM: Program = Program {
    name: "basename",
    summary: "strip directory and suffix from file names",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec {
    usage: "basename NAME [SUFFIX]\n       basename -a [-s SUFFIX] NAME...",
    short: "as:",
    long: &[],
    trouble: 1,
};

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let suffix = options.value('s').or(options.rest.get(1).map(String::as_str)).unwrap_or("");
    let all = options.has('a') || options.has('s');
    let count = if all { options.rest.len() } else { 1 };
    if options.rest.is_empty() {
        proc.eprint("basename: missing operand\nTry 'basename --help' for more information.\n")
            .await;
        return 1;
    }
    for path in options.rest.iter().take(count) {
        let name = base(path);
        let suffix = if all { options.value('s').unwrap_or("") } else { suffix };
        let name = name.strip_suffix(suffix).filter(|n| !n.is_empty()).unwrap_or(name);
        proc.print(&format!("{name}\n")).await;
    }
    0
}
