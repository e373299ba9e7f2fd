//! `kubectl delete`. Models `k8s.io/kubectl/pkg/cmd/delete/delete.go`.

use serde_json::Value;

use super::waiting;
use crate::{
    api::gofmt::quote,
    client::{DeleteOptions, Propagation},
    programs::kubectl::{
        Conn, Cx, Error,
        flags::{Command, Complete, Flag, Parsed},
        manifest, raw,
        resources::Query,
        things::{self, Thing},
        write::{self, DryRun, at},
    },
};

/// `--cascade`.
pub const CASCADE: Flag = Flag::str(
    "cascade",
    "background",
    "Must be \"background\", \"orphan\", or \"foreground\": what happens to what the objects own.",
)
.bare("background");

/// `--force`.
pub const FORCE: Flag = Flag::bool("force", false, "Do not wait for the containers to end.");

/// `--grace-period`.
pub const GRACE: Flag =
    Flag::int("grace-period", "-1", "Seconds that pods get to end; negative: what they ask for.");

/// `--timeout`.
pub const TIMEOUT: Flag =
    Flag::duration("timeout", "0s", "How long to wait for a deletion; 0: as long as it takes.");

/// `--wait` of verbs that mostly do not.
pub const WAIT: Flag = Flag::bool("wait", false, "Wait until the objects are gone.");

/// `kubectl delete`
pub static COMMAND: Command = Command {
    name: "delete",
    usage: "delete ([-f FILENAME] | [-k DIRECTORY] | TYPE [(NAME | -l label | --all)])",
    short: "Delete objects",
    long: "Delete objects by files, standard input, type and name, or type and labels.\n\n\
           Pods get time to end: --grace-period says how much. With --force and a grace period of 0 \
           a pod is gone from the API at once, whether or not its containers have ended.",
    examples: "# One pod\nkubectl delete pod web\n\n# What a file names\nkubectl delete -f web.yaml\n\n\
               # Pods and services with a label\nkubectl delete pods,services -l app=web\n\n\
               # All pods of the namespace\nkubectl delete pods --all\n\n\
               # At once\nkubectl delete pod web --force",
    flags: &[
        &[
            Flag::bool("all", false, "All objects of the type in the namespace."),
            Flag::bool("all-namespaces", false, "In all namespaces.").short("A"),
            CASCADE,
            write::DRY_RUN,
            Flag::str("field-selector", "", "Only objects whose fields have these values."),
            FORCE,
            GRACE,
            Flag::bool("ignore-not-found", false, "What does not exist counts as deleted."),
            Flag::bool("interactive", false, "Ask before deleting.").short("i"),
            Flag::bool("now", false, "The same as --grace-period=1."),
            Flag::str("output", "", "'name' for names only.").short("o"),
            Flag::str("raw", "", "A path to send DELETE to, as it is."),
            Flag::str("selector", "", "Only objects with these labels.").short("l"),
            TIMEOUT,
            Flag::bool("wait", true, "Wait until the objects are gone."),
        ],
        manifest::FLAGS,
    ],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    complete: Complete::Resources,
    ..Command::EMPTY
};

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    let dry_run = DryRun::of(&cx, &p).await?;
    let conn = dry_run.on(cx.connect(&p, 5)?);
    if !["", "name"].contains(&p.str("output")) {
        return Err(Error::plain(format!(
            "unexpected -o output mode: {}. We only support '-o name'",
            p.str("output")
        )));
    }
    old_cascade(&cx, &p).await;
    let options = delete_options(&p)?;
    if options.grace_seconds == Some(0) {
        cx.err(
            "Warning: Immediate deletion does not wait for confirmation that the running resource \
             has been terminated. The resource may continue to run on the cluster indefinitely.\n",
        )
        .await;
    }
    if !p.str("raw").is_empty() {
        if p.bool("interactive") {
            return Err(Error::plain("--interactive can not be used with --raw"));
        }
        return raw::run(&cx, &conn, &p, "DELETE").await;
    }
    let query = Query {
        all_namespaces: p.bool("all-namespaces"),
        selector: p.str("selector").to_owned(),
        fields: p.str("field-selector").to_owned(),
        all: p.bool("all"),
        ..Query::default()
    };
    let bulk = query.all || !query.selector.is_empty() || !query.fields.is_empty();
    let files = manifest::given(&p);
    let named = if files { None } else { things::unread(&conn, &p.args, &query)? };
    let (found, errors) = match named {
        Some(named) => (named, Vec::new()),
        None => things::find(&cx, &conn, &p, &p.args, &query, false).await?,
    };
    let ignore = p.bool("ignore-not-found") || (bulk && !p.changed("ignore-not-found"));
    let mut errors: Vec<Error> =
        errors.into_iter().filter(|e| !(ignore && e.is_not_found())).collect();
    if p.bool("interactive") {
        if found.is_empty() && errors.is_empty() {
            cx.out("No resources found\n").await;
            return Ok(());
        }
        if !confirm(&cx, &found).await {
            cx.out("deletion is cancelled\n").await;
            return Ok(());
        }
    }
    let scoped = conn.namespace_given && !query.all_namespaces;
    if scoped && found.iter().any(|thing| !thing.kind.namespaced) {
        cx.err(
            "Warning: deleting cluster-scoped resources, not scoped to the provided namespace\n",
        )
        .await;
    }
    let mut gone = Vec::new();
    for thing in &found {
        match delete(&cx, &conn, &p, thing, (&options, dry_run)).await {
            Ok(uid) => gone.push((thing, uid)),
            Err(e) if ignore && e.is_not_found() => {}
            Err(e) => errors.push(e),
        }
    }
    if found.is_empty() && errors.is_empty() && !(ignore && !bulk) && !files {
        cx.out("No resources found\n").await;
    }
    Error::collect(errors)?;
    if !p.bool("wait") || dry_run != DryRun::No {
        return Ok(());
    }
    let mut errors = Vec::new();
    for (thing, uid) in gone {
        errors.extend(wait(&cx, &conn, &p, thing, &uid).await.err());
    }
    Error::collect(errors)
}

