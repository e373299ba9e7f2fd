//! How Go prints values: `%v`, `%q`, floats. Kubernetes' messages are full of them.
//!
//! Not a printf: `programs/kubectl/print/gotemplate` has that.

use serde_json::Value;

/// A float as `strconv.FormatFloat(f, 'g', -1, 64)` gives it, which is also what `%v` prints.
pub fn float_g(f: f64) -> String {
    float(f, 6)
}

/// A float as `encoding/json` writes it: exponents only below 1e-6 and from 1e21 on.
pub fn float_json(f: f64) -> String {
    let size = f.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let (sign, digits, exp) = decompose(f);
        let mut text = mantissa(sign, &digits);
        text.push_str(&format!("e{}{}", if exp < 0 { '-' } else { '+' }, exp.abs()));
        return text;
    }
    format!("{f}")
}

fn float(f: f64, limit: i32) -> String {
    if f.is_nan() {
        return "NaN".into();
    }
    if f.is_infinite() {
        return if f > 0.0 { "+Inf" } else { "-Inf" }.into();
    }
    let (sign, digits, exp) = decompose(f);
    if f != 0.0 && (exp < -4 || exp >= limit.max(if digits.len() > 21 { 21 } else { limit })) {
        let mut text = mantissa(sign, &digits);
        text.push_str(&format!("e{}{:02}", if exp < 0 { '-' } else { '+' }, exp.abs()));
        return text;
    }
    format!("{f}")
}

fn decompose(f: f64) -> (bool, String, i32) {
    let text = format!("{:e}", f.abs());
    let (mantissa, exp) = text.split_once('e').unwrap_or((&text, "0"));
    (f.is_sign_negative(), mantissa.replace('.', ""), exp.parse().unwrap_or(0))
}

fn mantissa(negative: bool, digits: &str) -> String {
    let mut text = String::from(if negative { "-" } else { "" });
    let (first, rest) = digits.split_at(1.min(digits.len()));
    text.push_str(first);
    if !rest.is_empty() {
        text.push('.');
        text.push_str(rest);
    }
    text
}

/// A string as `%q` prints it.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => {
                out.push_str(&format!("\\x{:02x}", c as u32));
            }
            c if !printable(c) && (c as u32) < 0x1_0000 => {
                out.push_str(&format!("\\u{:04x}", c as u32));
            }
            c if !printable(c) => out.push_str(&format!("\\U{:08x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// About `unicode.IsPrint`: control and format characters and odd blanks are not.
pub fn printable(c: char) -> bool {
    !(c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(c as u32, 0xad | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f | 0xfeff
            | 0xfff9..=0xfffb | 0xe000..=0xf8ff | 0xfffe | 0xffff))
}

/// A JSON value as `%v` prints Go's decoded form of it: `map[a:1 b:[x y]]`, `<nil>`.
pub fn value(v: &Value) -> String {
    let mut out = String::new();
    write_value(v, &mut out);
    out
}

fn write_value(v: &Value, out: &mut String) {
    match v {
        Value::Null => out.push_str("<nil>"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(n) => out.push_str(&number(n)),
        Value::String(s) => out.push_str(s),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(' ');
                }
                write_value(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push_str("map[");
            let mut keys: Vec<_> = map.iter().collect();
            keys.sort_by(|a, b| a.0.cmp(b.0));
            for (i, (key, item)) in keys.into_iter().enumerate() {
                if i > 0 {
                    out.push(' ');
                }
                out.push_str(key);
                out.push(':');
                write_value(item, out);
            }
            out.push(']');
        }
    }
}

/// A JSON value as `%#v` prints Go's decoded form of it.
pub fn syntax(v: &Value) -> String {
    match v {
        Value::Null => "interface {}(nil)".into(),
        Value::String(s) => quote(s),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(syntax).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        Value::Object(map) => {
            let items: Vec<String> =
                map.iter().map(|(k, v)| format!("{}:{}", quote(k), syntax(v))).collect();
            format!("map[string]interface {{}}{{{}}}", items.join(", "))
        }
        other => value(other),
    }
}

/// A JSON number as `%v` prints it.
pub fn number(n: &serde_json::Number) -> String {
    match (n.as_i64(), n.as_u64(), n.as_f64()) {
        (Some(i), ..) => i.to_string(),
        (None, Some(u), _) => u.to_string(),
        (_, _, Some(f)) => float_g(f),
        _ => n.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn floats_print_as_go_prints_them() {
        let table = [
            (1.5, "1.5", "1.5"),
            (1e6, "1e+06", "1000000"),
            (123456.0, "123456", "123456"),
            (1e-5, "1e-05", "0.00001"),
            (1.25e-7, "1.25e-07", "1.25e-7"),
            (0.0, "0", "0"),
            (-2.5e21, "-2.5e+21", "-2.5e+21"),
        ];
        for (f, g, j) in table {
            assert_eq!((float_g(f), float_json(f)), (g.to_string(), j.to_string()));
        }
    }

    #[test]
    fn values_print_as_go_prints_them() {
        let v = json!({"b": [1, "x", null], "a": {"c": true, "d": 1.5}});
        assert_eq!(value(&v), "map[a:map[c:true d:1.5] b:[1 x <nil>]]");
        assert_eq!(quote("a\"\n\u{1}é"), "\"a\\\"\\n\\x01é\"");
    }
}
