//! `kubectl cordon | uncordon | taint`. Model `k8s.io/kubectl/pkg/{cmd,drain}`.

use k8s_openapi::api::core::v1::Node;
use serde_json::{Value, json};

use crate::{
    api::{Typed, gofmt::quote, patch},
    client::{PatchType, Subresource},
    programs::kubectl::{
        Conn, Cx, Error,
        flags::{Command, Complete, Flag, Parsed},
        resources::Query,
        things::{self, Thing},
        write::{self, DryRun},
    },
};

/// `kubectl cordon`
pub static CORDON: Command = Command {
    name: "cordon",
    usage: "cordon NODE",
    short: "Let no new pods onto a node",
    examples: "# node-1 gets no new pods\nkubectl cordon node-1",
    flags: &[&[
        write::DRY_RUN,
        Flag::str("selector", "", "Only nodes with these labels.").short("l"),
    ]],
    run: Some(|cx, p| Box::pin(cordon(cx, p, true))),
    complete: Complete::Names("nodes"),
    ..Command::EMPTY
};

/// `kubectl uncordon`
pub static UNCORDON: Command = Command {
    name: "uncordon",
    usage: "uncordon NODE",
    short: "Let new pods onto a node again",
    examples: "# node-1 may get pods again\nkubectl uncordon node-1",
    flags: &[&[
        write::DRY_RUN,
        Flag::str("selector", "", "Only nodes with these labels.").short("l"),
    ]],
    run: Some(|cx, p| Box::pin(cordon(cx, p, false))),
    complete: Complete::Names("nodes"),
    ..Command::EMPTY
};

/// The nodes that are named or selected.
pub(super) async fn nodes(
    cx: &Cx,
    conn: &Conn,
    p: &Parsed,
    verb: &str,
) -> Result<Vec<Thing>, Error> {
    if p.args.is_empty() && !p.changed("selector") {
        return Err(Error::usage(&p.path, format_args!("USAGE: {verb} NODE [flags]")));
    }
    if !p.args.is_empty() && !p.str("selector").is_empty() {
        let text = "error: cannot specify both a node name and a --selector option";
        return Err(Error::usage(&p.path, text));
    }
    let mut args = vec!["nodes".to_owned()];
    args.extend(p.args.iter().cloned());
    let query = Query { selector: p.str("selector").to_owned(), lists: true, ..Query::default() };
    let (found, errors) = things::find(cx, conn, p, &args, &query, true).await?;
    Error::collect(errors)?;
    Ok(found)
}

async fn cordon(cx: Cx, p: Parsed, on: bool) -> Result<(), Error> {
    let dry_run = DryRun::of(&cx, &p).await?;
    let conn = dry_run.on(cx.connect(&p, 5)?);
    for node in nodes(&cx, &conn, &p, if on { "cordon" } else { "uncordon" }).await? {
        mark(&cx, &conn, &p, &node, on, dry_run).await?;
    }
    Ok(())
}

/// Lets no new pods onto a node, or lets them again.
pub(super) async fn mark(
    cx: &Cx,
    conn: &Conn,
    p: &Parsed,
    node: &Thing,
    on: bool,
    dry_run: DryRun,
) -> Result<(), Error> {
    let word = if on { "cordoned" } else { "uncordoned" };
    let is = node.object["spec"]["unschedulable"] == true;
    let word = if is == on { format!("already {word}") } else { word.to_owned() };
    if is != on && dry_run != DryRun::Client {
        let value = if on { json!(true) } else { Value::Null };
        let change = json!({"spec": {"unschedulable": value}});
        let change = (PatchType::Strategic, &change);
        conn.client.patch(Node::ID, ("", &node.name), change, Subresource::Main)?;
        cx.warnings(conn).await;
    }
    let _ = p;
    cx.out(&format!("{} {word}{}\n", node.named(), dry_run.suffix())).await;
    Ok(())
}

