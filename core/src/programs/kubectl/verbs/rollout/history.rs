//! `kubectl rollout history`, and the revisions of a deployment.

use std::rc::Rc;

use k8s_openapi::api::apps::v1::ReplicaSet;
use serde_json::Value;

use super::{SELECTOR, group_kind, workloads};
use crate::{
    api::{meta::controller_of, object::to_value},
    programs::kubectl::{
        Conn, Cx, Error,
        flags::{Command, Complete, Flag, Parsed},
        manifest,
        print::tabwriter::Tabwriter,
        things::Thing,
        write,
    },
};

const CAUSE: &str = "kubernetes.io/change-cause";
const REVISION: &str = "deployment.kubernetes.io/revision";

/// `kubectl rollout history`
pub(super) static COMMAND: Command = Command {
    name: "history",
    usage: "history (TYPE NAME | TYPE/NAME) [flags]",
    short: "Show earlier rollouts",
    examples: "# All revisions\nkubectl rollout history deployment/web\n\n\
               # What one was like\nkubectl rollout history deployment/web --revision=3",
    flags: &[
        &[Flag::int("revision", "0", "Show this revision in detail.")],
        SELECTOR,
        manifest::FLAGS,
        write::OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    complete: Complete::Resources,
    ..Command::EMPTY
};

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    let revision = p.int("revision");
    if revision < 0 {
        return Err(Error::plain(format!("revision must be a positive integer: {revision}")));
    }
    let conn = cx.connect(&p, 5)?;
    let (found, mut errors) = workloads(&cx, &conn, &p).await?;
    for thing in found {
        match show(&cx, &conn, &p, &thing, revision).await {
            Ok(text) => cx.out(&text).await,
            Err(e) => errors.push(e),
        }
    }
    Error::collect(errors)
}

async fn show(
    cx: &Cx,
    conn: &Conn,
    p: &Parsed,
    thing: &Thing,
    revision: i64,
) -> Result<String, Error> {
    let sets = revisions(conn, thing)?;
    if !["", "name"].contains(&p.str("output")) {
        let mut printer = crate::programs::kubectl::output::Printer::new(cx, p, "", "")?;
        let mut text = String::new();
        for (number, set) in &sets {
            if revision == 0 || *number == revision {
                text.push_str(&printer.one(&to_value(&**set))?);
            }
        }
        return if text.is_empty() {
            Err(Error::plain("unable to find the specified revision"))
        } else {
            Ok(text)
        };
    }
    let body = if sets.is_empty() {
        "No rollout history found.".to_owned()
    } else if revision > 0 {
        let set = sets.iter().find(|(n, _)| *n == revision);
        let (_, set) = set.ok_or_else(|| Error::plain("unable to find the specified revision"))?;
        template_text(&to_value(&**set)["spec"]["template"], cause(set))
    } else {
        let mut out = Tabwriter::describe();
        out.write("REVISION\tCHANGE-CAUSE\n");
        for (number, set) in &sets {
            out.write(&format!("{number}\t{}\n", cause(set).unwrap_or("<none>")));
        }
        out.flush()
    };
    let with = if revision > 0 { format!("with revision #{revision}") } else { String::new() };
    Ok(format!("{} {with}\n{body}\n", thing.named()))
}

fn cause(set: &ReplicaSet) -> Option<&str> {
    let annotations = set.metadata.annotations.as_ref()?;
    annotations.get(CAUSE).map(String::as_str).filter(|c| !c.is_empty())
}

/// A deployment's replica sets by revision, in order.
pub(super) fn revisions(conn: &Conn, thing: &Thing) -> Result<Vec<(i64, Rc<ReplicaSet>)>, Error> {
    if thing.kind.kind != "Deployment" {
        return Err(Error::plain(format!(
            "no history viewer has been implemented for {}",
            crate::api::gofmt::quote(&group_kind(thing))
        )));
    }
    let uid = thing.object["metadata"]["uid"].as_str().unwrap_or("");
    let all: Vec<Rc<ReplicaSet>> = conn.client.list(Some(&thing.namespace));
    let mut found: Vec<(i64, Rc<ReplicaSet>)> = all
        .into_iter()
        .filter(|rs| controller_of(&rs.metadata).is_some_and(|owner| owner.uid == uid))
        .filter_map(|rs| {
            let annotations = rs.metadata.annotations.as_ref()?;
            Some((annotations.get(REVISION)?.parse().ok()?, rs.clone()))
        })
        .collect();
    found.sort_by_key(|(n, _)| *n);
    Ok(found)
}

