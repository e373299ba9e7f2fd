//! Makes the file of descriptions from the source of the `k8s-openapi` crate, and checks that the
//! one that is checked in is current. `UPDATE_EXPECT=1 cargo test -p sandbar-core openapi` writes it.

use std::{collections::BTreeMap, fs, path::Path};

use crate::api::schema::generate::{collect, crate_source};

/// Types whose `name` the crate makes required and upstream does not.
const NAMELESS: &[&str] = &[
    "ConfigMapEnvSource",
    "ConfigMapKeySelector",
    "ConfigMapProjection",
    "ConfigMapVolumeSource",
    "LocalObjectReference",
    "SecretEnvSource",
    "SecretKeySelector",
    "SecretProjection",
];

/// A definition as the crate's source has it.
#[derive(Default)]
struct Definition {
    text: String,
    /// Name, type of a reference, description.
    fields: Vec<(String, String, String)>,
    required: Vec<String>,
}

/// All definitions of the crate, by name.
fn definitions(folder: &Path, into: &mut BTreeMap<String, Definition>) {
    for entry in fs::read_dir(folder).expect("a folder of the crate") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            definitions(&path, into);
            continue;
        }
        let source = fs::read_to_string(&path).unwrap_or_default();
        let Some(full) = source.strip_prefix("// Generated from definition ") else { continue };
        let full = full.lines().next().unwrap_or_default().to_string();
        let Some((_, schema)) = source.split_once("fn json_schema(") else { continue };
        into.insert(full, definition(schema));
    }
}

fn definition(schema: &str) -> Definition {
    let mut out = Definition::default();
    let mut in_required = false;
    for line in schema.lines() {
        let depth = line.len() - line.trim_start().len();
        let line = line.trim();
        let text = line.strip_prefix("\"description\": ").map(|t| t.trim_end_matches(','));
        let inserted = line
            .split_once(".insert(\"description\".into(), ")
            .and_then(|(_, rest)| rest.strip_suffix(".into());"));
        match depth {
            12 if text.is_some() => out.text = unquote(text.unwrap_or_default()),
            12 => in_required = line.starts_with("\"required\""),
            16 if in_required => {
                out.required.push(line.trim_matches(['"', ',']).to_string());
            }
            16 => {
                if let Some((name, _)) = line.split_once("\": ") {
                    let name = name.trim_matches('"').to_string();
                    out.fields.push((name, String::new(), String::new()));
                }
            }
            _ => {}
        }
        let Some(field) = out.fields.last_mut() else { continue };
        if let Some((_, rest)) = line.split_once("__gen.subschema_for::<crate::") {
            if field.1.is_empty() {
                field.1 = rest.split('>').next().unwrap_or_default().to_string();
            }
        }
        if let Some(text) = text.filter(|_| depth == 20).or(inserted) {
            field.2 = unquote(text);
        }
    }
    out
}

/// The text of a string literal.
fn unquote(literal: &str) -> String {
    let literal = literal.trim().trim_start_matches('"');
    let literal = literal.strip_suffix('"').unwrap_or(literal);
    let mut out = String::new();
    let mut chars = literal.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some(other) => out.push(other),
                None => {}
            },
            (c, _) => out.push(c),
        }
    }
    out
}

/// On one line.
fn line(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('\t', "\\t")
}

fn generate() -> String {
    let mut all = BTreeMap::new();
    definitions(&crate_source(), &mut all);
    let mut out = String::new();
    let mut write = |name: &str, full: &str, kinds_own: bool| {
        let Some(found) = all.get(full) else { return };
        out += &format!("{name} {full} {}\n", line(&found.text));
        for (field, reference, text) in &found.fields {
            if kinds_own && matches!(field.as_str(), "apiVersion" | "kind") {
                continue;
            }
            let optional = field == "name" && NAMELESS.contains(&name);
            let needed = if found.required.contains(field) && !optional { "!" } else { "" };
            // What is in the table needs no name; what is any JSON there has one here.
            let named = match reference.rsplit("::").next() {
                Some(last) if super::OPAQUE.iter().any(|(n, _)| *n == last) => {
                    format!("@{last}")
                }
                _ => String::new(),
            };
            out += &format!("\t{field}{needed}{named} {}\n", line(text));
        }
    };
    for (name, t) in collect() {
        write(&name, &t.full, t.is_kind());
    }
    for (name, full) in super::OPAQUE {
        write(name, full, false);
    }
    out
}

#[test]
fn the_descriptions_are_those_of_the_crate() {
    expect_test::expect_file!["docs.txt"].assert_eq(&generate());
}
