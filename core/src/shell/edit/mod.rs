//! The line editor of interactive shells.

mod buffer;
mod complete;
mod history;
mod keys;
mod prompt;
mod width;

use std::rc::Rc;

pub use keys::{Decoder, Key};
pub use width::char_width;

use self::buffer::Buffer;
use super::Shell;
use crate::{
    machine::{Mode, Proc, Signal, Tty},
    sim::{Either, race},
};

/// What a person gave the editor.
#[derive(Debug, PartialEq)]
pub enum Input {
    /// A line.
    Line(String),
    /// `^C`
    Interrupt,
    /// `^D` on an empty line.
    End,
    /// The terminal is gone.
    Hangup,
}

/// A `^R` search.
struct Search {
    query: String,
    found: Option<usize>,
    before: String,
}

/// The editor of one shell.
pub struct Editor {
    proc: Proc,
    tty: Tty,
    shell: Rc<Shell>,
    decoder: Decoder,
    killed: String,
    /// What the last command left on the row on which the prompt begins.
    unfinished: String,
    drawn_rows_above: usize,
}

/// One line while it is edited.
struct Line {
    prompt: String,
    buffer: Buffer,
    /// Position in the history; its length for the new line.
    at: usize,
    /// The new line while older ones are looked at.
    draft: String,
    search: Option<Search>,
    last_was_tab: bool,
    last_was_kill: bool,
    paste: Option<String>,
}

enum Next {
    Go,
    Done(Input),
}

impl Editor {
    /// An editor on a terminal.
    pub fn new(proc: &Proc, tty: Tty, shell: Rc<Shell>) -> Editor {
        Editor {
            proc: proc.clone(),
            tty,
            shell,
            decoder: Decoder::default(),
            killed: String::new(),
            unfinished: String::new(),
            drawn_rows_above: 0,
        }
    }

    /// Reads a line.
    pub async fn read_line(&mut self, prompt: &str) -> Input {
        self.unfinished = self.tty.unfinished();
        self.tty.set_mode(Mode::EDIT);
        self.tty.write(b"\x1b[?2004h");
        let mut line = Line {
            prompt: prompt.to_string(),
            buffer: Buffer::default(),
            at: self.shell.history.borrow().len(),
            draft: String::new(),
            search: None,
            last_was_tab: false,
            last_was_kill: false,
            paste: None,
        };
        let columns = usize::from(self.tty.size().0).max(1);
        // At a row's very end the cursor still stands on it.
        let (row, column) = place(&self.unfinished, "", columns);
        self.drawn_rows_above = row - usize::from(row > 0 && column == 0);
        self.draw(&line);
        let input = self.edit(&mut line).await;
        self.tty.write(b"\x1b[?2004l");
        self.tty.set_mode(Mode::COOKED);
        let rest = self.decoder.take_rest();
        if !rest.is_empty() {
            self.tty.unread(&rest);
        }
        input
    }

    async fn edit(&mut self, line: &mut Line) -> Input {
        loop {
            while let Some(key) = self.decoder.next() {
                if let Next::Done(input) = self.key(line, key).await {
                    return input;
                }
            }
            let proc = self.proc.clone();
            match race(proc.read(4096), proc.signal()).await {
                Either::Left(bytes) if bytes.is_empty() => return Input::Hangup,
                Either::Left(bytes) => self.decoder.push(&bytes),
                Either::Right(Signal::Hup) => return Input::Hangup,
                Either::Right(Signal::Winch) => self.draw(line),
                Either::Right(_) => {}
            }
        }
    }

    async fn key(&mut self, line: &mut Line, key: Key) -> Next {
        if let Some(paste) = &mut line.paste {
            match key {
                Key::PasteEnd => {
                    let text = line.paste.take().unwrap_or_default();
                    line.buffer.insert_str(&text);
                    self.draw(line);
                }
                Key::Char(c) => paste.push(c),
                Key::Enter | Key::Ctrl('j') => paste.push('\n'),
                Key::Tab => paste.push('\t'),
                _ => {}
            }
            return Next::Go;
        }
        if line.search.is_some() {
            match self.search_key(line, key) {
                None => return Next::Go,
                Some(key) => return Box::pin(self.plain_key(line, key)).await,
            }
        }
        self.plain_key(line, key).await
    }

