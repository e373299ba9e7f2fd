//! `nano`: a small full-screen editor with its keys at the bottom.

use super::support::{
    opts::{Spec, options},
    screen::{Event, Screen},
    text::{Text, clipped, expand},
};
use crate::{
    machine::{FsError, Proc, Program},
    shell::edit::{Key, char_width},
};

/// `nano`
pub const PROGRAM: Program = Program {
    name: "nano",
    summary: "edit a text file",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec {
    usage: "nano [+LINE] [FILE]\nKeys: ^O writes, ^X ends, ^K cuts a line, ^U pastes it, ^W searches.",
    short: "lwic",
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
        Ok(_) if proc.is_dir(&path) => (String::new(), format!("{path} is a directory")),
        Ok(text) => {
            let count = text.lines().count();
            let plural = if count == 1 { "" } else { "s" };
            (text, format!("Read {count} line{plural}"))
        }
        Err(FsError::NotFound) => (String::new(), "New File".to_string()),
        Err(error) => (String::new(), format!("Error reading {path}: {error}")),
    };
    let Some(screen) = Screen::open(&proc) else {
        proc.eprint("Standard output is not a terminal\n").await;
        return 1;
    };
    let mut editor = Nano {
        proc: proc.clone(),
        screen,
        text: Text::new(&content),
        path,
        message,
        cut: Vec::new(),
        cutting: false,
        search: String::new(),
        top: 0,
    };
    if let Some(line) = line {
        editor.text.go_to_line(line.max(1) - 1);
    }
    editor.run().await;
    editor.screen.close();
    0
}

struct Nano {
    proc: Proc,
    screen: Screen,
    text: Text,
    path: String,
    message: String,
    cut: Vec<String>,
    cutting: bool,
    search: String,
    top: usize,
}

impl Nano {
    async fn run(&mut self) {
        loop {
            self.draw(None);
            let key = match self.screen.event().await {
                Event::Key(key) => key,
                Event::Resized => continue,
                Event::Ended => return,
            };
            self.message.clear();
            let was_cutting = std::mem::replace(&mut self.cutting, false);
            let page = self.screen.size().1.saturating_sub(5).max(1);
            match key {
                Key::Ctrl('x') => {
                    if self.leave().await {
                        return;
                    }
                }
                Key::Ctrl('o' | 's') => {
                    let ask = key == Key::Ctrl('o');
                    self.write(ask).await;
                }
                Key::Ctrl('k') => {
                    if !was_cutting {
                        self.cut.clear();
                    }
                    self.cut.push(self.text.cut_line());
                    self.cutting = true;
                }
                Key::Ctrl('u') => {
                    for line in self.cut.clone() {
                        self.text.insert_line_above(&line);
                    }
                }
                Key::Ctrl('w' | 'f') => {
                    if let Some(what) = self.ask("Search", &self.search.clone()).await {
                        self.search = what;
                        if !self.text.find(&self.search) {
                            self.message = format!("\"{}\" not found", self.search);
                        }
                    }
                }
                Key::Ctrl('c') => {
                    let (row, column) = self.text.cursor();
                    self.message =
                        format!("line {}/{}, col {}", row + 1, self.text.lines().len(), column + 1);
                }
                Key::Ctrl('_') => {
                    let line = self.ask("Enter line number", "").await;
                    if let Some(line) = line.and_then(|l| l.trim().parse::<usize>().ok()) {
                        self.text.go_to_line(line.max(1) - 1);
                    }
                }
                Key::Ctrl('g') => {
                    self.message =
                        "^O write, ^X end, ^W search, ^K cut, ^U paste, ^C position".into();
                }
                Key::Alt('u') => self.text.undo(),
                Key::PageDown | Key::Ctrl('v') => self.text.down(page),
                Key::PageUp | Key::Ctrl('y') => self.text.up(page),
                key => self.text.key(key),
            }
        }
    }

    async fn leave(&mut self) -> bool {
        if !self.text.is_modified() {
            return true;
        }
        loop {
            self.draw(Some("Save modified buffer? (Y/N, ^C cancels) "));
            match self.screen.event().await {
                Event::Key(Key::Char('y' | 'Y')) => return self.write(true).await,
                Event::Key(Key::Char('n' | 'N')) | Event::Ended => return true,
                Event::Key(Key::Ctrl('c')) => return false,
                _ => {}
            }
        }
    }

