//! Motions: where a key leads.

use super::Vi;
use crate::shell::edit::Key;

/// Where a motion leads, and whether operators take whole lines, or the last character too.
pub struct Target {
    pub row: usize,
    pub column: usize,
    pub by_lines: bool,
    pub inclusive: bool,
}

fn class(c: char, big: bool) -> u8 {
    match c {
        c if c.is_whitespace() => 0,
        _ if big => 1,
        c if c.is_alphanumeric() || c == '_' => 1,
        _ => 2,
    }
}

impl Vi {
    /// Where a motion leads; `None` if the keys are none.
    pub(super) fn motion(&mut self, keys: &[Key], count: Option<usize>) -> Option<Target> {
        let (row, column) = self.text.cursor();
        let times = count.unwrap_or(1);
        let last = self.text.lines().len() - 1;
        let within =
            |row: usize, column: usize| Target { row, column, by_lines: false, inclusive: false };
        let lines = |row: usize| Target { row, column, by_lines: true, inclusive: false };
        let first_word = |text: &str| text.chars().take_while(|c| c.is_whitespace()).count();
        let page = self.screen.size().1.saturating_sub(2).max(1);
        Some(match keys {
            [Key::Char('h') | Key::Left | Key::Backspace] => {
                within(row, column.saturating_sub(times))
            }
            [Key::Char('l' | ' ') | Key::Right] => {
                within(row, (column + times).min(self.text.length()))
            }
            [Key::Char('j') | Key::Down | Key::Ctrl('n')] => lines((row + times).min(last)),
            [Key::Char('k') | Key::Up | Key::Ctrl('p')] => lines(row.saturating_sub(times)),
            [Key::Char('+') | Key::Enter] => {
                let row = (row + times).min(last);
                Target { column: first_word(&self.text.lines()[row]), ..lines(row) }
            }
            [Key::Char('-')] => {
                let row = row.saturating_sub(times);
                Target { column: first_word(&self.text.lines()[row]), ..lines(row) }
            }
            [Key::Char('0') | Key::Home] => within(row, 0),
            [Key::Char('^')] => within(row, first_word(self.text.line())),
            [Key::Char('$') | Key::End] => {
                let row = (row + times - 1).min(last);
                let end = self.text.lines()[row].chars().count();
                within(row, end)
            }
            [Key::Char('G')] => {
                let row = count.map_or(last, |n| n.max(1) - 1).min(last);
                Target { column: first_word(&self.text.lines()[row]), ..lines(row) }
            }
            [Key::Char('g'), Key::Char('g')] => {
                let row = (times - 1).min(last);
                Target { column: first_word(&self.text.lines()[row]), ..lines(row) }
            }
            [Key::Char('w' | 'W') | Key::WordRight] => {
                let big = keys[0] == Key::Char('W');
                let (row, column) = (0..times).fold((row, column), |at, _| self.next_word(at, big));
                within(row, column)
            }
            [Key::Char('b' | 'B') | Key::WordLeft] => {
                let big = keys[0] == Key::Char('B');
                let (row, column) =
                    (0..times).fold((row, column), |at, _| self.word_before(at, big));
                within(row, column)
            }
            [Key::Char(c @ ('e' | 'E'))] => {
                let (row, column) =
                    (0..times).fold((row, column), |at, _| self.word_end(at, *c == 'E'));
                Target { inclusive: true, ..within(row, column) }
            }
            [Key::Char('{')] => {
                let lines = self.text.lines();
                within((0..row).rev().find(|r| lines[*r].is_empty()).unwrap_or(0), 0)
            }
            [Key::Char('}')] => {
                let lines = self.text.lines();
                within((row + 1..=last).find(|r| lines[*r].is_empty()).unwrap_or(last), 0)
            }
            [Key::Char('%')] => {
                let (row, column) = self.matching_bracket()?;
                Target { inclusive: true, ..within(row, column) }
            }
            [Key::Char(kind @ ('f' | 't' | 'F' | 'T')), Key::Char(c)] => {
                self.find = Some((*kind, *c));
                self.find_in_line(*kind, *c, times)?
            }
            [Key::Char(mark @ (';' | ','))] => {
                let (kind, c) = self.find?;
                let swapped = if kind.is_lowercase() {
                    kind.to_ascii_uppercase()
                } else {
                    kind.to_ascii_lowercase()
                };
                self.find_in_line(if *mark == ';' { kind } else { swapped }, c, times)?
            }
            [Key::Char('H')] => lines(self.top),
            [Key::Char('L')] => lines((self.top + page).min(last)),
            [Key::Char('M')] => lines((self.top + page / 2).min(last)),
            [Key::Ctrl('f') | Key::PageDown] => lines((row + page * times).min(last)),
            [Key::Ctrl('b') | Key::PageUp] => lines(row.saturating_sub(page * times)),
            [Key::Ctrl('d')] => lines((row + page / 2).min(last)),
            [Key::Ctrl('u')] => lines(row.saturating_sub(page / 2)),
            _ => return None,
        })
    }

