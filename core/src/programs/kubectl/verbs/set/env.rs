//! `kubectl set env`.

use serde_json::{Value, json};

use super::{SHARED, divide, objects, pod_spec, send};
use crate::programs::kubectl::{
    Conn, Cx, Error,
    flags::{Command, Complete, Flag, Parsed},
    manifest,
    resources::{self, Query},
    things,
    write::{self, DryRun},
};

/// `kubectl set env`
pub(super) static COMMAND: Command = Command {
    name: "env",
    usage: "env RESOURCE/NAME KEY_1=VAL_1 ... KEY_N=VAL_N",
    short: "Change the variables of a pod template",
    long: "Change the variables of a pod template.\n\nKEY=VALUE sets a variable, KEY- removes one. \
           With --from all keys of a config map or secret become variables.",
    examples: "# Set one\nkubectl set env deployment/web COLOR=blue\n\n\
               # Show them\nkubectl set env deployment/web --list\n\n\
               # From a config map\nkubectl set env deployment/web --from=configmap/conf",
    flags: &[
        &[
            Flag::str(
                "containers",
                "*",
                "Only containers with these names; * stands for any text.",
            )
            .short("c"),
            Flag::array("env", "Variables: key=value.").short("e"),
            Flag::str("from", "", "A config map or secret: configmap/NAME, secret/NAME."),
            Flag::slice("keys", "Only these keys of it."),
            Flag::bool("list", false, "Show the variables."),
            Flag::bool("overwrite", true, "Also change variables that have a value."),
            Flag::str("prefix", "", "What stands before the names of variables from --from."),
        ],
        SHARED,
        manifest::FLAGS,
        write::OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    complete: Complete::Resources,
    ..Command::EMPTY
};

struct Change {
    set: Vec<Value>,
    remove: Vec<String>,
}

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    let dry_run = DryRun::of(&cx, &p).await?;
    let (args, specs) = divide(&p.args);
    if args.is_empty() && !manifest::given(&p) {
        return Err(Error::plain(
            "one or more resources must be specified as <resource> <name> or <resource>/<name>",
        ));
    }
    let conn = dry_run.on(cx.connect(&p, 5)?);
    let mut change = Change { set: Vec::new(), remove: Vec::new() };
    for spec in specs.iter().chain(p.list("env")) {
        match (spec.split_once('='), spec.strip_suffix('-')) {
            (Some((name, value)), _) => change.set.push(json!({"name": name, "value": value})),
            (None, Some(name)) => change.remove.push(name.to_owned()),
            _ => {
                return Err(Error::plain(format!(
                    "environment variables must be of the form key=value: {spec}"
                )));
            }
        }
    }
    let from = p.str("from");
    if !from.is_empty() {
        change.set.extend(imported(&cx, &conn, &p, from).await?);
    }
    let found = objects(&cx, &conn, &p, &args).await?;
    let mut errors = Vec::new();
    for thing in found {
        let mut new = thing.object.clone();
        let spec = pod_spec(&thing, &mut new)?;
        if p.bool("list") {
            let text = listing(&p, &thing.name, &thing.kind.plural, spec);
            cx.out(&text).await;
            continue;
        }
        if change.set.is_empty() && change.remove.is_empty() {
            return Err(Error::plain("at least one environment variable must be provided"));
        }
        apply(&p, spec, &change)?;
        let how = ("env updated", "failed to patch env update to pod template:", dry_run);
        errors.extend(send(&cx, &conn, &p, &thing, new, how).await.err());
    }
    Error::collect(errors)
}

fn containers<'a>(p: &'a Parsed, spec: &'a mut Value) -> impl Iterator<Item = &'a mut Value> {
    let list = spec.get_mut("containers").and_then(Value::as_array_mut);
    let pattern = p.str("containers");
    list.into_iter().flatten().filter(move |c| {
        let name = c["name"].as_str().unwrap_or("");
        match pattern.split_once('*') {
            Some((head, tail)) => name.starts_with(head) && name.ends_with(tail),
            None => name == pattern,
        }
    })
}