    async fn write(&mut self, ask: bool) -> bool {
        let path = match ask || self.path.is_empty() {
            true => self.ask("File Name to Write", &self.path.clone()).await,
            false => Some(self.path.clone()),
        };
        let Some(path) = path.filter(|p| !p.is_empty()) else {
            self.message = "Cancelled".into();
            return false;
        };
        match self.proc.write_file(&path, self.text.content().as_bytes()) {
            Ok(()) => {
                let count = self.text.lines().len();
                let plural = if count == 1 { "" } else { "s" };
                self.message = format!("Wrote {count} line{plural}");
                self.path = path;
                self.text.saved();
                true
            }
            Err(error) => {
                self.message = format!("Error writing {path}: {error}");
                false
            }
        }
    }

    async fn ask(&mut self, question: &str, given: &str) -> Option<String> {
        let mut answer = given.to_string();
        loop {
            self.draw(Some(&format!("{question}: {answer}")));
            match self.screen.event().await {
                Event::Key(Key::Char(c)) => answer.push(c),
                Event::Key(Key::Backspace) => drop(answer.pop()),
                Event::Key(Key::Ctrl('u' | 'k')) => answer.clear(),
                Event::Key(Key::Enter) => return Some(answer),
                Event::Key(Key::Ctrl('c' | 'x') | Key::Alt('\x1b')) | Event::Ended => return None,
                _ => {}
            }
        }
    }

    fn draw(&mut self, prompt: Option<&str>) {
        let (cols, rows) = self.screen.size();
        let height = rows.saturating_sub(4).max(1);
        let (row, column) = self.text.cursor();
        if row < self.top {
            self.top = row;
        }
        if row >= self.top + height {
            self.top = row + 1 - height;
        }
        let name = if self.path.is_empty() { "New Buffer" } else { &self.path };
        let modified = if self.text.is_modified() { "Modified" } else { "" };
        let left = "  GNU nano 7.2 (simulated)";
        let middle = cols.saturating_sub(name.chars().count()) / 2;
        let mut title = format!("{left:<middle$}{name}");
        let gap = cols.saturating_sub(title.chars().count() + modified.len() + 1);
        title.push_str(&" ".repeat(gap));
        title.push_str(modified);
        let title = format!("{:<cols$}", clipped(&title, 0, cols));
        let mut out = format!("\x1b[?25l\x1b[H\x1b[7m{title}\x1b[m\r\n");
        let line = self.text.lines().get(row).cloned().unwrap_or_default();
        let before: String = line.chars().take(column).collect();
        let at = expand(&before).chars().map(char_width).sum::<usize>();
        let shift = if at >= cols { at - cols / 2 } else { 0 };
        for index in self.top..self.top + height {
            let text = self.text.lines().get(index).map_or(String::new(), |l| expand(l));
            let own = if index == row { shift } else { 0 };
            out.push_str(&format!("{}\x1b[K\r\n", clipped(&text, own, cols)));
        }
        match prompt {
            Some(prompt) => {
                out.push_str(&format!("\x1b[7m{:<cols$}\x1b[m\r\n", clipped(prompt, 0, cols)))
            }
            None if self.message.is_empty() => out.push_str("\x1b[K\r\n"),
            None => {
                let message = format!("[ {} ]", self.message);
                let indent = " ".repeat(cols.saturating_sub(message.chars().count()) / 2);
                out.push_str(&format!(
                    "{indent}\x1b[7m{}\x1b[m\x1b[K\r\n",
                    clipped(&message, 0, cols)
                ));
            }
        }
        let width = cols / 5;
        for (index, keys) in [
            [
                ("^G", "Help"),
                ("^O", "Write Out"),
                ("^W", "Where Is"),
                ("^K", "Cut"),
                ("^C", "Location"),
            ],
            [
                ("^X", "Exit"),
                ("^S", "Save"),
                ("^_", "Go To Line"),
                ("^U", "Paste"),
                ("M-U", "Undo"),
            ],
        ]
        .iter()
        .enumerate()
        {
            for (key, what) in keys {
                let label = clipped(what, 0, width.saturating_sub(key.len() + 1));
                let fill = width.saturating_sub(key.len() + 1 + label.chars().count());
                out.push_str(&format!("\x1b[7m{key}\x1b[m {label}{}", " ".repeat(fill)));
            }
            out.push_str(if index == 0 { "\x1b[K\r\n" } else { "\x1b[K" });
        }
        let (y, x) = match prompt {
            Some(prompt) => (rows.saturating_sub(2), prompt.chars().count().min(cols - 1) + 1),
            None => (row - self.top + 2, at - shift + 1),
        };
        out.push_str(&format!("\x1b[{y};{x}H\x1b[?25h"));
        self.screen.write(&out);
    }
}
