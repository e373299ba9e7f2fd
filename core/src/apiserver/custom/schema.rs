//! Structural schemas of custom resources: dropping what they don't know, filling in what is not
//! said, telling what is wrong.
//!
//! Models `apiextensions-apiserver/pkg/apiserver/schema/{pruning,defaulting}` and the validation of
//! `kube-openapi/pkg/validation` with its messages. Rules in CEL are in [`super::validations`].

use regex_lite::Regex;
use serde_json::{Map, Value};

use crate::api::{FieldError, gofmt};

/// Schemas may be nested so deep; what lies deeper is not looked at.
const DEEPEST: usize = 64;

fn flag(schema: &Value, name: &str) -> bool {
    schema.get(name).and_then(Value::as_bool).unwrap_or(false)
}

/// The schema of a field: its own, or that of all others.
fn of_field<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    let own = schema.get("properties").and_then(|p| p.get(name));
    own.or_else(|| schema.get("additionalProperties").filter(|a| a.is_object()))
}

fn allows_any(schema: &Value) -> bool {
    schema.get("additionalProperties") == Some(&Value::Bool(true))
}

fn join(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_string() } else { format!("{at}.{name}") }
}

/// Takes away fields that the schema does not have; their paths are added to `dropped`.
pub fn prune(schema: &Value, value: &mut Value, at: &str, depth: usize, dropped: &mut Vec<String>) {
    if depth > DEEPEST {
        return;
    }
    let keeps = flag(schema, "x-kubernetes-preserve-unknown-fields") || allows_any(schema);
    let embedded = flag(schema, "x-kubernetes-embedded-resource");
    match value {
        Value::Object(map) => {
            let standard =
                |name: &str| embedded && matches!(name, "apiVersion" | "kind" | "metadata");
            map.retain(|name, value| {
                let place = join(at, name);
                match of_field(schema, name) {
                    Some(inner) => prune(inner, value, &place, depth + 1, dropped),
                    None if keeps || standard(name) => {}
                    None => {
                        dropped.push(place);
                        return false;
                    }
                }
                true
            });
        }
        Value::Array(items) => {
            let Some(inner) = schema.get("items") else { return };
            for (i, item) in items.iter_mut().enumerate() {
                prune(inner, item, &format!("{at}[{i}]"), depth + 1, dropped);
            }
        }
        _ => {}
    }
}

