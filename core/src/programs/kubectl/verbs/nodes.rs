//! `kubectl cordon | uncordon | drain | taint`. Model `k8s.io/kubectl/pkg/{cmd,drain}`.

use std::{rc::Rc, time::Duration};

use k8s_openapi::api::core::v1::{Node, Pod};
use serde_json::{Value, json};

use super::waiting;
use crate::{
    api::{Typed, gofmt::quote, meta::controller_of, patch},
    client::{DeleteOptions, PatchType, Subresource},
    programs::kubectl::{
        Conn, Cx, Error,
        flags::{Command, Complete, Flag, Parsed},
        pods,
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
async fn nodes(cx: &Cx, conn: &Conn, p: &Parsed, verb: &str) -> Result<Vec<Thing>, Error> {
    if p.args.is_empty() && p.str("selector").is_empty() {
        return Err(Error::usage(&p.path, format_args!("USAGE: {verb} NODE [flags]")));
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

async fn mark(
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

/// `kubectl drain`
pub static DRAIN: Command = Command {
    name: "drain",
    usage: "drain NODE",
    short: "Empty a node, for maintenance",
    long: "Empty a node: let no new pods onto it and make its pods end.\n\n\
           Pods that nothing would replace, and those of daemon sets, stop it, unless flags say \
           otherwise.",
    examples: "# Empty node-1\nkubectl drain node-1 --ignore-daemonsets",
    flags: &[&[
        Flag::bool("delete-emptydir-data", false, "Also pods whose local data would be lost."),
        Flag::bool("disable-eviction", false, "Delete pods instead of evicting them."),
        write::DRY_RUN,
        Flag::bool("force", false, "Also pods that nothing would replace."),
        Flag::int(
            "grace-period",
            "-1",
            "Seconds that pods get to end; negative: what they ask for.",
        ),
        Flag::bool("ignore-daemonsets", false, "Leave the pods of daemon sets alone."),
        Flag::str("pod-selector", "", "Only pods with these labels."),
        Flag::str("selector", "", "Only nodes with these labels.").short("l"),
        Flag::int(
            "skip-wait-for-delete-timeout",
            "0",
            "Do not wait for pods that have been ending \
            for longer than so many seconds.",
        ),
        Flag::duration("timeout", "0s", "How long to wait; 0: as long as it takes."),
    ]],
    run: Some(|cx, p| Box::pin(drain(cx, p))),
    complete: Complete::Names("nodes"),
    ..Command::EMPTY
};

async fn drain(cx: Cx, p: Parsed) -> Result<(), Error> {
    let dry_run = DryRun::of(&cx, &p).await?;
    let conn = dry_run.on(cx.connect(&p, 5)?);
    let found = nodes(&cx, &conn, &p, "drain").await?;
    for node in &found {
        mark(&cx, &conn, &p, node, true, dry_run).await?;
    }
    let mut pending = Vec::new();
    let mut errors = Vec::new();
    for node in &found {
        match empty(&cx, &conn, &p, node, dry_run).await {
            Ok(()) => {
                cx.out(&format!("{} drained{}\n", node.named(), dry_run.suffix())).await;
            }
            Err(mut faults) => {
                let all: Vec<String> = faults.iter().map(Error::message).collect();
                let all = match all.as_slice() {
                    [one] => one.clone(),
                    many => format!("[{}]", many.join(", ")),
                };
                cx.err(&format!(
                    "error: unable to drain node {} due to error: {all}, continuing command...\n",
                    quote(&node.name)
                ))
                .await;
                pending.push(node.name.clone());
                errors.append(&mut faults);
            }
        }
    }
    if pending.is_empty() {
        return Ok(());
    }
    cx.err("There are pending nodes to be drained:\n").await;
    for name in &pending {
        cx.err(&format!(" {name}\n")).await;
    }
    let lines: Vec<String> = errors.iter().map(Error::message).collect();
    let prefix = if lines.len() == 1 { "error: " } else { "" };
    let _ = prefix;
    Err(Error::Bare(lines.join("\n")))
}

async fn empty(
    cx: &Cx,
    conn: &Conn,
    p: &Parsed,
    node: &Thing,
    dry_run: DryRun,
) -> Result<(), Vec<Error>> {
    let selector = crate::api::selector::Selector::parse(p.str("pod-selector"))
        .map_err(|e| vec![Error::plain(e)])?;
    let all: Vec<Rc<Pod>> = conn.client.list(None);
    let here: Vec<Rc<Pod>> = all
        .into_iter()
        .filter(|pod| pod.spec.as_ref().and_then(|s| s.node_name.as_deref()) == Some(&node.name))
        .filter(|pod| selector.matches(pod.metadata.labels.as_ref()))
        .collect();
    let sorted = Sorted::of(&here, p);
    if !sorted.faults.is_empty() {
        return Err(sorted.faults.into_iter().map(Error::Plain).collect());
    }
    if !sorted.warnings.is_empty() {
        cx.err(&format!("Warning: {}\n", sorted.warnings.join("; "))).await;
    }
    for pod in &sorted.delete {
        let name = format!("{}/{}", pods::namespace(pod), pods::name(pod));
        let verb = if p.bool("disable-eviction") { "deleting" } else { "evicting" };
        cx.out(&format!("{verb} pod {name}{}\n", dry_run.suffix())).await;
    }
    if dry_run == DryRun::Client {
        return Ok(());
    }
    for pod in &sorted.delete {
        let grace = p.int("grace-period");
        let options = DeleteOptions {
            grace_seconds: (grace >= 0).then_some(grace),
            ..DeleteOptions::default()
        };
        let (namespace, name) = (pods::namespace(pod), pods::name(pod));
        let result = match p.bool("disable-eviction") {
            true => conn.client.delete::<Pod>(namespace, name, &options),
            false => conn.client.evict(namespace, name, &options),
        };
        match result {
            Err(e) if !e.is_not_found() => return Err(vec![e.into()]),
            _ => {}
        }
    }
    for pod in &sorted.delete {
        let thing = Thing {
            kind: conn.client.kind(Pod::ID),
            namespace: pods::namespace(pod).to_owned(),
            name: pods::name(pod).to_owned(),
            source: String::new(),
            object: Value::Null,
        };
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        let gone = |v: Option<&Value>| v.is_none_or(|v| v["metadata"]["uid"] != uid.as_str());
        waiting::until(cx, conn, &thing, p.duration("timeout"), gone).await.map_err(|e| vec![e])?;
        let word = if p.bool("disable-eviction") { "deleted" } else { "evicted" };
        cx.out(&format!("pod/{} {word}\n", pods::name(pod))).await;
        // As upstream, which looks for what has gone once a second.
        cx.proc.sleep(Duration::from_millis(0)).await;
    }
    Ok(())
}

/// A node's pods by what is to be done about them.
#[derive(Default)]
struct Sorted {
    delete: Vec<Rc<Pod>>,
    faults: Vec<String>,
    warnings: Vec<String>,
}

impl Sorted {
    fn of(all: &[Rc<Pod>], p: &Parsed) -> Sorted {
        let (mut daemons, mut local, mut unmanaged) = (Vec::new(), Vec::new(), Vec::new());
        let mut delete = Vec::new();
        for pod in all {
            let name = format!("{}/{}", pods::namespace(pod), pods::name(pod));
            let annotations = pod.metadata.annotations.as_ref();
            if annotations.is_some_and(|a| a.contains_key("kubernetes.io/config.mirror")) {
                continue;
            }
            let finished = ["Succeeded", "Failed"].contains(&pods::phase(pod));
            let owner = controller_of(&pod.metadata).map(|o| o.kind.clone());
            if owner.as_deref() == Some("DaemonSet") && !finished {
                daemons.push(name);
                continue;
            }
            let volumes = pod.spec.as_ref().and_then(|s| s.volumes.as_ref());
            if !finished && volumes.into_iter().flatten().any(|v| v.empty_dir.is_some()) {
                local.push(name.clone());
            }
            if !finished && owner.is_none() {
                unmanaged.push(name);
            }
            delete.push(pod.clone());
        }
        let mut sorted = Sorted { delete, ..Sorted::default() };
        let mut judge = |names: &[String], allowed: bool, warning: Option<&str>, fault: &str| {
            if names.is_empty() {
                return;
            }
            let list = names.join(", ");
            match (allowed, warning) {
                (true, Some(text)) => sorted.warnings.push(format!("{text}: {list}")),
                (true, None) => {}
                (false, _) => sorted.faults.push(format!("{fault}: {list}")),
            }
        };
        judge(
            &daemons,
            p.bool("ignore-daemonsets"),
            Some("ignoring DaemonSet-managed Pods"),
            "cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore)",
        );
        // A pod whose data is at stake is counted there, not among those that nothing replaces.
        let at_stake = !p.bool("delete-emptydir-data");
        judge(
            &local,
            !at_stake,
            None,
            "cannot delete Pods with local storage (use --delete-emptydir-data to override)",
        );
        let unmanaged: Vec<String> =
            unmanaged.into_iter().filter(|n| !(at_stake && local.contains(n))).collect();
        judge(
            &unmanaged,
            p.bool("force"),
            Some("deleting Pods that declare no controller"),
            "cannot delete Pods that declare no controller (use --force to override)",
        );
        sorted
    }
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
