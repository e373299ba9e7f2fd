//! `kubectl apply view-last-applied`, `set-last-applied` and `edit-last-applied`.

use serde_json::{Value, json};

use crate::{
    api::{gofmt::quote, json as gojson, yaml},
    client::{PatchType, Subresource},
    programs::kubectl::{
        Cx, Error,
        flags::{Command, Complete, Flag, Parsed},
        manifest,
        resources::Query,
        things,
        verbs::edit,
        write::{self, DryRun, LAST_APPLIED, at},
    },
};

/// `kubectl apply view-last-applied`
pub(super) static VIEW: Command = Command {
    name: "view-last-applied",
    usage: "view-last-applied (TYPE [NAME | -l label] | TYPE/NAME | -f FILENAME)",
    short: "Show what was applied last",
    examples: "# What the deployment was made from\nkubectl apply view-last-applied deployment/web",
    flags: &[
        &[
            Flag::bool("all", false, "All objects of the type in the namespace."),
            Flag::str("output", "yaml", "yaml or json.").short("o"),
            Flag::str("selector", "", "Only objects with these labels.").short("l"),
        ],
        manifest::FLAGS,
    ],
    run: Some(|cx, p| Box::pin(view(cx, p))),
    complete: Complete::Resources,
    ..Command::EMPTY
};

async fn view(cx: Cx, p: Parsed) -> Result<(), Error> {
    let conn = cx.connect(&p, 5)?;
    let query = Query {
        selector: p.str("selector").to_owned(),
        all: p.bool("all"),
        lists: p.bool("all"),
        ..Query::default()
    };
    let (found, errors) = things::find(&cx, &conn, &p, &p.args, &query, true).await?;
    Error::collect(errors)?;
    for thing in found {
        let Some(note) = note(&thing.object).and_then(|t| yaml::parse(t).ok()) else {
            // Upstream means to say so, and says nothing.
            continue;
        };
        match p.str("output") {
            "json" => cx.out(&(gojson::indented(&note, 2) + "\n")).await,
            "yaml" => cx.out(&yaml::to_string(&note)).await,
            other => {
                return Err(Error::usage(
                    &p.path,
                    format_args!(
                        "Unexpected -o output mode: {other}, the flag 'output' must be one of yaml|json"
                    ),
                ));
            }
        }
    }
    Ok(())
}

/// What was applied last, as it was noted.
fn note(object: &Value) -> Option<&str> {
    at(object, &["metadata", "annotations", LAST_APPLIED])?.as_str()
}

/// The patch that notes a text.
fn noting(text: &str) -> Value {
    json!({"metadata": {"annotations": {LAST_APPLIED: text}}})
}

/// `kubectl apply set-last-applied`
pub(super) static SET: Command = Command {
    name: "set-last-applied",
    usage: "set-last-applied -f FILENAME",
    short: "Note what a file says as what was applied last",
    long: "Note what a file says as what was applied last, and change nothing else.\n\nThe next apply \
           takes the file for what it is to be compared with.",
    examples: "# What deploy.yaml says\nkubectl apply set-last-applied -f deploy.yaml\n\n\
               # Even if nothing was applied yet\n\
               kubectl apply set-last-applied -f deploy.yaml --create-annotation=true",
    flags: &[
        &[
            Flag::bool("create-annotation", false, "Make the note where there is none."),
            write::DRY_RUN,
            Flag::slice("filename", "Files, folders or addresses that hold the objects.")
                .short("f"),
        ],
        write::OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(set(cx, p))),
    ..Command::EMPTY
};

