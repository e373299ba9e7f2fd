//! `kubectl debug --copy-to`: a pod like another, changed so that one can look into it.

use serde_json::{Map, Value, json};

use super::{Debug, images, profile};
use crate::programs::kubectl::Error;

/// The copy, and the container that is to be joined (empty: none).
pub(super) async fn make(debug: &Debug<'_>, pod: &Value) -> Result<(Value, String), Error> {
    let p = debug.p;
    let mut spec = pod["spec"].clone();
    if let Some(map) = spec.as_object_mut() {
        map.remove("ephemeralContainers");
        if p.changed("share-processes") {
            map.insert("shareProcessNamespace".into(), p.bool("share-processes").into());
        }
        if !p.bool("same-node") {
            map.remove("nodeName");
        }
    }
    let mut metadata = json!({"name": p.str("copy-to"), "namespace": pod["metadata"]["namespace"]});
    for field in ["labels", "annotations"] {
        if !pod["metadata"][field].is_null() {
            metadata[field] = pod["metadata"][field].clone();
        }
    }
    set_images(debug, &mut spec);
    let mut copy = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec});
    let wanted = p.str("container");
    let exists = containers(&mut copy).any(|c| !wanted.is_empty() && c["name"] == wanted);
    let name = if exists {
        wanted.to_owned()
    } else {
        if p.str("image").is_empty() {
            return match p.list("set-image").is_empty() {
                false => Ok((copy, String::new())),
                true => Err(Error::plain("you must specify image when creating new container")),
            };
        }
        let name = debug.name(&copy["spec"]).await;
        let new = json!({"name": name, "terminationMessagePolicy": "File"});
        if let Some(list) = copy["spec"]["containers"].as_array_mut() {
            list.push(new);
        }
        name
    };
    let mut fields = debug.container(&name);
    if p.str("image").is_empty() {
        fields.remove("image");
    }
    fields.remove("terminationMessagePolicy");
    if let Some(container) = containers(&mut copy).find(|c| c["name"] == name.as_str()) {
        change(debug, container, fields);
        profile::container(p.str("profile"), profile::Style::Copy, container);
    }
    trim(debug, &mut copy);
    if let Some(container) = containers(&mut copy).find(|c| c["name"] == name.as_str()) {
        debug.customized(container)?;
    }
    Ok((copy, name))
}

fn containers(pod: &mut Value) -> impl Iterator<Item = &mut Value> {
    pod["spec"]["containers"].as_array_mut().into_iter().flatten()
}

fn set_images(debug: &Debug, spec: &mut Value) {
    for container in spec["containers"].as_array_mut().into_iter().flatten() {
        let name = container["name"].as_str().unwrap_or("").to_owned();
        let own = images(debug.p).find(|(n, _)| *n == name);
        if let Some((_, image)) = own.or_else(|| images(debug.p).find(|(n, _)| *n == "*")) {
            container["image"] = image.into();
        }
    }
}

/// Puts what the command line says into a container of the copy.
fn change(debug: &Debug, container: &mut Value, fields: Map<String, Value>) {
    let Some(map) = container.as_object_mut() else { return };
    if !debug.words.is_empty() && !debug.p.bool("arguments-only") {
        map.remove("args");
    }
    map.remove("stdin");
    map.remove("tty");
    map.extend(fields);
}

/// Takes away what the flags and the profile do not keep.
fn trim(debug: &Debug, copy: &mut Value) {
    let p = debug.p;
    if p.str("profile") == "legacy" {
        drop(copy["metadata"].as_object_mut().and_then(|m| m.remove("labels")));
        return;
    }
    for (flag, field) in [("keep-labels", "labels"), ("keep-annotations", "annotations")] {
        if !p.bool(flag) {
            drop(copy["metadata"].as_object_mut().and_then(|m| m.remove(field)));
        }
    }
    for container in containers(copy) {
        let Some(map) = container.as_object_mut() else { continue };
        for (flag, field) in [
            ("keep-liveness", "livenessProbe"),
            ("keep-readiness", "readinessProbe"),
            ("keep-startup", "startupProbe"),
        ] {
            if !p.bool(flag) {
                map.remove(field);
            }
        }
    }
    if !p.bool("keep-init-containers") {
        drop(copy["spec"].as_object_mut().and_then(|m| m.remove("initContainers")));
    }
    if copy["spec"]["shareProcessNamespace"].is_null() {
        copy["spec"]["shareProcessNamespace"] = true.into();
    }
}
