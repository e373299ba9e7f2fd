//! A text being edited: lines, a cursor, undo. What `nano` and `vi` share.

use crate::shell::edit::{Key, char_width};

/// A text and where the cursor is.
pub struct Text {
    lines: Vec<String>,
    row: usize,
    column: usize,
    wanted: usize,
    modified: bool,
    undo: Vec<(Vec<String>, usize, usize)>,
    redo: Vec<(Vec<String>, usize, usize)>,
    typing: bool,
    /// Within a group: whether it has been remembered already.
    group: Option<bool>,
}

/// A line with its tabs as blanks.
pub fn expand(line: &str) -> String {
    let mut out = String::new();
    let mut width = 0;
    for c in line.chars() {
        if c == '\t' {
            let step = 8 - width % 8;
            out.push_str(&" ".repeat(step));
            width += step;
        } else {
            out.push(c);
            width += char_width(c);
        }
    }
    out
}

/// The part of a line that fits `columns` cells, from cell `shift` on.
pub fn clipped(line: &str, shift: usize, columns: usize) -> String {
    let (mut at, mut out) = (0, String::new());
    for c in line.chars() {
        let width = char_width(c);
        if at >= shift && at + width <= shift + columns {
            out.push(c);
        }
        at += width;
    }
    out
}

impl Text {
    /// A text from a file's content.
    pub fn new(content: &str) -> Text {
        let mut lines: Vec<String> =
            content.split('\n').map(|l| l.trim_end_matches('\r').to_string()).collect();
        if lines.len() > 1 && lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        Text {
            lines,
            row: 0,
            column: 0,
            wanted: 0,
            modified: false,
            undo: Vec::new(),
            redo: Vec::new(),
            typing: false,
            group: None,
        }
    }

    /// As it is written to a file.
    pub fn content(&self) -> String {
        match self.lines.as_slice() {
            [only] if only.is_empty() => String::new(),
            lines => lines.join("\n") + "\n",
        }
    }

    /// The lines; never none.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Row and column (in characters), from 0.
    pub fn cursor(&self) -> (usize, usize) {
        (self.row, self.column)
    }

    /// Whether it differs from what was saved.
    pub fn is_modified(&self) -> bool {
        self.modified
    }

    /// It was saved.
    pub fn saved(&mut self) {
        self.modified = false;
    }

    /// The line the cursor is in.
    pub fn line(&self) -> &str {
        self.lines.get(self.row).map_or("", String::as_str)
    }

    /// The length of the line the cursor is in, in characters.
    pub fn length(&self) -> usize {
        self.line().chars().count()
    }

    /// Puts the cursor somewhere, as far as there is such a place.
    pub fn set_cursor(&mut self, row: usize, column: usize) {
        self.row = row.min(self.lines.len() - 1);
        self.column = column.min(self.length());
        self.wanted = self.column;
        self.typing = false;
    }

    /// Puts the cursor at the beginning of a line, counted from 0.
    pub fn go_to_line(&mut self, row: usize) {
        self.set_cursor(row, 0);
    }

    /// What changes from here on, up to [`Text::end_group`], is one change for undo.
    pub fn begin_group(&mut self) {
        self.group = self.group.or(Some(false));
    }

    /// See [`Text::begin_group`].
    pub fn end_group(&mut self) {
        self.group = None;
        self.typing = false;
    }

    /// Remembers the text as it is, for undo.
    pub fn checkpoint(&mut self) {
        if self.group == Some(true) {
            self.modified = true;
            return;
        }
        self.group = self.group.map(|_| true);
        if self.undo.len() >= 200 {
            self.undo.remove(0);
        }
        self.undo.push((self.lines.clone(), self.row, self.column));
        self.redo.clear();
        self.modified = true;
    }

    fn change(&mut self, typing: bool) {
        if !(typing && self.typing) {
            self.checkpoint();
        }
        self.typing = typing;
        self.modified = true;
    }

    /// Takes the last change back.
    pub fn undo(&mut self) {
        if let Some((lines, row, column)) = self.undo.pop() {
            self.redo.push((std::mem::replace(&mut self.lines, lines), self.row, self.column));
            self.set_cursor(row, column);
        }
    }

    /// Makes the last change that was taken back again.
    pub fn redo(&mut self) {
        if let Some((lines, row, column)) = self.redo.pop() {
            self.undo.push((std::mem::replace(&mut self.lines, lines), self.row, self.column));
            self.set_cursor(row, column);
        }
    }

    fn byte(&self, column: usize) -> usize {
        let line = self.line();
        line.char_indices().nth(column).map_or(line.len(), |(i, _)| i)
    }

    /// Inserts a character, or a new line.
    pub fn insert(&mut self, c: char) {
        self.change(c != '\n');
        let at = self.byte(self.column);
        if c == '\n' {
            let rest = self.lines[self.row].split_off(at);
            self.lines.insert(self.row + 1, rest);
            self.row += 1;
            self.column = 0;
        } else {
            self.lines[self.row].insert(at, c);
            self.column += 1;
        }
        self.wanted = self.column;
    }

