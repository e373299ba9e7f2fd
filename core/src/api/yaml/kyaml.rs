//! KYAML: YAML in braces and quotes, as `-o kyaml` prints it.
//!
//! Models `sigs.k8s.io/yaml/kyaml.Encoder`.

use serde_json::Value;

use super::resolve;
use crate::api::gofmt;

/// A value as KYAML, with its `---` and a line end.
pub fn to_kyaml(value: &Value) -> String {
    let mut out = String::from("---\n");
    node(value, 0, &mut out);
    out.push('\n');
    out
}

fn indent(n: usize, out: &mut String) {
    out.extend(std::iter::repeat_n("  ", n));
}

fn node(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(n) => out.push_str(&gofmt::number(n)),
        Value::String(s) => string(s, depth + 1, out),
        Value::Array(items) if items.is_empty() => out.push_str("[]"),
        Value::Array(items) if items.iter().all(|i| i.is_array() || i.is_object()) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                node(item, depth, out);
            }
            out.push(']');
        }
        Value::Array(items) => {
            out.push_str("[\n");
            for item in items {
                indent(depth + 1, out);
                node(item, depth + 1, out);
                out.push_str(",\n");
            }
            indent(depth, out);
            out.push(']');
        }
        Value::Object(map) if map.is_empty() => out.push_str("{}"),
        Value::Object(map) => {
            out.push_str("{\n");
            for (key, item) in map {
                indent(depth + 1, out);
                if needs_quotes(key) {
                    out.push('"');
                    key.chars().for_each(|c| escape(c, true, out));
                    out.push('"');
                } else {
                    out.push_str(key);
                }
                out.push_str(": ");
                node(item, depth + 1, out);
                out.push_str(",\n");
            }
            indent(depth, out);
            out.push('}');
        }
    }
}

fn string(s: &str, depth: usize, out: &mut String) {
    let multi = s.contains('\n');
    out.push('"');
    if multi {
        out.push_str("\\\n");
    }
    for c in s.chars() {
        if out.ends_with('\n') {
            indent(depth, out);
            // Blanks that begin a line would be lost without the backslash.
            out.push(if c.is_whitespace() && c != '\n' { '\\' } else { ' ' });
        }
        escape(c, false, out);
    }
    if multi {
        if !out.ends_with('\n') {
            out.push_str("\\\n");
        }
        indent(depth, out);
    }
    out.push('"');
}

fn escape(c: char, compact: bool, out: &mut String) {
    match c {
        '\n' if compact => out.push_str("\\n"),
        '\n' => out.push_str("\\n\\\n"),
        '\t' if compact => out.push_str("\\t"),
        '\t' => out.push('\t'),
        '"' | '\\' => {
            out.push('\\');
            out.push(c);
        }
        c if gofmt::printable(c) => out.push(c),
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\r' => out.push_str("\\r"),
        '\x0b' => out.push_str("\\v"),
        '\0' => out.push_str("\\0"),
        '\x1b' => out.push_str("\\e"),
        '\u{85}' => out.push_str("\\N"),
        '\u{a0}' => out.push_str("\\_"),
        '\u{2028}' => out.push_str("\\L"),
        '\u{2029}' => out.push_str("\\P"),
        c if (c as u32) < 0x80 => out.push_str(&format!("\\x{:02x}", c as u32)),
        c if (c as u32) < 0x1_0000 => out.push_str(&format!("\\u{:04x}", c as u32)),
        c => out.push_str(&format!("\\U{:08x}", c as u32)),
    }
}

fn needs_quotes(s: &str) -> bool {
    let ambiguous = resolve::plain(s) != resolve::Scalar::Str
        || resolve::base60(s)
        || matches!(s, "t" | "T" | "f" | "F");
    let last = s.chars().count().saturating_sub(1);
    ambiguous
        || !s.chars().enumerate().all(|(i, c)| {
            c.is_alphanumeric() || c == '_' || (i > 0 && i < last && matches!(c, '-' | '.' | '/'))
        })
}
