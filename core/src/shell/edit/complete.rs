//! Tab: what a word could become.

use super::{Editor, Line, char_width};
use crate::{
    machine::CompleteCx,
    shell::builtins::{self, BUILTINS},
};

/// Asks before it lists more than this.
const MANY: usize = 150;

impl Editor {
    /// Completes the word before the cursor; lists what is possible at the second Tab.
    pub(super) async fn complete(&mut self, line: &mut Line, again: bool) {
        let before = line.buffer.before_cursor();
        let (words, raw) = split(&before);
        let word = words.last().cloned().unwrap_or_default();
        let mut candidates = self.candidates(&words);
        candidates.sort();
        candidates.dedup();
        candidates.retain(|c| c.starts_with(&word));
        let Some(first) = candidates.first() else {
            self.tty.write(b"\x07");
            return;
        };
        let common = candidates.iter().fold(first.as_str(), |common, c| {
            let same = common.char_indices().zip(c.chars()).find(|((_, a), b)| a != b);
            let end = same.map_or(common.len().min(c.len()), |((i, _), _)| i);
            &common[..end]
        });
        let quote = raw.chars().next().filter(|c| *c == '"' || *c == '\'');
        if candidates.len() == 1 {
            let ends_open = common.ends_with(['/', '=', ':']);
            let mut text = shown(common, quote);
            match quote {
                Some(quote) if !ends_open => text.extend([quote, ' ']),
                None if !ends_open => text.push(' '),
                _ => {}
            }
            line.buffer.replace_before(raw.chars().count(), &text);
        } else if common.len() > word.len() {
            line.buffer.replace_before(raw.chars().count(), &shown(common, quote));
        } else if again {
            self.list(line, &candidates).await;
        } else {
            self.tty.write(b"\x07");
        }
    }

    fn candidates(&self, words: &[String]) -> Vec<String> {
        let word = words.last().map_or("", String::as_str);
        if let Some(name) = word.strip_prefix('$') {
            let vars = self.shell.vars.borrow();
            let names = vars.iter().filter(|(n, v)| n.starts_with(name) && v.value.is_some());
            return names.map(|(n, _)| format!("${n}")).collect();
        }
        if words.len() <= 1 {
            if word.contains('/') {
                return self.files(word, false);
            }
            return self.commands(word);
        }
        self.shell.sync_environment(&self.proc);
        let mut words = words.to_vec();
        let alias = self.shell.aliases.borrow().get(&words[0]).cloned();
        if let Some(text) = alias {
            words.splice(0..1, text.split_whitespace().map(str::to_string));
        }
        let argv = [words[0].clone()];
        let machine = self.proc.machine();
        let found = machine
            .find_program(&argv, &self.proc.env_all(), &self.proc.cwd(), self.proc.who())
            .ok()
            .and_then(|(program, _)| program.complete);
        if let Some(complete) = found {
            let own = complete(&CompleteCx { proc: &self.proc, words: &words });
            if !own.is_empty() {
                return own;
            }
        }
        let dirs_only = ["cd", "pushd", "rmdir"].contains(&words[0].as_str());
        self.files(word, dirs_only)
    }

    fn commands(&self, prefix: &str) -> Vec<String> {
        let flavour = self.shell.flavour;
        let mut names: Vec<String> = BUILTINS
            .iter()
            .filter(|b| builtins::find(b.name, flavour).is_some())
            .map(|b| b.name.to_string())
            .chain(self.shell.functions.borrow().keys().cloned())
            .chain(self.shell.aliases.borrow().keys().cloned())
            .chain(["for", "if", "while", "case", "function", "exec"].map(String::from))
            .collect();
        let path = self.shell.variable("PATH").unwrap_or_default();
        for dir in path.split(':') {
            for (name, node) in self.proc.list(dir).unwrap_or_default() {
                if name.starts_with(prefix) && !node.is_dir() {
                    names.push(name.to_string());
                }
            }
        }
        names.retain(|name| name.starts_with(prefix));
        names
    }

