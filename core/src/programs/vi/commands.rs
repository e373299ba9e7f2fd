//! What keys do in command mode.

use super::{Mode, Register, Vi, motion::Target};
use crate::shell::{
    edit::Key,
    regex::{Syntax, compile},
};

impl Vi {
    /// Looks at the pending keys; `false` if more are needed.
    pub(super) fn command_keys(&mut self) -> bool {
        let keys = self.pending.clone();
        let (count, rest) = count(&keys);
        let Some(first) = rest.first() else { return false };
        if matches!(first, Key::Alt('\x1b') | Key::Ctrl('c')) {
            self.mode = Mode::Command;
            return true;
        }
        if let Key::Alt(c) = first {
            self.mode = Mode::Command;
            self.pending = vec![Key::Char(*c)];
            return self.command_keys();
        }
        if let Mode::Visual(by_lines) = self.mode
            && self.visual_key(*first, by_lines)
        {
            return true;
        }
        if let Key::Char(operator @ ('d' | 'c' | 'y' | '>' | '<')) = first {
            return self.operator(*operator, count, &rest[1..]);
        }
        let needs_two =
            matches!(first, Key::Char('g' | 'f' | 't' | 'F' | 'T' | 'r' | 'Z' | 'z' | 'm' | '\''));
        if needs_two && rest.len() < 2 {
            return false;
        }
        if let Some(target) = self.motion(rest, count) {
            self.go(&target);
            return true;
        }
        self.simple(rest, count);
        true
    }

    fn go(&mut self, target: &Target) {
        let vertical = target.by_lines && target.column == self.text.cursor().1;
        if vertical {
            let row = self.text.cursor().0;
            if target.row >= row {
                self.text.down(target.row - row);
            } else {
                self.text.up(row - target.row);
            }
        } else {
            self.text.set_cursor(target.row, target.column);
        }
        self.keep_in_line();
    }

    /// In command mode the cursor stands on a character, not behind the last.
    fn keep_in_line(&mut self) {
        let (row, column) = self.text.cursor();
        if self.mode == Mode::Command && column > 0 && column >= self.text.length() {
            self.text.set_cursor(row, self.text.length().saturating_sub(1));
        }
    }

    fn changed(&mut self) {
        if !self.replaying {
            self.last_change = self.recording.clone();
        }
        self.keep_in_line();
    }

    fn insert_mode(&mut self) {
        self.text.checkpoint();
        self.mode = Mode::Insert;
    }

    /// `d`, `c`, `y`, `>`, `<` with what they apply to.
    fn operator(&mut self, operator: char, count: Option<usize>, rest: &[Key]) -> bool {
        let (inner, keys) = self::count(rest);
        let count = match (count, inner) {
            (Some(a), Some(b)) => Some(a * b),
            (a, b) => a.or(b),
        };
        let Some(first) = keys.first() else { return false };
        let (row, column) = self.text.cursor();
        if *first == Key::Char(operator) {
            let last = (row + count.unwrap_or(1) - 1).min(self.text.lines().len() - 1);
            self.apply(operator, (row, 0), (last, 0), true);
            return true;
        }
        if matches!(first, Key::Char('i' | 'a')) {
            let Some(Key::Char(what)) = keys.get(1) else { return keys.len() > 1 };
            if let Some((from, to)) = self.object(*first == Key::Char('a'), *what) {
                self.apply(operator, (row, from), (row, to), false);
            }
            return true;
        }
        if matches!(first, Key::Char('g' | 'f' | 't' | 'F' | 'T')) && keys.len() < 2 {
            return false;
        }
        // `cw` changes to the end of the word, not the blanks after it.
        let on_word = self.text.line().chars().nth(column).is_some_and(|c| !c.is_whitespace());
        let replaced: Vec<Key> = match (operator, first) {
            ('c', Key::Char('w')) if on_word => vec![Key::Char('e')],
            ('c', Key::Char('W')) if on_word => vec![Key::Char('E')],
            _ => keys.to_vec(),
        };
        let at_end = replaced != keys
            && !self.text.line().chars().nth(column + 1).is_some_and(char::is_alphanumeric);
        let target = match at_end && count.is_none() && replaced == [Key::Char('e')] {
            true => Some(Target { row, column, by_lines: false, inclusive: true }),
            false => self.motion(&replaced, count),
        };
        let Some(target) = target else { return true };
        let mut to = (target.row, target.column + usize::from(target.inclusive));
        if *first == Key::Char('w') && target.row > row {
            to = (row, self.text.length()); // `dw` on the last word stays in its line
        }
        let (from, to) = if to < (row, column) { (to, (row, column)) } else { ((row, column), to) };
        self.apply(operator, from, to, target.by_lines);
        true
    }

