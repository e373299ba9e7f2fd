//! Protobuf bodies become JSON: clients send objects in either form, `core` reads JSON.
//!
//! What messages hold is in `proto/types.txt`, made from the tags of Go's types. Only requests come
//! this way; answers are JSON, which every client that sends protobuf also accepts.
//!
//! Models `apimachinery/pkg/runtime/serializer/protobuf`.

use std::{collections::BTreeMap, sync::OnceLock};

use sandbar_core::api::base64;
use serde_json::{Map, Value};

/// The media type.
pub const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";
/// What every message begins with.
const MAGIC: &[u8] = b"k8s\0";
/// How deep messages may be nested.
const DEEPEST: usize = 64;

/// What a field holds.
#[derive(Clone, Debug)]
enum Type {
    Text,
    Bool,
    Number,
    Float,
    Bytes,
    Time,
    Duration,
    Quantity,
    IntOrString,
    Raw,
    /// A message that holds nothing but a list of texts.
    Items,
    Message(&'static str),
}

#[derive(Clone, Debug)]
struct Field {
    name: &'static str,
    list: bool,
    map: bool,
    /// Told although it is zero.
    pointer: bool,
    of: Type,
}

type Messages = BTreeMap<&'static str, BTreeMap<u64, Field>>;

fn messages() -> &'static Messages {
    static MESSAGES: OnceLock<Messages> = OnceLock::new();
    MESSAGES.get_or_init(|| {
        let mut all = Messages::new();
        let mut current = "";
        for line in include_str!("../proto/types.txt").lines().filter(|l| !l.starts_with('#')) {
            let Some(line) = line.strip_prefix(' ') else {
                current = line;
                continue;
            };
            let mut words = line.split(' ');
            let (Some(number), Some(name), Some(of)) = (words.next(), words.next(), words.next())
            else {
                continue;
            };
            if let Ok(number) = number.parse() {
                all.entry(current).or_default().insert(number, field(name, of));
            }
        }
        all
    })
}

fn field(name: &'static str, mut of: &'static str) -> Field {
    let mut mark = |mark: &str| {
        let rest = of.strip_prefix(mark);
        of = rest.unwrap_or(of);
        rest.is_some()
    };
    let (pointer, list, map) = (mark("*"), mark("[]"), mark("{}"));
    let of = match of {
        "string" => Type::Text,
        "bool" => Type::Bool,
        "int32" | "int64" => Type::Number,
        "float64" => Type::Float,
        "bytes" => Type::Bytes,
        "time" => Type::Time,
        "duration" => Type::Duration,
        "quantity" => Type::Quantity,
        "intorstring" => Type::IntOrString,
        "raw" => Type::Raw,
        "items" => Type::Items,
        message => Type::Message(message),
    };
    Field { name, list, map, pointer, of }
}

/// A value as it is on the wire.
enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// A message, read field by field.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    /// The next field; `Ok(None)` at the end.
    fn field(&mut self) -> Result<Option<(u64, Wire<'a>)>, String> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let short = || "unexpected EOF".to_owned();
        let tag = self.varint().ok_or_else(short)?;
        let value = match tag & 7 {
            0 => Wire::Number(self.varint().ok_or_else(short)?),
            1 => {
                let bytes = self.take(8).and_then(|b| b.first_chunk::<8>()).ok_or_else(short)?;
                Wire::Number(u64::from_le_bytes(*bytes))
            }
            2 => {
                let length = self.varint().and_then(|n| usize::try_from(n).ok());
                Wire::Bytes(length.and_then(|n| self.take(n)).ok_or_else(short)?)
            }
            5 => {
                let bytes = self.take(4).and_then(|b| b.first_chunk::<4>()).ok_or_else(short)?;
                Wire::Number(u64::from(u32::from_le_bytes(*bytes)))
            }
            other => return Err(format!("proto: illegal wireType {other}")),
        };
        Ok(Some((tag >> 3, value)))
    }
}

fn text(bytes: &[u8]) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| "proto: a string is no UTF-8".into())
}

