//! `kubectl replace`. Models `k8s.io/kubectl/pkg/cmd/replace`.

use serde_json::Value;

use super::{
    delete::{self, CASCADE, GRACE, TIMEOUT, WAIT},
    waiting,
};
use crate::{
    client::{FieldValidation, Subresource},
    programs::kubectl::{
        Conn, Cx, Error,
        flags::{Command, Flag, Parsed},
        manifest::{self, Manifest},
        raw,
        things::Thing,
        write::{self, DryRun},
    },
};

/// `kubectl replace`
pub static COMMAND: Command = Command {
    name: "replace",
    usage: "replace -f FILENAME",
    short: "Put an object in place of the one that is there",
    long: "Put an object in place of the one that is there.\n\nThe file must hold the whole object; \
           with --force the old one is deleted first.",
    examples: "# What a file holds\nkubectl replace -f pod.json\n\n\
               # What another command prints\ncat pod.json | kubectl replace -f -\n\n\
               # Even if it has to be deleted\nkubectl replace --force -f pod.json",
    flags: &[
        &[
            CASCADE,
            write::DRY_RUN,
            write::field_manager("kubectl-replace"),
            Flag::bool("force", false, "Delete the old object and create the new one."),
            GRACE,
            Flag::str("raw", "", "A path to send PUT to, as it is."),
            write::SAVE_CONFIG,
            Flag::str("subresource", "", "The part of the object to replace: status, scale."),
            TIMEOUT,
            write::VALIDATE,
            WAIT,
        ],
        manifest::FLAGS,
        write::OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    ..Command::EMPTY
};

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    let validation = write::validation(&p)?;
    let dry_run = DryRun::of(&cx, &p).await?;
    let conn = dry_run.on(cx.connect(&p, 5)?);
    if !manifest::given(&p) {
        return Err(Error::plain("must specify one of -f and -k"));
    }
    let force = p.bool("force");
    // Even a grace of nothing is one second then, so that nothing is lost by accident.
    if p.int("grace-period") >= 0 && !force {
        return Err(Error::plain("--grace-period must have --force specified"));
    }
    if p.duration("timeout") != 0 && !force {
        return Err(Error::plain("--timeout must have --force specified"));
    }
    if force && dry_run != DryRun::No {
        return Err(Error::plain("--dry-run can not be used when --force is set"));
    }
    if !p.str("raw").is_empty() {
        return raw::run(&cx, &conn, &p, "PUT").await;
    }
    let sub = write::subresource(&p, &["status", "scale"]);
    let check = validation != FieldValidation::Ignore;
    let (manifests, error) = manifest::read(&cx, &conn, &p, check).await;
    let mut errors = Vec::new();
    if force {
        errors.extend(error);
        Error::collect(errors)?;
        return anew(&cx, &conn, &p, manifests, validation).await;
    }
    let mut reports = write::Reports::new(&cx, &p, "replaced", dry_run)?;
    for manifest in manifests {
        let result = match dry_run {
            DryRun::Client => Ok(noted(&p, &manifest)),
            _ => sub
                .clone()
                .and_then(|sub| put(&conn, noted(&p, &manifest), &manifest, sub, validation)),
        };
        cx.warnings(&conn).await;
        match result {
            Ok(object) => reports.add(&cx, &object).await?,
            Err(e) => errors.push(e.about_source("replacing", &manifest.source)),
        }
    }
    errors.extend(error);
    Error::collect(errors)
}

/// The object as it is sent: with its own note, if that is wanted.
fn noted(p: &Parsed, manifest: &Manifest) -> Value {
    let mut object = manifest.object.clone();
    write::record(p, &mut object);
    if p.bool("save-config") {
        write::note_last_applied(&mut object);
    }
    object
}

fn put(
    conn: &Conn,
    object: Value,
    manifest: &Manifest,
    sub: write::Part,
    validation: FieldValidation,
) -> Result<Value, Error> {
    let sub = match sub {
        write::Part::Main => Subresource::Main,
        write::Part::Status if !manifest.kind.subresources.contains(&"status") => {
            return Err(write::no_subresource());
        }
        write::Part::Status => Subresource::Status,
        write::Part::Scale => {
            let replicas = write::at(&object, &["spec", "replicas"]).and_then(Value::as_i64);
            let replicas = i32::try_from(replicas.unwrap_or(0)).unwrap_or(i32::MAX);
            let key = (manifest.namespace(), manifest.name());
            return Ok(conn.value(&conn.client.set_scale(
                manifest.kind.id,
                key,
                replicas,
                None,
            )?));
        }
        write::Part::Resize => Subresource::Resize,
    };
    Ok(conn.value(&conn.client.update_value(manifest.kind.id, object, validation, sub)?))
}

/// `--force`: deletes what is there, waits until it is gone, and creates.
async fn anew(
    cx: &Cx,
    conn: &Conn,
    p: &Parsed,
    manifests: Vec<Manifest>,
    validation: FieldValidation,
) -> Result<(), Error> {
    let mut options = delete::delete_options(p)?;
    options.grace_seconds = match p.int("grace-period") {
        0 => Some(1),
        given => (given > 0).then_some(given),
    };
    let things: Vec<Thing> = manifests.iter().map(thing).collect();
    for thing in &things {
        match delete::delete(cx, conn, p, thing, (&options, DryRun::No)).await {
            Err(e) if !e.is_not_found() => return Err(e),
            _ => {}
        }
    }
    let five_minutes = 300_000_000_000;
    let timeout = if p.duration("timeout") > 0 { p.duration("timeout") } else { five_minutes };
    for thing in &things {
        waiting::until(cx, conn, thing, timeout, |v| v.is_none())
            .await
            .map_err(|_| Error::plain("timed out waiting for the condition"))?;
    }
    let mut reports = write::Reports::new(cx, p, "replaced", DryRun::No)?;
    for manifest in &manifests {
        let mut object = noted(p, manifest);
        if let Some(meta) = write::map_at(&mut object, &["metadata"]) {
            meta.remove("resourceVersion");
        }
        let (id, namespace) = (manifest.kind.id, manifest.namespace());
        let made = conn.client.create_value(id, namespace, object, validation);
        cx.warnings(conn).await;
        reports.add(cx, &conn.value(&made?)).await?;
    }
    if manifests.is_empty() {
        return Err(Error::plain("no objects passed to replace"));
    }
    Ok(())
}

fn thing(manifest: &Manifest) -> Thing {
    Thing {
        kind: manifest.kind.clone(),
        namespace: manifest.namespace().to_owned(),
        name: manifest.name().to_owned(),
        source: manifest.source.clone(),
        object: Value::Null,
    }
}
