//! What the API tells of itself: OpenAPI documents, made from the table of kinds, the table of types
//! ([`super::schema`]), descriptions and markers ([`data`]), and the schemas of custom resources.
//!
//! Not here: who may ask and how it is served (`apiserver`), what `kubectl explain` prints of it.

mod data;
#[cfg(test)]
mod generate;
mod paths;
pub mod protobuf;
mod schema;

use std::{collections::BTreeMap, rc::Rc};

use serde_json::{Map, Value, json};

use super::Kind;
pub use data::{Marks, Merge, StructMarks, TypeMarks, description_of, marks_of, requires};
pub use schema::Form;

/// Types that are no structs here: any JSON, or what the table of types has a letter for.
const OPAQUE: &[(&str, &str)] = &[
    ("FieldsV1", "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1"),
    ("IntOrString", "io.k8s.apimachinery.pkg.util.intstr.IntOrString"),
    ("JSON", "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON"),
    (
        "JSONSchemaPropsOrArray",
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray",
    ),
    (
        "JSONSchemaPropsOrBool",
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool",
    ),
    (
        "JSONSchemaPropsOrStringArray",
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray",
    ),
    ("MicroTime", "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime"),
    ("Quantity", "io.k8s.apimachinery.pkg.api.resource.Quantity"),
    ("RawExtension", "io.k8s.apimachinery.pkg.runtime.RawExtension"),
    ("Time", "io.k8s.apimachinery.pkg.apis.meta.v1.Time"),
];

/// The extension that tells which kind a schema or an operation is about.
pub const GVK: &str = "x-kubernetes-group-version-kind";

/// A kind, and the schema of its version if it is a custom resource's.
pub type Described = (Rc<Kind>, Option<Value>);

/// Where a group version's document is: `api/v1`, `apis/apps/v1`.
pub fn place(kind: &Kind) -> String {
    match &*kind.group {
        "" => format!("api/{}", kind.version),
        group => format!("apis/{group}/{}", kind.version),
    }
}

/// The list of documents (`/openapi/v3`). `hash` tells versions of a document apart.
pub fn index(places: &BTreeMap<String, u64>) -> Value {
    let paths: Map<String, Value> = places
        .iter()
        .map(|(place, hash)| {
            let url = format!("/openapi/v3/{place}?hash={hash:016X}");
            (place.clone(), json!({"serverRelativeURL": url}))
        })
        .collect();
    json!({"paths": paths})
}

fn info() -> Value {
    json!({"title": "Kubernetes", "version": "v1.36.2"})
}

/// The document of one group version (`/openapi/v3/apis/apps/v1`), of the kinds in it.
pub fn group_version(kinds: &[Described]) -> Value {
    json!({
        "openapi": "3.0.0",
        "info": info(),
        "paths": paths::of(kinds, Form::V3),
        "components": {
            "schemas": schema::of(kinds, Form::V3),
            "securitySchemes": {"BearerToken": {
                "type": "apiKey", "name": "authorization", "in": "header",
                "description": "Bearer Token authentication",
            }},
        },
    })
}

/// The document of everything in the older form (`/openapi/v2`).
pub fn v2(kinds: &[Described]) -> Value {
    json!({
        "swagger": "2.0",
        "info": info(),
        "paths": paths::of(kinds, Form::V2),
        "definitions": schema::of(kinds, Form::V2),
        "security": [{"BearerToken": []}],
        "securityDefinitions": {"BearerToken": {
            "type": "apiKey", "name": "authorization", "in": "header",
            "description": "Bearer Token authentication",
        }},
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::KindTable;

    fn apps() -> Vec<Described> {
        let table = KindTable::default();
        let kinds = table.iter().filter(|k| k.group == "apps").cloned();
        kinds.map(|k| (k, None)).collect()
    }

    #[test]
    fn a_document_refers_to_nothing_that_it_does_not_hold() {
        fn refs<'a>(v: &'a Value, out: &mut Vec<&'a str>) {
            match v {
                Value::Object(map) => {
                    out.extend(map.get("$ref").and_then(Value::as_str));
                    map.values().for_each(|v| refs(v, out));
                }
                Value::Array(items) => items.iter().for_each(|v| refs(v, out)),
                _ => {}
            }
        }
        let table = KindTable::default();
        let all: Vec<Described> = table.iter().cloned().map(|k| (k, None)).collect();
        for document in [group_version(&apps()), group_version(&all), v2(&all)] {
            let mut found = Vec::new();
            refs(&document, &mut found);
            assert!(found.len() > 50);
            for reference in found {
                let pointer = reference.trim_start_matches('#');
                assert!(document.pointer(pointer).is_some(), "{reference}");
            }
        }
    }

    #[test]
    fn a_field_says_how_it_is_merged_and_which_values_it_takes() {
        let document = group_version(&apps());
        let schemas = &document["components"]["schemas"];
        let spec = &schemas["io.k8s.api.core.v1.PodSpec"]["properties"];
        assert_eq!(spec["containers"]["x-kubernetes-list-map-keys"], json!(["name"]));
        assert_eq!(spec["containers"]["x-kubernetes-patch-merge-key"], "name");
        assert_eq!(spec["volumes"]["x-kubernetes-patch-strategy"], "merge,retainKeys");
        assert_eq!(spec["nodeSelector"]["x-kubernetes-map-type"], "atomic");
        assert_eq!(spec["dnsPolicy"]["enum"][0], "ClusterFirst");
        let deployment = &schemas["io.k8s.api.apps.v1.Deployment"];
        assert_eq!(
            deployment["x-kubernetes-group-version-kind"],
            json!([{"group": "apps", "kind": "Deployment", "version": "v1"}])
        );
        let path = "/apis/apps/v1/namespaces/{namespace}/deployments/{name}";
        let patch = &document["paths"][path]["patch"];
        assert_eq!(patch["x-kubernetes-group-version-kind"]["kind"], "Deployment");
    }
}
