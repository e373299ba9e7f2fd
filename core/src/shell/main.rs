//! `sh`, `bash`, `ash` as programs: their command lines, scripts, and the interactive loop.

use std::rc::Rc;

use super::{
    Exec, Flavour, Flow, Shell, Source,
    edit::{Editor, Input},
    parse::{ParseError, parse},
};
use crate::machine::{Proc, fs::program_name};

/// Runs a shell with the arguments of its process.
pub async fn run(proc: Proc, flavour: Flavour) -> i32 {
    let args = proc.args().to_vec();
    let label = args.first().cloned().unwrap_or_else(|| "sh".into());
    let (mut command, mut interactive, mut login, mut stdin) =
        (None, false, label.starts_with('-'), false);
    let mut options = Vec::new();
    let mut at = 1;
    while let Some(arg) =
        args.get(at).filter(|a| a.len() > 1 && (a.starts_with('-') || a.starts_with('+')))
    {
        at += 1;
        match arg.as_str() {
            "--" => break,
            "--login" => login = true,
            "--norc" | "--noprofile" | "--posix" => {}
            "--version" if flavour.is_bash() => {
                proc.print("GNU bash, version 5.2.15(1)-release (simulated)\n").await;
                return 0;
            }
            arg if arg.starts_with("--") => {
                proc.eprint(&format!("{label}: {arg}: invalid option\n")).await;
                return 2;
            }
            arg => {
                for letter in arg[1..].chars() {
                    match letter {
                        'c' => command = Some(()),
                        'i' => interactive = true,
                        'l' => login = true,
                        's' => stdin = true,
                        'o' => {
                            options.push(format!("{}o", &arg[..1]));
                            options.extend(args.get(at).cloned());
                            at += 1;
                        }
                        letter => options.push(format!("{}{letter}", &arg[..1])),
                    }
                }
            }
        }
    }
    let rest = args.get(at..).unwrap_or_default().to_vec();
    let source = match (command, rest.is_empty() || stdin) {
        (Some(()), _) => Source::Argument,
        (None, true) if (interactive || proc.stdout_is_tty()) && proc.tty().is_some() => {
            Source::Interactive
        }
        _ => Source::Script,
    };
    let label = match (source, rest.first()) {
        (Source::Argument, _) => match rest.get(1) {
            Some(name) => name.clone(),
            None => label,
        },
        (Source::Script, Some(file)) if !stdin => file.clone(),
        _ => label,
    };
    let shell = Shell::new(&proc, flavour, source, label.clone());
    if !options.is_empty() {
        let call = proc.with([vec!["set".to_string()], options].concat(), proc.io().clone());
        if let Some(set) = super::builtins::find("set", flavour)
            && let Err(Flow::Error(code)) = set.run(&shell, &call).await
        {
            return code;
        }
    }
    match source {
        Source::Interactive => {
            *shell.positional.borrow_mut() = rest;
            interactive_loop(&proc, &shell, login).await
        }
        Source::Argument => {
            let Some(text) = rest.first().cloned() else {
                let text = if flavour.is_bash() {
                    "-c: option requires an argument"
                } else {
                    "-c requires an argument"
                };
                proc.eprint(&format!("{label}: {text}\n")).await;
                return 2;
            };
            *shell.positional.borrow_mut() = rest.get(2..).unwrap_or_default().to_vec();
            if login {
                read_profile(&proc, &shell).await;
            }
            script(&proc, &shell, &text).await
        }
        Source::Script => match rest.first().filter(|_| !stdin) {
            Some(path) => {
                *shell.positional.borrow_mut() = rest[1..].to_vec();
                read_script(&proc, &shell, path).await
            }
            None => standard_input(&proc, &shell).await,
        },
    }
}

/// Runs a file that is no program and names no interpreter: as a script, as shells do.
pub(super) async fn file(proc: Proc, flavour: Flavour, path: String, args: Vec<String>) -> i32 {
    let label = args.first().cloned().unwrap_or_default();
    let shell = Shell::new(&proc, flavour, Source::Script, label);
    *shell.positional.borrow_mut() = args.get(1..).unwrap_or_default().to_vec();
    read_script(&proc, &shell, &path).await
}

async fn read_script(proc: &Proc, shell: &Rc<Shell>, path: &str) -> i32 {
    match proc.read_file(path) {
        Ok(data) if program_name(&data).is_some() => {
            let text = match shell.flavour {
                Flavour::Bash => format!("{path}: {path}: cannot execute binary file"),
                _ => format!("{path}: {path}: Exec format error"),
            };
            proc.eprint(&format!("{text}\n")).await;
            126
        }
        Ok(data) => script(proc, shell, &String::from_utf8_lossy(&data)).await,
        Err(error) => {
            let name = proc.args().first().cloned().unwrap_or_default();
            let text = match shell.flavour {
                Flavour::Bash => format!("{name}: {path}: {error}"),
                Flavour::Dash => format!("{name}: 0: cannot open {path}: No such file"),
                Flavour::Ash => format!("{name}: can't open '{path}': {error}"),
            };
            proc.eprint(&format!("{text}\n")).await;
            if shell.flavour.is_bash() { 127 } else { 2 }
        }
    }
}

