//! Types as JSON schemas. Models `k8s.io/kube-openapi/pkg/generators` and `builder3`.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{
    Described, GVK, OPAQUE,
    data::{self, FieldDoc, Marks, Merge},
};
use crate::api::{
    Kind,
    schema::{self as types, FieldType, Shape, Struct},
};

/// Which OpenAPI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Swagger 2.0.
    V2,
    /// OpenAPI 3.0.
    V3,
}

const API_VERSION: &str = "APIVersion defines the versioned schema of this representation of an \
    object. Servers should convert recognized schemas to the latest internal value, and may reject \
    unrecognized values. More info: https://git.k8s.io/community/contributors/devel/\
    sig-architecture/api-conventions.md#resources";
const KIND: &str = "Kind is a string value representing the REST resource this object represents. \
    Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In \
    CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/\
    api-conventions.md#types-kinds";
const METADATA: &str = "Standard object's metadata. More info: https://git.k8s.io/community/\
    contributors/devel/sig-architecture/api-conventions.md#metadata";

/// The schemas of these kinds and of everything that they reach, by name.
pub(super) fn of(kinds: &[Described], form: Form) -> Map<String, Value> {
    let mut maker = Maker { form, open: Vec::new(), seen: BTreeSet::new(), out: Map::new() };
    for (kind, custom) in kinds {
        let gvk = gvk(kind);
        match (custom, types::of_kind(&kind.group, &kind.version, &kind.kind)) {
            (Some(custom), _) => {
                let made = maker.custom(custom.clone(), gvk);
                maker.out.insert(custom_name(kind), made);
            }
            (None, Some(known)) => {
                maker.seen.insert(known.key);
                if let Some((name, mut made)) = maker.known(known) {
                    made[GVK] = json!([gvk]);
                    maker.out.insert(name, made);
                }
            }
            (None, None) => {
                let made = maker.custom(json!({"type": "object"}), gvk);
                maker.out.insert(custom_name(kind), made);
            }
        }
    }
    while let Some(key) = maker.open.pop() {
        let made = match types::by_key(key) {
            Some(known) => maker.known(known),
            None => opaque(key, form),
        };
        maker.out.extend(made);
    }
    maker.out
}

/// Group, version and kind as documents name them.
pub(super) fn gvk(kind: &Kind) -> Value {
    json!({"group": kind.group, "version": kind.version, "kind": kind.kind})
}

/// `com.example.v1.Widget`
fn custom_name(kind: &Kind) -> String {
    let mut parts: Vec<&str> = kind.group.split('.').rev().collect();
    parts.extend([&*kind.version, &*kind.kind]);
    parts.join(".")
}

struct Maker {
    form: Form,
    open: Vec<&'static str>,
    seen: BTreeSet<&'static str>,
    out: Map<String, Value>,
}

impl Maker {
    fn known(&mut self, of: Struct) -> Option<(String, Value)> {
        let doc = data::type_doc(of.key)?;
        let marks = data::type_marks(doc.full);
        let mut properties = Map::new();
        let mut required = Vec::new();
        if of.is_kind {
            properties
                .insert("apiVersion".into(), json!({"type": "string", "description": API_VERSION}));
            properties.insert("kind".into(), json!({"type": "string", "description": KIND}));
        }
        for (name, field) in doc.fields() {
            let Some(kind) = of.field(name) else { continue };
            // A kind's metadata is required by the crate only.
            if field.required && !(of.is_kind && name == "metadata") {
                required.push(name);
            }
            properties.insert(name.into(), self.property(kind, field, marks.field(name)));
        }
        let mut out = json!({"type": "object"});
        let text = doc.text();
        if !text.is_empty() {
            out["description"] = text.into();
        }
        if !properties.is_empty() {
            out["properties"] = properties.into();
        }
        if !required.is_empty() {
            out["required"] = json!(required);
        }
        if marks.atomic {
            out["x-kubernetes-map-type"] = "atomic".into();
        }
        Some((doc.full.to_owned(), out))
    }

