//! Config maps and secrets made of files and words, and the hashes behind their names.
//! Models `kustomize/api/internal/generators`, `api/kv`, `api/hasher`.

use serde_json::{Map, Value, json};

use super::{
    load::{Loader, Target},
    resource::{Behavior, Id, Res},
};
use crate::{
    api::{base64, gofmt::quote, json},
    programs::{
        kubectl::{
            Error,
            write::{at, map_at},
        },
        support::digest::sha256,
    },
};

/// Runs a kustomization's generators.
pub(super) fn run(loader: &Loader, target: &Target, all: &mut Vec<Res>) -> Result<(), Error> {
    for (field, kind) in [("configMapGenerator", "ConfigMap"), ("secretGenerator", "Secret")] {
        for args in target.list(field) {
            let made = make(loader, target, kind, args)?;
            absorb(all, made)?;
        }
    }
    Ok(())
}

fn text<'a>(args: &'a Value, key: &str) -> &'a str {
    args.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn words<'a>(args: &'a Value, key: &str) -> impl Iterator<Item = &'a str> {
    args.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn make(loader: &Loader, target: &Target, kind: &str, args: &Value) -> Result<Res, Error> {
    let name = text(args, "name");
    if name.is_empty() {
        let what = if kind == "Secret" { "secret" } else { "configmap" };
        return Err(Error::plain(format!("a {what} must have a name")));
    }
    let mut value = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}});
    if !text(args, "namespace").is_empty() {
        value["metadata"]["namespace"] = text(args, "namespace").into();
    }
    if kind == "Secret" {
        let given = text(args, "type");
        value["type"] = if given.is_empty() { "Opaque" } else { given }.into();
    }
    let mut seen = Map::new();
    for (key, bytes) in pairs(loader, target, args)? {
        if key.is_empty() || !key.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
            let key = quote(&key);
            return Err(Error::plain(format!("{key} is not a valid key name")));
        }
        if seen.insert(key.clone(), Value::Null).is_some() {
            return Err(Error::plain(format!(
                "configmap {name} illegally repeats the key `{key}`"
            )));
        }
        let (field, text) = match (kind, String::from_utf8(bytes)) {
            ("Secret", Ok(text)) => ("data", encoded(text.as_bytes())),
            ("Secret", Err(e)) => ("data", encoded(e.as_bytes())),
            (_, Ok(text)) => ("data", text),
            (_, Err(e)) => ("binaryData", encoded(e.as_bytes())),
        };
        if let Some(map) = map_at(&mut value, &[field]) {
            map.insert(key, text.into());
        }
    }
    let global = target.file.get("generatorOptions").cloned().unwrap_or(Value::Null);
    let own = args.get("options").cloned().unwrap_or(Value::Null);
    for field in ["labels", "annotations"] {
        for source in [&global, &own] {
            for (key, text) in source.get(field).and_then(Value::as_object).into_iter().flatten() {
                if let Some(map) = map_at(&mut value, &["metadata", field]) {
                    map.insert(key.clone(), text.clone());
                }
            }
        }
    }
    let flag = |key: &str| [&global, &own].iter().any(|o| o.get(key) == Some(&Value::Bool(true)));
    if flag("immutable") {
        value["immutable"] = true.into();
    }
    let mut res = Res::new(value);
    res.hash = !flag("disableNameSuffixHash");
    res.behavior = match text(args, "behavior") {
        "merge" => Behavior::Merge,
        "replace" => Behavior::Replace,
        _ => Behavior::Create,
    };
    Ok(res)
}

/// Base64 in lines of 70 where it is longer than one.
fn encoded(bytes: &[u8]) -> String {
    let text = base64::encode(bytes);
    if text.len() < 70 {
        return text;
    }
    let mut out = String::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(70));
        out.push_str(line);
        out.push('\n');
        rest = more;
    }
    out
}

type Pairs = Vec<(String, Vec<u8>)>;

