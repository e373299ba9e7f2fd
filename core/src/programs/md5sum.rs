//! `md5sum`.

use super::support::{
    digest::{md5, sha256},
    inputs,
};
use crate::machine::{Proc, Program};

/// `md5sum`
pub const PROGRAM: Program = Program {
    name: "md5sum",
    summary: "compute MD5 digests",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

/// `sha256sum`
pub const SHA256: Program = Program {
    name: "sha256sum",
    summary: "compute SHA-256 digests",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

async fn main(proc: Proc) -> i32 {
    let args = proc.args().get(1..).unwrap_or_default();
    let sum = |data: &[u8]| if proc.name() == "md5sum" { md5(data) } else { sha256(data) };
    let mut status = 0;
    if let Some("-c" | "--check") = args.first().map(String::as_str) {
        let (text, _) = inputs::all_text(&proc, &args[1..]).await;
        for line in text.lines() {
            let Some((digest, path)) = line.split_once("  ") else { continue };
            let good = proc.read_file(path).is_ok_and(|data| sum(&data) == digest);
            proc.print(&format!("{path}: {}\n", if good { "OK" } else { "FAILED" })).await;
            status |= i32::from(!good);
        }
        return status;
    }
    for name in inputs::names(args) {
        match inputs::open(&proc, &name).await {
            Some(source) => {
                let digest = sum(&source.all().await);
                proc.print(&format!("{digest}  {name}\n")).await;
            }
            None => status = 1,
        }
    }
    status
}
