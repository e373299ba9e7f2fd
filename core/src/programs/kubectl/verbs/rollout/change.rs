//! `kubectl rollout pause | resume | restart`.

use serde_json::{Value, json};

use super::{SELECTOR, workloads};
use crate::{
    api::{gofmt::quote, patch},
    client::{PatchType, Subresource},
    programs::kubectl::{
        Cx, Error,
        flags::{Command, Complete, Parsed},
        manifest,
        things::Thing,
        write::{self, DryRun},
    },
};

/// `kubectl rollout pause`
pub(super) static PAUSE: Command = Command {
    name: "pause",
    usage: "pause RESOURCE",
    short: "Stop a rollout for now",
    long: "Stop a rollout for now: changes of a paused deployment lead to no new pods.",
    examples: "# Collect several changes\nkubectl rollout pause deployment/web",
    flags: &[&[write::field_manager("kubectl-rollout")], SELECTOR, manifest::FLAGS, write::OUTPUT],
    run: Some(|cx, p| Box::pin(run(cx, p, pause, "paused"))),
    complete: Complete::Resources,
    ..Command::EMPTY
};

/// `kubectl rollout resume`
pub(super) static RESUME: Command = Command {
    name: "resume",
    usage: "resume RESOURCE",
    short: "Let a paused rollout go on",
    examples: "# Now roll all changes out\nkubectl rollout resume deployment/web",
    flags: &[&[write::field_manager("kubectl-rollout")], SELECTOR, manifest::FLAGS, write::OUTPUT],
    run: Some(|cx, p| Box::pin(run(cx, p, resume, "resumed"))),
    complete: Complete::Resources,
    ..Command::EMPTY
};

/// `kubectl rollout restart`
pub(super) static RESTART: Command = Command {
    name: "restart",
    usage: "restart RESOURCE",
    short: "Renew all pods",
    examples: "# New pods for the deployment\nkubectl rollout restart deployment/web",
    flags: &[&[write::field_manager("kubectl-rollout")], SELECTOR, manifest::FLAGS, write::OUTPUT],
    run: Some(|cx, p| Box::pin(run(cx, p, restart, "restarted"))),
    complete: Complete::Resources,
    ..Command::EMPTY
};

type Change = fn(&Cx, &Thing, &mut Value) -> Result<(), String>;

async fn run(cx: Cx, p: Parsed, change: Change, word: &str) -> Result<(), Error> {
    let conn = cx.connect(&p, 5)?;
    let (found, mut errors) = workloads(&cx, &conn, &p).await?;
    for thing in found {
        let mut new = thing.object.clone();
        if let Err(e) = change(&cx, &thing, &mut new) {
            let (resource, name) = (thing.kind.resource(), quote(&thing.name));
            errors.push(Error::plain(format!("error: {resource} {name} {e}")));
            continue;
        }
        let diff = patch::two_way(&thing.object, &new);
        if diff.as_object().is_some_and(serde_json::Map::is_empty) {
            errors.push(Error::plain(format!(
                "failed to create patch for {}: if restart has already been triggered within the past \
                 second, please wait before attempting to trigger another",
                thing.name
            )));
            continue;
        }
        let diff = (PatchType::Strategic, &diff);
        let result = conn.client.patch(thing.kind.id, thing.key(), diff, Subresource::Main);
        cx.warnings(&conn).await;
        match result {
            Ok(object) => write::report(&cx, &p, &conn.value(&object), word, DryRun::No).await?,
            Err(e) => errors.push(Error::plain(format!("failed to patch: {e}"))),
        }
    }
    Error::collect(errors)
}

fn pause(_: &Cx, thing: &Thing, object: &mut Value) -> Result<(), String> {
    if thing.kind.kind != "Deployment" {
        return Err("pausing is not supported".into());
    }
    if object["spec"]["paused"] == true {
        return Err("is already paused".into());
    }
    object["spec"]["paused"] = json!(true);
    Ok(())
}

fn resume(_: &Cx, thing: &Thing, object: &mut Value) -> Result<(), String> {
    if thing.kind.kind != "Deployment" {
        return Err("resuming is not supported".into());
    }
    if object["spec"]["paused"] != true {
        return Err("is not paused".into());
    }
    if let Some(spec) = object["spec"].as_object_mut() {
        spec.remove("paused");
    }
    Ok(())
}

fn restart(cx: &Cx, thing: &Thing, object: &mut Value) -> Result<(), String> {
    if !["Deployment", "DaemonSet", "StatefulSet"].contains(&&*thing.kind.kind) {
        return Err("restarting is not supported".into());
    }
    if object["spec"]["paused"] == true {
        return Err("can't restart paused deployment (run rollout resume first)".into());
    }
    let now = cx.proc.sim().now().to_timestamp().to_string();
    let now = format!("{}Z", now.split('.').next().unwrap_or("").trim_end_matches('Z'));
    let key = "kubectl.kubernetes.io/restartedAt";
    if let Some(map) = write::map_at(object, &["spec", "template", "metadata", "annotations"]) {
        map.insert(key.into(), now.into());
    }
    Ok(())
}
