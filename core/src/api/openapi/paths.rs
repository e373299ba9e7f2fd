//! The paths of documents: which verbs a kind's addresses take, and with which parameters.
//! Models `k8s.io/apiserver/pkg/endpoints/installer.go`.

use serde_json::{Map, Value, json};

use super::{
    Described,
    schema::{Form, gvk},
};
use crate::api::Kind;

/// One operation: method, what it is called, what it does.
type Operation = (&'static str, &'static str, &'static str);

const COLLECTION: &[Operation] = &[
    ("get", "list", "list or watch objects of kind"),
    ("post", "create", "create a"),
    ("delete", "deletecollection", "delete collection of"),
];
const ITEM: &[Operation] = &[
    ("get", "read", "read the specified"),
    ("put", "replace", "replace the specified"),
    ("patch", "patch", "partially update the specified"),
    ("delete", "delete", "delete a"),
];
const PART: &[Operation] = &[
    ("get", "read", "read a part of the specified"),
    ("put", "replace", "replace a part of the specified"),
    ("patch", "patch", "partially update a part of the specified"),
];
const ACTION: &[Operation] = &[("post", "create", "create a part of a")];
const LISTING: &[Operation] = &[("get", "list", "list or watch objects of kind")];
const READING: &[Operation] = &[("get", "read", "read a part of the specified")];

/// Forms in which a change can be sent.
const PATCHES: &[&str] = &[
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
];

/// The paths of these kinds.
pub(super) fn of(kinds: &[Described], form: Form) -> Map<String, Value> {
    let mut out = Map::new();
    for (kind, custom) in kinds {
        let root = format!("/{}", super::place(kind));
        let plural = &kind.plural;
        let within = if kind.namespaced {
            add(&mut out, format!("{root}/{plural}"), kind, custom, LISTING, "", form);
            format!("{root}/namespaces/{{namespace}}/{plural}")
        } else {
            format!("{root}/{plural}")
        };
        add(&mut out, within.clone(), kind, custom, COLLECTION, "", form);
        add(&mut out, format!("{within}/{{name}}"), kind, custom, ITEM, "", form);
        for sub in kind.subresources {
            let operations = match *sub {
                "status" | "scale" | "ephemeralcontainers" | "resize" | "approval" => PART,
                "log" => READING,
                _ => ACTION,
            };
            add(&mut out, format!("{within}/{{name}}/{sub}"), kind, custom, operations, sub, form);
        }
    }
    out
}

fn add(
    out: &mut Map<String, Value>,
    path: String,
    kind: &Kind,
    custom: &Option<Value>,
    operations: &[Operation],
    sub: &str,
    form: Form,
) {
    let mut item = Map::new();
    let mut fixed = Vec::new();
    for name in ["name", "namespace"] {
        if path.contains(&format!("{{{name}}}")) {
            fixed.push(parameter(name, "path", "string", form));
        }
    }
    for (method, verb, text) in operations {
        let made = operation(kind, custom, (verb, text), (&path, sub), form);
        item.insert((*method).to_owned(), made);
    }
    if !fixed.is_empty() {
        item.insert("parameters".into(), fixed.into());
    }
    out.insert(path, item.into());
}

fn operation(
    kind: &Kind,
    custom: &Option<Value>,
    (verb, text): (&str, &str),
    (path, sub): (&str, &str),
    form: Form,
) -> Value {
    let names: &[(&str, &str)] = match verb {
        "list" | "deletecollection" => &[
            ("allowWatchBookmarks", "boolean"),
            ("continue", "string"),
            ("fieldSelector", "string"),
            ("labelSelector", "string"),
            ("limit", "integer"),
            ("resourceVersion", "string"),
            ("resourceVersionMatch", "string"),
            ("sendInitialEvents", "boolean"),
            ("timeoutSeconds", "integer"),
            ("watch", "boolean"),
        ],
        "create" | "replace" => {
            &[("dryRun", "string"), ("fieldManager", "string"), ("fieldValidation", "string")]
        }
        "patch" => &[
            ("dryRun", "string"),
            ("fieldManager", "string"),
            ("fieldValidation", "string"),
            ("force", "boolean"),
        ],
        "delete" => &[
            ("dryRun", "string"),
            ("gracePeriodSeconds", "integer"),
            ("orphanDependents", "boolean"),
            ("propagationPolicy", "string"),
        ],
        _ => &[],
    };
    let mut parameters: Vec<Value> =
        names.iter().map(|(name, of)| parameter(name, "query", of, form)).collect();
    // Custom resources have no strategic patches.
    let patches: Vec<&str> =
        PATCHES.iter().copied().filter(|p| custom.is_none() || !p.contains("strategic")).collect();
    let scope = if path.contains("{namespace}") { "Namespaced" } else { "" };
    let group = kind.group.split('.').next().filter(|g| !g.is_empty()).unwrap_or("core");
    let id =
        format!("{verb}{}{}{scope}{}{}", title(group), title(&kind.version), kind.kind, title(sub));
    let mut out = json!({
        "description": format!("{text} {}", kind.kind),
        "operationId": id,
        "responses": {"200": {"description": "OK"}, "401": {"description": "Unauthorized"}},
        "tags": [format!("{group}_{}", kind.version)],
        "x-kubernetes-action": match verb {
            "create" => "post",
            "read" => "get",
            "replace" => "put",
            verb => verb,
        },
        "x-kubernetes-group-version-kind": gvk(kind),
    });
    if matches!(verb, "create" | "replace" | "patch") {
        match (form, verb) {
            (Form::V3, "patch") => {
                let content: Map<String, Value> =
                    patches.iter().map(|p| ((*p).to_owned(), json!({}))).collect();
                out["requestBody"] = json!({"content": content, "required": true});
            }
            (Form::V3, _) => {
                out["requestBody"] = json!({"content": {"*/*": {}}, "required": true});
            }
            (Form::V2, _) => {
                out["consumes"] = if verb == "patch" { json!(patches) } else { json!(["*/*"]) };
                parameters.push(json!({
                    "in": "body", "name": "body", "required": true, "schema": {"type": "object"},
                }));
            }
        }
    }
    if !parameters.is_empty() {
        out["parameters"] = parameters.into();
    }
    out
}

fn parameter(name: &str, place: &str, kind: &str, form: Form) -> Value {
    let mut out = json!({"name": name, "in": place});
    if place == "path" {
        out["required"] = true.into();
    }
    match form {
        Form::V2 => {
            out["type"] = kind.into();
            out["uniqueItems"] = true.into();
        }
        Form::V3 => out["schema"] = json!({"type": kind, "uniqueItems": true}),
    }
    out
}

fn title(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
