//! From documents to patches: what `kubectl apply` sends.
//!
//! Models `strategicpatch.CreateThreeWayMergePatch` and `jsonmergepatch.CreateThreeWayJSONMergePatch`.

use serde_json::{Map, Value, json};

use super::schema::{Strategy, strategy};

/// The strategic patch that makes of `current` what `modified` says, and removes what `original`
/// said and `modified` does not say any more.
pub fn three_way(original: &Value, modified: &Value, current: &Value) -> Value {
    let empty = Map::new();
    let map = |v: &'_ Value| v.as_object().cloned().unwrap_or_default();
    let (original, modified, current) = (map(original), map(modified), map(current));
    let changes = Diff { changes: true, deletions: false, order: true };
    let deletions = Diff { changes: false, deletions: true, order: true };
    let delta = changes.maps(&current, &modified, "");
    let gone = deletions.maps(if original.is_empty() { &empty } else { &original }, &modified, "");
    Value::Object(join_maps(gone, delta, ""))
}

/// The strategic patch from one document to another.
pub fn two_way(original: &Value, modified: &Value) -> Value {
    let map = |v: &'_ Value| v.as_object().cloned().unwrap_or_default();
    let all = Diff { changes: true, deletions: true, order: true };
    Value::Object(all.maps(&map(original), &map(modified), ""))
}

/// The same as [`three_way`], as an RFC 7386 patch: lists are replaced.
pub fn three_way_merge(original: &Value, modified: &Value, current: &Value) -> Value {
    let add = merge_diff(current, modified, true, false);
    let gone = merge_diff(original, modified, false, true);
    join_merge(gone, add)
}

/// The RFC 7386 patch from one document to another.
pub fn two_way_merge(original: &Value, modified: &Value) -> Value {
    merge_diff(original, modified, true, true)
}

fn merge_diff(from: &Value, to: &Value, changes: bool, deletions: bool) -> Value {
    let empty = Map::new();
    let (from, to) = (from.as_object().unwrap_or(&empty), to.as_object().unwrap_or(&empty));
    let mut patch = Map::new();
    for (key, new) in to {
        match from.get(key) {
            Some(old) if old == new => {}
            Some(old) if old.is_object() && new.is_object() => {
                let inner = merge_diff(old, new, changes, deletions);
                if inner.as_object().is_some_and(|m| !m.is_empty()) {
                    patch.insert(key.clone(), inner);
                }
            }
            _ if changes => {
                patch.insert(key.clone(), new.clone());
            }
            _ => {}
        }
    }
    if deletions {
        for key in from.keys().filter(|k| !to.contains_key(*k)) {
            patch.insert(key.clone(), Value::Null);
        }
    }
    Value::Object(patch)
}

fn join_merge(a: Value, b: Value) -> Value {
    match (a, b) {
        (Value::Object(mut a), Value::Object(b)) => {
            for (key, value) in b {
                let joined = match a.remove(&key) {
                    Some(old) => join_merge(old, value),
                    None => value,
                };
                a.insert(key, joined);
            }
            Value::Object(a)
        }
        (_, b) => b,
    }
}

/// What a comparison is after.
#[derive(Clone, Copy)]
struct Diff {
    changes: bool,
    deletions: bool,
    order: bool,
}

impl Diff {
    fn maps(
        self,
        from: &Map<String, Value>,
        to: &Map<String, Value>,
        parent: &str,
    ) -> Map<String, Value> {
        let mut patch = Map::new();
        for (key, new) in to {
            match from.get(key) {
                Some(old) if old == new => {}
                Some(Value::Object(old)) if new.is_object() => {
                    let Some(new) = new.as_object() else { continue };
                    let mut inner = self.maps(old, new, key);
                    if !inner.is_empty() {
                        if strategy(parent, key) == Strategy::Retain {
                            let keys: Vec<&String> = new.keys().collect();
                            inner.insert("$retainKeys".into(), json!(keys));
                        }
                        patch.insert(key.clone(), Value::Object(inner));
                    }
                }
                Some(Value::Array(old)) if new.is_array() => {
                    let new = new.as_array().map_or(&[][..], Vec::as_slice);
                    self.lists(old, new, parent, key, &mut patch);
                }
                _ if self.changes => {
                    patch.insert(key.clone(), new.clone());
                }
                _ => {}
            }
        }
        if self.deletions {
            for key in from.keys().filter(|k| !to.contains_key(*k)) {
                patch.insert(key.clone(), Value::Null);
            }
        }
        patch
    }

