//! `read`, `mapfile`, `printf`, `getopts`.

use std::time::Duration;

use super::control::text;
use crate::{
    machine::{Mode, Proc, Signal},
    shell::{Exec, Flow, Shell, vars::Value},
    sim::{Either, race},
};

struct Wish {
    raw: bool,
    silent: bool,
    prompt: String,
    timeout: Option<Duration>,
    count: Option<usize>,
    delimiter: u8,
    array: Option<String>,
    names: Vec<String>,
}

fn wish(proc: &Proc) -> Result<Wish, String> {
    let mut wish = Wish {
        raw: false,
        silent: false,
        prompt: String::new(),
        timeout: None,
        count: None,
        delimiter: b'\n',
        array: None,
        names: Vec::new(),
    };
    let mut args = proc.args().iter().skip(1);
    while let Some(arg) = args.next() {
        let Some(letters) = arg.strip_prefix('-').filter(|l| !l.is_empty()) else {
            wish.names.push(arg.clone());
            continue;
        };
        let mut letters = letters.chars();
        while let Some(letter) = letters.next() {
            match letter {
                'r' => wish.raw = true,
                's' => wish.silent = true,
                'e' => {}
                'p' | 't' | 'n' | 'N' | 'd' | 'a' | 'u' => {
                    let rest: String = letters.by_ref().collect();
                    let value = if rest.is_empty() { args.next().cloned() } else { Some(rest) };
                    let value =
                        value.ok_or_else(|| format!("-{letter}: option requires an argument"))?;
                    let number =
                        || value.parse::<f64>().map_err(|_| format!("{value}: invalid number"));
                    match letter {
                        'p' => wish.prompt = value,
                        't' => {
                            wish.timeout = Some(Duration::from_secs_f64(number()?.clamp(0.0, 1e9)))
                        }
                        'd' => wish.delimiter = value.bytes().next().unwrap_or(0),
                        'a' => wish.array = Some(value),
                        'u' => return Err("-u: not simulated".into()),
                        _ => wish.count = Some(number()? as usize),
                    }
                }
                _ => return Err(format!("-{letter}: invalid option")),
            }
        }
    }
    Ok(wish)
}

pub async fn read(shell: &Shell, proc: &Proc) -> Exec {
    let wish = match wish(proc) {
        Ok(wish) => wish,
        Err(error) => {
            shell.complain_builtin(proc, "read", &error).await;
            return Ok(2);
        }
    };
    let tty = proc.tty();
    if tty.is_some() {
        proc.eprint(&wish.prompt).await;
    }
    let mode = tty.as_ref().map(|tty| tty.mode());
    if let Some(tty) = &tty
        && (wish.silent || wish.count.is_some())
    {
        tty.set_mode(Mode { echo: !wish.silent, canonical: wish.count.is_none(), ..Mode::COOKED });
    }
    let result = take_line(shell, proc, &wish).await;
    if let (Some(tty), Some(mode)) = (&tty, mode) {
        tty.set_mode(mode);
    }
    let (line, complete, timed_out) = result?;
    store(shell, proc, &wish, &line).await?;
    Ok(match (timed_out, complete) {
        (true, _) => 142,
        (_, true) => 0,
        _ => 1,
    })
}

