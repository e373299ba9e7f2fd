//! `ln`.

use super::support::{
    names::{base, join},
    opts::{Spec, options},
};
use crate::machine::{Proc, Program};

/// `ln`
pub const PROGRAM: Program = Program {
    name: "ln",
    summary: "make links between files",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec {
    usage: "ln -s [OPTION]... TARGET... LINK
  -f   replace what is in the way
  -n   a link to a directory counts as a file
  -s   symbolic links (others are not simulated)
  -v   say what is done",
    short: "fnsvT",
    long: &[("symbolic", 's'), ("force", 'f'), ("verbose", 'v')],
    trouble: 1,
};

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    if !options.has('s') {
        proc.eprint("ln: hard links are not simulated; use ln -s\n").await;
        return 1;
    }
    let (targets, link) = match options.rest.split_last() {
        None => {
            proc.eprint("ln: missing file operand\nTry 'ln --help' for more information.\n").await;
            return 1;
        }
        Some((only, [])) => (vec![only.clone()], ".".to_string()),
        Some((link, targets)) => (targets.to_vec(), link.clone()),
    };
    let plain = options.has('n') || options.has('T');
    let into = proc.is_dir(&link) && !(plain && proc.lstat(&link).is_ok_and(|n| n.is_link()));
    let mut status = 0;
    for target in targets {
        let path = if into { join(&link, base(&target)) } else { link.clone() };
        if options.has('f') && proc.lstat(&path).is_ok_and(|n| !n.is_dir()) {
            let _ = proc.remove(&path);
        }
        match proc.symlink(&target, &path) {
            Ok(()) if options.has('v') => proc.print(&format!("'{path}' -> '{target}'\n")).await,
            Ok(()) => {}
            Err(error) => {
                proc.eprint(&format!("ln: failed to create symbolic link '{path}': {error}\n"))
                    .await;
                status = 1;
            }
        }
    }
    status
}
