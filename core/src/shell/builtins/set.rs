//! `set`, `shopt`, `trap`, `alias`, `umask`, `ulimit`, `history`.

use super::variables::always_quote;
use crate::{
    machine::{Proc, Signal},
    shell::{Exec, Flavour, Flow, Shell, escape::quote, vars::NAMES},
};

pub async fn set(shell: &Shell, proc: &Proc) -> Exec {
    let args = proc.args();
    if args.len() == 1 {
        let mut out = String::new();
        for (name, variable) in shell.vars.borrow().iter() {
            let Some(value) = &variable.value else { continue };
            let value = match shell.flavour {
                Flavour::Bash => quote(value.text()),
                _ => always_quote(value.text()),
            };
            out.push_str(&format!("{name}={value}\n"));
        }
        proc.print(&out).await;
        return Ok(0);
    }
    let mut at = 1;
    while let Some(arg) = args.get(at) {
        let on = arg.starts_with('-');
        if arg == "--" || arg == "-" {
            at += 1;
            *shell.positional.borrow_mut() = args[at..].to_vec();
            return Ok(0);
        }
        let Some(letters) = arg.strip_prefix(['-', '+']).filter(|l| !l.is_empty()) else { break };
        at += 1;
        for letter in letters.chars() {
            let mut options = shell.options.get();
            let known = if letter == 'o' {
                let Some(name) = args.get(at) else {
                    list_options(shell, proc, on).await;
                    return Ok(0);
                };
                at += 1;
                set_named(&mut options, name, on)
            } else if "hmbBEHPTk".contains(letter) {
                true // job control, hashing and the like: as they are
            } else {
                options.by_letter(letter).map(|option| *option = on).is_some()
            };
            if !known {
                let text = match shell.flavour {
                    Flavour::Bash => format!("set: {arg}: invalid option"),
                    _ => format!("set: Illegal option {arg}"),
                };
                shell.complain(proc, &text).await;
                return if shell.flavour.is_bash() { Ok(2) } else { Err(Flow::Error(2)) };
            }
            shell.options.set(options);
        }
    }
    if at < args.len() {
        *shell.positional.borrow_mut() = args[at..].to_vec();
    }
    Ok(0)
}

fn set_named(options: &mut crate::shell::vars::Options, name: &str, on: bool) -> bool {
    // Line editing and history are as they are.
    ["emacs", "vi", "history", "monitor", "hashall", "braceexpand", "histexpand"].contains(&name)
        || options.by_name(name).map(|option| *option = on).is_some()
}

async fn list_options(shell: &Shell, proc: &Proc, human: bool) {
    let mut options = shell.options.get();
    for name in NAMES.iter().map(|(_, name)| *name).chain(["pipefail"]) {
        let on = options.by_name(name).is_some_and(|o| *o);
        let line = match human {
            true => format!("{name:<15}\t{}\n", if on { "on" } else { "off" }),
            false => format!("set {}o {name}\n", if on { '-' } else { '+' }),
        };
        proc.print(&line).await;
    }
}

pub async fn shopt(shell: &Shell, proc: &Proc) -> Exec {
    let names: Vec<&String> = proc.args().iter().skip(1).filter(|a| !a.starts_with('-')).collect();
    if names.is_empty() {
        return Ok(0);
    }
    // Those that say how this shell behaves anyway.
    let kept = ["checkwinsize", "histappend", "cmdhist", "expand_aliases", "promptvars"];
    for name in names {
        if !kept.contains(&name.as_str()) {
            shell.complain_builtin(proc, "shopt", &format!("{name}: not simulated")).await;
            return Ok(1);
        }
    }
    Ok(0)
}

