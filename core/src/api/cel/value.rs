//! Values of expressions.

use std::{cmp::Ordering, net::IpAddr, rc::Rc};

use serde_json::{Map, Number, Value};

use crate::api::{base64, gofmt, quantity::Amount};

/// A value.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Val {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Str(Rc<str>),
    Bytes(Rc<[u8]>),
    List(Rc<[Val]>),
    /// In the order of keys as they came.
    Map(Rc<[(Val, Val)]>),
    /// A map in which a key that is missing stands for an empty map.
    Sparse(Rc<[(Val, Val)]>),
    /// Nanoseconds.
    Duration(i64),
    /// Nanoseconds since 1970.
    Timestamp(i128),
    Quantity(Amount),
    Ip(IpAddr),
    Cidr(IpAddr, u8),
    Url(Rc<str>),
    Semver(u64, u64, u64, Rc<str>),
    Optional(Option<Rc<Val>>),
    /// A named format of texts.
    Format(&'static str),
    Type(&'static str),
}

impl From<&str> for Val {
    fn from(text: &str) -> Val {
        Val::Str(text.into())
    }
}

impl From<String> for Val {
    fn from(text: String) -> Val {
        Val::Str(text.into())
    }
}

impl From<bool> for Val {
    fn from(is: bool) -> Val {
        Val::Bool(is)
    }
}

impl From<Vec<Val>> for Val {
    fn from(list: Vec<Val>) -> Val {
        Val::List(list.into())
    }
}

impl Val {
    /// A map that holds nothing.
    pub fn empty_map() -> Val {
        Val::Map(Rc::from([]))
    }

    /// A version (`1.2.3-rc.1`); `None` if the text is none.
    pub fn semver(text: &str) -> Option<Val> {
        super::methods::semver(text)
    }

    /// From JSON.
    pub fn of(value: &Value) -> Val {
        Val::of_schema(value, &Value::Null)
    }

    /// From JSON that a schema describes: times, durations and bytes are what they mean.
    pub fn of_schema(value: &Value, schema: &Value) -> Val {
        match value {
            Value::Null => Val::Null,
            Value::Bool(is) => Val::Bool(*is),
            Value::Number(n) => {
                let wants_double = schema.get("type").is_some_and(|t| t == "number");
                match n.as_i64().filter(|_| !wants_double) {
                    Some(n) => Val::Int(n),
                    None => Val::Double(n.as_f64().unwrap_or_default()),
                }
            }
            Value::String(text) => {
                let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
                let known = match format {
                    "date-time" | "date" => timestamp(text),
                    "duration" => crate::api::duration::parse_go(text).ok().map(Val::Duration),
                    "byte" => base64::decode(text).map(|bytes| Val::Bytes(bytes.into())),
                    _ => None,
                };
                known.unwrap_or_else(|| Val::Str(text.as_str().into()))
            }
            Value::Array(items) => {
                let of = schema.get("items").unwrap_or(&Value::Null);
                Val::List(items.iter().map(|item| Val::of_schema(item, of)).collect())
            }
            Value::Object(map) => {
                let own = schema.get("properties");
                let others = schema.get("additionalProperties").unwrap_or(&Value::Null);
                let of = |key: &str| own.and_then(|p| p.get(key)).unwrap_or(others);
                let entry = |(key, item): (&String, &Value)| {
                    (Val::from(key.as_str()), Val::of_schema(item, of(key)))
                };
                Val::Map(map.iter().map(entry).collect())
            }
        }
    }

    /// As JSON; what JSON does not know is text.
    pub fn to_json(&self) -> Value {
        match self {
            Val::Null => Value::Null,
            Val::Bool(is) => Value::Bool(*is),
            Val::Int(n) => Value::from(*n),
            Val::Uint(n) => Value::from(*n),
            Val::Double(n) => Number::from_f64(*n).map_or(Value::Null, Value::Number),
            Val::Bytes(bytes) => Value::String(base64::encode(bytes)),
            Val::List(items) => Value::Array(items.iter().map(Val::to_json).collect()),
            Val::Map(entries) | Val::Sparse(entries) => {
                let entry = |(key, value): &(Val, Val)| (key.text(), value.to_json());
                Value::Object(entries.iter().map(entry).collect::<Map<_, _>>())
            }
            Val::Optional(Some(inner)) => inner.to_json(),
            Val::Optional(None) => Value::Null,
            other => Value::String(other.text()),
        }
    }

    /// The name of its type.
    pub fn type_name(&self) -> &'static str {
        match self {
            Val::Null => "null_type",
            Val::Bool(_) => "bool",
            Val::Int(_) => "int",
            Val::Uint(_) => "uint",
            Val::Double(_) => "double",
            Val::Str(_) => "string",
            Val::Bytes(_) => "bytes",
            Val::List(_) => "list",
            Val::Map(_) | Val::Sparse(_) => "map",
            Val::Duration(_) => "google.protobuf.Duration",
            Val::Timestamp(_) => "google.protobuf.Timestamp",
            Val::Quantity(_) => "kubernetes.Quantity",
            Val::Ip(_) => "net.IP",
            Val::Cidr(..) => "net.CIDR",
            Val::Url(_) => "kubernetes.URL",
            Val::Semver(..) => "kubernetes.Semver",
            Val::Optional(_) => "optional_type",
            Val::Format(_) => "kubernetes.NamedFormat",
            Val::Type(_) => "type",
        }
    }

    /// As `string()` writes it.
    pub fn text(&self) -> String {
        match self {
            Val::Null => "null".into(),
            Val::Bool(is) => is.to_string(),
            Val::Int(n) => n.to_string(),
            Val::Uint(n) => n.to_string(),
            Val::Double(n) => gofmt::float_g(*n),
            Val::Str(text) | Val::Url(text) => text.to_string(),
            Val::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Val::Duration(nanos) => {
                let seconds = *nanos as f64 / 1e9;
                format!("{}s", gofmt::float_g(seconds))
            }
            Val::Timestamp(nanos) => {
                let time = jiff::Timestamp::from_nanosecond(*nanos);
                time.map_or_else(|_| String::new(), |t| t.to_string())
            }
            Val::Quantity(amount) => amount.to_string(),
            Val::Ip(ip) => ip.to_string(),
            Val::Cidr(ip, bits) => format!("{ip}/{bits}"),
            Val::Semver(a, b, c, pre) if pre.is_empty() => format!("{a}.{b}.{c}"),
            Val::Semver(a, b, c, pre) => format!("{a}.{b}.{c}-{pre}"),
            Val::Format(name) | Val::Type(name) => (*name).to_owned(),
            Val::List(_) | Val::Map(_) | Val::Sparse(_) | Val::Optional(_) => {
                self.to_json().to_string()
            }
        }
    }

    /// What a map holds under a key.
    pub fn get(&self, key: &Val) -> Option<&Val> {
        let (Val::Map(entries) | Val::Sparse(entries)) = self else { return None };
        entries.iter().find(|(own, _)| own.same(key)).map(|(_, value)| value)
    }

    /// What a map holds under a field's name, which may be written with escapes (`__dash__`).
    pub fn field(&self, name: &str) -> Option<&Val> {
        let (Val::Map(entries) | Val::Sparse(entries)) = self else { return None };
        let find = |wanted: &str| {
            let is = |key: &Val| matches!(key, Val::Str(text) if **text == *wanted);
            entries.iter().find(|(key, _)| is(key)).map(|(_, value)| value)
        };
        find(name).or_else(|| find(&unescape(name)).filter(|_| name.contains("__")))
    }

    /// Whether two values are equal; numbers of different types by what they are.
    pub fn same(&self, other: &Val) -> bool {
        match (self, other) {
            (Val::List(a), Val::List(b)) => {
                a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| a.same(b))
            }
            (Val::Map(a) | Val::Sparse(a), Val::Map(b) | Val::Sparse(b)) => {
                a.len() == b.len()
                    && a.iter().all(|(key, value)| other.get(key).is_some_and(|o| o.same(value)))
            }
            (Val::Null, Val::Null) => true,
            (Val::Bytes(a), Val::Bytes(b)) => a == b,
            (Val::Ip(a), Val::Ip(b)) => a == b,
            (Val::Cidr(a, m), Val::Cidr(b, n)) => (a, m) == (b, n),
            (Val::Url(a), Val::Url(b)) => a == b,
            (Val::Type(a), Val::Type(b)) | (Val::Format(a), Val::Format(b)) => a == b,
            (Val::Optional(a), Val::Optional(b)) => match (a, b) {
                (Some(a), Some(b)) => a.same(b),
                (a, b) => a.is_none() && b.is_none(),
            },
            _ => self.order(other) == Some(Ordering::Equal),
        }
    }

    /// Which comes first; `None` where that makes no sense.
    pub fn order(&self, other: &Val) -> Option<Ordering> {
        let number = |v: &Val| match v {
            Val::Int(n) => Some(*n as f64),
            Val::Uint(n) => Some(*n as f64),
            Val::Double(n) => Some(*n),
            _ => None,
        };
        match (self, other) {
            (Val::Int(a), Val::Int(b)) => Some(a.cmp(b)),
            (Val::Uint(a), Val::Uint(b)) => Some(a.cmp(b)),
            (Val::Bool(a), Val::Bool(b)) => Some(a.cmp(b)),
            (Val::Str(a), Val::Str(b)) => Some(a.cmp(b)),
            (Val::Bytes(a), Val::Bytes(b)) => Some(a.cmp(b)),
            (Val::Duration(a), Val::Duration(b)) => Some(a.cmp(b)),
            (Val::Timestamp(a), Val::Timestamp(b)) => Some(a.cmp(b)),
            (Val::Quantity(a), Val::Quantity(b)) => a.partial_cmp(b),
            (Val::Semver(a, b, c, p), Val::Semver(x, y, z, q)) => {
                // What comes before a version is lower than the version.
                let rank = |pre: &Rc<str>| (pre.is_empty(), pre.clone());
                Some((a, b, c, rank(p)).cmp(&(x, y, z, rank(q))))
            }
            _ => number(self)?.partial_cmp(&number(other)?),
        }
    }
}

/// A time as RFC 3339 writes it.
pub fn timestamp(text: &str) -> Option<Val> {
    let full = if text.contains('T') { text.to_owned() } else { format!("{text}T00:00:00Z") };
    full.parse::<jiff::Timestamp>().ok().map(|t| Val::Timestamp(t.as_nanosecond()))
}

/// Words that are no names of variables.
pub const RESERVED: &[&str] = &[
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// Names of fields that are no names of the language are escaped.
pub fn unescape(name: &str) -> String {
    const WORDS: &[(&str, &str)] =
        &[("__underscores__", "__"), ("__dot__", "."), ("__dash__", "-"), ("__slash__", "/")];
    let bare = name.strip_prefix("__").and_then(|n| n.strip_suffix("__"));
    if let Some(word) = bare.filter(|w| RESERVED.contains(w)) {
        return word.to_owned();
    }
    WORDS.iter().fold(name.to_owned(), |name, (from, to)| name.replace(from, to))
}