fn pairs(loader: &Loader, target: &Target, args: &Value) -> Result<Pairs, Error> {
    let mut out = Vec::new();
    let one = Some(text(args, "env")).filter(|e| !e.is_empty());
    for path in words(args, "envs").chain(one) {
        let content = loader
            .read(target, path)
            .map_err(|e| e.about(&format!("loading KV pairs: env source files: [{path}]")))?;
        for line in content.trim_start_matches('\u{feff}').lines() {
            let line = line.trim_start();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (key, value) = line.split_once('=').unwrap_or((line, ""));
            out.push((key.to_owned(), value.as_bytes().to_vec()));
        }
    }
    for literal in words(args, "literals") {
        let Some((key, value)) = literal.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            let why = format!("invalid literal source {literal}, expected key=value");
            return Err(Error::plain(format!(
                "loading KV pairs: literal sources [{literal}]: {why}"
            )));
        };
        out.push((key.to_owned(), unquoted(value).as_bytes().to_vec()));
    }
    for source in words(args, "files") {
        let (key, path) = match source.split_once('=') {
            None => (source.rsplit('/').next().unwrap_or(source), source),
            Some(("", path)) => {
                let (path, source) = (quote(path), quote(source));
                let why = format!("missing key name for file path {path} in source {source}");
                return Err(Error::plain(format!(
                    "loading KV pairs: file sources: [{source}]: {why}"
                )));
            }
            Some((key, path)) => (key, path),
        };
        let bytes = loader.bytes(target, path);
        let bytes =
            bytes.map_err(|e| e.about(&format!("loading KV pairs: file sources: [{source}]")))?;
        out.push((key.to_owned(), bytes));
    }
    Ok(out)
}

/// Without quotes around it.
fn unquoted(text: &str) -> &str {
    for mark in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(mark).and_then(|t| t.strip_suffix(mark)) {
            return inner;
        }
    }
    text
}

/// Adds what was generated, or merges it into what is there.
fn absorb(all: &mut Vec<Res>, made: Res) -> Result<(), Error> {
    let id = made.id();
    let same = |other: &Id| other.same(&id);
    let found = all.iter_mut().find(|res| res.was(same));
    match (found, made.behavior) {
        (None, Behavior::Create) => {
            all.push(made);
            Ok(())
        }
        (None, _) => {
            let text = format!("id {} does not exist; cannot merge or replace", id.dump());
            Err(merging(kind_of(&made), &text))
        }
        (Some(_), Behavior::Create) => {
            let text = format!(
                "id {} exists; can not use behavior: 'unspecified', behavior must be merge or \
                 replace",
                id.dump()
            );
            Err(merging(kind_of(&made), &text))
        }
        (Some(old), behavior) => {
            let mut value = made.value;
            let fields: &[&[&str]] = &[
                &["metadata", "labels"],
                &["metadata", "annotations"],
                &["data"],
                &["binaryData"],
            ];
            for path in fields {
                if behavior == Behavior::Replace && path.len() == 1 {
                    continue;
                }
                let before = at(&old.value, path).and_then(Value::as_object).cloned();
                for (key, text) in before.into_iter().flatten() {
                    if let Some(map) = map_at(&mut value, path) {
                        map.entry(key).or_insert(text);
                    }
                }
            }
            if let Some(meta) = map_at(&mut value, &["metadata"]) {
                meta.insert("name".into(), old.name().into());
                if !old.namespace().is_empty() {
                    meta.insert("namespace".into(), old.namespace().into());
                }
            }
            old.value = value;
            old.hash = made.hash;
            Ok(())
        }
    }
}

fn kind_of(res: &Res) -> String {
    res.kind().to_owned()
}

fn merging(kind: String, why: &str) -> Error {
    Error::plain(format!("merging from generator &{{{kind}}}: {why}"))
}

/// Puts hashes behind the names of what was generated.
pub(super) fn add_hashes(all: &mut [Res]) {
    for res in all.iter_mut().filter(|res| res.hash) {
        let name = format!("{}-{}", res.name(), hash(res));
        res.rename(&name);
    }
}

/// Models `Hasher.Hash`, which looks for the name where it is not: it is always empty.
fn hash(res: &Res) -> String {
    let field = |key: &str| res.value.get(key).cloned();
    let or_empty = |key: &str| field(key).unwrap_or_else(|| "".into());
    let mut what = match res.kind() {
        "Secret" => json!({"kind": "Secret", "type": or_empty("type"), "name": "",
            "data": or_empty("data")}),
        _ => json!({"kind": "ConfigMap", "name": "", "data": or_empty("data")}),
    };
    let extra = if res.kind() == "Secret" { "stringData" } else { "binaryData" };
    if let Some(value @ Value::Object(_)) = field(extra) {
        what[extra] = value;
    }
    name_hash(&what)
}

/// The ten letters behind a name that stand for what an object holds. Models `encodeHash`.
pub fn name_hash(what: &Value) -> String {
    let digest = sha256(json::compact(what).as_bytes());
    let letter = |c: char| match c {
        '0' => 'g',
        '1' => 'h',
        '3' => 'k',
        'a' => 'm',
        'e' => 't',
        other => other,
    };
    digest.chars().take(10).map(letter).collect()
}
