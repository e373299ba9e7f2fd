//! Objects that several programs write, and who owns what then.

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::{
    api::{KindId, ObjRef, Status, Typed, patch::PatchType, yaml},
    apiserver::{ApiServer, CreateOptions, RequestCx, Subresource, User, tests::api},
};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ConfigMap, Service},
};

fn by(manager: &str) -> RequestCx {
    RequestCx::new(User::new("admin", ["system:masters"]), manager)
}

fn create(api: &ApiServer, manager: &str, kind: KindId, value: Value) -> ObjRef {
    let object = api.decode(kind, value).unwrap();
    api.create(&by(manager), object, &CreateOptions { namespace: "default" }).unwrap()
}

fn apply(api: &ApiServer, manager: &str, config: &Value, force: bool) -> Result<ObjRef, Status> {
    let name = config.pointer("/metadata/name").and_then(Value::as_str).unwrap();
    let text = |key: &str| config[key].as_str().unwrap();
    let id = api.kinds().by_kind(text("apiVersion"), text("kind")).unwrap().id;
    let how = (force, Subresource::Main);
    api.apply(&by(manager), id, ("default", name), config.clone(), how).map(|(o, _)| o)
}

fn owners(api: &ApiServer, object: &ObjRef, want: Expect) {
    let full = api.full_value(&**object);
    let entries = full.pointer("/metadata/managedFields").cloned().unwrap_or(json!([]));
    let lines: Vec<String> = entries
        .as_array()
        .unwrap()
        .iter()
        .map(|e| {
            let text = |key: &str| e.get(key).and_then(Value::as_str).unwrap_or("");
            let head =
                format!("# {} {} {}\n", text("manager"), text("operation"), text("subresource"));
            head + &yaml::to_string(&e["fieldsV1"])
        })
        .collect();
    want.assert_eq(&lines.concat());
}

fn deployment() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web",
        "namespace": "default", "labels": {"app": "web"}}, "spec": {"replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [
            {"name": "c", "image": "nginx", "ports": [{"containerPort": 80}]}]}}}})
}

