//! `kubectl patch`. Models `k8s.io/kubectl/pkg/cmd/patch`.

use serde_json::{Value, json};

use crate::{
    api::{ObjRef, Status, patch, yaml},
    client::{PatchType, Subresource},
    programs::kubectl::{
        Conn, Cx, Error,
        flags::{Command, Complete, Flag, Parsed},
        manifest,
        resources::Query,
        things::{self, Thing},
        write::{self, DryRun, Part},
    },
};

/// `kubectl patch`
pub static COMMAND: Command = Command {
    name: "patch",
    usage: "patch (-f FILENAME | TYPE NAME) [-p PATCH|--patch-file FILE]",
    short: "Change fields of an object",
    long: "Change fields of an object by a patch.\n\nA strategic patch merges lists by their items' \
           names, a merge patch replaces lists, a JSON patch is a list of operations. YAML and JSON \
           are understood.",
    examples: "# Another image\n\
        kubectl patch pod web -p {\"spec\":{\"containers\":[{\"name\":\"web\",\"image\":\"nginx:1.26\"}]}}\n\n\
        # Three replicas, by a JSON patch\n\
        kubectl patch deployment web --type=json -p [{\"op\":\"replace\",\"path\":\"/spec/replicas\",\"value\":3}]",
    flags: &[
        &[
            write::DRY_RUN,
            write::field_manager("kubectl-patch"),
            Flag::bool("local", false, "Work on files only and ask no server."),
            Flag::str("patch", "", "The patch.").short("p"),
            Flag::str("patch-file", "", "A file that holds the patch."),
            Flag::str("subresource", "", "The part of the object to change: status, scale."),
            Flag::str("type", "strategic", "json, merge or strategic."),
        ],
        manifest::FLAGS,
        write::OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    complete: Complete::Resources,
    ..Command::EMPTY
};

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    let dry_run = DryRun::of(&cx, &p).await?;
    let patch_type = match p.str("type").to_lowercase().as_str() {
        "json" => PatchType::Json,
        "merge" => PatchType::Merge,
        "strategic" => PatchType::Strategic,
        _ => {
            return Err(Error::plain(format!(
                "--type must be one of [json merge strategic], not {}",
                crate::api::gofmt::quote(p.str("type"))
            )));
        }
    };
    let text = match (p.str("patch"), p.str("patch-file")) {
        ("", "") => {
            return Err(Error::plain(
                "must specify --patch or --patch-file containing the contents \
                of the patch",
            ));
        }
        (text, "") => text.to_owned(),
        ("", path) => cx.proc.read_text(path).map_err(|_| {
            let text = format!("unable to read patch file: open {path}: no such file or directory");
            Error::plain(text)
        })?,
        _ => return Err(Error::plain("cannot specify --patch and --patch-file together")),
    };
    let part = write::subresource(&p, &["status", "scale", "resize"])?;
    let change = if text.trim_start().starts_with('{') {
        // What looks like JSON is sent as it is; the server refuses what is none.
        crate::api::json::parse(text.as_bytes()).map_err(|why| {
            Error::from(Status::bad_request(format!("error decoding patch: {why}")))
        })?
    } else {
        yaml::parse(&text).map_err(|e| {
            let shown = crate::api::gofmt::quote(&text);
            Error::plain(format!("unable to parse {shown}: {e}"))
        })?
    };
    if p.bool("local") {
        return locally(&cx, &p, patch_type, &change, dry_run).await;
    }
    let conn = dry_run.on(cx.connect(&p, 5)?);
    let (found, errors) = things::find(&cx, &conn, &p, &p.args, &Query::default(), true).await?;
    let mut errors = errors;
    if found.is_empty() && errors.is_empty() {
        return Err(Error::plain("no objects passed to patch"));
    }
    for thing in found {
        let old = thing.object.clone();
        let result: Result<Value, Error> = if dry_run == DryRun::Client {
            patch::apply(&thing.kind, patch_type, old.clone(), change.clone()).map_err(Error::from)
        } else {
            let result = send(&conn, &thing, (patch_type, &change), part);
            cx.warnings(&conn).await;
            result.map(|o| conn.value(&o)).map_err(|e| match e.reason {
                "UnsupportedMediaType" => Error::plain(format!(
                    "application/strategic-merge-patch+json is not supported by {}, Kind={}: {}",
                    thing.kind.api_version(),
                    thing.kind.kind,
                    e.message
                )),
                _ => e.into(),
            })
        };
        match result {
            Ok(object) => {
                let word = if object == old { "patched (no change)" } else { "patched" };
                // The printer is told what happened last, and forgets that it was only tried.
                if part == Part::Scale {
                    let scale = super::get::scale(&conn, &thing.kind, thing.key())?;
                    write::report(&cx, &p, &scale, word, DryRun::No).await?;
                } else {
                    write::report(&cx, &p, &object, word, DryRun::No).await?;
                }
                record(&conn, &p, &thing)?;
            }
            Err(e) => errors.push(e),
        }
    }
    Error::collect(errors)
}

/// Notes the command in an object that was changed, with a request of its own, if `--record` says so.
pub(super) fn record(conn: &Conn, p: &Parsed, thing: &Thing) -> Result<(), Error> {
    if !p.bool("record") {
        return Ok(());
    }
    let note = json!({"metadata": {"annotations": {write::CHANGE_CAUSE: p.line()}}});
    conn.client.patch(thing.kind.id, thing.key(), (PatchType::Merge, &note), Subresource::Main)?;
    Ok(())
}

/// Sends the patch of an object, or of a part of it.
fn send(
    conn: &Conn,
    thing: &Thing,
    change: (PatchType, &Value),
    part: Part,
) -> Result<ObjRef, Status> {
    let (id, key) = (thing.kind.id, thing.key());
    let sub = match part {
        Part::Main => Subresource::Main,
        Part::Status => Subresource::Status,
        Part::Resize => Subresource::Resize,
        Part::Scale => {
            let (_, (wanted, there, _)) = conn.client.get_scale(id, key.0, key.1)?;
            let scale = json!({"spec": {"replicas": wanted}, "status": {"replicas": there}});
            let scale = patch::apply(&thing.kind, change.0, scale, change.1.clone())
                .map_err(Status::bad_request)?;
            let replicas = scale["spec"]["replicas"].as_i64().unwrap_or(0);
            let replicas = i32::try_from(replicas).unwrap_or(i32::MAX);
            return conn.client.set_scale(id, key, replicas, None);
        }
    };
    conn.client.patch(id, key, change, sub)
}

/// `--local`: what files hold, patched and printed.
async fn locally(
    cx: &Cx,
    p: &Parsed,
    patch_type: PatchType,
    change: &Value,
    dry_run: DryRun,
) -> Result<(), Error> {
    for thing in things::local(cx, p, &p.args).await? {
        let old = thing.object.clone();
        let object = patch::apply(&thing.kind, patch_type, old.clone(), change.clone())
            .map_err(Error::plain)?;
        let word = if object == old { "patched (no change)" } else { "patched" };
        write::report(cx, p, &object, word, dry_run).await?;
    }
    Ok(())
}
