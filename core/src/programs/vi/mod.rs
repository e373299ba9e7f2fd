//! `vi`: the everyday part of the editor: modes, motions, operators with counts, `:` commands,
//! searching, undo and repeat.

mod commands;
mod ex;
mod motion;
mod view;

use super::support::{
    opts::{Spec, options},
    screen::{Event, Screen},
    text::Text,
};
use crate::{
    machine::{FsError, Proc, Program},
    shell::edit::Key,
};

/// `vi`
pub const PROGRAM: Program = Program {
    name: "vi",
    summary: "edit a text file",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec {
    usage: "vi [+LINE] [FILE]\nType i to write, Esc to stop writing, :wq to save and end, :q! to end without saving.",
    short: "Rnyc:",
    long: &[],
    trouble: 1,
};

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let line = options.rest.iter().find_map(|a| a.strip_prefix('+')?.parse::<usize>().ok());
    let path = options.rest.iter().find(|a| !a.starts_with('+')).cloned().unwrap_or_default();
    let (content, message) = match proc.read_text(&path) {
        _ if path.is_empty() => (String::new(), String::new()),
        Ok(_) if proc.is_dir(&path) => (String::new(), format!("\"{path}\" is a directory")),
        Ok(text) => {
            let message = format!("\"{path}\" {}L, {}B", text.lines().count(), text.len());
            (text, message)
        }
        Err(FsError::NotFound) => (String::new(), format!("\"{path}\" [New]")),
        Err(error) => (String::new(), format!("\"{path}\" {error}")),
    };
    let Some(screen) = Screen::open(&proc) else {
        proc.eprint("vi: output is not to a terminal\n").await;
        return 1;
    };
    let mut vi = Vi {
        proc: proc.clone(),
        screen,
        text: Text::new(&content),
        path,
        message,
        mode: Mode::Command,
        command: String::new(),
        pending: Vec::new(),
        register: Register::default(),
        search: String::new(),
        backwards: false,
        find: None,
        last_change: Vec::new(),
        recording: Vec::new(),
        replaying: false,
        top: 0,
        numbers: false,
        visual: (0, 0),
        done: None,
    };
    if let Some(line) = line {
        vi.text.go_to_line(line.max(1) - 1);
    }
    let code = vi.run().await;
    vi.screen.close();
    code
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    Command,
    Insert,
    Replace,
    /// `v`, or `V` by lines.
    Visual(bool),
    /// Typing after `:`, `/` or `?`.
    Prompt(char),
}

/// What was deleted or yanked last.
#[derive(Clone, Default)]
struct Register {
    text: String,
    by_lines: bool,
}

struct Vi {
    proc: Proc,
    screen: Screen,
    text: Text,
    path: String,
    message: String,
    mode: Mode,
    /// What is typed after `:`, `/` or `?`.
    command: String,
    /// Keys of a command that is not complete yet.
    pending: Vec<Key>,
    register: Register,
    search: String,
    backwards: bool,
    /// The last `f`, `t`, `F`, `T` and its character.
    find: Option<(char, char)>,
    /// The keys of the last change, for `.`.
    last_change: Vec<Key>,
    recording: Vec<Key>,
    replaying: bool,
    top: usize,
    numbers: bool,
    /// Where a selection began.
    visual: (usize, usize),
    done: Option<i32>,
}

impl Vi {
    async fn run(&mut self) -> i32 {
        loop {
            if let Some(code) = self.done {
                return code;
            }
            self.draw();
            match self.screen.event().await {
                Event::Key(key) => self.key(key),
                Event::Resized => {}
                Event::Ended => return 1,
            }
        }
    }

    fn key(&mut self, key: Key) {
        if !self.replaying {
            self.recording.push(key);
            self.text.begin_group();
        }
        match self.mode {
            Mode::Insert | Mode::Replace => self.insert_key(key),
            Mode::Prompt(mark) => self.prompt_key(mark, key),
            Mode::Command | Mode::Visual(_) => {
                self.message.clear();
                self.pending.push(key);
                if !self.command_keys() {
                    return; // more keys are needed
                }
                self.pending.clear();
            }
        }
        if matches!(self.mode, Mode::Command) && !self.replaying {
            self.text.end_group();
            self.recording.clear();
        }
    }

    fn insert_key(&mut self, key: Key) {
        match key {
            Key::Alt('\x1b') | Key::Ctrl('c') => self.leave_insert(),
            Key::Alt(c) => {
                // Escape and the next key came together.
                self.leave_insert();
                self.key(Key::Char(c));
            }
            Key::PasteStart | Key::PasteEnd => {}
            Key::Char(c) if self.mode == Mode::Replace => {
                if self.text.cursor().1 < self.text.length() {
                    self.text.delete_in_line(1);
                }
                self.text.insert(c);
            }
            Key::Enter => {
                let line = self.text.line();
                let indent: String = line.chars().take_while(|c| *c == ' ' || *c == '\t').collect();
                let indent = if self.text.cursor().1 >= indent.chars().count() {
                    indent
                } else {
                    String::new()
                };
                self.text.insert('\n');
                if !self.replaying && self.recording.contains(&Key::PasteStart) {
                    return;
                }
                indent.chars().for_each(|c| self.text.insert(c));
            }
            Key::Ctrl('w') => {
                let before: Vec<char> =
                    self.text.line().chars().take(self.text.cursor().1).collect();
                let trimmed = before.iter().rposition(|c| !c.is_whitespace()).map_or(0, |i| i + 1);
                let start =
                    before[..trimmed].iter().rposition(|c| c.is_whitespace()).map_or(0, |i| i + 1);
                for _ in start..before.len() {
                    self.text.backspace();
                }
            }
            key => self.text.key(key),
        }
    }

    fn leave_insert(&mut self) {
        self.mode = Mode::Command;
        let (row, column) = self.text.cursor();
        self.text.set_cursor(row, column.saturating_sub(1));
        if !self.replaying {
            self.last_change = self.recording.clone();
        }
    }

    fn prompt_key(&mut self, mark: char, key: Key) {
        match key {
            Key::Char(c) => self.command.push(c),
            Key::Backspace => {
                if self.command.pop().is_none() {
                    self.mode = Mode::Command;
                }
            }
            Key::Ctrl('u') => self.command.clear(),
            Key::Alt('\x1b') | Key::Ctrl('c') => self.mode = Mode::Command,
            Key::Enter => {
                self.mode = Mode::Command;
                let command = std::mem::take(&mut self.command);
                if mark == ':' {
                    self.ex(&command);
                } else {
                    self.backwards = mark == '?';
                    if !command.is_empty() {
                        self.search = command;
                    }
                    self.search_on(false);
                }
            }
            _ => {}
        }
    }
}
