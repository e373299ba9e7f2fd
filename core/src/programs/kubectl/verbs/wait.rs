//! `kubectl wait`. Models `k8s.io/kubectl/pkg/cmd/wait`.

use std::time::Duration;

use serde_json::Value;

use super::waiting;
use crate::{
    api::gofmt::quote,
    programs::kubectl::{
        Conn, Cx, Error,
        flags::{Command, Complete, Flag, Parsed},
        manifest,
        print::jsonpath::{JsonPath, relaxed},
        resources::Query,
        things::{self, Thing},
        write::{self, DryRun, at},
    },
};

/// `kubectl wait`
pub static COMMAND: Command = Command {
    name: "wait",
    usage: "wait ([-f FILENAME] | resource.group/resource.name | resource.group [(-l label | --all)]) \
            [--for=create|--for=delete|--for condition=available|--for=jsonpath='{}'[=value]]",
    short: "Wait until objects are in a certain condition",
    examples: "# Until the pod is ready\nkubectl wait --for=condition=Ready pod/web\n\n\
               # Until it is gone\nkubectl wait --for=delete pod/web --timeout=60s\n\n\
               # Until a field has a value\n\
               kubectl wait --for=jsonpath={.status.phase}=Running pod/web",
    flags: &[
        &[
            Flag::bool("all", false, "All objects of the type in the namespace."),
            Flag::bool("all-namespaces", false, "In all namespaces.").short("A"),
            Flag::str("field-selector", "", "Only objects whose fields have these values."),
            Flag::array(
                "for",
                "What to wait for: create, delete, condition=NAME[=VALUE], \
                jsonpath=PATH[=VALUE].",
            ),
            manifest::FILENAME,
            Flag::bool("local", false, "Take what files hold as it stands there at first."),
            manifest::RECURSIVE,
            Flag::str("selector", "", "Only objects with these labels.").short("l"),
            Flag::duration("timeout", "30s", "How long to wait; 0: look once, negative: a week."),
        ],
        write::OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    complete: Complete::Resources,
    ..Command::EMPTY
};

enum Goal {
    Create,
    Delete,
    Condition(String, String),
    Path(JsonPath, Option<String>),
}

fn goals(specs: &[String]) -> Result<Vec<Goal>, Error> {
    if specs.is_empty() {
        return Err(Error::plain("unrecognized condition: []"));
    }
    specs.iter().map(|spec| goal(spec)).collect()
}

fn goal(spec: &str) -> Result<Goal, Error> {
    match spec.to_lowercase().as_str() {
        "delete" => return Ok(Goal::Delete),
        "create" => return Ok(Goal::Create),
        _ => {}
    }
    if let Some(condition) = spec.strip_prefix("condition=") {
        let (name, value) = condition.split_once('=').unwrap_or((condition, "true"));
        return Ok(Goal::Condition(name.to_owned(), value.to_owned()));
    }
    if let Some(path) = spec.strip_prefix("jsonpath=") {
        let parts = split(path);
        let format = "jsonpath wait format must be --for=jsonpath='{.status.readyReplicas}'=3 or \
                      --for=jsonpath='{.status.readyReplicas}'";
        let (path, value) = match parts.as_slice() {
            [path] => (path, None),
            [path, value] => (path, Some(value.trim_matches(['\'', '"']).to_owned())),
            _ => return Err(Error::plain(format)),
        };
        if value.as_deref() == Some("") {
            return Err(Error::plain(
                "jsonpath wait has to have a value after equal sign, like \
                --for=jsonpath='{.status.readyReplicas}'=3",
            ));
        }
        let path = relaxed(path)?;
        if path.is_empty() {
            return Err(Error::plain("jsonpath expression cannot be empty"));
        }
        return Ok(Goal::Path(JsonPath::new(&path, true)?, value));
    }
    Err(Error::plain(format!("unrecognized condition: {}", quote(spec))))
}

/// Splits at single equal signs; double ones belong to filters.
fn split(text: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '=' && chars.peek() == Some(&'=') {
            chars.next();
            if let Some(last) = out.last_mut() {
                last.push_str("==");
            }
        } else if c == '=' {
            out.push(String::new());
        } else if let Some(last) = out.last_mut() {
            last.push(c);
        }
    }
    out
}

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    let goals = goals(p.list("for"))?;
    let conn = cx.connect(&p, 5)?;
    let query = Query {
        all_namespaces: p.bool("all-namespaces"),
        selector: p.str("selector").to_owned(),
        fields: p.str("field-selector").to_owned(),
        all: p.bool("all"),
        ..Query::default()
    };
    let timeout = if p.duration("timeout") < 0 { 0 } else { p.duration("timeout") };
    let deadline = cx.proc.sim().now()
        + Duration::from_nanos(match timeout {
            0 => 7 * 24 * 3_600_000_000_000,
            n => n.unsigned_abs(),
        });
    if goals.iter().any(|g| matches!(g, Goal::Create)) {
        created(&cx, &conn, &p, &query, deadline).await?;
    }
    let deleting = goals.iter().any(|g| matches!(g, Goal::Delete));
    let (found, errors) = things::find(&cx, &conn, &p, &p.args, &query, !p.bool("local")).await?;
    let errors: Vec<Error> =
        errors.into_iter().filter(|e| !(deleting && e.is_not_found())).collect();
    Error::collect(errors)?;
    if found.is_empty() && !deleting {
        return Err(Error::plain("no matching resources found"));
    }
    for thing in found {
        for goal in &goals {
            let left = deadline.since(cx.proc.sim().now()).as_nanos();
            let left = i64::try_from(left).unwrap_or(i64::MAX).max(1);
            let object = reach(&cx, &conn, &p, &thing, goal, left).await?;
            write::report(&cx, &p, &object, "condition met", DryRun::No).await?;
        }
    }
    Ok(())
}