    async fn plain_key(&mut self, line: &mut Line, key: Key) -> Next {
        let tabbed = std::mem::replace(&mut line.last_was_tab, false);
        let killed = std::mem::replace(&mut line.last_was_kill, false);
        let at_end = line.buffer.at_end();
        match key {
            Key::Char(c) => {
                line.buffer.insert(c);
                if at_end && self.append_cheaply(line, c) {
                    return Next::Go;
                }
            }
            Key::Enter | Key::Ctrl('j') => {
                line.buffer.end();
                self.draw(line);
                self.tty.write(b"\n");
                return Next::Done(Input::Line(line.buffer.text()));
            }
            Key::Ctrl('c') => {
                line.buffer.end();
                self.draw(line);
                self.tty.write(b"^C\n");
                return Next::Done(Input::Interrupt);
            }
            Key::Ctrl('d') if line.buffer.is_empty() => {
                if !self.shell.flavour.is_bash() {
                    self.tty.write(b"\n");
                }
                return Next::Done(Input::End);
            }
            Key::Ctrl('d') | Key::Delete => line.buffer.delete(),
            Key::Backspace | Key::Ctrl('h') => line.buffer.backspace(),
            Key::Left | Key::Ctrl('b') => line.buffer.left(),
            Key::Right | Key::Ctrl('f') => line.buffer.right(),
            Key::Home | Key::Ctrl('a') => line.buffer.home(),
            Key::End | Key::Ctrl('e') => line.buffer.end(),
            Key::WordLeft | Key::Alt('b') => line.buffer.word_left(),
            Key::WordRight | Key::Alt('f') => line.buffer.word_right(),
            Key::Up | Key::Ctrl('p') => self.history_step(line, -1),
            Key::Down | Key::Ctrl('n') => self.history_step(line, 1),
            Key::Alt('<') => self.history_step(line, isize::MIN),
            Key::Alt('>') => self.history_step(line, isize::MAX),
            Key::Ctrl('t') => line.buffer.transpose(),
            Key::Alt('u') => line.buffer.change_word(str::to_uppercase),
            Key::Alt('l') => line.buffer.change_word(str::to_lowercase),
            Key::Ctrl(c @ ('k' | 'u' | 'w')) => {
                let text = match c {
                    'k' => line.buffer.kill_to_end(),
                    'u' => line.buffer.kill_to_start(),
                    _ => line.buffer.kill_word_back(true),
                };
                self.keep(line, text, killed, c != 'k');
            }
            Key::Alt('d') => {
                let text = line.buffer.kill_word();
                self.keep(line, text, killed, false);
            }
            Key::AltBackspace => {
                let text = line.buffer.kill_word_back(false);
                self.keep(line, text, killed, true);
            }
            Key::Ctrl('y') => line.buffer.insert_str(&self.killed.clone()),
            Key::Alt('.') => {
                let last = self.shell.history.borrow().last().cloned().unwrap_or_default();
                if let Some(word) = last.split_whitespace().next_back() {
                    line.buffer.insert_str(word);
                }
            }
            Key::Ctrl('_') => line.buffer.undo(),
            Key::Ctrl('l') => {
                self.tty.write(b"\x1b[H\x1b[2J");
                self.unfinished.clear();
                self.drawn_rows_above = 0;
            }
            Key::Ctrl('r') => {
                let before = line.buffer.text();
                line.search = Some(Search { query: String::new(), found: None, before });
            }
            Key::Tab => {
                line.last_was_tab = true;
                self.complete(line, tabbed).await;
            }
            Key::PasteStart => {
                line.paste = Some(String::new());
                return Next::Go;
            }
            _ => return Next::Go,
        }
        self.draw(line);
        Next::Go
    }

    fn keep(&mut self, line: &mut Line, text: String, again: bool, before: bool) {
        line.last_was_kill = true;
        self.killed = match (again, before) {
            (false, _) => text,
            (true, true) => text + &self.killed,
            (true, false) => std::mem::take(&mut self.killed) + &text,
        };
    }

    fn history_step(&mut self, line: &mut Line, step: isize) {
        let history = self.shell.history.borrow();
        let at = line.at.saturating_add_signed(step).min(history.len());
        if at == line.at {
            return;
        }
        if line.at == history.len() {
            line.draft = line.buffer.text();
        }
        line.at = at;
        line.buffer.set(history.get(at).unwrap_or(&line.draft));
    }

