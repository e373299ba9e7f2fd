//! `stat`.

use super::support::{
    names::{group, user},
    opts::{Spec, options},
    time::Date,
};
use crate::machine::{Proc, Program, fs::Kind};

/// `stat`
pub const PROGRAM: Program = Program {
    name: "stat",
    summary: "show what a file is",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec {
    usage: "stat [-L] [-c FORMAT] FILE...",
    short: "c:L",
    long: &[("format", 'c'), ("dereference", 'L')],
    trouble: 1,
};

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let mut status = 0;
    for path in &options.rest {
        let node = if options.has('L') { proc.stat(path) } else { proc.lstat(path) };
        let node = match node {
            Ok(node) => node,
            Err(error) => {
                proc.eprint(&format!("stat: cannot statx '{path}': {error}\n")).await;
                status = 1;
                continue;
            }
        };
        let kind = match &node.kind {
            Kind::Dir(_) => "directory",
            Kind::File(data) if data.is_empty() => "regular empty file",
            Kind::File(_) => "regular file",
            Kind::Link(_) => "symbolic link",
            Kind::Device(_) => "character special file",
            Kind::Socket(_) => "socket",
        };
        let time = Date::new(node.mtime).format("%Y-%m-%d %H:%M:%S.%N +0000", node.mtime);
        let (owner, of) = (user(&proc, node.uid), group(&proc, node.gid));
        if let Some(format) = options.value('c') {
            let mut out = String::new();
            let mut chars = format.chars();
            while let Some(c) = chars.next() {
                if c != '%' {
                    out.push(c);
                    continue;
                }
                match chars.next() {
                    Some('n') => out.push_str(path),
                    Some('s') => out.push_str(&node.size().to_string()),
                    Some('a') => out.push_str(&format!("{:o}", node.mode)),
                    Some('A') => out.push_str(&node.mode_string()),
                    Some('U') => out.push_str(&owner),
                    Some('u') => out.push_str(&node.uid.to_string()),
                    Some('G') => out.push_str(&of),
                    Some('g') => out.push_str(&node.gid.to_string()),
                    Some('i') => out.push_str(&node.ino.to_string()),
                    Some('F') => out.push_str(kind),
                    Some('Y') => out.push_str(&node.mtime.as_secs().to_string()),
                    Some('y') => out.push_str(&time),
                    Some(other) => out.extend(['%', other]),
                    None => out.push('%'),
                }
            }
            proc.print(&format!("{out}\n")).await;
            continue;
        }
        let target = match &node.kind {
            Kind::Link(target) => format!(" -> {target}"),
            _ => String::new(),
        };
        let text = format!(
            "  File: {path}{target}\n  Size: {:<10}\tBlocks: {:<10} IO Block: 4096   {kind}\n\
             Device: 0,1\tInode: {:<11} Links: 1\n\
             Access: ({:04o}/{})  Uid: ({:>5}/{owner:>8})   Gid: ({:>5}/{of:>8})\n\
             Modify: {time}\n",
            node.size(),
            node.size().div_ceil(512),
            node.ino,
            node.mode,
            node.mode_string(),
            node.uid,
            node.gid
        );
        proc.print(&text).await;
    }
    status
}
