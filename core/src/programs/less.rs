//! `less` and `more`: text a screen at a time.

use super::support::{
    inputs,
    opts::{Options, Spec, options},
    screen::{Event, Screen, plain},
};
use crate::{
    machine::{Proc, Program},
    shell::{
        edit::{Key, char_width},
        regex::{Syntax, compile},
    },
};

/// `less`
pub const PROGRAM: Program = Program {
    name: "less",
    summary: "show text a screen at a time",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

/// `more`
pub const MORE: Program =
    Program { name: "more", summary: "show text a screen at a time", ..PROGRAM };

const SPEC: Spec = Spec {
    usage: "less [-F] [-N] [-S] [FILE]...\n  -F   end at once if all fits one screen\n  -N   line numbers\n  -S   cut long lines\nKeys: space and b by screens, j and k by lines, g and G to the ends, / ? n N to search, q to end.",
    short: "FNSRrXeEifMcs",
    long: &[],
    trouble: 1,
};

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    if options.rest.is_empty() && proc.tty().is_some() {
        let text = "Missing filename (\"less --help\" for help)\n";
        proc.eprint(text).await;
        return 1;
    }
    let (text, complete) = inputs::all_text(&proc, &options.rest).await;
    if text.is_empty() && !complete {
        return 1;
    }
    let name = options.rest.first().map_or("", String::as_str);
    page(&proc, &text, name, &options).await
}

/// Shows a text; without a terminal it is only printed.
pub async fn page(proc: &Proc, text: &str, name: &str, options: &Options) -> i32 {
    let rows = proc.any_tty().map_or(24, |tty| usize::from(tty.size().1));
    let short = options.has('F') && text.lines().count() < rows;
    let screen = if short { None } else { Screen::open(proc) };
    let Some(screen) = screen else {
        proc.print(text).await;
        return 0;
    };
    let lines: Vec<String> = plain(text).lines().map(String::from).collect();
    let mut pager = Pager {
        screen,
        lines,
        top: 0,
        name: name.to_string(),
        search: String::new(),
        backwards: false,
        message: String::new(),
        numbers: options.has('N'),
        cut: options.has('S'),
    };
    pager.run().await;
    pager.screen.close();
    0
}

struct Pager {
    screen: Screen,
    lines: Vec<String>,
    top: usize,
    name: String,
    search: String,
    backwards: bool,
    message: String,
    numbers: bool,
    cut: bool,
}

impl Pager {
    async fn run(&mut self) {
        let mut count = String::new();
        loop {
            self.draw(":");
            let key = match self.screen.event().await {
                Event::Key(key) => key,
                Event::Resized => continue,
                Event::Ended => return,
            };
            if let Key::Char(digit @ '0'..='9') = key {
                count.push(digit);
                continue;
            }
            let given = std::mem::take(&mut count).parse::<usize>().ok();
            let page = self.screen.size().1.saturating_sub(1).max(1);
            match key {
                Key::Char('q' | 'Q' | 'Z') | Key::Ctrl('c') => return,
                Key::Char(' ' | 'f') | Key::Ctrl('f' | 'v') | Key::PageDown => {
                    self.down(given.unwrap_or(page))
                }
                Key::Char('b') | Key::Ctrl('b') | Key::PageUp => self.up(given.unwrap_or(page)),
                Key::Char('d') | Key::Ctrl('d') => self.down(given.unwrap_or(page / 2)),
                Key::Char('u') | Key::Ctrl('u') => self.up(given.unwrap_or(page / 2)),
                Key::Char('j' | 'e') | Key::Enter | Key::Down | Key::Ctrl('n' | 'e') => {
                    self.down(given.unwrap_or(1))
                }
                Key::Char('k' | 'y') | Key::Up | Key::Ctrl('p' | 'y') => {
                    self.up(given.unwrap_or(1))
                }
                Key::Char('g' | '<') | Key::Home => {
                    self.top = given.unwrap_or(1).max(1).min(self.lines.len().max(1)) - 1
                }
                Key::Char('G' | '>') | Key::End => match given {
                    Some(line) => self.top = line.max(1).min(self.lines.len().max(1)) - 1,
                    None => self.top = self.lines.len().saturating_sub(page),
                },
                Key::Char(mark @ ('/' | '?')) => {
                    if let Some(text) = self.ask(mark).await {
                        self.backwards = mark == '?';
                        if !text.is_empty() {
                            self.search = text;
                        }
                        self.find(false);
                    }
                }
                Key::Char('n') => self.find(false),
                Key::Char('N') => self.find(true),
                Key::Char('h') => {
                    self.message =
                        "space b: screens  j k: lines  g G: ends  / n: search  q: end".into();
                }
                _ => {}
            }
        }
    }

