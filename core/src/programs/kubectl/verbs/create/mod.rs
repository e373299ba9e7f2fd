//! `kubectl create`: from files, and from flags for the everyday kinds.
//!
//! Models `k8s.io/kubectl/pkg/cmd/create`.

mod configmap;
mod deployment;
mod job;
mod namespace;
mod rbac;
mod rules;
pub use rules::label_selector;
mod secret;
mod service;
mod serviceaccount;

use serde_json::{Map, Value};

use crate::{
    api::gofmt::quote,
    programs::kubectl::{
        Cx, Error,
        flags::{Command, Flag, Parsed},
        manifest, write,
        write::DryRun,
    },
};

/// `kubectl create`
pub static COMMAND: Command = Command {
    name: "create",
    usage: "create -f FILENAME",
    short: "Create objects from a file or from flags",
    long: "Create objects from a file or from standard input, or one object of a common kind from \
           flags.\n\nYAML and JSON are understood.",
    examples: "# What a file holds\nkubectl create -f pod.json\n\n# What another command prints\n\
               cat pod.json | kubectl create -f -",
    flags: &[
        &[
            write::DRY_RUN,
            Flag::bool("edit", false, "Open what files hold in an editor before it is created."),
            write::field_manager("kubectl-create"),
            Flag::str("raw", "", "A path to send POST to, as it is."),
            write::RECORD,
            write::SAVE_CONFIG,
            Flag::str("selector", "", "Only objects with these labels.").short("l"),
            write::VALIDATE,
            Flag::bool("windows-line-endings", false, "Show lines to the editor with CR LF."),
        ],
        manifest::FLAGS,
        write::OUTPUT,
    ],
    subcommands: &[
        &rbac::CLUSTERROLE,
        &rbac::CLUSTERROLEBINDING,
        &configmap::COMMAND,
        &job::CRONJOB,
        &deployment::COMMAND,
        &rules::INGRESS,
        &job::JOB,
        &namespace::COMMAND,
        &rules::PDB,
        &rules::PRIORITYCLASS,
        &rules::QUOTA,
        &rbac::ROLE,
        &rbac::ROLEBINDING,
        &secret::COMMAND,
        &service::COMMAND,
        &serviceaccount::COMMAND,
        &serviceaccount::TOKEN,
    ],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    ..Command::EMPTY
};

/// Flags of every subcommand.
const SHARED: &[Flag] =
    &[write::DRY_RUN, write::field_manager("kubectl-create"), write::SAVE_CONFIG, write::VALIDATE];

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    if !p.args.is_empty() {
        let args = p.args.join(" ");
        return Err(Error::usage(&p.path, format_args!("Unexpected args: [{args}]")));
    }
    if !manifest::given(&p) {
        return Err(Error::plain("must specify one of -f and -k"));
    }
    let dry_run = DryRun::of(&cx, &p).await?;
    let validation = write::validation(&p)?;
    let conn = dry_run.on(cx.connect(&p, 5)?);
    if !p.str("raw").is_empty() {
        if p.bool("edit") {
            return Err(Error::plain("--raw and --edit are mutually exclusive"));
        }
        return crate::programs::kubectl::raw::run(&cx, &conn, &p, "POST").await;
    }
    if p.bool("edit") {
        return edited(&cx, &conn, &p, validation).await;
    }
    let mut reports = write::Reports::new(&cx, &p, "created", dry_run)?;
    let (manifests, error) =
        manifest::read(&cx, &conn, &p, validation != crate::client::FieldValidation::Ignore).await;
    let selector = crate::api::selector::Selector::parse(p.str("selector"))?;
    let (mut errors, mut count) = (Vec::new(), 0);
    for manifest in manifests {
        let mut object = manifest.object.clone();
        if !super::selects(&selector, &object) {
            continue;
        }
        count += 1;
        write::record(&p, &mut object);
        if p.bool("save-config") {
            write::note_last_applied(&mut object);
        }
        if dry_run != DryRun::Client {
            let made = conn.client.create_value(
                manifest.kind.id,
                manifest.namespace(),
                object.clone(),
                validation,
            );
            cx.warnings(&conn).await;
            match made {
                Ok(made) => object = conn.value(&made),
                Err(e) => {
                    errors.push(Error::from(e).about_source("creating", &manifest.source));
                    continue;
                }
            }
        }
        reports.add(&cx, &object).await?;
    }
    errors.extend(error);
    Error::collect(errors)?;
    if count == 0 {
        return Err(Error::plain("no objects passed to create"));
    }
    Ok(())
}

