//! `grep`.

use std::collections::VecDeque;

use regex_lite::Regex;

use super::support::{
    inputs,
    names::join,
    opts::{Options, Spec, options},
};
use crate::{
    machine::{Proc, Program},
    shell::regex::{Syntax, compile},
};

/// `grep`
pub const PROGRAM: Program = Program {
    name: "grep",
    summary: "print lines that match patterns",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec {
    usage: "grep [OPTION]... PATTERNS [FILE]...\n  -A, -B, -C N   N lines after, before, around each match\n  -c   only how many lines match\n  -E, -F   extended patterns, fixed strings\n  -e PATTERN   a pattern; may come several times\n  -f FILE   patterns from a file\n  -H, -h   always, never print file names\n  -i   ignore case\n  -l, -L   only names of files with, without a match\n  -m N   stop after N lines\n  -n   line numbers\n  -o   only what matches\n  -q   print nothing\n  -r   directories too\n  -s   say nothing about missing files\n  -v   lines that do not match\n  -w, -x   whole words, whole lines",
    short: "A:B:C:cEe:Ff:GHhiK:lLm:noPqrRsvwxy",
    long: &[
        ("ignore-case", 'i'),
        ("invert-match", 'v'),
        ("count", 'c'),
        ("line-number", 'n'),
        ("quiet", 'q'),
        ("recursive", 'r'),
        ("extended-regexp", 'E'),
        ("fixed-strings", 'F'),
        ("word-regexp", 'w'),
        ("only-matching", 'o'),
        ("files-with-matches", 'l'),
        ("after-context", 'A'),
        ("before-context", 'B'),
        ("context", 'C'),
        ("max-count", 'm'),
        ("color", 'K'),
        ("regexp", 'e'),
        ("no-filename", 'h'),
        ("line-regexp", 'x'),
    ],
    trouble: 2,
};

/// `egrep`
pub const EGREP: Program = Program {
    name: "egrep",
    summary: "print lines that match extended patterns",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

/// `fgrep`
pub const FGREP: Program = Program {
    name: "fgrep",
    summary: "print lines that hold fixed strings",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

struct Job {
    options: Options,
    patterns: Vec<Regex>,
    before: usize,
    after: usize,
    most: usize,
    named: bool,
    color: bool,
}

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let mut texts: Vec<String> = options.values('e').iter().map(|t| (*t).to_string()).collect();
    for path in options.values('f') {
        match proc.read_text(path) {
            Ok(text) => texts.extend(text.lines().map(String::from)),
            Err(error) => {
                proc.eprint(&format!("grep: {path}: {error}\n")).await;
                return 2;
            }
        }
    }
    let mut files = options.rest.clone();
    if options.last_of("ef").is_none() {
        if files.is_empty() {
            let usage = "Usage: grep [OPTION]... PATTERNS [FILE]...\nTry 'grep --help' for more information.\n";
            proc.eprint(usage).await;
            return 2;
        }
        texts = files.remove(0).lines().map(String::from).collect();
        if texts.is_empty() {
            texts.push(String::new());
        }
    }
    let syntax = match (options.last_of("EFGP"), proc.name()) {
        (Some('E' | 'P'), _) | (None, "egrep") => Syntax::Extended,
        (Some('F'), _) | (None, "fgrep") => Syntax::Fixed,
        _ => Syntax::Basic,
    };
    let mut patterns = Vec::new();
    for text in &texts {
        match compile(text, syntax, options.last_of("iy").is_some()) {
            Ok(regex) => patterns.push(regex),
            Err(error) => {
                proc.eprint(&format!("grep: {error}\n")).await;
                return 2;
            }
        }
    }
    let recursive = options.last_of("rR").is_some();
    if recursive && files.is_empty() {
        files.push(".".into());
    }
    let count = |letter| options.value(letter).and_then(|n| n.parse::<usize>().ok());
    let around = count('C').unwrap_or(0);
    let color = match options.value('K') {
        Some("always") => true,
        Some("never") => false,
        _ => proc.stdout_is_tty(),
    };
    let job = Job {
        before: count('B').unwrap_or(around),
        after: count('A').unwrap_or(around),
        most: count('m').unwrap_or(usize::MAX),
        named: (files.len() > 1 || recursive || options.has('H')) && !options.has('h'),
        color,
        options,
        patterns,
    };
    run(&proc, &job, &files, recursive).await
}

async fn run(proc: &Proc, job: &Job, files: &[String], recursive: bool) -> i32 {
    let (mut found, mut trouble) = (false, false);
    let mut pending: Vec<String> = inputs::names(files).into_iter().rev().collect();
    while let Some(name) = pending.pop() {
        if proc.is_dir(&name) && name != "-" {
            if recursive {
                let list = proc.list(&name).unwrap_or_default();
                pending.extend(list.iter().rev().map(|(n, _)| join(&name, n)));
            } else {
                proc.eprint(&format!("grep: {name}: Is a directory\n")).await;
            }
            continue;
        }
        match inputs::Source::open(proc, &name) {
            Ok(source) => found |= search(proc, job, &source, &name).await,
            Err(error) => {
                if !job.options.has('s') {
                    proc.eprint(&format!("grep: {name}: {error}\n")).await;
                }
                trouble = true;
            }
        }
        if found && job.options.has('q') {
            return 0;
        }
    }
    match (trouble, found) {
        (true, _) => 2,
        (_, true) => 0,
        _ => 1,
    }
}

/// Where a line matches: all places, in order.
fn places(job: &Job, line: &str) -> Vec<(usize, usize)> {
    let mut all = Vec::new();
    for regex in &job.patterns {
        let mut at = 0;
        while let Some(m) = regex.find_at(line, at) {
            let (start, end) = (m.start(), m.end());
            let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
            let whole_word =
                !word(line[..start].chars().next_back()) && !word(line[end..].chars().next());
            let fits = (!job.options.has('w') || (whole_word && end > start))
                && (!job.options.has('x') || (start, end) == (0, line.len()));
            if fits {
                all.push((start, end));
            }
            let step = line[end..].chars().next().map_or(1, char::len_utf8);
            at = if end > start { end } else { end + step };
            if at > line.len() {
                break;
            }
        }
    }
    all.sort_unstable();
    all
}

async fn search(proc: &Proc, job: &Job, source: &inputs::Source, name: &str) -> bool {
    let has = |letter| job.options.has(letter);
    let shown = if name == "-" { "(standard input)" } else { name };
    let mut before: VecDeque<(usize, String)> = VecDeque::new();
    let (mut number, mut count, mut left, mut last) = (0, 0, 0, 0);
    while let Some(line) = source.line().await {
        number += 1;
        let found = places(job, &line);
        if found.is_empty() != has('v') {
            // No match: context after one, or kept as context before the next.
            if left > 0 {
                left -= 1;
                last = number;
                print_line(proc, job, shown, number, &line, '-', &[]).await;
            } else if job.before > 0 {
                if before.len() == job.before {
                    before.pop_front();
                }
                before.push_back((number, line));
            }
            if count >= job.most && left == 0 {
                break;
            }
            continue;
        }
        if count >= job.most {
            break;
        }
        count += 1;
        if has('q') || has('l') || has('L') {
            break;
        }
        if has('c') {
            continue;
        }
        if has('o') {
            for (start, end) in found.iter().filter(|(s, e)| e > s) {
                print_line(proc, job, shown, number, &line[*start..*end], ':', &[(0, end - start)])
                    .await;
            }
            continue;
        }
        let first = before.front().map_or(number, |(n, _)| *n);
        if (job.before > 0 || job.after > 0) && last > 0 && first > last + 1 {
            proc.print("--\n").await;
        }
        for (n, text) in std::mem::take(&mut before) {
            print_line(proc, job, shown, n, &text, '-', &[]).await;
        }
        print_line(proc, job, shown, number, &line, ':', &found).await;
        last = number;
        left = job.after;
    }
    if has('c') && !has('q') {
        let prefix = if job.named { format!("{shown}:") } else { String::new() };
        proc.print(&format!("{prefix}{count}\n")).await;
    }
    if (has('l') && count > 0) || (has('L') && count == 0) {
        proc.print(&format!("{shown}\n")).await;
    }
    count > 0
}

async fn print_line(
    proc: &Proc,
    job: &Job,
    name: &str,
    number: usize,
    line: &str,
    mark: char,
    found: &[(usize, usize)],
) {
    let mut out = String::new();
    let paint = |text: &str, color: &str| match job.color {
        true => format!("\x1b[{color}m\x1b[K{text}\x1b[m\x1b[K"),
        false => text.to_string(),
    };
    if job.named {
        out.push_str(&paint(name, "35"));
        out.push_str(&paint(&mark.to_string(), "36"));
    }
    if job.options.has('n') {
        out.push_str(&paint(&number.to_string(), "32"));
        out.push_str(&paint(&mark.to_string(), "36"));
    }
    let mut at = 0;
    if job.color && !job.options.has('v') {
        for (start, end) in found {
            if *start < at {
                continue;
            }
            out.push_str(&line[at..*start]);
            out.push_str(&paint(&line[*start..*end], "01;31"));
            at = *end;
        }
    }
    out.push_str(&line[at..]);
    out.push('\n');
    proc.print(&out).await;
}