    /// `iw`, `i"`, `i(` …: from and to in the cursor's line.
    fn object(&self, around: bool, what: char) -> Option<(usize, usize)> {
        let column = self.text.cursor().1;
        let chars: Vec<char> = self.text.line().chars().collect();
        if what == 'w' || what == 'W' {
            let kind =
                |c: char| (c.is_whitespace(), what == 'w' && !(c.is_alphanumeric() || c == '_'));
            let own = kind(*chars.get(column)?);
            let from = chars[..column].iter().rposition(|c| kind(*c) != own).map_or(0, |i| i + 1);
            let mut to = chars[column..]
                .iter()
                .position(|c| kind(*c) != own)
                .map_or(chars.len(), |i| i + column);
            while around && chars.get(to).is_some_and(|c| c.is_whitespace()) {
                to += 1;
            }
            return Some((from, to));
        }
        let (open, close) = match what {
            '(' | ')' | 'b' => ('(', ')'),
            '{' | '}' | 'B' => ('{', '}'),
            '[' | ']' => ('[', ']'),
            '<' | '>' => ('<', '>'),
            quote @ ('"' | '\'' | '`') => (quote, quote),
            _ => return None,
        };
        let from = match open == close {
            true => {
                let before = chars[..=column.min(chars.len().checked_sub(1)?)]
                    .iter()
                    .rposition(|c| *c == open);
                before.or_else(|| chars.iter().position(|c| *c == open))?
            }
            false => chars[..=column.min(chars.len().checked_sub(1)?)]
                .iter()
                .rposition(|c| *c == open)?,
        };
        let to = chars[from + 1..].iter().position(|c| *c == close)? + from + 1;
        Some(if around { (from, to + 1) } else { (from + 1, to) })
    }

    /// Does an operator to a part of the text.
    pub(super) fn apply(
        &mut self,
        operator: char,
        from: (usize, usize),
        to: (usize, usize),
        by_lines: bool,
    ) {
        if matches!(operator, '>' | '<') {
            self.text.checkpoint();
            for row in from.0..=to.0 {
                let line = self.text.lines()[row].clone();
                let new = match operator {
                    '>' if line.is_empty() => line,
                    '>' => format!("  {line}"),
                    _ => line
                        .strip_prefix("  ")
                        .or(line.strip_prefix('\t'))
                        .unwrap_or(line.trim_start())
                        .to_string(),
                };
                self.text.replace_line(row, new);
            }
            self.text.set_cursor(from.0, 0);
            return self.changed();
        }
        let text = self.part(from, to, by_lines);
        self.register = Register { text, by_lines };
        if operator == 'y' {
            let lines = to.0 - from.0 + 1;
            if by_lines && lines > 2 {
                self.message = format!("{lines} lines yanked");
            }
            if !by_lines {
                self.text.set_cursor(from.0, from.1);
            }
            return;
        }
        self.text.checkpoint();
        if by_lines {
            self.text.go_to_line(from.0);
            let keep_one = operator == 'c';
            for _ in from.0 + usize::from(keep_one)..=to.0 {
                self.text.cut_line();
            }
            if keep_one {
                let length = self.text.length();
                self.text.delete_in_line(length);
            }
            if to.0 - from.0 > 1 && !keep_one {
                self.message = format!("{} fewer lines", to.0 - from.0 + 1);
            }
        } else {
            self.text.set_cursor(from.0, from.1);
            if from.0 == to.0 {
                self.text.delete_in_line(to.1.saturating_sub(from.1));
            } else {
                let rest: String = self.text.lines()[to.0].chars().skip(to.1).collect();
                let head: String = self.text.line().chars().take(from.1).collect();
                for _ in from.0..to.0 {
                    self.text.set_cursor(from.0 + 1, 0);
                    self.text.cut_line();
                }
                self.text.replace_line(from.0, head + &rest);
                self.text.set_cursor(from.0, from.1);
            }
        }
        if operator == 'c' {
            self.mode = Mode::Insert;
        } else {
            self.changed();
        }
    }