/// `kubectl taint`
pub static TAINT: Command = Command {
    name: "taint",
    usage: "taint NODE NAME KEY_1=VAL_1:TAINT_EFFECT_1 ... KEY_N=VAL_N:TAINT_EFFECT_N",
    short: "Keep pods off a node unless they tolerate it",
    examples: "# Only pods that tolerate it\nkubectl taint nodes node-1 dedicated=db:NoSchedule\n\n\
               # Any pod again\nkubectl taint nodes node-1 dedicated-",
    flags: &[
        &[
            Flag::bool("all", false, "All nodes."),
            write::DRY_RUN,
            write::field_manager("kubectl-taint"),
            Flag::bool("overwrite", false, "Also change taints that are there already."),
            Flag::str("selector", "", "Only nodes with these labels.").short("l"),
            write::VALIDATE,
        ],
        write::OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(taint(cx, p))),
    complete: Complete::Names("nodes"),
    ..Command::EMPTY
};

const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

async fn taint(cx: Cx, p: Parsed) -> Result<(), Error> {
    let dry_run = DryRun::of(&cx, &p).await?;
    let change = |a: &String| a.ends_with('-') || a.contains([':', '=']);
    let first = p.args.iter().position(change).unwrap_or(p.args.len());
    let (args, specs) = p.args.split_at(first);
    if args.is_empty() {
        return Err(Error::plain("one or more resources must be specified as <resource> <name>"));
    }
    if specs.is_empty() {
        return Err(Error::plain("at least one taint update is required"));
    }
    let conn = dry_run.on(cx.connect(&p, 5)?);
    let query =
        Query { selector: p.str("selector").to_owned(), all: p.bool("all"), ..Query::default() };
    let (found, errors) = things::find(&cx, &conn, &p, args, &query, true).await?;
    Error::collect(errors)?;
    for thing in found {
        if thing.kind.kind != "Node" {
            let kind = quote(&thing.kind.plural);
            return Err(Error::plain(format!(
                "invalid resource type {kind}, only node types are supported"
            )));
        }
        let mut new = thing.object.clone();
        let word = retaint(&p, &thing.name, &mut new, specs)?;
        let mut object = new.clone();
        if dry_run != DryRun::Client {
            let diff = patch::two_way_merge(&thing.object, &new);
            let diff = (PatchType::Merge, &diff);
            let result = conn.client.patch(Node::ID, ("", &thing.name), diff, Subresource::Main);
            cx.warnings(&conn).await;
            object = conn.value(&result?);
        }
        write::report(&cx, &p, &object, word, dry_run).await?;
    }
    Ok(())
}

fn retaint(
    p: &Parsed,
    name: &str,
    node: &mut Value,
    specs: &[String],
) -> Result<&'static str, Error> {
    let mut taints = node["spec"]["taints"].as_array().cloned().unwrap_or_default();
    let (mut added, mut removed, mut changed) = (false, false, false);
    for spec in specs {
        if let Some(gone) = spec.strip_suffix('-') {
            let (key, effect) = gone.split_once(':').unwrap_or((gone, ""));
            let key = key.split('=').next().unwrap_or(key);
            let before = taints.len();
            taints.retain(|t| t["key"] != key || (!effect.is_empty() && t["effect"] != effect));
            if taints.len() == before {
                return Err(Error::plain(format!("taint {} not found", quote(gone))));
            }
            removed = true;
            continue;
        }
        let (pair, effect) = spec
            .split_once(':')
            .ok_or_else(|| Error::plain(format!("invalid taint spec: {spec}")))?;
        if !EFFECTS.contains(&effect) {
            let text = format!("invalid taint effect: {effect}, unsupported taint effect");
            return Err(Error::plain(text));
        }
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let mut taint = json!({"key": key, "effect": effect});
        if !value.is_empty() {
            taint["value"] = value.into();
        }
        match taints.iter_mut().find(|t| t["key"] == key && t["effect"] == effect) {
            Some(_) if !p.bool("overwrite") => {
                return Err(Error::plain(format!(
                    "node {name} already has {key} taint(s) with same effect(s) and --overwrite is \
                     false"
                )));
            }
            Some(old) => {
                *old = taint;
                changed = true;
            }
            None => {
                taints.push(taint);
                added = true;
            }
        }
    }
    node["spec"]["taints"] = Value::Array(taints);
    Ok(match (added, removed, changed) {
        (true, false, false) => "tainted",
        (false, true, false) => "untainted",
        _ => "modified",
    })
}
