//! `ls`.

use std::rc::Rc;

use super::support::{
    names::{group, human, join, user},
    opts::{Options, Spec, options},
    time::Date,
};
use crate::{
    machine::{
        Proc, Program,
        fs::{Kind, Node},
    },
    shell::edit::char_width,
};

/// `ls`
pub const PROGRAM: Program = Program {
    name: "ls",
    summary: "list directory contents",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec {
    usage: "ls [OPTION]... [FILE]...
  -1   one file per line
  -a   also names that begin with .
  -A   as -a without . and ..
  -d   directories themselves, not what is in them
  -F   mark directories with /, links with @, programs with *
  -h   with -l, sizes like 4.0K
  -i   the inode number of each file
  -l   mode, owner, size and time as well
  -n   as -l, with numbers of owners
  -p   mark directories with /
  -r   in reverse order
  -R   with all directories below
  -S   by size, largest first
  -t   by time, newest first",
    short: "1aAcCdFghilnopqrRSstUv",
    long: &[
        ("all", 'a'),
        ("almost-all", 'A'),
        ("directory", 'd'),
        ("classify", 'F'),
        ("human-readable", 'h'),
        ("reverse", 'r'),
        ("recursive", 'R'),
        ("inode", 'i'),
        ("color", 'C'),
        ("full-time", 'l'),
    ],
    trouble: 2,
};

struct Entry {
    name: String,
    path: String,
    node: Rc<Node>,
}

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let mut status = 0;
    let operands =
        if options.rest.is_empty() { vec![".".to_string()] } else { options.rest.clone() };
    let (mut files, mut dirs) = (Vec::new(), Vec::new());
    for name in operands {
        let long = options.has('l') || options.has('n');
        let found = if long { proc.lstat(&name) } else { proc.stat(&name).or(proc.lstat(&name)) };
        match found {
            Ok(node) if node.is_dir() && !options.has('d') => dirs.push(name),
            Ok(node) => files.push(Entry { path: name.clone(), name, node }),
            Err(error) => {
                proc.eprint(&format!("ls: cannot access '{name}': {error}\n")).await;
                status = 2;
            }
        }
    }
    sort(&mut files, &options);
    let headed = files.len() + dirs.len() > 1 || options.has('R');
    let mut first = files.is_empty();
    print(&proc, &options, &files).await;
    dirs.sort();
    let mut pending: Vec<String> = dirs.into_iter().rev().collect();
    while let Some(dir) = pending.pop() {
        let list = match proc.list(&dir) {
            Ok(list) => list,
            Err(error) => {
                proc.eprint(&format!("ls: cannot open directory '{dir}': {error}\n")).await;
                status = 2;
                continue;
            }
        };
        if headed {
            let gap = if std::mem::replace(&mut first, false) { "" } else { "\n" };
            proc.print(&format!("{gap}{dir}:\n")).await;
        }
        let mut entries = Vec::new();
        if options.has('a') {
            for name in [".", ".."] {
                let path = join(&dir, name);
                if let Ok(node) = proc.stat(&path) {
                    entries.push(Entry { name: name.into(), path, node });
                }
            }
        }
        for (name, node) in list {
            if !name.starts_with('.') || options.has('a') || options.has('A') {
                let path = join(&dir, &name);
                entries.push(Entry { name: name.to_string(), path, node });
            }
        }
        sort(&mut entries, &options);
        if options.has('l') || options.has('n') {
            let blocks: u64 = entries.iter().map(|e| e.node.size().div_ceil(4096) * 4).sum();
            proc.print(&format!("total {blocks}\n")).await;
        }
        print(&proc, &options, &entries).await;
        if options.has('R') {
            let below =
                entries.iter().filter(|e| e.node.is_dir() && e.name != "." && e.name != "..");
            let below: Vec<String> = below.map(|e| e.path.clone()).collect();
            pending.extend(below.into_iter().rev());
        }
    }
    status
}

fn sort(entries: &mut [Entry], options: &Options) {
    match options.last_of("StU") {
        Some('S') => {
            entries.sort_by(|a, b| b.node.size().cmp(&a.node.size()).then(a.name.cmp(&b.name)))
        }
        Some('t') => {
            entries.sort_by(|a, b| b.node.mtime.cmp(&a.node.mtime).then(a.name.cmp(&b.name)))
        }
        _ => {}
    }
    if options.has('r') {
        entries.reverse();
    }
}

fn mark(entry: &Entry, options: &Options) -> &'static str {
    match &entry.node.kind {
        Kind::Dir(_) if options.has('F') || options.has('p') => "/",
        Kind::Link(_) if options.has('F') && !options.has('l') => "@",
        Kind::File(_) if options.has('F') && entry.node.mode & 0o111 != 0 => "*",
        _ => "",
    }
}