async fn script(proc: &Proc, shell: &Rc<Shell>, text: &str) -> i32 {
    let none = std::collections::BTreeMap::new();
    let result = match parse(text, &none, shell.flavour.knows_extensions()) {
        Ok(list) => shell.list(proc, &list, true).await,
        Err(error) => {
            shell.syntax_error(proc, &error, text).await;
            Err(Flow::Error(2))
        }
    };
    shell.finish(proc, result).await
}

/// Commands from a pipe or a file, one complete command at a time, so that they can read from it too.
async fn standard_input(proc: &Proc, shell: &Rc<Shell>) -> i32 {
    let mut text = String::new();
    loop {
        let line = proc.read_line().await;
        let ended = line.is_none();
        if let Some(line) = line {
            text.push_str(&line);
            text.push('\n');
        }
        let aliases = shell.aliases.borrow().clone();
        match parse(&text, &aliases, shell.flavour.knows_extensions()) {
            Err(ParseError::Incomplete(_)) if !ended => continue,
            Ok(list) => match shell.list(proc, &list, false).await {
                Ok(_) => {}
                Err(flow) => return shell.finish(proc, Err(flow)).await,
            },
            Err(error) => {
                shell.syntax_error(proc, &error, &text).await;
                return shell.finish(proc, Err(Flow::Error(2))).await;
            }
        }
        text.clear();
        if ended {
            let result: Exec = Ok(shell.status.get());
            return shell.finish(proc, result).await;
        }
    }
}

async fn source_if_there(proc: &Proc, shell: &Shell, path: &str) {
    if let Ok(text) = proc.read_text(path) {
        let _ = shell.eval(proc, &text).await;
    }
}

async fn read_profile(proc: &Proc, shell: &Shell) {
    let home = shell.variable("HOME").unwrap_or_default();
    source_if_there(proc, shell, "/etc/profile").await;
    let first = [".bash_profile", ".profile"].into_iter().map(|name| format!("{home}/{name}"));
    if let Some(path) = first.into_iter().find(|path| proc.exists(path)) {
        source_if_there(proc, shell, &path).await;
    }
}

async fn interactive_loop(proc: &Proc, shell: &Rc<Shell>, login: bool) -> i32 {
    drop(proc.signal()); // from here on ^C is the shell's to handle
    let Some(tty) = proc.tty() else { return 1 };
    tty.set_foreground(proc.machine(), proc.process().group.get());
    let home = shell.variable("HOME").unwrap_or_default();
    if login {
        read_profile(proc, shell).await;
    }
    if shell.flavour.is_bash() {
        source_if_there(proc, shell, "/etc/bash.bashrc").await;
        source_if_there(proc, shell, &format!("{home}/.bashrc")).await;
    }
    for (name, value) in
        [("PS1", default_prompt(proc, shell.flavour)), ("PS2", "> "), ("PS4", "+ ")]
    {
        if shell.vars.borrow().get(name).is_none() {
            shell.set_variable(name, value);
        }
    }
    let mut editor = Editor::new(proc, tty.clone(), shell.clone());
    editor.load_history();
    let mut text = String::new();
    loop {
        if text.is_empty() {
            shell.report_jobs(proc).await;
        }
        tty.report(&proc.machine().hostname(), None);
        let name = if text.is_empty() { "PS1" } else { "PS2" };
        let prompt = shell.prompt(proc, &shell.variable(name).unwrap_or_default()).await;
        match editor.read_line(&prompt).await {
            Input::Line(line) => {
                if !text.is_empty() {
                    text.push('\n');
                }
                text.push_str(&line);
            }
            Input::Interrupt => {
                shell.status.set(130);
                text.clear();
                continue;
            }
            Input::End if !text.is_empty() => {
                let error = ParseError::Unexpected { token: String::new(), line: 1 };
                shell.syntax_error(proc, &error, &text).await;
                text.clear();
                continue;
            }
            Input::End => {
                let jobs = shell.flavour.is_bash();
                if jobs {
                    let word = if shell.label.starts_with('-') { "logout" } else { "exit" };
                    proc.eprint(&format!("{word}\n")).await;
                }
                let status = shell.status.get();
                return shell.finish(proc, Err(Flow::Exit(status))).await;
            }
            Input::Hangup => return shell.finish(proc, Err(Flow::Exit(129))).await,
        }
        if let Some(code) = run_input(proc, shell, &mut editor, &mut text).await {
            return code;
        }
    }
}