/// Deletes one object and says so; its uid.
pub async fn delete(
    cx: &Cx,
    conn: &Conn,
    p: &Parsed,
    thing: &Thing,
    how: (&DeleteOptions, DryRun),
) -> Result<String, Error> {
    let (options, dry_run) = how;
    let mut uid = String::new();
    if dry_run != DryRun::Client {
        let result = conn.client.delete_any(thing.kind.id, &thing.namespace, &thing.name, options);
        cx.warnings(conn).await;
        let (object, _) =
            result.map_err(|e| Error::from(e).about_source("deleting", &thing.source))?;
        uid = object.uid().to_owned();
    }
    cx.out(&message(p, thing, options.grace_seconds == Some(0), dry_run)).await;
    Ok(uid)
}

/// `--cascade=true` and `=false` are old-fashioned.
pub async fn old_cascade(cx: &Cx, p: &Parsed) {
    let given = p.str("cascade");
    if let Ok(on) = crate::programs::kubectl::flags::parse_bool(given) {
        let word = if on { "background" } else { "orphan" };
        cx.err(&format!(
            "warning: --cascade={given} is deprecated (boolean value) and can be replaced with \
             --cascade={word}.\n"
        ))
        .await;
    }
}

/// What the flags say about a deletion.
pub fn delete_options(p: &Parsed) -> Result<DeleteOptions, Error> {
    let mut grace = p.int("grace-period");
    let force = p.bool("force");
    if p.bool("now") {
        if grace != -1 {
            return Err(Error::plain("--now and --grace-period cannot be specified together"));
        }
        grace = 1;
    }
    if grace == 0 && !force {
        // A bare --grace-period=0 means "soon", so that nothing is lost by accident.
        grace = 1;
    }
    if force && grace > 0 {
        return Err(Error::plain(
            "--force and --grace-period greater than 0 cannot be specified together",
        ));
    }
    if force && grace < 0 {
        grace = 0;
    }
    let propagation = match p.str("cascade") {
        "background" | "true" => Propagation::Background,
        "foreground" => Propagation::Foreground,
        "orphan" | "false" => Propagation::Orphan,
        other => {
            return Err(Error::plain(format!(
                "invalid cascade value ({other}). Must be \"background\", \"foreground\", or \
                 \"orphan\""
            )));
        }
    };
    let grace_seconds = (grace >= 0).then_some(grace);
    Ok(DeleteOptions { grace_seconds, propagation, ..DeleteOptions::default() })
}

async fn confirm(cx: &Cx, found: &[Thing]) -> bool {
    let mut text = String::from("You are about to delete the following ");
    text.push_str(&format!("{} resource(s):\n", found.len()));
    for thing in found {
        text.push_str(&format!("{}/{}\n", thing.kind.singular_resource(), thing.name));
    }
    text.push_str("Do you want to continue? (y/N): ");
    cx.out(&text).await;
    let answer = cx.proc.read_line().await.unwrap_or_default();
    answer.trim().eq_ignore_ascii_case("y")
}

fn message(p: &Parsed, thing: &Thing, forced: bool, dry_run: DryRun) -> String {
    if p.has("output") && p.str("output") == "name" {
        return format!("{}\n", thing.named());
    }
    let word = if forced { "force deleted" } else { "deleted" };
    let place = match thing.namespace.as_str() {
        "" => String::new(),
        namespace => format!(" from {namespace} namespace"),
    };
    let (kind, name) = (thing.kind.singular_resource(), quote(&thing.name));
    format!("{kind} {name} {word}{place}{}\n", dry_run.suffix())
}

/// Waits until an object is gone, or another one has taken its place.
pub async fn wait(cx: &Cx, conn: &Conn, p: &Parsed, thing: &Thing, uid: &str) -> Result<(), Error> {
    let other = |v: &Value| at(v, &["metadata", "uid"]).and_then(Value::as_str) != Some(uid);
    let gone = |v: Option<&Value>| v.is_none_or(other);
    waiting::until(cx, conn, thing, p.duration("timeout"), gone).await.map(|_| ())
}
