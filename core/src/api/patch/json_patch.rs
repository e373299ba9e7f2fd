//! RFC 6902 patches. Errors are worded as `gopkg.in/evanphx/json-patch.v4` words them.

use serde_json::Value;

use crate::api::gofmt::quote;

/// Copies may make a document larger by so much in all (`AccumulatedCopySizeLimit`).
const MOST_COPIED: usize = 3 << 20;

/// The document after the operations of `patch`, in order.
pub fn apply(mut document: Value, patch: &Value) -> Result<Value, String> {
    let Some(operations) = patch.as_array() else {
        return Err("json: cannot unmarshal object into Go value of type jsonpatch.Patch".into());
    };
    let mut copied = 0;
    for operation in operations {
        let text = |key: &str| operation.get(key).and_then(Value::as_str);
        let op = text("op").unwrap_or("unknown");
        let path = text("path").unwrap_or("");
        let value = || operation.get("value").cloned().unwrap_or(Value::Null);
        let from = text("from").unwrap_or("");
        match op {
            "add" => add(&mut document, path, value())?,
            "remove" => drop(remove(&mut document, path, "remove")?),
            "replace" => {
                *find(&mut document, path).ok_or_else(|| missing("replace", path))? = value();
            }
            "move" => {
                let value = remove(&mut document, from, "move")?;
                add(&mut document, path, value)?;
            }
            "copy" => {
                let value = find(&mut document, from).ok_or_else(|| missing("copy", from))?;
                copied += size(value);
                if copied > MOST_COPIED {
                    return Err(format!(
                        "Unable to complete the copy, the accumulated size increase of copy is \
                         {copied}, exceeding the limit {MOST_COPIED}"
                    ));
                }
                let value = value.clone();
                add(&mut document, path, value)?;
            }
            "test" => {
                let there = find(&mut document, path).cloned().unwrap_or(Value::Null);
                if there != value() {
                    return Err(format!("testing value {path} failed: test failed"));
                }
            }
            other => return Err(format!("Unexpected kind: {other}")),
        }
    }
    Ok(document)
}

/// About how long a value is as text.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| size(item) + 1).sum::<usize>() + 2,
        Value::Object(map) => {
            map.iter().map(|(key, item)| key.len() + 4 + size(item)).sum::<usize>() + 2
        }
        _ => 4,
    }
}

fn missing(op: &str, path: &str) -> String {
    format!("{op} operation does not apply: doc is missing key: {path}: missing value")
}

fn unescape(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

fn tokens(path: &str) -> Vec<String> {
    path.split('/').skip(1).map(unescape).collect()
}

fn step<'a>(value: &'a mut Value, token: &str) -> Option<&'a mut Value> {
    match value {
        Value::Object(map) => map.get_mut(token),
        Value::Array(items) => token.parse::<usize>().ok().and_then(|i| items.get_mut(i)),
        _ => None,
    }
}

fn find<'a>(document: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    tokens(path).iter().try_fold(document, |value, token| step(value, token))
}

fn parent<'a>(document: &'a mut Value, path: &str) -> Option<(&'a mut Value, String)> {
    let mut tokens = tokens(path);
    let last = tokens.pop()?;
    let parent = tokens.iter().try_fold(document, |value, token| step(value, token))?;
    Some((parent, last))
}

fn add(document: &mut Value, path: &str, value: Value) -> Result<(), String> {
    if path.is_empty() {
        *document = value;
        return Ok(());
    }
    let fault = || {
        format!("add operation does not apply: doc is missing path: {}: missing value", quote(path))
    };
    let (parent, last) = parent(document, path).ok_or_else(fault)?;
    match parent {
        Value::Object(map) => {
            map.insert(last, value);
        }
        Value::Array(items) if last == "-" => items.push(value),
        Value::Array(items) => {
            let at = last.parse::<usize>().ok().filter(|&i| i <= items.len());
            let at = at.ok_or_else(|| {
                format!(
                    "add operation does not apply: error in add for path: '{path}': Unable to \
                         access invalid index: {last}: invalid index referenced"
                )
            })?;
            items.insert(at, value);
        }
        _ => return Err(fault()),
    }
    Ok(())
}

fn remove(document: &mut Value, path: &str, op: &str) -> Result<Value, String> {
    let fault = || {
        format!(
            "{op} operation does not apply: doc is missing path: {}: missing value",
            quote(path)
        )
    };
    let (parent, last) = parent(document, path).ok_or_else(fault)?;
    match parent {
        Value::Object(map) => map.remove(&last).ok_or_else(|| {
            format!(
                "error in {op} for path: '{path}': Unable to remove nonexistent key: {last}: \
                     missing value"
            )
        }),
        Value::Array(items) => {
            let at = last.parse::<usize>().ok().filter(|&i| i < items.len());
            at.map(|at| items.remove(at)).ok_or_else(fault)
        }
        _ => Err(fault()),
    }
}