/// A line, whether its end was seen, and whether the time was up before.
async fn take_line(shell: &Shell, proc: &Proc, wish: &Wish) -> Result<(String, bool, bool), Flow> {
    let deadline = wish.timeout.map(|timeout| proc.sim().now() + timeout);
    let catches = shell.is_interactive() || !shell.traps.borrow().is_empty();
    let mut line = Vec::new();
    loop {
        let most = wish.count.map_or(65_536, |count| count.saturating_sub(line.len()));
        if wish.count.is_some() && most == 0 {
            return Ok((String::from_utf8_lossy(&line).into_owned(), true, false));
        }
        let input = async {
            if !catches {
                return Ok(proc.read_fd(0, most, Some(wish.delimiter)).await);
            }
            loop {
                let reading = proc.read_fd(0, most, Some(wish.delimiter));
                match race(reading, proc.signal()).await {
                    Either::Left(bytes) => return Ok(bytes),
                    Either::Right(Signal::Winch) => {}
                    Either::Right(signal) => shell.handle_signal(proc, signal).await?,
                }
            }
        };
        let bytes: Result<Vec<u8>, Flow> = match deadline {
            Some(deadline) => match race(input, proc.sim().sleep_until(deadline)).await {
                Either::Left(bytes) => bytes,
                Either::Right(()) => {
                    return Ok((String::from_utf8_lossy(&line).into_owned(), false, true));
                }
            },
            None => input.await,
        };
        let mut bytes = bytes?;
        let ended = bytes.last() == Some(&wish.delimiter);
        if bytes.is_empty() || ended {
            if ended {
                bytes.pop();
            }
            line.append(&mut bytes);
            let continued = !wish.raw && line.ends_with(b"\\") && ended && wish.delimiter == b'\n';
            if continued {
                line.pop();
                continue;
            }
            return Ok((String::from_utf8_lossy(&line).into_owned(), ended, false));
        }
        line.append(&mut bytes);
    }
}

async fn store(shell: &Shell, proc: &Proc, wish: &Wish, line: &str) -> Result<(), Flow> {
    let ifs = shell.variable("IFS").unwrap_or_else(|| " \t\n".into());
    if let Some(name) = &wish.array {
        let words = split(line, &ifs, usize::MAX, wish.raw);
        return shell.assign(proc, name, Value::Array((0..).zip(words).collect())).await;
    }
    if wish.names.is_empty() {
        let line = if wish.raw { line.to_string() } else { unescape(line) };
        return shell.assign(proc, "REPLY", text(line)).await;
    }
    let mut words = split(line, &ifs, wish.names.len(), wish.raw).into_iter();
    for name in &wish.names {
        shell.assign(proc, name, text(words.next().unwrap_or_default())).await?;
    }
    Ok(())
}

fn unescape(line: &str) -> String {
    let mut out = String::new();
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\\' { out.extend(chars.next()) } else { out.push(c) }
    }
    out
}

/// Splits a line into at most `most` words; the last gets the rest.
fn split(line: &str, ifs: &str, most: usize, raw: bool) -> Vec<String> {
    let blank = |c: char| matches!(c, ' ' | '\t' | '\n') && ifs.contains(c);
    let mut rest = line.trim_start_matches(blank);
    let mut words = Vec::new();
    while !rest.is_empty() {
        if words.len() + 1 == most {
            let last = rest.trim_end_matches(blank);
            words.push(if raw { last.to_string() } else { unescape(last) });
            break;
        }
        let mut escaped = false;
        let end = rest.find(|c: char| {
            let skip = escaped;
            escaped = !raw && c == '\\' && !skip;
            !skip && ifs.contains(c)
        });
        let word = &rest[..end.unwrap_or(rest.len())];
        words.push(if raw { word.to_string() } else { unescape(word) });
        rest = &rest[word.len()..];
        rest = rest.trim_start_matches(blank);
        if let Some(c) = rest.chars().next().filter(|c| ifs.contains(*c) && !blank(*c)) {
            rest = rest[c.len_utf8()..].trim_start_matches(blank);
        }
    }
    words
}

pub async fn mapfile(shell: &Shell, proc: &Proc) -> Exec {
    let trim = proc.args().iter().any(|a| a == "-t");
    let name = proc.args().iter().skip(1).find(|a| !a.starts_with('-'));
    let name = name.cloned().unwrap_or_else(|| "MAPFILE".into());
    let all = String::from_utf8_lossy(&proc.read_to_end().await).into_owned();
    let end = if trim { "" } else { "\n" };
    let lines = all.lines().map(|line| format!("{line}{end}"));
    shell.assign(proc, &name, Value::Array((0..).zip(lines).collect())).await?;
    Ok(0)
}