/// A body as JSON, with its `apiVersion` and `kind`.
///
/// # Errors
/// In words, where it is no message of the API.
pub fn to_json(body: &[u8]) -> Result<Value, String> {
    let body = body.strip_prefix(MAGIC).ok_or(
        "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]",
    )?;
    let (mut version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    let mut reader = Reader(body);
    while let Some((number, value)) = reader.field()? {
        match (number, value) {
            (1, Wire::Bytes(bytes)) => {
                let mut reader = Reader(bytes);
                while let Some((number, value)) = reader.field()? {
                    match (number, value) {
                        (1, Wire::Bytes(bytes)) => version = text(bytes)?,
                        (2, Wire::Bytes(bytes)) => kind = text(bytes)?,
                        _ => {}
                    }
                }
            }
            (2, Wire::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let (name, fields) = find(&version, &kind)
        .ok_or_else(|| format!("no kind {kind:?} is registered for version {version:?}"))?;
    let _ = name;
    let mut map = Map::new();
    message(fields, raw, DEEPEST, &mut map)?;
    map.insert("apiVersion".into(), version.into());
    map.insert("kind".into(), kind.into());
    Ok(Value::Object(map))
}

/// A kind's message: `apps/v1` Deployment, `rbac.authorization.k8s.io/v1` Role.
fn find(version: &str, kind: &str) -> Option<(&'static str, &'static BTreeMap<u64, Field>)> {
    let (group, version) = version.split_once('/').unwrap_or(("core", version));
    let group = group.split('.').next().unwrap_or(group);
    let wanted = [format!("{group}/{version}.{kind}"), format!("meta/v1.{kind}")];
    let found = wanted.iter().find_map(|name| messages().get_key_value(name.as_str()));
    found.map(|(name, fields)| (*name, fields))
}

fn message(
    fields: &BTreeMap<u64, Field>,
    bytes: &[u8],
    deep: usize,
    into: &mut Map<String, Value>,
) -> Result<(), String> {
    let deep = deep.checked_sub(1).ok_or("exceeded max depth")?;
    let mut reader = Reader(bytes);
    while let Some((number, value)) = reader.field()? {
        let Some(field) = fields.get(&number) else { continue };
        if let (Type::Message(inner), "=", Wire::Bytes(bytes)) = (&field.of, field.name, &value) {
            let inner = messages().get(inner).ok_or("an unknown message")?;
            message(inner, bytes, deep, into)?;
            continue;
        }
        if field.map {
            let Wire::Bytes(bytes) = value else { return Err("proto: a map is no message".into()) };
            let (key, value) = entry(field, bytes, deep)?;
            let map = into.entry(field.name).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(map) = map {
                map.insert(key, value);
            }
            continue;
        }
        let value = one(&field.of, value, deep)?;
        if field.list {
            let list = into.entry(field.name).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(list) = list {
                list.push(value);
            }
        } else if field.pointer || !is_zero(&value) {
            into.insert(field.name.into(), value);
        }
    }
    Ok(())
}

/// What JSON would have left out.
fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

fn entry(field: &Field, bytes: &[u8], deep: usize) -> Result<(String, Value), String> {
    let (mut key, mut value) = (String::new(), None);
    let mut reader = Reader(bytes);
    while let Some((number, wire)) = reader.field()? {
        match (number, wire) {
            (1, Wire::Bytes(bytes)) => key = text(bytes)?,
            (2, wire) => value = Some(one(&field.of, wire, deep)?),
            _ => {}
        }
    }
    let empty = || one(&field.of, Wire::Bytes(&[]), deep).unwrap_or_default();
    Ok((key, value.unwrap_or_else(empty)))
}

/// Two numbers of a small message, by their field numbers.
fn numbers(bytes: &[u8]) -> Result<[i64; 2], String> {
    let mut found = [0, 0];
    let mut reader = Reader(bytes);
    while let Some((number, value)) = reader.field()? {
        match (number, value) {
            (1, Wire::Number(n)) => found[0] = n as i64,
            (2, Wire::Number(n)) => found[1] = n as i64,
            _ => {}
        }
    }
    Ok(found)
}

fn one(of: &Type, wire: Wire, deep: usize) -> Result<Value, String> {
    Ok(match (of, wire) {
        (Type::Bool, Wire::Number(n)) => Value::Bool(n != 0),
        // int32 is sent sign-extended, as int64 is.
        (Type::Number, Wire::Number(n)) => Value::from(n as i64),
        (Type::Float, Wire::Number(n)) => Value::from(f64::from_bits(n)),
        (Type::Text, Wire::Bytes(bytes)) => Value::from(text(bytes)?),
        (Type::Bytes, Wire::Bytes(bytes)) => Value::from(base64::encode(bytes)),
        (Type::Time, Wire::Bytes([])) => Value::Null,
        (Type::Time, Wire::Bytes(bytes)) => {
            let [seconds, nanos] = numbers(bytes)?;
            time(seconds, nanos)?
        }
        (Type::Duration, Wire::Bytes(bytes)) => {
            let [nanos, _] = numbers(bytes)?;
            Value::from(format!("{}s", nanos as f64 / 1e9))
        }
        (Type::Quantity, Wire::Bytes(bytes)) => match Reader(bytes).field()? {
            Some((1, Wire::Bytes(bytes))) => Value::from(text(bytes)?),
            _ => Value::from("0"),
        },
        (Type::IntOrString, Wire::Bytes(bytes)) => {
            let mut string = String::new();
            let mut reader = Reader(bytes);
            while let Some((number, value)) = reader.field()? {
                if let (3, Wire::Bytes(bytes)) = (number, value) {
                    string = text(bytes)?;
                }
            }
            match numbers(bytes)? {
                [0, number] => Value::from(number),
                _ => Value::from(string),
            }
        }
        (Type::Raw, Wire::Bytes(bytes)) => match Reader(bytes).field()? {
            Some((1, Wire::Bytes([]))) | None => Value::Null,
            Some((1, Wire::Bytes(raw))) => {
                serde_json::from_slice(raw).map_err(|error| error.to_string())?
            }
            _ => return Err("proto: no raw object".into()),
        },
        (Type::Items, Wire::Bytes(bytes)) => {
            let mut items = Vec::new();
            let mut reader = Reader(bytes);
            while let Some((_, value)) = reader.field()? {
                if let Wire::Bytes(bytes) = value {
                    items.push(Value::from(text(bytes)?));
                }
            }
            Value::Array(items)
        }
        (Type::Message(name), Wire::Bytes(bytes)) => {
            let fields = messages().get(name);
            let mut map = Map::new();
            if let Some(fields) = fields {
                message(fields, bytes, deep, &mut map)?;
            }
            Value::Object(map)
        }
        _ => return Err("proto: wrong wireType".into()),
    })
}

fn time(seconds: i64, nanos: i64) -> Result<Value, String> {
    let nanos = u64::try_from(nanos).unwrap_or(0);
    let micros = u64::try_from(seconds).ok().and_then(|s| s.checked_mul(1_000_000));
    let micros =
        micros.and_then(|m| m.checked_add(nanos / 1_000)).ok_or("proto: a time out of range")?;
    if micros > 253_402_300_799_000_000 {
        return Err("proto: a time out of range".into());
    }
    Ok(Value::from(sandbar_core::sim::Time::from_micros(micros).to_timestamp().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tagged(number: u64, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![(number << 3 | 2) as u8, bytes.len() as u8];
        out.extend(bytes);
        out
    }

    fn envelope(version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
        let meta = [tagged(1, version.as_bytes()), tagged(2, kind.as_bytes())].concat();
        [MAGIC.to_vec(), tagged(1, &meta), tagged(2, raw)].concat()
    }

    #[test]
    fn messages_become_what_json_would_have_said() {
        let meta = [
            tagged(1, b"web"),
            tagged(2, b""),
            tagged(11, &[tagged(1, b"a"), tagged(2, b"b")].concat()),
        ];
        let raw =
            [tagged(1, &meta.concat()), tagged(2, &[&[8, 0][..], &[0x38, 0]].concat())].concat();
        let value = to_json(&envelope("apps/v1", "Deployment", &raw)).unwrap();
        assert_eq!(
            value,
            json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "labels": {"a": "b"}}, "spec": {"replicas": 0}})
        );
    }

    #[test]
    fn what_is_no_message_is_refused_in_words() {
        let deep = (0..100).fold(Vec::new(), |inner: Vec<u8>, _| {
            let mut out = vec![0x0a, (inner.len() & 0x7f) as u8];
            out.extend(inner);
            out
        });
        let cases = [
            b"".to_vec(),
            b"k8s\0\xff".to_vec(),
            b"{}".to_vec(),
            envelope("v1", "Frog", b""),
            envelope("v1", "Pod", b"\xff\xff"),
            envelope("v1", "Pod", b"\x0b"),
            envelope("v1", "Pod", &deep[..90]),
        ];
        for case in cases {
            assert!(to_json(&case).is_err(), "{case:?}");
        }
        assert!(messages().len() > 300);
    }
}
