//! `tr`.

use super::support::opts::{Spec, options};
use crate::{
    machine::{Proc, Program},
    shell::{escape::unescape, pattern::class},
};

/// `tr`
pub const PROGRAM: Program = Program {
    name: "tr",
    summary: "translate or delete characters",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec {
    usage: "tr [OPTION]... SET1 [SET2]\n  -c   the characters that are not in SET1\n  -d   delete characters\n  -s   only one of several equal ones in a row",
    short: "cCdst",
    long: &[("complement", 'c'), ("delete", 'd'), ("squeeze-repeats", 's')],
    trouble: 1,
};

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let (delete, squeeze) = (options.has('d'), options.has('s'));
    let wanted = if delete && !squeeze { 1 } else { 2 };
    let sets: Vec<Vec<char>> = options.rest.iter().map(|s| set(s)).collect();
    let Some(first) = sets.first() else {
        proc.eprint("tr: missing operand\nTry 'tr --help' for more information.\n").await;
        return 1;
    };
    if sets.len() < wanted && !squeeze {
        let text = format!(
            "tr: missing operand after '{}'\nTry 'tr --help' for more information.\n",
            options.rest[0]
        );
        proc.eprint(&text).await;
        return 1;
    }
    let complement = options.last_of("cC").is_some();
    let hit = |c: char| first.contains(&c) != complement;
    let second = sets.get(1);
    let map = |c: char| -> char {
        let Some(second) = second.filter(|s| !delete && !s.is_empty()) else { return c };
        let index = match complement {
            true => second.len() - 1,
            false => first.iter().rposition(|f| *f == c).unwrap_or(0).min(second.len() - 1),
        };
        second[index]
    };
    let squeezed = |c: char| squeeze && second.map_or(hit(c), |s| s.contains(&c));
    let (mut last, mut rest) = (None, Vec::new());
    loop {
        let bytes = proc.read(65_536).await;
        let ended = bytes.is_empty();
        rest.extend(bytes);
        let valid = match std::str::from_utf8(&rest) {
            Ok(_) => rest.len(),
            Err(error) if ended || error.error_len().is_some() => rest.len(),
            Err(error) => error.valid_up_to(),
        };
        let chunk: Vec<u8> = rest.drain(..valid).collect();
        let mut out = String::new();
        for c in String::from_utf8_lossy(&chunk).chars() {
            if hit(c) && delete {
                continue;
            }
            let c = if hit(c) { map(c) } else { c };
            if squeezed(c) && last == Some(c) {
                continue;
            }
            last = Some(c);
            out.push(c);
        }
        proc.print(&out).await;
        if ended {
            return 0;
        }
    }
}

/// `a-z`, `[:upper:]`, `\n`.
fn set(text: &str) -> Vec<char> {
    let text = String::from_utf8_lossy(&unescape(text, true).0).into_owned();
    let chars: Vec<char> = text.chars().collect();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < chars.len() {
        let rest: String = chars[at..].iter().collect();
        if let Some(name) = rest.strip_prefix("[:").and_then(|r| r.split_once(":]")).map(|(n, _)| n)
            && let Some(ranges) = class(name)
        {
            let mut members: Vec<char> = ranges.iter().flat_map(|(a, b)| *a..=*b).collect();
            members.sort_unstable();
            out.extend(members);
            at += name.len() + 4;
            continue;
        }
        match (chars.get(at + 1), chars.get(at + 2)) {
            (Some('-'), Some(end)) if *end >= chars[at] => {
                out.extend(chars[at]..=*end);
                at += 3;
            }
            _ => {
                out.push(chars[at]);
                at += 1;
            }
        }
    }
    out
}
