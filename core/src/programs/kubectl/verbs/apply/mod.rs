//! `kubectl apply`: make the cluster what files say. Models `k8s.io/kubectl/pkg/cmd/apply`.

mod last_applied;
pub(super) mod prune;
mod server;
mod set;

pub(super) use server::manager;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    api::{gofmt::quote, patch, yaml},
    client::{DeleteOptions, FieldValidation, PatchType, Subresource},
    programs::kubectl::{
        Conn, Cx, Error,
        flags::{Command, Flag, Parsed},
        manifest::{self, Manifest},
        output, things,
        write::{self, DryRun, LAST_APPLIED, at},
    },
};

/// `kubectl apply`
pub static COMMAND: Command = Command {
    name: "apply",
    usage: "apply (-f FILENAME | -k DIRECTORY)",
    short: "Make objects what a file says",
    long: "Make objects what a file or standard input says: what does not exist is created, what \
           exists is changed.\n\nWhat was applied is noted on the object, so that fields which are \
           dropped from the file are removed the next time. Fields that the file never named are left \
           alone.",
    examples: "# What a file says\nkubectl apply -f web.yaml\n\n# What another command prints\n\
               cat web.yaml | kubectl apply -f -",
    flags: &[
        &[
            Flag::bool("all", false, "All objects, for --prune."),
            Flag::str(
                "applyset",
                "",
                "An object that keeps track of what is applied, for --prune.",
            )
            .hidden(),
            Flag::str(
                "cascade",
                "background",
                "What happens to what deleted objects own: \
                background, orphan or foreground.",
            )
            .bare("background"),
            write::DRY_RUN,
            write::field_manager("kubectl-client-side-apply"),
            Flag::bool("force", false, "Delete and create objects that cannot be changed."),
            Flag::bool(
                "force-conflicts",
                false,
                "Take fields over from others (server-side only).",
            ),
            Flag::int("grace-period", "-1", "Seconds that deleted pods get to end."),
            Flag::bool("openapi-patch", true, "Take lists' keys from the server's documents."),
            Flag::bool("overwrite", true, "Undo what others changed in applied fields."),
            Flag::bool("prune", false, "Delete what was applied once and is not in the files."),
            Flag::array("prune-allowlist", "Kinds to prune: group/version/kind."),
            Flag::str("selector", "", "Only objects with these labels.").short("l"),
            Flag::bool("server-side", false, "Let the server merge."),
            Flag::str("subresource", "", "A part of the object: status (server-side only)."),
            Flag::duration("timeout", "0s", "How long to wait before giving up on a delete."),
            write::VALIDATE,
            Flag::bool("wait", false, "Wait until deleted objects are gone."),
        ],
        manifest::FLAGS,
        write::OUTPUT,
    ],
    subcommands: &[&last_applied::EDIT, &last_applied::SET, &last_applied::VIEW],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    ..Command::EMPTY
};

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    if !p.args.is_empty() {
        let args = p.args.join(" ");
        return Err(Error::usage(&p.path, format_args!("Unexpected args: [{args}]")));
    }
    if !manifest::given(&p) {
        return Err(Error::plain("must specify one of -f and -k"));
    }
    let dry_run = DryRun::of(&cx, &p).await?;
    check(&cx, &p, dry_run)?;
    let validation = write::validation(&p)?;
    let conn = dry_run.on(cx.connect(&p, 5)?);
    let kinds = if p.bool("prune") { prune::kinds(&conn, &p)? } else { Vec::new() };
    let mut set = set::ApplySet::of(&conn, &p)?;
    let (manifests, error) =
        manifest::read(&cx, &conn, &p, validation != FieldValidation::Ignore).await;
    let selector = crate::api::selector::Selector::parse(p.str("selector"))?;
    let mut manifests: Vec<Manifest> =
        manifests.into_iter().filter(|m| super::selects(&selector, &m.object)).collect();
    if manifests.is_empty() && error.is_none() {
        return Err(Error::plain("no objects passed to apply"));
    }
    if let Some(set) = &mut set {
        set.label(&mut manifests)?;
        set.before(&conn, &manifests, dry_run)?;
    }
    let mut errors = Vec::new();
    let mut objects = Vec::new();
    for manifest in &manifests {
        match apply(&cx, &conn, &p, manifest, (dry_run, validation)).await {
            Ok(object) => objects.push(object),
            Err(e) => errors.push(e),
        }
    }
    if !["", "name"].contains(&p.str("output")) && !objects.is_empty() {
        let mut printer = output::Printer::new(&cx, &p, "", "")?;
        let shown = match objects.as_slice() {
            [one] => one.clone(),
            many => json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": many}),
        };
        cx.out(&printer.one(&shown)?).await;
    }
    errors.extend(error);
    Error::collect(errors)?;
    if !p.bool("prune") {
        return Ok(());
    }
    let uid = |o: &Value| at(o, &["metadata", "uid"]).and_then(Value::as_str).map(str::to_owned);
    let applied: BTreeSet<String> = objects.iter().filter_map(uid).collect();
    if let Some(set) = &set {
        return set.prune(&cx, &conn, &p, (&applied, dry_run)).await;
    }
    let mut namespaces: BTreeSet<String> =
        manifests.iter().filter(|m| m.kind.namespaced).map(|m| m.namespace().to_owned()).collect();
    if conn.namespace_given {
        namespaces.insert(conn.namespace.clone());
    }
    let prune = prune::Prune { kinds: &kinds, namespaces, applied, dry_run };
    prune::run(&cx, &conn, &p, &prune).await
}

