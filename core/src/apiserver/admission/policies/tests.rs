//! What mutating policies make of pods, by what they say.

use k8s_openapi::api::{
    admissionregistration::v1::{MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding},
    core::v1::Pod,
};
use serde_json::{Value, json};

use crate::{
    api::{Typed, yaml},
    apiserver::strategy::tests::{api, create},
};

const POD: &str =
    "{metadata: {name: p, labels: {app: web}}, spec: {containers: [{name: c, image: i}]}}";

/// What becomes of a pod under policies, each a line of its spec; a refusal is a text.
fn pod(policies: &[&str]) -> Value {
    let (api, cx) = api();
    for (i, spec) in policies.iter().enumerate() {
        let mut policy =
            yaml::parse(&format!("{{metadata: {{name: p{i}}}, spec: {spec}}}")).unwrap();
        let rule = json!({"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"],
            "resources": ["pods"]});
        policy["spec"]["matchConstraints"] = json!({"resourceRules": [rule]});
        if policy["spec"].get("reinvocationPolicy").is_none() {
            policy["spec"]["reinvocationPolicy"] = json!("Never");
        }
        let policy = yaml::to_string(&policy);
        create(&api, &cx, MutatingAdmissionPolicy::ID, &policy).unwrap();
        let binding = format!("{{metadata: {{name: b{i}}}, spec: {{policyName: p{i}}}}}");
        create(&api, &cx, MutatingAdmissionPolicyBinding::ID, &binding).unwrap();
    }
    match create(&api, &cx, Pod::ID, POD) {
        Ok(pod) => pod.to_value(),
        Err(status) => Value::String(format!("{} {}: {status}", status.code, status.reason)),
    }
}

fn apply(expression: &str) -> String {
    format!(
        "{{mutations: [{{patchType: ApplyConfiguration, applyConfiguration: {{expression: {}}}}}]}}",
        json!(expression)
    )
}

fn patch(expression: &str) -> String {
    format!(
        "{{mutations: [{{patchType: JSONPatch, jsonPatch: {{expression: {}}}}}]}}",
        json!(expression)
    )
}

#[test]
fn parts_are_laid_over_what_comes() {
    let spec = apply(
        "Object{metadata: Object.metadata{labels: {'team': object.metadata.labels['app'] + '-team'}}, \
         spec: Object.spec{containers: [Object.spec.containers{name: 'c', imagePullPolicy: 'Never'}]}}",
    );
    let pod = pod(&[&spec]);
    assert_eq!(pod["metadata"]["labels"], json!({"app": "web", "team": "web-team"}));
    assert_eq!(pod["spec"]["containers"][0]["imagePullPolicy"], "Never");
    assert_eq!(pod["spec"]["containers"][0]["image"], "i");
}

#[test]
fn patches_are_applied() {
    let spec = patch(
        "[JSONPatch{op: 'test', path: '/metadata/labels/app', value: 'web'}, JSONPatch{op: 'add', \
         path: '/metadata/labels/' + jsonpatch.escapeKey('example.com/a'), value: 'b'}, \
         JSONPatch{op: 'add', path: '/spec/volumes/-', value: Object.spec.volumes{name: 'v', \
         emptyDir: Object.spec.volumes.emptyDir{}}}]",
    );
    let changed = pod(&[&spec]);
    assert_eq!(changed["metadata"]["labels"]["example.com/a"], "b");
    let volumes = changed["spec"]["volumes"].as_array().unwrap();
    assert_eq!(volumes.last().unwrap()["name"], "v");
    // A test that fails leaves everything as it is.
    let spec = patch(
        "[JSONPatch{op: 'test', path: '/metadata/labels/app', value: 'x'}, JSONPatch{op: 'remove', \
         path: '/metadata/labels/app'}]",
    );
    assert_eq!(pod(&[&spec])["metadata"]["labels"]["app"], "web");
}

#[test]
fn policies_that_want_it_are_asked_again() {
    let first = "{reinvocationPolicy: IfNeeded, mutations: [{patchType: ApplyConfiguration, \
                 applyConfiguration: {expression: \"has(object.metadata.labels.late) ? \
                 Object{metadata: Object.metadata{labels: {'seen': 'yes'}}} : Object{}\"}}]}";
    let second = apply("Object{metadata: Object.metadata{labels: {'late': 'x'}}}");
    assert_eq!(pod(&[first, &second])["metadata"]["labels"]["seen"], "yes");
    let never = first.replace("IfNeeded", "Never");
    assert_eq!(pod(&[&never, &second])["metadata"]["labels"].get("seen"), None);
}

#[test]
fn what_fails_refuses_or_is_ignored() {
    for (spec, why) in [
        (
            apply("Object{spec: Object.wrong{}}"),
            "type mismatch: unexpected type name \"Object.wrong\", expected \"Object.spec\", which \
             matches field name path from root Object type",
        ),
        (
            apply("Object{spec: Object.spec{nope: 1}}"),
            "error applying patch: failed to convert patch object to typed object: .spec.nope: field \
             not declared in schema",
        ),
        (
            apply("Object{spec: Object.spec{nodeSelector: {'a': 'b'}}}"),
            "error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or \
             structs: .spec.nodeSelector",
        ),
        (
            apply("Object{metadata: Object.metadata{name: object.nope}}"),
            "expression 'Object{metadata: Object.metadata{name: object.nope}}' resulted in error: no \
             such key: nope",
        ),
    ] {
        let told = format!("403 Invalid: policy 'p0' with binding 'b0' denied request: {why}");
        assert_eq!(pod(&[&spec]), told);
        let ignored = spec.replacen("{mutations", "{failurePolicy: Ignore, mutations", 1);
        assert_eq!(pod(&[&ignored])["metadata"]["name"], "p");
    }
}
