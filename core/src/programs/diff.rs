//! `diff`.

use super::support::{
    inputs,
    names::join,
    opts::{Options, Spec, options},
    time::Date,
};
use crate::machine::{Proc, Program};

/// `diff`
pub const PROGRAM: Program = Program {
    name: "diff",
    summary: "compare files line by line",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec {
    usage: "diff [OPTION]... FILE1 FILE2
  -b, -w   ignore changes of, all blanks
  -i   ignore case
  -N   files that are missing count as empty
  -q   only whether they differ
  -r   directories too
  -s   also say when they are the same
  -u   with lines around, as patches have them
  -U N   with N lines around",
    short: "abBiNqrsuU:wL:",
    long: &[
        ("unified", 'u'),
        ("brief", 'q'),
        ("recursive", 'r'),
        ("new-file", 'N'),
        ("ignore-case", 'i'),
        ("label", 'L'),
        ("report-identical-files", 's'),
    ],
    trouble: 2,
};

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let [a, b] = options.rest.as_slice() else {
        let text = match options.rest.last() {
            Some(last) => format!("missing operand after '{last}'"),
            None => "missing operand after 'diff'".to_string(),
        };
        proc.eprint(&format!("diff: {text}\ndiff: Try 'diff --help' for more information.\n"))
            .await;
        return 2;
    };
    match (proc.is_dir(a), proc.is_dir(b)) {
        (true, true) => Box::pin(directories(&proc, &options, a, b)).await,
        (true, false) => {
            files(&proc, &options, &join(a, super::support::names::base(b)), b, false).await
        }
        (false, true) => {
            files(&proc, &options, a, &join(b, super::support::names::base(a)), false).await
        }
        _ => files(&proc, &options, a, b, false).await,
    }
}

async fn directories(proc: &Proc, options: &Options, a: &str, b: &str) -> i32 {
    let names = |dir: &str| -> Vec<String> {
        proc.list(dir).unwrap_or_default().iter().map(|(n, _)| n.to_string()).collect()
    };
    let (left, right) = (names(a), names(b));
    let mut all: Vec<&String> = left.iter().chain(&right).collect();
    all.sort();
    all.dedup();
    let mut status = 0;
    for name in all {
        let (x, y) = (join(a, name), join(b, name));
        let here = (left.contains(name), right.contains(name));
        if here != (true, true) && !options.has('N') {
            let dir = if here.0 { a } else { b };
            proc.print(&format!("Only in {dir}: {name}\n")).await;
            status = status.max(1);
        } else if proc.is_dir(&x) && proc.is_dir(&y) {
            if options.has('r') {
                status = status.max(Box::pin(directories(proc, options, &x, &y)).await);
            } else {
                proc.print(&format!("Common subdirectories: {x} and {y}\n")).await;
            }
        } else {
            status = status.max(files(proc, options, &x, &y, true).await);
        }
    }
    status
}

async fn files(proc: &Proc, options: &Options, a: &str, b: &str, titled: bool) -> i32 {
    let mut texts = Vec::new();
    for name in [a, b] {
        match inputs::Source::open(proc, name) {
            Ok(source) => texts.push(String::from_utf8_lossy(&source.all().await).into_owned()),
            Err(_) if options.has('N') => texts.push(String::new()),
            Err(error) => {
                proc.eprint(&format!("diff: {name}: {error}\n")).await;
                return 2;
            }
        }
    }
    let fold = |line: &str| {
        let mut line = line.to_string();
        if options.has('w') {
            line.retain(|c| !c.is_whitespace());
        } else if options.has('b') {
            line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        }
        if options.has('i') { line.to_lowercase() } else { line }
    };
    let lines = |text: &str| text.split_inclusive('\n').map(str::to_string).collect::<Vec<_>>();
    let (left, right) = (lines(&texts[0]), lines(&texts[1]));
    let keys = |lines: &[String]| lines.iter().map(|l| fold(l)).collect::<Vec<_>>();
    let changes = compare(&keys(&left), &keys(&right));
    if changes.is_empty() {
        if options.has('s') {
            proc.print(&format!("Files {a} and {b} are identical\n")).await;
        }
        return 0;
    }
    if options.has('q') {
        proc.print(&format!("Files {a} and {b} differ\n")).await;
        return 1;
    }
    let unified = options.has('u') || options.has('U');
    if titled {
        let flag = if unified { "-u " } else { "" };
        proc.print(&format!("diff {flag}{a} {b}\n")).await;
    }
    let out = if unified {
        let around = options.value('U').and_then(|n| n.parse().ok()).unwrap_or(3);
        let stamp = |name: &str, label: Option<&&str>| match label {
            Some(label) => (*label).to_string(),
            None => {
                let time = proc.stat(name).map_or(proc.sim().now(), |n| n.mtime);
                let date = Date::new(time).format("%Y-%m-%d %H:%M:%S.%N +0000", time);
                format!("{name}\t{date}")
            }
        };
        let labels = options.values('L');
        let head = format!("--- {}\n+++ {}\n", stamp(a, labels.first()), stamp(b, labels.get(1)));
        head + &unified_format(&left, &right, &changes, around)
    } else {
        normal_format(&left, &right, &changes)
    };
    proc.print(&out).await;
    1
}

