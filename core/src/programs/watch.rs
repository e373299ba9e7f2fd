//! `watch`.

use std::time::Duration;

use super::support::{
    opts::{Spec, options},
    time::Date,
};
use crate::{
    machine::{Command, Fd, Mode, Proc, Program, Signal},
    shell::edit::char_width,
    sim::{Either, race},
};

/// `watch`
pub const PROGRAM: Program = Program {
    name: "watch",
    summary: "run a program again and again, showing its output full screen",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec {
    usage: "watch [OPTION]... COMMAND\n  -b   beep if the command fails\n  -d   mark what changed\n  -e   end if the command fails\n  -g   end when the output changes\n  -n SECONDS   how often, instead of every 2 seconds\n  -p   count from the start of the command\n  -t   no title\n  -x   run the command without a shell",
    short: "+bcdegn:ptx",
    long: &[
        ("interval", 'n'),
        ("differences", 'd'),
        ("no-title", 't'),
        ("beep", 'b'),
        ("errexit", 'e'),
        ("chgexit", 'g'),
        ("precise", 'p'),
        ("exec", 'x'),
        ("color", 'c'),
    ],
    trouble: 1,
};

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    if options.rest.is_empty() {
        proc.print(&format!("Usage: {}\n", SPEC.usage)).await;
        return 1;
    }
    let interval = match options.value('n').map(|n| n.replace(',', ".").parse::<f64>()) {
        None => 2.0,
        Some(Ok(seconds)) if seconds.is_finite() => seconds.clamp(0.1, 4_294_967.0),
        Some(_) => {
            let given = options.value('n').unwrap_or_default();
            proc.eprint(&format!("watch: failed to parse argument: '{given}'\n")).await;
            return 1;
        }
    };
    let Some(tty) = proc.any_tty().filter(|_| proc.stdout_is_tty()) else {
        proc.eprint("watch: error opening terminal\n").await;
        return 1;
    };
    let argv = match options.has('x') {
        true => options.rest.clone(),
        false => vec!["sh".to_string(), "-c".to_string(), options.rest.join(" ")],
    };
    let title = !options.has('t');
    let mut before: Option<Vec<Vec<char>>> = None;
    drop(proc.signal()); // from here on signals end the loop below, which puts the screen back
    tty.set_mode(Mode { canonical: false, echo: false, signals: true, post: true });
    proc.print("\x1b[?1049h\x1b[?25l\x1b[H\x1b[2J").await;
    let code = 'watching: loop {
        let started = proc.sim().now();
        let (out, buffer) = Fd::capture();
        let command = Command::new(argv.clone()).stdin(Fd::Null).stdout(out.clone()).stderr(out);
        let status = match proc.spawn(command) {
            Ok(child) => loop {
                match race(child.wait(), proc.signal()).await {
                    Either::Left(status) => break status.code(),
                    Either::Right(Signal::Winch) => {}
                    Either::Right(signal) => {
                        child.process().signal(signal, false);
                        break 'watching if signal == Signal::Int {
                            0
                        } else {
                            128 + signal.number()
                        };
                    }
                }
            },
            Err(error) => {
                let text = format!("watch: {}: {error}\n", argv[0]);
                buffer.borrow_mut().extend(text.into_bytes());
                error.code()
            }
        };
        let text = String::from_utf8_lossy(&buffer.borrow()).into_owned();
        let size = tty.size();
        let lines = layout(&text, size, title);
        let changed = before.as_ref().is_some_and(|old| *old != lines);
        draw(
            &proc,
            &options.rest,
            interval,
            title,
            &lines,
            before.as_ref().filter(|_| options.has('d')),
        )
        .await;
        if options.has('b') && status != 0 {
            proc.print("\x07").await;
        }
        if (options.has('g') && changed) || (options.has('e') && status != 0) {
            break 0;
        }
        before = Some(lines);
        let next = match options.has('p') {
            true => started + Duration::from_secs_f64(interval),
            false => proc.sim().now() + Duration::from_secs_f64(interval),
        };
        loop {
            match race(proc.sim().sleep_until(next), proc.signal()).await {
                Either::Left(()) => break,
                Either::Right(Signal::Winch) => {
                    let lines = layout(&text, tty.size(), title);
                    draw(&proc, &options.rest, interval, title, &lines, None).await;
                }
                Either::Right(Signal::Int) => break 'watching 0,
                Either::Right(signal) => break 'watching 128 + signal.number(),
            }
        }
    };
    proc.print("\x1b[?25h\x1b[?1049l").await;
    tty.set_mode(Mode::COOKED);
    code
}

