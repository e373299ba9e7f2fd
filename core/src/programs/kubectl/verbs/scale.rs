//! `kubectl scale`. Models `k8s.io/kubectl/pkg/cmd/scale`, `k8s.io/kubectl/pkg/scale`.

use serde_json::Value;

use crate::programs::kubectl::{
    Conn, Cx, Error,
    flags::{Command, Complete, Flag, Parsed},
    manifest,
    resources::Query,
    things::{self, Thing},
    write::{self, DryRun},
};

/// `kubectl scale`
pub static COMMAND: Command = Command {
    name: "scale",
    usage: "scale [--resource-version=version] [--current-replicas=count] --replicas=COUNT \
            (-f FILENAME | TYPE NAME)",
    short: "Set how many pods a workload has",
    long: "Set how many pods a deployment, replica set, replication controller or stateful set has.\
           \n\nPreconditions (--current-replicas, --resource-version) are checked before anything is \
           changed.",
    examples: "# Three pods\nkubectl scale --replicas=3 deployment/web\n\n\
               # Three, but only if there are two\n\
               kubectl scale --current-replicas=2 --replicas=3 deployment/web",
    flags: &[
        &[
            Flag::bool("all", false, "All objects of the type in the namespace."),
            Flag::int(
                "current-replicas",
                "-1",
                "Change nothing unless this is the number now. \
                -1: no such condition.",
            ),
            write::DRY_RUN,
            Flag::int("replicas", "0", "The number wanted.").required(),
            Flag::str("resource-version", "", "Change nothing unless this is the version now."),
            Flag::str("selector", "", "Only objects with these labels.").short("l"),
            Flag::duration(
                "timeout",
                "0s",
                "How long to wait until the number is reached; 0 means \
                not at all.",
            ),
        ],
        manifest::FLAGS,
        write::OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    complete: Complete::Resources,
    ..Command::EMPTY
};

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    if p.int("replicas") < 0 {
        return Err(Error::plain(
            "The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0",
        ));
    }
    if p.changed("current-replicas") && p.int("current-replicas") < -1 {
        return Err(Error::plain(
            "The --current-replicas must specify an integer of -1 or greater",
        ));
    }
    let dry_run = DryRun::of(&cx, &p).await?;
    let conn = dry_run.on(cx.connect(&p, 5)?);
    let query = Query {
        selector: p.str("selector").to_owned(),
        all: p.bool("all"),
        lists: p.bool("all"),
        ..Query::default()
    };
    let (found, mut errors) = things::find(&cx, &conn, &p, &p.args, &query, true).await?;
    let guarded = p.changed("current-replicas") || !p.str("resource-version").is_empty();
    if found.len() > 1 && guarded {
        return Err(Error::plain("cannot use --resource-version with multiple resources"));
    }
    if found.is_empty() && errors.is_empty() {
        return Err(Error::plain("no objects passed to scale"));
    }
    let mut reports = write::Reports::new(&cx, &p, "scaled", dry_run)?;
    for thing in found {
        match scale(&cx, &conn, &p, &thing, dry_run).await {
            Ok(object) => reports.add(&cx, &object).await?,
            Err(e) => errors.push(e),
        }
    }
    Error::collect(errors)
}

async fn scale(
    cx: &Cx,
    conn: &Conn,
    p: &Parsed,
    thing: &Thing,
    dry_run: DryRun,
) -> Result<Value, Error> {
    let expected = p.int("current-replicas");
    if expected != -1 {
        let (_, (wanted, ..)) =
            conn.client.get_scale(thing.kind.id, &thing.namespace, &thing.name)?;
        if expected != i64::from(wanted) {
            return Err(Error::plain(format!("Expected replicas to be {expected}, was {wanted}")));
        }
    }
    let version = Some(p.str("resource-version")).filter(|v| !v.is_empty());
    let now = write::at(&thing.object, &["metadata", "resourceVersion"]).and_then(Value::as_str);
    let now = now.unwrap_or_default();
    if let Some(wanted) = version.filter(|wanted| *wanted != now) {
        let text = format!("Expected resource version to be {wanted}, was {now}");
        return Err(Error::plain(text));
    }
    if dry_run == DryRun::Client {
        return Ok(thing.object.clone());
    }
    let replicas = i32::try_from(p.int("replicas")).unwrap_or(i32::MAX);
    let scaled = conn.client.set_scale(thing.kind.id, thing.key(), replicas, version);
    cx.warnings(conn).await;
    let scaled = scaled?;
    super::patch::record(conn, p, thing)?;
    if p.duration("timeout") > 0 {
        let done = |v: &Value| {
            let count = |path: &[&str]| write::at(v, path).and_then(Value::as_i64).unwrap_or(0);
            count(&["status", "replicas"]) == i64::from(replicas)
                && count(&["status", "observedGeneration"]) >= count(&["metadata", "generation"])
        };
        super::waiting::until(cx, conn, thing, p.duration("timeout"), |v| v.is_none_or(done))
            .await?;
    }
    Ok(conn.value(&scaled))
}
