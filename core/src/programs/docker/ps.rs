//! `docker ps`.

use std::rc::Rc;

use super::{
    ANY, Cx, Error, Flag, Offer, Parsed, Sub,
    ago::{ago, human},
    doc::{Doc, fields},
    filter::{Columns, Filters, rows},
};
use crate::{
    runtime::{Container, NetworkMode, State},
    sim::Time,
};

/// `docker ps`
pub const PS: Sub = Sub {
    name: "ps",
    usage: "ps [OPTIONS]",
    short: "List containers",
    flags: &[
        Flag::bool("all", false, "Show those that don't run, too").short("a"),
        Flag::array("filter", "Show only those that fit").short("f"),
        Flag::str("format", "", "A Go template, 'table TEMPLATE', or 'json'"),
        Flag::int("last", "-1", "Show the n last created, running or not").short("n"),
        Flag::bool("latest", false, "Show the last created, running or not").short("l"),
        Flag::bool("no-trunc", false, "Don't shorten anything"),
        Flag::bool("quiet", false, "Only ids").short("q"),
        Flag::bool("size", false, "Show the size of each container's own files").short("s"),
    ],
    args: (0, ANY),
    run: |cx, parsed| Box::pin(ps(cx, parsed)),
    common: true,
    complete: Offer::Nothing,
    ..Sub::EMPTY
};

const COLUMNS: Columns = &[
    ("CONTAINER ID", "ID"),
    ("IMAGE", "Image"),
    ("COMMAND", "Command"),
    ("CREATED", "RunningFor"),
    ("STATUS", "Status"),
    ("PORTS", "Ports"),
    ("NAMES", "Names"),
];
const WITH_SIZE: Columns = &[
    ("CONTAINER ID", "ID"),
    ("IMAGE", "Image"),
    ("COMMAND", "Command"),
    ("CREATED", "RunningFor"),
    ("STATUS", "Status"),
    ("PORTS", "Ports"),
    ("NAMES", "Names"),
    ("SIZE", "Size"),
];
const ALL: Columns = &[
    ("CONTAINER ID", "ID"),
    ("IMAGE", "Image"),
    ("COMMAND", "Command"),
    ("CREATED AT", "CreatedAt"),
    ("CREATED", "RunningFor"),
    ("STATUS", "Status"),
    ("STATE", "State"),
    ("PORTS", "Ports"),
    ("NAMES", "Names"),
    ("SIZE", "Size"),
    ("LABELS", "Labels"),
    ("MOUNTS", "Mounts"),
    ("NETWORKS", "Networks"),
];
const FILTERS: &[&str] = &[
    "ancestor", "before", "exited", "expose", "id", "label", "name", "network", "publish", "since",
    "status", "volume",
];

async fn ps(cx: Cx, parsed: Parsed) -> Result<(), Error> {
    if !parsed.args.is_empty() {
        return Err(Error::new(
            "docker: 'docker ps' accepts no arguments\n\nUsage:  docker ps [OPTIONS]\n\n\
             Run 'docker ps --help' for more information",
        ));
    }
    let engine = cx.engine()?;
    let filters = Filters::read(parsed.list("filter"), FILTERS)?;
    let last = match parsed.bool("latest") {
        true => 1,
        false => parsed.int("last"),
    };
    let all = parsed.bool("all") || last > 0 || filters.has("status") || filters.has("exited");
    let whole = parsed.bool("no-trunc");
    let time_of = |name: &str| engine.find(name).ok().map(|c| c.created);
    let fits = |c: &Rc<Container>| {
        filters.fits("name", |v| c.name.borrow().contains(v.trim_start_matches(['^', '/'])))
            && filters.fits("id", |v| c.id.starts_with(v))
            && filters.fits("status", |v| state_word(c) == v)
            && filters.fits("exited", |v| {
                c.status().state == State::Exited && v.parse() == Ok(c.status().exit_code)
            })
            && filters.all_fit("label", |v| match v.split_once('=') {
                Some((k, v)) => c.labels().get(k).is_some_and(|have| have == v),
                None => c.labels().contains_key(v),
            })
            && filters.fits("ancestor", |v| {
                engine.images().find(v).is_some_and(|image| image.id == c.image.id)
            })
            && filters.fits("network", |v| network_names(c).iter().any(|n| n == v))
            && filters.fits("volume", |v| c.spec.mounts.iter().any(|m| m.at == v || m.source == v))
            && filters.fits("publish", |v| {
                c.ports().iter().any(|p| v.split('/').next() == Some(&p.host_port.to_string()))
            })
            && filters.fits("expose", |v| c.image.config.exposed.iter().any(|p| p.starts_with(v)))
            && filters.fits("before", |v| time_of(v).is_some_and(|t| c.created < t))
            && filters.fits("since", |v| time_of(v).is_some_and(|t| c.created > t))
    };
    let mut list: Vec<_> =
        engine.containers().into_iter().filter(|c| (all || c.is_running()) && fits(c)).collect();
    if last > 0 {
        list.truncate(usize::try_from(last).unwrap_or(usize::MAX));
    }
    if parsed.bool("quiet") && parsed.str("format").is_empty() {
        for container in list {
            let id = if whole { &container.id } else { container.short_id() };
            cx.print(&format!("{id}\n")).await;
        }
        return Ok(());
    }
    let now = cx.proc.sim().now();
    let docs: Vec<_> = list.iter().map(|c| row(c, now, whole)).collect();
    let columns = if parsed.bool("size") { WITH_SIZE } else { COLUMNS };
    cx.print(&rows(parsed.str("format"), columns, ALL, &docs)?).await;
    Ok(())
}

