//! `cp`.

use super::support::{
    names::{base, join},
    opts::{Spec, options},
    tree::{Copy, copy},
};
use crate::machine::{Proc, Program};

/// `cp`
pub const PROGRAM: Program = Program {
    name: "cp",
    summary: "copy files and directories",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec {
    usage: "cp [OPTION]... SOURCE... DEST
  -a   as -dpR
  -d   copy links as links
  -f   replace what is in the way
  -n   leave what is there
  -p   keep mode and time
  -r, -R   copy directories
  -v   say what is done",
    short: "adfnprRvT",
    long: &[
        ("recursive", 'r'),
        ("archive", 'a'),
        ("force", 'f'),
        ("verbose", 'v'),
        ("no-clobber", 'n'),
        ("preserve", 'p'),
    ],
    trouble: 1,
};

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let how = Copy {
        recursive: options.last_of("arR").is_some(),
        preserve: options.last_of("ap").is_some(),
        links: options.last_of("ad").is_some(),
    };
    let Some((to, from)) = operands(&proc, &options.rest).await else { return 1 };
    let into = proc.is_dir(to) && !options.has('T');
    let mut status = 0;
    for source in from {
        let target = if into { join(to, base(source)) } else { to.clone() };
        if options.has('n') && proc.exists(&target) {
            continue;
        }
        if proc.resolve(source) == proc.resolve(&target) {
            proc.eprint(&format!("cp: '{source}' and '{target}' are the same file\n")).await;
            status = 1;
            continue;
        }
        let mut failed = Vec::new();
        copy(&proc, source, &target, how, &mut failed);
        if options.has('v') && failed.is_empty() {
            proc.print(&format!("'{source}' -> '{target}'\n")).await;
        }
        for error in failed {
            proc.eprint(&format!("cp: {error}\n")).await;
            status = 1;
        }
    }
    status
}

/// The last operand and those before it, checked as `cp` and `mv` check them.
pub async fn operands<'a>(proc: &Proc, rest: &'a [String]) -> Option<(&'a String, &'a [String])> {
    let name = proc.name();
    match rest.split_last() {
        None => {
            proc.eprint(&format!(
                "{name}: missing file operand\nTry '{name} --help' for more information.\n"
            ))
            .await;
            None
        }
        Some((only, [])) => {
            proc.eprint(&format!("{name}: missing destination file operand after '{only}'\nTry '{name} --help' for more information.\n")).await;
            None
        }
        Some((to, from)) => {
            if from.len() > 1 && !proc.is_dir(to) {
                let what =
                    if proc.exists(to) { "Not a directory" } else { "No such file or directory" };
                proc.eprint(&format!("{name}: target '{to}': {what}\n")).await;
                return None;
            }
            Some((to, from))
        }
    }
}
