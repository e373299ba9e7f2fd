//! The functions of Go templates, and kubectl's own. Models `text/template/funcs.go`.

use serde_json::Value;

use crate::api::{base64, gofmt};

const NAMES: &[&str] = &[
    "and",
    "base64decode",
    "eq",
    "exists",
    "ge",
    "gt",
    "html",
    "index",
    "js",
    "le",
    "len",
    "lt",
    "ne",
    "not",
    "or",
    "print",
    "printf",
    "println",
    "slice",
    "urlquery",
];

/// Whether there is such a function.
pub(super) fn known(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Go's truth: not zero, not empty.
pub(super) fn truth(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(b) => *b,
        Value::Number(n) => n.as_f64() != Some(0.0),
        Value::String(s) => !s.is_empty(),
        Value::Array(a) => !a.is_empty(),
        Value::Object(m) => !m.is_empty(),
    }
}

/// A value as an action prints it.
pub(super) fn show(value: &Value) -> String {
    match value {
        // Numbers of objects are floats to the template engine.
        Value::Number(n) => n.as_f64().map_or_else(|| n.to_string(), gofmt::float_g),
        Value::Null => "<no value>".into(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(inner).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object(map) => {
            let items: Vec<String> = map.iter().map(|(k, v)| format!("{k}:{}", inner(v))).collect();
            format!("map[{}]", items.join(" "))
        }
        other => gofmt::value(other),
    }
}

fn inner(value: &Value) -> String {
    if value.is_null() { "<nil>".into() } else { show(value) }
}

/// Calls a function. `and` and `or` are evaluated by the caller, who stops early.
pub(super) fn call(name: &str, args: &[Value]) -> Result<Value, String> {
    let need = |n: usize| {
        if args.len() == n {
            Ok(())
        } else {
            Err(format!("wrong number of args for {name}: want {n} got {}", args.len()))
        }
    };
    let at_least = |n: usize| {
        if args.len() >= n {
            Ok(())
        } else {
            Err(format!("wrong number of args for {name}: want at least {n} got {}", args.len()))
        }
    };
    match name {
        "not" => need(1).map(|()| (!truth(&args[0])).into()),
        "len" => {
            need(1)?;
            let n = match &args[0] {
                Value::String(s) => s.len(),
                Value::Array(a) => a.len(),
                Value::Object(m) => m.len(),
                Value::Null => return Err("error calling len: len of nil pointer".into()),
                other => return Err(format!("error calling len: len of type {}", kind(other))),
            };
            Ok(n.into())
        }
        "index" => {
            at_least(1)?;
            args[1..].iter().try_fold(args[0].clone(), index)
        }
        "slice" => {
            at_least(1)?;
            slice(args)
        }
        "print" => {
            let texts: Vec<String> = args.iter().map(inner).collect();
            // Go puts blanks between operands when neither is a string.
            let mut out = String::new();
            for (i, text) in texts.iter().enumerate() {
                if i > 0 && !args[i].is_string() && !args[i - 1].is_string() {
                    out.push(' ');
                }
                out.push_str(text);
            }
            Ok(out.into())
        }
        "println" => {
            let texts: Vec<String> = args.iter().map(inner).collect();
            Ok((texts.join(" ") + "\n").into())
        }
        "printf" => {
            at_least(1)?;
            let format = args[0].as_str().ok_or("wrong type for value; expected string")?;
            Ok(printf(format, &args[1..]).into())
        }
        "eq" | "ne" | "lt" | "le" | "gt" | "ge" => compare(name, args),
        "html" => Ok(text(args)
            .replace('&', "&amp;")
            .replace('\'', "&#39;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&#34;")
            .into()),
        "js" => {
            let text = text(args);
            Ok(text.replace('\\', "\\\\").replace('\'', "\\'").replace('"', "\\\"").into())
        }
        "urlquery" => Ok(query(&text(args)).into()),
        "exists" => {
            at_least(1)?;
            let mut here = &args[0];
            for key in &args[1..] {
                let next = match key {
                    Value::String(k) => here.get(k),
                    Value::Number(n) => n.as_u64().and_then(|i| here.get(i as usize)),
                    _ => None,
                };
                match next {
                    Some(value) => here = value,
                    None => return Ok(false.into()),
                }
            }
            Ok(true.into())
        }
        "base64decode" => {
            need(1)?;
            let text = args[0].as_str().ok_or("wrong type for value; expected string")?;
            let bytes = base64::decode(text)
                .ok_or("error calling base64decode: base64 decode failed: illegal base64 data")?;
            Ok(String::from_utf8_lossy(&bytes).into_owned().into())
        }
        other => Err(format!("function \"{other}\" not defined")),
    }
}

fn text(args: &[Value]) -> String {
    args.iter().map(inner).collect()
}

fn query(text: &str) -> String {
    let mut out = String::new();
    for b in text.bytes() {
        match b {
            b' ' => out.push('+'),
            b if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) => out.push(b as char),
            b => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nil",
        Value::Bool(_) => "bool",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

fn index(value: Value, key: &Value) -> Result<Value, String> {
    match (value, key) {
        (Value::Object(mut map), Value::String(key)) => Ok(map.remove(key).unwrap_or(Value::Null)),
        (Value::Array(mut items), Value::Number(n)) => {
            let at = n.as_f64().unwrap_or(-1.0);
            if at < 0.0 || at as usize >= items.len() {
                return Err(format!("error calling index: reflect: slice index out of range: {n}"));
            }
            Ok(items.swap_remove(at as usize))
        }
        (Value::Null, _) => Err("error calling index: index of untyped nil".into()),
        (Value::Object(_), _) => {
            let key = kind(key);
            Err(format!("error calling index: value has type {key}; should be string"))
        }
        (Value::Array(_), key) => {
            Err(format!("error calling index: cannot index slice/array with type {}", kind(key)))
        }
        (value, _) => {
            Err(format!("error calling index: can't index item of type {}", kind(&value)))
        }
    }
}

fn slice(args: &[Value]) -> Result<Value, String> {
    let bound = |i: usize, default: usize| {
        args.get(i).and_then(Value::as_f64).map_or(default, |f| f.max(0.0) as usize)
    };
    let out = || "error calling slice: index out of range".to_owned();
    match &args[0] {
        Value::String(s) => {
            let (from, to) = (bound(1, 0), bound(2, s.len()));
            s.get(from..to).map(Value::from).ok_or_else(out)
        }
        Value::Array(a) => {
            let (from, to) = (bound(1, 0), bound(2, a.len()));
            a.get(from..to).map(|s| Value::Array(s.to_vec())).ok_or_else(out)
        }
        other => Err(format!("error calling slice: can't slice item of type {}", kind(other))),
    }
}

fn compare(name: &str, args: &[Value]) -> Result<Value, String> {
    use std::cmp::Ordering;
    let order = |a: &Value, b: &Value| -> Result<Option<Ordering>, String> {
        match (a, b) {
            (Value::Number(a), Value::Number(b)) => Ok(a.as_f64().partial_cmp(&b.as_f64())),
            (Value::String(a), Value::String(b)) => Ok(Some(a.cmp(b))),
            (Value::Bool(a), Value::Bool(b)) if matches!(name, "eq" | "ne") => Ok(Some(a.cmp(b))),
            (Value::Bool(_), Value::Bool(_)) => {
                Err(format!("error calling {name}: invalid type for comparison"))
            }
            (Value::Null, Value::Null) => Ok(Some(Ordering::Equal)),
            (Value::Null, _) | (_, Value::Null) if matches!(name, "eq" | "ne") => {
                Ok(Some(Ordering::Less))
            }
            _ => Err(format!("error calling {name}: incompatible types for comparison")),
        }
    };
    let Some((first, rest)) = args.split_first().filter(|(_, r)| !r.is_empty()) else {
        return Err(format!("error calling {name}: missing argument for comparison"));
    };
    if name == "eq" {
        for other in rest {
            if order(first, other)? == Some(Ordering::Equal) {
                return Ok(true.into());
            }
        }
        return Ok(false.into());
    }
    let result = order(first, &rest[0])?;
    Ok(match name {
        "ne" => result != Some(Ordering::Equal),
        "lt" => result == Some(Ordering::Less),
        "le" => matches!(result, Some(Ordering::Less | Ordering::Equal)),
        "gt" => result == Some(Ordering::Greater),
        _ => matches!(result, Some(Ordering::Greater | Ordering::Equal)),
    }
    .into())
}

/// `fmt.Sprintf` for the verbs that templates use: v, s, q, d, f, t, x and widths.
pub(super) fn printf(format: &str, args: &[Value]) -> String {
    let mut out = String::new();
    let mut args = args.iter();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut flags = String::new();
        while let Some(&c) = chars.peek().filter(|c| "+-# 0".contains(**c)) {
            flags.push(c);
            chars.next();
        }
        let mut number = |stop: bool| {
            let mut digits = String::new();
            while let Some(&c) = chars.peek().filter(|c| c.is_ascii_digit()) {
                digits.push(c);
                chars.next();
            }
            let dot = stop && chars.peek() == Some(&'.');
            if dot {
                chars.next();
            }
            (digits.parse::<usize>().ok().map(|n| n.min(1_000)), dot)
        };
        let (width, dot) = number(true);
        let precision = if dot { Some(number(false).0.unwrap_or(0)) } else { None };
        let Some(verb) = chars.next() else {
            out.push_str("%!(NOVERB)");
            break;
        };
        if verb == '%' {
            out.push('%');
            continue;
        }
        let Some(arg) = args.next() else {
            out.push_str(&format!("%!{verb}(MISSING)"));
            continue;
        };
        let text = one(verb, precision, &flags, arg);
        let pad = width.unwrap_or(0).saturating_sub(text.chars().count());
        let fill = if flags.contains('0') && arg.is_number() { "0" } else { " " };
        if flags.contains('-') {
            out.push_str(&text);
            out.push_str(&" ".repeat(pad));
        } else {
            out.push_str(&fill.repeat(pad));
            out.push_str(&text);
        }
    }
    let extra: Vec<String> = args.map(|a| format!("{}={}", kind(a), inner(a))).collect();
    if !extra.is_empty() {
        out.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    out
}

fn one(verb: char, precision: Option<usize>, flags: &str, arg: &Value) -> String {
    let wrong = || format!("%!{verb}({}={})", kind(arg), inner(arg));
    match (verb, arg) {
        ('v', _) if flags.contains('#') => gofmt::syntax(arg),
        ('v', _) => inner(arg),
        ('s', Value::Number(_) | Value::Bool(_)) => wrong(),
        ('s', Value::Null) => "%!s(<nil>)".into(),
        ('s', Value::String(s)) => match precision {
            Some(n) => s.chars().take(n).collect(),
            None => s.clone(),
        },
        ('s', other) => inner(other),
        ('q', Value::String(s)) => gofmt::quote(s),
        ('d', Value::Number(n)) if n.is_i64() || n.is_u64() => n.to_string(),
        ('f' | 'F', Value::Number(n)) => {
            format!("{:.*}", precision.unwrap_or(6), n.as_f64().unwrap_or(0.0))
        }
        ('g', Value::Number(n)) => gofmt::float_g(n.as_f64().unwrap_or(0.0)),
        ('t', Value::Bool(b)) => b.to_string(),
        ('x', Value::String(s)) => s.bytes().map(|b| format!("{b:02x}")).collect(),
        ('x', Value::Number(n)) if n.is_i64() => format!("{:x}", n.as_i64().unwrap_or(0)),
        ('T', other) => kind(other).into(),
        _ => wrong(),
    }
}
