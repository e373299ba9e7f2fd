//! `kubectl create configmap`, and the reading of `--from-…` flags that secrets share.

use serde_json::{Map, Value, json};

use super::{SHARED, finish, name};
use crate::{
    api::{base64, gofmt::quote},
    programs::kubectl::{
        Cx, Error,
        flags::{Command, Flag, Parsed},
        valid, write,
    },
};

/// `--append-hash`.
pub(super) const APPEND_HASH: Flag =
    Flag::bool("append-hash", false, "Put a hash of the content behind the name.");

/// The hash that `--append-hash` puts behind a name. Models `kubectl/pkg/util/hash`.
pub(super) fn hashed(p: &Parsed, mut object: Value) -> Value {
    if !p.bool("append-hash") {
        return object;
    }
    let field = |key: &str| object.get(key).cloned();
    let name = object["metadata"]["name"].as_str().unwrap_or("").to_owned();
    let data = field("data").unwrap_or_else(|| json!({}));
    let mut what = json!({"kind": object["kind"], "name": name, "data": data});
    if object["kind"] == "Secret" {
        what["type"] = field("type").unwrap_or_else(|| "".into());
    } else if let Some(binary) = field("binaryData") {
        what["binaryData"] = binary;
    }
    let hash = crate::programs::kubectl::kustomize::name_hash(&what);
    object["metadata"]["name"] = format!("{name}-{hash}").into();
    object
}

/// `--from-file`, `--from-literal`, `--from-env-file`.
pub(super) const FROM: &[Flag] = &[
    APPEND_HASH,
    Flag::slice("from-env-file", "Files of lines key=value."),
    Flag::slice(
        "from-file",
        "Files, or folders of files: key=file, or file for its own name as key.",
    ),
    Flag::array("from-literal", "A key and its value: key=value."),
];

/// `kubectl create configmap`
pub(super) static COMMAND: Command = Command {
    name: "configmap",
    aliases: &["cm"],
    usage: "configmap NAME [--from-file=[key=]source] [--from-literal=key1=value1] \
            [--dry-run=server|client|none]",
    short: "Create a config map",
    examples: "# Two values\nkubectl create configmap conf --from-literal=a=1 --from-literal=b=2\n\n\
               # A file under its own name\nkubectl create configmap conf --from-file=app.properties",
    flags: &[FROM, SHARED, write::OUTPUT],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    ..Command::EMPTY
};

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    let name = name(&p)?;
    let what = format!("Data for ConfigMap {}", quote(&name));
    let mut data = Map::new();
    let mut binary = Map::new();
    for (key, bytes) in read(&cx, &p, "ConfigMap", &what).await? {
        match String::from_utf8(bytes) {
            Ok(text) => data.insert(key, text.into()),
            Err(e) => binary.insert(key, base64::encode(e.as_bytes()).into()),
        };
    }
    let mut object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
    if !data.is_empty() {
        object["data"] = Value::Object(data);
    }
    if !binary.is_empty() {
        object["binaryData"] = Value::Object(binary);
    }
    let object = hashed(&p, object);
    finish(cx, p, object, "failed to create configmap").await
}

/// Keys and contents that the `--from-…` flags name.
pub(super) async fn read(
    cx: &Cx,
    p: &Parsed,
    kind: &str,
    what: &str,
) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let (files, literals, envs) =
        (p.list("from-file"), p.list("from-literal"), p.list("from-env-file"));
    if !envs.is_empty() && !(files.is_empty() && literals.is_empty()) {
        return Err(Error::plain(
            "from-env-file cannot be combined with from-file or from-literal",
        ));
    }
    let mut found: Vec<(String, Vec<u8>)> = Vec::new();
    let mut add = |key: String, bytes: Vec<u8>| {
        if !valid_key(&key) {
            return Err(Error::plain(format!(
                "{} is not a valid key name for a {kind}: a valid config key must consist of \
                 alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or \
                 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
                quote(&key)
            )));
        }
        if found.iter().any(|(k, _)| *k == key) {
            return Err(Error::plain(format!(
                "cannot add key {}, another key by that name already exists in {what}",
                quote(&key)
            )));
        }
        found.push((key, bytes));
        Ok(())
    };
    for source in files {
        let (key, path) = match source.split_once('=') {
            None => (None, source.as_str()),
            Some((_, path)) if path.contains('=') => {
                return Err(Error::plain("key names or file paths cannot contain '='"));
            }
            Some(("", _)) => {
                return Err(Error::plain(format!(
                    "key name for file path {} missing",
                    source.trim_start_matches('=')
                )));
            }
            Some((_, "")) => {
                return Err(Error::plain(format!(
                    "file path for key name {} missing",
                    source.trim_end_matches('=')
                )));
            }
            Some((key, path)) => (Some(key), path),
        };
        if cx.proc.is_dir(path) {
            if key.is_some() {
                return Err(Error::plain("cannot give a key name for a directory path"));
            }
            for (name, node) in cx.proc.list(path).map_err(|e| Error::plain(e.to_string()))? {
                if node.is_file() {
                    let full = format!("{}/{name}", path.trim_end_matches('/'));
                    add(name.to_string(), content(cx, &full)?)?;
                }
            }
        } else {
            let bytes =
                if path == "/dev/stdin" { cx.proc.read_to_end().await } else { content(cx, path)? };
            let own = path.rsplit('/').next().unwrap_or(path);
            add(key.unwrap_or(own).to_owned(), bytes)?;
        }
    }
    for literal in literals {
        let (key, value) =
            literal.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or_else(|| {
                Error::plain(format!("invalid literal source {literal}, expected key=value"))
            })?;
        add(key.to_owned(), value.as_bytes().to_vec())?;
    }
    for path in envs {
        let bytes = content(cx, path)?;
        for line in String::from_utf8_lossy(&bytes).lines() {
            let line = line.trim_start();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (key, value) = match line.split_once('=') {
                Some((key, value)) => (key, value.to_owned()),
                None => (line, cx.proc.env(line).unwrap_or_default()),
            };
            valid::env_key(key).map_err(Error::Plain)?;
            add(key.to_owned(), value.into_bytes())?;
        }
    }
    Ok(found)
}

fn valid_key(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
}

fn content(cx: &Cx, path: &str) -> Result<Vec<u8>, Error> {
    cx.proc
        .read_file(path)
        .map_err(|_| Error::plain(format!("error reading {path}: no such file or directory")))
}
