//! `wc`.

use super::support::{
    inputs,
    opts::{Spec, options},
};
use crate::machine::{Proc, Program};

/// `wc`
pub const PROGRAM: Program = Program {
    name: "wc",
    summary: "count lines, words and bytes",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec {
    usage: "wc [OPTION]... [FILE]...\n  -c   bytes\n  -l   lines\n  -L   length of the longest line\n  -m   characters\n  -w   words",
    short: "clmwL",
    long: &[("lines", 'l'), ("words", 'w'), ("bytes", 'c'), ("chars", 'm')],
    trouble: 1,
};

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let plain = options.last_of("lwcmL").is_none();
    let columns: Vec<char> =
        "lwmcL".chars().filter(|c| options.has(*c) || (plain && "lwc".contains(*c))).collect();
    let (mut rows, mut status) = (Vec::new(), 0);
    let mut total = [0_usize; 5];
    for name in inputs::names(&options.rest) {
        let Some(source) = inputs::open(&proc, &name).await else {
            status = 1;
            continue;
        };
        let data = source.all().await;
        let text = String::from_utf8_lossy(&data);
        let counts = [
            data.iter().filter(|b| **b == b'\n').count(),
            text.split_whitespace().count(),
            text.chars().count(),
            data.len(),
            text.lines().map(|l| l.chars().count()).max().unwrap_or(0),
        ];
        for (sum, count) in total.iter_mut().zip(counts) {
            *sum += count;
        }
        let shown = if options.rest.is_empty() { String::new() } else { format!(" {name}") };
        rows.push((counts, shown));
    }
    if rows.len() > 1 {
        rows.push((total, " total".into()));
    }
    let single = columns.len() == 1 && rows.len() == 1;
    // As wide as the largest number; input that isn't a file gets 7, as GNU's does.
    let digits = total.iter().max().map_or(1, |n| n.to_string().len());
    let width = match (single, options.rest.is_empty()) {
        (true, _) => 1,
        (_, true) => 7,
        _ => digits,
    };
    for (counts, name) in rows {
        let fields: Vec<String> = columns
            .iter()
            .map(|c| {
                let index = "lwmcL".find(*c).unwrap_or(0);
                format!("{:>width$}", counts[index])
            })
            .collect();
        proc.print(&format!("{}{name}\n", fields.join(" "))).await;
    }
    status
}
