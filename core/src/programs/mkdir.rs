//! `mkdir`.

use super::{
    chmod::new_mode,
    support::opts::{Spec, options},
};
use crate::machine::{Proc, Program};

/// `mkdir`
pub const PROGRAM: Program = Program {
    name: "mkdir",
    summary: "make directories",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec {
    usage: "mkdir [OPTION]... DIRECTORY...
  -m MODE   with this mode, as chmod takes it
  -p   with missing parents; no error if it exists
  -v   say what is done",
    short: "m:pv",
    long: &[("parents", 'p'), ("mode", 'm'), ("verbose", 'v')],
    trouble: 1,
};

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    if options.rest.is_empty() {
        proc.eprint("mkdir: missing operand\nTry 'mkdir --help' for more information.\n").await;
        return 1;
    }
    let mode = match options.value('m').map(|m| new_mode(m, 0o777, true)) {
        Some(None) => {
            let given = options.value('m').unwrap_or_default();
            proc.eprint(&format!("mkdir: invalid mode '{given}'\n")).await;
            return 1;
        }
        Some(mode) => mode,
        None => None,
    };
    let mut status = 0;
    for dir in &options.rest {
        let mut steps = vec![dir.clone()];
        if options.has('p') {
            let ends = dir.char_indices().filter(|(i, c)| *c == '/' && *i > 0);
            let mut parents: Vec<String> = ends.map(|(i, _)| dir[..i].to_string()).collect();
            parents.append(&mut steps);
            steps = parents;
        }
        for step in steps {
            if options.has('p') && proc.is_dir(&step) {
                continue;
            }
            match proc.make_dir(&step) {
                Ok(()) if options.has('v') => {
                    proc.print(&format!("mkdir: created directory '{step}'\n")).await;
                }
                Ok(()) => {}
                Err(error) => {
                    proc.eprint(&format!("mkdir: cannot create directory '{dir}': {error}\n"))
                        .await;
                    status = 1;
                    break;
                }
            }
        }
        if let Some(mode) = mode {
            let _ = proc.set_attributes(dir, |node| node.mode = mode);
        }
    }
    status
}