/// The output as it fits the screen.
fn layout(text: &str, (cols, rows): (u16, u16), title: bool) -> Vec<Vec<char>> {
    let (cols, rows) =
        (usize::from(cols), usize::from(rows).saturating_sub(if title { 2 } else { 0 }));
    let mut lines: Vec<Vec<char>> = Vec::new();
    let plain = super::support::screen::plain(text);
    for line in plain.lines() {
        let (mut row, mut width) = (Vec::new(), 0);
        for c in line.chars() {
            if c == '\t' {
                let step = 8 - width % 8;
                row.extend(std::iter::repeat_n(' ', step));
                width += step;
                continue;
            }
            if width + char_width(c) > cols {
                lines.push(std::mem::take(&mut row));
                width = 0;
            }
            width += char_width(c);
            row.push(c);
        }
        lines.push(row);
        if lines.len() >= rows {
            break;
        }
    }
    lines.truncate(rows);
    lines
}

async fn draw(
    proc: &Proc,
    command: &[String],
    interval: f64,
    title: bool,
    lines: &[Vec<char>],
    before: Option<&Vec<Vec<char>>>,
) {
    let mut out = String::from("\x1b[H");
    let cols = proc.any_tty().map_or(80, |tty| usize::from(tty.size().0));
    if title {
        let now = proc.sim().now();
        let date = Date::new(now).format("%a %b %e %H:%M:%S %Y", now);
        let right = format!("{}: {date}", proc.machine().hostname());
        let left = format!("Every {interval:.1}s: ");
        let text = command.join(" ");
        let (left_length, right_length) = (left.chars().count(), right.chars().count());
        let line = if cols < right_length {
            String::new()
        } else if cols < right_length + left_length + 1 {
            format!("{}{right}", " ".repeat(cols - right_length))
        } else {
            // As procps: a command that doesn't fit ends in three dots.
            let room = cols - right_length - left_length - 1;
            let shown: String = match text.chars().count() > room {
                true if room < 4 => String::new(),
                true => text.chars().take(room - 3).collect::<String>() + "...",
                false => text,
            };
            let gap = cols - left_length - shown.chars().count() - right_length;
            format!("{left}{shown}{}{right}", " ".repeat(gap))
        };
        out.push_str(&format!("{line}\x1b[K\n\x1b[K\n"));
    }
    for (index, line) in lines.iter().enumerate() {
        let old = before.and_then(|b| b.get(index));
        let mut marked = false;
        for (column, c) in line.iter().enumerate() {
            let differs = before.is_some() && old.and_then(|o| o.get(column)) != Some(c);
            if differs != marked {
                out.push_str(if differs { "\x1b[7m" } else { "\x1b[m" });
                marked = differs;
            }
            out.push(*c);
        }
        if marked {
            out.push_str("\x1b[m");
        }
        out.push_str("\x1b[K");
        if index + 1 < lines.len() {
            out.push('\n');
        }
    }
    let used = lines.len() + if title { 2 } else { 0 };
    if used < proc.any_tty().map_or(24, |tty| usize::from(tty.size().1)) {
        out.push_str(if lines.is_empty() { "\x1b[J" } else { "\n\x1b[J" });
    }
    proc.print(&out).await;
}
