//! `kubectl patch`. Models `k8s.io/kubectl/pkg/cmd/patch`.

use serde_json::Value;

use crate::{
    api::{patch, yaml},
    client::{PatchType, Subresource},
    programs::kubectl::{
        Cx, Error,
        flags::{Command, Complete, Flag, Parsed},
        manifest,
        resources::Query,
        things,
        write::{self, DryRun},
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
            Flag::str("patch", "", "The patch.").short("p"),
            Flag::str("patch-file", "", "A file that holds the patch."),
            Flag::str("subresource", "", "A part of the object: status."),
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
    let sub = match p.str("subresource") {
        "" => Subresource::Main,
        "status" => Subresource::Status,
        other => {
            let text = format!("the subresource {other} is not simulated here");
            return Err(Error::plain(text));
        }
    };
    let change = yaml::parse(&text).map_err(|e| {
        let shown = crate::api::gofmt::quote(&text);
        Error::plain(format!("unable to parse {shown}: {e}"))
    })?;
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
            let change = (patch_type, &change);
            let result = conn.client.patch(thing.kind.id, thing.key(), change, sub);
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
                write::report(&cx, &p, &object, word, dry_run).await?;
            }
            Err(e) => errors.push(e),
        }
    }
    Error::collect(errors)
}
