//! `kubectl replace`. Models `k8s.io/kubectl/pkg/cmd/replace`.

use super::waiting;
use crate::{
    api::gofmt::quote,
    client::{DeleteOptions, FieldValidation, Subresource},
    programs::kubectl::{
        Cx, Error,
        flags::{Command, Flag, Parsed},
        manifest,
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
               # Even if it has to be deleted\nkubectl replace --force -f pod.json",
    flags: &[
        &[
            write::DRY_RUN,
            write::field_manager("kubectl-replace"),
            Flag::bool("force", false, "Delete the old object and create the new one."),
            Flag::int("grace-period", "-1", "Seconds that pods get to end, with --force."),
            write::SAVE_CONFIG,
            Flag::duration(
                "timeout",
                "0s",
                "How long to wait for the deletion; 0: as long as it takes.",
            ),
            write::VALIDATE,
        ],
        manifest::FLAGS,
        write::OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    ..Command::EMPTY
};

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    let dry_run = DryRun::of(&cx, &p).await?;
    let validation = write::validation(&p)?;
    if !manifest::given(&p) {
        return Err(Error::plain("must specify one of -f and -k"));
    }
    let conn = dry_run.on(cx.connect(&p, 5)?);
    let force = p.bool("force");
    let (manifests, error) =
        manifest::read(&cx, &conn, &p, validation != FieldValidation::Ignore).await;
    let mut reports = write::Reports::new(&cx, &p, "replaced", dry_run)?;
    let mut errors = Vec::new();
    if force && dry_run == DryRun::No {
        for manifest in &manifests {
            let (namespace, name) = (manifest.namespace(), manifest.name());
            let grace = if p.int("grace-period") >= 0 { Some(p.int("grace-period")) } else { None };
            let options = DeleteOptions { grace_seconds: grace, ..DeleteOptions::default() };
            match conn.client.delete_any(manifest.kind.id, namespace, name, &options) {
                Ok(_) => {
                    let kind = manifest.kind.singular_resource();
                    let place = match namespace {
                        "" => String::new(),
                        ns => format!(" from {ns} namespace"),
                    };
                    cx.out(&format!("{kind} {} deleted{place}\n", quote(name))).await;
                    let thing = Thing {
                        kind: manifest.kind.clone(),
                        namespace: namespace.to_owned(),
                        name: name.to_owned(),
                        source: String::new(),
                        object: serde_json::Value::Null,
                    };
                    waiting::until(&cx, &conn, &thing, p.duration("timeout"), |v| v.is_none())
                        .await?;
                }
                Err(e) if e.is_not_found() => {}
                Err(e) => return Err(e.into()),
            }
        }
    }
    for manifest in manifests {
        let mut object = manifest.object.clone();
        if p.bool("save-config") {
            write::note_last_applied(&mut object);
        }
        if dry_run != DryRun::Client {
            let (id, namespace) = (manifest.kind.id, manifest.namespace());
            let result = if force {
                if let Some(meta) = write::map_at(&mut object, &["metadata"]) {
                    meta.remove("resourceVersion");
                }
                conn.client.create_value(id, namespace, object, validation)
            } else {
                conn.client.update_value(id, object, validation, Subresource::Main)
            };
            cx.warnings(&conn).await;
            match result {
                Ok(made) => object = made.to_value(),
                Err(e) => {
                    let verb = if force { "creating" } else { "replacing" };
                    errors.push(Error::from(e).about_source(verb, &manifest.source));
                    continue;
                }
            }
        }
        reports.add(&cx, &object).await?;
    }
    errors.extend(error);
    Error::collect(errors)
}