/// Runs what was typed if it is complete; the exit code if that ended the shell.
async fn run_input(
    proc: &Proc,
    shell: &Rc<Shell>,
    editor: &mut Editor,
    text: &mut String,
) -> Option<i32> {
    match editor.expand_history(text) {
        Ok(Some(new)) => {
            proc.print(&format!("{new}\n")).await;
            *text = new;
        }
        Ok(None) => {}
        Err(error) => {
            shell.complain(proc, &error).await;
            text.clear();
            return None;
        }
    }
    let aliases = shell.aliases.borrow().clone();
    let parsed = parse(text, &aliases, shell.flavour.knows_extensions());
    // The line's end matters to a here document: it begins on the next line.
    let ended = || parse(&format!("{text}\n"), &aliases, shell.flavour.knows_extensions());
    let more = |parsed: &_| matches!(parsed, Err(ParseError::Incomplete(_)));
    if more(&parsed) || (!text.ends_with('\\') && more(&ended())) {
        return None;
    }
    let whole = std::mem::take(text);
    editor.remember(&whole);
    shell.line.set(1);
    let result = match parsed {
        Ok(list) if list.is_empty() => return None,
        Ok(list) => {
            if let Some(tty) = proc.tty() {
                tty.report(&proc.machine().hostname(), Some(whole.trim()));
            }
            shell.list(proc, &list, false).await
        }
        Err(error) => {
            shell.syntax_error(proc, &error, &whole).await;
            shell.status.set(2);
            return None;
        }
    };
    shell.tolerant.set(0);
    shell.loops.set(0);
    shell.depth.set(0);
    shell.on_stack.set(0);
    match result {
        Ok(status) => shell.status.set(status),
        Err(Flow::Error(status) | Flow::Return(status)) => shell.status.set(status),
        Err(Flow::Break(_) | Flow::Continue(_)) => {}
        Err(Flow::Interrupt) => shell.status.set(130),
        Err(Flow::Exit(status)) => return Some(shell.finish(proc, Err(Flow::Exit(status))).await),
    }
    while let Some(signal) = proc.try_signal() {
        if let Err(Flow::Exit(status)) = shell.handle_signal(proc, signal).await {
            return Some(shell.finish(proc, Err(Flow::Exit(status))).await);
        }
    }
    None
}

fn default_prompt(proc: &Proc, flavour: Flavour) -> &'static str {
    match (flavour, proc.who().uid) {
        (Flavour::Bash, _) => "\\u@\\h:\\w\\$ ",
        (Flavour::Ash, _) => "\\w \\$ ",
        (Flavour::Dash, 0) => "# ",
        (Flavour::Dash, _) => "$ ",
    }
}

impl Shell {
    /// Says why a text is not a script.
    pub(super) async fn syntax_error(&self, proc: &Proc, error: &ParseError, text: &str) {
        let lines = text.lines().count();
        let (token, line, end) = match error {
            ParseError::Incomplete(_) => (String::new(), lines + 1, true),
            ParseError::Unexpected { token, line } => (token.clone(), *line, token.is_empty()),
        };
        self.line.set(line);
        let interactive = self.source == Source::Interactive;
        match self.flavour {
            Flavour::Bash if end => {
                let text = match error {
                    ParseError::Incomplete(quote) if ["'", "\"", "`"].contains(&quote.as_str()) => {
                        format!("unexpected EOF while looking for matching `{quote}'")
                    }
                    _ => "syntax error: unexpected end of file".to_string(),
                };
                self.complain(proc, &text).await;
            }
            Flavour::Bash => {
                let at = if self.source == Source::Argument { "-c: " } else { "" };
                let prefix = match interactive {
                    true => self.prefix(),
                    false => format!("{}: {at}line {line}: ", self.label),
                };
                let near = format!("{prefix}syntax error near unexpected token `{token}'\n");
                proc.eprint(&near).await;
                if !interactive {
                    let shown = text.lines().nth(line - 1).unwrap_or_default();
                    proc.eprint(&format!("{prefix}`{shown}'\n")).await;
                }
            }
            flavour => {
                let what = match (flavour, error, end) {
                    (Flavour::Dash, ParseError::Incomplete(q), _) if q == "'" || q == "\"" => {
                        "Unterminated quoted string".to_string()
                    }
                    (Flavour::Ash, ParseError::Incomplete(q), _) if q == "'" || q == "\"" => {
                        "unterminated quoted string".to_string()
                    }
                    (Flavour::Dash, _, true) => "end of file unexpected".into(),
                    (Flavour::Dash, _, false) => format!("\"{token}\" unexpected"),
                    (_, _, true) => "unexpected end of file".into(),
                    (_, _, false) => format!("unexpected \"{token}\""),
                };
                let word = if flavour == Flavour::Dash { "Syntax" } else { "syntax" };
                self.complain(proc, &format!("{word} error: {what}")).await;
            }
        }
    }
}
