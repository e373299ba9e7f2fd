//! `kubectl set`. Models `k8s.io/kubectl/pkg/cmd/set`.

mod env;
mod image;
mod others;
mod resources;
mod subject;

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
        &subject::COMMAND,
    ],
    ..Command::EMPTY
};

/// Flags of every subcommand.
const BASIC: &[Flag] = &[
    Flag::bool("all", false, "All objects of the type in the namespace."),
    write::DRY_RUN,
    write::field_manager("kubectl-set"),
    Flag::bool("local", false, "Work on files only and ask no server."),
];

/// Of those that note the command.
const RECORDING: &[Flag] = &[write::RECORD];

/// Flags of most subcommands.
const SHARED: &[Flag] = &[
    Flag::bool("all", false, "All objects of the type in the namespace."),
    write::DRY_RUN,
    write::field_manager("kubectl-set"),
    Flag::bool("local", false, "Work on files only and ask no server."),
    Flag::str("selector", "", "Only objects with these labels.").short("l"),
];

/// Where objects are from and go to.
struct Place {
    /// The server; `None` with `--local`.
    conn: Option<Conn>,
    /// The namespace in force.
    namespace: String,
}

/// The objects that are meant, as they are on the server, or in files with `--local`. The first
/// thing that is not there ends it.
async fn objects(
    cx: &Cx,
    p: &Parsed,
    args: &[String],
    dry_run: DryRun,
) -> Result<(Place, Vec<Thing>), Error> {
    if p.bool("all") && !p.str("selector").is_empty() {
        return Err(Error::plain("cannot set --all and --selector at the same time"));
    }
    if p.bool("local") {
        if dry_run == DryRun::Server {
            return Err(Error::plain(
                "cannot specify --local and --dry-run=server - did you mean --dry-run=client?",
            ));
        }
        let namespace = Some(p.str("namespace")).filter(|n| !n.is_empty()).unwrap_or("default");
        let place = Place { conn: None, namespace: namespace.to_owned() };
        return Ok((place, things::local(cx, p, args).await?));
    }
    let conn = dry_run.on(cx.connect(p, 5)?);
    let query = Query {
        selector: p.str("selector").to_owned(),
        all: p.bool("all"),
        lists: p.bool("all"),
        ..Query::default()
    };
    let (found, errors) = things::find(cx, &conn, p, args, &query, true).await?;
    Error::collect(errors)?;
    let place = Place { namespace: conn.namespace.clone(), conn: Some(conn) };
    Ok((place, found))
}

/// Arguments up to the first `key=value` (or `key-`), and from there on.
fn divide(args: &[String]) -> (Vec<String>, Vec<String>) {
    let pair =
        |a: &str| (a.contains('=') && !a.starts_with('=')) || (a.ends_with('-') && a.len() > 1);
    let first = args.iter().position(|a| pair(a)).unwrap_or(args.len());
    (args[..first].to_vec(), args[first..].to_vec())
}

/// Whether a container's name fits `--containers`, in which * stands for any text.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return name == pattern };
    let Some(mut left) = name.strip_prefix(head) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let Some(tail) = parts.pop() else { return true };
    for part in parts {
        let Some(at) = left.find(part) else { return false };
        left = left.get(at + part.len()..).unwrap_or("");
    }
    left.ends_with(tail)
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
            let named = object_name(thing);
            let kind = format!("*{}.{kind}", thing.kind.version);
            return Err(Error::plain(format!(
                "error: {named} the object is not a pod or does not have a pod template: {kind}\n"
            )));
        }
    };
    let mut here = object;
    for key in path {
        here = here.get_mut(*key).ok_or_else(|| Error::plain("the object has no pod template"))?;
    }
    Ok(here)
}

/// `deployments/web`. Models `resource.Info.ObjectName`.
fn object_name(thing: &Thing) -> String {
    format!("{}/{}", thing.kind.plural, thing.name)
}

/// Sends what changed and prints the message; nothing if nothing changed. `failed` introduces errors.
async fn send(
    cx: &Cx,
    place: &Place,
    p: &Parsed,
    thing: &Thing,
    new: Value,
    how: (&str, &str, DryRun),
) -> Result<(), Error> {
    let (word, failed, dry_run) = how;
    let diff = patch::two_way(&thing.object, &new);
    // Not all of them look whether anything changed.
    let looks = ["image", "env", "resource", "subject"].iter().any(|what| word.starts_with(what));
    if looks && diff.as_object().is_some_and(serde_json::Map::is_empty) {
        return Ok(());
    }
    let mut object = new;
    if let Some(conn) = place.conn.as_ref().filter(|_| dry_run != DryRun::Client) {
        let diff = (PatchType::Strategic, &diff);
        let result = conn.client.patch(thing.kind.id, thing.key(), diff, Subresource::Main);
        cx.warnings(conn).await;
        object = conn.value(&result.map_err(|e| Error::plain(format!("{failed} {e}")))?);
    }
    write::report(cx, p, &object, word, dry_run).await
}