/// Fills in defaults.
pub fn fill(schema: &Value, value: &mut Value, depth: usize) {
    if depth > DEEPEST {
        return;
    }
    match value {
        Value::Object(map) => {
            let properties = schema.get("properties").and_then(Value::as_object);
            for (name, inner) in properties.into_iter().flatten() {
                let Some(default) = inner.get("default") else { continue };
                let missing = match map.get(name) {
                    None => true,
                    Some(Value::Null) => !flag(inner, "nullable"),
                    Some(_) => false,
                };
                if missing {
                    map.insert(name.clone(), default.clone());
                }
            }
            for (name, value) in map.iter_mut() {
                if let Some(inner) = of_field(schema, name) {
                    fill(inner, value, depth + 1);
                }
            }
        }
        Value::Array(items) => {
            if let Some(inner) = schema.get("items") {
                items.iter_mut().for_each(|item| fill(inner, item, depth + 1));
            }
        }
        _ => {}
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn has_type(value: &Value, wanted: &str) -> bool {
    let is = type_of(value);
    is == wanted || (wanted == "number" && is == "integer")
}

/// What is wrong with a value.
pub fn check(schema: &Value, value: &Value, at: &str, depth: usize, errors: &mut Vec<FieldError>) {
    if depth > DEEPEST || (value.is_null() && flag(schema, "nullable")) {
        return;
    }
    let mixed = flag(schema, "x-kubernetes-int-or-string");
    if let Some(wanted) = schema.get("type").and_then(Value::as_str).filter(|_| !mixed) {
        if !has_type(value, wanted) {
            let is = type_of(value);
            let why = format!("{at} in body must be of type {wanted}: {is:?}");
            errors.push(FieldError::invalid_str(at, is, &why));
            return;
        }
    }
    if let Some(known) = schema.get("enum").and_then(Value::as_array) {
        if !known.contains(value) {
            let texts: Vec<String> = known.iter().map(plain).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            errors.push(FieldError::not_supported_value(at, &gofmt::syntax(value), &texts));
        }
    }
    match value {
        Value::String(text) => string(schema, text, at, errors),
        Value::Number(number) => {
            if let Some(n) = number.as_f64() {
                amount(schema, n, value, at, errors);
            }
        }
        Value::Array(items) => list(schema, items, at, depth, errors),
        Value::Object(map) => object(schema, map, at, depth, errors),
        _ => {}
    }
    for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        check(part, value, at, depth + 1, errors);
    }
    alternatives(schema, value, at, depth, errors);
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

/// `anyOf`, `oneOf`, `not`.
fn alternatives(
    schema: &Value,
    value: &Value,
    at: &str,
    depth: usize,
    errors: &mut Vec<FieldError>,
) {
    let fits = |part: &Value| {
        let mut inner = Vec::new();
        check(part, value, at, depth + 1, &mut inner);
        inner.is_empty()
    };
    let count = |name: &str| {
        let parts = schema.get(name)?.as_array()?;
        Some(parts.iter().filter(|part| fits(part)).count())
    };
    let shown = gofmt::syntax(value);
    if count("anyOf") == Some(0) {
        let why = format!("{at} in body must validate at least one schema (anyOf)");
        errors.push(FieldError::invalid(at, &shown, &why));
    }
    if let Some(found) = count("oneOf").filter(|n| *n != 1) {
        let what = if found == 0 {
            "Found none valid".into()
        } else {
            format!("Found {found} valid alternatives")
        };
        let why = format!("{at} in body must validate one and only one schema (oneOf). {what}");
        errors.push(FieldError::invalid(at, &shown, &why));
    }
    if schema.get("not").is_some_and(fits) {
        let why = format!("{at} in body must not validate the schema (not)");
        errors.push(FieldError::invalid(at, &shown, &why));
    }
}

fn string(schema: &Value, text: &str, at: &str, errors: &mut Vec<FieldError>) {
    let length = text.chars().count() as u64;
    let limit = |name: &str| schema.get(name).and_then(Value::as_u64);
    if let Some(least) = limit("minLength").filter(|least| length < *least) {
        let why = format!("{at} in body should be at least {least} chars long");
        errors.push(FieldError::invalid_str(at, text, &why));
    }
    if let Some(most) = limit("maxLength").filter(|most| length > *most) {
        errors.push(FieldError::too_long(at, most as usize));
    }
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
        if Regex::new(pattern).is_ok_and(|r| !r.is_match(text)) {
            let why = format!("{at} in body should match '{pattern}'");
            errors.push(FieldError::invalid_str(at, text, &why));
        }
    }
}

fn amount(schema: &Value, n: f64, shown: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let limit = |name: &str| schema.get(name).and_then(Value::as_f64);
    let mut wrong = |why: String| errors.push(FieldError::invalid(at, shown, &why));
    if let Some(least) = limit("minimum") {
        let strict = flag(schema, "exclusiveMinimum");
        if n < least || (strict && n <= least) {
            let or = if strict { "" } else { " or equal to" };
            let than = gofmt::float_g(least);
            wrong(format!("{at} in body should be greater than{or} {than}"));
        }
    }
    if let Some(most) = limit("maximum") {
        let strict = flag(schema, "exclusiveMaximum");
        if n > most || (strict && n >= most) {
            let or = if strict { "" } else { " or equal to" };
            let than = gofmt::float_g(most);
            wrong(format!("{at} in body should be less than{or} {than}"));
        }
    }
    if let Some(unit) = limit("multipleOf").filter(|unit| *unit > 0.0 && (n / unit).fract() != 0.0)
    {
        wrong(format!("{at} in body should be a multiple of {}", gofmt::float_g(unit)));
    }
}

fn list(schema: &Value, items: &[Value], at: &str, depth: usize, errors: &mut Vec<FieldError>) {
    let limit = |name: &str| schema.get(name).and_then(Value::as_u64);
    let count = items.len() as u64;
    if let Some(least) = limit("minItems").filter(|least| count < *least) {
        let why = format!("{at} in body should have at least {least} items");
        errors.push(FieldError::invalid(at, count, &why));
    }
    if let Some(most) = limit("maxItems").filter(|most| count > *most) {
        errors.push(FieldError::too_many(at, count, most));
    }
    let kind = schema.get("x-kubernetes-list-type").and_then(Value::as_str);
    let keys = schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
    for (i, item) in items.iter().enumerate() {
        let place = format!("{at}[{i}]");
        let earlier = items.get(..i).unwrap_or_default();
        match (kind, keys) {
            (Some("set"), _) if earlier.contains(item) => {
                errors.push(FieldError::duplicate(&place, gofmt::syntax(item)));
            }
            (Some("map"), Some(keys)) => {
                let key = |v: &Value| -> Map<String, Value> {
                    let keys = keys.iter().filter_map(Value::as_str);
                    keys.filter_map(|k| Some((k.to_string(), v.get(k)?.clone()))).collect()
                };
                let own = key(item);
                if earlier.iter().any(|other| key(other) == own) {
                    let shown = Value::Object(own).to_string();
                    errors.push(FieldError::duplicate(&place, shown));
                }
            }
            _ => {}
        }
        if let Some(inner) = schema.get("items") {
            check(inner, item, &place, depth + 1, errors);
        }
    }
}

fn object(
    schema: &Value,
    map: &Map<String, Value>,
    at: &str,
    depth: usize,
    errors: &mut Vec<FieldError>,
) {
    for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
        let Some(name) = name.as_str() else { continue };
        if !map.contains_key(name) {
            errors.push(FieldError::required(join(at, name), ""));
        }
    }
    let limit = |name: &str| schema.get(name).and_then(Value::as_u64);
    let count = map.len() as u64;
    if let Some(least) = limit("minProperties").filter(|least| count < *least) {
        let why = format!("{at} in body should have at least {least} properties");
        errors.push(FieldError::invalid(at, count, &why));
    }
    if let Some(most) = limit("maxProperties").filter(|most| count > *most) {
        errors.push(FieldError::too_many(at, count, most));
    }
    for (name, value) in map {
        if let Some(inner) = of_field(schema, name) {
            check(inner, value, &join(at, name), depth + 1, errors);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_pruned_filled_in_and_checked() {
        let schema = json!({"type": "object", "required": ["size"], "properties": {
            "size": {"type": "integer", "minimum": 1, "maximum": 9},
            "name": {"type": "string", "pattern": "^[a-z]+$", "default": "web"},
            "mode": {"type": "string", "enum": ["a", "b"]},
            "port": {"x-kubernetes-int-or-string": true},
            "tags": {"type": "array", "maxItems": 2, "items": {"type": "string"}},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}});
        let mut value = json!({"size": 3, "sise": 4, "free": {"x": 1}, "port": "http"});
        let mut dropped = Vec::new();
        prune(&schema, &mut value, "spec", 0, &mut dropped);
        fill(&schema, &mut value, 0);
        assert_eq!(dropped, ["spec.sise"]);
        let want = json!({"size": 3, "name": "web", "free": {"x": 1}, "port": "http"});
        assert_eq!(value, want);
        for (value, want) in [
            (json!({}), "spec.size: Required value"),
            (
                json!({"size": 0}),
                "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1",
            ),
            (
                json!({"size": "big"}),
                "spec.size: Invalid value: \"string\": spec.size in body must be of type integer: \
                 \"string\"",
            ),
            (
                json!({"size": 1, "mode": "c"}),
                "spec.mode: Unsupported value: \"c\": supported values: \"a\", \"b\"",
            ),
            (
                json!({"size": 1, "name": "A"}),
                "spec.name: Invalid value: \"A\": spec.name in body should match '^[a-z]+$'",
            ),
            (
                json!({"size": 1, "tags": ["a", "b", "c"]}),
                "spec.tags: Too many: 3: must have at most 2 items",
            ),
        ] {
            let mut errors = Vec::new();
            check(&schema, &value, "spec", 0, &mut errors);
            let all: Vec<_> = errors.iter().map(ToString::to_string).collect();
            assert_eq!(all, [want]);
        }
    }
}
