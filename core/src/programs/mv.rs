//! `mv`.

use super::{
    cp::operands,
    support::{
        names::{base, join},
        opts::{Spec, options},
        tree::{Copy, copy, remove_all},
    },
};
use crate::machine::{FsError, Proc, Program};

/// `mv`
pub const PROGRAM: Program = Program {
    name: "mv",
    summary: "move (rename) files",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec {
    usage: "mv [OPTION]... SOURCE... DEST
  -f   replace what is in the way
  -n   leave what is there
  -v   say what is done",
    short: "fnvT",
    long: &[("force", 'f'), ("verbose", 'v'), ("no-clobber", 'n')],
    trouble: 1,
};

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let Some((to, from)) = operands(&proc, &options.rest).await else { return 1 };
    let into = proc.is_dir(to) && !options.has('T');
    let mut status = 0;
    for source in from {
        let target = if into { join(to, base(source)) } else { to.clone() };
        if options.has('n') && proc.exists(&target) {
            continue;
        }
        match move_one(&proc, source, &target) {
            Ok(()) if options.has('v') => {
                proc.print(&format!("renamed '{source}' -> '{target}'\n")).await;
            }
            Ok(()) => {}
            Err(error) => {
                proc.eprint(&format!("mv: {error}\n")).await;
                status = 1;
            }
        }
    }
    status
}

fn move_one(proc: &Proc, source: &str, target: &str) -> Result<(), String> {
    match proc.rename(source, target) {
        Ok(()) => Ok(()),
        Err(FsError::NotFound) if proc.lstat(source).is_err() => {
            Err(format!("cannot stat '{source}': No such file or directory"))
        }
        Err(FsError::CrossDevice) => {
            // Another file system: copied, then removed.
            let mut failed = Vec::new();
            let how = Copy { recursive: true, preserve: true, links: true };
            copy(proc, source, target, how, &mut failed);
            if let Some(error) = failed.into_iter().next() {
                return Err(error);
            }
            let mut failed = Vec::new();
            remove_all(proc, source, &mut failed);
            match failed.first() {
                Some((path, error)) => Err(format!("cannot remove '{path}': {error}")),
                None => Ok(()),
            }
        }
        Err(FsError::Invalid) => {
            Err(format!("cannot move '{source}' to a subdirectory of itself, '{target}'"))
        }
        Err(error) => Err(format!("cannot move '{source}' to '{target}': {error}")),
    }
}
