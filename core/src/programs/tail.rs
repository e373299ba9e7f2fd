//! `tail`.

use super::{
    head::classic,
    support::{
        inputs,
        opts::{Options, Spec, options},
    },
};
use crate::machine::{Fd, Proc, Program};

/// `tail`
pub const PROGRAM: Program = Program {
    name: "tail",
    summary: "print the last part of files",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec {
    usage: "tail [OPTION]... [FILE]...\n  -c N   the last N bytes (from byte N on with +N)\n  -f   print what is added, until ended\n  -F   as -f, also when the file is replaced\n  -n N   the last N lines instead of 10 (from line N on with +N)\n  -q, -v   never, always print names",
    short: "c:n:qvfF",
    long: &[("lines", 'n'), ("bytes", 'c'), ("follow", 'f'), ("quiet", 'q'), ("verbose", 'v')],
    trouble: 1,
};

async fn main(proc: Proc) -> i32 {
    let args = classic(proc.args());
    let proc = proc.with(args, proc.io().clone());
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let names = inputs::names(&options.rest);
    let titled = (names.len() > 1 || options.has('v')) && !options.has('q');
    let (mut status, mut first) = (0, true);
    let mut followed = Vec::new();
    for name in names {
        let Some(source) = inputs::open(&proc, &name).await else {
            status = 1;
            if options.has('F') {
                followed.push(Followed { name, at: 0, ino: 0 });
            }
            continue;
        };
        if titled {
            let gap = if std::mem::replace(&mut first, false) { "" } else { "\n" };
            let shown = if name == "-" { "standard input" } else { &name };
            proc.print(&format!("{gap}==> {shown} <==\n")).await;
        }
        let data = source.all().await;
        let Some(part) = part(&data, &options) else {
            proc.eprint("tail: invalid number\n").await;
            return 1;
        };
        proc.write(1, part).await;
        let ino = proc.stat(&name).map_or(0, |n| n.ino);
        followed.push(Followed { name, at: data.len(), ino });
    }
    if options.last_of("fF").is_some() {
        follow(&proc, &mut followed, titled).await;
    }
    status
}

struct Followed {
    name: String,
    at: usize,
    ino: u64,
}

fn part<'a>(data: &'a [u8], options: &Options) -> Option<&'a [u8]> {
    let (text, by_lines) = match options.value('c') {
        Some(text) => (text, false),
        None => (options.value('n').unwrap_or("10"), true),
    };
    let from_start = text.starts_with('+');
    let count =
        super::head::number(text.trim_start_matches(['+', '-'])).ok()?.unsigned_abs() as usize;
    if !by_lines {
        let start = if from_start { count.max(1) - 1 } else { data.len().saturating_sub(count) };
        return Some(data.get(start..).unwrap_or_default());
    }
    let starts: Vec<usize> = std::iter::once(0)
        .chain(data.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(i, _)| i + 1))
        .filter(|start| *start < data.len())
        .collect();
    let line = if from_start { count.max(1) - 1 } else { starts.len().saturating_sub(count) };
    let start = starts.get(line).copied().unwrap_or(data.len());
    Some(&data[start..])
}

/// Prints what is added, whenever the files' trees change. (Standard input has ended already.)
async fn follow(proc: &Proc, files: &mut [Followed], titled: bool) {
    let mut last = files.len().saturating_sub(1);
    if files.iter().all(|f| f.name == "-") {
        return;
    }
    loop {
        let opened = files.iter().find_map(|f| match proc.open_read(&f.name) {
            Ok(Fd::File(file)) => Some(file.fs().clone()),
            _ => None,
        });
        let tree = opened.unwrap_or_else(|| proc.machine().files().root());
        let changed = tree.changed().wait();
        for (index, file) in files.iter_mut().enumerate() {
            let (Ok(node), Ok(data)) = (proc.stat(&file.name), proc.read_file(&file.name)) else {
                continue;
            };
            if node.ino != file.ino {
                (file.ino, file.at) = (node.ino, 0);
            }
            if data.len() < file.at {
                proc.eprint(&format!("tail: {}: file truncated\n", file.name)).await;
                file.at = 0;
            }
            if data.len() == file.at {
                continue;
            }
            if titled && index != last {
                proc.print(&format!("\n==> {} <==\n", file.name)).await;
            }
            last = index;
            proc.write(1, &data[file.at..]).await;
            file.at = data.len();
        }
        changed.await;
    }
}
