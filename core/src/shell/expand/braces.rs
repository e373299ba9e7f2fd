//! `{a,b}` and `{1..5}`, before anything else is expanded.

use crate::shell::ast::{Part, Word};

/// An item of a word: a character that can be special, or anything else.
#[derive(Clone)]
enum Item {
    Char(char),
    Other(Part),
}

/// No word becomes more words than this.
const MOST: usize = 10_000;

/// All words that a word stands for.
pub fn expand(word: &Word) -> Vec<Word> {
    let has_brace = |part: &Part| matches!(part, Part::Text(text) if text.contains('{'));
    if !word.iter().any(has_brace) {
        return vec![word.clone()];
    }
    let mut items = Vec::new();
    for part in word {
        match part {
            Part::Text(text) => items.extend(text.chars().map(Item::Char)),
            other => items.push(Item::Other(other.clone())),
        }
    }
    let mut out = Vec::new();
    expand_items(&items, 0, &mut out);
    out.into_iter().map(join).collect()
}

fn join(items: Vec<Item>) -> Word {
    let mut word = Vec::new();
    for item in items {
        match (item, word.last_mut()) {
            (Item::Char(c), Some(Part::Text(text))) => text.push(c),
            (Item::Char(c), _) => word.push(Part::Text(c.to_string())),
            (Item::Other(part), _) => word.push(part),
        }
    }
    word
}

fn expand_items(items: &[Item], depth: usize, out: &mut Vec<Vec<Item>>) {
    let Some((start, end, choices)) = first_group(items).filter(|_| depth < 20) else {
        out.push(items.to_vec());
        return;
    };
    let mut tails = Vec::new();
    expand_items(&items[end..], depth + 1, &mut tails);
    for choice in choices {
        let mut middles = Vec::new();
        expand_items(&choice, depth + 1, &mut middles);
        for middle in middles {
            for tail in &tails {
                if out.len() >= MOST {
                    return;
                }
                out.push([&items[..start], &middle, tail].concat());
            }
        }
    }
}

/// The first brace that stands for several words: where it begins and ends, and what it stands for.
fn first_group(items: &[Item]) -> Option<(usize, usize, Vec<Vec<Item>>)> {
    for start in 0..items.len() {
        if !matches!(items[start], Item::Char('{')) {
            continue;
        }
        let (mut depth, mut choices, mut current) = (0, Vec::new(), Vec::new());
        for (at, item) in items.iter().enumerate().skip(start + 1) {
            match item {
                Item::Char('{') => depth += 1,
                Item::Char('}') if depth == 0 => {
                    choices.push(current);
                    if choices.len() > 1 {
                        return Some((start, at + 1, choices));
                    }
                    if let Some(range) = range(&choices[0]) {
                        return Some((start, at + 1, range));
                    }
                    break;
                }
                Item::Char('}') => depth -= 1,
                Item::Char(',') if depth == 0 => {
                    choices.push(std::mem::take(&mut current));
                    continue;
                }
                _ => {}
            }
            current.push(item.clone());
        }
    }
    None
}

fn range(items: &[Item]) -> Option<Vec<Vec<Item>>> {
    let text: Option<String> = items
        .iter()
        .map(|item| match item {
            Item::Char(c) => Some(*c),
            Item::Other(_) => None,
        })
        .collect();
    let text = text?;
    let mut parts = text.split("..");
    let (from, to) = (parts.next()?, parts.next()?);
    let step: i64 = parts.next().map_or(Some(1), |s| s.parse().ok())?;
    let step = step.unsigned_abs().max(1) as usize;
    if parts.next().is_some() {
        return None;
    }
    let words: Vec<String> = if let (Ok(a), Ok(b)) = (from.parse::<i64>(), to.parse::<i64>()) {
        let padded = |t: &str| t.trim_start_matches('-').starts_with('0') && t.len() > 1;
        let width =
            if padded(from) || padded(to) { from.len().max(to.len()).min(1_000) } else { 0 };
        if a.abs_diff(b) > MOST as u64 {
            return None;
        }
        let numbers: Vec<i64> = if a <= b {
            (a..=b).step_by(step).collect()
        } else {
            (b..=a).rev().step_by(step).collect()
        };
        numbers.into_iter().map(|n| format!("{n:0width$}")).collect()
    } else {
        let single = |t: &str| t.chars().next().filter(|c| t.len() == 1 && c.is_ascii_alphabetic());
        let (a, b) = (single(from)? as u8, single(to)? as u8);
        let letters: Vec<u8> = if a <= b {
            (a..=b).step_by(step).collect()
        } else {
            (b..=a).rev().step_by(step).collect()
        };
        letters.into_iter().map(|c| (c as char).to_string()).collect()
    };
    Some(words.into_iter().map(|w| w.chars().map(Item::Char).collect()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces() {
        for (text, want) in [
            ("a{b,c}d", "abd acd"),
            ("{1..3}", "1 2 3"),
            ("{c..a}", "c b a"),
            ("{01..03}", "01 02 03"),
            ("{a,b{c,d}}e", "ae bce bde"),
            ("{x}", "{x}"),
            ("{}", "{}"),
            ("{a,b", "{a,b"),
            ("{1..9..4}", "1 5 9"),
        ] {
            let words = expand(&vec![Part::Text(text.into())]);
            let words: Vec<String> = words
                .iter()
                .map(|w| match w.as_slice() {
                    [Part::Text(t)] => t.clone(),
                    other => format!("{other:?}"),
                })
                .collect();
            assert_eq!(words.join(" "), want, "{text}");
        }
    }
}
