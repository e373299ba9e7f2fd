//! JSON text as Go's encoder writes it: sorted keys, `<`, `>` and `&` escaped, floats in its form.

use std::{collections::BTreeMap, sync::OnceLock};

use serde_json::{Map, Value};

use super::gofmt;

/// Reads a JSON text; the error is worded as Go's decoder does.
pub fn parse(bytes: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(bytes).map_err(|error| {
        if error.is_eof() {
            return "unexpected end of JSON input".into();
        }
        if error.to_string().starts_with("recursion limit") {
            return "exceeded max depth".into();
        }
        let lines = bytes.split(|b| *b == b'\n');
        let before: usize = lines.take(error.line().saturating_sub(1)).map(|l| l.len() + 1).sum();
        let rest = bytes.get(before + error.column().saturating_sub(1)..).unwrap_or_default();
        let head = String::from_utf8_lossy(rest.get(..rest.len().min(4)).unwrap_or_default());
        let c = head.chars().next().unwrap_or(' ');
        format!("invalid character {c:?} looking for beginning of value")
    })
}

/// One line, as `json.Marshal`.
pub fn compact(v: &Value) -> String {
    let mut out = String::new();
    write(v, None, 0, &mut out);
    out
}

/// Indented by four blanks, no line end after it, as `json.MarshalIndent(v, "", "    ")`.
pub fn pretty(v: &Value) -> String {
    indented(v, 4)
}

/// Indented by `step` blanks.
pub fn indented(v: &Value, step: usize) -> String {
    let mut out = String::new();
    write(v, Some(step), 0, &mut out);
    out
}

/// As [`pretty`], with keys in the order of the fields of Go's types, as far as [`FIRST`] knows it:
/// what kubectl prints of objects that it made itself.
pub fn pretty_typed(v: &Value) -> String {
    indented_typed(v, 4)
}

/// [`pretty_typed`] with another indent.
pub fn indented_typed(v: &Value, step: usize) -> String {
    let mut out = String::new();
    write_ordered(v, Some(step), 0, Order::Typed, &mut out);
    out
}

/// [`pretty_typed`] on one line, as servers answer.
pub fn compact_typed(v: &Value) -> String {
    let mut out = String::new();
    write_ordered(v, None, 0, Order::Typed, &mut out);
    out
}

/// Fields of a `Status` in the order of Go's type.
const STATUS: &[&str] =
    &["kind", "apiVersion", "metadata", "status", "message", "reason", "details", "code"];

/// Fields of a status' details and of their causes.
const DETAILS: &[&str] =
    &["name", "group", "kind", "uid", "reason", "message", "field", "causes", "retryAfterSeconds"];

/// Fields of an entry of `managedFields`.
const ENTRY: &[&str] =
    &["manager", "operation", "apiVersion", "time", "fieldsType", "fieldsV1", "subresource"];

/// Fields of an owner's reference.
const OWNER: &[&str] = &["apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion"];

/// Fields that stand before others in Go's types, and their order.
const FIRST: &[&str] = &[
    "kind",
    "apiVersion",
    "metadata",
    "name",
    "cluster",
    "user",
    "username",
    "generateName",
    "namespace",
    "uid",
    "resourceVersion",
    "continue",
    "remainingItemCount",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "replicas",
    "image",
    "command",
    "args",
    "workingDir",
    "ports",
    "containerPort",
    "nodePort",
    "port",
    "protocol",
    "targetPort",
    "env",
    "envFrom",
    "key",
    "value",
    "selector",
    "template",
    "spec",
    "volumes",
    "initContainers",
    "containers",
    "restartPolicy",
    "terminationGracePeriodSeconds",
    "dnsPolicy",
    "resources",
    "labels",
    "annotations",
    "clusterIP",
    "type",
    "strategy",
    "schedule",
    "jobTemplate",
    "verbs",
    "apiGroups",
    "data",
    "subjects",
    "roleRef",
    "status",
    "clusters",
    "users",
    "contexts",
    "server",
    "tls-server-name",
    "insecure-skip-tls-verify",
    "certificate-authority",
    "certificate-authority-data",
    "proxy-url",
];

/// In which order a map's fields are written.
#[derive(Clone, Copy)]
enum Order {
    /// By name.
    Sorted,
    /// As [`FIRST`] has them, others by name.
    Typed,
    /// As a list has them, others by name.
    Listed(&'static [&'static str]),
}

impl Order {
    /// The order of a map, where its kind decides.
    fn of(self, map: &Map<String, Value>) -> Self {
        match self {
            Order::Typed if map.get("kind").is_some_and(|kind| kind == "Status") => {
                Order::Listed(STATUS)
            }
            order => order,
        }
    }

