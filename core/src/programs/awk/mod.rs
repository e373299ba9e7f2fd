//! `awk`: patterns, fields, variables, arrays, control flow, `print`, `printf` and the usual
//! functions. Functions of one's own and reading with `getline` are not simulated.

mod ast;
mod eval;
mod functions;
mod lex;
mod parse;
mod run;
mod value;

use super::support::{
    inputs,
    opts::{Spec, options},
};
use crate::machine::{Proc, Program};

/// `awk`
pub const PROGRAM: Program = Program {
    name: "awk",
    summary: "find and process patterns in text",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec {
    usage: "awk [-F SEPARATOR] [-v NAME=VALUE] 'PROGRAM' [FILE]...\n       awk -f FILE [FILE]...",
    short: "+F:v:f:",
    long: &[("field-separator", 'F'), ("assign", 'v'), ("file", 'f')],
    trouble: 2,
};

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let mut rest = options.rest.clone();
    let mut text = String::new();
    for path in options.values('f') {
        match proc.read_text(path) {
            Ok(script) => text.push_str(&format!("{script}\n")),
            Err(error) => {
                proc.eprint(&format!("awk: can't open file {path}: {error}\n")).await;
                return 2;
            }
        }
    }
    if text.is_empty() {
        if rest.is_empty() {
            proc.eprint(&format!("usage: {}\n", SPEC.usage)).await;
            return 2;
        }
        text = rest.remove(0);
    }
    let program = match parse::parse(&text) {
        Ok(program) => program,
        Err(error) => {
            proc.eprint(&format!("awk: {error}\n")).await;
            return 2;
        }
    };
    let mut run = run::Run::new(&proc, &program);
    if let Some(separator) = options.value('F') {
        let separator = if separator == "t" { "\\t" } else { separator };
        run.assign("FS", separator);
    }
    for assignment in options.values('v') {
        if let Some((name, value)) = assignment.split_once('=') {
            run.assign(name, value);
        }
    }
    let (assigned, files): (Vec<String>, Vec<String>) =
        rest.into_iter().partition(|a| a.contains('=') && !proc.exists(a) && !a.contains('/'));
    run.set_arguments(&files);
    let result = run.whole(&inputs::names(&files), &assigned).await;
    match result {
        Ok(code) => code,
        Err(error) => {
            run.flush().await;
            proc.eprint(&format!("awk: {error}\n")).await;
            2
        }
    }
}
