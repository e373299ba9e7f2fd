//! `kubectl set selector`, `kubectl set serviceaccount`.

use serde_json::Value;

use super::{BASIC, RECORDING, objects, pod_spec, send};
use crate::programs::kubectl::{
    Cx, Error,
    flags::{Command, Complete, Flag, Parsed},
    manifest,
    write::{self, DryRun},
};

/// `kubectl set serviceaccount`
pub(super) static SERVICEACCOUNT: Command = Command {
    name: "serviceaccount",
    aliases: &["sa"],
    usage: "serviceaccount (-f FILENAME | TYPE NAME) SERVICE_ACCOUNT",
    short: "Change the service account of a pod template",
    examples: "# The pods act as bot\nkubectl set serviceaccount deployment/web bot",
    flags: &[BASIC, RECORDING, manifest::FLAGS, write::OUTPUT],
    run: Some(|cx, p| Box::pin(account(cx, p))),
    complete: Complete::Resources,
    ..Command::EMPTY
};

async fn account(cx: Cx, p: Parsed) -> Result<(), Error> {
    let dry_run = DryRun::of(&cx, &p).await?;
    let Some((account, args)) = p.args.split_last() else {
        return Err(Error::plain("serviceaccount is required"));
    };
    let (place, found) = objects(&cx, &p, args, dry_run).await?;
    let mut errors = Vec::new();
    for thing in found {
        let mut new = thing.object.clone();
        let spec = match pod_spec(&thing, &mut new) {
            Ok(spec) => spec,
            Err(e) => {
                errors.push(e);
                continue;
            }
        };
        spec["serviceAccountName"] = account.as_str().into();
        write::record(&p, &mut new);
        let how = ("serviceaccount updated", "failed to patch ServiceAccountName", dry_run);
        errors.extend(send(&cx, &place, &p, &thing, new, how).await.err());
    }
    Error::collect(errors)
}

/// `kubectl set selector`
pub(super) static SELECTOR: Command = Command {
    name: "selector",
    usage: "selector (-f FILENAME | TYPE NAME) EXPRESSIONS [--resource-version=version]",
    short: "Change what a service selects",
    long: "Change what a service selects. What it selected before counts no more.",
    examples: "# Lead to other pods\nkubectl set selector service web app=other",
    flags: &[
        BASIC,
        &[
            manifest::FILENAME,
            manifest::RECURSIVE,
            write::RECORD,
            Flag::str("resource-version", "", "Change nothing unless this is the version now."),
        ],
        write::OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(selector(cx, p))),
    complete: Complete::Resources,
    ..Command::EMPTY
};

async fn selector(cx: Cx, p: Parsed) -> Result<(), Error> {
    let dry_run = DryRun::of(&cx, &p).await?;
    let Some((expression, args)) = p.args.split_last() else {
        return Err(Error::plain("one selector is required"));
    };
    let wanted = crate::programs::kubectl::verbs::create::label_selector(expression)?;
    let (place, found) = objects(&cx, &p, args, dry_run).await?;
    let mut errors = Vec::new();
    for thing in found {
        if thing.kind.kind != "Service" {
            return Err(Error::plain("setting a selector is only supported for Services"));
        }
        if let Some(expressions) = wanted["matchExpressions"].as_array() {
            let text: Vec<String> = expressions
                .iter()
                .map(|e| {
                    let word = |key: &str| e[key].as_str().unwrap_or("");
                    let values: Vec<&str> = e["values"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .filter_map(Value::as_str)
                        .collect();
                    format!("{{{} {} [{}]}}", word("key"), word("operator"), values.join(" "))
                })
                .collect();
            return Err(Error::plain(format!(
                "match expression [{}] not supported on this object",
                text.join(" ")
            )));
        }
        let version = p.str("resource-version");
        let now = thing.object["metadata"]["resourceVersion"].as_str().unwrap_or("");
        if !version.is_empty() && version != now {
            return Err(crate::api::Status::modified(&thing.kind, &thing.name).into());
        }
        let mut new = thing.object.clone();
        new["spec"]["selector"] = wanted["matchLabels"].clone();
        write::record(&p, &mut new);
        let how = ("selector updated", "failed to patch selector", dry_run);
        errors.extend(send(&cx, &place, &p, &thing, new, how).await.err());
    }
    Error::collect(errors)
}
