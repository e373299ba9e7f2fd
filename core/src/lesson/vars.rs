//! Placeholders in commands and texts, filled from the cluster's state.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    check,
    schema::{Objects, Var},
};
use crate::{
    api::{ObjRef, selector::Selector},
    client::{Client, ListOptions},
};

/// Objects that are meant, newest last. None where the kind or the namespace is unknown.
pub fn select(client: &Client, of: &Objects) -> Vec<ObjRef> {
    let (plural, group) = of.resource.split_once('.').unwrap_or((&of.resource, ""));
    let kind = client.kinds().iter().find(|k| k.plural == plural && k.group == group).cloned();
    let Some(kind) = kind else { return Vec::new() };
    let namespace = match of.namespace.as_deref() {
        _ if !kind.namespaced => None,
        Some("*") => None,
        Some(ns) => Some(ns.to_string()),
        None => Some("default".to_string()),
    };
    let labels = of.selector.as_deref().map(Selector::parse).transpose();
    let Ok(labels) = labels else { return Vec::new() };
    let options = ListOptions { labels: labels.unwrap_or_default(), ..Default::default() };
    let mut objects = client.list_any(kind.id, namespace.as_deref(), &options).unwrap_or_default();
    if let Some(name) = &of.name {
        objects.retain(|o| o.name() == name);
    }
    objects.sort_by_key(|o| {
        (o.metadata().deletion_timestamp.is_some(), o.metadata().creation_timestamp.clone())
    });
    objects
}

/// The value of a placeholder.
pub fn value(client: Option<&Client>, var: &Var) -> String {
    let objects = client.map(|c| select(c, &var.of)).unwrap_or_default();
    let mut values = objects.iter().map(|o| o.to_value());
    let first = values.find(|value| check::fields_are(value, &var.fields));
    let found = first.and_then(|o| match o.pointer(&var.path) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Null) | None => None,
        Some(other) => Some(other.to_string()),
    });
    let Some(text) = found else { return var.or.clone() };
    if !var.short_id {
        return text;
    }
    let id = text.rsplit_once("://").map_or(text.as_str(), |(_, id)| id);
    id.chars().take(12).collect()
}

/// `text` with its placeholders filled in.
pub fn fill(client: Option<&Client>, text: &str, vars: &BTreeMap<String, Var>) -> String {
    let mut filled = text.to_string();
    for (name, var) in vars {
        let placeholder = format!("{{{name}}}");
        if filled.contains(&placeholder) {
            filled = filled.replace(&placeholder, &value(client, var));
        }
    }
    filled
}
