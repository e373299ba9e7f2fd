//! `kubectl apply`: make the cluster what files say. Models `k8s.io/kubectl/pkg/cmd/apply`.

use serde_json::{Value, json};

use crate::{
    api::{gofmt::quote, patch, yaml},
    client::{DeleteOptions, FieldValidation, PatchType, Subresource},
    programs::kubectl::{
        Conn, Cx, Error,
        flags::{Command, Complete, Flag, Parsed},
        manifest::{self, Manifest},
        output,
        resources::Query,
        things,
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
            write::DRY_RUN,
            write::field_manager("kubectl-client-side-apply"),
            Flag::bool("force", false, "Delete and create objects that cannot be changed."),
            Flag::bool(
                "force-conflicts",
                false,
                "Take fields over from others (server-side only).",
            ),
            Flag::bool("overwrite", true, "Undo what others changed in applied fields."),
            Flag::bool("prune", false, "Delete what is not in the files. Not simulated."),
            Flag::str("selector", "", "Only objects with these labels.").short("l"),
            Flag::bool("server-side", false, "Let the server merge. Not simulated."),
            Flag::duration("timeout", "0s", "How long to wait before giving up on a delete."),
            write::VALIDATE,
            Flag::bool("wait", false, "Wait until deleted objects are gone."),
        ],
        manifest::FLAGS,
        write::OUTPUT,
    ],
    subcommands: &[&VIEW],
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
    for flag in ["server-side", "prune", "force-conflicts"] {
        if p.bool(flag) {
            return Err(Error::plain(format!("--{flag} is not simulated in this sandbox")));
        }
    }
    let dry_run = DryRun::of(&cx, &p).await?;
    let validation = write::validation(&p)?;
    let conn = dry_run.on(cx.connect(&p, 5)?);
    let (manifests, error) =
        manifest::read(&cx, &conn, &p, validation != FieldValidation::Ignore).await;
    let selector = crate::api::selector::Selector::parse(p.str("selector"))?;
    let manifests: Vec<Manifest> =
        manifests.into_iter().filter(|m| super::selects(&selector, &m.object)).collect();
    if manifests.is_empty() && error.is_none() {
        return Err(Error::plain("no objects passed to apply"));
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
    Error::collect(errors)
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
                object = made.map_err(about)?.to_value();
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
    let dynamic = conn.client.kinds().get(manifest.kind.id).group.contains('.')
        && !manifest.kind.group.ends_with(".k8s.io");
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
            Ok(object) => object.to_value(),
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
    if at(&object, &["metadata", "deletionTimestamp"]).is_some() {
        cx.err(&format!(
            "Warning: Detected changes to resource {name} which is currently being deleted.\n"
        ))
        .await;
    }
    report(cx, p, &object, if unchanged { "unchanged" } else { "configured" }, dry_run).await?;
    Ok(object)
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
    Ok(made.to_value())
}

static VIEW: Command = Command {
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
        let note = at(&thing.object, &["metadata", "annotations", LAST_APPLIED]);
        let Some(note) = note.and_then(Value::as_str).and_then(|t| yaml::parse(t).ok()) else {
            return Err(Error::plain(format!(
                "no last-applied-configuration annotation found on resource: {}",
                thing.name
            )));
        };
        match p.str("output") {
            "json" => cx.out(&(crate::api::json::indented(&note, 2) + "\n")).await,
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
