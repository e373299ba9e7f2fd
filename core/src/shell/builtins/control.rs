//! `break`, `return`, `exit`, `eval`, `.`, `command`, `type`: where execution goes.

use crate::{
    machine::Proc,
    shell::{Exec, Flavour, Flow, Shell, builtins, vars::Value},
};

pub async fn nothing(_shell: &Shell, _proc: &Proc) -> Exec {
    Ok(0)
}

fn count(proc: &Proc) -> usize {
    proc.args().get(1).and_then(|n| n.parse().ok()).unwrap_or(1)
}

pub async fn break_(shell: &Shell, proc: &Proc) -> Exec {
    if shell.loops.get() == 0 {
        return Ok(0);
    }
    Err(Flow::Break(count(proc)))
}

pub async fn continue_(shell: &Shell, proc: &Proc) -> Exec {
    if shell.loops.get() == 0 {
        return Ok(0);
    }
    Err(Flow::Continue(count(proc)))
}

async fn status(shell: &Shell, proc: &Proc) -> Result<i32, Flow> {
    let Some(text) = proc.args().get(1) else { return Ok(shell.status.get()) };
    match text.parse::<i32>() {
        Ok(status) => Ok(status & 0xff),
        Err(_) => {
            let message = match shell.flavour {
                Flavour::Bash => format!("{text}: numeric argument required"),
                _ => format!("Illegal number: {text}"),
            };
            shell.complain_builtin(proc, proc.name(), &message).await;
            Err(Flow::Error(2))
        }
    }
}

pub async fn return_(shell: &Shell, proc: &Proc) -> Exec {
    Err(Flow::Return(status(shell, proc).await?))
}

pub async fn exit(shell: &Shell, proc: &Proc) -> Exec {
    if shell.is_interactive() && shell.flavour.is_bash() {
        let word = if shell.label.starts_with('-') { "logout" } else { "exit" };
        proc.eprint(&format!("{word}\n")).await;
    }
    Err(Flow::Exit(status(shell, proc).await?))
}

pub async fn eval(shell: &Shell, proc: &Proc) -> Exec {
    let text = proc.args().get(1..).unwrap_or_default().join(" ");
    shell.eval(proc, &text).await
}

pub async fn source(shell: &Shell, proc: &Proc) -> Exec {
    let Some(name) = proc.args().get(1) else {
        shell.complain_builtin(proc, proc.name(), "filename argument required").await;
        return Ok(2);
    };
    let mut path = name.clone();
    if !name.contains('/') {
        let search = shell.variable("PATH").unwrap_or_default();
        let found = search.split(':').map(|dir| format!("{dir}/{name}")).find(|p| proc.exists(p));
        path = found.unwrap_or(path);
    }
    let text = match proc.read_text(&path) {
        Ok(text) => text,
        Err(error) => {
            let message = match shell.flavour {
                Flavour::Bash => format!("{name}: {error}"),
                Flavour::Dash => format!(".: cannot open {name}: No such file"),
                Flavour::Ash => format!("can't open '{name}': {error}"),
            };
            shell.complain(proc, &message).await;
            return match shell.flavour {
                Flavour::Bash => Ok(1),
                _ => Err(Flow::Error(2)),
            };
        }
    };
    let args = proc.args().get(2..).unwrap_or_default().to_vec();
    let old = (!args.is_empty()).then(|| shell.positional.replace(args));
    let result = shell.eval(proc, &text).await;
    if let Some(old) = old {
        *shell.positional.borrow_mut() = old;
    }
    match result {
        Err(Flow::Return(status)) => Ok(status),
        other => other,
    }
}

pub async fn builtin(shell: &Shell, proc: &Proc) -> Exec {
    let args = proc.args().get(1..).unwrap_or_default().to_vec();
    let Some(name) = args.first().cloned() else { return Ok(0) };
    match builtins::find(&name, shell.flavour) {
        Some(builtin) => {
            let call = proc.with(args, proc.io().clone());
            builtin.run(shell, &call).await
        }
        None => {
            shell.complain_builtin(proc, "builtin", &format!("{name}: not a shell builtin")).await;
            Ok(1)
        }
    }
}

