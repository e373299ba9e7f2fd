//! Makes the table of types from the source of the `k8s-openapi` crate, and checks that the one
//! that is checked in is current. `UPDATE_EXPECT=1 cargo test -p sandbar-core schema` writes it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Groups whose kinds the server has or will have.
const GROUPS: &[&str] = &[
    "api/admissionregistration/v1",
    "api/apps/v1",
    "api/autoscaling/v1",
    "api/autoscaling/v2",
    "api/batch/v1",
    "api/coordination/v1",
    "api/core/v1",
    "api/discovery/v1",
    "api/events/v1",
    "api/flowcontrol/v1",
    "api/networking/v1",
    "api/node/v1",
    "api/policy/v1",
    "api/rbac/v1",
    "api/resource/v1",
    "api/scheduling/v1",
    "api/storage/v1",
    "api/certificates/v1",
    "apiextensions_apiserver/pkg/apis/apiextensions/v1",
    "apimachinery/pkg/apis/meta/v1",
    "kube_aggregator/pkg/apis/apiregistration/v1",
];

/// A struct of the crate's source.
pub(in crate::api) struct Type {
    /// Its definition's name: `io.k8s.api.core.v1.Pod`.
    pub full: String,
    group: String,
    name: String,
    is_kind: bool,
    fields: Vec<(String, String)>,
}

impl Type {
    /// Whether it has `apiVersion` and `kind`.
    pub fn is_kind(&self) -> bool {
        self.is_kind
    }
}

/// The folder of the crate's source.
pub(in crate::api) fn crate_source() -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--filter-platform"])
        .arg("x86_64-unknown-linux-gnu")
        .output()
        .expect("cargo metadata runs");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let package = packages.iter().find(|p| p["name"] == "k8s-openapi").expect("k8s-openapi");
    let manifest = Path::new(package["manifest_path"].as_str().expect("a path"));
    manifest.parent().expect("a folder").join("src/v1_36")
}

/// One source file: at most one struct with named fields.
fn read(group: &str, source: &str) -> Option<Type> {
    let (_, rest) = source.split_once("\npub struct ")?;
    let (name, rest) = rest.split_once(" {\n")?;
    if name.contains(['(', ';', '\n', '<']) {
        return None;
    }
    let (body, _) = rest.split_once("\n}\n")?;
    let types: BTreeMap<&str, &str> = body
        .lines()
        .filter_map(|l| l.trim().strip_prefix("pub ")?.strip_suffix(',')?.split_once(": "))
        .collect();
    let mut fields = Vec::new();
    for line in source.lines() {
        let Some((json, ident)) = line.trim().split_once(" => Field::Key_") else { continue };
        let (Some(json), Some(ident)) = (json.strip_prefix('"'), ident.strip_suffix(',')) else {
            continue;
        };
        // `metadata`, `apiVersion` and `kind` of resources are no fields or have other names.
        if let Some(kind) = types.get(ident).or_else(|| types.get(format!("r#{ident}").as_str())) {
            fields.push((json.trim_end_matches('"').to_string(), code(kind)));
        }
    }
    let is_kind = source.contains(&format!("impl crate::Resource for {name} "));
    let full = source.lines().next()?.trim_start_matches("// Generated from definition ");
    let full = full.to_string();
    let group = group.trim_start_matches("api/").split('/').next()?.to_string();
    Some(Type { full, group, name: name.to_string(), is_kind, fields })
}

