//! `kubectl rollout status`.

use std::time::Duration;

use serde_json::Value;

use super::{SELECTOR, group_kind, int, text, workloads};
use crate::{
    api::{gofmt::quote, selector::FieldSelector},
    client::{ListOptions, Op},
    programs::kubectl::{
        Conn, Cx, Error,
        flags::{Command, Complete, Flag, Parsed},
        manifest,
        things::Thing,
    },
    sim::{Either, race},
};

/// `kubectl rollout status`
pub(super) static COMMAND: Command = Command {
    name: "status",
    usage: "status (TYPE NAME | TYPE/NAME) [flags]",
    short: "Show how far a rollout is",
    long: "Show how far a rollout is, and wait until it is done unless --watch=false.",
    examples: "# Until it is done\nkubectl rollout status deployment/web",
    flags: &[
        &[
            Flag::int("revision", "0", "The revision that has to be the latest; 0: any."),
            Flag::duration("timeout", "0s", "How long to wait; 0: as long as it takes."),
            Flag::bool("watch", true, "Wait until it is done.").short("w"),
        ],
        SELECTOR,
        manifest::FLAGS,
    ],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    complete: Complete::Resources,
    ..Command::EMPTY
};

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    if p.int("revision") < 0 {
        return Err(Error::plain(format!(
            "revision must be a positive integer: {}",
            p.int("revision")
        )));
    }
    if p.duration("timeout") < 0 {
        let text = "\"Timeout for context shall not be negative\"";
        cx.err(&cx.klog('E', "until.go:159", text)).await;
    }
    let conn = cx.connect(&p, 5)?;
    let (found, mut errors) = workloads(&cx, &conn, &p).await?;
    for thing in found {
        let nanos = p.duration("timeout").max(0).unsigned_abs();
        let follow = follow(&cx, &conn, &p, &thing);
        let result = if nanos == 0 {
            follow.await
        } else {
            match race(follow, cx.proc.sleep(Duration::from_nanos(nanos))).await {
                Either::Left(result) => result,
                Either::Right(()) => Err(Error::plain("timed out waiting for the condition")),
            }
        };
        errors.extend(result.err());
    }
    Error::collect(errors)
}

async fn follow(cx: &Cx, conn: &Conn, p: &Parsed, thing: &Thing) -> Result<(), Error> {
    let fields = FieldSelector::one("metadata.name", &thing.name);
    let options = ListOptions { fields, ..ListOptions::default() };
    let since = Some(conn.client.revision());
    let mut stream = conn.client.watch(thing.kind.id, Some(&thing.namespace), &options, since)?;
    let mut object = conn.client.get_any(thing.kind.id, &thing.namespace, &thing.name)?.to_value();
    loop {
        let (message, done) = status(thing, &object, p.int("revision"))?;
        cx.out(&message).await;
        if done || !p.bool("watch") {
            return Ok(());
        }
        match stream.next().await {
            Some(event) if event.op == Op::Deleted => {
                return Err(Error::plain("object has been deleted"));
            }
            Some(event) => object = event.object.to_value(),
            None => return Err(Error::plain("the watch was closed by the server")),
        }
    }
}

fn status(thing: &Thing, object: &Value, revision: i64) -> Result<(String, bool), Error> {
    match &*thing.kind.kind {
        "Deployment" => deployment(object, revision),
        "DaemonSet" => daemon_set(object),
        "StatefulSet" => stateful_set(object),
        _ => Err(Error::plain(format!(
            "no status viewer has been implemented for {}",
            group_kind(thing)
        ))),
    }
}

