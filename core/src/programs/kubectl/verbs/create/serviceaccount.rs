//! `kubectl create serviceaccount`.

use serde_json::json;

use super::{SHARED, finish, name};
use crate::programs::kubectl::{
    Cx, Error,
    flags::{Command, Parsed},
    write,
};

/// `kubectl create serviceaccount`
pub(super) static COMMAND: Command = Command {
    name: "serviceaccount",
    aliases: &["sa"],
    usage: "serviceaccount NAME [--dry-run=server|client|none]",
    short: "Create a service account",
    examples: "# An account for a bot\nkubectl create serviceaccount bot",
    flags: &[SHARED, write::OUTPUT],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    ..Command::EMPTY
};

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    let name = name(&p)?;
    let object = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}});
    finish(cx, p, object, "failed to create serviceaccount").await
}