async fn print(proc: &Proc, options: &Options, entries: &[Entry]) {
    if entries.is_empty() {
        return;
    }
    if options.has('l') || options.has('n') || options.has('o') || options.has('g') {
        return print_long(proc, options, entries).await;
    }
    let colored = proc.stdout_is_tty();
    let mut names = Vec::new();
    for entry in entries {
        let inode = if options.has('i') { format!("{} ", entry.node.ino) } else { String::new() };
        let text = format!("{inode}{}{}", entry.name, mark(entry, options));
        let width: usize = text.chars().map(char_width).sum();
        let text = match (colored, color(&entry.node)) {
            (true, Some(color)) => {
                let (name, end) = (&entry.name, mark(entry, options));
                format!("{inode}\x1b[{color}m{name}\x1b[0m{end}")
            }
            _ => text,
        };
        names.push((text, width));
    }
    let columns = proc.io().get(1).tty().map(|tty| usize::from(tty.size().0));
    let single = options.has('1') && options.last_of("1C") == Some('1');
    match columns.filter(|_| !single) {
        Some(columns) => proc.print(&in_columns(&names, columns)).await,
        None => {
            for (name, _) in names {
                proc.print(&format!("{name}\n")).await;
            }
        }
    }
}

fn color(node: &Node) -> Option<&'static str> {
    match &node.kind {
        Kind::Dir(_) if node.mode & 0o1000 != 0 => Some("30;42"),
        Kind::Dir(_) => Some("01;34"),
        Kind::Link(_) => Some("01;36"),
        Kind::Device(_) => Some("40;33;01"),
        Kind::Socket(_) => Some("01;35"),
        Kind::File(_) if node.mode & 0o111 != 0 => Some("01;32"),
        Kind::File(_) => None,
    }
}

fn in_columns(names: &[(String, usize)], width: usize) -> String {
    // As GNU does: as many columns as fit, each as wide as its widest name.
    for count in (1..=names.len()).rev() {
        let rows = names.len().div_ceil(count);
        if count > 1 && names.len().div_ceil(rows) != count {
            continue;
        }
        let widths: Vec<usize> = names
            .chunks(rows)
            .map(|column| column.iter().map(|(_, w)| *w).max().unwrap_or(0) + 2)
            .collect();
        let total: usize = widths.iter().sum();
        if total.saturating_sub(2) > width && count > 1 {
            continue;
        }
        let mut out = String::new();
        for row in 0..rows {
            for (column, column_width) in widths.iter().enumerate() {
                let Some((name, w)) = names.get(column * rows + row) else { break };
                out.push_str(name);
                if names.get((column + 1) * rows + row).is_some() {
                    out.push_str(&" ".repeat(column_width - w));
                }
            }
            out.push('\n');
        }
        return out;
    }
    String::new()
}

async fn print_long(proc: &Proc, options: &Options, entries: &[Entry]) {
    let now = proc.sim().now();
    let rows: Vec<[String; 6]> = entries
        .iter()
        .map(|entry| {
            let node = &entry.node;
            let size = match (&node.kind, options.has('h')) {
                (Kind::Device(_), _) => "1, 3".to_string(),
                (_, true) => human(node.size()),
                (_, false) => node.size().to_string(),
            };
            let links = match &node.kind {
                Kind::Dir(entries) => 2 + entries.values().filter(|n| n.is_dir()).count(),
                _ => 1,
            };
            let (owner, of) = match options.has('n') {
                true => (node.uid.to_string(), node.gid.to_string()),
                false => (user(proc, node.uid), group(proc, node.gid)),
            };
            let date = Date::new(node.mtime);
            let recent = now.since(node.mtime).as_secs() < 15_778_476; // half a year
            let time = if recent { "%b %e %H:%M" } else { "%b %e  %Y" };
            [node.mode_string(), links.to_string(), owner, of, size, date.format(time, node.mtime)]
        })
        .collect();
    let widest = |i: usize| rows.iter().map(|r| r[i].chars().count()).max().unwrap_or(0);
    let (links, owner, of, size) = (widest(1), widest(2), widest(3), widest(4));
    for (entry, row) in entries.iter().zip(&rows) {
        let mut name = match (proc.stdout_is_tty(), color(&entry.node)) {
            (true, Some(color)) => format!("\x1b[{color}m{}\x1b[0m", entry.name),
            _ => entry.name.clone(),
        };
        name.push_str(mark(entry, options));
        if let Kind::Link(target) = &entry.node.kind {
            name.push_str(&format!(" -> {target}"));
        }
        let inode = if options.has('i') { format!("{} ", entry.node.ino) } else { String::new() };
        let line = format!(
            "{inode}{} {:>links$} {:<owner$} {:<of$} {:>size$} {} {name}\n",
            row[0], row[1], row[2], row[3], row[4], row[5]
        );
        proc.print(&line).await;
    }
}