    fn char_at(&self, (row, column): (usize, usize)) -> Option<char> {
        self.text.lines().get(row)?.chars().nth(column)
    }

    fn step(&self, (row, column): (usize, usize)) -> Option<(usize, usize)> {
        let length = self.text.lines()[row].chars().count();
        if column + 1 < length {
            Some((row, column + 1))
        } else if row + 1 < self.text.lines().len() {
            Some((row + 1, 0))
        } else {
            None
        }
    }

    fn next_word(&self, from: (usize, usize), big: bool) -> (usize, usize) {
        let kind = |at| self.char_at(at).map_or(0, |c| class(c, big));
        let (mut at, start) = (from, kind(from));
        // Over the rest of this word, then over blanks; an empty line counts as a word.
        while start != 0 && kind(at) == start {
            match self.step(at) {
                Some(next) if next.0 == at.0 => at = next,
                Some(next) => {
                    at = next;
                    break;
                }
                None => return (at.0, self.text.lines()[at.0].chars().count()),
            }
        }
        while kind(at) == 0 {
            if at != from && self.text.lines()[at.0].is_empty() {
                break;
            }
            match self.step(at) {
                Some(next) => at = next,
                None => return (at.0, self.text.lines()[at.0].chars().count()),
            }
        }
        at
    }

    fn word_before(&self, from: (usize, usize), big: bool) -> (usize, usize) {
        let back = |(row, column): (usize, usize)| match (row, column) {
            (0, 0) => None,
            (row, 0) => {
                Some((row - 1, self.text.lines()[row - 1].chars().count().saturating_sub(1)))
            }
            (row, column) => Some((row, column - 1)),
        };
        let kind = |at| self.char_at(at).map_or(0, |c| class(c, big));
        let Some(mut at) = back(from) else { return from };
        while kind(at) == 0 {
            match back(at) {
                Some(before) => at = before,
                None => return at,
            }
        }
        while at.1 > 0 && kind((at.0, at.1 - 1)) == kind(at) {
            at.1 -= 1;
        }
        at
    }

    fn word_end(&self, from: (usize, usize), big: bool) -> (usize, usize) {
        let kind = |at| self.char_at(at).map_or(0, |c| class(c, big));
        let Some(mut at) = self.step(from) else { return from };
        while kind(at) == 0 {
            match self.step(at) {
                Some(next) => at = next,
                None => return at,
            }
        }
        while kind((at.0, at.1 + 1)) == kind(at) {
            at.1 += 1;
        }
        at
    }

    fn find_in_line(&self, kind: char, c: char, times: usize) -> Option<Target> {
        let (row, column) = self.text.cursor();
        let chars: Vec<char> = self.text.line().chars().collect();
        let found = if kind.is_lowercase() {
            let places = chars.iter().enumerate().skip(column + 1).filter(|(_, x)| **x == c);
            places.map(|(i, _)| i).nth(times - 1)?
        } else {
            let places = chars.iter().enumerate().take(column).rev().filter(|(_, x)| **x == c);
            places.map(|(i, _)| i).nth(times - 1)?
        };
        let column = match kind {
            't' => found.saturating_sub(1),
            'T' => found + 1,
            _ => found,
        };
        Some(Target { row, column, by_lines: false, inclusive: kind.is_lowercase() })
    }

    fn matching_bracket(&self) -> Option<(usize, usize)> {
        let (row, column) = self.text.cursor();
        let pairs = [('(', ')'), ('[', ']'), ('{', '}')];
        let own = self.char_at((row, column))?;
        let (open, close) = *pairs.iter().find(|(a, b)| own == *a || own == *b)?;
        let all = self.text.lines().iter().enumerate();
        let places: Vec<(usize, usize, char)> = all
            .flat_map(|(r, line)| line.chars().enumerate().map(move |(c, x)| (r, c, x)))
            .filter(|(_, _, x)| *x == open || *x == close)
            .collect();
        let start = places.iter().position(|(r, c, _)| (*r, *c) == (row, column))?;
        let mut depth = 0;
        let order: Vec<usize> =
            if own == open { (start..places.len()).collect() } else { (0..=start).rev().collect() };
        for index in order {
            let (r, c, x) = places[index];
            depth += if x == own { 1 } else { -1 };
            if depth == 0 {
                return Some((r, c));
            }
        }
        None
    }
}