/// `--edit`: what files hold, changed in an editor, created.
async fn edited(
    cx: &Cx,
    conn: &crate::programs::kubectl::Conn,
    p: &Parsed,
    validation: crate::client::FieldValidation,
) -> Result<(), Error> {
    use crate::{api::yaml, programs::kubectl::manifest::Manifest};
    let (manifests, error) = manifest::read(cx, conn, p, false).await;
    if let Some(error) = error {
        return Err(error);
    }
    for Manifest { kind, object, .. } in manifests {
        let text = yaml::to_string(&object);
        let text = format!("{}{text}", super::edit::HEADER);
        let ends = p.bool("windows-line-endings");
        let shown = if ends { text.replace('\n', "\r\n") } else { text };
        let (text, path) = super::edit::kept(cx, &shown, "yaml").await?;
        let text = text.replace("\r\n", "\n");
        let new = yaml::parse(&text).map_err(|e| Error::plain(e.to_string()))?;
        if new.is_null() {
            return Err(Error::plain("Edit cancelled, saved file was empty."));
        }
        let made = conn.client.create_value(kind.id, &conn.namespace, new, validation);
        cx.warnings(conn).await;
        let made = match made {
            Ok(made) => made,
            Err(e) => return Err(super::edit::preserved(cx, e.into(), Some(&path)).await),
        };
        let _ = cx.proc.remove(&path);
        write::report(cx, p, &conn.value(&made), "created", DryRun::No).await?;
    }
    Ok(())
}

/// The one name that a subcommand needs.
fn name(p: &Parsed) -> Result<String, Error> {
    match p.args.as_slice() {
        [] => Err(Error::usage(&p.path, "exactly one NAME is required, got 0")),
        [name] => Ok(name.clone()),
        many => {
            let text = format!("exactly one NAME is required, got {}", many.len());
            Err(Error::usage(&p.path, text))
        }
    }
}

/// Creates an object that a subcommand made, or shows it with `--dry-run=client`. `wrap` is what an
/// error is introduced by (`failed to create configmap`), or empty for the server's own words.
async fn finish(cx: Cx, p: Parsed, mut object: Value, wrap: &str) -> Result<(), Error> {
    let dry_run = DryRun::of(&cx, &p).await?;
    let validation = write::validation(&p)?;
    if p.bool("save-config") {
        write::note_typed(&mut object);
    }
    let version = object.get("apiVersion").and_then(Value::as_str).unwrap_or("").to_owned();
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or("").to_owned();
    let given = p.str("namespace");
    let cluster = ["Namespace", "ClusterRole", "ClusterRoleBinding", "PriorityClass"];
    if !given.is_empty() && !cluster.contains(&kind.as_str()) {
        if let Some(meta) = write::map_at(&mut object, &["metadata"]) {
            meta.insert("namespace".into(), given.into());
        }
    }
    if dry_run != DryRun::Client {
        let conn = dry_run.on(cx.connect(&p, 0)?);
        let known = conn.client.kinds().by_kind(&version, &kind).cloned();
        let known = known.ok_or_else(|| {
            Error::from(crate::api::Status::new(
                404,
                "NotFound",
                "the server could not find the requested resource",
            ))
        })?;
        let namespace = if known.namespaced { conn.namespace.as_str() } else { "" };
        let made = conn.client.create_value(known.id, namespace, object, validation);
        cx.warnings(&conn).await;
        object = made
            .map_err(|e| match wrap {
                "" => Error::from(e),
                // What is wrapped is a text only: nothing is taken apart.
                "failed to create secret" => Error::plain(format!("{wrap} {e}")),
                _ => Error::plain(format!("{wrap}: {e}")),
            })?
            .to_value();
    }
    write::report(&cx, &p, &object, "created", dry_run).await
}

/// `a=b,c=d` flags to a map of texts.
fn pairs(items: &[String]) -> Result<Map<String, Value>, Error> {
    let mut map = Map::new();
    for item in items {
        let (key, value) = item
            .split_once('=')
            .ok_or_else(|| Error::plain(format!("unexpected resource spec: {}", quote(item))))?;
        map.insert(key.to_owned(), value.into());
    }
    Ok(map)
}

/// Arguments behind `--`, and the name before it.
fn with_command(p: &Parsed) -> Result<(String, Vec<String>), Error> {
    let before = p.dash.unwrap_or(p.args.len());
    match p.args.get(..before) {
        Some([name]) => Ok((name.clone(), p.args.get(before..).unwrap_or_default().to_vec())),
        _ => Err(Error::usage(&p.path, format_args!("exactly one NAME is required, got {before}"))),
    }
}