pub async fn trap(shell: &Shell, proc: &Proc) -> Exec {
    let mut args = proc.args().get(1..).unwrap_or_default();
    match args.first().map(String::as_str) {
        None | Some("-p") => {
            let traps = shell.traps.borrow().clone();
            for (name, action) in traps {
                let sig = if name == "EXIT" || !shell.flavour.is_bash() { "" } else { "SIG" };
                proc.print(&format!("trap -- '{action}' {sig}{name}\n")).await;
            }
            return Ok(0);
        }
        Some("-l") => {
            let call = proc.with(vec!["kill".into(), "-l".into()], proc.io().clone());
            return super::jobs::kill(shell, &call).await;
        }
        Some("--") => args = &args[1..],
        _ => {}
    }
    let numeric = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    let (action, names) = match args {
        [only] => (None, std::slice::from_ref(only)),
        [first, ..] if numeric(first) => (None, args),
        [action, names @ ..] => (Some(action.as_str()).filter(|a| *a != "-"), names),
        [] => return Ok(0),
    };
    let mut status = 0;
    for name in names {
        if name == "EXIT" || name == "0" {
            set_trap(shell, "EXIT", action);
            continue;
        }
        let Some(signal) = Signal::parse(name) else {
            let bash = shell.flavour.is_bash();
            if bash && ["ERR", "DEBUG", "RETURN"].contains(&name.as_str()) {
                shell.complain_builtin(proc, "trap", &format!("{name}: not simulated")).await;
            } else if bash {
                let text = format!("{name}: invalid signal specification");
                shell.complain_builtin(proc, "trap", &text).await;
            } else {
                shell.complain_builtin(proc, "trap", &format!("{name}: bad trap")).await;
            }
            status = 1;
            continue;
        };
        set_trap(shell, signal.name(), action);
        proc.ignore(signal, action == Some(""));
        if action.is_some_and(|a| !a.is_empty()) {
            drop(proc.signal()); // from here on the shell handles signals itself
        }
    }
    Ok(status)
}

fn set_trap(shell: &Shell, name: &str, action: Option<&str>) {
    let mut traps = shell.traps.borrow_mut();
    match action {
        Some(action) => drop(traps.insert(name.to_string(), action.to_string())),
        None => drop(traps.remove(name)),
    }
}

pub async fn alias(shell: &Shell, proc: &Proc) -> Exec {
    let shown = |name: &str, text: &str| match shell.flavour {
        Flavour::Bash => format!("alias {name}='{}'\n", text.replace('\'', "'\\''")),
        _ => format!("{name}={}\n", always_quote(text)),
    };
    if proc.args().len() == 1 {
        let all = shell.aliases.borrow().clone();
        for (name, text) in all {
            proc.print(&shown(&name, &text)).await;
        }
        return Ok(0);
    }
    let mut status = 0;
    for arg in &proc.args()[1..] {
        if let Some((name, text)) = arg.split_once('=') {
            shell.aliases.borrow_mut().insert(name.to_string(), text.to_string());
            continue;
        }
        let text = shell.aliases.borrow().get(arg).cloned();
        match text {
            Some(text) => proc.print(&shown(arg, &text)).await,
            None => {
                shell.complain_builtin(proc, "alias", &format!("{arg}: not found")).await;
                status = 1;
            }
        }
    }
    Ok(status)
}

pub async fn unalias(shell: &Shell, proc: &Proc) -> Exec {
    let mut status = 0;
    for name in proc.args().iter().skip(1) {
        if name == "-a" {
            shell.aliases.borrow_mut().clear();
        } else if shell.aliases.borrow_mut().remove(name).is_none() {
            shell.complain_builtin(proc, "unalias", &format!("{name}: not found")).await;
            status = 1;
        }
    }
    Ok(status)
}

pub async fn umask(shell: &Shell, proc: &Proc) -> Exec {
    match proc.args().get(1).map(String::as_str) {
        None => {
            proc.print("0022\n").await;
            Ok(0)
        }
        Some("022" | "0022") => Ok(0),
        Some(_) => {
            shell.complain_builtin(proc, "umask", "changing it is not simulated").await;
            Ok(1)
        }
    }
}

pub async fn ulimit(shell: &Shell, proc: &Proc) -> Exec {
    if proc.args().iter().skip(1).any(|a| !a.starts_with('-')) {
        shell.complain_builtin(proc, "ulimit", "limits are not simulated").await;
        return Ok(1);
    }
    proc.print("unlimited\n").await;
    Ok(0)
}

pub async fn history(shell: &Shell, proc: &Proc) -> Exec {
    match proc.args().get(1).map(String::as_str) {
        Some("-c") => {
            shell.history.borrow_mut().clear();
            return Ok(0);
        }
        Some("-a" | "-w" | "-r" | "-n") => return Ok(0), // the file is written with each command
        _ => {}
    }
    let lines = shell.history.borrow().clone();
    let count = match proc.args().get(1).map(|n| n.parse::<usize>()) {
        Some(Ok(count)) => count,
        Some(Err(_)) => {
            let text = format!("{}: numeric argument required", proc.args()[1]);
            shell.complain_builtin(proc, "history", &text).await;
            return Ok(1);
        }
        None => lines.len(),
    };
    let skip = lines.len().saturating_sub(count);
    let width = if shell.flavour.is_bash() { 5 } else { 4 };
    for (index, line) in lines.iter().enumerate().skip(skip) {
        proc.print(&format!("{:>width$}  {line}\n", index + 1)).await;
    }
    Ok(0)
}
