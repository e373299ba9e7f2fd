//! Strategic merge patches: what they make of a document.
//!
//! Models `k8s.io/apimachinery/pkg/util/strategicpatch/patch.go` (`StrategicMergePatch`).

use serde_json::{Map, Value};

use super::schema::{Strategy, strategy};

const DIRECTIVE: &str = "$patch";
const RETAIN: &str = "$retainKeys";
const ORDER: &str = "$setElementOrder/";
const DELETE_VALUES: &str = "$deleteFromPrimitiveList/";

/// The document after the patch. Errors name what is wrong with the patch.
pub fn apply(document: Value, patch: Value) -> Result<Value, String> {
    match (document, patch) {
        (Value::Object(document), Value::Object(patch)) => {
            merge_map(document, patch, "").map(Value::Object)
        }
        _ => Err("invalid patch document: a map is needed".into()),
    }
}

fn merge_map(
    mut original: Map<String, Value>,
    mut patch: Map<String, Value>,
    parent: &str,
) -> Result<Map<String, Value>, String> {
    match patch.remove(DIRECTIVE).as_ref().and_then(Value::as_str) {
        Some("replace") => return Ok(patch),
        Some("delete") => return Ok(Map::new()),
        None | Some("merge") => {}
        Some(other) => return Err(format!("Unknown patch type found: {other}")),
    }
    if let Some(Value::Array(keys)) = patch.remove(RETAIN) {
        original.retain(|k, _| keys.iter().any(|key| key.as_str() == Some(k)));
    }
    let mut orders: Vec<(String, Vec<Value>)> = Vec::new();
    for (key, value) in patch {
        if let Some(field) = key.strip_prefix(ORDER) {
            if let Value::Array(order) = value {
                orders.push((field.to_owned(), order));
            }
        } else if let Some(field) = key.strip_prefix(DELETE_VALUES) {
            let gone = value.as_array().cloned().unwrap_or_default();
            if let Some(Value::Array(items)) = original.get_mut(field) {
                items.retain(|item| !gone.contains(item));
            }
        } else if value.is_null() {
            original.remove(&key);
        } else {
            let old = original.remove(&key);
            original.insert(key.clone(), merge_value(old, value, parent, &key)?);
        }
    }
    for (field, order) in orders {
        if let Some(Value::Array(items)) = original.get_mut(&field) {
            sort_as(items, &order, strategy(parent, &field));
        }
    }
    Ok(original)
}

fn merge_value(old: Option<Value>, new: Value, parent: &str, field: &str) -> Result<Value, String> {
    match (old, new) {
        (Some(Value::Object(old)), Value::Object(new)) => {
            merge_map(old, new, field).map(Value::Object)
        }
        (Some(Value::Array(old)), Value::Array(new)) => match strategy(parent, field) {
            Strategy::Merge(key) | Strategy::MergeRetain(key) => {
                merge_list(old, new, key, field).map(Value::Array)
            }
            Strategy::MergeValues => {
                let mut all = old;
                for value in new {
                    if !all.contains(&value) {
                        all.push(value);
                    }
                }
                Ok(Value::Array(all))
            }
            _ => Ok(Value::Array(new)),
        },
        (_, Value::Array(new)) => match strategy(parent, field) {
            Strategy::Merge(key) | Strategy::MergeRetain(key) => {
                merge_list(Vec::new(), new, key, field).map(Value::Array)
            }
            _ => Ok(Value::Array(new)),
        },
        (_, Value::Object(new)) => merge_map(Map::new(), new, field).map(Value::Object),
        (_, new) => Ok(new),
    }
}

fn merge_list(
    old: Vec<Value>,
    patch: Vec<Value>,
    key: &str,
    field: &str,
) -> Result<Vec<Value>, String> {
    let directive = |item: &Value| item.get(DIRECTIVE).and_then(Value::as_str).map(str::to_owned);
    if patch.iter().any(|item| directive(item).as_deref() == Some("replace")) {
        let kept = patch.into_iter().filter(|item| directive(item).is_none());
        return Ok(kept.collect());
    }
    let mut rest = old.clone();
    let mut merged: Vec<Value> = Vec::new();
    for item in patch {
        let Value::Object(map) = item else {
            return Err(format!("expected a list of maps in {field}"));
        };
        let Some(id) = map.get(key).cloned() else {
            return Err(format!(
                "map: {} does not contain declared merge key: {key}",
                crate::api::gofmt::value(&Value::Object(map))
            ));
        };
        let found = rest.iter().position(|o| o.get(key) == Some(&id));
        let gone = map.get(DIRECTIVE).and_then(Value::as_str) == Some("delete");
        let before = match found {
            Some(at) => rest.remove(at),
            None => Value::Object(Map::new()),
        };
        if gone {
            rest.retain(|o| o.get(key) != Some(&id));
            continue;
        }
        let Value::Object(before) = before else { continue };
        let value = Value::Object(merge_map(before, map, field)?);
        // A key that the patch names twice means one item.
        match merged.iter_mut().find(|m| m.get(key) == Some(&id)) {
            Some(slot) => *slot = value,
            None => merged.push(value),
        }
    }
    Ok(interleave(merged, rest, &old, key))
}

/// What the patch named comes first, unless the old order says otherwise.
fn interleave(named: Vec<Value>, rest: Vec<Value>, old: &[Value], key: &str) -> Vec<Value> {
    let place = |v: &Value| old.iter().position(|o| o.get(key) == v.get(key));
    let mut out = Vec::with_capacity(named.len() + rest.len());
    let mut rest = rest.into_iter().peekable();
    for value in named {
        if let Some(here) = place(&value) {
            while rest.peek().and_then(place).is_some_and(|there| there < here) {
                out.extend(rest.next());
            }
        }
        out.push(value);
    }
    out.extend(rest);
    out
}

/// Sorts a merged list as `$setElementOrder` wants; what it does not name keeps its place behind
/// what stood before it.
fn sort_as(items: &mut Vec<Value>, order: &[Value], strategy: Strategy) {
    let id = |v: &Value| match strategy {
        Strategy::Merge(key) | Strategy::MergeRetain(key) => v.get(key).cloned(),
        _ => Some(v.clone()),
    };
    let wanted: Vec<Option<Value>> = order.iter().map(id).collect();
    let old = items.clone();
    let place = |v: &Value| wanted.iter().position(|w| *w == id(v));
    let (mut named, rest): (Vec<Value>, Vec<Value>) =
        std::mem::take(items).into_iter().partition(|v| place(v).is_some());
    named.sort_by_key(|v| place(v));
    let before = |v: &Value| old.iter().position(|o| id(o) == id(v)).unwrap_or(usize::MAX);
    let mut rest = rest.into_iter().peekable();
    for value in named {
        while rest.peek().is_some_and(|r| before(r) < before(&value)) {
            items.extend(rest.next());
        }
        items.push(value);
    }
    items.extend(rest);
}
