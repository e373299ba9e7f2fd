//! `kubectl label`, `kubectl annotate`. Model `k8s.io/kubectl/pkg/cmd/{label,annotate}`.

use serde_json::{Value, json};

use crate::{
    api::{gofmt::quote, patch},
    client::{PatchType, Subresource},
    programs::kubectl::{
        Conn, Cx, Error,
        flags::{Command, Complete, Flag, Parsed},
        manifest,
        resources::Query,
        things::{self, Thing},
        valid,
        write::{self, DryRun, at},
    },
};

const FLAGS: &[Flag] = &[
    Flag::bool("all", false, "All objects of the type in the namespace."),
    Flag::bool("all-namespaces", false, "In all namespaces.").short("A"),
    write::DRY_RUN,
    Flag::str("field-selector", "", "Only objects whose fields have these values."),
    Flag::bool("list", false, "Show what the objects have."),
    write::RECORD,
    Flag::bool("overwrite", false, "Also change what has another value already."),
    Flag::str("resource-version", "", "Change nothing unless this is the version now."),
    Flag::bool("local", false, "Work on files only and ask no server."),
    Flag::str("selector", "", "Only objects with these labels.").short("l"),
];

/// `kubectl label`
pub static LABEL: Command = Command {
    name: "label",
    usage: "label [--overwrite] (-f FILENAME | TYPE NAME) KEY_1=VAL_1 ... KEY_N=VAL_N \
            [--resource-version=version]",
    short: "Change an object's labels",
    long: "Change an object's labels.\n\nKEY=VALUE sets a label, KEY- removes one. A label that is \
           there already is only changed with --overwrite.",
    examples: "# Set a label\nkubectl label pod web tier=front\n\n# Change it\n\
               kubectl label --overwrite pod web tier=back\n\n# Remove it\nkubectl label pod web tier-",
    flags: &[FLAGS, &[write::field_manager("kubectl-label")], manifest::FLAGS, write::OUTPUT],
    run: Some(|cx, p| Box::pin(run(cx, p, &LABELS))),
    complete: Complete::Resources,
    ..Command::EMPTY
};

/// `kubectl annotate`
pub static ANNOTATE: Command = Command {
    name: "annotate",
    usage: "annotate [--overwrite] (-f FILENAME | TYPE NAME) KEY_1=VAL_1 ... KEY_N=VAL_N \
            [--resource-version=version]",
    short: "Change an object's annotations",
    long: "Change an object's annotations.\n\nKEY=VALUE sets an annotation, KEY- removes one. One \
           that is there already is only changed with --overwrite.",
    examples: "# Say what it is\nkubectl annotate pod web description=first\n\n# Remove it\n\
               kubectl annotate pod web description-",
    flags: &[
        FLAGS,
        &[
            write::field_manager("kubectl-annotate"),
            manifest::FILENAME,
            manifest::KUSTOMIZE,
            manifest::RECURSIVE,
        ],
        write::OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(run(cx, p, &ANNOTATIONS))),
    complete: Complete::Resources,
    ..Command::EMPTY
};

/// What differs between the two verbs.
struct What {
    word: &'static str,
    field: &'static str,
    label: bool,
}

static LABELS: What = What { word: "label", field: "labels", label: true };
static ANNOTATIONS: What = What { word: "annotation", field: "annotations", label: false };

/// What is to be set, and what removed.
struct Change {
    set: Vec<(String, String)>,
    remove: Vec<String>,
}

/// Arguments that name objects, and those that say what to change.
fn divide<'a>(args: &'a [String], what: &What) -> Result<(Vec<String>, Vec<&'a str>), Error> {
    let pair =
        |a: &str| (a.contains('=') && !a.starts_with('=')) || (a.ends_with('-') && a.len() > 1);
    let first = args.iter().position(|a| pair(a)).unwrap_or(args.len());
    if let Some(bad) = args[first..].iter().find(|a| !pair(a)) {
        return Err(Error::plain(format!(
            "all resources must be specified before {} changes: {bad}",
            what.word
        )));
    }
    Ok((args[..first].to_vec(), args[first..].iter().map(String::as_str).collect()))
}

