//! `kubectl apply --server-side`: the server merges; ownership of what client-side apply set before
//! moves over. Models `applyOneObject`, `saveLastApplyAnnotationIfNecessary`, `migrateToSSAIfNecessary`
//! and `client-go/util/csaupgrade`.

use serde_json::{Map, Value, json};

use crate::{
    api::ObjRef,
    client::{Client, PatchType, Subresource},
    programs::kubectl::{
        Conn, Cx, Error,
        flags::Parsed,
        manifest::Manifest,
        write::{LAST_APPLIED, at},
    },
};

/// The manager of server-side apply unless another is named.
const MANAGER: &str = "kubectl";
/// Who keeps the note of client-side apply alive.
const NOTE_MANAGER: &str = "kubectl-last-applied";

/// What is said when others own what would change.
const CONFLICT: &str = "
Please review the fields above--they currently have other managers. Here
are the ways you can resolve this warning:
* If you intend to manage all of these fields, please re-run the apply
  command with the `--force-conflicts` flag.
* If you do not intend to manage all of the fields, please edit your
  manifest to remove references to the fields that should keep their
  current managers.
* You may co-own fields by updating your manifest to match the existing
  value; in this case, you'll become the manager if the other manager(s)
  stop managing the field (remove it from their configuration).
See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts";

/// Applies one object; the object as it is then.
pub(super) async fn apply(
    cx: &Cx,
    conn: &Conn,
    p: &Parsed,
    manifest: &Manifest,
) -> Result<Value, Error> {
    if manager(p).is_empty() {
        let text = "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is \
                    required for apply patch";
        return Err(crate::api::Status::new(422, "Invalid", text).into());
    }
    let manager = manager(p);
    let client = conn.client.managed_by(manager);
    let (kind, key) = (manifest.kind.id, (manifest.namespace(), manifest.name()));
    let sub = match p.str("subresource") {
        "" => Subresource::Main,
        "status" => Subresource::Status,
        other => {
            let text = format!("--subresource={other} cannot be applied in this sandbox");
            return Err(Error::plain(text));
        }
    };
    let force = p.bool("force-conflicts");
    let send = |client: &Client, config: Value, force: bool, sub: Subresource| {
        client.apply(kind, key, config, force, sub).map(|(object, _)| object)
    };
    let sent = send(&client, manifest.object.clone(), force, sub);
    cx.warnings(conn).await;
    let mut object = sent.map_err(|e| match e.is_conflict() {
        true => Error::plain(format!("{}{CONFLICT}", e.message)),
        false => Error::from(e),
    })?;
    if p.str("dry-run") == "server" {
        return Ok(object.to_value());
    }
    if manager == MANAGER {
        if let Some(config) = orphaned_note(&client, manifest, &object) {
            match send(&conn.client.managed_by(NOTE_MANAGER), config, false, Subresource::Main) {
                Ok(after) => object = after,
                Err(e) => {
                    let why = "failed to migrate kubectl.kubernetes.io/last-applied-configuration \
                               for Server-Side Apply. This is non-fatal and will be retried next \
                               time you apply.";
                    cx.err(&format!("Warning: {why} Error: {}\n", e.message)).await;
                    return Ok(client.full_value(&*object));
                }
            }
        }
    }
    if let Some(patch) = migration(&client, &object, manager) {
        let moved = client.patch(kind, key, (PatchType::Json, &patch), Subresource::Main);
        let again = moved.and_then(|_| send(&client, manifest.object.clone(), force, sub));
        match again {
            Ok(after) => object = after,
            Err(e) => {
                let why = "server rejected managed fields migration to Server-Side Apply. This is \
                           non-fatal and will be retried next time you apply.";
                cx.err(&format!("Warning: {why} Error: {}\n", e.message)).await;
            }
        }
    }
    cx.warnings(conn).await;
    Ok(client.full_value(&*object))
}

/// The manager that `--field-manager` names.
pub(in crate::programs::kubectl::verbs) fn manager(p: &Parsed) -> &str {
    if p.changed("field-manager") { p.str("field-manager") } else { MANAGER }
}