/// Flags that do not go together. Models `ApplyOptions.Validate`.
fn check(cx: &Cx, p: &Parsed, dry_run: DryRun) -> Result<(), Error> {
    let (server, force, prune) = (p.bool("server-side"), p.bool("force"), p.bool("prune"));
    let (all, selector, set) = (p.bool("all"), p.str("selector"), p.str("applyset"));
    let named = !p.list("prune-allowlist").is_empty();
    let wrong = if !set.is_empty() && cx.proc.env("KUBECTL_APPLYSET").as_deref() != Some("true") {
        "unknown flag: --applyset\nSee 'kubectl apply --help' for usage."
    } else if p.bool("force-conflicts") && !server {
        "--force-conflicts only works with --server-side"
    } else if dry_run == DryRun::Client && server {
        "--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)"
    } else if server && force {
        "--force cannot be used with --server-side"
    } else if dry_run == DryRun::Server && force {
        "--dry-run=server cannot be used with --force"
    } else if all && !selector.is_empty() {
        "cannot set --all and --selector at the same time"
    } else if !set.is_empty() && !prune {
        "--applyset requires --prune"
    } else if prune && force {
        "--force cannot be used with --prune"
    } else if prune && !set.is_empty() && all {
        "--all is incompatible with --applyset"
    } else if prune && !set.is_empty() && !selector.is_empty() {
        "--selector is incompatible with --applyset"
    } else if prune && !set.is_empty() && named {
        "--prune-allowlist is incompatible with --applyset"
    } else if prune && set.is_empty() && !all && selector.is_empty() {
        "all resources selected for prune without explicitly passing --all. To prune all resources, \
         pass the --all flag. If you did not mean to prune all resources, specify a label selector"
    } else if prune && set.is_empty() && server {
        "--prune is in alpha and doesn't currently work on objects created by server-side apply"
    } else if !p.str("subresource").is_empty() && !server {
        "--subresource can only be specified for --server-side"
    } else {
        return Ok(());
    };
    Err(Error::plain(wrong))
}