fn row(c: &Rc<Container>, now: Time, whole: bool) -> Doc {
    let command = c.argv.join(" ");
    let shown = match whole || command.chars().count() <= 20 {
        true => command,
        false => command.chars().take(19).chain(['…']).collect(),
    };
    let labels: Vec<_> = c.labels().into_iter().map(|(k, v)| format!("{k}={v}")).collect();
    let mounts: Vec<_> = c.spec.mounts.iter().map(|m| m.source.clone()).collect();
    fields! {
        "Command": format!("\"{}\"", shown.replace('\\', "\\\\").replace('"', "\\\"")),
        "CreatedAt": created_at(c.created),
        "ID": if whole { c.id.clone() } else { c.short_id().to_string() },
        "Image": image_name(c),
        "Labels": labels.join(","),
        "LocalVolumes": c.spec.mounts.iter().filter(|m| m.volume).count().to_string(),
        "Mounts": mounts.join(","),
        "Names": c.name.borrow().clone(),
        "Networks": network_names(c).join(","),
        "Ports": ports(c),
        "RunningFor": ago(c.created, now),
        "Size": format!("{} (virtual {})", "0B", super::ago::size3(c.image.size())),
        "State": state_word(c),
        "Status": status(c, now),
    }
}

/// The image as lists show it: as it was asked for, or its id.
pub fn image_name(c: &Container) -> String {
    let shown = c.spec.image_shown.as_deref();
    match shown.unwrap_or(c.spec.image_name.as_str()) {
        "" => c.image.short_id().to_string(),
        name => name.to_string(),
    }
}

/// `2026-11-21 08:21:55 +0000 UTC`
pub fn created_at(time: Time) -> String {
    let text = time.to_timestamp().to_string();
    format!("{} +0000 UTC", text.get(..19).unwrap_or(&text).replace('T', " "))
}

/// `running`
pub fn state_word(c: &Container) -> &'static str {
    match c.status().state {
        State::Created => "created",
        State::Running => "running",
        State::Exited => "exited",
    }
}

/// `Up 3 minutes`
pub fn status(c: &Container, now: Time) -> String {
    let status = c.status();
    match status.state {
        State::Created => "Created".into(),
        State::Running => {
            format!("Up {}", human(now.since(status.started.unwrap_or(now))))
        }
        State::Exited if status.started.is_none() => "Created".into(),
        State::Exited => {
            let since = ago(status.finished.unwrap_or(now), now);
            format!("Exited ({}) {since}", status.exit_code)
        }
    }
}

/// The networks a container is in.
pub fn network_names(c: &Container) -> Vec<String> {
    match &c.spec.network {
        NetworkMode::Bridge => vec!["bridge".into()],
        NetworkMode::Named(name, _) => vec![name.clone()],
        NetworkMode::Host => vec!["host".into()],
        NetworkMode::None | NetworkMode::Pod => vec!["none".into()],
        NetworkMode::Container(_) => Vec::new(),
    }
}

fn ports(c: &Container) -> String {
    if !c.is_running() || matches!(c.spec.network, NetworkMode::Container(_) | NetworkMode::Host) {
        return String::new();
    }
    let published = c.ports();
    let mut all: Vec<(u16, String)> = published
        .iter()
        .map(|p| {
            let ip = p.host_ip.map_or("0.0.0.0".to_string(), |ip| ip.to_string());
            let proto = if p.udp { "udp" } else { "tcp" };
            (p.port, format!("{ip}:{}->{}/{proto}", p.host_port, p.port))
        })
        .collect();
    for exposed in &c.image.config.exposed {
        let port = exposed.split('/').next().and_then(|p| p.parse().ok()).unwrap_or(0);
        if !published.iter().any(|p| p.port == port) {
            all.push((port, exposed.clone()));
        }
    }
    all.sort();
    all.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(", ")
}
