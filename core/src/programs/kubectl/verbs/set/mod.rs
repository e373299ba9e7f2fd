//! `kubectl set`. Models `k8s.io/kubectl/pkg/cmd/set`.

mod env;
mod image;
mod others;
mod resources;

use serde_json::Value;

use crate::{
    api::patch,
    client::{PatchType, Subresource},
    programs::kubectl::{
        Conn, Cx, Error,
        flags::{Command, Flag, Parsed},
        resources::Query,
        things::{self, Thing},
        write::{self, DryRun},
    },
};

/// `kubectl set`
pub static COMMAND: Command = Command {
    name: "set",
    usage: "set SUBCOMMAND",
    short: "Change certain fields of objects",
    long: "Change certain fields of objects: images, variables, resources.",
    subcommands: &[
        &env::COMMAND,
        &image::COMMAND,
        &resources::COMMAND,
        &others::SELECTOR,
        &others::SERVICEACCOUNT,
    ],
    ..Command::EMPTY
};

/// Flags of every subcommand.
const SHARED: &[Flag] = &[
    Flag::bool("all", false, "All objects of the type in the namespace."),
    write::DRY_RUN,
    write::field_manager("kubectl-set"),
    Flag::str("selector", "", "Only objects with these labels.").short("l"),
];

/// The objects that are meant, as they are on the server. The first thing that is not there ends it.
async fn objects(cx: &Cx, conn: &Conn, p: &Parsed, args: &[String]) -> Result<Vec<Thing>, Error> {
    let query = Query {
        selector: p.str("selector").to_owned(),
        all: p.bool("all"),
        lists: p.bool("all"),
        ..Query::default()
    };
    let (found, errors) = things::find(cx, conn, p, args, &query, true).await?;
    Error::collect(errors)?;
    Ok(found)
}

/// Arguments up to the first `key=value` (or `key-`), and from there on.
fn divide(args: &[String]) -> (Vec<String>, Vec<String>) {
    let pair =
        |a: &str| (a.contains('=') && !a.starts_with('=')) || (a.ends_with('-') && a.len() > 1);
    let first = args.iter().position(|a| pair(a)).unwrap_or(args.len());
    (args[..first].to_vec(), args[first..].to_vec())
}

/// The pod spec in an object, if its kind has one.
fn pod_spec<'a>(thing: &Thing, object: &'a mut Value) -> Result<&'a mut Value, Error> {
    let path: &[&str] = match &*thing.kind.kind {
        "Pod" => &["spec"],
        "CronJob" => &["spec", "jobTemplate", "spec", "template", "spec"],
        "Deployment"
        | "ReplicaSet"
        | "DaemonSet"
        | "StatefulSet"
        | "Job"
        | "ReplicationController" => &["spec", "template", "spec"],
        kind => {
            return Err(Error::plain(format!(
                "the object is not a pod or does not have a pod template: {kind}"
            )));
        }
    };
    let mut here = object;
    for key in path {
        here = here.get_mut(*key).ok_or_else(|| Error::plain("the object has no pod template"))?;
    }
    Ok(here)
}

/// Sends what changed and prints the message; nothing if nothing changed. `failed` introduces errors.
async fn send(
    cx: &Cx,
    conn: &Conn,
    p: &Parsed,
    thing: &Thing,
    new: Value,
    how: (&str, &str, DryRun),
) -> Result<(), Error> {
    let (word, failed, dry_run) = how;
    let diff = patch::two_way(&thing.object, &new);
    if diff.as_object().is_some_and(serde_json::Map::is_empty) {
        return Ok(());
    }
    let mut object = new;
    if dry_run != DryRun::Client {
        let diff = (PatchType::Strategic, &diff);
        let result = conn.client.patch(thing.kind.id, thing.key(), diff, Subresource::Main);
        cx.warnings(conn).await;
        object = result.map_err(|e| Error::plain(format!("{failed} {e}")))?.to_value();
    }
    write::report(cx, p, &object, word, dry_run).await
}