/// A pod template as it is described, its cells separated by tabs. Models `DescribePodTemplate` on a
/// writer that does not line up.
fn template_text(template: &Value, cause: Option<&str>) -> String {
    let mut out = String::from("Pod Template:\n");
    let pairs = |out: &mut String, title: &str, map: &Value| {
        let mut first = true;
        for (key, value) in map.as_object().into_iter().flatten() {
            let value = value.as_str().unwrap_or("");
            let head = if first { format!("  {title}:") } else { String::new() };
            out.push_str(&format!("{head}\t{key}={value}\n"));
            first = false;
        }
        if first {
            out.push_str(&format!("  {title}:\t<none>\n"));
        }
    };
    pairs(&mut out, "Labels", &template["metadata"]["labels"]);
    let mut annotations = template["metadata"]["annotations"].clone();
    if let Some(cause) = cause {
        if let Some(map) = write::map_at(&mut annotations, &[]) {
            map.insert(CAUSE.into(), cause.into());
        }
    }
    if annotations.as_object().is_some_and(|m| !m.is_empty()) {
        let mut first = true;
        for (key, value) in annotations.as_object().into_iter().flatten() {
            let head = if first { "  Annotations:" } else { "" };
            let value = value.as_str().unwrap_or("");
            let sep = if value.contains('\n') { "\n" } else { " " };
            out.push_str(&format!("{head}\t{key}:{sep}{value}\n"));
            first = false;
        }
    }
    let spec = &template["spec"];
    if let Some(account) = spec["serviceAccountName"].as_str() {
        out.push_str(&format!("  Service Account:\t{account}\n"));
    }
    for (field, title) in [("initContainers", "Init Containers"), ("containers", "Containers")] {
        let Some(list) = spec[field].as_array().filter(|l| !l.is_empty()) else { continue };
        out.push_str(&format!("  {title}:\n"));
        for container in list {
            container_text(&mut out, container);
        }
    }
    out.push_str("  Volumes:\t<none>\n");
    if let Some(volumes) = spec["volumes"].as_array().filter(|v| !v.is_empty()) {
        out.truncate(out.len() - "\t<none>\n".len());
        out.push('\n');
        for volume in volumes {
            let name = volume["name"].as_str().unwrap_or("");
            let kind = volume.as_object().into_iter().flatten().find(|(k, _)| *k != "name");
            let kind = kind.map_or("<unknown>", |(k, _)| k.as_str());
            out.push_str(&format!("   {name}:\n    Type:\t{kind}\n"));
        }
    }
    match spec["nodeSelector"].as_object().filter(|m| !m.is_empty()) {
        Some(_) => pairs(&mut out, "Node-Selectors", &spec["nodeSelector"]),
        None => out.push_str("  Node-Selectors:\t<none>\n"),
    }
    out.push_str("  Tolerations:\t<none>\n");
    out
}

fn container_text(out: &mut String, container: &Value) {
    let text = |key: &str| container[key].as_str().unwrap_or("").to_owned();
    out.push_str(&format!("   {}:\n    Image:\t{}\n", text("name"), text("image")));
    let ports = container["ports"].as_array().cloned().unwrap_or_default();
    let show = |field: &str| {
        let all: Vec<String> = ports
            .iter()
            .map(|p| {
                let protocol = p["protocol"].as_str().unwrap_or("TCP");
                format!("{}/{protocol}", p[field].as_i64().unwrap_or(0))
            })
            .collect();
        if all.is_empty() { "<none>".to_owned() } else { all.join(", ") }
    };
    let (title, host) =
        if ports.len() > 1 { ("Ports", "Host Ports") } else { ("Port", "Host Port") };
    out.push_str(&format!(
        "    {title}:\t{}\n    {host}:\t{}\n",
        show("containerPort"),
        show("hostPort")
    ));
    for field in ["command", "args"] {
        if let Some(words) = container[field].as_array() {
            let title = if field == "command" { "Command" } else { "Args" };
            out.push_str(&format!("    {title}:\n"));
            for word in words {
                out.push_str(&format!("      {}\n", word.as_str().unwrap_or("")));
            }
        }
    }
    for (field, title) in [("limits", "Limits"), ("requests", "Requests")] {
        if let Some(map) = container["resources"][field].as_object().filter(|m| !m.is_empty()) {
            out.push_str(&format!("    {title}:\n"));
            for (key, value) in map {
                out.push_str(&format!("      {key}:\t{}\n", value.as_str().unwrap_or("")));
            }
        }
    }
    match container["env"].as_array().filter(|e| !e.is_empty()) {
        None => out.push_str("    Environment:\t<none>\n"),
        Some(list) => {
            out.push_str("    Environment:\n");
            for var in list {
                let name = var["name"].as_str().unwrap_or("");
                out.push_str(&format!("      {name}:\t{}\n", var["value"].as_str().unwrap_or("")));
            }
        }
    }
    match container["volumeMounts"].as_array().filter(|m| !m.is_empty()) {
        None => out.push_str("    Mounts:\t<none>\n"),
        Some(list) => {
            out.push_str("    Mounts:\n");
            for mount in list {
                let mode = if mount["readOnly"] == true { "ro" } else { "rw" };
                let (path, name) = (
                    mount["mountPath"].as_str().unwrap_or(""),
                    mount["name"].as_str().unwrap_or(""),
                );
                out.push_str(&format!("      {path} from {name} ({mode})\n"));
            }
        }
    }
}