    fn part(&self, from: (usize, usize), to: (usize, usize), by_lines: bool) -> String {
        let lines = &self.text.lines()[from.0..=to.0];
        if by_lines {
            return lines.join("\n");
        }
        if from.0 == to.0 {
            return lines[0].chars().skip(from.1).take(to.1.saturating_sub(from.1)).collect();
        }
        let first: String = lines[0].chars().skip(from.1).collect();
        let last: String = lines[lines.len() - 1].chars().take(to.1).collect();
        [&[first], &lines[1..lines.len() - 1], &[last]].concat().join("\n")
    }

    fn visual_key(&mut self, key: Key, by_lines: bool) -> bool {
        let operator = match key {
            Key::Char('d' | 'x') | Key::Delete => 'd',
            Key::Char('c' | 's') => 'c',
            Key::Char(c @ ('y' | '>' | '<')) => c,
            Key::Char('v' | 'V') => {
                self.mode = Mode::Command;
                return true;
            }
            _ => return false,
        };
        let (a, b) = (self.visual, self.text.cursor());
        let (from, to) = if a <= b { (a, b) } else { (b, a) };
        self.mode = Mode::Command;
        self.apply(operator, from, (to.0, to.1 + 1), by_lines || "<>".contains(operator));
        true
    }

    fn simple(&mut self, keys: &[Key], count: Option<usize>) {
        let (row, column) = self.text.cursor();
        let times = count.unwrap_or(1);
        match keys {
            [Key::Char('i')] => self.insert_mode(),
            [Key::Char('a')] => {
                self.insert_mode();
                self.text.set_cursor(row, column + 1);
            }
            [Key::Char('I')] => {
                self.insert_mode();
                let start = self.text.line().chars().take_while(|c| c.is_whitespace()).count();
                self.text.set_cursor(row, start);
            }
            [Key::Char('A')] => {
                self.insert_mode();
                self.text.set_cursor(row, usize::MAX);
            }
            [Key::Char(c @ ('o' | 'O'))] => {
                self.insert_mode();
                let indent: String =
                    self.text.line().chars().take_while(|c| *c == ' ' || *c == '\t').collect();
                self.text.insert_line_at(row + usize::from(*c == 'o'), &indent);
                self.text.set_cursor(row + usize::from(*c == 'o'), usize::MAX);
            }
            [Key::Char('R')] => {
                self.insert_mode();
                self.mode = Mode::Replace;
            }
            [Key::Char('x') | Key::Delete] => {
                if self.text.length() > 0 {
                    let text = self.text.delete_in_line(times);
                    self.register = Register { text, by_lines: false };
                    self.changed();
                }
            }
            [Key::Char('X')] if column > 0 => {
                self.text.set_cursor(row, column.saturating_sub(times));
                self.text.delete_in_line(times.min(column));
                self.changed();
            }
            [Key::Char('D')] => self.apply('d', (row, column), (row, self.text.length()), false),
            [Key::Char('C')] => self.apply('c', (row, column), (row, self.text.length()), false),
            [Key::Char('S')] => self.apply('c', (row, 0), (row, 0), true),
            [Key::Char('Y')] => {
                let last = (row + times - 1).min(self.text.lines().len() - 1);
                self.apply('y', (row, 0), (last, 0), true);
            }
            [Key::Char('s')] => self.apply('c', (row, column), (row, column + times), false),
            [Key::Char('J')] => {
                for _ in 0..times.max(2) - 1 {
                    let length = self.text.length();
                    let next = self.text.lines().get(row + 1).map(|l| l.trim_start().to_string());
                    if let Some(next) = next {
                        self.text.replace_line(
                            row + 1,
                            if length > 0 && !next.is_empty() { format!(" {next}") } else { next },
                        );
                        self.text.join();
                        self.text.set_cursor(row, length);
                    }
                }
                self.changed();
            }
            [Key::Char('r'), Key::Char(c)] if column + times <= self.text.length() => {
                self.text.delete_in_line(times);
                (0..times).for_each(|_| self.text.insert(*c));
                self.text.set_cursor(row, column + times - 1);
                self.changed();
            }
            [Key::Char('~')] => {
                if let Some(c) = self.text.line().chars().nth(column) {
                    self.text.delete_in_line(1);
                    let new = if c.is_uppercase() {
                        c.to_ascii_lowercase()
                    } else {
                        c.to_ascii_uppercase()
                    };
                    self.text.insert(new);
                    self.changed();
                }
            }
            [Key::Char(c @ ('p' | 'P'))] => self.put(*c == 'p', times),
            [Key::Char('u')] => self.text.undo(),
            [Key::Ctrl('r')] => self.text.redo(),
            [Key::Char('.')] => self.repeat(),
            [Key::Char(mark @ (':' | '/' | '?'))] => {
                self.mode = Mode::Prompt(*mark);
                self.command.clear();
            }
            [Key::Char('n')] => self.search_on(false),
            [Key::Char('N')] => self.search_on(true),
            [Key::Char('*')] => {
                if let Some((from, to)) = self.object(false, 'w') {
                    let word: String =
                        self.text.line().chars().skip(from).take(to - from).collect();
                    self.search = format!("\\b{word}\\b");
                    self.backwards = false;
                    self.search_on(false);
                }
            }
            [Key::Char(c @ ('v' | 'V'))] => {
                self.mode = Mode::Visual(*c == 'V');
                self.visual = (row, column);
            }
            [Key::Char('Z'), Key::Char('Z')] => self.ex("x"),
            [Key::Char('Z'), Key::Char('Q')] => self.ex("q!"),
            [Key::Ctrl('z')] => self.message = "stopping a program is not simulated".into(),
            _ => {}
        }
    }

