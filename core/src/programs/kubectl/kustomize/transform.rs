//! Changes of all objects: namespace, names, labels, annotations, replicas, images.
//! Models `kustomize/api/internal/builtins` and `api/filters`.

use serde_json::{Map, Value};

use super::{
    load::Target,
    resource::Res,
    specs::{
        ANNOTATIONS, CLAIM_LABELS, OWN_LABELS, REPLICAS, SELECTORS, Spec, TEMPLATE_LABELS, TERMS,
        fits, visit,
    },
};
use crate::programs::kubectl::{Error, write::at};

/// Kinds whose names stay as they are.
const UNPREFIXED: &[&str] = &["APIService", "CustomResourceDefinition", "Namespace"];

/// Makes a kustomization's changes.
pub(super) fn run(target: &Target, all: &mut [Res]) -> Result<(), Error> {
    namespace(all, target.text("namespace"));
    affix(all, target.text("namePrefix"), target.text("nameSuffix"));
    for entry in target.list("labels") {
        labels(all, entry);
    }
    if let Some(pairs) = target.file.get("commonLabels").and_then(Value::as_object) {
        set(all, pairs, &[OWN_LABELS, TEMPLATE_LABELS, CLAIM_LABELS, SELECTORS]);
        terms(all, pairs);
    }
    if let Some(pairs) = target.file.get("commonAnnotations").and_then(Value::as_object) {
        set(all, pairs, &[ANNOTATIONS]);
    }
    for entry in target.list("replicas") {
        replicas(all, entry)?;
    }
    for entry in target.list("images") {
        all.iter_mut().for_each(|res| image(&mut res.value, entry, 0));
    }
    Ok(())
}

fn namespace(all: &mut [Res], namespace: &str) {
    if namespace.is_empty() {
        return;
    }
    for res in all {
        let (kind, cluster) = (res.kind().to_owned(), res.is_cluster_scoped());
        if kind == "Namespace" {
            res.rename(namespace);
        } else if !cluster {
            res.move_to(namespace);
        }
        if ["RoleBinding", "ClusterRoleBinding"].contains(&kind.as_str()) {
            let subjects = res.value.get_mut("subjects").and_then(Value::as_array_mut);
            for subject in subjects.into_iter().flatten() {
                let is =
                    |key: &str, text: &str| subject.get(key).and_then(Value::as_str) == Some(text);
                if is("kind", "ServiceAccount") && is("name", "default") {
                    subject["namespace"] = namespace.into();
                }
            }
        }
    }
}

fn affix(all: &mut [Res], prefix: &str, suffix: &str) {
    for res in all.iter_mut().filter(|r| !UNPREFIXED.contains(&r.kind())) {
        for (prefix, suffix) in [(prefix, ""), ("", suffix)] {
            if !(prefix.is_empty() && suffix.is_empty()) {
                res.affixes.push(format!("{prefix}|{suffix}"));
                let name = format!("{prefix}{}{suffix}", res.name());
                res.rename(&name);
            }
        }
    }
}

/// An entry of `labels`.
fn labels(all: &mut [Res], entry: &Value) {
    let Some(pairs) = entry.get("pairs").and_then(Value::as_object) else { return };
    let on = |key: &str| entry.get(key) == Some(&Value::Bool(true));
    let mut places: Vec<&[Spec]> = vec![OWN_LABELS];
    if on("includeSelectors") {
        places.extend([TEMPLATE_LABELS, CLAIM_LABELS, SELECTORS]);
    } else if on("includeTemplates") {
        places.extend([TEMPLATE_LABELS, CLAIM_LABELS]);
    }
    set(all, pairs, &places);
    if on("includeSelectors") {
        terms(all, pairs);
    }
    for field in entry.get("fields").and_then(Value::as_array).into_iter().flatten() {
        let text = |key: &str| field.get(key).and_then(Value::as_str).unwrap_or_default();
        let create = field.get("create") == Some(&Value::Bool(true));
        for res in all.iter_mut() {
            let fits = (text("kind").is_empty() || text("kind") == res.kind())
                && (text("group").is_empty() || text("group") == res.group_version().0);
            if fits {
                visit(&mut res.value, text("path"), create, &mut |v| add(v, pairs));
            }
        }
    }
}

/// Selectors in affinities and spread constraints.
fn terms(all: &mut [Res], pairs: &Map<String, Value>) {
    for res in all.iter_mut().filter(|r| ["Deployment", "StatefulSet"].contains(&r.kind())) {
        for term in TERMS {
            let path = format!("spec/template/spec/{term}");
            visit(&mut res.value, &path, false, &mut |v| add(v, pairs));
        }
    }
}