/// The short form of a Rust type (see the table's documentation).
fn code(kind: &str) -> String {
    for wrapper in ["Option<", "std::boxed::Box<"] {
        if let Some(inner) = kind.strip_prefix(wrapper).and_then(|k| k.strip_suffix('>')) {
            return code(inner);
        }
    }
    if let Some(inner) = kind.strip_prefix("std::vec::Vec<").and_then(|k| k.strip_suffix('>')) {
        return format!("[{}", code(inner));
    }
    let map = "std::collections::BTreeMap<std::string::String, ";
    if let Some(inner) = kind.strip_prefix(map).and_then(|k| k.strip_suffix('>')) {
        return format!("{{{}", code(inner));
    }
    let last = kind.rsplit("::").next().unwrap_or(kind);
    match last {
        "String" => "s".into(),
        "bool" => "b".into(),
        "i32" => "i".into(),
        "i64" => "l".into(),
        "f64" => "f".into(),
        "ByteString" => "y".into(),
        "Quantity" => "q".into(),
        "IntOrString" => "x".into(),
        "Time" => "t".into(),
        "MicroTime" => "u".into(),
        _ => {
            let path: Vec<_> = kind.split("::").collect();
            let group = match path.as_slice() {
                ["crate", "api", group, ..] => group,
                [
                    "crate",
                    "apiextensions_apiserver" | "kube_aggregator",
                    "pkg",
                    "apis",
                    group,
                    ..,
                ] => group,
                _ => "meta",
            };
            format!("{group}.{last}")
        }
    }
}

/// The types that kinds reach, by the names of the table, in its order, with their fields' types.
pub(in crate::api) fn collect() -> Vec<(String, Type)> {
    let source = crate_source();
    let mut all = BTreeMap::new();
    for group in GROUPS {
        for entry in fs::read_dir(source.join(group)).expect("a folder of the crate") {
            let text = fs::read_to_string(entry.expect("an entry").path()).unwrap_or_default();
            let group = match *group {
                "apimachinery/pkg/apis/meta/v1" => "meta",
                "apiextensions_apiserver/pkg/apis/apiextensions/v1" => "apiextensions",
                "kube_aggregator/pkg/apis/apiregistration/v1" => "apiregistration",
                own => own,
            };
            if let Some(mut t) = read(group, &text) {
                if group.ends_with("autoscaling/v2") {
                    t.group = "autoscaling/v2".into();
                }
                all.insert((t.group.clone(), t.name.clone()), t);
            }
        }
    }
    // From the kinds to everything that they reach; what has no fields of its own is any JSON.
    let mut reached = BTreeSet::new();
    let kinds = all.iter().filter(|(_, t)| t.is_kind).map(|(key, _)| key.clone());
    let mut open: Vec<_> = kinds.collect();
    while let Some(key) = open.pop() {
        let Some(t) = all.get(&key).filter(|_| !reached.contains(&key)) else { continue };
        reached.insert(key.clone());
        for (_, kind) in &t.fields {
            let inner = kind.trim_start_matches(['[', '{']);
            if let Some((group, name)) = inner.split_once('.') {
                open.push((own_group(&key.0, group), name.to_string()));
            }
        }
    }
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, name) in &reached {
        *names.entry(name).or_default() += 1;
    }
    let short = |key: &(String, String)| match names.get(key.1.as_str()) {
        Some(1) => key.1.clone(),
        _ => format!("{}.{}", key.0, key.1),
    };
    let mut out = Vec::new();
    for key in &reached {
        let Some(mut t) = all.remove(key) else { continue };
        for (_, kind) in &mut t.fields {
            let inner = kind.trim_start_matches(['[', '{']);
            let marks = &kind[..kind.len() - inner.len()];
            let inner = match inner.split_once('.') {
                None => inner.to_string(),
                Some((group, name)) => {
                    let key = (own_group(&key.0, group), name.to_string());
                    if reached.contains(&key) { short(&key) } else { "j".into() }
                }
            };
            *kind = format!("{marks}{inner}");
        }
        out.push((short(key), t));
    }
    out
}

fn generate() -> String {
    let mut out = String::new();
    for (name, t) in collect() {
        out += &format!("{name}{}", if t.is_kind { "*" } else { "" });
        for (json, kind) in &t.fields {
            out += &format!(" {json}:{kind}");
        }
        out.push('\n');
    }
    out
}

/// Types of `autoscaling/v2` refer to their own group; all other groups have one version.
fn own_group(of: &str, group: &str) -> String {
    if group == "autoscaling" && of == "autoscaling/v2" {
        of.to_string()
    } else {
        group.to_string()
    }
}

#[test]
fn the_table_of_types_is_that_of_the_crate() {
    expect_test::expect_file!["types.txt"].assert_eq(&generate());
}