pub async fn command(shell: &Shell, proc: &Proc) -> Exec {
    let mut args = proc.args().get(1..).unwrap_or_default();
    let mut describe = None;
    while let Some(flag) = args.first().filter(|a| a.starts_with('-') && a.len() > 1) {
        args = &args[1..];
        match flag.as_str() {
            "-v" => describe = Some(false),
            "-V" => describe = Some(true),
            "-p" => {}
            _ => break,
        }
    }
    if let Some(verbose) = describe {
        let mut status = 0;
        for name in args {
            match (what_is(shell, proc, name), verbose) {
                (Some(what), true) => proc.print(&format!("{name} is {}\n", what.words())).await,
                (Some(What::File(path)), false) => proc.print(&format!("{path}\n")).await,
                (Some(What::Alias(text)), false) => {
                    proc.print(&format!("alias {name}='{text}'\n")).await;
                }
                (Some(_), false) => proc.print(&format!("{name}\n")).await,
                (None, true) => {
                    shell.complain_builtin(proc, "command", &format!("{name}: not found")).await;
                    status = 1;
                }
                (None, false) => status = if shell.flavour.is_bash() { 1 } else { 127 },
            }
        }
        return Ok(status);
    }
    let Some(name) = args.first() else { return Ok(0) };
    if let Some(builtin) = builtins::find(name, shell.flavour) {
        let call = proc.with(args.to_vec(), proc.io().clone());
        return builtin.run(shell, &call).await;
    }
    let words: Vec<_> =
        args.iter().map(|a| vec![crate::shell::ast::Part::Quoted(a.clone())]).collect();
    let hidden = shell.functions.borrow_mut().remove(name);
    let result = Box::pin(shell.simple(proc, &[], &words, &[], false)).await;
    if let Some(body) = hidden {
        shell.functions.borrow_mut().insert(name.clone(), body);
    }
    result
}

enum What {
    Alias(String),
    Keyword,
    Function,
    Builtin,
    File(String),
}

impl What {
    fn words(&self) -> String {
        match self {
            What::Alias(text) => format!("aliased to `{text}'"),
            What::Keyword => "a shell keyword".into(),
            What::Function => "a function".into(),
            What::Builtin => "a shell builtin".into(),
            What::File(path) => path.clone(),
        }
    }
}

const KEYWORDS: &[&str] = &[
    "!", "[[", "]]", "case", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if",
    "in", "then", "time", "until", "while", "{", "}",
];

fn what_is(shell: &Shell, proc: &Proc, name: &str) -> Option<What> {
    if let Some(text) = shell.aliases.borrow().get(name) {
        return Some(What::Alias(text.clone()));
    }
    if KEYWORDS.contains(&name) {
        return Some(What::Keyword);
    }
    if shell.functions.borrow().contains_key(name) {
        return Some(What::Function);
    }
    if name == "exec" || builtins::find(name, shell.flavour).is_some() {
        return Some(What::Builtin);
    }
    shell.sync_environment(proc);
    let path = proc.machine().find_command(name, &proc.env_all(), &proc.cwd(), proc.who()).ok()?;
    Some(What::File(path))
}

pub async fn type_(shell: &Shell, proc: &Proc) -> Exec {
    let (mut status, mut short, mut path) = (0, false, false);
    for name in proc.args().get(1..).unwrap_or_default() {
        match name.as_str() {
            "-t" => short = true,
            "-p" => path = true,
            "-a" => {}
            _ => match what_is(shell, proc, name) {
                Some(what) if short => {
                    let word = match what {
                        What::Alias(_) => "alias",
                        What::Keyword => "keyword",
                        What::Function => "function",
                        What::Builtin => "builtin",
                        What::File(_) => "file",
                    };
                    proc.print(&format!("{word}\n")).await;
                }
                Some(What::File(file)) if path => proc.print(&format!("{file}\n")).await,
                Some(_) if path => {}
                Some(what) => proc.print(&format!("{name} is {}\n", what.words())).await,
                None => {
                    status = 1;
                    if short || path {
                        continue;
                    }
                    match shell.flavour {
                        Flavour::Bash => {
                            let text = format!("{name}: not found");
                            shell.complain_builtin(proc, "type", &text).await;
                        }
                        _ => {
                            status = 127;
                            proc.print(&format!("{name}: not found\n")).await;
                        }
                    }
                }
            },
        }
    }
    Ok(status)
}

pub async fn let_(shell: &Shell, proc: &Proc) -> Exec {
    let mut value = 0;
    for text in proc.args().get(1..).unwrap_or_default() {
        match crate::shell::arith::evaluate(text, shell) {
            Ok(new) => value = new,
            Err(error) => {
                shell.complain_builtin(proc, "let", &format!("{text}: {error}")).await;
                return Ok(1);
            }
        }
    }
    Ok(i32::from(value == 0))
}

pub async fn times(_shell: &Shell, proc: &Proc) -> Exec {
    proc.print("0m0.000s 0m0.000s\n0m0.000s 0m0.000s\n").await;
    Ok(0)
}

/// For others that set variables.
pub fn text(value: impl Into<String>) -> Value {
    Value::Text(value.into())
}
