//! Remembering lines: the history file, `!!` and its kin.

use super::Editor;

/// The history file keeps this many lines.
const MOST: usize = 2_000;

impl Editor {
    fn history_file(&self) -> Option<String> {
        if let Some(file) = self.shell.variable("HISTFILE") {
            return Some(file).filter(|f| !f.is_empty());
        }
        let name = if self.shell.flavour.is_bash() { ".bash_history" } else { ".ash_history" };
        let home = self.shell.variable("HOME")?;
        Some(format!("{}/{name}", home.trim_end_matches('/')))
    }

    /// Reads the history file.
    pub fn load_history(&self) {
        let text = self.history_file().and_then(|f| self.proc.read_text(&f).ok());
        let text = text.unwrap_or_default();
        let lines: Vec<String> = text.lines().map(str::to_string).collect();
        let skip = lines.len().saturating_sub(MOST);
        *self.shell.history.borrow_mut() = lines[skip..].to_vec();
    }

    /// Adds a line, unless it begins with a blank or is the last one again. The file gets it at once,
    /// since windows are closed without warning.
    pub fn remember(&self, line: &str) {
        let line = line.trim_end();
        if line.is_empty() || line.starts_with(' ') {
            return;
        }
        let mut history = self.shell.history.borrow_mut();
        if history.last().is_some_and(|last| last == line) {
            return;
        }
        history.push(line.to_string());
        if let Some(file) = self.history_file() {
            let line = line.replace('\n', "; ");
            let _ = self.proc.append(&file, format!("{line}\n").as_bytes());
        }
    }

    /// Replaces `!!`, `!$`, `!n`, `!-n`, `!word`; `None` where there is nothing to replace.
    ///
    /// # Errors
    /// Where there is no such line.
    pub fn expand_history(&self, text: &str) -> Result<Option<String>, String> {
        if !self.shell.flavour.is_bash() || !text.contains('!') {
            return Ok(None);
        }
        let history = self.shell.history.borrow();
        let chars: Vec<char> = text.chars().collect();
        let (mut out, mut at, mut quoted, mut changed) = (String::new(), 0, false, false);
        while let Some(&c) = chars.get(at) {
            at += 1;
            if c == '\'' {
                quoted = !quoted;
            }
            if c == '\\' {
                out.push(c);
                out.extend(chars.get(at));
                at += 1;
                continue;
            }
            let next = chars.get(at).copied().unwrap_or(' ');
            if c != '!' || quoted || next.is_whitespace() || "=(\"".contains(next) {
                out.push(c);
                continue;
            }
            let start = at;
            let found = if next == '!' {
                at += 1;
                history.last().cloned()
            } else if next == '$' {
                at += 1;
                let last = history.last();
                last.and_then(|l| l.split_whitespace().next_back()).map(str::to_string)
            } else {
                while chars.get(at).is_some_and(|c| c.is_alphanumeric() || "-_./".contains(*c)) {
                    at += 1;
                }
                let word: String = chars[start..at].iter().collect();
                match word.parse::<isize>() {
                    Ok(n) if n < 0 => history
                        .len()
                        .checked_sub(n.unsigned_abs())
                        .and_then(|i| history.get(i))
                        .cloned(),
                    Ok(n) => history.get((n as usize).wrapping_sub(1)).cloned(),
                    Err(_) if word.is_empty() => Some(format!("!{next}")).inspect(|_| at += 1),
                    Err(_) => history.iter().rev().find(|l| l.starts_with(&word)).cloned(),
                }
            };
            match found {
                Some(line) => {
                    changed |= !line.starts_with('!');
                    out.push_str(&line);
                }
                None => {
                    let event: String = chars[start - 1..at].iter().collect();
                    return Err(format!("{event}: event not found"));
                }
            }
        }
        Ok(changed.then_some(out))
    }
}