fn parse(specs: &[&str], what: &What) -> Result<Change, Error> {
    let mut change = Change { set: Vec::new(), remove: Vec::new() };
    for spec in specs {
        if let Some((key, value)) = spec.split_once('=') {
            if what.label && value.contains('=') {
                return Err(Error::plain(format!("invalid label spec: {spec}")));
            }
            if what.label {
                valid::label_value(value).map_err(|why| {
                    Error::plain(format!("invalid label value: {}: {why}", quote(spec)))
                })?;
            }
            change.set.push((key.to_owned(), value.to_owned()));
        } else {
            change.remove.push(spec.trim_end_matches('-').to_owned());
        }
    }
    if change.remove.iter().any(|r| change.set.iter().any(|(k, _)| k == r)) {
        let article = if what.label { "a label" } else { "an annotation" };
        return Err(Error::plain(format!(
            "can not both modify and remove {article} in the same command"
        )));
    }
    Ok(change)
}

async fn run(cx: Cx, p: Parsed, what: &'static What) -> Result<(), Error> {
    let dry_run = DryRun::of(&cx, &p).await?;
    let (args, specs) = divide(&p.args, what)?;
    let change = parse(&specs, what)?;
    if p.bool("all") && !p.str("selector").is_empty() {
        return Err(Error::plain("cannot set --all and --selector at the same time"));
    }
    if p.bool("all") && !p.str("field-selector").is_empty() {
        return Err(Error::plain("cannot set --all and --field-selector at the same time"));
    }
    if args.is_empty() && !manifest::given(&p) {
        return Err(Error::plain(
            "one or more resources must be specified as <resource> <name> or <resource>/<name>",
        ));
    }
    let list = p.bool("list");
    if change.set.is_empty() && change.remove.is_empty() && !list {
        return Err(Error::plain(format!("at least one {} update is required", what.word)));
    }
    if p.bool("local") {
        return locally(&cx, &p, &args, &change, (what, dry_run)).await;
    }
    let conn = dry_run.on(cx.connect(&p, 5)?);
    let query = Query {
        all_namespaces: p.bool("all-namespaces"),
        selector: p.str("selector").to_owned(),
        fields: p.str("field-selector").to_owned(),
        all: p.bool("all"),
        lists: p.bool("all"),
        ..Query::default()
    };
    let bulk = query.all || !query.selector.is_empty() || !query.fields.is_empty();
    let (found, mut errors) = things::find(&cx, &conn, &p, &args, &query, true).await?;
    let one = !bulk && found.len() == 1;
    if !one && !p.str("resource-version").is_empty() {
        return Err(Error::plain("--resource-version may only be used with a single resource"));
    }
    for thing in found {
        if list {
            cx.out(&listing(&thing, what, one)).await;
            continue;
        }
        errors.extend(update(&cx, &conn, &p, thing, &change, (what, dry_run)).await.err());
    }
    Error::collect(errors)
}

/// `--local`: what files hold, changed and printed.
async fn locally(
    cx: &Cx,
    p: &Parsed,
    args: &[String],
    change: &Change,
    how: (&What, DryRun),
) -> Result<(), Error> {
    let (what, dry_run) = how;
    if dry_run == DryRun::Server {
        return Err(Error::plain(
            "cannot specify --local and --dry-run=server - did you mean --dry-run=client?",
        ));
    }
    let found = things::local(cx, p, args).await?;
    let one = found.len() == 1;
    for thing in found {
        if p.bool("list") {
            cx.out(&listing(&thing, what, one)).await;
            continue;
        }
        let (new, message) = changed(cx, p, &thing, change, (what, dry_run)).await?;
        write::report(cx, p, &new, message, dry_run).await?;
    }
    Ok(())
}