/// Applies one object and prints what happened; the object as it is then.
async fn apply(
    cx: &Cx,
    conn: &Conn,
    p: &Parsed,
    manifest: &Manifest,
    how: (DryRun, FieldValidation),
) -> Result<Value, Error> {
    let (dry_run, validation) = how;
    let generated = at(&manifest.object, &["metadata", "generateName"]).and_then(Value::as_str);
    if let (Some(name), "") = (generated, manifest.name()) {
        return Err(Error::plain(format!("from {name}: cannot use generate name with apply")));
    }
    if manifest.name().is_empty() {
        return Err(Error::plain(format!(
            "error when retrieving current configuration of:\nResource: {}, GroupVersionKind: {}\n\
             Name: \"\", Namespace: {}\nfrom server for: {}: resource name may not be empty",
            quote(&format!("{}, Resource={}", gv(manifest), manifest.kind.plural)),
            quote(&format!("{}, Kind={}", gv(manifest), manifest.kind.kind)),
            quote(manifest.namespace()),
            quote(&manifest.source)
        )));
    }
    if p.bool("server-side") {
        let object = server::apply(cx, conn, p, manifest).await?;
        warn_if_deleting(cx, &object, manifest.name()).await;
        report(cx, p, &object, "serverside-applied", dry_run).await?;
        return Ok(object);
    }
    let mut modified = manifest.object.clone();
    write::note_last_applied(&mut modified);
    let (namespace, name) = (manifest.namespace(), manifest.name());
    let current = match conn.client.get_any(manifest.kind.id, namespace, name) {
        Ok(current) => current.to_value(),
        Err(e) if e.is_not_found() => {
            prune_nulls(&mut modified);
            let mut object = modified;
            if dry_run != DryRun::Client {
                let made =
                    conn.client.create_value(manifest.kind.id, namespace, object, validation);
                cx.warnings(conn).await;
                let about = |e| Error::from(e).about_source("creating", &manifest.source);
                object = conn.value(&made.map_err(about)?);
            }
            report(cx, p, &object, "created", dry_run).await?;
            return Ok(object);
        }
        Err(e) => return Err(e.into()),
    };
    let original = at(&current, &["metadata", "annotations", LAST_APPLIED]).and_then(Value::as_str);
    if original.is_none() {
        cx.err(&format!(
            "Warning: resource {}/{name} is missing the {LAST_APPLIED} annotation which is \
             required by kubectl apply. kubectl apply should only be used on resources created \
             declaratively by either kubectl create --save-config or kubectl apply. The missing \
             annotation will be patched automatically.\n",
            manifest.kind.plural
        ))
        .await;
    }
    let original = original.and_then(|text| yaml::parse(text).ok()).unwrap_or(Value::Null);
    let dynamic = manifest.kind.group.contains('.') && !manifest.kind.group.ends_with(".k8s.io");
    let (patch_type, change) = if dynamic {
        (PatchType::Merge, patch::three_way_merge(&original, &modified, &current))
    } else {
        (PatchType::Strategic, patch::three_way(&original, &modified, &current))
    };
    let unchanged = change.as_object().is_some_and(serde_json::Map::is_empty);
    let object = if unchanged {
        current
    } else if dry_run == DryRun::Client {
        patch::apply(&manifest.kind, patch_type, current, change)?
    } else {
        let key = (namespace, name);
        let client = conn.client.validating(validation);
        let result = client.patch(manifest.kind.id, key, (patch_type, &change), Subresource::Main);
        cx.warnings(conn).await;
        match result {
            Ok(object) => conn.value(&object),
            Err(e) if p.bool("force") && (e.is_conflict() || e.reason == "Invalid") => {
                recreate(cx, conn, p, manifest, modified, validation).await?
            }
            Err(e) => {
                let error = Error::from(e).about_source("patching", &manifest.source);
                return Err(match error {
                    Error::Status { status, context } if status.reason != "Invalid" => {
                        let text = format!(
                            "error when applying patch:\n{}\nto:\nResource: {}, GroupVersionKind: \
                             {}\nName: {}, Namespace: {}\nfor: {}",
                            crate::api::json::compact(&change),
                            quote(&format!("{}, Resource={}", gv(manifest), manifest.kind.plural)),
                            quote(&format!("{}, Kind={}", gv(manifest), manifest.kind.kind)),
                            quote(name),
                            quote(namespace),
                            quote(&manifest.source)
                        );
                        Error::Status { status, context }.about(&text)
                    }
                    other => other,
                });
            }
        }
    };
    warn_if_deleting(cx, &object, name).await;
    report(cx, p, &object, if unchanged { "unchanged" } else { "configured" }, dry_run).await?;
    Ok(object)
}

async fn warn_if_deleting(cx: &Cx, object: &Value, name: &str) {
    if at(object, &["metadata", "deletionTimestamp"]).is_some() {
        cx.err(&format!(
            "Warning: Detected changes to resource {name} which is currently being deleted.\n"
        ))
        .await;
    }
}

fn gv(manifest: &Manifest) -> String {
    format!("{}/{}", manifest.kind.group, manifest.kind.version)
}

/// Prints the message, unless whole objects were asked for.
async fn report(
    cx: &Cx,
    p: &Parsed,
    object: &Value,
    word: &str,
    dry_run: DryRun,
) -> Result<(), Error> {
    if ["", "name"].contains(&p.str("output")) {
        write::report(cx, p, object, word, dry_run).await?;
    }
    Ok(())
}

/// Fields that are null say nothing when an object is created.
fn prune_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, v| !v.is_null());
            map.values_mut().for_each(prune_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(prune_nulls),
        _ => {}
    }
}

/// `--force`: deletes the object and creates it anew.
async fn recreate(
    cx: &Cx,
    conn: &Conn,
    p: &Parsed,
    manifest: &Manifest,
    object: Value,
    validation: FieldValidation,
) -> Result<Value, Error> {
    let (namespace, name) = (manifest.namespace(), manifest.name());
    conn.client.delete_any(manifest.kind.id, namespace, name, &DeleteOptions::default())?;
    let thing = things::Thing {
        kind: manifest.kind.clone(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        source: String::new(),
        object: Value::Null,
    };
    super::waiting::until(cx, conn, &thing, p.duration("timeout"), |v| v.is_none()).await?;
    let made = conn.client.create_value(manifest.kind.id, namespace, object, validation)?;
    cx.warnings(conn).await;
    Ok(conn.value(&made))
}