    fn files(&self, word: &str, dirs_only: bool) -> Vec<String> {
        let (dir, name) = match word.rfind('/') {
            Some(at) => word.split_at(at + 1),
            None => ("", word),
        };
        let real = match dir.strip_prefix("~/") {
            Some(rest) => format!("{}/{rest}", self.shell.variable("HOME").unwrap_or_default()),
            None if dir.is_empty() => ".".to_string(),
            None => dir.to_string(),
        };
        let mut found = Vec::new();
        for (entry, node) in self.proc.list(&real).unwrap_or_default() {
            if !entry.starts_with(name) || (entry.starts_with('.') && !name.starts_with('.')) {
                continue;
            }
            let is_dir =
                node.is_dir() || (node.is_link() && self.proc.is_dir(&format!("{real}/{entry}")));
            if is_dir {
                found.push(format!("{dir}{entry}/"));
            } else if !dirs_only {
                found.push(format!("{dir}{entry}"));
            }
        }
        found
    }

    async fn list(&mut self, line: &mut Line, candidates: &[String]) {
        if candidates.len() > MANY {
            let text = format!("\nDisplay all {} possibilities? (y or n)", candidates.len());
            self.tty.write(text.as_bytes());
            let answer = self.proc.read(1).await;
            if !matches!(answer.first(), Some(b'y' | b'Y' | b' ')) {
                self.tty.write(b"\n");
                self.unfinished.clear();
                self.drawn_rows_above = 0;
                return;
            }
        }
        // Of paths only the last part is shown, as readline does.
        let short = |c: &String| {
            let trimmed = c.trim_end_matches('/');
            let start = trimmed.rfind('/').map_or(0, |i| i + 1);
            c[start..].to_string()
        };
        let names: Vec<String> = candidates.iter().map(short).collect();
        let columns = usize::from(self.tty.size().0);
        let end = line.buffer.cursor();
        line.buffer.end();
        self.draw(line);
        line.buffer.set_cursor(end);
        self.tty.write(format!("\n{}", in_columns(&names, columns)).as_bytes());
        self.unfinished.clear();
        self.drawn_rows_above = 0;
    }
}

/// Names below each other in as many columns as fit.
pub fn in_columns(names: &[String], columns: usize) -> String {
    let width = |name: &str| name.chars().map(char_width).sum::<usize>();
    let widest = names.iter().map(|n| width(n)).max().unwrap_or(0) + 2;
    let per_row = (columns / widest).max(1);
    let rows = names.len().div_ceil(per_row);
    let mut out = String::new();
    for row in 0..rows {
        let mut row_text = String::new();
        for name in names.iter().skip(row).step_by(rows.max(1)) {
            row_text.push_str(name);
            row_text.push_str(&" ".repeat(widest - width(name)));
        }
        out.push_str(row_text.trim_end());
        out.push('\n');
    }
    out
}

fn shown(text: &str, quote: Option<char>) -> String {
    if let Some(quote) = quote {
        return format!("{quote}{text}");
    }
    let mut out = String::new();
    for (index, c) in text.chars().enumerate() {
        if " \t'\"\\*?[(){}<>|&;!`#".contains(c) || (c == '$' && index > 0) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// The words of the command that the cursor is in, and the last one as it was typed.
fn split(text: &str) -> (Vec<String>, String) {
    let (mut words, mut word, mut raw) = (Vec::new(), String::new(), String::new());
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if let Some(q) = quote {
            raw.push(c);
            if c == q {
                quote = None
            } else {
                word.push(c)
            }
            continue;
        }
        match c {
            '\'' | '"' => {
                raw.push(c);
                quote = Some(c);
            }
            '\\' => {
                raw.push(c);
                if let Some(c) = chars.next() {
                    raw.push(c);
                    word.push(c);
                }
            }
            ' ' | '\t' | '\n' => {
                if !raw.is_empty() {
                    words.push(std::mem::take(&mut word));
                    raw.clear();
                }
            }
            '|' | '&' | ';' | '(' | '`' => {
                words.clear();
                word.clear();
                raw.clear();
            }
            '<' | '>' => {
                // A file comes next, whatever the command is.
                words = vec!["<".into()];
                word.clear();
                raw.clear();
            }
            '=' if words.is_empty() => {
                words.push(String::new()); // `NAME=`: the value is a file
                word.clear();
                raw.clear();
            }
            c => {
                raw.push(c);
                word.push(c);
            }
        }
    }
    if words.len() == 1 && words[0].is_empty() && raw.is_empty() && text.ends_with(' ') {
        words.clear();
    }
    while words.len() > 1 && words[0].contains('=') {
        words.remove(0);
    }
    words.push(word);
    (words, raw)
}
