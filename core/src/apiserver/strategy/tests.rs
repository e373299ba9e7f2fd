//! What the API server makes of objects, and what it says of wrong ones: as recorded from a real one.

use k8s_openapi::api::{apps::v1::*, core::v1::*};
use serde_json::{Value, json};

use crate::{
    api::{KindId, ObjRef, Status, Typed, patch::PatchType},
    apiserver::{ApiServer, CreateOptions, FieldValidation, RequestCx, Subresource, User},
    sim::{Sim, Time},
};

/// An API server with the namespace `default`.
pub fn api() -> (ApiServer, RequestCx) {
    let api = ApiServer::new(&Sim::new(1, Time::from_secs(1_700_000_000)));
    let user = User::new("admin", ["system:masters"]);
    let cx = RequestCx::new(user, "test");
    let ns = api.decode(Namespace::ID, json!({"metadata": {"name": "default"}})).unwrap();
    api.create(&cx, ns, &CreateOptions::default()).unwrap();
    let account = json!({"metadata": {"name": "default", "namespace": "default"}});
    let account = api.decode(ServiceAccount::ID, account).unwrap();
    api.create(&cx, account, &CreateOptions { namespace: "default" }).unwrap();
    (api, cx)
}

/// Makes an object of a kind in the namespace `default`.
pub fn create(api: &ApiServer, cx: &RequestCx, kind: KindId, yaml: &str) -> Result<ObjRef, Status> {
    let value: Value = serde_yaml::from_str(yaml).unwrap();
    let object = api.decode_checked(cx, kind, value, FieldValidation::Strict)?;
    api.create(cx, object, &CreateOptions { namespace: "default" })
}

/// The message of each error, as kubectl lists them.
fn refusal(result: Result<ObjRef, Status>) -> Vec<String> {
    let status = result.unwrap_err();
    if status.causes.is_empty() {
        return vec![status.message];
    }
    status.causes.iter().map(ToString::to_string).collect()
}

const POD: &str = "
metadata:
  name: web
  labels: {app: web}
spec:
  containers:
  - name: main
    image: nginx
    ports:
    - containerPort: 80
      name: http
    resources:
      requests:
        cpu: 100m
    volumeMounts:
    - name: data
      mountPath: /data
  volumes:
  - name: data
    emptyDir: {}
";

#[test]
fn wrong_pods_are_refused_in_kubernetes_words() {
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "containerPort: 80",
            "containerPort: 0",
            &["spec.containers[0].ports[0].containerPort: Required value"],
        ),
        (
            "name: http",
            "name: a-very-long-port-name",
            &[
                "spec.containers[0].ports[0].name: Invalid value: \"a-very-long-port-name\": must be no more than 15 characters",
            ],
        ),
        (
            "cpu: 100m",
            "cpu: \"-1\"",
            &[
                "spec.containers[0].resources.requests[cpu]: Invalid value: \"-1\": must be greater than or equal to 0",
            ],
        ),
        (
            "cpu: 100m",
            "cpuu: \"1\"",
            &[
                "spec.containers[0].resources.requests[cpuu]: Invalid value: \"cpuu\": must be a standard resource type or fully qualified",
                "spec.containers[0].resources.requests[cpuu]: Invalid value: \"cpuu\": must be a standard resource for containers",
            ],
        ),
        (
            "cpu: 100m",
            "cpu: \"2\"\n      limits:\n        cpu: \"1\"",
            &[
                "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1",
            ],
        ),
        (
            "    - name: data",
            "    - name: nodata",
            &["spec.containers[0].volumeMounts[0].name: Not found: \"nodata\""],
        ),
        (
            "\nspec:",
            "\nspec:\n  restartPolicy: Sometimes",
            &[
                "spec.restartPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"OnFailure\", \"Never\"",
            ],
        ),
        (
            "image: nginx",
            "image: nginx\n    imagePullPolicy: Maybe",
            &[
                "spec.containers[0].imagePullPolicy: Unsupported value: \"Maybe\": supported values: \"Always\", \"IfNotPresent\", \"Never\"",
            ],
        ),
        ("image: nginx", "image: \"\"", &["spec.containers[0].image: Required value"]),
        (
            "  - name: main",
            "  - name: main\n    image: redis\n  - name: main",
            &["spec.containers[1].name: Duplicate value: \"main\""],
        ),
        (
            "    - containerPort: 80",
            "    - containerPort: 81\n      name: http\n    - containerPort: 80",
            &["spec.containers[0].ports[1].name: Duplicate value: \"http\""],
        ),
        (
            "image: nginx",
            "image: nginx\n    livenessProbe: {periodSeconds: 1}",
            &["spec.containers[0].livenessProbe: Required value: must specify a handler type"],
        ),
        (
            "image: nginx",
            "image: nginx\n    livenessProbe: {httpGet: {path: x}, tcpSocket: {port: 1}}",
            &[
                "spec.containers[0].livenessProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive",
                "spec.containers[0].livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type",
            ],
        ),
        (
            "image: nginx",
            "image: nginx\n    env: [{name: \"a b=\", value: x}, {name: B, value: x, valueFrom: {fieldRef: {fieldPath: spec.nope}}}]",
            &[
                "spec.containers[0].env[0].name: Invalid value: \"a b=\": a valid environment variable name must consist only of printable ASCII characters other than '='",
                "spec.containers[0].env[1].valueFrom.fieldRef.fieldPath: Invalid value: \"spec.nope\": error converting fieldPath: field label not supported: spec.nope",
                "spec.containers[0].env[1].valueFrom: Invalid value: \"\": may not be specified when `value` is not empty",
            ],
        ),
        (
            "emptyDir: {}",
            "emptyDir: {}\n    hostPath: {path: x}",
            &[
                "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type",
                "spec.containers[0].volumeMounts[0].name: Not found: \"data\"",
            ],
        ),
    ];
    for (from, to, want) in cases {
        let (api, cx) = api();
        assert!(POD.contains(from), "{from}");
        let got = refusal(create(&api, &cx, Pod::ID, &POD.replacen(from, to, 1)));
        assert_eq!(got, *want, "{to}");
    }
    let (api, cx) = api();
    for yaml in ["metadata: {name: web}", "metadata: {name: web}\nspec: {}"] {
        let got = refusal(create(&api, &cx, Pod::ID, yaml));
        assert_eq!(got, ["spec.containers: Required value"]);
    }
}

