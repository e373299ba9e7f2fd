//! `-f`: files, folders, addresses and standard input to objects.
//!
//! Models `k8s.io/cli-runtime/pkg/resource` (`FilenameParam`, `StreamVisitor`, `FlattenListVisitor`).

use std::rc::Rc;

use serde_json::Value;

use super::{
    Conn, Cx, Error,
    flags::{Flag, Parsed},
};
use crate::api::{Kind, gofmt::quote, yaml};

/// `-f`, `-R` and `-k`.
pub const FLAGS: &[Flag] = &[
    Flag::slice(
        "filename",
        "Files, folders or addresses that hold the objects; - is standard input.",
    )
    .short("f"),
    Flag::str("kustomize", "", "A folder with a kustomization to build.").short("k"),
    Flag::bool("recursive", false, "Go into the folders of the folder named by --filename.")
        .short("R"),
];

/// `-f` alone.
pub const FILENAME: Flag = Flag::slice(
    "filename",
    "Files, folders or addresses that hold the objects; - is standard input.",
)
.short("f");

/// `-k` alone.
pub const KUSTOMIZE: Flag =
    Flag::str("kustomize", "", "A folder with a kustomization to build.").short("k");

/// `-R` of verbs that go into folders unless told not to.
pub const RECURSIVE: Flag =
    Flag::bool("recursive", true, "Go into the folders of the folder named by --filename.")
        .short("R");

/// An object that was read.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Its kind.
    pub kind: Rc<Kind>,
    /// The file it is from, `STDIN` or an address.
    pub source: String,
    /// The object; namespaced ones have their namespace set.
    pub object: Value,
}

impl Manifest {
    /// `metadata.name`, empty if it has none.
    pub fn name(&self) -> &str {
        self.meta("name")
    }

    /// `metadata.namespace`, empty for cluster-scoped kinds.
    pub fn namespace(&self) -> &str {
        if self.kind.namespaced { self.meta("namespace") } else { "" }
    }

    fn meta(&self, field: &str) -> &str {
        let meta = self.object.get("metadata");
        meta.and_then(|m| m.get(field)).and_then(Value::as_str).unwrap_or("")
    }
}

/// Whether `-f` or `-k` was given.
pub fn given(p: &Parsed) -> bool {
    !p.list("filename").is_empty() || !p.str("kustomize").is_empty()
}

/// Reads everything that `-f` names. The first error ends the reading, but what was read before it
/// is kept. `validate`: whether a missing kind is the validation's or the decoder's matter.
pub async fn read(
    cx: &Cx,
    conn: &Conn,
    p: &Parsed,
    validate: bool,
) -> (Vec<Manifest>, Option<Error>) {
    let mut found = Vec::new();
    let result = read_all(cx, conn, p, validate, &mut found).await;
    (found, result.err())
}

async fn read_all(
    cx: &Cx,
    conn: &Conn,
    p: &Parsed,
    validate: bool,
    found: &mut Vec<Manifest>,
) -> Result<(), Error> {
    for (source, text) in sources(cx, p).await? {
        let (documents, error) = yaml::documents(&text);
        for document in documents.into_iter().filter(|d| !d.is_null()) {
            for object in flatten(document) {
                found.push(manifest(conn, object, &source, validate)?);
            }
        }
        if let Some(error) = error {
            return Err(Error::plain(format!("error parsing {source}: {error}")));
        }
    }
    Ok(())
}

/// Reads everything that `-f` names without asking a server: what is not of a kind that every
/// server has is refused. Namespaces stay as the files have them. Errors: as [`read`].
pub async fn read_local(cx: &Cx, p: &Parsed) -> Result<Vec<Manifest>, Error> {
    let kinds = crate::api::KindTable::default();
    let mut found = Vec::new();
    for (source, text) in sources(cx, p).await? {
        let (documents, error) = yaml::documents(&text);
        for object in documents.into_iter().filter(|d| !d.is_null()).flat_map(flatten) {
            check_type(&object, &source, false)?;
            let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
            let (version, kind) = (text("apiVersion"), text("kind"));
            let Some(known) = kinds.by_kind(&version, &kind).cloned() else {
                return Err(Error::plain(format!(
                    "unable to decode {}: no kind {} is registered for version {} in scheme \
                     \"k8s.io/kubectl/pkg/scheme/scheme.go:28\"",
                    quote(&source),
                    quote(&kind),
                    quote(&version)
                )));
            };
            found.push(Manifest { kind: known, source: source.clone(), object });
        }
        if let Some(error) = error {
            return Err(Error::plain(format!("error parsing {source}: {error}")));
        }
    }
    Ok(found)
}

/// The items of a list, or the object itself.
fn flatten(object: Value) -> Vec<Value> {
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or("");
    match object.get("items") {
        Some(Value::Array(items)) if kind.ends_with("List") => items.clone(),
        _ => vec![object],
    }
}