#[test]
fn who_creates_owns_what_was_said_and_defaulted() {
    let (api, _) = api();
    let made = create(&api, "kubectl-create", Deployment::ID, deployment());
    api.set_scale(&by("kubectl"), Deployment::ID, ("default", "web"), 3, None).unwrap();
    owners(
        &api,
        &made,
        expect![[r##"
        # kubectl Update scale
        f:spec:
          f:replicas: {}
        # kubectl-create Update 
        f:metadata:
          f:labels:
            .: {}
            f:app: {}
        f:spec:
          f:progressDeadlineSeconds: {}
          f:revisionHistoryLimit: {}
          f:selector: {}
          f:strategy:
            f:rollingUpdate:
              .: {}
              f:maxSurge: {}
              f:maxUnavailable: {}
            f:type: {}
          f:template:
            f:metadata:
              f:labels:
                .: {}
                f:app: {}
            f:spec:
              f:containers:
                k:{"name":"c"}:
                  .: {}
                  f:image: {}
                  f:imagePullPolicy: {}
                  f:name: {}
                  f:ports:
                    .: {}
                    k:{"containerPort":80,"protocol":"TCP"}:
                      .: {}
                      f:containerPort: {}
                      f:protocol: {}
                  f:resources: {}
                  f:terminationMessagePath: {}
                  f:terminationMessagePolicy: {}
              f:dnsPolicy: {}
              f:restartPolicy: {}
              f:schedulerName: {}
              f:securityContext: {}
              f:terminationGracePeriodSeconds: {}
    "##]],
    );
}

#[test]
fn what_the_server_adds_is_nobodys() {
    let (api, _) = api();
    let service = json!({"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}});
    let made = create(&api, "kubectl-expose", Service::ID, service);
    owners(
        &api,
        &made,
        expect![[r##"
        # kubectl-expose Update 
        f:spec:
          f:internalTrafficPolicy: {}
          f:ports:
            .: {}
            k:{"port":80,"protocol":"TCP"}:
              .: {}
              f:port: {}
              f:protocol: {}
              f:targetPort: {}
          f:sessionAffinity: {}
          f:type: {}
    "##]],
    );
}

#[test]
fn appliers_conflict_share_and_let_go() {
    let (api, _) = api();
    let config = |data: Value| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c",
            "namespace": "default"}, "data": data})
    };
    apply(&api, "one", &config(json!({"a": "1", "b": "1"})), false).unwrap();
    let refused = apply(&api, "two", &config(json!({"a": "2", "c": "2"})), false).unwrap_err();
    assert_eq!(refused.message, "Apply failed with 1 conflict: conflict with \"one\": .data.a");
    apply(&api, "two", &config(json!({"a": "1", "c": "2"})), false).unwrap();
    let patch = json!({"data": {"b": "3"}});
    let key = ("default", "c");
    let patch = (PatchType::Merge, &patch);
    api.patch(&by("kubectl-patch"), ConfigMap::ID, key, patch, Subresource::Main).unwrap();
    let refused = apply(&api, "one", &config(json!({"a": "2", "b": "1"})), false).unwrap_err();
    assert_eq!(
        refused.message,
        "Apply failed with 2 conflicts: conflicts with \"kubectl-patch\" using v1:\n- .data.b\n\
         conflicts with \"two\":\n- .data.a"
    );
    // What one no longer applies and another owns stays; what nobody else owns goes.
    let after = apply(&api, "one", &config(json!({"d": "1"})), false).unwrap();
    assert_eq!(after.to_value()["data"], json!({"a": "1", "b": "3", "c": "2", "d": "1"}));
    let after = apply(&api, "one", &config(json!({"c": "1"})), true).unwrap();
    assert_eq!(after.to_value()["data"], json!({"a": "1", "b": "3", "c": "1"}));
    owners(
        &api,
        &after,
        expect![[r#"
        # one Apply 
        f:data:
          f:c: {}
        # two Apply 
        f:data:
          f:a: {}
        # kubectl-patch Update 
        f:data:
          f:b: {}
    "#]],
    );
}

#[test]
fn lists_are_merged_by_their_keys() {
    let (api, _) = api();
    apply(&api, "one", &deployment(), false).unwrap();
    let more = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"template": {"spec": {"containers": [{"name": "side", "image": "busybox"},
            {"name": "c", "env": [{"name": "A", "value": "1"}]}]}}}});
    let after = apply(&api, "two", &more, false).unwrap().to_value();
    let containers = after.pointer("/spec/template/spec/containers").unwrap();
    let names: Vec<_> = containers.as_array().unwrap().iter().map(|c| c["name"].clone()).collect();
    assert_eq!(names, ["side", "c"]);
    assert_eq!(containers[1]["image"], "nginx");
    let mut less = more.clone();
    less["spec"]["template"]["spec"]["containers"] = json!([{"name": "c"}]);
    let after = apply(&api, "two", &less, false).unwrap().to_value();
    let containers = after.pointer("/spec/template/spec/containers").unwrap();
    assert_eq!(containers.as_array().unwrap().len(), 1);
    assert!(containers[0].get("env").is_none(), "{containers}");
    let mut wrong = more;
    wrong["spec"]["replica"] = json!(1);
    let refused = apply(&api, "two", &wrong, false).unwrap_err();
    assert_eq!(
        refused.message,
        "failed to create typed patch object (default/web; apps/v1, Kind=Deployment): \
         .spec.replica: field not declared in schema"
    );
}

#[test]
fn a_client_may_set_the_list_itself() {
    let (api, _) = api();
    let made = create(
        &api,
        "kubectl-create",
        ConfigMap::ID,
        json!({"metadata": {"name": "c"},
        "data": {"a": "1"}}),
    );
    let key = ("default", "c");
    let full = api.full_value(&*made);
    let mut entries = full["metadata"]["managedFields"].clone();
    entries[0]["manager"] = "me".into();
    entries[0]["operation"] = "Apply".into();
    let patch = json!([{"op": "replace", "path": "/metadata/managedFields", "value": entries}]);
    let after = api
        .patch(&by("x"), ConfigMap::ID, key, (PatchType::Json, &patch), Subresource::Main)
        .unwrap();
    owners(
        &api,
        &after,
        expect![[r#"
        # me Apply 
        f:data:
          .: {}
          f:a: {}
    "#]],
    );
    assert_ne!(after.metadata().resource_version, made.metadata().resource_version);
    let patch = json!({"metadata": {"managedFields": [{}]}});
    let after = api
        .patch(&by("x"), ConfigMap::ID, key, (PatchType::Merge, &patch), Subresource::Main)
        .unwrap();
    owners(&api, &after, expect![[""]]);
}