    fn put(&mut self, after: bool, times: usize) {
        let (row, column) = self.text.cursor();
        let register = self.register.clone();
        if register.text.is_empty() && !register.by_lines {
            return;
        }
        self.text.checkpoint();
        for _ in 0..times.min(1_000) {
            if register.by_lines {
                let at = row + usize::from(after);
                for (index, line) in register.text.split('\n').enumerate() {
                    self.text.insert_line_at(at + index, line);
                }
                self.text.set_cursor(at, 0);
            } else {
                let from = if after && self.text.length() > 0 { column + 1 } else { column };
                self.text.set_cursor(row, from);
                register.text.chars().for_each(|c| self.text.insert(c));
                let (row, column) = self.text.cursor();
                self.text.set_cursor(row, column.saturating_sub(1));
            }
        }
        self.changed();
    }

    fn repeat(&mut self) {
        let keys = self.last_change.clone();
        self.pending.clear();
        self.replaying = true;
        for key in keys {
            self.key(key);
        }
        self.replaying = false;
        // The key `.` itself is taken from the pending ones by the caller.
    }

    pub(super) fn search_on(&mut self, opposite: bool) {
        let Ok(regex) = compile(&self.search, Syntax::Basic, false) else {
            self.message = format!("E486: Pattern not found: {}", self.search);
            return;
        };
        let (row, column) = self.text.cursor();
        let lines = self.text.lines();
        let places = |row: usize| -> Vec<usize> {
            regex.find_iter(&lines[row]).map(|m| lines[row][..m.start()].chars().count()).collect()
        };
        let total = lines.len();
        let found = if self.backwards != opposite {
            (0..=total).find_map(|offset| {
                let at = (row + total - offset % total) % total;
                let found = places(at);
                let found = found.into_iter().rev().find(|c| offset > 0 || *c < column);
                found.map(|c| (at, c))
            })
        } else {
            (0..=total).find_map(|offset| {
                let at = (row + offset) % total;
                places(at).into_iter().find(|c| offset > 0 || *c > column).map(|c| (at, c))
            })
        };
        match found {
            Some((row, column)) => self.text.set_cursor(row, column),
            None => self.message = format!("E486: Pattern not found: {}", self.search),
        }
    }
}

/// The count that keys begin with, and the rest.
fn count(keys: &[Key]) -> (Option<usize>, &[Key]) {
    let mut value = None;
    for (index, key) in keys.iter().enumerate() {
        match key {
            Key::Char(c @ '0'..='9') if *c != '0' || value.is_some() => {
                let digit = *c as usize - '0' as usize;
                value = Some((value.unwrap_or(0) * 10 + digit).min(100_000));
            }
            _ => return (value, &keys[index..]),
        }
    }
    (value, &[])
}
