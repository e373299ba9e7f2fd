//! `kubectl create serviceaccount`.

use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use serde_json::json;

use super::{SHARED, finish, name};
use crate::{
    api::object::to_value,
    programs::kubectl::{
        Cx, Error,
        flags::{Command, Complete, Flag, Parsed},
        write,
    },
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
    examples: "# A token of \"bot\"\nkubectl create token bot\n\n# One that is valid for ten minutes\n\
               kubectl create token bot --duration 10m\n\n# One that is for somebody else\n\
               kubectl create token bot --audience https://example.com\n\n\
               # One that is worth nothing once a secret is gone\n\
               kubectl create token bot --bound-object-kind Secret --bound-object-name keep",
    flags: &[
        &[
            Flag::array("audience", "Who the token is for; the API server if nothing is said."),
            Flag::str(
                "bound-object-kind",
                "",
                "The kind of the object without which the token is worth nothing: Node, Pod, Secret.",
            ),
            Flag::str("bound-object-name", "", "The name of that object."),
            Flag::str("bound-object-uid", "", "The uid of that object; if empty, its present one."),
            Flag::duration("duration", "0s", "How long it is to be valid; 0: as the server likes."),
        ],
        write::OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(token(cx, p))),
    complete: Complete::Names("serviceaccounts"),
    ..Command::EMPTY
};

const BOUND_KINDS: &[&str] = &["Node", "Pod", "Secret"];
const SECOND: i64 = 1_000_000_000;

async fn token(cx: Cx, p: Parsed) -> Result<(), Error> {
    let account = name(&p)?;
    let conn = cx.connect(&p, 0)?;
    let request = TokenRequest { spec: Some(wanted(&p)?), ..Default::default() };
    let answer = conn.client.create_token(&conn.namespace, &account, request);
    let answer = answer.map_err(|e| Error::plain(format!("failed to create token: {e}")))?;
    if !p.str("output").is_empty() {
        return write::report(&cx, &p, &to_value(&answer), "created", write::DryRun::No).await;
    }
    let token = answer.status.and_then(|status| status.token).unwrap_or_default();
    let end = if cx.proc.stdout_is_tty() { "\n" } else { "" };
    cx.out(&format!("{token}{end}")).await;
    Ok(())
}

fn wanted(p: &Parsed) -> Result<TokenRequestSpec, Error> {
    let duration = p.duration("duration");
    if duration < 0 {
        return Err(Error::plain("--duration must be greater than or equal to 0"));
    }
    if duration % SECOND != 0 {
        return Err(Error::plain("--duration cannot be expressed in units less than seconds"));
    }
    if p.list("audience").iter().any(String::is_empty) {
        return Err(Error::plain("--audience must not be an empty string"));
    }
    let text = |flag: &str| p.str(flag).to_owned();
    let (kind, name, uid) =
        (text("bound-object-kind"), text("bound-object-name"), text("bound-object-uid"));
    let needs = |flag: &str| {
        Error::plain(format!("--{flag} can only be set if --bound-object-kind is provided"))
    };
    match (kind.as_str(), name.as_str(), uid.as_str()) {
        ("", "", "") => {}
        ("", "", _) => return Err(needs("bound-object-uid")),
        ("", ..) => return Err(needs("bound-object-name")),
        (kind, ..) if !BOUND_KINDS.contains(&kind) => {
            let known = BOUND_KINDS.join(", ");
            return Err(Error::plain(format!("supported --bound-object-kind values are {known}")));
        }
        (_, "", _) => {
            let text = "--bound-object-name is required if --bound-object-kind is provided";
            return Err(Error::plain(text));
        }
        _ => {}
    }
    let bound = BoundObjectReference {
        api_version: Some("v1".into()),
        kind: Some(kind.clone()),
        name: Some(name),
        uid: Some(uid),
    };
    Ok(TokenRequestSpec {
        audiences: Some(p.list("audience").to_vec()),
        bound_object_ref: (!kind.is_empty()).then_some(bound),
        expiration_seconds: (duration > 0).then_some(duration / SECOND),
    })
}