fn manifest(
    conn: &Conn,
    mut object: Value,
    source: &str,
    validate: bool,
) -> Result<Manifest, Error> {
    check_type(&object, source, validate)?;
    let text = |v: &Value, key: &str| v.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
    let (version, kind_name) = (text(&object, "apiVersion"), text(&object, "kind"));
    let kind = conn.discovery.find(|known| {
        // `kind: pod` is let through to the server, which refuses it in its own words.
        let alike =
            |k: &&Rc<Kind>| k.kind.eq_ignore_ascii_case(&kind_name) && k.api_version() == version;
        let found = known.by_kind(&version, &kind_name);
        found.or_else(|| known.iter().find(alike)).cloned()
    })?;
    let meta = object.get("metadata").cloned().unwrap_or(Value::Null);
    let Some(kind) = kind else {
        return Err(Error::plain(format!(
            "resource mapping not found for name: {} namespace: {} from {}: no matches for kind {} \
             in version {}\nensure CRDs are installed first",
            quote(&text(&meta, "name")),
            quote(&text(&meta, "namespace")),
            quote(source),
            quote(&kind_name),
            quote(&version)
        )));
    };
    let namespace = text(&meta, "namespace");
    if kind.namespaced {
        if namespace.is_empty() {
            if let Value::Object(map) = &mut object {
                let meta =
                    map.entry("metadata").or_insert_with(|| Value::Object(Default::default()));
                if let Value::Object(meta) = meta {
                    meta.insert("namespace".into(), conn.namespace.clone().into());
                }
            }
        } else if conn.namespace_given && namespace != conn.namespace {
            return Err(Error::plain(format!(
                "the namespace from the provided object {} does not match the namespace {}. You \
                 must pass '--namespace={namespace}' to perform this operation.",
                quote(&namespace),
                quote(&conn.namespace)
            )));
        }
    }
    Ok(Manifest { kind, source: source.to_owned(), object })
}

fn check_type(object: &Value, source: &str, validate: bool) -> Result<(), Error> {
    let has = |key: &str| object.get(key).and_then(Value::as_str).is_some_and(|s| !s.is_empty());
    let fault = if !object.is_object() {
        "invalid object to validate"
    } else if !has("kind") && !has("apiVersion") {
        "[apiVersion not set, kind not set]"
    } else if !has("kind") {
        "kind not set"
    } else if !has("apiVersion") {
        "apiVersion not set"
    } else {
        return Ok(());
    };
    let file = quote(source);
    Err(Error::plain(if validate {
        format!(
            "error validating {file}: error validating data: {fault}; if you choose to ignore \
             these errors, turn validation off with --validate=false"
        )
    } else if !object.is_object() {
        let text = crate::api::json::compact(object);
        format!(
            "unable to decode {file}: json: cannot unmarshal {} into Go value of type \
                 unstructured.detector",
            if text.starts_with('"') { "string" } else { "array" }
        )
    } else if !has("kind") {
        let text = crate::api::json::compact(object);
        format!("unable to decode {file}: Object 'Kind' is missing in '{text}'")
    } else {
        let text = crate::api::json::compact(object);
        format!("unable to decode {file}: Object 'apiVersion' is missing in '{text}'")
    }))
}

/// What `-f` or `-k` names: sources and their texts.
async fn sources(cx: &Cx, p: &Parsed) -> Result<Vec<(String, String)>, Error> {
    let folder = p.str("kustomize");
    if folder.is_empty() {
        return texts(cx, p.list("filename"), p.bool("recursive")).await;
    }
    if !p.list("filename").is_empty() {
        return Err(Error::plain("only one of -f or -k can be specified"));
    }
    if p.changed("recursive") && p.bool("recursive") {
        return Err(Error::plain("the -k flag can't be used with -f or -R"));
    }
    let built = super::kustomize::build(cx, folder, true)?;
    for warning in &built.warnings {
        cx.err(&format!("{warning}\n")).await;
    }
    Ok(vec![(folder.to_owned(), built.text())])
}

/// Sources and their texts.
async fn texts(cx: &Cx, names: &[String], recursive: bool) -> Result<Vec<(String, String)>, Error> {
    let mut out = Vec::new();
    for name in names {
        if name == "-" {
            let bytes = cx.proc.read_to_end().await;
            out.push(("STDIN".into(), String::from_utf8_lossy(&bytes).into_owned()));
        } else if name.starts_with("http://") || name.starts_with("https://") {
            out.push((name.clone(), super::url::read(cx, name).await?));
        } else if cx.proc.is_dir(name) {
            let before = out.len();
            folder(cx, name, recursive, &mut out)?;
            if out.len() == before {
                return Err(Error::plain(format!(
                    "error reading [{name}]: recognized file extensions are [.json .yaml .yml]"
                )));
            }
        } else {
            if !cx.proc.exists(name) {
                return Err(Error::plain(format!("the path {} does not exist", quote(name))));
            }
            let text = cx
                .proc
                .read_text(name)
                .map_err(|e| Error::plain(format!("open {name}: {}", lower(&e.to_string()))))?;
            out.push((name.clone(), text));
        }
    }
    Ok(out)
}

fn lower(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |c| c.to_lowercase().chain(chars).collect())
}

fn folder(
    cx: &Cx,
    path: &str,
    recursive: bool,
    out: &mut Vec<(String, String)>,
) -> Result<(), Error> {
    let entries = cx.proc.list(path).map_err(|e| Error::plain(e.to_string()))?;
    for (name, node) in entries {
        let full = format!("{}/{name}", path.trim_end_matches('/'));
        if node.is_dir() {
            if recursive {
                folder(cx, &full, recursive, out)?;
            }
        } else if [".json", ".yaml", ".yml"].iter().any(|end| name.ends_with(end)) {
            let text = cx.proc.read_text(&full).map_err(|e| Error::plain(e.to_string()))?;
            out.push((full, text));
        }
    }
    Ok(())
}
