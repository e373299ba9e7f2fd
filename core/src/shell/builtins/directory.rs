//! `cd`, `pwd`, `pushd`, `popd`.

use super::control::text;
use crate::{
    machine::{FsError, Proc},
    shell::{Exec, Flavour, Shell, vars::Value},
};

/// An absolute path without `.` and `..`, as text.
fn normalise(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

pub async fn cd(shell: &Shell, proc: &Proc) -> Exec {
    let mut args = proc.args().get(1..).unwrap_or_default();
    let mut physical = false;
    while let Some(flag @ ("-L" | "-P" | "--")) = args.first().map(String::as_str) {
        physical = flag == "-P";
        args = &args[1..];
        if flag == "--" {
            break;
        }
    }
    if args.len() > 1 && shell.flavour.is_bash() {
        shell.complain_builtin(proc, "cd", "too many arguments").await;
        return Ok(1);
    }
    let mut show = false;
    let target = match args.first().map(String::as_str) {
        None => match shell.variable("HOME") {
            Some(home) => home,
            None => {
                shell.complain_builtin(proc, "cd", "HOME not set").await;
                return Ok(1);
            }
        },
        Some("-") => match shell.variable("OLDPWD") {
            Some(old) => {
                show = true;
                old
            }
            None => {
                shell.complain_builtin(proc, "cd", "OLDPWD not set").await;
                return Ok(1);
            }
        },
        Some(path) => path.to_string(),
    };
    match go(shell, proc, &target, physical) {
        Ok(new) => {
            if show {
                proc.print(&format!("{new}\n")).await;
            }
            Ok(0)
        }
        Err(error) => {
            let message = match shell.flavour {
                Flavour::Bash => format!("{target}: {error}"),
                Flavour::Dash => format!("can't cd to {target}"),
                Flavour::Ash => format!("can't cd to {target}: {error}"),
            };
            shell.complain_builtin(proc, "cd", &message).await;
            Ok(if shell.flavour.is_bash() { 1 } else { 2 })
        }
    }
}

fn go(shell: &Shell, proc: &Proc, target: &str, physical: bool) -> Result<String, FsError> {
    let old = proc.cwd();
    let mut new = normalise(&proc.resolve(target));
    if physical {
        new = proc.machine().files().real_path(&new, proc.who())?;
    }
    if target.is_empty() {
        return Ok(old);
    }
    proc.set_cwd(&new)?;
    let mut vars = shell.vars.borrow_mut();
    let _ = vars.set("OLDPWD", text(old));
    let _ = vars.set("PWD", text(new.clone()));
    vars.entry("OLDPWD").exported = true;
    vars.entry("PWD").exported = true;
    Ok(new)
}

pub async fn pwd(_shell: &Shell, proc: &Proc) -> Exec {
    let cwd = match proc.args().get(1).map(String::as_str) {
        Some("-P") => proc.machine().files().real_path(&proc.cwd(), proc.who()),
        _ => Ok(proc.cwd()),
    };
    proc.print(&format!("{}\n", cwd.unwrap_or_else(|_| proc.cwd()))).await;
    Ok(0)
}

fn stack(shell: &Shell) -> Vec<String> {
    match shell.vars.borrow().get("DIRSTACK") {
        Some(Value::Array(items)) => items.values().cloned().collect(),
        _ => Vec::new(),
    }
}

fn set_stack(shell: &Shell, dirs: Vec<String>) {
    let _ = shell.vars.borrow_mut().set("DIRSTACK", Value::Array((0..).zip(dirs).collect()));
}

pub async fn dirs(shell: &Shell, proc: &Proc) -> Exec {
    let home = shell.variable("HOME").unwrap_or_default();
    let short = |path: String| match path.strip_prefix(&home) {
        Some(rest) if !home.is_empty() && (rest.is_empty() || rest.starts_with('/')) => {
            format!("~{rest}")
        }
        _ => path,
    };
    let all: Vec<String> =
        [vec![proc.cwd()], stack(shell)].concat().into_iter().map(short).collect();
    proc.print(&format!("{}\n", all.join(" "))).await;
    Ok(0)
}

pub async fn pushd(shell: &Shell, proc: &Proc) -> Exec {
    let mut dirs_now = stack(shell);
    let target = match proc.args().get(1) {
        Some(dir) => dir.clone(),
        None if dirs_now.is_empty() => {
            shell.complain_builtin(proc, "pushd", "no other directory").await;
            return Ok(1);
        }
        None => dirs_now.remove(0),
    };
    let old = proc.cwd();
    if let Err(error) = go(shell, proc, &target, false) {
        shell.complain_builtin(proc, "pushd", &format!("{target}: {error}")).await;
        return Ok(1);
    }
    dirs_now.insert(0, old);
    set_stack(shell, dirs_now);
    dirs(shell, proc).await
}

pub async fn popd(shell: &Shell, proc: &Proc) -> Exec {
    let mut dirs_now = stack(shell);
    if dirs_now.is_empty() {
        shell.complain_builtin(proc, "popd", "directory stack empty").await;
        return Ok(1);
    }
    let target = dirs_now.remove(0);
    if let Err(error) = go(shell, proc, &target, false) {
        shell.complain_builtin(proc, "popd", &format!("{target}: {error}")).await;
        return Ok(1);
    }
    set_stack(shell, dirs_now);
    dirs(shell, proc).await
}
