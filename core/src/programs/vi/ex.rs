//! The `:` commands.

use super::Vi;
use crate::{
    programs::support::text::Text,
    shell::regex::{Syntax, compile},
};

impl Vi {
    /// A `:` command.
    pub(super) fn ex(&mut self, text: &str) {
        let text = text.trim();
        if let Ok(line) = text.parse::<usize>() {
            return self.text.go_to_line(line.max(1) - 1);
        }
        if let Some((range, script)) = substitution(text) {
            return self.substitute(range, script);
        }
        let (name, argument) = text.split_once(' ').unwrap_or((text, ""));
        let argument = argument.trim();
        match name {
            "" => {}
            "w" | "w!" | "write" => drop(self.write(argument)),
            "q" | "quit" | "qa" if self.text.is_modified() => {
                self.message = "E37: No write since last change (add ! to override)".into();
            }
            "q" | "q!" | "quit" | "quit!" | "qa" | "qa!" => self.done = Some(0),
            "cq" => self.done = Some(1),
            "wq" | "wq!" | "wqa" => {
                if self.write(argument) {
                    self.done = Some(0);
                }
            }
            "x" | "xit" | "x!" => {
                if !self.text.is_modified() || self.write(argument) {
                    self.done = Some(0);
                }
            }
            "$" => self.text.go_to_line(usize::MAX),
            "d" => self.apply('d', (self.text.cursor().0, 0), (self.text.cursor().0, 0), true),
            "noh" | "nohlsearch" | "syntax" | "syn" => {}
            "u" | "undo" => self.text.undo(),
            "red" | "redo" => self.text.redo(),
            "set" | "se" => match argument {
                "number" | "nu" => self.numbers = true,
                "nonumber" | "nonu" => self.numbers = false,
                // How the editor is anyway.
                "paste" | "nopaste" | "expandtab" | "et" | "autoindent" | "ai" => {}
                other => self.message = format!("E518: Unknown option: {other}"),
            },
            "e" | "e!" => {
                if self.text.is_modified() && name == "e" {
                    self.message = "E37: No write since last change (add ! to override)".into();
                    return;
                }
                let path =
                    if argument.is_empty() { self.path.clone() } else { argument.to_string() };
                let content = self.proc.read_text(&path).unwrap_or_default();
                self.message =
                    format!("\"{path}\" {}L, {}B", content.lines().count(), content.len());
                self.text = Text::new(&content);
                self.path = path;
            }
            "%d" => self.apply('d', (0, 0), (self.text.lines().len() - 1, 0), true),
            _ => self.message = format!("E492: Not an editor command: {text}"),
        }
    }

    fn write(&mut self, path: &str) -> bool {
        let path = if path.is_empty() { self.path.clone() } else { path.to_string() };
        if path.is_empty() {
            self.message = "E32: No file name".into();
            return false;
        }
        let new = !self.proc.exists(&path);
        let content = self.text.content();
        match self.proc.write_file(&path, content.as_bytes()) {
            Ok(()) => {
                let mark = if new { " [New]" } else { "" };
                self.message = format!(
                    "\"{path}\"{mark} {}L, {}B written",
                    content.lines().count(),
                    content.len()
                );
                if self.path.is_empty() || self.path == path {
                    self.path = path;
                    self.text.saved();
                }
                true
            }
            Err(error) => {
                self.message = format!("\"{path}\" E212: Can't open file for writing: {error}");
                false
            }
        }
    }

    fn substitute(&mut self, range: &str, script: &str) {
        let row = self.text.cursor().0;
        let last = self.text.lines().len() - 1;
        let number = |text: &str| match text {
            "." | "" => Some(row),
            "$" => Some(last),
            text => text.parse::<usize>().ok().map(|n| n.max(1) - 1),
        };
        let rows = match range {
            "%" => Some((0, last)),
            range => match range.split_once(',') {
                Some((a, b)) => number(a).zip(number(b)),
                None => number(range).map(|n| (n, n)),
            },
        };
        let Some((from, to)) = rows.filter(|(a, b)| a <= b && *b <= last) else {
            self.message = "E16: Invalid range".into();
            return;
        };
        let delimiter = script.chars().next().unwrap_or('/');
        let mut parts = script[delimiter.len_utf8()..].split(delimiter);
        let (pattern, with, flags) =
            (parts.next().unwrap_or(""), parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let pattern = if pattern.is_empty() { self.search.clone() } else { pattern.to_string() };
        let Ok(regex) = compile(&pattern, Syntax::Basic, flags.contains('i')) else {
            self.message = format!("E486: Pattern not found: {pattern}");
            return;
        };
        self.search = pattern.clone();
        // `&` and `\1` as the library writes them.
        let with = with
            .replace('$', "$$")
            .replace("\\&", "\u{0}")
            .replace('&', "${0}")
            .replace('\u{0}', "&");
        let with = (1..10).fold(with, |w, n| w.replace(&format!("\\{n}"), &format!("${{{n}}}")));
        let (mut count, mut last_row) = (0, row);
        for row in from..=to {
            let line = self.text.lines()[row].clone();
            let most = if flags.contains('g') { 0 } else { 1 };
            if regex.is_match(&line) {
                self.text.checkpoint();
                let new = regex.replacen(&line, most, with.as_str()).into_owned();
                self.text.replace_line(row, new);
                (count, last_row) = (count + 1, row);
            }
        }
        if count == 0 {
            self.message = format!("E486: Pattern not found: {pattern}");
            return;
        }
        if count > 2 {
            self.message = format!("{count} substitutions on {count} lines");
        }
        self.text.go_to_line(last_row);
    }
}

/// `%s/a/b/`, `1,3s/a/b/g`: the range and what is after the `s`.
fn substitution(text: &str) -> Option<(&str, &str)> {
    let at = text.find('s')?;
    let (range, rest) = text.split_at(at);
    let fits = range.chars().all(|c| c.is_ascii_digit() || "%,.$".contains(c));
    let delimiter = rest.chars().nth(1)?;
    (fits && !delimiter.is_alphanumeric() && delimiter != ' ').then_some((range, &rest[1..]))
}
