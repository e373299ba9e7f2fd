//! `kubectl create namespace`.

use serde_json::json;

use super::{SHARED, finish, name};
use crate::programs::kubectl::{
    Cx, Error,
    flags::{Command, Parsed},
    write,
};

/// `kubectl create namespace`
pub(super) static COMMAND: Command = Command {
    name: "namespace",
    aliases: &["ns"],
    usage: "namespace NAME [--dry-run=server|client|none]",
    short: "Create a namespace",
    examples: "# A namespace called dev\nkubectl create namespace dev",
    flags: &[SHARED, write::OUTPUT],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    ..Command::EMPTY
};

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    let name = name(&p)?;
    if name.is_empty() {
        return Err(Error::plain("name must be specified"));
    }
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name},
        "spec": {}, "status": {}});
    finish(cx, p, object, "").await
}