    /// A key while searching; handed back where it ends the search and means something else.
    fn search_key(&mut self, line: &mut Line, key: Key) -> Option<Key> {
        let search = line.search.as_mut()?;
        let history = self.shell.history.borrow();
        let from = match key {
            Key::Char(c) => {
                search.query.push(c);
                search.found.map_or(history.len(), |i| i + 1)
            }
            Key::Backspace | Key::Ctrl('h') => {
                search.query.pop();
                history.len()
            }
            Key::Ctrl('r') => search.found.unwrap_or(history.len()),
            Key::Ctrl('g' | 'c') => {
                line.buffer.set(&search.before);
                line.search = None;
                drop(history);
                self.draw(line);
                return matches!(key, Key::Ctrl('c')).then_some(key);
            }
            key => {
                line.search = None;
                drop(history);
                self.draw(line);
                return match key {
                    Key::Alt('\x1b') => None,
                    key => Some(key),
                };
            }
        };
        let found = history[..from.min(history.len())]
            .iter()
            .rposition(|entry| !search.query.is_empty() && entry.contains(&search.query));
        if let Some(index) = found {
            search.found = Some(index);
            line.buffer.set(&history[index]);
            if let Some(at) = history[index].find(&search.query) {
                line.buffer.set_cursor(history[index][..at].chars().count());
            }
        }
        drop(history);
        self.draw(line);
        None
    }

    /// Shows a character typed at the end, if that is all there is to do.
    fn append_cheaply(&mut self, line: &Line, c: char) -> bool {
        let columns = usize::from(self.tty.size().0).max(1);
        let (_, column) = place(&self.begin(line), &line.buffer.text(), columns);
        if column == 0 || c == '\n' || char_width(c) != 1 {
            return false;
        }
        let mut utf8 = [0; 4];
        self.tty.write(c.encode_utf8(&mut utf8).as_bytes());
        true
    }

    /// What stands before the line: the prompt, behind what a command left on its row.
    fn begin(&self, line: &Line) -> String {
        format!("{}{}", self.unfinished, line.prompt)
    }

    /// Draws prompt and line anew, in place of what is there.
    fn draw(&mut self, line: &Line) {
        let columns = usize::from(self.tty.size().0).max(1);
        let prompt = match &line.search {
            Some(search) => {
                let failed = search.found.is_none() && !search.query.is_empty();
                let word = if failed { "failed reverse-i-search" } else { "reverse-i-search" };
                format!("({word})`{}': ", search.query)
            }
            None => self.begin(line),
        };
        let text = line.buffer.text();
        let before: String = text.chars().take(line.buffer.cursor()).collect();
        let (end_row, end_column) = place(&prompt, &text, columns);
        let (row, column) = place(&prompt, &before, columns);
        let mut out = String::from("\r");
        if self.drawn_rows_above > 0 {
            out.push_str(&format!("\x1b[{}A", self.drawn_rows_above));
        }
        out.push_str("\x1b[J");
        out.push_str(&prompt);
        out.push_str(&text);
        if end_column == 0 && end_row > 0 && !text.ends_with('\n') {
            out.push_str(" \r"); // a full line: the emulator wraps only with the next character
        }
        if end_row > row {
            out.push_str(&format!("\x1b[{}A", end_row - row));
        }
        if (row, column) != (end_row, end_column) {
            out.push('\r');
            if column > 0 {
                out.push_str(&format!("\x1b[{column}C"));
            }
        }
        self.drawn_rows_above = row;
        self.tty.write(out.as_bytes());
    }
}

/// Row and column (below the first row of the prompt) after a prompt and a text.
fn place(prompt: &str, text: &str, columns: usize) -> (usize, usize) {
    let (mut row, mut column) = (0, 0);
    let visible = prompt::visible(prompt);
    for c in visible.chars().chain(text.chars()) {
        if c == '\n' {
            (row, column) = (row + 1, 0);
            continue;
        }
        let width = char_width(c);
        if column + width > columns {
            (row, column) = (row + 1, 0);
        }
        column += width;
        if column == columns {
            (row, column) = (row + 1, 0);
        }
    }
    (row, column)
}
