//! Reading JSON as Go reads it into its types.
//!
//! Wrong types are told in Go's words, fields that a type does not have are listed, nulls mean that
//! nothing was said, and quantities become canonical text.
//!
//! Models `encoding/json` with `sigs.k8s.io/json`'s strict mode, and `Quantity.UnmarshalJSON`.

use serde_json::{Map, Value};

use super::{FieldType, Shape, Struct};
use crate::api::quantity;

/// Fields that a kind does not have, as paths: `spec.template.spec.containers[0].imagee`.
pub type Unknown = Vec<String>;

/// A value of a wrong type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeError {
    /// As Go's decoder says it.
    pub json: String,
    /// As the converter of patched objects says it: `cannot convert float64 to int32`.
    pub convert: String,
}

/// Reads an object of a kind. The error is the first in the order of keys.
pub fn read(kind: Struct, value: Value, unknown: &mut Unknown) -> Result<Value, TypeError> {
    let Value::Object(map) = value else {
        let why = format!(
            "json: cannot unmarshal {} into Go value of type v1.{}",
            kind_of(&value),
            kind.name
        );
        return Err(TypeError { convert: why.clone(), json: why });
    };
    let mut reader = Reader { unknown, path: String::new(), names: Vec::new() };
    reader.fields(kind, map)
}

struct Reader<'a> {
    unknown: &'a mut Unknown,
    /// With indexes: `spec.containers[0]`.
    path: String,
    /// Without: `spec`, `containers`.
    names: Vec<String>,
}

/// The field that is being read: whose it is and what it is called.
#[derive(Clone, Copy)]
struct At<'a> {
    owner: Struct,
    field: &'a str,
}

impl Reader<'_> {
    fn fields(&mut self, of: Struct, map: Map<String, Value>) -> Result<Value, TypeError> {
        let mut out = Map::new();
        for (key, value) in map {
            let length = self.path.len();
            if length > 0 {
                self.path.push('.');
            }
            self.path.push_str(&key);
            let type_meta = of.is_kind && matches!(key.as_str(), "apiVersion" | "kind");
            match of.field(&key) {
                Some(kind) => {
                    self.names.push(key.clone());
                    let at = At { owner: of, field: &key };
                    if let Some(read) = self.value(at, kind, value)? {
                        out.insert(key, read);
                    }
                    self.names.pop();
                }
                None if type_meta => {
                    out.insert(key, value);
                }
                None => self.unknown.push(self.path.clone()),
            }
            self.path.truncate(length);
        }
        Ok(Value::Object(out))
    }

    /// `None` for null: nothing was said.
    fn value(&mut self, at: At, kind: FieldType, value: Value) -> Result<Option<Value>, TypeError> {
        if value.is_null() {
            return Ok(None);
        }
        let read = match (kind.shape(), value) {
            (Shape::Struct(of), Value::Object(map)) => self.fields(of, map)?,
            (Shape::List(inner), Value::Array(items)) => {
                let mut out = Vec::with_capacity(items.len());
                for (i, item) in items.into_iter().enumerate() {
                    let length = self.path.len();
                    self.path.push_str(&format!("[{i}]"));
                    out.push(self.value(at, inner, item)?.unwrap_or_else(|| zero(inner)));
                    self.path.truncate(length);
                }
                Value::Array(out)
            }
            (Shape::Map(inner), Value::Object(map)) => {
                let mut out = Map::new();
                for (key, value) in map {
                    let length = self.path.len();
                    self.path.push_str(&format!(".{key}"));
                    let read = self.value(at, inner, value)?.unwrap_or_else(|| zero(inner));
                    out.insert(key, read);
                    self.path.truncate(length);
                }
                Value::Object(out)
            }
            (Shape::Plain(letter), value) => self.plain(at, kind, letter, value)?,
            (_, value) => return Err(self.wrong(at, kind, &value)),
        };
        Ok(Some(read))
    }

    fn plain(
        &self,
        at: At,
        kind: FieldType,
        letter: char,
        value: Value,
    ) -> Result<Value, TypeError> {
        let fits = match letter {
            's' => value.is_string(),
            'b' => value.is_boolean(),
            'f' => value.is_number(),
            'i' => return self.integer(at, kind, value, i64::from(i32::MIN)..=i64::from(i32::MAX)),
            'l' => return self.integer(at, kind, value, i64::MIN..=i64::MAX),
            'q' => return quantity_text(&value),
            'x' => return self.int_or_string(value),
            'y' => return self.bytes(at, kind, value),
            't' => return time(value, "2006-01-02T15:04:05Z07:00"),
            'u' => return time(value, "2006-01-02T15:04:05.000000Z07:00"),
            _ => true,
        };
        if fits { Ok(value) } else { Err(self.wrong(at, kind, &value)) }
    }

    fn integer(
        &self,
        at: At,
        kind: FieldType,
        value: Value,
        range: std::ops::RangeInclusive<i64>,
    ) -> Result<Value, TypeError> {
        match whole(&value) {
            Some(n) if range.contains(&n) => Ok(Value::from(n)),
            _ => Err(self.wrong(at, kind, &value)),
        }
    }

    fn bytes(&self, at: At, kind: FieldType, value: Value) -> Result<Value, TypeError> {
        let Value::String(text) = &value else { return Err(self.wrong(at, kind, &value)) };
        match bad_base64(text) {
            None => Ok(value),
            Some(at) => Err(plain_error(format!("illegal base64 data at input byte {at}"))),
        }
    }

    fn int_or_string(&self, value: Value) -> Result<Value, TypeError> {
        if value.is_string() {
            return Ok(value);
        }
        match whole(&value).filter(|n| i32::try_from(*n).is_ok()) {
            Some(n) => Ok(Value::from(n)),
            None => {
                let what = number_or_kind(&value);
                let why = format!("json: cannot unmarshal {what} into Go value of type int32");
                Err(plain_error(why))
            }
        }
    }

    fn wrong(&self, at: At, kind: FieldType, value: &Value) -> TypeError {
        let is_integer = matches!(kind.shape(), Shape::Plain('i' | 'l'));
        let what = if is_integer { number_or_kind(value) } else { kind_of(value).into() };
        let field = if matches!(kind.shape(), Shape::Plain(_)) { at.field } else { "" };
        let target = kind.go_name(field);
        let path = self.names.join(".");
        let json = format!(
            "json: cannot unmarshal {what} into Go struct field {}.{path} of type {target}",
            at.owner.name
        );
        let convert = match (kind.shape(), value) {
            (Shape::Struct(_), _) => {
                let got = go_type(value);
                format!("cannot restore struct from: {got}")
            }
            (Shape::List(_), _) => format!("cannot restore slice from {}", go_type(value)),
            (Shape::Map(_), _) => format!("cannot restore map from {}", go_type(value)),
            _ => format!("cannot convert {} to {target}", go_type(value)),
        };
        TypeError { json, convert }
    }
}

