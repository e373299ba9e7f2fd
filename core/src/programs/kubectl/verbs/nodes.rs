//! `kubectl cordon | uncordon | taint`. Model `k8s.io/kubectl/pkg/{cmd,drain}`.

use k8s_openapi::api::core::v1::Node;
use serde_json::{Value, json};

use crate::{
    api::{Typed, gofmt::quote, patch},
    client::{PatchType, Subresource},
    programs::kubectl::{
        Conn, Cx, Error,
        flags::{Command, Complete, Flag, Parsed},
        resources::{self, Query},
        things::{self, Thing},
        valid,
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

/// A taint as the command line names it.
#[derive(Clone, Debug, PartialEq)]
struct Taint {
    key: String,
    value: String,
    effect: String,
}

impl Taint {
    /// `key=value:effect`, `key:effect` or `key`. Errors: it has no such form, or its parts don't.
    fn parse(text: &str) -> Result<Taint, String> {
        let wrong = |why: &str| format!("invalid taint spec: {text}{why}");
        let parts: Vec<&str> = text.split(':').collect();
        let (key, value, effect) = match parts.as_slice() {
            [key] => (*key, "", ""),
            [pair, effect] => {
                if !EFFECTS.contains(effect) {
                    return Err(format!(
                        "invalid taint effect: {effect}, unsupported taint effect"
                    ));
                }
                let pair: Vec<&str> = pair.split('=').collect();
                match pair.as_slice() {
                    [key] => (*key, "", *effect),
                    [key, value] => {
                        valid::label_value(value).map_err(|why| wrong(&format!(", {why}")))?;
                        (*key, *value, *effect)
                    }
                    _ => return Err(wrong("")),
                }
            }
            _ => return Err(wrong("")),
        };
        valid::qualified_name(key).map_err(|why| wrong(&format!(", {why}")))?;
        Ok(Taint { key: key.into(), value: value.into(), effect: effect.into() })
    }

    fn is(&self, other: &Value) -> bool {
        other["key"] == self.key && other["effect"] == self.effect
    }

    fn to_value(&self) -> Value {
        let mut taint = json!({"key": self.key, "effect": self.effect});
        if !self.value.is_empty() {
            taint["value"] = self.value.as_str().into();
        }
        taint
    }
}

/// Taints to add and to remove.
fn parse_taints(specs: &[String]) -> Result<(Vec<Taint>, Vec<Taint>), String> {
    let (mut add, mut remove): (Vec<Taint>, Vec<Taint>) = (Vec::new(), Vec::new());
    for spec in specs {
        if let Some(gone) = spec.strip_suffix('-') {
            remove.push(Taint { value: String::new(), ..Taint::parse(gone)? });
            continue;
        }
        let taint = Taint::parse(spec)?;
        if taint.effect.is_empty() {
            return Err(format!("invalid taint spec: {spec}"));
        }
        if add.iter().any(|t| t.key == taint.key && t.effect == taint.effect) {
            return Err(format!(
                "duplicated taints with the same key and effect: {{{} {} {} <nil>}}",
                taint.key, taint.value, taint.effect
            ));
        }
        add.push(taint);
    }
    Ok((add, remove))
}

async fn taint(cx: Cx, p: Parsed) -> Result<(), Error> {
    let dry_run = DryRun::of(&cx, &p).await?;
    let change = |a: &String| a.ends_with('-') || a.contains([':', '=']);
    let first = p.args.iter().position(change).unwrap_or(p.args.len());
    let (args, specs) = p.args.split_at(first);
    if let Some(bad) = specs.iter().find(|spec| !change(spec)) {
        return Err(Error::plain(format!(
            "all resources must be specified before taint changes: {bad}"
        )));
    }
    let Some((kind, names)) = args.split_first() else {
        return Err(Error::plain("one or more resources must be specified as <resource> <name>"));
    };
    if specs.is_empty() {
        return Err(Error::plain("at least one taint update is required"));
    }
    let changes = parse_taints(specs).map_err(|why| Error::usage(&p.path, why))?;
    let conn = dry_run.on(cx.connect(&p, 5)?);
    let named = kind.to_lowercase();
    if resources::kind_for(&conn, &named)?.kind != "Node" {
        return Err(Error::plain(format!(
            "invalid resource type {named}, only node types are supported"
        )));
    }
    check_taints(&p, &changes, names)?;
    let mut args = vec!["node".to_owned()];
    let bulk = p.bool("all") || !p.str("selector").is_empty();
    args.extend(names.iter().filter(|_| !bulk).cloned());
    let query =
        Query { selector: p.str("selector").to_owned(), all: p.bool("all"), ..Query::default() };
    let (found, mut errors) = things::find(&cx, &conn, &p, &args, &query, true).await?;
    for thing in found {
        errors.extend(send_taints(&cx, &conn, &p, &thing, &changes, dry_run).await.err());
    }
    Error::collect(errors)
}

fn check_taints(
    p: &Parsed,
    (add, remove): &(Vec<Taint>, Vec<Taint>),
    names: &[String],
) -> Result<(), Error> {
    let mut both = Vec::new();
    for new in add {
        let same =
            |old: &&Taint| old.key == new.key && ["", &new.effect].contains(&old.effect.as_str());
        both.extend(remove.iter().filter(same).map(|old| format!("{}={}", old.key, old.effect)));
    }
    if !both.is_empty() {
        return Err(Error::plain(format!(
            "can not both modify and remove the following taint(s) in the same command: {}",
            both.join(", ")
        )));
    }
    let selects = !p.str("selector").is_empty();
    if p.bool("all") && selects {
        let text = "setting 'all' parameter with a non empty selector is prohibited";
        return Err(Error::plain(text));
    }
    if !p.bool("all") && !selects && names.is_empty() {
        return Err(Error::plain(
            "at least one resource name must be specified since 'all' parameter is not set",
        ));
    }
    Ok(())
}

async fn send_taints(
    cx: &Cx,
    conn: &Conn,
    p: &Parsed,
    thing: &Thing,
    changes: &(Vec<Taint>, Vec<Taint>),
    dry_run: DryRun,
) -> Result<(), Error> {
    let mut new = thing.object.clone();
    let word = retaint(p, &thing.name, &mut new, changes)?;
    let mut object = new.clone();
    if dry_run != DryRun::Client {
        let diff = patch::two_way_merge(&thing.object, &new);
        let diff = (PatchType::Merge, &diff);
        let result = conn.client.patch(Node::ID, ("", &thing.name), diff, Subresource::Main);
        cx.warnings(conn).await;
        object = conn.value(&result?);
    }
    // The printer is told what happened last, and forgets that it was only tried.
    write::report(cx, p, &object, word, DryRun::No).await
}

/// New taints stand before those that were there. Models `reorganizeTaints`.
fn retaint(
    p: &Parsed,
    name: &str,
    node: &mut Value,
    (add, remove): &(Vec<Taint>, Vec<Taint>),
) -> Result<&'static str, Error> {
    let old = node["spec"]["taints"].as_array().cloned().unwrap_or_default();
    let there: Vec<&str> = add
        .iter()
        .flat_map(|new| old.iter().filter(|t| new.is(t)).map(|_| new.key.as_str()))
        .collect();
    if !p.bool("overwrite") && !there.is_empty() {
        return Err(Error::plain(format!(
            "node {name} already has {} taint(s) with same effect(s) and --overwrite is false",
            there.join(",")
        )));
    }
    let mut taints: Vec<Value> = add.iter().map(Taint::to_value).collect();
    taints.extend(old.iter().filter(|t| !add.iter().any(|new| new.is(t))).cloned());
    let added = taints.len() != old.len();
    let (mut deleted, mut faults) = (false, Vec::new());
    for gone in remove {
        let before = taints.len();
        taints.retain(|t| if gone.effect.is_empty() { t["key"] != gone.key } else { !gone.is(t) });
        deleted = taints.len() != before;
        if !deleted {
            let text = match gone.effect.as_str() {
                "" => gone.key.clone(),
                effect => format!("{}:{effect}", gone.key),
            };
            faults.push(Error::plain(format!("taint {} not found", quote(&text))));
        }
    }
    Error::collect(faults)?;
    node["spec"]["taints"] = Value::Array(taints);
    Ok(match (added, deleted) {
        _ if p.bool("overwrite") => "modified",
        (true, true) => "modified",
        (true, false) => "tainted",
        _ => "untainted",
    })
}
