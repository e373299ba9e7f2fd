//! `printenv`.

use crate::machine::{Proc, Program};

/// `printenv`
pub const PROGRAM: Program = Program {
    name: "printenv",
    summary: "print environment variables",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

async fn main(proc: Proc) -> i32 {
    let names = proc.args().get(1..).unwrap_or_default();
    if names.is_empty() {
        for (name, value) in proc.env_all().iter() {
            proc.print(&format!("{name}={value}\n")).await;
        }
        return 0;
    }
    let mut status = 0;
    for name in names {
        match proc.env(name) {
            Some(value) => proc.print(&format!("{value}\n")).await,
            None => status = 1,
        }
    }
    status
}