/// Waits until everything that is named exists; looks again whenever something of these kinds changes.
async fn created(
    cx: &Cx,
    conn: &Conn,
    p: &Parsed,
    query: &Query,
    deadline: crate::sim::Time,
) -> Result<(), Error> {
    loop {
        let (found, errors) = things::find(cx, conn, p, &p.args, query, true).await?;
        if !found.is_empty() && errors.is_empty() {
            return Ok(());
        }
        if let Some(error) = errors.into_iter().find(|e| !e.is_not_found()) {
            return Err(error);
        }
        // As upstream, which looks twice a second.
        if cx.proc.sim().now() + Duration::from_millis(500) > deadline {
            cx.proc.sim().sleep_until(deadline).await;
            return Err(Error::plain("timed out waiting for the condition"));
        }
        cx.proc.sleep(Duration::from_millis(500)).await;
    }
}

async fn reach(
    cx: &Cx,
    conn: &Conn,
    p: &Parsed,
    thing: &Thing,
    goal: &Goal,
    left: i64,
) -> Result<Value, Error> {
    let uid = at(&thing.object, &["metadata", "uid"]).cloned();
    let met = |value: Option<&Value>| match (goal, value) {
        (Goal::Create, Some(_)) => true,
        (Goal::Delete, None) => true,
        (Goal::Delete, Some(v)) => at(v, &["metadata", "uid"]) != uid.as_ref(),
        (Goal::Condition(name, status), Some(v)) => condition(v, name, status),
        (Goal::Path(path, wanted), Some(v)) => found(path, wanted.as_deref(), v),
        (_, None) => false,
    };
    if p.duration("timeout") == 0 {
        let current = conn.client.get_any(thing.kind.id, &thing.namespace, &thing.name);
        let current = current.ok().map(|o| o.to_value());
        if met(current.as_ref()) {
            return Ok(current.unwrap_or_else(|| thing.object.clone()));
        }
        return Err(Error::plain(format!(
            "condition not met for {}/{}",
            thing.kind.plural, thing.name
        )));
    }
    if let Goal::Path(path, Some(_)) = goal {
        let nested = |value: &Value| {
            let results = path.find(value).unwrap_or_default();
            let first = results.first().and_then(|r| r.first());
            first.is_some_and(|v| v.is_object() || v.is_array())
        };
        if nested(&thing.object) {
            return Err(Error::plain(
                "jsonpath leads to a nested object or list which is not supported",
            ));
        }
    }
    let last = waiting::until(cx, conn, thing, left, met).await?;
    Ok(last.unwrap_or_else(|| thing.object.clone()))
}

fn condition(object: &Value, name: &str, status: &str) -> bool {
    let conditions = at(object, &["status", "conditions"]).and_then(Value::as_array);
    let text = |c: &Value, key: &str| c.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
    let found = conditions
        .into_iter()
        .flatten()
        .find(|c| text(c, "type").to_lowercase() == name.to_lowercase());
    let Some(found) = found else { return false };
    let generation = at(object, &["metadata", "generation"]).and_then(Value::as_i64);
    let observed = found
        .get("observedGeneration")
        .or_else(|| at(object, &["status", "observedGeneration"]))
        .and_then(Value::as_i64);
    if let (Some(generation), Some(observed)) = (generation, observed) {
        if observed < generation {
            return false;
        }
    }
    text(found, "status").to_lowercase() == status.to_lowercase()
}

fn found(path: &JsonPath, wanted: Option<&str>, object: &Value) -> bool {
    let Ok(results) = path.find(object) else { return false };
    let Some(value) = results.first().and_then(|r| r.first()) else { return false };
    match wanted {
        None => !value.is_null(),
        Some(wanted) => {
            !value.is_object() && !value.is_array() && crate::api::gofmt::value(value) == wanted
        }
    }
}
