//! `kubectl rollout undo`.

use serde_json::{Map, Value, json};

use super::{
    SELECTOR,
    revisions::{self, Revision},
    workloads,
};
use crate::{
    api::gofmt::quote,
    client::{PatchType, Subresource},
    programs::kubectl::{
        Conn, Cx, Error,
        flags::{Command, Complete, Flag, Parsed},
        manifest,
        things::Thing,
        write::{self, DryRun, LAST_APPLIED},
    },
};

/// `kubectl rollout undo`
pub(super) static COMMAND: Command = Command {
    name: "undo",
    usage: "undo (TYPE NAME | TYPE/NAME) [flags]",
    short: "Go back to an earlier rollout",
    examples: "# To the one before\nkubectl rollout undo deployment/web\n\n\
               # To a certain one\nkubectl rollout undo deployment/web --to-revision=3",
    flags: &[
        &[
            write::DRY_RUN,
            Flag::int("to-revision", "0", "The revision to go back to; 0: the one before."),
        ],
        SELECTOR,
        manifest::FLAGS,
        write::OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    complete: Complete::Resources,
    ..Command::EMPTY
};

/// Annotations of a deployment that a rollback leaves as they are.
const KEPT: &[&str] = &[
    LAST_APPLIED,
    "deployment.kubernetes.io/revision",
    "deployment.kubernetes.io/revision-history",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deprecated.deployment.rollback.to",
];

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    let dry_run = DryRun::of(&cx, &p).await?;
    let conn = dry_run.on(cx.connect(&p, 5)?);
    let (found, mut errors) = workloads(&cx, &conn, &p).await?;
    for thing in found {
        let applied = ["metadata", "annotations", LAST_APPLIED];
        if write::at(&thing.object, &applied).is_some() {
            cx.err(&format!(
                "Warning: resource {}/{} was previously managed with 'kubectl apply'. Rolling back \
                 will not update the {LAST_APPLIED} annotation, which may cause unexpected behavior \
                 on future 'kubectl apply' operations. Consider using 'kubectl apply' with your \
                 previous configuration file instead.\n",
                thing.kind.plural, thing.name
            ))
            .await;
        }
        match undo(&conn, &thing, p.int("to-revision"), dry_run) {
            Ok(message) => {
                write::report(&cx, &p, &thing.object, &message, dry_run).await?;
            }
            Err(e) => errors.push(e),
        }
        cx.warnings(&conn).await;
    }
    Error::collect(errors)
}

fn undo(conn: &Conn, thing: &Thing, to: i64, dry_run: DryRun) -> Result<String, Error> {
    let missing = || Error::plain(format!("unable to find specified revision {to} in history"));
    if to < 0 {
        return Err(missing());
    }
    let all = revisions::of(conn, thing, "rollbacker")?;
    let deployment = thing.kind.kind == "Deployment";
    let before = all.len().checked_sub(2).and_then(|at| all.get(at));
    let wanted = if to > 0 {
        all.iter().find(|r| r.number == to).ok_or_else(missing)?
    } else {
        before.ok_or_else(|| match deployment {
            true => {
                let name = quote(&thing.name);
                Error::plain(format!("no rollout history found for deployment {name}"))
            }
            false => Error::plain("no last revision to roll back to"),
        })?
    };
    if dry_run == DryRun::Client {
        let text = wanted.plain_text()?;
        return Ok(if deployment { text } else { format!("will roll back to {text}") });
    }
    if deployment && thing.object["spec"]["paused"] == true {
        return Err(Error::plain(
            "you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' \
             and try again",
        ));
    }
    let skipped = format!("skipped rollback (current template already matches revision {to})");
    let (patch_type, change) = match &wanted.patch {
        Some(change) if *change == revisions::patch_of(&thing.object) => return Ok(skipped),
        Some(change) => (PatchType::Strategic, change.clone()),
        None => match deployment_patch(thing, wanted) {
            Some(change) => (PatchType::Json, change),
            None => return Ok(skipped),
        },
    };
    conn.client
        .patch(thing.kind.id, thing.key(), (patch_type, &change), Subresource::Main)
        .map_err(|e| Error::plain(format!("failed restoring revision {to}: {e}")))?;
    Ok("rolled back".into())
}

/// What brings a deployment back to a replica set's template; `None` if it has it.
fn deployment_patch(thing: &Thing, wanted: &Revision) -> Option<Value> {
    let mut template = wanted.template();
    if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
        labels.remove("pod-template-hash");
    }
    if template == thing.object["spec"]["template"] {
        return None;
    }
    let mut annotations = Map::new();
    let all = |v: &Value| v["metadata"]["annotations"].as_object().cloned().unwrap_or_default();
    let kept = |k: &str| KEPT.contains(&k);
    annotations.extend(all(&thing.object).into_iter().filter(|(k, _)| kept(k)));
    annotations.extend(all(&wanted.object).into_iter().filter(|(k, _)| !kept(k)));
    Some(json!([
        {"op": "replace", "path": "/spec/template", "value": template},
        {"op": "replace", "path": "/metadata/annotations", "value": annotations},
    ]))
}
