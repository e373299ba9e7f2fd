//! `rm`.

use super::support::{
    opts::{Spec, options},
    tree::remove_all,
};
use crate::machine::{FsError, Proc, Program};

/// `rm`
pub const PROGRAM: Program = Program {
    name: "rm",
    summary: "remove files or directories",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec {
    usage: "rm [OPTION]... [FILE]...
  -d   also empty directories
  -f   say nothing about what isn't there
  -i   ask before each
  -r, -R   directories with all they hold
  -v   say what is done",
    short: "dfirRv",
    long: &[("recursive", 'r'), ("force", 'f'), ("verbose", 'v'), ("dir", 'd')],
    trouble: 1,
};

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let (force, recursive) = (options.last_of("fi") == Some('f'), options.last_of("rR").is_some());
    if options.rest.is_empty() && !force {
        let text = "rm: missing operand\nTry 'rm --help' for more information.\n";
        proc.eprint(text).await;
        return 1;
    }
    let mut status = 0;
    for path in &options.rest {
        let node = match proc.lstat(path) {
            Ok(node) => node,
            Err(FsError::NotFound | FsError::NotADirectory) if force => continue,
            Err(error) => {
                proc.eprint(&format!("rm: cannot remove '{path}': {error}\n")).await;
                status = 1;
                continue;
            }
        };
        let empty = proc.list(path).is_ok_and(|l| l.is_empty());
        if node.is_dir() && !recursive && !(options.has('d') && empty) {
            proc.eprint(&format!("rm: cannot remove '{path}': Is a directory\n")).await;
            status = 1;
            continue;
        }
        let resolved = proc.resolve(path);
        if recursive && resolved.trim_end_matches('/').is_empty() {
            proc.eprint("rm: it is dangerous to operate recursively on '/'\n").await;
            status = 1;
            continue;
        }
        if options.last_of("fi") == Some('i') {
            proc.eprint(&format!("rm: remove regular file '{path}'? ")).await;
            let answer = proc.read_line().await.unwrap_or_default();
            if !answer.starts_with(['y', 'Y']) {
                continue;
            }
        }
        let mut failed = Vec::new();
        remove_all(&proc, path, &mut failed);
        if options.has('v') && failed.is_empty() {
            let what = if node.is_dir() { "removed directory" } else { "removed" };
            proc.print(&format!("{what} '{path}'\n")).await;
        }
        for (path, error) in failed {
            proc.eprint(&format!("rm: cannot remove '{path}': {error}\n")).await;
            status = 1;
        }
    }
    status
}
