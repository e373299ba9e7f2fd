//! `docker network` and `docker volume`.

use super::{
    ANY, Cx, Error, Flag, Parsed, Sub,
    doc::{Doc, fields},
    filter::{Columns, rows},
    run_flags::Volumes,
};
use crate::runtime::digest::hex64;

/// `docker network ls`
pub const LS: Sub = Sub {
    name: "network ls",
    usage: "network ls [OPTIONS]",
    short: "List networks",
    flags: &[
        Flag::str("format", "", "A Go template, 'table TEMPLATE', or 'json'"),
        Flag::bool("no-trunc", false, "Don't shorten anything"),
        Flag::bool("quiet", false, "Only ids").short("q"),
    ],
    run: |cx, parsed| Box::pin(ls(cx, parsed)),
    ..Sub::EMPTY
};

/// `docker network inspect`
pub const INSPECT: Sub = Sub {
    name: "network inspect",
    usage: "network inspect [OPTIONS] NETWORK [NETWORK...]",
    short: "Show everything about networks",
    flags: &[Flag::str("format", "", "A Go template").short("f")],
    args: (1, ANY),
    run: |cx, parsed| Box::pin(inspect(cx, parsed)),
    ..Sub::EMPTY
};

/// `docker volume ls`
pub const VOLUMES: Sub = Sub {
    name: "volume ls",
    usage: "volume ls [OPTIONS]",
    short: "List volumes",
    flags: &[
        Flag::str("format", "", "A Go template, 'table TEMPLATE', or 'json'"),
        Flag::bool("quiet", false, "Only names").short("q"),
    ],
    run: |cx, parsed| Box::pin(volumes(cx, parsed)),
    ..Sub::EMPTY
};

async fn ls(cx: Cx, parsed: Parsed) -> Result<(), Error> {
    const COLUMNS: Columns =
        &[("NETWORK ID", "ID"), ("NAME", "Name"), ("DRIVER", "Driver"), ("SCOPE", "Scope")];
    let engine = cx.engine()?;
    let mut all: Vec<_> = engine
        .networks()
        .list()
        .iter()
        .map(|n| (n.name.clone(), n.id.clone(), "bridge"))
        .chain(
            [("host", "host"), ("none", "null")]
                .map(|(name, driver)| (name.to_string(), hex64(["network", name]), driver)),
        )
        .collect();
    all.sort();
    let whole = parsed.bool("no-trunc");
    let docs: Vec<_> = all
        .into_iter()
        .map(|(name, id, driver)| {
            fields! {
                "Driver": driver,
                "ID": if whole { id } else { id[..12].to_string() },
                "Name": name,
                "Scope": "local",
            }
        })
        .collect();
    if parsed.bool("quiet") {
        for doc in docs {
            cx.print(&format!("{}\n", doc.get("ID").map(Doc::text).unwrap_or_default())).await;
        }
        return Ok(());
    }
    cx.print(&rows(parsed.str("format"), COLUMNS, COLUMNS, &docs)?).await;
    Ok(())
}

async fn inspect(cx: Cx, parsed: Parsed) -> Result<(), Error> {
    let engine = cx.engine()?;
    let mut docs = Vec::new();
    for name in &parsed.args {
        let network = engine.networks().get(name).ok_or_else(|| {
            Error::new(format!("[]\nError response from daemon: network {name} not found"))
        })?;
        let inside: Vec<(String, Doc)> = engine
            .containers()
            .into_iter()
            .filter(|c| super::ps::network_names(c).contains(name) && c.is_running())
            .map(|c| {
                let address = c.address().map(|a| format!("{a}/{}", network.range.prefix()));
                let doc = fields! {
                    "Name": c.name.borrow().clone(),
                    "IPv4Address": address.unwrap_or_default(),
                };
                (c.id.clone(), doc)
            })
            .collect();
        docs.push(fields! {
            "Name": network.name.clone(),
            "Id": network.id.clone(),
            "Scope": "local",
            "Driver": "bridge",
            "IPAM": fields! {
                "Driver": "default",
                "Config": vec![fields! {
                    "Subnet": network.range.to_string(),
                    "Gateway": network.range.nth(1).map(|a| a.to_string()).unwrap_or_default(),
                }],
            },
            "Containers": Doc::Map(inside),
        });
    }
    super::inspect::print(&cx, parsed.str("format"), docs).await
}

async fn volumes(cx: Cx, parsed: Parsed) -> Result<(), Error> {
    const COLUMNS: Columns = &[("DRIVER", "Driver"), ("VOLUME NAME", "Name")];
    cx.engine()?;
    let names = Volumes::of(cx.proc.machine()).names();
    if parsed.bool("quiet") {
        for name in names {
            cx.print(&format!("{name}\n")).await;
        }
        return Ok(());
    }
    let docs: Vec<_> = names
        .into_iter()
        .map(|name| fields! { "Driver": "local", "Name": name, "Scope": "local" })
        .collect();
    cx.print(&rows(parsed.str("format"), COLUMNS, COLUMNS, &docs)?).await;
    Ok(())
}
