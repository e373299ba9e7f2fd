//! `edit`.

use crate::machine::{Page, Proc, Program};

/// `edit`
pub const PROGRAM: Program = Program {
    name: "edit",
    summary: "open a file in the page's editor",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

async fn main(proc: Proc) -> i32 {
    let Some(path) = proc.args().iter().skip(1).find(|a| !a.starts_with('-')) else {
        proc.eprint("Usage: edit FILE\n").await;
        return 1;
    };
    let Some(page) = proc.machine().get::<Page>() else {
        proc.eprint("edit: the page's editor works on files of the learner's own host only; try nano or vi\n").await;
        return 1;
    };
    if proc.is_dir(path) {
        proc.eprint(&format!("edit: {path}: Is a directory\n")).await;
        return 1;
    }
    let text = if proc.exists(path) { proc.read_text(path) } else { Ok(String::new()) };
    match text {
        Ok(text) => {
            let path = super::support::names::join("/", proc.resolve(path).trim_start_matches('/'));
            (page.open_file)(&path, &text);
            0
        }
        Err(error) => {
            proc.eprint(&format!("edit: {path}: {error}\n")).await;
            1
        }
    }
}