#[test]
fn a_stored_pod_has_the_servers_defaults() {
    let (api, cx) = api();
    let yaml = "{metadata: {name: one, labels: {run: one}}, spec: {containers: [{name: one, \
                image: nginx, ports: [{containerPort: 80}]}], dnsPolicy: ClusterFirst, \
                restartPolicy: Always}}";
    let pod = create(&api, &cx, Pod::ID, yaml).unwrap().to_value();
    assert_eq!(pod["metadata"]["generation"], 1);
    assert_eq!(pod["status"], json!({"phase": "Pending", "qosClass": "BestEffort"}));
    let spec = &pod["spec"];
    let c = &spec["containers"][0];
    assert_eq!(c["ports"], json!([{"containerPort": 80, "protocol": "TCP"}]));
    assert_eq!(c["resources"], json!({}));
    for (key, want) in [
        ("imagePullPolicy", "Always"),
        ("terminationMessagePath", "/dev/termination-log"),
        ("terminationMessagePolicy", "File"),
    ] {
        assert_eq!(c[key], want);
    }
    for (key, want) in [
        ("dnsPolicy", json!("ClusterFirst")),
        ("enableServiceLinks", json!(true)),
        ("restartPolicy", json!("Always")),
        ("schedulerName", json!("default-scheduler")),
        ("securityContext", json!({})),
        ("terminationGracePeriodSeconds", json!(30)),
    ] {
        assert_eq!(spec[key], want, "{key}");
    }
}

#[test]
fn a_pods_spec_can_hardly_be_changed() {
    let (api, cx) = api();
    let yaml = "{metadata: {name: web}, spec: {nodeName: node-2, containers: [{name: web, image: nginx}]}}";
    create(&api, &cx, Pod::ID, yaml).unwrap();
    let patch = |value: Value| {
        let key = ("default", "web");
        api.patch(&cx, Pod::ID, key, (PatchType::Merge, &value), Subresource::Main)
    };
    let only = "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n";
    let got = refusal(patch(json!({"spec": {"nodeName": "node-9"}})));
    let without_hunk: Vec<_> = got[0].lines().filter(|l| !l.starts_with("@@")).collect();
    let want = format!(
        "{only}  \"NodeSelector\": null,
  \"ServiceAccountName\": \"default\",
  \"AutomountServiceAccountToken\": null,
- \"NodeName\": \"node-2\",
+ \"NodeName\": \"node-9\",
  \"SecurityContext\": {{
   \"HostNetwork\": false,
   \"HostPID\": false,"
    );
    assert_eq!(without_hunk.join("\n"), want);
    let image = patch(
        json!({"spec": {"containers": [{"name": "web", "image": "nginx:1.26", "imagePullPolicy": "Always"}]}}),
    );
    // A merge patch replaces the list: the mount that admission added is gone from it.
    assert!(refusal(image)[0].starts_with(only));
    assert!(patch(json!({"spec": {"activeDeadlineSeconds": 100}})).is_ok());
    let got = refusal(patch(json!({"metadata": {"uid": "x"}})));
    assert_eq!(got, ["metadata.uid: Invalid value: \"x\": field is immutable"]);
    let got = refusal(patch(json!({"metadata": {"namespace": "other"}})));
    assert_eq!(
        got,
        ["the namespace of the provided object does not match the namespace sent on the request"]
    );
}

