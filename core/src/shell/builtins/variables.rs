//! `export`, `local`, `readonly`, `declare`, `unset`, `shift`.

use crate::{
    machine::Proc,
    shell::{Exec, Flavour, Flow, Shell, escape::quote, simple::is_name, vars::Value},
};

enum Attribute {
    Exported,
    ReadOnly,
    None,
}

async fn each(shell: &Shell, proc: &Proc, local: bool, attribute: Attribute) -> Exec {
    let (mut status, mut remove, mut array) = (0, false, false);
    for arg in proc.args().get(1..).unwrap_or_default() {
        if let Some(flags) = arg.strip_prefix('-').filter(|f| !f.is_empty()) {
            remove |= flags.contains('n');
            array |= flags.contains('a');
            continue;
        }
        let (name, value) = match arg.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (arg.as_str(), None),
        };
        let (name, append) = match name.strip_suffix('+') {
            Some(name) => (name, true),
            None => (name, false),
        };
        if !is_name(name) {
            let text = match shell.flavour {
                Flavour::Bash => format!("`{arg}': not a valid identifier"),
                _ => format!("{name}: bad variable name"),
            };
            shell.complain_builtin(proc, proc.name(), &text).await;
            status = 1;
            if !shell.flavour.is_bash() {
                return Err(Flow::Error(2));
            }
            continue;
        }
        if local && !shell.vars.borrow_mut().make_local(name) {
            let text = "can only be used in a function";
            shell.complain_builtin(proc, proc.name(), text).await;
            return Ok(1);
        }
        if let Some(value) = value {
            let old = shell.variable(name).filter(|_| append).unwrap_or_default();
            shell.assign(proc, name, Value::Text(old + value)).await?;
        } else if array && shell.vars.borrow().get(name).is_none() {
            shell.assign(proc, name, Value::Array(Default::default())).await?;
        }
        let mut vars = shell.vars.borrow_mut();
        match attribute {
            Attribute::Exported => vars.entry(name).exported = !remove,
            Attribute::ReadOnly => vars.entry(name).read_only = true,
            Attribute::None if local => drop(vars.entry(name)),
            Attribute::None => {}
        }
    }
    Ok(status)
}

fn names_given(proc: &Proc) -> bool {
    proc.args().iter().skip(1).any(|arg| !arg.starts_with('-'))
}

async fn print_all(
    shell: &Shell,
    proc: &Proc,
    word: &str,
    filter: fn(&crate::shell::vars::Variable) -> bool,
) -> Exec {
    let mut out = String::new();
    for (name, variable) in shell.vars.borrow().iter().filter(|(_, v)| filter(v)) {
        out.push_str(word);
        out.push_str(name);
        if let Some(value) = &variable.value {
            out.push_str(&match shell.flavour {
                Flavour::Bash => format!("=\"{}\"", value.text()),
                _ => format!("={}", always_quote(value.text())),
            });
        }
        out.push('\n');
    }
    proc.print(&out).await;
    Ok(0)
}

/// As busybox and dash list variables.
pub fn always_quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\"'\"'"))
}

pub async fn export(shell: &Shell, proc: &Proc) -> Exec {
    if !names_given(proc) {
        let word = if shell.flavour.is_bash() { "declare -x " } else { "export " };
        return print_all(shell, proc, word, |v| v.exported).await;
    }
    each(shell, proc, false, Attribute::Exported).await
}

pub async fn readonly(shell: &Shell, proc: &Proc) -> Exec {
    if !names_given(proc) {
        let word = if shell.flavour.is_bash() { "declare -r " } else { "readonly " };
        return print_all(shell, proc, word, |v| v.read_only).await;
    }
    each(shell, proc, false, Attribute::ReadOnly).await
}

pub async fn local(shell: &Shell, proc: &Proc) -> Exec {
    each(shell, proc, true, Attribute::None).await
}

pub async fn declare(shell: &Shell, proc: &Proc) -> Exec {
    let has = |letter: char| proc.args().iter().any(|a| a.starts_with('-') && a.contains(letter));
    if has('f') || has('F') {
        let names: Vec<String> = shell.functions.borrow().keys().cloned().collect();
        for name in names {
            proc.print(&format!("declare -f {name}\n")).await;
        }
        return Ok(0);
    }
    if has('A') {
        shell.complain_builtin(proc, proc.name(), "associative arrays are not simulated").await;
        return Ok(1);
    }
    if !names_given(proc) {
        return print_all(shell, proc, "declare -- ", |v| v.value.is_some()).await;
    }
    if has('p') {
        for name in proc.args().iter().skip(1).filter(|a| !a.starts_with('-')) {
            match shell.variable(name) {
                Some(value) => proc.print(&format!("declare -- {name}={}\n", quote(&value))).await,
                None => {
                    shell.complain_builtin(proc, "declare", &format!("{name}: not found")).await;
                    return Ok(1);
                }
            }
        }
        return Ok(0);
    }
    let attribute = match (has('x'), has('r')) {
        (true, _) => Attribute::Exported,
        (_, true) => Attribute::ReadOnly,
        _ => Attribute::None,
    };
    let local = !has('g') && shell.vars.borrow_mut().make_local("_");
    each(shell, proc, local, attribute).await
}

pub async fn unset(shell: &Shell, proc: &Proc) -> Exec {
    let (mut status, mut function) = (0, false);
    for name in proc.args().get(1..).unwrap_or_default() {
        match name.as_str() {
            "-f" => function = true,
            "-v" => function = false,
            name if function => drop(shell.functions.borrow_mut().remove(name)),
            name => {
                let known = shell.vars.borrow().variable(name).is_some();
                if !known {
                    shell.functions.borrow_mut().remove(name);
                } else if !shell.vars.borrow_mut().unset(name) {
                    let text = match shell.flavour {
                        Flavour::Bash => format!("{name}: cannot unset: readonly variable"),
                        _ => format!("{name}: is read only"),
                    };
                    shell.complain_builtin(proc, "unset", &text).await;
                    status = 1;
                }
            }
        }
    }
    Ok(status)
}

pub async fn shift(shell: &Shell, proc: &Proc) -> Exec {
    let count = proc.args().get(1).map_or(Ok(1), |n| n.parse::<usize>());
    let length = shell.positional.borrow().len();
    match count {
        Ok(count) if count <= length => {
            shell.positional.borrow_mut().drain(..count);
            Ok(0)
        }
        Ok(_) if shell.flavour == Flavour::Dash => {
            Err(shell.fail(proc, "shift: can't shift that many").await)
        }
        _ => Ok(1),
    }
}