/// Entries of `metadata.managedFields`.
fn entries(client: &Client, object: &ObjRef) -> Vec<Value> {
    let full = client.full_value(&**object);
    at(&full, &["metadata", "managedFields"]).and_then(Value::as_array).cloned().unwrap_or_default()
}

fn is(entry: &Value, key: &str, text: &str) -> bool {
    entry.get(key).and_then(Value::as_str).unwrap_or_default() == text
}

/// Whether an entry owns the note of client-side apply.
fn owns_note(entry: &Value) -> bool {
    let note = format!("f:{LAST_APPLIED}");
    at(entry, &["fieldsV1", "f:metadata", "f:annotations", &note]).is_some()
}

/// What is to be applied so that somebody owns the note, if there is one that nobody applied.
fn orphaned_note(client: &Client, manifest: &Manifest, object: &ObjRef) -> Option<Value> {
    let note = object.metadata().annotations.as_ref()?.get(LAST_APPLIED)?.clone();
    let owned = |e: &Value| is(e, "operation", "Apply") && owns_note(e);
    if entries(client, object).iter().any(owned) {
        return None;
    }
    let mut meta = json!({"name": object.name(), "annotations": {LAST_APPLIED: note}});
    if !object.namespace().is_empty() {
        meta["namespace"] = object.namespace().into();
    }
    let (version, kind) = (manifest.kind.api_version(), &manifest.kind.kind);
    Some(json!({"apiVersion": version, "kind": kind, "metadata": meta}))
}

/// The patch that makes client-side apply's fields those of `manager`, if there are any.
fn migration(client: &Client, object: &ObjRef, manager: &str) -> Option<Value> {
    let mut all = entries(client, object);
    let from: Vec<Value> = all
        .iter()
        .filter(|e| is(e, "operation", "Update") && owns_note(e))
        .filter_map(|e| e.get("manager").cloned())
        .collect();
    if from.is_empty() {
        return None;
    }
    let plain = |e: &Value| is(e, "subresource", "");
    for old in from {
        let csa =
            |e: &Value| e.get("manager") == Some(&old) && is(e, "operation", "Update") && plain(e);
        let ssa = |e: &Value| is(e, "manager", manager) && is(e, "operation", "Apply") && plain(e);
        let fields: Vec<Value> =
            all.iter().filter(|e| csa(e)).filter_map(|e| e.get("fieldsV1").cloned()).collect();
        match all.iter().position(ssa) {
            Some(at) => {
                if let Some(own) = all.get_mut(at).and_then(|e| e.get_mut("fieldsV1")) {
                    for more in fields {
                        *own = union(own.take(), more);
                    }
                }
            }
            None => {
                if let Some(first) = all.iter_mut().find(|e| csa(e)) {
                    first["manager"] = manager.into();
                    first["operation"] = "Apply".into();
                }
            }
        }
        all.retain(|e| !csa(e));
    }
    let version = object.metadata().resource_version.clone();
    Some(json!([
        {"op": "replace", "path": "/metadata/managedFields", "value": all},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
    ]))
}

/// Two sets of fields in one. What is a leaf in one and has parts in the other keeps its dot.
fn union(a: Value, b: Value) -> Value {
    let (Value::Object(mut a), Value::Object(b)) = (a, b) else { return json!({}) };
    for (key, theirs) in b {
        let joined = match a.remove(&key) {
            Some(own) => {
                let leaf = |v: &Value| v.as_object().is_some_and(Map::is_empty);
                let dot = key != "." && leaf(&own) != leaf(&theirs);
                let mut joined = union(own, theirs);
                if dot {
                    joined["."] = json!({});
                }
                joined
            }
            None => theirs,
        };
        a.insert(key, joined);
    }
    Value::Object(a)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_joined_with_their_dots() {
        let a = json!({"f:a": {}, "f:b": {".": {}, "f:c": {}}});
        let b = json!({"f:a": {"f:x": {}}, "f:b": {"f:d": {}}});
        let want = json!({"f:a": {".": {}, "f:x": {}}, "f:b": {".": {}, "f:c": {}, "f:d": {}}});
        assert_eq!(union(a, b), want);
    }
}