#[test]
fn wrong_workloads_and_services_are_refused_in_kubernetes_words() {
    let (api, cx) = api();
    let deployment = |spec: &str| {
        format!(
            "{{metadata: {{name: web}}, spec: {{selector: {{matchLabels: {{app: web}}}}, {spec} \
             template: {{metadata: {{labels: {{app: web}}}}, spec: {{containers: [{{name: c, \
             image: nginx}}]}}}}}}}}"
        )
    };
    let service = |spec: &str| format!("{{metadata: {{name: web}}, spec: {{{spec}}}}}");
    for (kind, yaml, want) in [
        (
            Deployment::ID,
            deployment(
                "strategy: {type: Blue, rollingUpdate: {maxUnavailable: 50%, maxSurge: 0}},",
            ),
            "spec.strategy: Unsupported value: {\"Type\":\"Blue\",\"RollingUpdate\":{\"MaxUnavailable\":\"50%\",\"MaxSurge\":0}}: supported values: \"Recreate\", \"RollingUpdate\"",
        ),
        (
            Deployment::ID,
            deployment("strategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 0}},"),
            "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0",
        ),
        (
            Deployment::ID,
            deployment("strategy: {rollingUpdate: {maxUnavailable: 200%}},"),
            "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"200%\": must not be greater than 100%",
        ),
        (
            Deployment::ID,
            deployment("strategy: {type: Recreate, rollingUpdate: {}},"),
            "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
        ),
        (
            Deployment::ID,
            deployment("minReadySeconds: 700,"),
            "spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds",
        ),
        (
            Deployment::ID,
            deployment("replicas: -1,"),
            "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            Deployment::ID,
            deployment("").replacen("app: web", "app: db", 1),
            "spec.template.metadata.labels: Invalid value: {\"app\":\"web\"}: `selector` does not match template `labels`",
        ),
        (Service::ID, service("type: ExternalName"), "spec.externalName: Required value"),
        (
            Service::ID,
            service("type: Global, ports: [{port: 80}]"),
            "spec.type: Unsupported value: \"Global\": supported values: \"ClusterIP\", \"ExternalName\", \"LoadBalancer\", \"NodePort\"",
        ),
        (Service::ID, service(""), "spec.ports: Required value"),
        (
            Service::ID,
            service("type: NodePort, ports: [{port: 80, nodePort: 80}]"),
            "spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767",
        ),
    ] {
        assert_eq!(refusal(create(&api, &cx, kind, &yaml)), [want], "{yaml}");
    }
}

#[test]
fn services_get_addresses_and_ports_that_nobody_else_has() {
    let (api, cx) = api();
    let yaml = |name: &str| {
        format!(
            "{{metadata: {{name: {name}}}, spec: {{type: NodePort, ports: [{{port: 80}}], selector: {{app: web}}}}}}"
        )
    };
    let a = create(&api, &cx, Service::ID, &yaml("a")).unwrap().to_value();
    let b = create(&api, &cx, Service::ID, &yaml("b")).unwrap().to_value();
    assert_ne!(a["spec"]["clusterIP"], b["spec"]["clusterIP"]);
    assert_ne!(a["spec"]["ports"][0]["nodePort"], b["spec"]["ports"][0]["nodePort"]);
    let mut spec = a["spec"].clone();
    let ip = spec["clusterIP"].as_str().unwrap().to_string();
    assert!(ip.starts_with("10.") && spec["clusterIPs"] == json!([ip]));
    spec["ports"][0]["nodePort"] = json!(30080);
    assert_eq!(a["status"], json!({"loadBalancer": {}}));
    for (key, want) in [
        ("externalTrafficPolicy", json!("Cluster")),
        ("internalTrafficPolicy", json!("Cluster")),
        ("ipFamilies", json!(["IPv4"])),
        ("ipFamilyPolicy", json!("SingleStack")),
        ("ports", json!([{"nodePort": 30080, "port": 80, "protocol": "TCP", "targetPort": 80}])),
        ("sessionAffinity", json!("None")),
        ("type", json!("NodePort")),
    ] {
        assert_eq!(spec[key], want, "{key}");
    }
    let patch = |value: Value| {
        api.patch(&cx, Service::ID, ("default", "a"), (PatchType::Merge, &value), Subresource::Main)
    };
    let got = refusal(patch(json!({"spec": {"clusterIP": "None", "type": "ClusterIP"}})));
    assert_eq!(got, ["spec.clusterIPs[0]: Invalid value: [\"None\"]: may not change once set"]);
    let taken = b["spec"]["ports"][0]["nodePort"].as_i64().unwrap();
    let got = refusal(patch(json!({"spec": {"ports": [{"port": 80, "nodePort": taken}]}})));
    assert_eq!(
        got,
        [format!(
            "spec.ports[0].nodePort: Invalid value: {taken}: provided port is already allocated"
        )]
    );
    let plain = patch(json!({"spec": {"type": "ClusterIP"}})).unwrap().to_value();
    assert!(plain["spec"]["ports"][0].get("nodePort").is_none());
    assert_eq!(plain["spec"]["clusterIP"], a["spec"]["clusterIP"]);
}

