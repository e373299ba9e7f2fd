//! `kubectl create serviceaccount`.

use serde_json::json;

use super::{SHARED, finish, name};
use crate::programs::kubectl::{
    Cx, Error,
    flags::{Command, Flag, Parsed},
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

/// `kubectl create token`
pub(super) static TOKEN: Command = Command {
    name: "token",
    usage: "token SERVICE_ACCOUNT_NAME",
    short: "Ask for a service account's token",
    examples: "# A token of bot. Not simulated\nkubectl create token bot",
    flags: &[
        &[
            Flag::array("audience", "Who the token is for."),
            Flag::duration("duration", "0s", "How long it is to be valid."),
        ],
        write::OUTPUT,
    ],
    run: Some(|_, _| {
        Box::pin(async { Err(Error::plain("tokens are not simulated in this sandbox")) })
    }),
    ..Command::EMPTY
};
