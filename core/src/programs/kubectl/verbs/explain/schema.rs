//! Finding one's way in a document's schemas.

use serde_json::{Map, Value};

/// How deep schemas are followed; real ones nest a dozen deep, hostile ones of custom resources don't
/// get far.
pub(super) const DEEPEST: usize = 64;

/// The schema that a `#/…` reference names.
pub(super) fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    reference(schema).and_then(|r| document.pointer(r.strip_prefix('#')?)).unwrap_or(schema)
}

/// The reference of a schema.
pub(super) fn reference(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()
}

/// A text of a schema, empty if there is none.
pub(super) fn text<'a>(schema: &'a Value, key: &str) -> &'a str {
    schema.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// A schema's properties, if it has any.
pub(super) fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties")?.as_object().filter(|p| !p.is_empty())
}

/// The alternatives of a schema.
pub(super) fn all_of(schema: &Value) -> &[Value] {
    schema.get("allOf").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The schema of a list's items.
pub(super) fn items(schema: &Value) -> Option<&Value> {
    schema.get("items").filter(|v| v.is_object())
}

/// The schema of a map's values.
pub(super) fn values(schema: &Value) -> Option<&Value> {
    let found = schema.get("additionalProperties")?;
    found.as_object().filter(|map| !map.is_empty()).map(|_| found)
}

/// Whether a field is required.
pub(super) fn requires(schema: &Value, name: &str) -> bool {
    let list = schema.get("required").and_then(Value::as_array);
    list.is_some_and(|l| l.iter().any(|v| v.as_str() == Some(name)))
}
