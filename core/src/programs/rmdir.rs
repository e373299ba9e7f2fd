//! `rmdir`.

use super::support::opts::{Spec, options};
use crate::machine::{FsError, Proc, Program};

/// `rmdir`
pub const PROGRAM: Program = Program {
    name: "rmdir",
    summary: "remove empty directories",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec {
    usage: "rmdir [OPTION]... DIRECTORY...
  -p   parents as well
  -v   say what is done",
    short: "pv",
    long: &[("parents", 'p'), ("verbose", 'v')],
    trouble: 1,
};

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let mut status = 0;
    for dir in &options.rest {
        let mut path = dir.trim_end_matches('/').to_string();
        loop {
            let result = match proc.lstat(&path) {
                Ok(node) if !node.is_dir() => Err(FsError::NotADirectory),
                Ok(_) => proc.remove(&path),
                Err(error) => Err(error),
            };
            if let Err(error) = result {
                proc.eprint(&format!("rmdir: failed to remove '{path}': {error}\n")).await;
                status = 1;
                break;
            }
            if options.has('v') {
                proc.print(&format!("rmdir: removing directory, '{path}'\n")).await;
            }
            match path.rsplit_once('/') {
                Some((parent, _)) if options.has('p') && !parent.is_empty() => {
                    path = parent.to_string();
                }
                _ => break,
            }
        }
    }
    status
}