fn deployment(object: &Value, revision: i64) -> Result<(String, bool), Error> {
    let name = quote(text(object, &["metadata", "name"]));
    if revision > 0 {
        let annotation = ["metadata", "annotations", "deployment.kubernetes.io/revision"];
        let running = text(object, &annotation).parse().unwrap_or(0);
        if revision != running {
            return Err(Error::plain(format!(
                "desired revision ({revision}) is different from the running revision ({running})"
            )));
        }
    }
    if int(object, &["metadata", "generation"]) > int(object, &["status", "observedGeneration"]) {
        return Ok(("Waiting for deployment spec update to be observed...\n".into(), false));
    }
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let late = |c: &Value| c["type"] == "Progressing" && c["reason"] == "ProgressDeadlineExceeded";
    if conditions.iter().any(late) {
        return Err(Error::plain(format!("deployment {name} exceeded its progress deadline")));
    }
    let wanted = object["spec"]["replicas"].as_i64().unwrap_or(1);
    let count = |field: &str| int(object, &["status", field]);
    let (updated, all, available) =
        (count("updatedReplicas"), count("replicas"), count("availableReplicas"));
    let waiting = format!("Waiting for deployment {name} rollout to finish:");
    Ok(if updated < wanted {
        let text =
            format!("{waiting} {updated} out of {wanted} new replicas have been updated...\n");
        (text, false)
    } else if all > updated {
        let old = all - updated;
        (format!("{waiting} {old} old replicas are pending termination...\n"), false)
    } else if available < updated {
        let text =
            format!("{waiting} {available} of {updated} updated replicas are available...\n");
        (text, false)
    } else {
        (format!("deployment {name} successfully rolled out\n"), true)
    })
}

fn daemon_set(object: &Value) -> Result<(String, bool), Error> {
    if text(object, &["spec", "updateStrategy", "type"]) != "RollingUpdate" {
        return Err(Error::plain(
            "rollout status is only available for RollingUpdate strategy type",
        ));
    }
    if int(object, &["metadata", "generation"]) > int(object, &["status", "observedGeneration"]) {
        return Ok(("Waiting for daemon set spec update to be observed...\n".into(), false));
    }
    let name = quote(text(object, &["metadata", "name"]));
    let count = |field: &str| int(object, &["status", field]);
    let (updated, wanted, available) = (
        count("updatedNumberScheduled"),
        count("desiredNumberScheduled"),
        count("numberAvailable"),
    );
    let waiting = format!("Waiting for daemon set {name} rollout to finish:");
    Ok(if updated < wanted {
        let text = format!("{waiting} {updated} out of {wanted} new pods have been updated...\n");
        (text, false)
    } else if available < wanted {
        (format!("{waiting} {available} of {wanted} updated pods are available...\n"), false)
    } else {
        (format!("daemon set {name} successfully rolled out\n"), true)
    })
}

fn stateful_set(object: &Value) -> Result<(String, bool), Error> {
    if text(object, &["spec", "updateStrategy", "type"]) != "RollingUpdate" {
        return Err(Error::plain(
            "rollout status is only available for RollingUpdate strategy type",
        ));
    }
    let observed = int(object, &["status", "observedGeneration"]);
    if observed == 0 || int(object, &["metadata", "generation"]) > observed {
        return Ok(("Waiting for statefulset spec update to be observed...\n".into(), false));
    }
    let wanted = object["spec"]["replicas"].as_i64().unwrap_or(1);
    let count = |field: &str| int(object, &["status", field]);
    let ready = count("readyReplicas");
    if ready < wanted {
        return Ok((format!("Waiting for {} pods to be ready...\n", wanted - ready), false));
    }
    let updated = count("updatedReplicas");
    let rolling = &object["spec"]["updateStrategy"]["rollingUpdate"];
    if rolling.is_object() {
        let want = wanted - rolling["partition"].as_i64().unwrap_or(0);
        if updated < want {
            return Ok((
                format!(
                    "Waiting for partitioned roll out to finish: {updated} out of {want} new \
                         pods have been updated...\n"
                ),
                false,
            ));
        }
        let text =
            format!("partitioned roll out complete: {updated} new pods have been updated...\n");
        return Ok((text, true));
    }
    let (update, current) =
        (text(object, &["status", "updateRevision"]), text(object, &["status", "currentRevision"]));
    Ok(if update != current {
        let text = format!(
            "waiting for statefulset rolling update to complete {updated} pods at \
                            revision {update}...\n"
        );
        (text, false)
    } else {
        let pods = count("currentReplicas");
        (
            format!("statefulset rolling update complete {pods} pods at revision {current}...\n"),
            true,
        )
    })
}
