//! What a value is to be taken for where fields are compared: the table of types with upstream's
//! markers, or a custom resource's schema. Models `structured-merge-diff/schema`.

use serde_json::{Map, Value};

use super::set::Step;
use crate::api::{
    Kind,
    openapi::{Merge, marks_of},
    schema::{self, FieldType, Shape, Struct},
};

/// The type of a value.
#[derive(Clone, Copy, Debug)]
pub enum Type<'a> {
    /// A struct of the table of types.
    Struct(Struct),
    /// A field of the table of types, and what markers say of it.
    Field(FieldType, Option<Merge>),
    /// A schema of a custom resource; the outermost has metadata.
    Schema(&'a Value, bool),
    /// Maps by their fields, lists as a whole.
    Any,
}

/// What a value is like.
#[derive(Clone, Copy, Debug)]
pub enum Atom<'a> {
    /// Something without parts.
    Scalar,
    /// A list of these.
    List(Type<'a>, ListKind<'a>),
    /// A map or struct, merged as a whole or by its fields.
    Map(MapKind<'a>, bool),
}

/// How a list's items are known.
#[derive(Clone, Copy, Debug)]
pub enum ListKind<'a> {
    /// Not at all: the list is one value.
    Atomic,
    /// By themselves.
    Set,
    /// By these fields, separated by commas.
    Keys(&'static str),
    /// By these fields.
    SchemaKeys(&'a [Value]),
}

/// Where a map's fields get their types.
#[derive(Clone, Copy, Debug)]
pub enum MapKind<'a> {
    /// Each has its own.
    Struct(Struct),
    /// All have this one.
    Of(Type<'a>),
    /// As a schema says; the outermost has metadata.
    Schema(&'a Value, bool),
}

impl<'a> Type<'a> {
    /// The type of a kind's objects. `custom`: the schema of a custom resource.
    pub fn of_kind(kind: &Kind, custom: Option<&'a Value>) -> Type<'a> {
        match (custom, schema::of_kind(&kind.group, &kind.version, &kind.kind)) {
            (Some(custom), _) => Type::Schema(custom, true),
            (None, Some(known)) => Type::Struct(known),
            (None, None) => Type::Schema(&Value::Null, true),
        }
    }

    /// What `value` is like, taken for this type.
    pub fn atom(self, value: &Value) -> Atom<'a> {
        match self {
            Type::Struct(of) => Atom::Map(MapKind::Struct(of), marks_of(of).atomic),
            Type::Field(kind, merge) => match kind.shape() {
                Shape::List(inner) => {
                    let by = match merge {
                        Some(Merge::Set) => ListKind::Set,
                        Some(Merge::Keys(keys)) => ListKind::Keys(keys),
                        _ => ListKind::Atomic,
                    };
                    Atom::List(Type::Field(inner, None), by)
                }
                Shape::Map(inner) => {
                    let of = MapKind::Of(Type::Field(inner, None));
                    Atom::Map(of, merge == Some(Merge::Atomic))
                }
                Shape::Struct(of) => {
                    let atomic = match merge {
                        Some(Merge::Granular) => false,
                        Some(Merge::Atomic) => true,
                        _ => marks_of(of).atomic,
                    };
                    Atom::Map(MapKind::Struct(of), atomic)
                }
                Shape::Plain('j') => Type::Any.atom(value),
                Shape::Plain(_) => Atom::Scalar,
            },
            Type::Schema(schema, root) => schema_atom(schema, root, value),
            Type::Any => match value {
                Value::Array(_) => Atom::List(Type::Any, ListKind::Atomic),
                Value::Object(_) => Atom::Map(MapKind::Of(Type::Any), false),
                _ => Atom::Scalar,
            },
        }
    }
}

fn schema_atom<'a>(schema: &'a Value, root: bool, value: &Value) -> Atom<'a> {
    let text = |key: &str| schema.get(key).and_then(Value::as_str).unwrap_or_default();
    let atomic = text("x-kubernetes-map-type") == "atomic";
    match (text("type"), value) {
        _ if root => Atom::Map(MapKind::Schema(schema, true), false),
        ("object", _) => Atom::Map(MapKind::Schema(schema, false), atomic),
        ("array", _) => {
            let item = schema.get("items").map_or(Type::Any, |items| Type::Schema(items, false));
            let keys = schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
            let by = match (text("x-kubernetes-list-type"), keys) {
                ("set", _) => ListKind::Set,
                ("map", Some(keys)) => ListKind::SchemaKeys(keys),
                _ => ListKind::Atomic,
            };
            Atom::List(item, by)
        }
        ("", value) => Type::Any.atom(value),
        _ => Atom::Scalar,
    }
}

