//! `kubectl rollout`. Models `k8s.io/kubectl/pkg/cmd/rollout` and `pkg/polymorphichelpers`.

mod change;
mod history;
mod revisions;
mod status;
mod undo;

use serde_json::Value;

use crate::programs::kubectl::{
    Conn, Cx, Error,
    flags::{Command, Flag, Parsed},
    resources::Query,
    things::{self, Thing},
    write::at,
};

/// `kubectl rollout`
pub static COMMAND: Command = Command {
    name: "rollout",
    usage: "rollout SUBCOMMAND",
    short: "Follow and steer how a workload is renewed",
    long: "Follow and steer how a workload's pods are renewed.\n\n\
           Deployments, daemon sets and stateful sets have rollouts.",
    examples: "# Back to what was before\nkubectl rollout undo deployment/web\n\n\
               # Wait until it is done\nkubectl rollout status deployment/web\n\n\
               # Renew all pods\nkubectl rollout restart deployment/web",
    subcommands: &[
        &history::COMMAND,
        &change::PAUSE,
        &change::RESTART,
        &change::RESUME,
        &status::COMMAND,
        &undo::COMMAND,
    ],
    ..Command::EMPTY
};

const SELECTOR: &[Flag] =
    &[Flag::str("selector", "", "Only objects with these labels.").short("l")];

/// The workloads that are meant.
async fn workloads(cx: &Cx, conn: &Conn, p: &Parsed) -> Result<(Vec<Thing>, Vec<Error>), Error> {
    if p.args.is_empty() && !crate::programs::kubectl::manifest::given(p) {
        return Err(Error::plain("required resource not specified"));
    }
    let query = Query { selector: p.str("selector").to_owned(), lists: true, ..Query::default() };
    let (found, errors) = things::find(cx, conn, p, &p.args, &query, true).await?;
    if found.is_empty() && errors.is_empty() {
        cx.err(&format!("No resources found in {} namespace.\n", conn.namespace)).await;
    }
    Ok((found, errors))
}

/// A number in an object, 0 if it is not there.
fn int(object: &Value, path: &[&str]) -> i64 {
    at(object, path).and_then(Value::as_i64).unwrap_or(0)
}

/// A text in an object, empty if it is not there.
fn text<'a>(object: &'a Value, path: &[&str]) -> &'a str {
    at(object, path).and_then(Value::as_str).unwrap_or("")
}

/// The name of a kind with its group, `Deployment.apps`.
fn group_kind(thing: &Thing) -> String {
    match &*thing.kind.group {
        "" => thing.kind.kind.to_string(),
        group => format!("{}.{group}", thing.kind.kind),
    }
}
