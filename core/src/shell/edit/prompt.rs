//! Prompts: `PS1`'s escapes.

use crate::{
    machine::Proc,
    shell::{Shell, parse::parse_quoted},
};

/// A prompt without what takes no room: escape sequences and `\[ \]` marks.
pub fn visible(prompt: &str) -> String {
    let mut out = String::new();
    let mut chars = prompt.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\x1b' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('[') => while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
            Some(']') => while chars.next().is_some_and(|c| c != '\x07') {},
            _ => {}
        }
    }
    out
}

impl Shell {
    /// What a prompt variable shows now.
    pub(in crate::shell) async fn prompt(&self, proc: &Proc, text: &str) -> String {
        let mut out = String::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c != '\\' {
                out.push(c);
                continue;
            }
            match chars.next() {
                Some('u') => out.push_str(&user_name(proc)),
                Some('h') => {
                    let host = proc.machine().hostname();
                    out.push_str(host.split('.').next().unwrap_or(&host));
                }
                Some('H') => out.push_str(&proc.machine().hostname()),
                Some('w') => out.push_str(&self.short_cwd(proc)),
                Some('W') => {
                    let cwd = self.short_cwd(proc);
                    let last = cwd.rsplit('/').next().filter(|l| !l.is_empty());
                    out.push_str(last.unwrap_or(&cwd));
                }
                Some('$') => out.push(if proc.who().uid == 0 { '#' } else { '$' }),
                Some('n') => out.push('\n'),
                Some('e') => out.push('\x1b'),
                Some('a') => out.push('\x07'),
                Some('t') => {
                    let secs = proc.sim().now().as_secs() % 86_400;
                    let (h, m, s) = (secs / 3600, secs / 60 % 60, secs % 60);
                    out.push_str(&format!("{h:02}:{m:02}:{s:02}"));
                }
                Some('s') => out.push_str(if self.flavour.is_bash() { "bash" } else { "sh" }),
                Some('0') => {
                    let digits: String = chars.clone().take(2).collect();
                    if let Ok(code) = u8::from_str_radix(&digits, 8) {
                        out.push(char::from(code));
                        chars.nth(1);
                    }
                }
                Some('[' | ']') => {}
                Some('\\') | None => out.push('\\'),
                Some(c) => out.extend(['\\', c]),
            }
        }
        if !out.contains(['$', '`']) || out.ends_with("$ ") && out.matches('$').count() == 1 {
            return out;
        }
        let Ok(word) = parse_quoted(&out) else { return out };
        let status = self.status.get();
        let expanded = self.expand_string(proc, &word).await;
        self.status.set(status);
        expanded.unwrap_or(out)
    }

    fn short_cwd(&self, proc: &Proc) -> String {
        let cwd = proc.cwd();
        let home = self.variable("HOME").unwrap_or_default();
        match cwd.strip_prefix(home.trim_end_matches('/')) {
            Some(rest) if home.len() > 1 && (rest.is_empty() || rest.starts_with('/')) => {
                format!("~{rest}")
            }
            _ => cwd,
        }
    }
}

/// The name of the user that a process runs as.
pub fn user_name(proc: &Proc) -> String {
    let uid = proc.who().uid.to_string();
    let passwd = proc.read_text("/etc/passwd").unwrap_or_default();
    let line = passwd.lines().find(|line| line.split(':').nth(2) == Some(&uid));
    match line.and_then(|line| line.split(':').next()) {
        Some(name) => name.to_string(),
        None if uid == "0" => "root".to_string(),
        None => "I have no name!".to_string(),
    }
}
