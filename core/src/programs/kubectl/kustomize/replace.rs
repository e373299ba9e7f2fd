//! Replacements: values of one object's field put into others' fields.
//! Models `kustomize/api/filters/replacement`.

use serde_json::{Map, Value};

use super::{
    load::{Loader, Target},
    patches::Matcher,
    resource::Res,
};
use crate::{api::yaml, programs::kubectl::Error};

/// Makes a kustomization's replacements.
pub(super) fn run(loader: &Loader, target: &Target, all: &mut [Res]) -> Result<(), Error> {
    for entry in target.list("replacements") {
        match entry.get("path").and_then(Value::as_str) {
            Some(path) => {
                let text = loader.read(target, path)?;
                let read = yaml::parse(&text).map_err(|e| Error::plain(e.to_string()))?;
                let each = match &read {
                    Value::Array(items) => items.as_slice(),
                    one => std::slice::from_ref(one),
                };
                for entry in each {
                    replacement(entry, all)?;
                }
            }
            None => replacement(entry, all)?,
        }
    }
    Ok(())
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn replacement(entry: &Value, all: &mut [Res]) -> Result<(), Error> {
    let Some(source) = entry.get("source").filter(|s| s.is_object()) else {
        return Err(Error::plain("replacements must specify a source and at least one target"));
    };
    let value = from(source, all)?;
    for target in list(entry, "targets") {
        let Some(select) = target.get("select").filter(|s| s.is_object()) else {
            return Err(Error::plain("target must specify resources to select"));
        };
        let select = Matcher::of(select)?;
        let rejects: Vec<Matcher> =
            list(target, "reject").map(Matcher::of).collect::<Result<_, _>>()?;
        let options = target.get("options").cloned().unwrap_or(Value::Null);
        let mut paths: Vec<&str> = list(target, "fieldPaths").filter_map(Value::as_str).collect();
        if paths.is_empty() {
            paths.push("metadata.name");
        }
        for res in all.iter_mut() {
            if !select.matches(res) || rejects.iter().any(|r| r.matches(res)) {
                continue;
            }
            let before = res.id();
            for path in &paths {
                let create = options.get("create") == Some(&Value::Bool(true));
                let mut count = 0;
                put(&mut res.value, &steps(path), create, &mut |slot| {
                    count += 1;
                    *slot = spliced(slot, &value, &options);
                });
                if count == 0 {
                    return Err(Error::plain(format!(
                        "unable to find field \"{path}\" in replacement target"
                    )));
                }
            }
            if res.id() != before {
                res.before.push(before);
            }
        }
    }
    Ok(())
}

/// The value that a source means.
fn from(source: &Value, all: &[Res]) -> Result<Value, Error> {
    let matcher = Matcher::of(source)?;
    let found: Vec<&Res> = all.iter().filter(|res| matcher.matches(res)).collect();
    let named = crate::api::json::compact(source);
    let [res] = found.as_slice() else {
        let what =
            if found.is_empty() { "nothing selected by" } else { "multiple matches for selector" };
        return Err(Error::plain(format!("{what} {named}")));
    };
    let path = match text(source, "fieldPath") {
        "" => "metadata.name",
        path => path,
    };
    let mut value = res.value.clone();
    let mut got = None;
    put(&mut value, &steps(path), false, &mut |slot| got = Some(slot.clone()));
    let Some(got) = got else {
        let text = format!("fieldPath `{path}` is missing for replacement source {named}");
        return Err(Error::plain(text));
    };
    let options = source.get("options").cloned().unwrap_or(Value::Null);
    match (text(&options, "delimiter"), got.as_str()) {
        ("", _) | (_, None) => Ok(got),
        (delimiter, Some(whole)) => {
            let at = options.get("index").and_then(Value::as_u64).unwrap_or(0);
            let part = whole.split(delimiter).nth(usize::try_from(at).unwrap_or(usize::MAX));
            part.map(Value::from).ok_or_else(|| {
                Error::plain(format!("options.index {at} is out of bounds for value {whole}"))
            })
        }
    }
}

/// The new value of a field, of which a part may be replaced.
fn spliced(old: &Value, new: &Value, options: &Value) -> Value {
    let (delimiter, Some(old)) = (text(options, "delimiter"), old.as_str()) else {
        return new.clone();
    };
    if delimiter.is_empty() {
        return new.clone();
    }
    let piece = match new {
        Value::String(text) => text.clone(),
        other => crate::api::json::compact(other),
    };
    let at = options.get("index").and_then(Value::as_i64).unwrap_or(0);
    let mut parts: Vec<&str> = old.split(delimiter).collect();
    match usize::try_from(at) {
        Err(_) => parts.insert(0, &piece),
        Ok(at) => match parts.get_mut(at) {
            Some(part) => *part = &piece,
            None => parts.push(&piece),
        },
    }
    parts.join(delimiter).into()
}

/// The steps of a path: dots part them, brackets keep them together.
fn steps(path: &str) -> Vec<String> {
    let (mut out, mut here, mut inside) = (Vec::new(), String::new(), false);
    let mut chars = path.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.peek() == Some(&'.') => here.extend(chars.next()),
            '[' if !inside => {
                inside = true;
                if !here.is_empty() {
                    out.push(std::mem::take(&mut here));
                }
                here.push('[');
            }
            ']' if inside => {
                inside = false;
                here.push(']');
                out.push(std::mem::take(&mut here));
            }
            '.' if !inside => {
                if !here.is_empty() {
                    out.push(std::mem::take(&mut here));
                }
            }
            c => here.push(c),
        }
    }
    if !here.is_empty() {
        out.push(here);
    }
    out
}

/// Calls a function with everything that a path means.
fn put(value: &mut Value, steps: &[String], create: bool, f: &mut dyn FnMut(&mut Value)) {
    let Some((step, rest)) = steps.split_first() else { return f(value) };
    let bracket = step.strip_prefix('[').and_then(|s| s.strip_suffix(']'));
    if let Some((key, wanted)) = bracket.and_then(|b| b.split_once('=')) {
        for item in value.as_array_mut().into_iter().flatten() {
            let fits = match item.get(key) {
                Some(Value::String(text)) => text == wanted,
                Some(other) => crate::api::json::compact(other) == wanted,
                None => false,
            };
            if fits {
                put(item, rest, create, f);
            }
        }
        return;
    }
    let name = bracket.unwrap_or(step);
    match value {
        Value::Array(items) if name == "*" => {
            items.iter_mut().for_each(|item| put(item, rest, create, f));
        }
        Value::Array(items) => {
            if let Some(item) = name.parse::<usize>().ok().and_then(|at| items.get_mut(at)) {
                put(item, rest, create, f);
            }
        }
        Value::Object(map) => {
            if create && !map.contains_key(name) {
                let made = if rest.is_empty() { Value::Null } else { Value::Object(Map::new()) };
                map.insert(name.to_owned(), made);
            }
            if let Some(inner) = map.get_mut(name) {
                put(inner, rest, create, f);
            }
        }
        _ => {}
    }
}