fn listing(p: &Parsed, name: &str, plural: &str, spec: &mut Value) -> String {
    let mut text = String::new();
    // Upstream names kinds by their resource, as one.
    let kind = match plural.strip_suffix('s') {
        Some(one) => capital(one),
        None => capital(plural),
    };
    for container in containers(p, spec) {
        let own = container["name"].as_str().unwrap_or("");
        text.push_str(&format!("# {kind} {name}, container {own}\n"));
        for var in container["env"].as_array().into_iter().flatten() {
            let key = var["name"].as_str().unwrap_or("");
            match var.get("valueFrom") {
                None => text.push_str(&format!("{key}={}\n", var["value"].as_str().unwrap_or(""))),
                Some(from) => text.push_str(&format!("# {key} from {}\n", reference(from))),
            }
        }
    }
    text
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or(String::new(), |c| c.to_uppercase().chain(chars).collect())
}

fn reference(from: &Value) -> String {
    let text = |v: &Value, key: &str| v[key].as_str().unwrap_or("").to_owned();
    for (field, word) in [("configMapKeyRef", "configmap"), ("secretKeyRef", "secret")] {
        if let Some(r) = from.get(field) {
            return format!("{word} {}, key {}", text(r, "name"), text(r, "key"));
        }
    }
    if let Some(r) = from.get("fieldRef") {
        return format!("field path {}", text(r, "fieldPath"));
    }
    if let Some(r) = from.get("resourceFieldRef") {
        return format!("resource field {}", text(r, "resource"));
    }
    "invalid valueFrom".into()
}

fn apply(p: &Parsed, spec: &mut Value, change: &Change) -> Result<(), Error> {
    for container in containers(p, spec) {
        let mut env = container["env"].as_array().cloned().unwrap_or_default();
        for var in &change.set {
            match env.iter_mut().find(|v| v["name"] == var["name"]) {
                Some(old) if !p.bool("overwrite") && old != var => {
                    let name = var["name"].as_str().unwrap_or("");
                    let value = old["value"].as_str().unwrap_or("");
                    return Err(Error::plain(format!(
                        "'{name}' already has a value ({value}), and --overwrite is false"
                    )));
                }
                Some(old) => *old = var.clone(),
                None => env.push(var.clone()),
            }
        }
        env.retain(|v| !change.remove.iter().any(|r| v["name"] == *r));
        if env.is_empty() {
            if let Some(map) = container.as_object_mut() {
                map.remove("env");
            }
        } else {
            container["env"] = Value::Array(env);
        }
    }
    Ok(())
}

/// Variables for the keys of a config map or secret.
async fn imported(cx: &Cx, conn: &Conn, p: &Parsed, from: &str) -> Result<Vec<Value>, Error> {
    let query = Query::default();
    let selected = resources::select(conn, &[from.to_owned()], &query)?;
    let (found, errors) = things::fetch(conn, &selected, &query);
    Error::collect(errors)?;
    let mut out = Vec::new();
    for thing in found {
        let field = match &*thing.kind.kind {
            "ConfigMap" => "configMapKeyRef",
            "Secret" => "secretKeyRef",
            _ => return Err(Error::plain("unsupported resource specified in --from")),
        };
        for key in thing.object["data"].as_object().into_iter().flatten().map(|(k, _)| k) {
            if !p.list("keys").is_empty() && !p.list("keys").contains(key) {
                continue;
            }
            let upper = key.to_uppercase().replace(['-', '.', '/'], "_");
            if upper != *key {
                cx.err(&format!("Warning: key {key} transferred to {upper}\n")).await;
            }
            out.push(json!({"name": format!("{}{upper}", p.str("prefix")),
                "valueFrom": {field: {"key": key, "name": thing.name}}}));
        }
    }
    Ok(out)
}
