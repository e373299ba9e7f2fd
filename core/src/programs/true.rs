//! `true`.

use crate::machine::{Proc, Program};

/// `true`
pub const PROGRAM: Program = Program {
    name: "true",
    summary: "do nothing, successfully",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

async fn main(_proc: Proc) -> i32 {
    0
}