    /// Deletes `count` characters from the cursor on, within the line; what was deleted.
    pub fn delete_in_line(&mut self, count: usize) -> String {
        self.change(false);
        let (from, to) = (self.byte(self.column), self.byte(self.column + count));
        self.lines[self.row].drain(from..to).collect()
    }

    /// Deletes the character before the cursor.
    pub fn backspace(&mut self) {
        if self.column > 0 {
            self.change(true);
            self.column -= 1;
            let at = self.byte(self.column);
            self.lines[self.row].remove(at);
        } else if self.row > 0 {
            self.row -= 1;
            self.column = self.length();
            self.join();
        }
        self.wanted = self.column;
    }

    /// Joins the next line to this one, without a blank between.
    pub fn join(&mut self) {
        if self.row + 1 < self.lines.len() {
            self.change(false);
            let next = self.lines.remove(self.row + 1);
            self.lines[self.row].push_str(&next);
        }
    }

    /// Takes the cursor's line out.
    pub fn cut_line(&mut self) -> String {
        self.change(false);
        let line = self.lines.remove(self.row);
        if self.lines.is_empty() {
            self.lines.push(String::new());
        }
        self.set_cursor(self.row, 0);
        line
    }

    /// Puts a line above the cursor's.
    pub fn insert_line_above(&mut self, line: &str) {
        self.change(false);
        self.lines.insert(self.row, line.to_string());
        self.row += 1;
    }

    /// Puts a line at a position; the cursor goes there.
    pub fn insert_line_at(&mut self, row: usize, line: &str) {
        self.change(false);
        let row = row.min(self.lines.len());
        self.lines.insert(row, line.to_string());
        self.set_cursor(row, 0);
    }

    /// Replaces a whole line.
    pub fn replace_line(&mut self, row: usize, line: String) {
        if let Some(old) = self.lines.get_mut(row) {
            *old = line;
        }
    }

    /// Up by lines.
    pub fn up(&mut self, count: usize) {
        self.row = self.row.saturating_sub(count);
        self.column = self.wanted.min(self.length());
        self.typing = false;
    }

    /// Down by lines.
    pub fn down(&mut self, count: usize) {
        self.row = (self.row + count).min(self.lines.len() - 1);
        self.column = self.wanted.min(self.length());
        self.typing = false;
    }

    /// Finds a text after the cursor, around the end if need be.
    pub fn find(&mut self, what: &str) -> bool {
        if what.is_empty() {
            return false;
        }
        let total = self.lines.len();
        for offset in 0..=total {
            let row = (self.row + offset) % total;
            let line = &self.lines[row];
            let from = match offset {
                0 => self.byte(self.column + 1).min(line.len()),
                _ => 0,
            };
            if let Some(at) = line[from..].find(what) {
                let column = line[..from + at].chars().count();
                self.set_cursor(row, column);
                return true;
            }
        }
        false
    }

    /// What a key does in every editor: moves the cursor or types.
    pub fn key(&mut self, key: Key) {
        match key {
            Key::Char(c) => self.insert(c),
            Key::Tab => self.insert('\t'),
            Key::Enter | Key::Ctrl('j' | 'm') => self.insert('\n'),
            Key::Backspace | Key::Ctrl('h') => self.backspace(),
            Key::Delete | Key::Ctrl('d') => {
                if self.column < self.length() {
                    self.delete_in_line(1);
                } else {
                    self.join();
                }
            }
            Key::Left | Key::Ctrl('b') => {
                if self.column > 0 {
                    self.set_cursor(self.row, self.column - 1);
                } else if self.row > 0 {
                    self.set_cursor(self.row - 1, usize::MAX);
                }
            }
            Key::Right | Key::Ctrl('f') => {
                if self.column < self.length() {
                    self.set_cursor(self.row, self.column + 1);
                } else if self.row + 1 < self.lines.len() {
                    self.set_cursor(self.row + 1, 0);
                }
            }
            Key::Up | Key::Ctrl('p') => self.up(1),
            Key::Down | Key::Ctrl('n') => self.down(1),
            Key::Home | Key::Ctrl('a') => self.set_cursor(self.row, 0),
            Key::End | Key::Ctrl('e') => self.set_cursor(self.row, usize::MAX),
            Key::WordLeft => {
                let before: Vec<char> = self.line().chars().take(self.column).collect();
                let word = before.iter().rposition(|c| c.is_alphanumeric()).unwrap_or(0);
                let start =
                    before[..word].iter().rposition(|c| !c.is_alphanumeric()).map_or(0, |i| i + 1);
                self.set_cursor(self.row, start);
            }
            Key::WordRight => {
                let after: Vec<char> = self.line().chars().skip(self.column).collect();
                let end = after.iter().position(|c| !c.is_alphanumeric()).unwrap_or(after.len());
                let next = after[end..]
                    .iter()
                    .position(|c| c.is_alphanumeric())
                    .unwrap_or(after.len() - end);
                self.set_cursor(self.row, self.column + end + next);
            }
            _ => {}
        }
    }
}