fn set(all: &mut [Res], pairs: &Map<String, Value>, places: &[&[Spec]]) {
    for res in all {
        for spec in places.iter().flat_map(|p| p.iter()) {
            if fits(spec, res) {
                visit(&mut res.value, spec.2, spec.3, &mut |v| add(v, pairs));
            }
        }
    }
}

fn add(value: &mut Value, pairs: &Map<String, Value>) {
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    if let Value::Object(map) = value {
        for (key, text) in pairs {
            map.insert(key.clone(), as_text(text));
        }
    }
}

/// Numbers and the like are texts in labels.
fn as_text(value: &Value) -> Value {
    match value {
        Value::String(_) => value.clone(),
        other => crate::api::json::compact(other).into(),
    }
}

fn replicas(all: &mut [Res], entry: &Value) -> Result<(), Error> {
    let name = entry.get("name").and_then(Value::as_str).unwrap_or_default();
    let count = entry.get("count").cloned().unwrap_or_else(|| 0.into());
    let mut found = false;
    for res in all {
        if !res.was(|id| id.name == name) {
            continue;
        }
        for spec in REPLICAS.iter().filter(|spec| fits(spec, res)).collect::<Vec<_>>() {
            found = true;
            visit(&mut res.value, spec.2, spec.3, &mut |v| *v = count.clone());
        }
    }
    if found {
        return Ok(());
    }
    let kinds: Vec<String> =
        REPLICAS.iter().map(|spec| format!("{}.[noVer].[noGrp]", spec.0)).collect();
    Err(Error::plain(format!(
        "resource with name {name} does not match a config with the following GVK [{}]",
        kinds.join(" ")
    )))
}

/// Changes images of containers, wherever in an object they are.
fn image(value: &mut Value, entry: &Value, depth: usize) {
    if depth > 64 {
        return;
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| image(item, entry, depth + 1)),
        Value::Object(map) => {
            for (key, inner) in map.iter_mut() {
                if let ("containers" | "initContainers", Value::Array(containers)) =
                    (key.as_str(), &mut *inner)
                {
                    for container in containers {
                        let new = at(container, &["image"])
                            .and_then(Value::as_str)
                            .and_then(|old| changed(old, entry));
                        if let Some(new) = new {
                            container["image"] = new.into();
                        }
                    }
                }
                image(inner, entry, depth + 1);
            }
        }
        _ => {}
    }
}

/// The image that an entry makes of another; `None` if it is not meant.
fn changed(image: &str, entry: &Value) -> Option<String> {
    let text = |key: &str| match entry.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => crate::api::json::compact(other),
    };
    let (rest, digest) = image.split_once('@').map_or((image, ""), |(a, b)| (a, b));
    let slash = rest.rfind('/').map_or(0, |at| at + 1);
    let (name, tag) = match rest.get(slash..).and_then(|last| last.find(':')) {
        Some(colon) => (rest.get(..slash + colon)?, rest.get(slash + colon + 1..)?),
        None => (rest, ""),
    };
    if name != text("name") {
        return None;
    }
    let (new_name, new_tag, new_digest, suffix) =
        (text("newName"), text("newTag"), text("digest"), text("tagSuffix"));
    let name = if new_name.is_empty() { name.to_owned() } else { new_name };
    let (mut tag, mut digest) = (tag.to_owned(), digest.to_owned());
    if !new_tag.is_empty() && !new_digest.is_empty() {
        (tag, digest) = (new_tag, new_digest);
    } else if !new_tag.is_empty() {
        (tag, digest) = (new_tag, String::new());
    } else if !new_digest.is_empty() {
        (tag, digest) = (String::new(), new_digest);
    }
    if !suffix.is_empty() {
        tag += &suffix;
        digest.clear();
    }
    let mut out = name;
    if !tag.is_empty() {
        out += &format!(":{tag}");
    }
    if !digest.is_empty() {
        out += &format!("@{digest}");
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn images_change_name_tag_and_digest() {
        let table = [
            ("nginx", json!({"name": "nginx", "newTag": "1"}), Some("nginx:1")),
            (
                "a:5000/nginx:1",
                json!({"name": "a:5000/nginx", "newTag": "2"}),
                Some("a:5000/nginx:2"),
            ),
            (
                "nginx:1@sha256:x",
                json!({"name": "nginx", "newName": "web"}),
                Some("web:1@sha256:x"),
            ),
            ("nginx:1", json!({"name": "nginx", "digest": "sha256:y"}), Some("nginx@sha256:y")),
            ("nginx-x", json!({"name": "nginx", "newTag": "1"}), None),
        ];
        for (old, entry, want) in table {
            assert_eq!(changed(old, &entry).as_deref(), want, "{old}");
        }
    }
}
