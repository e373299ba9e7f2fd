//! `init`: a machine's first process. It only waits; what others start goes on under it.

use crate::machine::{Proc, Program};

/// `init`
pub const PROGRAM: Program = Program {
    name: "init",
    summary: "the first process of a machine",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

async fn main(_proc: Proc) -> i32 {
    std::future::pending().await
}