impl<'a> MapKind<'a> {
    /// The type of a field, and whether the map declares it.
    pub fn field(self, name: &str) -> (Type<'a>, bool) {
        match self {
            MapKind::Struct(of) => match of.field(name) {
                Some(kind) => (Type::Field(kind, marks_of(of).field(name).merge), true),
                None => (Type::Any, of.is_kind && matches!(name, "apiVersion" | "kind")),
            },
            MapKind::Of(inner) => (inner, false),
            MapKind::Schema(schema, root) => {
                if root && name == "metadata" {
                    return match schema::by_key("ObjectMeta") {
                        Some(of) => (Type::Struct(of), true),
                        None => (Type::Any, true),
                    };
                }
                if root && matches!(name, "apiVersion" | "kind") {
                    return (Type::Any, true);
                }
                if let Some(own) = schema.get("properties").and_then(|p| p.get(name)) {
                    return (Type::Schema(own, false), true);
                }
                match schema.get("additionalProperties") {
                    Some(inner @ Value::Object(_)) => (Type::Schema(inner, false), false),
                    _ => (Type::Any, false),
                }
            }
        }
    }

    /// Whether a map of this kind may have a field of that name.
    pub fn takes(self, name: &str) -> bool {
        match self {
            MapKind::Struct(_) => self.field(name).1,
            MapKind::Of(_) => true,
            MapKind::Schema(schema, _) => {
                let flag = |key: &str| schema.get(key) == Some(&Value::Bool(true));
                let open = matches!(
                    schema.get("additionalProperties"),
                    Some(Value::Object(_) | Value::Bool(true))
                );
                self.field(name).1
                    || open
                    || flag("x-kubernetes-preserve-unknown-fields")
                    || !schema.is_object()
            }
        }
    }
}

impl ListKind<'_> {
    /// How an item is known; `None` where it lacks what it is known by.
    pub fn step(self, element: Type, item: &Value) -> Option<Step> {
        let keys: Vec<&str> = match self {
            ListKind::Atomic => return None,
            ListKind::Set => return Some(Step::Item(item.clone())),
            ListKind::Keys(keys) => keys.split(',').collect(),
            ListKind::SchemaKeys(keys) => keys.iter().filter_map(Value::as_str).collect(),
        };
        let map = item.as_object()?;
        let mut found: Vec<(String, Value)> = Vec::new();
        for key in keys {
            let value = map.get(key).filter(|v| !v.is_null()).cloned();
            if let Some(value) = value.or_else(|| default(element, key)) {
                found.push((key.to_owned(), value));
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        (!found.is_empty()).then_some(Step::Keys(found))
    }
}

/// The default of a field of a list's items.
fn default(element: Type, field: &str) -> Option<Value> {
    match element {
        Type::Field(kind, _) => match kind.shape() {
            Shape::Struct(of) => serde_json::from_str(marks_of(of).field(field).default?).ok(),
            _ => None,
        },
        Type::Schema(schema, _) => schema.get("properties")?.get(field)?.get("default").cloned(),
        _ => None,
    }
}

/// What Go writes of an object of which nothing was said: structs that are no pointers, empty lists
/// that are always written as null.
pub fn blank(of: Struct) -> &'static Value {
    static KNOWN: schema::PerStruct<Value> = schema::PerStruct::new();
    KNOWN.get(of, || blank_to(of, 8)).unwrap_or(&Value::Null)
}

fn blank_to(of: Struct, left: usize) -> Value {
    let mut out = Map::new();
    let marks = marks_of(of);
    for (name, kind) in of.fields() {
        let required = crate::api::openapi::requires(of, name);
        match kind.shape() {
            Shape::Struct(inner) if marks.field(name).always && left > 0 => {
                out.insert(name.into(), blank_to(inner, left - 1));
            }
            Shape::List(_) | Shape::Map(_) if required => {
                out.insert(name.into(), Value::Null);
            }
            _ => {}
        }
    }
    Value::Object(out)
}
