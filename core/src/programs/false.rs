//! `false`.

use crate::machine::{Proc, Program};

/// `false`
pub const PROGRAM: Program = Program {
    name: "false",
    summary: "do nothing, unsuccessfully",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

async fn main(_proc: Proc) -> i32 {
    1
}
