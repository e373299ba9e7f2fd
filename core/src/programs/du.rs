//! `du`.

use super::support::{
    names::{human, join},
    opts::{Options, Spec, options},
};
use crate::machine::{Proc, Program};

/// `du`
pub const PROGRAM: Program = Program {
    name: "du",
    summary: "estimate file space usage",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec {
    usage: "du [OPTION]... [FILE]...\n  -a   files too\n  -b   bytes\n  -c   a sum at the end\n  -d N   only N levels deep\n  -h   sizes like 4.0K\n  -s   only what was named",
    short: "abcd:hkmsx",
    long: &[
        ("all", 'a'),
        ("human-readable", 'h'),
        ("summarize", 's'),
        ("max-depth", 'd'),
        ("total", 'c'),
        ("bytes", 'b'),
    ],
    trouble: 1,
};

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let names = if options.rest.is_empty() { vec![".".to_string()] } else { options.rest.clone() };
    let (mut status, mut total) = (0, 0);
    for name in names {
        if let Err(error) = proc.lstat(&name) {
            proc.eprint(&format!("du: cannot access '{name}': {error}\n")).await;
            status = 1;
            continue;
        }
        let mut lines = Vec::new();
        total += walk(&proc, &name, 0, &options, &mut lines);
        for (bytes, path) in lines {
            proc.print(&line(bytes, &path, &options)).await;
        }
    }
    if options.has('c') {
        proc.print(&line(total, "total", &options)).await;
    }
    status
}

fn line(bytes: u64, path: &str, options: &Options) -> String {
    let size = match (options.has('h'), options.has('b'), options.has('m')) {
        (true, ..) => human(bytes),
        (_, true, _) => bytes.to_string(),
        (_, _, true) => bytes.div_ceil(1 << 20).to_string(),
        _ => bytes.div_ceil(1024).to_string(),
    };
    format!("{size}\t{path}\n")
}

fn walk(
    proc: &Proc,
    path: &str,
    depth: usize,
    options: &Options,
    out: &mut Vec<(u64, String)>,
) -> u64 {
    let Ok(node) = proc.lstat(path) else { return 0 };
    let own = if options.has('b') { node.size() } else { node.size().div_ceil(4096) * 4096 };
    let mut sum = own;
    if node.is_dir() {
        for (name, _) in proc.list(path).unwrap_or_default() {
            sum += walk(proc, &join(path, &name), depth + 1, options, out);
        }
    }
    let most = match options.has('s') {
        true => 0,
        false => options.value('d').and_then(|d| d.parse().ok()).unwrap_or(usize::MAX),
    };
    if depth <= most && (node.is_dir() || options.has('a') || depth == 0) {
        out.push((sum, path.to_string()));
    }
    sum
}
