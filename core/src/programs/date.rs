//! `date`.

use super::support::{
    opts::{Spec, options},
    time::{Date, days_of},
};
use crate::{
    machine::{Proc, Program},
    sim::Time,
};

/// `date`
pub const PROGRAM: Program = Program {
    name: "date",
    summary: "print the (simulated) date and time",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec {
    usage: "date [-u] [-R] [-I] [-d STRING] [-r FILE] [+FORMAT]",
    short: "d:Rr:uI",
    long: &[("date", 'd'), ("utc", 'u'), ("iso-8601", 'I'), ("rfc-email", 'R')],
    trouble: 1,
};

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let mut time = proc.sim().now();
    if let Some(text) = options.value('d') {
        match parse(text, time) {
            Some(parsed) => time = parsed,
            None => {
                proc.eprint(&format!("date: invalid date '{text}'\n")).await;
                return 1;
            }
        }
    }
    if let Some(path) = options.value('r') {
        match proc.stat(path) {
            Ok(node) => time = node.mtime,
            Err(error) => {
                proc.eprint(&format!("date: {path}: {error}\n")).await;
                return 1;
            }
        }
    }
    let format = match options.rest.first() {
        Some(format) if format.starts_with('+') => &format[1..],
        Some(other) => {
            proc.eprint(&format!("date: setting the clock to '{other}' is not simulated\n")).await;
            return 1;
        }
        None if options.has('I') => match options.value('I') {
            Some("s" | "seconds") => "%Y-%m-%dT%H:%M:%S+00:00",
            _ => "%Y-%m-%d",
        },
        None if options.has('R') => "%a, %d %b %Y %H:%M:%S +0000",
        None => "%a %b %e %H:%M:%S %Z %Y",
    };
    proc.print(&format!("{}\n", Date::new(time).format(format, time))).await;
    0
}

/// `@SECONDS`, `now`, `2 hours ago`, `+1 day`, `2027-01-31 10:00[:00]`, with `T` and `Z` too.
fn parse(text: &str, now: Time) -> Option<Time> {
    let text = text.trim();
    if let Some(secs) = text.strip_prefix('@') {
        return secs.parse().ok().and_then(before_the_end);
    }
    match text {
        "" | "now" | "today" => return Some(now),
        "yesterday" => return Some(Time::from_secs(now.as_secs().checked_sub(86_400)?)),
        "tomorrow" => return Some(Time::from_secs(now.as_secs() + 86_400)),
        _ => {}
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    if let [count, unit] | [count, unit, "ago"] = words.as_slice()
        && let Ok(count) = count.trim_start_matches('+').parse::<i64>()
    {
        let seconds = match unit.trim_end_matches('s') {
            "second" | "sec" => 1,
            "minute" | "min" => 60,
            "hour" => 3600,
            "day" => 86_400,
            "week" => 604_800,
            _ => return None,
        };
        let sign = if words.len() == 3 { -1 } else { 1 };
        let secs = (now.as_secs() as i64).checked_add(count.checked_mul(seconds * sign)?)?;
        return u64::try_from(secs).ok().and_then(before_the_end);
    }
    let (day, clock) = text.split_once(['T', ' ']).unwrap_or((text, "00:00"));
    let mut parts = day.split('-').map(|p| p.parse::<i64>().ok());
    let (year, month, dom) = (parts.next()??, parts.next()??, parts.next()??);
    let clock = clock.trim_end_matches('Z');
    let mut parts = clock.split(':').map(|p| p.parse::<i64>().ok());
    let (h, m) = (parts.next()??, parts.next()??);
    let s = parts.next().unwrap_or(Some(0))?;
    let valid = (1..=12).contains(&month)
        && (1..=31).contains(&dom)
        && (0..=9_999).contains(&year)
        && (0..24).contains(&h)
        && (0..60).contains(&m)
        && (0..61).contains(&s);
    if !valid {
        return None;
    }
    let secs = days_of(year, month, dom).checked_mul(86_400)?.checked_add(h * 3600 + m * 60 + s)?;
    u64::try_from(secs).ok().and_then(before_the_end)
}

/// A time that the calendar knows: until the year 9999.
fn before_the_end(secs: u64) -> Option<Time> {
    (secs < 253_402_207_200).then(|| Time::from_secs(secs))
}
