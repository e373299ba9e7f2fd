//! `head`.

use super::support::{
    inputs,
    opts::{Spec, options},
};
use crate::machine::{Proc, Program};

/// `head`
pub const PROGRAM: Program = Program {
    name: "head",
    summary: "print the first part of files",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec {
    usage: "head [OPTION]... [FILE]...\n  -c N   the first N bytes (all but the last with -N)\n  -n N   the first N lines instead of 10\n  -q, -v   never, always print names",
    short: "c:n:qv",
    long: &[("lines", 'n'), ("bytes", 'c'), ("quiet", 'q'), ("verbose", 'v')],
    trouble: 1,
};

async fn main(proc: Proc) -> i32 {
    let args = classic(proc.args());
    let proc = proc.with(args, proc.io().clone());
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let lines = options.value('n').map_or(Ok(10), number);
    let bytes = options.value('c').map(number).transpose();
    let (Ok(lines), Ok(bytes)) = (lines, bytes) else {
        let bad = options.value('c').or(options.value('n')).unwrap_or_default();
        proc.eprint(&format!("head: invalid number of lines: '{bad}'\n")).await;
        return 1;
    };
    let names = inputs::names(&options.rest);
    let titled = (names.len() > 1 || options.has('v')) && !options.has('q');
    let (mut status, mut first) = (0, true);
    for name in names {
        let Some(source) = inputs::open(&proc, &name).await else {
            status = 1;
            continue;
        };
        if titled {
            let gap = if std::mem::replace(&mut first, false) { "" } else { "\n" };
            let shown = if name == "-" { "standard input" } else { &name };
            proc.print(&format!("{gap}==> {shown} <==\n")).await;
        }
        if let Some(count) = bytes {
            print_bytes(&proc, &source, count).await;
        } else if lines < 0 {
            let data = source.all().await;
            let all: Vec<&[u8]> = data.split_inclusive(|b| *b == b'\n').collect();
            let keep = all.len().saturating_sub(lines.unsigned_abs() as usize);
            proc.write(1, &all[..keep].concat()).await;
        } else {
            for _ in 0..lines {
                let line = source.raw_line().await;
                if line.is_empty() {
                    break;
                }
                proc.write(1, &line).await;
            }
        }
    }
    status
}

async fn print_bytes(proc: &Proc, source: &inputs::Source, count: i64) {
    let data = source.all().await;
    let most = match count < 0 {
        true => data.len().saturating_sub(count.unsigned_abs() as usize),
        false => data.len().min(count as usize),
    };
    proc.write(1, &data[..most]).await;
}

/// `10`, `2k`, `-3`.
pub fn number(text: &str) -> Result<i64, ()> {
    let (digits, factor) = match text.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 1024),
        None => match text.strip_suffix('M') {
            Some(digits) => (digits, 1 << 20),
            None => (text, 1),
        },
    };
    digits.parse::<i64>().ok().and_then(|n| n.checked_mul(factor)).ok_or(())
}

/// `-5` as `-n 5`.
pub fn classic(args: &[String]) -> Vec<String> {
    let is_count = |a: &String| {
        a.len() > 1 && a.starts_with('-') && a[1..].chars().all(|c| c.is_ascii_digit())
    };
    args.iter()
        .enumerate()
        .flat_map(|(i, a)| {
            match i > 0 && is_count(a) && !["-n", "-c"].contains(&args[i - 1].as_str()) {
                true => vec!["-n".to_string(), a[1..].to_string()],
                false => vec![a.clone()],
            }
        })
        .collect()
}
