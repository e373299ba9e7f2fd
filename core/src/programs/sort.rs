//! `sort`.

use std::cmp::Ordering;

use super::support::{
    inputs,
    opts::{Options, Spec, options},
};
use crate::machine::{Proc, Program};

/// `sort`
pub const PROGRAM: Program = Program {
    name: "sort",
    summary: "sort lines of text",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec {
    usage: "sort [OPTION]... [FILE]...\n  -b   ignore blanks at the start\n  -c   only check whether it is sorted\n  -f   upper and lower case are the same\n  -h   sizes like 2K\n  -k KEY   sort by fields: 2, 2,3, 2n\n  -n   by number\n  -o FILE   write to FILE\n  -r   in reverse\n  -s   keep equal lines in order\n  -t C   fields end at C\n  -u   only one of equal lines\n  -V   versions",
    short: "bcdfghk:Mno:rst:uV",
    long: &[
        ("key", 'k'),
        ("numeric-sort", 'n'),
        ("reverse", 'r'),
        ("unique", 'u'),
        ("field-separator", 't'),
        ("human-numeric-sort", 'h'),
        ("version-sort", 'V'),
        ("ignore-case", 'f'),
        ("stable", 's'),
        ("output", 'o'),
    ],
    trouble: 2,
};

struct Key {
    /// Field and character where it begins and ends, from 1; the end may be open.
    start: (usize, usize),
    end: Option<(usize, usize)>,
    letters: String,
}

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let mut keys = Vec::new();
    for text in options.values('k') {
        match key(text) {
            Some(key) => keys.push(key),
            None => {
                proc.eprint(&format!(
                    "sort: invalid number at field start: invalid count at start of '{text}'\n"
                ))
                .await;
                return 2;
            }
        }
    }
    let (text, complete) = inputs::all_text(&proc, &options.rest).await;
    let mut lines: Vec<&str> = text.lines().collect();
    if options.has('c') {
        for (index, pair) in lines.windows(2).enumerate() {
            if compare(pair[0], pair[1], &keys, &options) == Ordering::Greater {
                proc.eprint(&format!("sort: -:{}: disorder: {}\n", index + 2, pair[1])).await;
                return 1;
            }
        }
        return 0;
    }
    lines.sort_by(|a, b| {
        let order = compare(a, b, &keys, &options);
        match options.has('s') || options.has('u') {
            true => order,
            false if order == Ordering::Equal => direction(a.cmp(b), options.has('r')),
            false => order,
        }
    });
    if options.has('u') {
        lines.dedup_by(|a, b| compare(a, b, &keys, &options) == Ordering::Equal);
    }
    let mut out = lines.join("\n");
    if !lines.is_empty() {
        out.push('\n');
    }
    if let Some(path) = options.value('o') {
        if let Err(error) = proc.write_file(path, out.as_bytes()) {
            proc.eprint(&format!("sort: open failed: {path}: {error}\n")).await;
            return 2;
        }
    } else {
        proc.print(&out).await;
    }
    if complete { 0 } else { 2 }
}

fn key(text: &str) -> Option<Key> {
    let position = |text: &str| -> Option<((usize, usize), String)> {
        let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
        let (field, character) = text[..end].split_once('.').unwrap_or((&text[..end], "0"));
        Some(((field.parse().ok()?, character.parse().ok()?), text[end..].to_string()))
    };
    let (start, end) = match text.split_once(',') {
        Some((start, end)) => (start, Some(position(end)?)),
        None => (text, None),
    };
    let (start, mut letters) = position(start)?;
    if start.0 == 0 {
        return None;
    }
    let end = end.map(|(end, more)| {
        letters.push_str(&more);
        end
    });
    Some(Key { start, end, letters })
}

