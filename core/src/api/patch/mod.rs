//! Patches: what they are, what they make of a document, and how they are made from documents.

mod diff;
mod json_patch;
mod schema;
mod strategic;

use serde_json::Value;

use super::Kind;
pub use diff::{three_way, three_way_merge, two_way, two_way_merge};

/// The forms in which a change can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchType {
    /// RFC 6902, `application/json-patch+json`.
    Json,
    /// RFC 7386, `application/merge-patch+json`.
    Merge,
    /// Kubernetes' own, lists merged by key, `application/strategic-merge-patch+json`.
    Strategic,
}

/// The document after the patch. Errors are worded as the API server's.
pub fn apply(
    kind: &Kind,
    patch_type: PatchType,
    document: Value,
    patch: Value,
) -> Result<Value, String> {
    let _ = kind;
    match patch_type {
        PatchType::Merge => Ok(merge(document, patch)),
        PatchType::Json => json_patch::apply(document, &patch),
        PatchType::Strategic => strategic::apply(document, patch),
    }
}

/// [`PatchType::Strategic`], of whatever kind the document is.
pub fn strategic(document: Value, patch: Value) -> Result<Value, String> {
    strategic::apply(document, patch)
}

/// [`PatchType::Json`], of whatever kind the document is.
pub fn json(document: Value, patch: &Value) -> Result<Value, String> {
    json_patch::apply(document, patch)
}

/// RFC 7386.
pub fn merge(target: Value, patch: Value) -> Value {
    let Value::Object(patch) = patch else { return patch };
    let mut target = match target {
        Value::Object(map) => map,
        _ => serde_json::Map::new(),
    };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(&key);
        } else {
            let old = target.remove(&key).unwrap_or(Value::Null);
            target.insert(key, merge(old, value));
        }
    }
    Value::Object(target)
}

#[cfg(test)]
mod tests;