    fn lists(
        self,
        from: &[Value],
        to: &[Value],
        parent: &str,
        field: &str,
        patch: &mut Map<String, Value>,
    ) {
        match strategy(parent, field) {
            Strategy::Merge(key) => self.keyed(from, to, field, key, false, patch),
            Strategy::MergeRetain(key) => self.keyed(from, to, field, key, true, patch),
            Strategy::MergeValues => {
                let added: Vec<&Value> = to.iter().filter(|v| !from.contains(v)).collect();
                let gone: Vec<&Value> = from.iter().filter(|v| !to.contains(v)).collect();
                if self.changes && !added.is_empty() {
                    patch.insert(field.into(), json!(added));
                }
                if self.deletions && !gone.is_empty() {
                    patch.insert(format!("$deleteFromPrimitiveList/{field}"), json!(gone));
                }
                if !patch.is_empty() && self.order && (!added.is_empty() || !gone.is_empty()) {
                    patch.insert(format!("$setElementOrder/{field}"), json!(to));
                }
            }
            _ if self.changes => {
                patch.insert(field.into(), json!(to));
            }
            _ => {}
        }
    }

    fn keyed(
        self,
        from: &[Value],
        to: &[Value],
        field: &str,
        key: &str,
        retain: bool,
        patch: &mut Map<String, Value>,
    ) {
        let find = |list: &[Value], id: Option<&Value>| {
            list.iter().find(|v| v.get(key) == id).and_then(Value::as_object).cloned()
        };
        let mut items = Vec::new();
        for new in to {
            let id = new.get(key);
            let Some(map) = new.as_object() else { continue };
            match find(from, id) {
                Some(old) => {
                    let mut inner = self.maps(&old, map, field);
                    if !inner.is_empty() {
                        inner.insert(key.into(), id.cloned().unwrap_or(Value::Null));
                        if retain {
                            let keys: Vec<&String> = map.keys().collect();
                            inner.insert("$retainKeys".into(), json!(keys));
                        }
                        items.push(Value::Object(inner));
                    }
                }
                None if self.changes => items.push(new.clone()),
                None => {}
            }
        }
        if self.deletions {
            for old in from.iter().filter(|o| find(to, o.get(key)).is_none()) {
                items.push(json!({"$patch": "delete", key: old.get(key)}));
            }
        }
        if !items.is_empty() {
            if self.order {
                let order: Vec<Value> = to.iter().map(|v| json!({key: v.get(key)})).collect();
                patch.insert(format!("$setElementOrder/{field}"), json!(order));
            }
            patch.insert(field.into(), Value::Array(items));
        }
    }
}

/// Puts two patches of one document together; the second wins.
fn join_maps(mut a: Map<String, Value>, b: Map<String, Value>, parent: &str) -> Map<String, Value> {
    for (key, value) in b {
        let joined = match (a.remove(&key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => {
                Value::Object(join_maps(old, new, &key))
            }
            (Some(Value::Array(old)), Value::Array(new)) => match strategy(parent, &key) {
                Strategy::Merge(id) | Strategy::MergeRetain(id) => {
                    Value::Array(join_lists(old, new, id, &key))
                }
                _ => Value::Array(new),
            },
            (_, value) => value,
        };
        a.insert(key, joined);
    }
    a
}

fn join_lists(a: Vec<Value>, b: Vec<Value>, id: &str, field: &str) -> Vec<Value> {
    let mut out = a;
    for item in b {
        let found = out.iter().position(|o| o.get(id) == item.get(id));
        match (found.map(|at| (at, out.remove(at))), item) {
            (Some((at, Value::Object(old))), Value::Object(new)) => {
                out.insert(at, Value::Object(join_maps(old, new, field)));
            }
            (_, item) => out.push(item),
        }
    }
    out
}
