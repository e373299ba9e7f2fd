//! `jobs`, `fg`, `bg`, `wait`, `kill`, `disown`.

use crate::{
    machine::{Child, ExitStatus, Proc, SIGNALS, Signal},
    shell::{Exec, Flavour, Flow, Shell, jobs::Job},
    sim::{Either, race},
};

pub async fn list(shell: &Shell, proc: &Proc) -> Exec {
    let flag = proc.args().get(1).map_or("", String::as_str);
    let lines: Vec<(Job, String)> = {
        let jobs = shell.jobs.borrow();
        jobs.all().into_iter().map(|job| (job.clone(), jobs.line(&job, flag == "-l"))).collect()
    };
    for (job, line) in lines {
        if flag == "-p" {
            proc.print(&format!("{}\n", job.group())).await;
            continue;
        }
        proc.print(&line).await;
        if job.status().is_some() {
            shell.jobs.borrow_mut().remove(job.id);
        }
    }
    Ok(0)
}

async fn job(shell: &Shell, proc: &Proc) -> Result<Job, i32> {
    let name = proc.args().get(1).cloned().unwrap_or_else(|| "%+".into());
    let wanted = if name.starts_with('%') { name.clone() } else { format!("%{name}") };
    let found = shell.jobs.borrow().find(&wanted);
    match found {
        Some(job) => Ok(job),
        None => {
            let shown = if proc.args().len() > 1 { name.as_str() } else { "current" };
            shell.complain_builtin(proc, proc.name(), &format!("{shown}: no such job")).await;
            Err(1)
        }
    }
}

pub async fn fg(shell: &Shell, proc: &Proc) -> Exec {
    if !shell.is_interactive() {
        shell.complain_builtin(proc, "fg", "no job control").await;
        return Ok(1);
    }
    let job = match job(shell, proc).await {
        Ok(job) => job,
        Err(status) => return Ok(status),
    };
    proc.print(&format!("{}\n", job.text)).await;
    shell.jobs.borrow_mut().remove(job.id);
    let codes = shell.wait_foreground(proc, job.children, &job.text).await?;
    Ok(codes.last().copied().unwrap_or(0))
}

pub async fn bg(shell: &Shell, proc: &Proc) -> Exec {
    if !shell.is_interactive() {
        shell.complain_builtin(proc, "bg", "no job control").await;
        return Ok(1);
    }
    match job(shell, proc).await {
        Ok(job) => {
            // Nothing is ever stopped here, so a job is in the background already.
            let text = format!("job {} already in background", job.id);
            shell.complain_builtin(proc, "bg", &text).await;
            Ok(0)
        }
        Err(status) => Ok(status),
    }
}

pub async fn disown(shell: &Shell, proc: &Proc) -> Exec {
    match job(shell, proc).await {
        Ok(job) => {
            shell.jobs.borrow_mut().remove(job.id);
            Ok(0)
        }
        Err(status) => Ok(status),
    }
}

/// Waits for children, letting traps run; the exit code if a signal came first.
async fn wait_all(shell: &Shell, proc: &Proc, children: &[Child]) -> Result<Option<i32>, Flow> {
    let catches = shell.is_interactive() || !shell.traps.borrow().is_empty();
    let mut code = 0;
    for child in children {
        if !catches {
            code = child.wait().await.code();
            continue;
        }
        loop {
            match race(child.wait(), proc.signal()).await {
                Either::Left(status) => {
                    code = status.code();
                    break;
                }
                Either::Right(signal) if signal.ignored_by_default() => {}
                Either::Right(signal) => {
                    shell.handle_signal(proc, signal).await?;
                    return Ok(Some(128 + signal.number()));
                }
            }
        }
    }
    Ok(Some(code))
}

pub async fn wait(shell: &Shell, proc: &Proc) -> Exec {
    let names = proc.args().get(1..).unwrap_or_default();
    if names.is_empty() {
        let jobs = shell.jobs.borrow().all();
        let children: Vec<Child> = jobs.iter().flat_map(|j| j.children.clone()).collect();
        let code = wait_all(shell, proc, &children).await?;
        let interrupted = jobs.iter().any(|job| job.status().is_none());
        if !interrupted && !shell.is_interactive() {
            for job in jobs {
                shell.jobs.borrow_mut().remove(job.id);
            }
        }
        return Ok(if interrupted { code.unwrap_or(0) } else { 0 });
    }
    let mut status = 0;
    for name in names {
        let found = shell.jobs.borrow().find(name);
        let Some(job) = found else {
            let text = match name.starts_with('%') {
                true => format!("{name}: no such job"),
                false => format!("pid {name} is not a child of this shell"),
            };
            if shell.flavour.is_bash() {
                shell.complain_builtin(proc, "wait", &text).await;
            }
            status = 127;
            continue;
        };
        status = wait_all(shell, proc, &job.children).await?.unwrap_or(0);
        if job.status().is_some() && !shell.is_interactive() {
            shell.jobs.borrow_mut().remove(job.id);
        }
    }
    Ok(status)
}

