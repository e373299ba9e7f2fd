//! `test` and `[`.

use crate::{
    machine::{Proc, Program},
    shell::test_expr::evaluate,
};

/// `test`
pub const PROGRAM: Program = Program {
    name: "test",
    summary: "check file types and compare values",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

/// `[`
pub const BRACKET: Program = Program { name: "[", ..PROGRAM };

async fn main(proc: Proc) -> i32 {
    let mut args = proc.args().get(1..).unwrap_or_default();
    if proc.name() == "[" {
        match args.split_last() {
            Some((last, rest)) if last == "]" => args = rest,
            _ => {
                proc.eprint("[: missing ]\n").await;
                return 2;
            }
        }
    }
    match evaluate(&proc, args) {
        Ok(true) => 0,
        Ok(false) => 1,
        Err(error) => {
            proc.eprint(&format!("{}: {error}\n", proc.name())).await;
            2
        }
    }
}
