//! `kubectl set env`.

use serde_json::{Value, json};

use super::{SHARED, fits, objects, pod_spec, send};
use crate::programs::kubectl::{
    Conn, Cx, Error,
    flags::{Command, Complete, Flag, Parsed},
    manifest,
    resources::{self, Query},
    things, valid,
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
            Flag::bool("resolve", false, "Show with --list what references stand for."),
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
    let (args, specs) = divide_env(&p.args)?;
    if args.is_empty() && !manifest::given(&p) {
        return Err(Error::plain(
            "one or more resources must be specified as <resource> <name> or <resource>/<name>",
        ));
    }
    if p.bool("list") && !p.str("output").is_empty() {
        return Err(Error::plain("--list and --output may not be specified together"));
    }
    if !p.list("keys").is_empty() && p.str("from").is_empty() {
        return Err(Error::plain(
            "when specifying --keys, a configmap or secret must be provided with --from",
        ));
    }
    let mut change = changes(&cx, &p, &specs).await?;
    let (place, found) = objects(&cx, &p, &args, dry_run).await?;
    if let (false, Some(conn)) = (p.str("from").is_empty(), &place.conn) {
        change.set.extend(imported(&cx, conn, &p, p.str("from")).await?);
    }
    if !p.str("prefix").is_empty() {
        for var in &mut change.set {
            let name = var["name"].as_str().unwrap_or("");
            var["name"] = format!("{}{name}", p.str("prefix")).into();
        }
    }
    let mut errors = Vec::new();
    for thing in found {
        let mut new = thing.object.clone();
        let spec = match pod_spec(&thing, &mut new) {
            Ok(spec) => spec,
            Err(e) => {
                errors.push(e);
                continue;
            }
        };
        if containers(&p, spec).is_empty() {
            let pattern = crate::api::gofmt::quote(p.str("containers"));
            let (kind, name) = (&thing.kind.kind, &thing.name);
            cx.err(&format!(
                "Warning: {kind}/{name} does not have any containers matching {pattern}\n"
            ))
            .await;
            continue;
        }
        if let Err(e) = apply(&p, spec, &change) {
            let named = super::object_name(&thing);
            errors.push(Error::plain(format!("error: {named} {}\n", e.message())));
            continue;
        }
        if p.bool("list") {
            let (text, faults) = listing(&p, &thing, spec, place.conn.as_ref());
            cx.out(&text).await;
            cx.err(&faults).await;
            continue;
        }
        let how = ("env updated", "failed to patch env update to pod template:", dry_run);
        errors.extend(send(&cx, &place, &p, &thing, new, how).await.err());
    }
    Error::collect(errors)
}

/// Arguments that name objects, and those that change variables; a lone `-` is standard input.
/// Models `SplitEnvironmentFromResources`.
fn divide_env(args: &[String]) -> Result<(Vec<String>, Vec<String>), Error> {
    let env = |arg: &String| {
        arg.split_once('=').is_some_and(|(k, _)| !k.is_empty()) || arg.ends_with('-')
    };
    let first = args.iter().position(env).unwrap_or(args.len());
    let (objects, changes) = args.split_at(first);
    if !changes.iter().all(env) {
        return Err(Error::plain(format!(
            "all resources must be specified before environment changes: {}",
            args.join(" ")
        )));
    }
    Ok((objects.to_vec(), changes.to_vec()))
}

/// What the arguments, `--env` and, where one of them is `-`, standard input say.
async fn changes(cx: &Cx, p: &Parsed, specs: &[String]) -> Result<Change, Error> {
    let mut change = Change { set: Vec::new(), remove: Vec::new() };
    for spec in p.list("env").iter().chain(specs) {
        if spec == "-" {
            let text = String::from_utf8_lossy(&cx.proc.read_to_end().await).into_owned();
            for line in text.lines().map(|l| l.split('#').next().unwrap_or("")) {
                if let Some((name, value)) = line.split_once('=') {
                    change.set.push(json!({"name": name, "value": value}));
                }
            }
            continue;
        }
        match (spec.split_once('='), spec.strip_suffix('-')) {
            (Some((name, value)), _) => {
                valid::env_key(name).map_err(Error::Plain)?;
                change.set.push(json!({"name": name, "value": value}));
            }
            (None, Some(name)) => change.remove.push(name.to_owned()),
            _ => return Err(Error::plain(format!("unknown environment variable: {spec}"))),
        }
    }
    if change.remove.iter().any(|name| change.set.iter().any(|var| var["name"] == *name)) {
        return Err(Error::plain(
            "can not both modify and remove the same environment variable in the same command",
        ));
    }
    Ok(change)
}