fn extract<'a>(line: &'a str, key: &Key, separator: Option<char>) -> &'a str {
    // Where each field begins and ends; without a separator blanks belong to the field after them.
    let mut fields = Vec::new();
    match separator {
        Some(separator) => {
            let mut at = 0;
            for part in line.split(separator) {
                fields.push((at, at + part.len()));
                at += part.len() + separator.len_utf8();
            }
        }
        None => {
            let (mut start, mut in_word) = (0, false);
            for (index, c) in line.char_indices() {
                if c.is_whitespace() && in_word {
                    fields.push((start, index));
                    (start, in_word) = (index, false);
                } else if !c.is_whitespace() {
                    in_word = true;
                }
            }
            fields.push((start, line.len()));
        }
    }
    let (first, character) = key.start;
    let Some(&(start, end)) = fields.get(first - 1) else { return "" };
    let mut from = (start + character.saturating_sub(1)).min(end);
    if key.letters.contains('b') || (separator.is_none() && key.letters.contains('n')) {
        from += line[from..].len() - line[from..].trim_start().len();
    }
    let to = match key.end {
        None => line.len(),
        Some((field, character)) => match fields.get(field.max(1) - 1) {
            None => line.len(),
            Some(&(start, _)) if character > 0 => (start + character).min(line.len()),
            Some(&(_, end)) => end,
        },
    };
    line.get(from..to.max(from)).unwrap_or("")
}

fn compare(a: &str, b: &str, keys: &[Key], options: &Options) -> Ordering {
    let separator = options.value('t').and_then(|t| t.chars().next());
    let global: String = "nrfbhVgMd".chars().filter(|c| options.has(*c)).collect();
    if keys.is_empty() {
        return direction(by_letters(a, b, &global), options.has('r'));
    }
    for key in keys {
        let letters = if key.letters.is_empty() { &global } else { &key.letters };
        let order = by_letters(extract(a, key, separator), extract(b, key, separator), letters);
        if order != Ordering::Equal {
            return direction(order, letters.contains('r'));
        }
    }
    Ordering::Equal
}

fn direction(order: Ordering, reverse: bool) -> Ordering {
    if reverse { order.reverse() } else { order }
}

fn by_letters(a: &str, b: &str, letters: &str) -> Ordering {
    let has = |c: char| letters.contains(c);
    let (a, b) = if has('b') { (a.trim_start(), b.trim_start()) } else { (a, b) };
    if has('n') || has('g') {
        return number(a).total_cmp(&number(b));
    }
    if has('h') {
        return human(a).total_cmp(&human(b));
    }
    if has('V') {
        return version(a, b);
    }
    if has('f') {
        return a.to_lowercase().cmp(&b.to_lowercase());
    }
    a.cmp(b)
}

fn number(text: &str) -> f64 {
    let text = text.trim_start();
    let end = text
        .char_indices()
        .find(|(i, c)| !(c.is_ascii_digit() || *c == '.' || (*c == '-' && *i == 0)))
        .map_or(text.len(), |(i, _)| i);
    text[..end].parse().unwrap_or(0.0)
}

fn human(text: &str) -> f64 {
    let unit = text.trim().chars().find(|c| c.is_ascii_alphabetic());
    let power = unit.and_then(|u| "KMGTP".find(u.to_ascii_uppercase())).map_or(0, |i| i + 1);
    number(text) * 1024_f64.powi(power as i32)
}

fn version(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let cut = |text: &str| text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
        let (i, j) = (cut(a), cut(b));
        let order = a[..i].cmp(&b[..j]);
        if order != Ordering::Equal || (i == a.len() && j == b.len()) {
            return order;
        }
        (a, b) = (&a[i..], &b[j..]);
        let end = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (i, j) = (end(a), end(b));
        let value = |text: &str| text.parse::<u128>().unwrap_or(0);
        let order = value(&a[..i]).cmp(&value(&b[..j]));
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (&a[i..], &b[j..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_orders() {
        let key = key("2,2n").unwrap();
        assert_eq!(extract("a 12 c", &key, None), "12");
        assert_eq!(by_letters("10", "9", "n"), Ordering::Greater);
        assert_eq!(by_letters("1K", "900", "h"), Ordering::Greater);
        assert_eq!(by_letters("v1.10", "v1.9", "V"), Ordering::Greater);
        assert_eq!(extract("a:b:c", &super::key("3").unwrap(), Some(':')), "c");
    }
}