    fn down(&mut self, count: usize) {
        let page = self.screen.size().1.saturating_sub(1).max(1);
        self.top = (self.top + count).min(self.lines.len().saturating_sub(page));
    }

    fn up(&mut self, count: usize) {
        self.top = self.top.saturating_sub(count);
    }

    async fn ask(&mut self, mark: char) -> Option<String> {
        let mut text = String::new();
        loop {
            self.draw(&format!("{mark}{text}"));
            match self.screen.event().await {
                Event::Key(Key::Char(c)) => text.push(c),
                Event::Key(Key::Backspace) => {
                    text.pop()?;
                }
                Event::Key(Key::Enter) => return Some(text),
                Event::Key(Key::Ctrl('c') | Key::Alt(_)) | Event::Ended => return None,
                _ => {}
            }
        }
    }

    fn find(&mut self, opposite: bool) {
        let Ok(regex) = compile(&self.search, Syntax::Extended, false) else {
            self.message = "Invalid pattern".into();
            return;
        };
        let found = if self.backwards != opposite {
            self.lines[..self.top.min(self.lines.len())].iter().rposition(|l| regex.is_match(l))
        } else {
            let start = (self.top + 1).min(self.lines.len());
            self.lines[start..].iter().position(|l| regex.is_match(l)).map(|i| i + start)
        };
        match found {
            Some(line) => self.top = line,
            None => self.message = "Pattern not found  (press a key)".into(),
        }
    }

    fn draw(&mut self, prompt: &str) {
        let (cols, rows) = self.screen.size();
        let page = rows.saturating_sub(1).max(1);
        let regex = Some(&self.search).filter(|s| !s.is_empty());
        let regex = regex.and_then(|s| compile(s, Syntax::Extended, false).ok());
        let mut out = String::from("\x1b[?25l\x1b[H");
        let mut used = 0;
        let mut at = self.top;
        while used < page && at < self.lines.len() {
            let mut line = self.lines[at].replace('\t', "        ");
            if self.numbers {
                line = format!("{:>7} {line}", at + 1);
            }
            let width: usize = line.chars().map(char_width).sum();
            if self.cut && width > cols {
                line = line.chars().take(cols).collect();
            }
            let height = if self.cut { 1 } else { width.div_ceil(cols).max(1) };
            if used + height > page && used > 0 {
                break;
            }
            used += height;
            let mut shown = String::new();
            let mut from = 0;
            if let Some(regex) = &regex {
                for found in regex.find_iter(&line).filter(|m| !m.is_empty()) {
                    shown.push_str(&line[from..found.start()]);
                    shown.push_str(&format!("\x1b[7m{}\x1b[m", found.as_str()));
                    from = found.end();
                }
            }
            shown.push_str(&line[from..]);
            out.push_str(&format!("{shown}\x1b[K\r\n"));
            at += 1;
        }
        for _ in used..page {
            out.push_str("~\x1b[K\r\n");
        }
        let message = std::mem::take(&mut self.message);
        let status = if !message.is_empty() {
            format!("\x1b[7m{message}\x1b[m")
        } else if prompt != ":" {
            prompt.to_string()
        } else if at >= self.lines.len() {
            "\x1b[7m(END)\x1b[m".to_string()
        } else if self.top == 0 && !self.name.is_empty() {
            format!("\x1b[7m{}\x1b[m", self.name)
        } else {
            ":".to_string()
        };
        out.push_str(&format!("{status}\x1b[K\x1b[?25h"));
        self.screen.write(&out);
    }
}