#[test]
fn what_is_immutable_stays() {
    let (api, cx) = api();
    let config = "{metadata: {name: lit}, data: {a: '1'}, immutable: true}";
    create(&api, &cx, ConfigMap::ID, config).unwrap();
    let key = ("default", "lit");
    let patch = json!({"data": {"a": "2"}});
    let got = api.patch(&cx, ConfigMap::ID, key, (PatchType::Merge, &patch), Subresource::Main);
    assert_eq!(refusal(got), ["data: Forbidden: field is immutable when `immutable` is set"]);
    let ns = api.get(Namespace::ID, "", "default").unwrap().to_value();
    assert_eq!(ns["spec"], json!({"finalizers": ["kubernetes"]}));
    assert_eq!(ns["status"], json!({"phase": "Active"}));
    assert_eq!(ns["metadata"]["labels"], json!({"kubernetes.io/metadata.name": "default"}));
}

#[test]
fn admission_gives_pods_an_account_a_priority_and_tolerations() {
    let (api, cx) = api();
    let yaml = "{metadata: {name: one}, spec: {containers: [{name: one, image: nginx}]}}";
    let pod = create(&api, &cx, Pod::ID, yaml).unwrap().to_value();
    let spec = &pod["spec"];
    assert_eq!(spec["serviceAccountName"], "default");
    assert_eq!(spec["serviceAccount"], "default");
    assert_eq!(spec["priority"], 0);
    assert_eq!(spec["preemptionPolicy"], "PreemptLowerPriority");
    let lost = |key: &str| json!({"effect": "NoExecute", "key": key, "operator": "Exists", "tolerationSeconds": 300});
    let keys = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];
    assert_eq!(spec["tolerations"], json!(keys.map(lost)));
    let volume = &spec["volumes"][0];
    assert!(volume["name"].as_str().unwrap().starts_with("kube-api-access-"));
    assert_eq!(
        volume["projected"],
        json!({"defaultMode": 420, "sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": {"items": [{"key": "ca.crt", "path": "ca.crt"}], "name": "kube-root-ca.crt"}},
            {"downwardAPI": {"items": [{"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}, "path": "namespace"}]}},
        ]})
    );
    let mount = json!({"mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "name": volume["name"], "readOnly": true});
    assert_eq!(spec["containers"][0]["volumeMounts"], json!([mount]));
    let nope = "{metadata: {name: web}, spec: {priorityClassName: nope, containers: [{name: c, image: i}]}}";
    let got = refusal(create(&api, &cx, Pod::ID, nope));
    assert_eq!(got, ["pods \"web\" is forbidden: no PriorityClass with name nope was found"]);
    let got = api.delete(&cx, Namespace::ID, "", "default", &Default::default());
    assert_eq!(
        refusal(got.map(|(object, _)| object)),
        ["namespaces \"default\" is forbidden: this namespace may not be deleted"]
    );
}

#[test]
fn a_scheduled_pod_waits_for_its_kubelet_and_an_unscheduled_one_is_gone_at_once() {
    let (api, cx) = api();
    let options =
        |grace| crate::apiserver::DeleteOptions { grace_seconds: grace, ..Default::default() };
    let pod = |name: &str, node: &str| {
        let yaml = format!(
            "{{metadata: {{name: {name}}}, spec: {{{node} containers: [{{name: c, image: i}}]}}}}"
        );
        create(&api, &cx, Pod::ID, &yaml).unwrap();
    };
    pod("waiting", "");
    let (_, gone) = api.delete(&cx, Pod::ID, "default", "waiting", &options(None)).unwrap();
    assert!(gone);
    pod("runs", "nodeName: n,");
    let (runs, gone) = api.delete(&cx, Pod::ID, "default", "runs", &options(None)).unwrap();
    assert!(!gone);
    assert_eq!(runs.metadata().deletion_grace_period_seconds, Some(30));
    assert_eq!(runs.metadata().generation, Some(2));
    let (runs, _) = api.delete(&cx, Pod::ID, "default", "runs", &options(Some(60))).unwrap();
    assert_eq!(runs.metadata().deletion_grace_period_seconds, Some(30), "never longer");
    let (runs, _) = api.delete(&cx, Pod::ID, "default", "runs", &options(Some(1))).unwrap();
    assert_eq!(runs.metadata().deletion_grace_period_seconds, Some(1));
    let (_, gone) = api.delete(&cx, Pod::ID, "default", "runs", &options(Some(0))).unwrap();
    assert!(gone);
}

#[test]
fn what_a_client_sends_is_read_as_go_reads_it() {
    let (api, cx) = api();
    let d = "{metadata: {name: web}, spec: {REPLICAS, selector: {matchLabels: {app: web}}, \
             template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: i, \
             resources: {limits: {cpu: 0.5}}}]}}}}";
    let refused = "Deployment in version \"v1\" cannot be handled as a Deployment: ";
    for (replicas, want) in [
        ("replica: 1", "strict decoding error: unknown field \"spec.replica\""),
        (
            "replicas: one",
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
    ] {
        let got = refusal(create(&api, &cx, Deployment::ID, &d.replace("REPLICAS", replicas)));
        assert_eq!(got, [format!("{refused}{want}")]);
    }
    let made = create(&api, &cx, Deployment::ID, &d.replace("REPLICAS", "replicas: null")).unwrap();
    let made = made.to_value();
    assert_eq!(made["spec"]["replicas"], 1);
    let container = &made["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["resources"], json!({"limits": {"cpu": "500m"}}));
    let key = ("default", "web");
    let patch = json!({"spec": {"replicas": 1.5}});
    let patched =
        api.patch(&cx, Deployment::ID, key, (PatchType::Strategic, &patch), Subresource::Main);
    let status = patched.unwrap_err();
    assert_eq!((status.reason, status.kind.as_str()), ("Invalid", ""));
    assert_eq!(
        status.causes[0].to_string(),
        "patch: Invalid value: \"map[spec:map[replicas:1.5]]\": cannot convert float64 to int32"
    );
}

#[test]
fn lines_are_sorted_and_each_kind_has_one() {
    let table = crate::api::KindTable::default();
    let names: Vec<_> =
        super::STRATEGIES.iter().map(|(id, _)| table.get(*id).kind.clone()).collect();
    assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    for kind in table.iter() {
        assert!(names.contains(&kind.kind), "{} has no rules", kind.kind);
    }
}

#[test]
fn an_evicted_pod_knows_why() {
    let (api, cx) = api();
    let yaml = "{metadata: {name: web}, spec: {nodeName: n, containers: [{name: c, image: i}]}}";
    create(&api, &cx, Pod::ID, yaml).unwrap();
    api.evict(&cx, "default", "web", &Default::default()).unwrap();
    let pod = api.get(Pod::ID, "default", "web").unwrap().to_value();
    assert!(pod["metadata"]["deletionTimestamp"].is_string());
    assert_eq!(pod["status"]["conditions"][0]["reason"], "EvictionByEvictionAPI");
}

#[test]
fn finalizers_say_whose_they_are_and_come_before_deletion() {
    let (api, cx) = api();
    let named = |list: &str| format!("{{metadata: {{name: c, finalizers: [{list}]}}}}");
    let got = refusal(create(&api, &cx, ConfigMap::ID, &named("nodomain")));
    assert_eq!(
        got,
        ["metadata.finalizers[0]: Invalid value: \"nodomain\": name is neither a standard \
          finalizer name nor is it fully qualified"]
    );
    create(&api, &cx, ConfigMap::ID, &named("example.com/hold")).unwrap();
    api.delete(&cx, ConfigMap::ID, "default", "c", &Default::default()).unwrap();
    let patch = json!({"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}});
    let key = ("default", "c");
    let got = api.patch(&cx, ConfigMap::ID, key, (PatchType::Merge, &patch), Subresource::Main);
    assert_eq!(
        refusal(got),
        ["metadata.finalizers: Forbidden: no new finalizers can be added if the object is being \
          deleted, found new finalizers []string{\"example.com/more\"}"]
    );
}