fn plain_error(why: String) -> TypeError {
    TypeError { convert: why.clone(), json: why }
}

/// What null means inside a list or map: Go's zero value.
fn zero(kind: FieldType) -> Value {
    match kind.shape() {
        Shape::Plain('s' | 'y') => Value::from(""),
        Shape::Plain('b') => Value::from(false),
        Shape::Plain('i' | 'l' | 'f') => Value::from(0),
        Shape::Plain('q') => Value::from("0"),
        Shape::List(_) => Value::Array(Vec::new()),
        Shape::Struct(_) | Shape::Map(_) => Value::Object(Map::new()),
        Shape::Plain(_) => Value::Null,
    }
}

/// A number without fraction; YAML's `1.0` is 1.
fn whole(value: &Value) -> Option<i64> {
    let float = || value.as_f64().filter(|f| f.fract() == 0.0 && f.abs() < 9e15);
    value.as_i64().or_else(|| float().map(|f| f as i64))
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Go tells which number did not fit an integer.
fn number_or_kind(value: &Value) -> String {
    match value {
        Value::Number(n) => format!("number {n}"),
        other => kind_of(other).to_string(),
    }
}

/// The Go type of a value in an unstructured object.
fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(n) if n.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// Numbers are quantities as well as strings.
fn quantity_text(value: &Value) -> Result<Value, TypeError> {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match quantity::canonical(&text) {
        Ok(text) => Ok(Value::String(text)),
        Err(why) => Err(plain_error(why.to_string())),
    }
}

/// A time, read as Go reads it by a layout.
fn time(value: Value, layout: &str) -> Result<Value, TypeError> {
    let Value::String(text) = &value else {
        let what = kind_of(&value);
        let why = format!("json: cannot unmarshal {what} into Go value of type string");
        return Err(plain_error(why));
    };
    if text.parse::<jiff::Timestamp>().is_ok() {
        return Ok(value);
    }
    Err(plain_error(format!(
        "parsing time {text:?} as {layout:?}: cannot parse {text:?} as \"2006\""
    )))
}

/// Where text stops being base64, if it does.
fn bad_base64(text: &str) -> Option<usize> {
    let bytes: Vec<u8> = text.bytes().filter(|b| !matches!(b, b'\n' | b'\r')).collect();
    let alphabet = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    let data = bytes.iter().position(|b| !alphabet(b)).unwrap_or(bytes.len());
    let padding = &bytes[data..];
    match padding {
        b"" if data % 4 == 0 => None,
        b"" => Some(data),
        b"=" if data % 4 == 3 => None,
        b"==" if data % 4 == 2 => None,
        _ => Some(data),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::schema::of_kind;

    fn try_read(kind: &str, value: Value) -> (Result<Value, TypeError>, Unknown) {
        let mut unknown = Vec::new();
        let group = if matches!(kind, "Deployment") { "apps" } else { "" };
        (read(of_kind(group, "v1", kind).unwrap(), value, &mut unknown), unknown)
    }

    #[test]
    fn wrong_types_are_told_as_go_tells_them() {
        let containers = |c: Value| json!({"spec": {"template": {"spec": {"containers": [c]}}}});
        for (kind, value, want) in [
            (
                "Deployment",
                json!({"spec": {"replicas": "1"}}),
                "string into Go struct field DeploymentSpec.spec.replicas of type int32",
            ),
            (
                "Deployment",
                json!({"spec": {"replicas": 1.5}}),
                "number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
            ),
            (
                "Deployment",
                containers(json!({"ports": [{"containerPort": "http"}]})),
                "string into Go struct field ContainerPort.spec.template.spec.containers.ports.containerPort of type int32",
            ),
            (
                "Deployment",
                containers(json!({"ports": [80]})),
                "number into Go struct field Container.spec.template.spec.containers.ports of type v1.ContainerPort",
            ),
            (
                "Deployment",
                json!({"spec": {"template": {"metadata": {"labels": ["app"]}}}}),
                "array into Go struct field ObjectMeta.spec.template.metadata.labels of type map[string]string",
            ),
            (
                "Deployment",
                json!({"spec": {"selector": {"matchLabels": {"app": 1}}}}),
                "number into Go struct field LabelSelector.spec.selector.matchLabels of type string",
            ),
            (
                "Deployment",
                containers(json!({"command": "ls"})),
                "string into Go struct field Container.spec.template.spec.containers.command of type []string",
            ),
            (
                "ConfigMap",
                json!({"data": {"a": 1}}),
                "number into Go struct field ConfigMap.data of type string",
            ),
        ] {
            let (result, _) = try_read(kind, value);
            assert_eq!(result.unwrap_err().json, format!("json: cannot unmarshal {want}"));
        }
        let (result, _) = try_read("Deployment", json!({"spec": {"replicas": 1.5}}));
        assert_eq!(result.unwrap_err().convert, "cannot convert float64 to int32");
        let (result, _) = try_read("ConfigMap", json!({"data": {"a": 1}}));
        assert_eq!(result.unwrap_err().convert, "cannot convert int64 to string");
        let wrong =
            json!({"spec": {"containers": [{"resources": {"requests": {"cpu": "100mm"}}}]}});
        let (result, _) = try_read("Pod", wrong);
        assert_eq!(result.unwrap_err().json, "unable to parse quantity's suffix");
    }

    #[test]
    fn unknown_fields_nulls_and_quantities_are_read_as_go_reads_them() {
        let (read, unknown) = try_read(
            "Pod",
            json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "creationTimestamp": null},
                "spec": {"Replicas": null, "containers": [{"imagee": "x", "name": null, "env": [null],
                    "resources": {"limits": {"cpu": 2, "memory": "1024Mi"}}}]},
            }),
        );
        assert_eq!(unknown, ["spec.Replicas", "spec.containers[0].imagee"]);
        assert_eq!(
            read.unwrap(),
            json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"},
                "spec": {"containers": [{"env": [{}], "resources": {"limits": {"cpu": "2", "memory": "1Gi"}}}]},
            })
        );
        for (text, bad) in [("aGk=", None), ("aGk", Some(3)), ("a!", Some(1)), ("", None)] {
            assert_eq!(bad_base64(text), bad, "{text}");
        }
    }
}
