//! `docker logs`.

use std::time::Duration;

use super::{Cx, Error, Flag, Offer, Parsed, Sub};
use crate::{api::duration::parse_go, runtime::log::timestamp, sim::Time};

/// `docker logs`
pub const LOGS: Sub = Sub {
    name: "logs",
    usage: "logs [OPTIONS] CONTAINER",
    short: "Show what a container wrote",
    flags: &[
        Flag::bool("follow", false, "Go on as it writes").short("f"),
        Flag::str("since", "", "Only from a time (2026-01-02T13:23:37Z) or an age (42m) on"),
        Flag::str("tail", "all", "Only so many lines from the end").short("n"),
        Flag::bool("timestamps", false, "Begin lines with their time").short("t"),
        Flag::str("until", "", "Only up to a time or an age"),
    ],
    args: (1, 1),
    run: |cx, parsed| Box::pin(logs(cx, parsed)),
    complete: Offer::Containers,
    ..Sub::EMPTY
};

fn moment(cx: &Cx, flag: &str, text: &str) -> Result<Option<Time>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    if let Ok(nanos) = parse_go(text) {
        let age = Duration::from_nanos(u64::try_from(nanos).unwrap_or(0));
        return Ok(Some(cx.proc.sim().now() - age));
    }
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Some(Time::from_secs(seconds)));
    }
    let full = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        19 => format!("{text}Z"),
        _ => text.to_string(),
    };
    match full.parse() {
        Ok(time) => Ok(Some(Time::from_timestamp(time))),
        Err(_) => Err(Error::new(format!(
            "invalid value for \"{flag}\": failed to parse value as time or duration: {text:?}"
        ))),
    }
}

async fn logs(cx: Cx, parsed: Parsed) -> Result<(), Error> {
    let engine = cx.engine()?;
    let container = engine.find(&parsed.args[0])?;
    let tail = match parsed.str("tail") {
        "all" => None,
        text => match text.parse::<i64>() {
            Ok(n) if n >= 0 => u64::try_from(n).ok(),
            _ => None,
        },
    };
    let since = moment(&cx, "since", parsed.str("since"))?;
    let until = moment(&cx, "until", parsed.str("until"))?;
    let stamps = parsed.bool("timestamps");
    let mut next = container.log.position(tail, since);
    loop {
        let changed = container.log.changed().wait();
        let mut lines = Vec::new();
        let mut number = next;
        next = container.log.read(next, |line| {
            if until.is_none_or(|until| line.time <= until) {
                let mut text = Vec::new();
                if stamps {
                    text.extend(format!("{} ", timestamp(line.time, number)).into_bytes());
                }
                text.extend_from_slice(&line.text);
                lines.push((line.stream, text));
            }
            number += 1;
        });
        for (stream, text) in lines {
            cx.proc.write(if stream == 2 { 2 } else { 1 }, &text).await;
        }
        let over = until.is_some_and(|until| cx.proc.sim().now() >= until);
        if !parsed.bool("follow") || container.log.is_closed() || over {
            return Ok(());
        }
        changed.await;
    }
}
