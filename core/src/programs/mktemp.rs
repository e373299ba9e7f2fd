//! `mktemp`.

use super::support::opts::{Spec, options};
use crate::machine::{Proc, Program};

/// `mktemp`
pub const PROGRAM: Program = Program {
    name: "mktemp",
    summary: "make a temporary file or directory",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec =
    Spec { usage: "mktemp [-d] [-p DIR] [TEMPLATE]", short: "dtqup:", long: &[], trouble: 1 };

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let template = options.rest.first().cloned().unwrap_or_else(|| "tmp.XXXXXXXXXX".into());
    let count = template.len() - template.trim_end_matches('X').len();
    if count < 3 {
        proc.eprint(&format!("mktemp: too few X's in template '{template}'\n")).await;
        return 1;
    }
    let letters = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let random: String = (0..count)
        .map(|_| letters[proc.sim().random(letters.len() as u64) as usize] as char)
        .collect();
    let mut path = format!("{}{random}", &template[..template.len() - count]);
    if options.rest.is_empty() || options.has('t') || options.has('p') {
        let dir = options.value('p').map(String::from).or_else(|| proc.env("TMPDIR"));
        path = format!("{}/{path}", dir.unwrap_or_else(|| "/tmp".into()));
    }
    let made = if options.has('d') { proc.make_dir(&path) } else { proc.write_file(&path, b"") };
    match made {
        Ok(()) => {
            let mode = if options.has('d') { 0o700 } else { 0o600 };
            let _ = proc.set_attributes(&path, |node| node.mode = mode);
            proc.print(&format!("{path}\n")).await;
            0
        }
        Err(error) => {
            proc.eprint(&format!(
                "mktemp: failed to create file via template '{template}': {error}\n"
            ))
            .await;
            1
        }
    }
}