    fn property(&mut self, kind: FieldType, doc: FieldDoc, marks: Marks) -> Value {
        let mut out = self.shape(kind, doc.opaque, true);
        let mut text = doc.text().into_owned();
        if let Some(name) = marks.values {
            let all: Vec<_> = data::values(name).collect();
            let list = json!(all.iter().map(|(v, _)| v).collect::<Vec<_>>());
            if matches!(kind.shape(), Shape::List(_)) {
                out["items"]["enum"] = list;
            } else {
                text.push_str("\n\nPossible enum values:");
                for (value, meaning) in all {
                    text.push_str(&format!("\n - `\"{value}\"` {meaning}"));
                }
                out["enum"] = list;
            }
        }
        if !text.is_empty() {
            out["description"] = text.into();
        }
        if let Some(default) = marks.default.and_then(|d| serde_json::from_str(d).ok()) {
            out["default"] = default;
        }
        let list = matches!(kind.shape(), Shape::List(_));
        let merge = if list { "x-kubernetes-list-type" } else { "x-kubernetes-map-type" };
        match marks.merge {
            Some(Merge::Atomic) => out[merge] = "atomic".into(),
            Some(Merge::Granular) => out[merge] = "granular".into(),
            Some(Merge::Set) => out[merge] = "set".into(),
            Some(Merge::Keys(keys)) => {
                out[merge] = "map".into();
                out["x-kubernetes-list-map-keys"] = json!(keys.split(',').collect::<Vec<_>>());
            }
            None => {}
        }
        if let Some((strategy, key)) = marks.patch {
            out["x-kubernetes-patch-strategy"] = strategy.into();
            if !key.is_empty() {
                out["x-kubernetes-patch-merge-key"] = key.into();
            }
        }
        out
    }

    /// `described`: whether more will be said beside a reference.
    fn shape(&mut self, kind: FieldType, opaque: Option<&'static str>, described: bool) -> Value {
        match kind.shape() {
            Shape::List(inner) => {
                json!({"type": "array", "items": self.shape(inner, opaque, false)})
            }
            Shape::Map(inner) => {
                let inner = self.shape(inner, opaque, false);
                json!({"type": "object", "additionalProperties": inner})
            }
            Shape::Struct(of) => self.reference(of.key, described),
            Shape::Plain(letter) => match letter {
                's' => json!({"type": "string"}),
                'b' => json!({"type": "boolean"}),
                'i' => json!({"type": "integer", "format": "int32"}),
                'l' => json!({"type": "integer", "format": "int64"}),
                'f' => json!({"type": "number", "format": "double"}),
                'y' => json!({"type": "string", "format": "byte"}),
                'q' => self.reference("Quantity", described),
                'x' => self.reference("IntOrString", described),
                't' => self.reference("Time", described),
                'u' => self.reference("MicroTime", described),
                _ => match opaque {
                    Some(name) => self.reference(name, described),
                    None => json!({"type": "object"}),
                },
            },
        }
    }

    fn reference(&mut self, key: &'static str, described: bool) -> Value {
        if self.seen.insert(key) {
            self.open.push(key);
        }
        let full = data::type_doc(key).map_or(key, |doc| doc.full);
        match self.form {
            Form::V2 => json!({"$ref": format!("#/definitions/{full}")}),
            Form::V3 => {
                let reference = json!({"$ref": format!("#/components/schemas/{full}")});
                if described { json!({"allOf": [reference]}) } else { reference }
            }
        }
    }

    /// A custom resource's schema as it is published.
    /// Models `apiextensions-apiserver/pkg/controller/openapi/builder`.
    fn custom(&mut self, mut schema: Value, gvk: Value) -> Value {
        if !schema.is_object() {
            schema = json!({"type": "object"});
        }
        let metadata = {
            let mut reference = self.reference("ObjectMeta", true);
            reference["description"] = METADATA.into();
            reference
        };
        if let Some(map) = schema.as_object_mut() {
            let properties = map.entry("properties").or_insert_with(|| json!({}));
            if let Some(properties) = properties.as_object_mut() {
                let text = |text: &str| json!({"type": "string", "description": text});
                properties.insert("apiVersion".into(), text(API_VERSION));
                properties.insert("kind".into(), text(KIND));
                properties.insert("metadata".into(), metadata);
            }
        }
        schema[GVK] = json!([gvk]);
        schema
    }
}

/// The definition of a type that is no struct here.
fn opaque(key: &str, form: Form) -> Option<(String, Value)> {
    let (_, full) = OPAQUE.iter().find(|(name, _)| *name == key)?;
    let mut out = match key {
        "Time" | "MicroTime" => json!({"type": "string", "format": "date-time"}),
        "Quantity" if form == Form::V2 => json!({"type": "string"}),
        "IntOrString" if form == Form::V2 => json!({"type": "string", "format": "int-or-string"}),
        "Quantity" => json!({"oneOf": [{"type": "string"}, {"type": "number"}]}),
        "IntOrString" => {
            json!({"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]})
        }
        "FieldsV1" | "RawExtension" => json!({"type": "object"}),
        _ => json!({}),
    };
    let text = data::type_doc(key).map(|d| d.text().into_owned()).unwrap_or_default();
    if !text.is_empty() {
        out["description"] = text.into();
    }
    Some(((*full).to_owned(), out))
}