    /// The order of what a field holds.
    fn below(self, key: &str) -> Self {
        match (self, key) {
            (Order::Listed(_), "details") => Order::Listed(DETAILS),
            (Order::Typed, "managedFields") => Order::Listed(ENTRY),
            (Order::Typed, "ownerReferences") => Order::Listed(OWNER),
            (Order::Listed(_), "fieldsV1") => Order::Sorted,
            _ => self,
        }
    }

    fn place(self, key: &str) -> usize {
        match self {
            Order::Sorted => 0,
            Order::Typed => places().get(key).copied().unwrap_or(FIRST.len()),
            Order::Listed(list) => list.iter().position(|f| *f == key).unwrap_or(list.len()),
        }
    }
}

fn places() -> &'static BTreeMap<&'static str, usize> {
    static PLACES: OnceLock<BTreeMap<&'static str, usize>> = OnceLock::new();
    PLACES.get_or_init(|| FIRST.iter().enumerate().map(|(place, key)| (*key, place)).collect())
}

fn line(indent: Option<usize>, depth: usize, out: &mut String) {
    if let Some(step) = indent {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', step * depth));
    }
}

fn write(v: &Value, indent: Option<usize>, depth: usize, out: &mut String) {
    write_ordered(v, indent, depth, Order::Sorted, out);
}

fn write_ordered(v: &Value, indent: Option<usize>, depth: usize, order: Order, out: &mut String) {
    match v {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(n) => match n.as_f64() {
            Some(f) if n.is_f64() => out.push_str(&gofmt::float_json(f)),
            _ => out.push_str(&n.to_string()),
        },
        Value::String(s) => string(s, out),
        Value::Array(items) if items.is_empty() => out.push_str("[]"),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                line(indent, depth + 1, out);
                write_ordered(item, indent, depth + 1, order, out);
            }
            line(indent, depth, out);
            out.push(']');
        }
        Value::Object(map) if map.is_empty() => out.push_str("{}"),
        Value::Object(map) => {
            let order = order.of(map);
            out.push('{');
            let mut first = true;
            let mut field = |key: &str, item: &Value, out: &mut String| {
                if !std::mem::take(&mut first) {
                    out.push(',');
                }
                line(indent, depth + 1, out);
                string(key, out);
                out.push_str(if indent.is_some() { ": " } else { ":" });
                write_ordered(item, indent, depth + 1, order.below(key), out);
            };
            if matches!(order, Order::Sorted) {
                map.iter().for_each(|(key, item)| field(key, item, out));
            } else {
                let mut items: Vec<(usize, &String, &Value)> =
                    map.iter().map(|(key, item)| (order.place(key), key, item)).collect();
                items.sort_by_key(|(place, ..)| *place);
                items.into_iter().for_each(|(_, key, item)| field(key, item, out));
            }
            line(indent, depth, out);
            out.push('}');
        }
    }
}

/// A string in quotes with Go's escapes.
pub fn string(s: &str, out: &mut String) {
    out.push('"');
    // What needs no escape is copied in one piece.
    let mut rest = s;
    while let Some(at) = rest.bytes().position(is_special) {
        let (plain, from) = rest.split_at(at);
        out.push_str(plain);
        let mut chars = from.chars();
        if let Some(c) = chars.next() {
            escape(c, out);
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

/// Whether a byte begins a character that may be written otherwise.
fn is_special(byte: u8) -> bool {
    byte < 0x20 || matches!(byte, b'"' | b'\\' | b'<' | b'>' | b'&' | 0xe2)
}

fn escape(c: char, out: &mut String) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        c if (c as u32) < 0x20 || matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}') => {
            out.push_str(&format!("\\u{:04x}", c as u32));
        }
        c => out.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn prints_as_go() {
        let v = json!({"b": [1, {}], "a": "<x> & \"y\"\t\u{1}", "c": []});
        assert_eq!(compact(&v), r#"{"a":"\u003cx\u003e \u0026 \"y\"\t\u0001","b":[1,{}],"c":[]}"#);
        assert_eq!(pretty(&json!({"a": [1]})), "{\n    \"a\": [\n        1\n    ]\n}");
        let text = "€ \u{2028}é–";
        assert_eq!(compact(&text.into()), "\"€ \\u2028é–\"");
        let status = json!({"code": 1, "details": {"kind": "k", "group": "g", "name": "n",
            "causes": [{"field": "f", "message": "m", "reason": "r"}]}, "reason": "R",
            "message": "m", "status": "Failure", "metadata": {}, "apiVersion": "v1",
            "kind": "Status"});
        assert_eq!(
            compact_typed(&status),
            r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"m","reason":"R","details":{"name":"n","group":"g","kind":"k","causes":[{"reason":"r","message":"m","field":"f"}]},"code":1}"#
        );
    }
}
