//! Documents, patches and what becomes of them.

use serde_json::json;

use super::*;

fn strategic(document: Value, patch: Value) -> Value {
    super::strategic::apply(document, patch).unwrap()
}

fn deployment(containers: Value) -> Value {
    json!({"spec": {"replicas": 1, "template": {"spec": {"containers": containers}}}})
}

#[test]
fn lists_are_merged_by_key() {
    let before = deployment(json!([
        {"name": "a", "image": "x:1", "ports": [{"containerPort": 80}]}, {"name": "b", "image": "y"}]));
    let patch =
        deployment(json!([{"name": "a", "image": "x:2", "env": [{"name": "E", "value": "1"}]}]));
    assert_eq!(
        strategic(before.clone(), patch),
        deployment(json!([
            {"name": "a", "image": "x:2", "env": [{"name": "E", "value": "1"}],
             "ports": [{"containerPort": 80}]},
            {"name": "b", "image": "y"}]))
    );
    // What is new comes first, as the server does it without an order.
    let patch = deployment(json!([{"name": "c", "image": "z"}]));
    let after = strategic(before.clone(), patch);
    let names: Vec<_> = after["spec"]["template"]["spec"]["containers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["c", "a", "b"]);
    let patch = deployment(json!([{"$patch": "delete", "name": "a"}]));
    assert_eq!(strategic(before, patch), deployment(json!([{"name": "b", "image": "y"}])));
}

#[test]
fn directives() {
    let before =
        json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}});
    let patch = json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}});
    assert_eq!(strategic(before, patch), json!({"spec": {"strategy": {"type": "Recreate"}}}));
    let before = json!({"metadata": {"finalizers": ["a", "b"]}, "data": {"x": 1}});
    let patch = json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c"]},
        "data": {"$patch": "replace", "y": 2}});
    assert_eq!(
        strategic(before, patch),
        json!({"metadata": {"finalizers": ["b", "c"]}, "data": {"y": 2}})
    );
    assert!(
        super::strategic::apply(
            json!({"spec": {"containers": [{"name": "a"}]}}),
            json!({"spec": {"containers": [{"image": "x"}]}})
        )
        .unwrap_err()
        .ends_with("does not contain declared merge key: name")
    );
}

#[test]
fn applying_keeps_what_others_set_and_removes_what_was_dropped() {
    let original =
        deployment(json!([{"name": "a", "image": "x:1", "env": [{"name": "E", "value": "1"}]}]));
    let mut modified = deployment(json!([{"name": "a", "image": "x:2"}]));
    modified["spec"]["minReadySeconds"] = json!(3);
    let mut current = original.clone();
    current["spec"]["replicas"] = json!(5);
    current["spec"]["paused"] = json!(true);
    let patch = three_way(&original, &modified, &current);
    assert_eq!(
        patch,
        json!({"spec": {"minReadySeconds": 3, "replicas": 1, "template": {"spec": {
            "$setElementOrder/containers": [{"name": "a"}],
            "containers": [{"name": "a", "image": "x:2", "env": null}]}}}})
    );
    let after = strategic(current, patch);
    assert_eq!(after["spec"]["paused"], json!(true));
    assert_eq!(after["spec"]["template"], modified["spec"]["template"]);
    assert_eq!(three_way(&modified, &modified, &after), json!({}));
}

#[test]
fn merge_patches_of_three_documents() {
    let original = json!({"a": 1, "b": {"c": 1, "d": 2}});
    let modified = json!({"b": {"c": 2}, "l": [1]});
    let current = json!({"a": 1, "b": {"c": 1, "d": 2, "e": 3}});
    let patch = three_way_merge(&original, &modified, &current);
    assert_eq!(patch, json!({"a": null, "b": {"c": 2, "d": null}, "l": [1]}));
    assert_eq!(merge(current, patch), json!({"b": {"c": 2, "e": 3}, "l": [1]}));
}

#[test]
fn json_patches() {
    let doc = json!({"a": {"b/c": [1, 2]}});
    let patch = json!([
        {"op": "test", "path": "/a/b~1c/0", "value": 1},
        {"op": "add", "path": "/a/b~1c/-", "value": 3},
        {"op": "remove", "path": "/a/b~1c/0"},
        {"op": "copy", "from": "/a/b~1c/0", "path": "/x"},
        {"op": "replace", "path": "/x", "value": "y"},
    ]);
    let apply = super::json_patch::apply;
    assert_eq!(apply(doc.clone(), &patch), Ok(json!({"a": {"b/c": [2, 3]}, "x": "y"})));
    let wrong = json!([{"op": "replace", "path": "/nope", "value": 1}]);
    assert_eq!(
        apply(doc, &wrong),
        Err("replace operation does not apply: doc is missing key: /nope: missing value".into())
    );
}