fn listing(thing: &Thing, what: &What, one: bool) -> String {
    let mut text = String::new();
    let indent = if one { "" } else { " " };
    if !one {
        let plural = if what.label { "labels" } else { "annotations" };
        text.push_str(&format!(
            "Listing {plural} for {}.{}/{}:\n",
            thing.kind.kind, thing.kind.group, thing.name
        ));
    }
    let map = at(&thing.object, &["metadata", what.field]).and_then(Value::as_object);
    for (key, value) in map.into_iter().flatten() {
        text.push_str(&format!("{indent}{key}={}\n", value.as_str().unwrap_or("")));
    }
    text
}

async fn update(
    cx: &Cx,
    conn: &Conn,
    p: &Parsed,
    thing: Thing,
    change: &Change,
    how: (&What, DryRun),
) -> Result<(), Error> {
    let (what, dry_run) = how;
    let (new, message) = changed(cx, p, &thing, change, how).await?;
    let mut object = new.clone();
    let differs = message != "not labeled";
    if dry_run != DryRun::Client && (differs || !what.label) {
        let mut diff = patch::two_way_merge(&thing.object, &new);
        if !p.str("resource-version").is_empty() {
            if let Some(meta) = write::map_at(&mut diff, &["metadata"]) {
                meta.insert("resourceVersion".into(), json!(p.str("resource-version")));
            }
        }
        let change = (PatchType::Merge, &diff);
        let result = conn.client.patch(thing.kind.id, thing.key(), change, Subresource::Main);
        cx.warnings(conn).await;
        object = conn.value(&result?);
    }
    write::report(cx, p, &object, message, dry_run).await
}

/// The changed object, and what happened to it in a word.
async fn changed(
    cx: &Cx,
    p: &Parsed,
    thing: &Thing,
    change: &Change,
    how: (&What, DryRun),
) -> Result<(Value, &'static str), Error> {
    let (what, dry_run) = how;
    let old = &thing.object;
    let mut new = old.clone();
    let there = |key: &str| at(old, &["metadata", what.field, key]).and_then(Value::as_str);
    if !p.bool("overwrite") {
        check_overwrites(&there, change, what)?;
    }
    if what.label && dry_run != DryRun::Client {
        for key in change.remove.iter().filter(|k| there(k).is_none()) {
            cx.out(&format!("{} {} not found.\n", what.word, quote(key))).await;
        }
    }
    let added = change.set.iter().filter(|(k, v)| there(k) != Some(v)).count();
    let removed = change.remove.iter().filter(|k| there(k).is_some()).count();
    if let Some(map) = write::map_at(&mut new, &["metadata", what.field]) {
        for (key, value) in &change.set {
            map.insert(key.clone(), value.clone().into());
        }
        for key in &change.remove {
            map.remove(key);
        }
    }
    write::record(p, &mut new);
    let message = match (what.label, added > 0, removed > 0) {
        (false, ..) => "annotated",
        (true, true, true) => "modified",
        (true, true, false) => "labeled",
        (true, false, true) => "unlabeled",
        (true, false, false) => "not labeled",
    };
    Ok((new, message))
}

fn check_overwrites<'a>(
    there: &impl Fn(&str) -> Option<&'a str>,
    change: &Change,
    what: &What,
) -> Result<(), Error> {
    let mut faults = Vec::new();
    for (key, value) in &change.set {
        match there(key) {
            Some(old) if old != value => faults.push((key, old)),
            _ => {}
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    if what.label {
        let text = |(k, v): &(&String, &str)| {
            Error::plain(format!("'{k}' already has a value ({v}), and --overwrite is false"))
        };
        return Error::collect(faults.iter().map(text).collect());
    }
    let all: Vec<String> =
        faults.iter().map(|(k, v)| format!("'{k}' already has a value ({v})")).collect();
    Err(Error::plain(format!(
        "--overwrite is false but found the following declared annotation(s): {}",
        all.join("; ")
    )))
}
