//! JSON text as Go's encoder writes it: sorted keys, `<`, `>` and `&` escaped, floats in its form.

use serde_json::Value;

use super::gofmt;

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
    write_ordered(v, Some(step), 0, true, &mut out);
    out
}

/// [`pretty_typed`] on one line, as servers answer.
pub fn compact_typed(v: &Value) -> String {
    let mut out = String::new();
    write_ordered(v, None, 0, true, &mut out);
    out
}

/// Fields that stand before others in Go's types, and their order.
const FIRST: &[&str] = &[
    "kind",
    "apiVersion",
    "metadata",
    "name",
    "generateName",
    "namespace",
    "uid",
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
];

fn line(indent: Option<usize>, depth: usize, out: &mut String) {
    if let Some(step) = indent {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', step * depth));
    }
}

fn write(v: &Value, indent: Option<usize>, depth: usize, out: &mut String) {
    write_ordered(v, indent, depth, false, out);
}

fn write_ordered(v: &Value, indent: Option<usize>, depth: usize, typed: bool, out: &mut String) {
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
                write_ordered(item, indent, depth + 1, typed, out);
            }
            line(indent, depth, out);
            out.push(']');
        }
        Value::Object(map) if map.is_empty() => out.push_str("{}"),
        Value::Object(map) => {
            out.push('{');
            let mut items: Vec<(&String, &Value)> = map.iter().collect();
            if typed {
                let place = |k: &str| FIRST.iter().position(|f| *f == k).unwrap_or(FIRST.len());
                items.sort_by_key(|(k, _)| place(k));
            }
            for (i, (key, item)) in items.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                line(indent, depth + 1, out);
                string(key, out);
                out.push_str(if indent.is_some() { ": " } else { ":" });
                write_ordered(item, indent, depth + 1, typed, out);
            }
            line(indent, depth, out);
            out.push('}');
        }
    }
}

/// A string in quotes with Go's escapes.
pub fn string(s: &str, out: &mut String) {
    out.push('"');
    for c in s.chars() {
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
    out.push('"');
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
    }
}