/// The containers that `--containers` means: regular ones first.
fn containers<'a>(p: &Parsed, spec: &'a mut Value) -> Vec<&'a mut Value> {
    let pattern = p.str("containers");
    let Some(map) = spec.as_object_mut() else { return Vec::new() };
    let (mut regular, mut init) = (Vec::new(), Vec::new());
    for (key, value) in map.iter_mut() {
        let to = match key.as_str() {
            "containers" => &mut regular,
            "initContainers" => &mut init,
            _ => continue,
        };
        let list = value.as_array_mut().into_iter().flatten();
        to.extend(list.filter(|c| fits(pattern, c["name"].as_str().unwrap_or(""))));
    }
    regular.extend(init);
    regular
}

/// The variables of a thing's containers, and what could not be resolved.
fn listing(
    p: &Parsed,
    thing: &things::Thing,
    spec: &mut Value,
    conn: Option<&Conn>,
) -> (String, String) {
    let (mut text, mut faults) = (String::new(), Vec::new());
    for container in containers(p, spec) {
        let own = container["name"].as_str().unwrap_or("");
        text.push_str(&format!("# {} {}, container {own}\n", thing.kind.kind, thing.name));
        for var in container["env"].as_array().into_iter().flatten() {
            let key = var["name"].as_str().unwrap_or("");
            let Some(from) = var.get("valueFrom") else {
                text.push_str(&format!("{key}={}\n", var["value"].as_str().unwrap_or("")));
                continue;
            };
            match conn.filter(|_| p.bool("resolve")).map(|conn| resolved(conn, thing, from)) {
                Some(Ok(value)) => text.push_str(&format!("{key}={value}\n")),
                Some(Err(why)) => {
                    text.push_str(&format!("# {key} from {}\n", reference(from)));
                    faults.push(format!("error retrieving reference for {key}: {why}\n"));
                }
                None => text.push_str(&format!("# {key} from {}\n", reference(from))),
            }
        }
    }
    faults.sort();
    (text, faults.concat())
}

/// What a reference stands for now.
fn resolved(conn: &Conn, thing: &things::Thing, from: &Value) -> Result<String, String> {
    use k8s_openapi::api::core::v1::{ConfigMap, Secret};
    let text = |r: &Value, key: &str| r[key].as_str().unwrap_or("").to_owned();
    let namespace = thing.namespace.as_str();
    if let Some(r) = from.get("configMapKeyRef") {
        let (name, key) = (text(r, "name"), text(r, "key"));
        let map = conn.client.get::<ConfigMap>(namespace, &name).map_err(|e| e.message)?;
        let value = map.data.as_ref().and_then(|d| d.get(&key)).cloned();
        return value.ok_or(format!("key {key} not found in config map {name}"));
    }
    if let Some(r) = from.get("secretKeyRef") {
        let (name, key) = (text(r, "name"), text(r, "key"));
        let secret = conn.client.get::<Secret>(namespace, &name).map_err(|e| e.message)?;
        let value = secret.data.as_ref().and_then(|d| d.get(&key));
        let value = value.map(|v| String::from_utf8_lossy(&v.0).into_owned());
        return value.ok_or(format!("key {key} not found in secret {name}"));
    }
    if let Some(r) = from.get("fieldRef") {
        let path = text(r, "fieldPath");
        let parts: Vec<&str> = path.split('.').collect();
        let value = write::at(&thing.object, &parts).and_then(Value::as_str);
        return value.map(String::from).ok_or(format!("unsupported fieldPath: {path}"));
    }
    Err("invalid valueFrom".into())
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
            let word = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' };
            let upper = key.chars().map(word).collect::<String>().to_uppercase();
            if upper != *key {
                cx.err(&format!("Warning: key {key} transferred to {upper}\n")).await;
            }
            out.push(json!({"name": upper,
                "valueFrom": {field: {"key": key, "name": thing.name}}}));
        }
    }
    Ok(out)
}
