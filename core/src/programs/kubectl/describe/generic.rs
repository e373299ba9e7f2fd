//! `kubectl describe` of kinds that have no describer: field by field.
//!
//! Models `genericDescriber`.

use serde_json::{Map, Value};

use super::{Cx, Writer, common, events};
use crate::api::Object;

/// Fields that are shown before, or never.
const SKIPPED: &[&str] = &[
    ".metadata.managedFields",
    ".metadata.name",
    ".metadata.namespace",
    ".metadata.labels",
    ".metadata.annotations",
];

/// See the module.
pub fn describe(cx: &Cx, object: &dyn Object, w: &mut Writer) {
    common::name(object, w);
    common::labels_and_annotations(object.metadata(), w);
    if let Value::Object(map) = object.to_value() {
        content(&map, 0, "", w);
    }
    events::of(cx, object, w);
}

fn content(map: &Map<String, Value>, level: usize, prefix: &str, w: &mut Writer) {
    let mut fields: Vec<_> = map.iter().collect();
    fields.sort_by_key(|(field, _)| field.as_str());
    for (field, value) in fields {
        let path = format!("{prefix}.{field}");
        if SKIPPED.contains(&path.as_str()) {
            continue;
        }
        let label = label(field);
        match value {
            Value::Object(map) => {
                w.put(level, format_args!("{label}:\n"));
                content(map, level + 1, &path, w);
            }
            Value::Array(items) => {
                w.put(level, format_args!("{label}:\n"));
                for item in items {
                    match item {
                        Value::Object(map) => content(map, level + 1, &path, w),
                        other => w.put(level + 1, format_args!("{}\n", plain(other))),
                    }
                }
            }
            other => w.put(level, format_args!("{label}:\t{}\n", plain(other))),
        }
    }
}

/// As Go's `%v` prints it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "<nil>".into(),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(" "))
        }
        other => other.to_string(),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Class {
    Lower,
    Upper,
    Other,
}

/// `observedGeneration` → `Observed Generation`, `apiVersion` → `API Version`.
fn label(field: &str) -> String {
    const ACRONYMS: &[&str] = &["API", "URL", "UID", "GUID"];
    if field.chars().any(|c| !c.is_alphabetic() && c != '-') {
        return field.to_string();
    }
    let mut words = Vec::new();
    for part in merged(split(field)) {
        let upper = part.to_uppercase();
        words.push(if ACRONYMS.contains(&upper.as_str()) {
            upper
        } else if part.to_lowercase() == part {
            title(&part)
        } else {
            part
        });
    }
    words.join(" ")
}

fn title(word: &str) -> String {
    let mut chars = word.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    first + chars.as_str()
}

/// Words of a camel case name.
fn split(field: &str) -> Vec<String> {
    let class = |c: char| match c {
        c if c.is_lowercase() => Class::Lower,
        c if c.is_uppercase() => Class::Upper,
        _ => Class::Other,
    };
    let mut runs: Vec<(Class, String)> = Vec::new();
    for c in field.chars() {
        match runs.last_mut() {
            Some((last, run)) if *last == class(c) => run.push(c),
            _ => runs.push((class(c), c.to_string())),
        }
    }
    // The last capital of a run belongs to the small letters that follow it.
    for i in 1..runs.len() {
        let (before, after) = runs.split_at_mut(i);
        if let (Some((Class::Upper, upper)), Some((Class::Lower, lower))) =
            (before.last_mut(), after.first_mut())
        {
            if let Some(c) = upper.pop() {
                lower.insert(0, c);
            }
        }
    }
    runs.into_iter().map(|(_, run)| run).filter(|run| !run.is_empty()).collect()
}

/// `IPFamilies` stays one word: capitals and the word after them are put together again.
fn merged(parts: Vec<String>) -> Vec<String> {
    let mut out = Vec::new();
    let mut parts = parts.into_iter().peekable();
    while let Some(part) = parts.next() {
        let capitals = part.chars().count() >= 2
            && !part.chars().any(|c| c.is_alphabetic() && !c.is_uppercase());
        let next_capital =
            parts.peek().is_some_and(|next| next.chars().next().is_some_and(char::is_uppercase));
        if capitals && next_capital {
            out.push(part + &parts.next().unwrap_or_default());
        } else {
            out.push(part);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::label;

    #[test]
    fn labels_are_words() {
        for (field, want) in [
            ("apiVersion", "API Version"),
            ("kind", "Kind"),
            ("observedGeneration", "Observed Generation"),
            ("uid", "UID"),
            ("podCIDR", "Pod CIDR"),
            ("clusterIPs", "Cluster I Ps"),
            ("my.key", "my.key"),
        ] {
            assert_eq!(label(field), want);
        }
    }
}