/// A changed place: lines of the left, lines of the right (half-open).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    a: (usize, usize),
    b: (usize, usize),
}

/// The changed places between two lists (Myers' algorithm).
pub fn compare(a: &[String], b: &[String]) -> Vec<Change> {
    let start = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let end =
        a[start..].iter().rev().zip(b[start..].iter().rev()).take_while(|(x, y)| x == y).count();
    let (x, y) = (&a[start..a.len() - end], &b[start..b.len() - end]);
    let (n, m) = (x.len() as isize, y.len() as isize);
    let most = n + m;
    let mut furthest = vec![0_isize; 2 * most as usize + 3];
    let mut trace: Vec<Vec<isize>> = Vec::new();
    let at = |k: isize| (k + most + 1) as usize;
    'search: for d in 0..=most {
        trace.push(furthest.clone());
        for k in (-d..=d).step_by(2) {
            let down = k == -d || (k != d && furthest[at(k - 1)] < furthest[at(k + 1)]);
            let mut i = if down { furthest[at(k + 1)] } else { furthest[at(k - 1)] + 1 };
            while i < n && i - k < m && x[i as usize] == y[(i - k) as usize] {
                i += 1;
            }
            furthest[at(k)] = i;
            if i >= n && i - k >= m {
                break 'search;
            }
        }
        if d > 2_000 {
            // Too different to be worth the memory: one change.
            return vec![Change { a: (start, a.len() - end), b: (start, b.len() - end) }];
        }
    }
    let (mut i, mut j) = (n, m);
    let mut edits = Vec::new();
    for (d, furthest) in trace.iter().enumerate().rev() {
        let (d, k) = (d as isize, i - j);
        let down = k == -d || (k != d && furthest[at(k - 1)] < furthest[at(k + 1)]);
        let before = if down { k + 1 } else { k - 1 };
        let (old_i, old_j) = (furthest[at(before)], furthest[at(before)] - before);
        if d > 0 {
            edits.push((old_i.max(0) as usize, old_j.max(0) as usize, down));
        }
        (i, j) = (old_i, old_j);
    }
    edits.reverse();
    let mut changes: Vec<Change> = Vec::new();
    for (i, j, down) in edits {
        let (i, j) = (i + start, j + start);
        let (to_a, to_b) = if down { (i, j + 1) } else { (i + 1, j) };
        match changes.last_mut() {
            Some(last) if last.a.1 == i && last.b.1 == j => (last.a.1, last.b.1) = (to_a, to_b),
            _ => changes.push(Change { a: (i, to_a), b: (j, to_b) }),
        }
    }
    changes
}

fn put(out: &mut String, mark: &str, line: &str) {
    out.push_str(mark);
    out.push_str(line);
    if !line.ends_with('\n') {
        out.push_str("\n\\ No newline at end of file\n");
    }
}

fn normal_format(a: &[String], b: &[String], changes: &[Change]) -> String {
    let range = |(from, to): (usize, usize)| match to - from {
        0 => from.to_string(),
        1 => to.to_string(),
        _ => format!("{},{to}", from + 1),
    };
    let mut out = String::new();
    for change in changes {
        let letter = match (change.a.0 == change.a.1, change.b.0 == change.b.1) {
            (true, _) => 'a',
            (_, true) => 'd',
            _ => 'c',
        };
        out.push_str(&format!("{}{letter}{}\n", range(change.a), range(change.b)));
        a[change.a.0..change.a.1].iter().for_each(|line| put(&mut out, "< ", line));
        if letter == 'c' {
            out.push_str("---\n");
        }
        b[change.b.0..change.b.1].iter().for_each(|line| put(&mut out, "> ", line));
    }
    out
}

fn unified_format(a: &[String], b: &[String], changes: &[Change], around: usize) -> String {
    let mut out = String::new();
    let mut rest = changes;
    while let Some(first) = rest.first() {
        let mut count = 1;
        while rest.get(count).is_some_and(|c| c.a.0 - rest[count - 1].a.1 <= 2 * around) {
            count += 1;
        }
        let (hunk, after) = rest.split_at(count);
        rest = after;
        let last = hunk.last().unwrap_or(first);
        let lead = first.a.0.min(around);
        let tail = (a.len() - last.a.1).min(around);
        let range = |from: usize, to: usize| match to - from {
            0 => format!("{from},0"),
            1 => (from + 1).to_string(),
            n => format!("{},{n}", from + 1),
        };
        let left = range(first.a.0 - lead, last.a.1 + tail);
        let right = range(first.b.0 - lead, last.b.1 + tail);
        out.push_str(&format!("@@ -{left} +{right} @@\n"));
        let mut at = first.a.0 - lead;
        for change in hunk {
            a[at..change.a.0].iter().for_each(|line| put(&mut out, " ", line));
            a[change.a.0..change.a.1].iter().for_each(|line| put(&mut out, "-", line));
            b[change.b.0..change.b.1].iter().for_each(|line| put(&mut out, "+", line));
            at = change.a.1;
        }
        a[at..last.a.1 + tail].iter().for_each(|line| put(&mut out, " ", line));
    }
    out
}
