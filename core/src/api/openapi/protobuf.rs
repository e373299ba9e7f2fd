//! The OpenAPI v2 document in the form that client libraries ask for:
//! `application/com.github.proto-openapi.spec.v2@v1.0+protobuf`.
//!
//! Only what they read of it: information and definitions. Field numbers are those of
//! `github.com/google/gnostic/openapiv2/OpenAPIv2.proto`.

use serde_json::{Map, Value};

use crate::api::json;

/// A message that is being written.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.0.push((n as u8 & 0x7f) | 0x80);
            n >>= 7;
        }
        self.0.push(n as u8);
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, field: u64, text: &str) {
        if !text.is_empty() {
            self.bytes(field, text.as_bytes());
        }
    }

    fn message(&mut self, field: u64, inner: Message) {
        self.bytes(field, &inner.0);
    }

    fn flag(&mut self, field: u64, on: bool) {
        if on {
            self.varint(field << 3);
            self.varint(1);
        }
    }
}

/// The document of [`super::v2`] as protobuf.
pub fn encode(document: &Value) -> Vec<u8> {
    let mut out = Message::default();
    out.text(1, string(document, "swagger"));
    if let Some(info) = document.get("info") {
        let mut inner = Message::default();
        inner.text(1, string(info, "title"));
        inner.text(2, string(info, "version"));
        out.message(2, inner);
    }
    if let Some(definitions) = document.get("definitions").and_then(Value::as_object) {
        out.message(9, schemas(definitions, 0));
    }
    out.0
}

fn string<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// `Definitions` and `Properties` alike: schemas by name.
fn schemas(all: &Map<String, Value>, depth: usize) -> Message {
    let mut out = Message::default();
    for (name, value) in all {
        let mut named = Message::default();
        named.text(1, name);
        named.message(2, schema(value, depth));
        out.message(1, named);
    }
    out
}

/// Nesting is bounded: schemas of custom resources are whatever somebody wrote.
fn schema(value: &Value, depth: usize) -> Message {
    let mut out = Message::default();
    if depth > 100 {
        return out;
    }
    out.text(1, string(value, "$ref"));
    out.text(2, string(value, "format"));
    out.text(4, string(value, "description"));
    if let Some(default) = value.get("default") {
        out.message(5, any(default));
    }
    out.text(13, string(value, "pattern"));
    out.flag(16, value.get("uniqueItems") == Some(&Value::Bool(true)));
    for name in strings(value, "required") {
        out.text(19, name);
    }
    for one in value.get("enum").and_then(Value::as_array).into_iter().flatten() {
        out.message(20, any(one));
    }
    match value.get("additionalProperties") {
        Some(inner @ Value::Object(_)) => {
            let mut item = Message::default();
            item.message(1, schema(inner, depth + 1));
            out.message(21, item);
        }
        Some(Value::Bool(yes)) => {
            let mut item = Message::default();
            item.flag(2, *yes);
            out.message(21, item);
        }
        _ => {}
    }
    if !string(value, "type").is_empty() {
        let mut item = Message::default();
        item.text(1, string(value, "type"));
        out.message(22, item);
    }
    if let Some(inner) = value.get("items").filter(|v| v.is_object()) {
        let mut item = Message::default();
        item.message(1, schema(inner, depth + 1));
        out.message(23, item);
    }
    for inner in value.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        out.message(24, schema(inner, depth + 1));
    }
    if let Some(properties) = value.get("properties").and_then(Value::as_object) {
        out.message(25, schemas(properties, depth + 1));
    }
    for (name, extension) in value.as_object().into_iter().flatten() {
        if name.starts_with("x-") {
            let mut named = Message::default();
            named.text(1, name);
            named.message(2, any(extension));
            out.message(31, named);
        }
    }
    out
}

fn strings<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a str> {
    let list = value.get(key).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str)
}

/// Any value: as YAML text, of which JSON is a part.
fn any(value: &Value) -> Message {
    let mut out = Message::default();
    out.text(2, &(json::compact(value) + "\n"));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_have_the_numbers_of_the_message() {
        let document = json!({"swagger": "2.0", "definitions": {"A": {"type": "string"}}});
        // Definitions is field 9, a named schema its field 1, the schema's type field 22.
        let want = b"\x0a\x032.0\x4a\x12\x0a\x10\x0a\x01A\x12\x0b\xb2\x01\x08\x0a\x06string";
        assert_eq!(encode(&document), want);
    }
}