pub async fn kill(shell: &Shell, proc: &Proc) -> Exec {
    let mut signal = Signal::Term;
    let mut args = proc.args().get(1..).unwrap_or_default();
    match args.first().map(String::as_str) {
        Some("-l" | "-L") => {
            for (index, (signal, name)) in SIGNALS.iter().enumerate() {
                let end = if index % 5 == 4 || index + 1 == SIGNALS.len() { "\n" } else { "\t" };
                proc.print(&format!("{:>2}) SIG{name}{end}", signal.number())).await;
            }
            return Ok(0);
        }
        Some("-s" | "-n") => {
            match args.get(1).and_then(|name| Signal::parse(name)) {
                Some(named) => signal = named,
                None => return bad_signal(shell, proc, args.get(1)).await,
            }
            args = &args[2..];
        }
        Some("--") => args = &args[1..],
        Some(flag) if flag.starts_with('-') && flag.len() > 1 => {
            if flag == "-0" {
                return probe(shell, proc, &args[1..]).await;
            }
            match Signal::parse(&flag[1..]) {
                Some(named) => signal = named,
                None => return bad_signal(shell, proc, Some(&flag[1..].to_string())).await,
            }
            args = &args[1..];
        }
        _ => {}
    }
    if args.is_empty() {
        let usage = "usage: kill [-s sigspec | -n signum | -sigspec] pid | jobspec ... or kill -l [sigspec]";
        proc.eprint(&format!("kill: {usage}\n")).await;
        return Ok(2);
    }
    let mut status = 0;
    for target in args {
        if !send(shell, proc, target, signal).await {
            status = 1;
        }
    }
    Ok(status)
}

async fn bad_signal(shell: &Shell, proc: &Proc, name: Option<&String>) -> Exec {
    let name = name.map_or("", String::as_str);
    let text = match shell.flavour {
        Flavour::Bash => format!("{name}: invalid signal specification"),
        Flavour::Dash => format!("invalid signal number or name: {name}"),
        Flavour::Ash => format!("bad signal name '{name}'"),
    };
    shell.complain_builtin(proc, "kill", &text).await;
    Ok(1)
}

async fn probe(shell: &Shell, proc: &Proc, targets: &[String]) -> Exec {
    for target in targets {
        let pid = target.parse().unwrap_or(0);
        if proc.machine().process(pid).is_none() {
            missing(shell, proc, target).await;
            return Ok(1);
        }
    }
    Ok(0)
}

async fn missing(shell: &Shell, proc: &Proc, target: &str) {
    match shell.flavour {
        Flavour::Bash => {
            let text = format!("({target}) - No such process");
            shell.complain_builtin(proc, "kill", &text).await;
        }
        Flavour::Dash => shell.complain(proc, "kill: No such process").await,
        Flavour::Ash => {
            shell.complain(proc, &format!("can't kill pid {target}: No such process")).await
        }
    }
}

async fn send(shell: &Shell, proc: &Proc, target: &str, signal: Signal) -> bool {
    if target.starts_with('%') {
        let found = shell.jobs.borrow().find(target);
        let Some(job) = found else {
            shell.complain_builtin(proc, "kill", &format!("{target}: no such job")).await;
            return false;
        };
        for child in job.children {
            child.process().signal(signal, false);
        }
        return true;
    }
    let Ok(pid) = target.parse::<i64>() else {
        let text = match shell.flavour {
            Flavour::Bash => format!("{target}: arguments must be process or job IDs"),
            _ => format!("invalid number '{target}'"),
        };
        shell.complain_builtin(proc, "kill", &text).await;
        return false;
    };
    if pid < 0 {
        proc.machine().signal_group(pid.unsigned_abs() as u32, signal);
        return true;
    }
    let process = u32::try_from(pid).ok().and_then(|pid| proc.machine().process(pid));
    let Some(process) = process else {
        missing(shell, proc, target).await;
        return false;
    };
    let who = proc.who();
    if who.uid != 0 && who.uid != process.who.get().uid {
        let text = format!("({target}) - Operation not permitted");
        shell.complain_builtin(proc, "kill", &text).await;
        return false;
    }
    process.signal(signal, false);
    if let Some(ExitStatus::Signal(_)) = process.status()
        && process.pid == proc.pid()
    {
        std::future::pending::<()>().await; // it was this shell
    }
    true
}