pub async fn printf(shell: &Shell, proc: &Proc) -> Exec {
    let args = proc.args();
    let into = args.get(1).filter(|a| *a == "-v" && shell.flavour.is_bash()).and(args.get(2));
    let Some(name) = into.cloned() else {
        return match proc.machine().registered("printf") {
            Some(program) => Ok((program.run)(proc.clone()).await),
            None => Ok(127),
        };
    };
    let (fd, buffer) = crate::machine::Fd::capture();
    let io = proc.io().copy();
    io.set(1, fd);
    let call = proc.with([&args[..1], &args[3..]].concat(), io);
    let status = match proc.machine().registered("printf") {
        Some(program) => (program.run)(call).await,
        None => 127,
    };
    let value = String::from_utf8_lossy(&buffer.borrow()).into_owned();
    shell.assign(proc, &name, text(value)).await?;
    Ok(status)
}

pub async fn getopts(shell: &Shell, proc: &Proc) -> Exec {
    let args = proc.args();
    let (Some(spec), Some(name)) = (args.get(1), args.get(2)) else {
        proc.eprint("getopts: usage: getopts optstring name [arg ...]\n").await;
        return Ok(2);
    };
    let words = match args.get(3..) {
        Some(words) if !words.is_empty() => words.to_vec(),
        _ => shell.positional.borrow().clone(),
    };
    // OPTIND counts words; where in a word of several letters it is, stays in a variable of our own.
    let index: usize = shell.variable("OPTIND").and_then(|n| n.parse().ok()).unwrap_or(1).max(1);
    let inside: usize = shell.variable("__OPTPOS").and_then(|n| n.parse().ok()).unwrap_or(1);
    let inside = if index == 1 && inside > 1 && words.first().is_none_or(|w| w.len() <= inside) {
        1
    } else {
        inside
    };
    let word = words.get(index - 1).filter(|w| w.starts_with('-') && w.len() > 1);
    let Some(word) = word else {
        shell.set_variable(name, "?");
        return Ok(1);
    };
    if word == "--" {
        shell.set_variable("OPTIND", (index + 1).to_string());
        shell.set_variable(name, "?");
        return Ok(1);
    }
    let letters: Vec<char> = word.chars().collect();
    let letter = letters.get(inside).copied().unwrap_or('?');
    let silent = spec.starts_with(':');
    let (mut next_index, mut next_inside) = (index, inside + 1);
    if next_inside >= letters.len() {
        (next_index, next_inside) = (index + 1, 1);
    }
    let known = letter != ':' && spec.contains(letter);
    let wants = known && spec.split(letter).nth(1).is_some_and(|rest| rest.starts_with(':'));
    let mut result = letter.to_string();
    if !known {
        result = "?".into();
        if silent {
            shell.set_variable("OPTARG", letter.to_string());
        } else {
            shell.complain(proc, &format!("illegal option -- {letter}")).await;
        }
    } else if wants {
        let rest: String = letters.iter().skip(inside + 1).collect();
        let value = if rest.is_empty() { words.get(index).cloned() } else { Some(rest.clone()) };
        (next_index, next_inside) = (index + if rest.is_empty() { 2 } else { 1 }, 1);
        match value {
            Some(value) => shell.set_variable("OPTARG", value),
            None if silent => {
                result = ":".into();
                shell.set_variable("OPTARG", letter.to_string());
            }
            None => {
                result = "?".into();
                let text = format!("option requires an argument -- {letter}");
                shell.complain(proc, &text).await;
            }
        }
    }
    shell.set_variable("OPTIND", next_index.to_string());
    shell.set_variable("__OPTPOS", next_inside.to_string());
    shell.set_variable(name, result);
    Ok(0)
}
