//! `cut`.

use super::support::{
    inputs,
    opts::{Spec, options},
};
use crate::machine::{Proc, Program};

/// `cut`
pub const PROGRAM: Program = Program {
    name: "cut",
    summary: "cut parts out of lines",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec {
    usage: "cut (-b|-c|-f) LIST [OPTION]... [FILE]...\n  -c LIST   these characters: 1,3-5,7-\n  -d C   fields end at C instead of a tab\n  -f LIST   these fields\n  -s   leave out lines without the delimiter\n  --complement   all others\n  --output-delimiter=S   between the fields that are printed",
    short: "b:c:d:f:snCO:",
    long: &[
        ("delimiter", 'd'),
        ("fields", 'f'),
        ("characters", 'c'),
        ("bytes", 'b'),
        ("only-delimited", 's'),
        ("complement", 'C'),
        ("output-delimiter", 'O'),
    ],
    trouble: 1,
};

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let (list, fields) = match (options.value('f'), options.value('c').or(options.value('b'))) {
        (Some(list), _) => (list, true),
        (None, Some(list)) => (list, false),
        (None, None) => {
            let text = "cut: you must specify a list of bytes, characters, or fields\nTry 'cut --help' for more information.\n";
            proc.eprint(text).await;
            return 1;
        }
    };
    let Some(ranges) = ranges(list) else {
        proc.eprint(&format!("cut: invalid field value '{list}'\n")).await;
        return 1;
    };
    let delimiter = options.value('d').unwrap_or("\t");
    let joiner = options.value('O').unwrap_or(if fields { delimiter } else { "" });
    let chosen = |n: usize| ranges.iter().any(|(a, b)| (*a..=*b).contains(&n)) != options.has('C');
    let mut status = 0;
    for name in inputs::names(&options.rest) {
        let Some(source) = inputs::open(&proc, &name).await else {
            status = 1;
            continue;
        };
        while let Some(line) = source.line().await {
            let out = if !fields {
                let parts = line.chars().enumerate().filter(|(i, _)| chosen(i + 1));
                parts.map(|(_, c)| c).collect()
            } else if line.contains(delimiter) {
                let parts = line.split(delimiter).enumerate().filter(|(i, _)| chosen(i + 1));
                parts.map(|(_, p)| p).collect::<Vec<_>>().join(joiner)
            } else if options.has('s') {
                continue;
            } else {
                line
            };
            proc.print(&format!("{out}\n")).await;
        }
    }
    status
}

fn ranges(list: &str) -> Option<Vec<(usize, usize)>> {
    list.split(',')
        .map(|part| {
            let number = |text: &str, empty: usize| match text {
                "" => Some(empty),
                text => text.parse().ok().filter(|n| *n > 0),
            };
            match part.split_once('-') {
                Some(("", "")) => None,
                Some((from, to)) => Some((number(from, 1)?, number(to, usize::MAX)?)),
                None => number(part, 0).filter(|n| *n > 0).map(|n| (n, n)),
            }
        })
        .collect()
}