async fn set(cx: Cx, p: Parsed) -> Result<(), Error> {
    let dry_run = DryRun::of(&cx, &p).await?;
    let conn = dry_run.on(cx.connect(&p, 5)?);
    if !manifest::given(&p) {
        return Err(Error::plain(crate::programs::kubectl::resources::MISSING));
    }
    let (manifests, error) = manifest::read(&cx, &conn, &p, false).await;
    if let Some(error) = error {
        return Err(error);
    }
    let mut changes = Vec::new();
    for manifest in manifests {
        let key = (manifest.namespace(), manifest.name());
        let object = conn.client.get_any(manifest.kind.id, key.0, key.1)?.to_value();
        // As the file has it: annotations that are not there stay away, other than in apply's note.
        let mut plain = manifest.object.clone();
        if let Some(map) = plain
            .get_mut("metadata")
            .and_then(|m| m.get_mut("annotations"))
            .and_then(Value::as_object_mut)
        {
            map.remove(LAST_APPLIED);
        }
        let text = gojson::compact(&plain) + "\n";
        match note(&object) {
            None if !p.bool("create-annotation") => {
                return Err(Error::plain(format!(
                    "no last-applied-configuration annotation found on resource: {}, to create the \
                     annotation, run the command with --create-annotation",
                    key.1
                )));
            }
            Some(old) if old.trim() == text.trim() => {
                cx.out(&format!("set-last-applied {}: no changes required.\n", key.1)).await;
            }
            _ => changes.push((manifest, object, text)),
        }
    }
    for (manifest, mut object, text) in changes {
        if dry_run != DryRun::Client {
            let (key, patch) = ((manifest.namespace(), manifest.name()), noting(&text));
            let change = (PatchType::Merge, &patch);
            let client = conn.client.managed_by("kubectl");
            object = conn.value(&client.patch(manifest.kind.id, key, change, Subresource::Main)?);
        }
        write::report(&cx, &p, &object, "configured", dry_run).await?;
    }
    Ok(())
}

/// `kubectl apply edit-last-applied`
pub(super) static EDIT: Command = Command {
    name: "edit-last-applied",
    usage: "edit-last-applied (RESOURCE/NAME | -f FILENAME)",
    short: "Change the note of what was applied last in an editor",
    long: "Change the note of what was applied last in an editor; nothing else of the object \
           changes.\n\nThe editor is the one that $KUBE_EDITOR or $EDITOR names, or vi.",
    examples: "# That of a deployment\nkubectl apply edit-last-applied deployment/web\n\n\
               # As JSON\nkubectl apply edit-last-applied -f deploy.yaml -o json",
    flags: &[
        &[
            write::field_manager("kubectl-client-side-apply"),
            write::VALIDATE,
            Flag::bool("windows-line-endings", false, "End lines as Windows does."),
        ],
        manifest::FLAGS,
        write::OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(change(cx, p))),
    complete: Complete::Resources,
    ..Command::EMPTY
};

async fn change(cx: Cx, p: Parsed) -> Result<(), Error> {
    let conn = cx.connect(&p, 5)?;
    let (found, errors) = things::find(&cx, &conn, &p, &p.args, &Query::default(), true).await?;
    Error::collect(errors)?;
    let as_json = p.str("output") == "json";
    let end = if p.bool("windows-line-endings") { "\r\n" } else { "\n" };
    for thing in found {
        let Some(old) = note(&thing.object).and_then(|t| yaml::parse(t).ok()) else {
            return Err(Error::plain(format!(
                "no last-applied-configuration annotation found on resource: {}",
                quote(&thing.name)
            )));
        };
        let text = if as_json { gojson::pretty(&old) + "\n" } else { yaml::to_string(&old) };
        let extension = if as_json { "json" } else { "yaml" };
        let text = format!("{}{text}", edit::HEADER).replace('\n', end);
        let edited = edit::once(&cx, &text, extension).await?;
        let new = match yaml::parse(&edited) {
            Ok(Value::Null) => old.clone(),
            Ok(new) => new,
            Err(e) => return Err(Error::plain(format!("The edited file had a syntax error: {e}"))),
        };
        if new == old {
            cx.err("Edit cancelled, no changes made.\n").await;
            continue;
        }
        let patch = noting(&(gojson::compact(&new) + "\n"));
        let change = (PatchType::Merge, &patch);
        let after = conn.client.patch(thing.kind.id, thing.key(), change, Subresource::Main)?;
        write::report(&cx, &p, &conn.value(&after), "edited", DryRun::No).await?;
    }
    Ok(())
}
