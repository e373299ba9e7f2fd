//! `tee`.

use super::support::opts::{Spec, options};
use crate::machine::{Fd, Io, Proc, Program};

/// `tee`
pub const PROGRAM: Program = Program {
    name: "tee",
    summary: "copy standard input to files and standard output",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec =
    Spec { usage: "tee [-a] [FILE]...", short: "ai", long: &[("append", 'a')], trouble: 1 };

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let (mut status, mut outputs) = (0, vec![proc.clone()]);
    for path in &options.rest {
        match proc.open_write(path, options.has('a')) {
            Ok(fd) => {
                outputs.push(proc.with(Vec::new(), Io::new(Fd::Null, fd, Fd::Null)));
            }
            Err(error) => {
                proc.eprint(&format!("tee: {path}: {error}\n")).await;
                status = 1;
            }
        }
    }
    loop {
        let bytes = proc.read(65_536).await;
        if bytes.is_empty() {
            return status;
        }
        for output in &outputs {
            output.write(1, &bytes).await;
        }
    }
}
