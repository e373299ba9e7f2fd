//! `docker stats` and `docker top`.

use std::{collections::BTreeMap, rc::Rc, time::Duration};

use super::{
    ANY, Cx, Error, Flag, Offer, Parsed, Sub,
    ago::binary,
    doc::{Doc, fields},
    filter::{Columns, rows},
};
use crate::{
    machine::MemoryTotal,
    programs::{kubectl::print::tabwriter::Tabwriter, support::time::Date},
    runtime::{Container, Engine},
};

/// `docker stats`
pub const STATS: Sub = Sub {
    name: "stats",
    usage: "stats [OPTIONS] [CONTAINER...]",
    short: "Show what containers use, again and again",
    flags: &[
        Flag::bool("all", false, "Those that don't run, too").short("a"),
        Flag::str("format", "", "A Go template, 'table TEMPLATE', or 'json'"),
        Flag::bool("no-stream", false, "Only once"),
        Flag::bool("no-trunc", false, "Don't shorten anything"),
    ],
    args: (0, ANY),
    run: |cx, parsed| Box::pin(stats(cx, parsed)),
    complete: Offer::Running,
    ..Sub::EMPTY
};

/// `docker top`
pub const TOP: Sub = Sub {
    name: "top",
    usage: "top CONTAINER",
    short: "Show a container's processes",
    args: (1, 1),
    run: |cx, parsed| Box::pin(top(cx, parsed)),
    complete: Offer::Running,
    ..Sub::EMPTY
};

const COLUMNS: Columns = &[
    ("CONTAINER ID", "ID"),
    ("NAME", "Name"),
    ("CPU %", "CPUPerc"),
    ("MEM USAGE / LIMIT", "MemUsage"),
    ("MEM %", "MemPerc"),
    ("NET I/O", "NetIO"),
    ("BLOCK I/O", "BlockIO"),
    ("PIDS", "PIDs"),
];

fn cpu(container: &Container) -> u64 {
    container.machine.processes().iter().map(|p| p.cpu_micros()).sum()
}

fn row(container: &Rc<Container>, engine: &Engine, before: u64, whole: bool) -> Doc {
    let total = engine.machine().and_then(|m| m.get::<MemoryTotal>()).map_or(8 << 30, |m| m.0);
    let limit = container.spec.memory_limit.unwrap_or(total);
    let used = container.memory();
    let running = container.is_running();
    let percent = |part: f64| format!("{part:.2}%");
    let dashes = || "--".to_string();
    fields! {
        // What goes over networks and disks is not counted per container.
        "BlockIO": "-- / --",
        "CPUPerc": match running {
            true => percent(cpu(container).saturating_sub(before) as f64 / 10_000.0),
            false => dashes(),
        },
        "Container": container.short_id(),
        "ID": if whole { container.id.as_str() } else { container.short_id() },
        "MemPerc": if running { percent(used as f64 * 100.0 / limit.max(1) as f64) } else { dashes() },
        "MemUsage": match running {
            true => format!("{} / {}", binary(used), binary(limit)),
            false => "-- / --".to_string(),
        },
        "Name": container.name.borrow().clone(),
        "NetIO": "-- / --",
        "PIDs": if running { container.machine.processes().len().to_string() } else { dashes() },
    }
}

async fn stats(cx: Cx, parsed: Parsed) -> Result<(), Error> {
    let engine = cx.engine()?;
    let choose = || -> Result<Vec<Rc<Container>>, Error> {
        if parsed.args.is_empty() {
            let all = engine.containers().into_iter();
            return Ok(all.filter(|c| parsed.bool("all") || c.is_running()).collect());
        }
        parsed.args.iter().map(|name| engine.find(name).map_err(Error::from)).collect()
    };
    let stream = !parsed.bool("no-stream");
    loop {
        let list = choose()?;
        let before: BTreeMap<_, _> = list.iter().map(|c| (c.id.clone(), cpu(c))).collect();
        // Use is measured over a second.
        cx.proc.sleep(Duration::from_secs(1)).await;
        let docs: Vec<_> = list
            .iter()
            .filter(|c| !c.is_removed())
            .map(|c| {
                let before = before.get(&c.id).copied().unwrap_or(0);
                row(c, &engine, before, parsed.bool("no-trunc"))
            })
            .collect();
        let text = rows(parsed.str("format"), COLUMNS, COLUMNS, &docs)?;
        if !stream {
            cx.print(&text).await;
            return Ok(());
        }
        let home = if cx.proc.stdout_is_tty() { "\x1b[H\x1b[J" } else { "" };
        cx.print(&format!("{home}{text}")).await;
    }
}

async fn top(cx: Cx, parsed: Parsed) -> Result<(), Error> {
    let engine = cx.engine()?;
    let container = engine.find(&parsed.args[0])?;
    if !container.is_running() {
        let id = &container.id;
        let text = format!("Error response from daemon: container {id} is not running");
        return Err(Error::new(text));
    }
    let mut out = Tabwriter::new(20, 1, false);
    out.write("UID\tPID\tPPID\tC\tSTIME\tTTY\tTIME\tCMD\n");
    for process in container.machine.processes() {
        let start = Date::new(process.start);
        let uid = process.who.get().uid;
        let user = if uid == 0 { "root".to_string() } else { uid.to_string() };
        let tty = process.io().and_then(|io| io.get(0).tty().map(|t| t.name().to_string()));
        let seconds = process.cpu_micros() / 1_000_000;
        out.write(&format!(
            "{user}\t{}\t{}\t0\t{:02}:{:02}\t{}\t{:02}:{:02}:{:02}\t{}\n",
            process.pid,
            process.parent.get(),
            start.hour,
            start.minute,
            tty.unwrap_or_else(|| "?".into()),
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60,
            process.args().join(" ")
        ));
    }
    cx.print(&out.flush()).await;
    Ok(())
}
