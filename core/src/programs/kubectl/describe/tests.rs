//! Descriptions as recorded from a real kubectl.

use k8s_openapi::api::{apps::v1::*, core::v1::*, rbac::v1::*};
use serde_json::{Value, json};

use super::describe;
use crate::{
    api::{KindId, Typed, patch::PatchType},
    apiserver::{ApiServer, User},
    client::{Client, FieldValidation, Subresource},
    sim::{Sim, Time},
};

/// A cluster at 2026-11-21 04:33:43 that has the namespace `default`.
fn cluster() -> Client {
    let now: jiff::Timestamp = "2026-11-21T04:33:43Z".parse().unwrap();
    let api = ApiServer::new(&Sim::new(1, Time::from_timestamp(now)));
    let user = User::new("admin", ["system:masters"]);
    let client = Client::new(&api, user, "test");
    make(&client, Namespace::ID, json!({"metadata": {"name": "default"}}));
    make(&client, ServiceAccount::ID, json!({"metadata": {"name": "default"}}));
    client
}

/// Creates an object, and gives it the status it comes with.
fn make(client: &Client, kind: KindId, value: Value) -> Value {
    let status = value.get("status").cloned();
    let ns = if client.kind(kind).namespaced { "default" } else { "" };
    let made = client.create_value(kind, ns, value, FieldValidation::Strict).unwrap();
    let Some(status) = status else { return made.to_value() };
    let patch = json!({"status": status});
    let patch = (PatchType::Merge, &patch);
    let key = (made.namespace(), made.name());
    client.patch(kind, key, patch, Subresource::Status).unwrap().to_value()
}

fn event(client: &Client, about: &Value, message: &str, more: Value) {
    let mut event = json!({
        "metadata": {"generateName": "e-"}, "type": "Normal", "message": message,
        "involvedObject": {"kind": about["kind"], "name": about["metadata"]["name"],
            "namespace": "default", "uid": about["metadata"]["uid"]},
        "firstTimestamp": "2026-11-21T04:33:41Z", "lastTimestamp": "2026-11-21T04:33:41Z", "count": 1,
    });
    for (key, value) in more.as_object().unwrap() {
        if key == "fieldPath" {
            event["involvedObject"]["fieldPath"] = value.clone();
        } else {
            event[key] = value.clone();
        }
    }
    make(client, Event::ID, event);
}

fn check(client: &Client, kind: KindId, name: &str, want: &str) {
    let ns = if client.kind(kind).namespaced { "default" } else { "" };
    let got = describe(client, kind, ns, name, true).unwrap();
    assert!(got == want, "got:\n{got}\nwanted:\n{want}");
}

#[test]
fn a_deployment_is_described_as_recorded() {
    let client = cluster();
    let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "nginx", "image": "nginx:1.25"}]}});
    let d = make(
        &client,
        Deployment::ID,
        json!({
            "metadata": {"name": "web", "labels": {"app": "web"}, "annotations": {"deployment.kubernetes.io/revision": "1"}},
            "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template},
            "status": {"replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2, "conditions": [
                {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"},
                {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}]},
        }),
    );
    let mut own = d["spec"]["template"].clone();
    own["metadata"]["labels"]["pod-template-hash"] = json!("7b46c4b544");
    make(
        &client,
        ReplicaSet::ID,
        json!({
            "metadata": {"name": "web-7b46c4b544", "labels": {"app": "web", "pod-template-hash": "7b46c4b544"},
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": d["metadata"]["uid"], "controller": true}]},
            "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web", "pod-template-hash": "7b46c4b544"}}, "template": own},
            "status": {"replicas": 2},
        }),
    );
    event(
        &client,
        &d,
        "Scaled up replica set web-7b46c4b544 from 0 to 2",
        json!({"reason": "ScalingReplicaSet", "source": {"component": "deployment-controller"}}),
    );
    check(&client, Deployment::ID, "web", "\
Name:                   web
Namespace:              default
CreationTimestamp:      Sat, 21 Nov 2026 04:33:43 +0000
Labels:                 app=web
Annotations:            deployment.kubernetes.io/revision: 1
Selector:               app=web
Replicas:               2 desired | 2 updated | 2 total | 2 available | 0 unavailable
StrategyType:           RollingUpdate
MinReadySeconds:        0
RollingUpdateStrategy:  25% max unavailable, 25% max surge
Pod Template:
  Labels:  app=web
  Containers:
   nginx:
    Image:         nginx:1.25
    Port:          <none>
    Host Port:     <none>
    Environment:   <none>
    Mounts:        <none>
  Volumes:         <none>
  Node-Selectors:  <none>
  Tolerations:     <none>
Conditions:
  Type           Status  Reason
  ----           ------  ------
  Available      True    MinimumReplicasAvailable
  Progressing    True    NewReplicaSetAvailable
OldReplicaSets:  <none>
NewReplicaSet:   web-7b46c4b544 (2/2 replicas created)
Events:
  Type    Reason             Age   From                   Message
  ----    ------             ----  ----                   -------
  Normal  ScalingReplicaSet  2s    deployment-controller  Scaled up replica set web-7b46c4b544 from 0 to 2
");
}

#[test]
fn a_pod_is_described_as_recorded() {
    let client = cluster();
    let at = "2026-11-21T04:19:40Z";
    let pod = make(
        &client,
        Pod::ID,
        json!({
            "metadata": {"name": "web", "labels": {"run": "web"}},
            "spec": {"nodeName": "node-2", "containers": [{"name": "web", "image": "nginx"}]},
            "status": {"phase": "Running", "startTime": at, "hostIP": "192.0.2.2", "podIP": "192.168.192.168",
                "podIPs": [{"ip": "192.168.192.168"}], "qosClass": "BestEffort",
                "conditions": [{"type": "PodReadyToStartContainers", "status": "True"}, {"type": "Ready", "status": "True"}],
                "containerStatuses": [{"name": "web", "image": "nginx:latest", "imageID": "nginx:latest", "containerID": "fakeRuntime://web_0",
                    "ready": true, "restartCount": 0, "started": true, "state": {"running": {"startedAt": "2026-11-21T04:19:41Z"}}}]},
        }),
    );
    let volume = pod["spec"]["volumes"][0]["name"].as_str().unwrap();
    event(
        &client,
        &pod,
        "Successfully assigned default/web to node-2",
        json!({"reason": "Scheduled",
        "eventTime": "2026-11-21T04:33:43.000000Z", "reportingComponent": "default-scheduler",
        "reportingInstance": "default-scheduler", "action": "Binding",
        "firstTimestamp": null, "lastTimestamp": null, "count": null}),
    );
    event(
        &client,
        &pod,
        "Pulling image \"nginx\"",
        json!({"reason": "Pulling", "source": {"component": "kubelet"},
        "fieldPath": "spec.containers{web}", "count": 3}),
    );
    check(&client, Pod::ID, "web", &format!("\
Name:             web
Namespace:        default
Priority:         0
Service Account:  default
Node:             node-2/192.0.2.2
Start Time:       Sat, 21 Nov 2026 04:19:40 +0000
Labels:           run=web
Annotations:      <none>
Status:           Running
IP:               192.168.192.168
IPs:
  IP:  192.168.192.168
Containers:
  web:
    Container ID:   fakeRuntime://web_0
    Image:          nginx
    Image ID:       nginx:latest
    Port:           <none>
    Host Port:      <none>
    State:          Running
      Started:      Sat, 21 Nov 2026 04:19:41 +0000
    Ready:          True
    Restart Count:  0
    Environment:    <none>
    Mounts:
      /var/run/secrets/kubernetes.io/serviceaccount from {volume} (ro)
Conditions:
  Type                        Status
  PodReadyToStartContainers   True 
  Ready                       True 
Volumes:
  {volume}:
    Type:                    Projected (a volume that contains injected data from multiple sources)
    TokenExpirationSeconds:  3607
    ConfigMapName:           kube-root-ca.crt
    Optional:                false
    DownwardAPI:             true
QoS Class:                   BestEffort
Node-Selectors:              <none>
Tolerations:                 node.kubernetes.io/not-ready:NoExecute op=Exists for 300s
                             node.kubernetes.io/unreachable:NoExecute op=Exists for 300s
Events:
  Type    Reason     Age              From               Message
  ----    ------     ----             ----               -------
  Normal  Scheduled  0s               default-scheduler  Successfully assigned default/web to node-2
  Normal  Pulling    2s (x3 over 2s)  kubelet            spec.containers{{web}}: Pulling image \"nginx\"
"));
}

#[test]
fn environment_and_probes_are_described_as_recorded() {
    let client = cluster();
    make(
        &client,
        Pod::ID,
        json!({
            "metadata": {"name": "env"},
            "spec": {"automountServiceAccountToken": false, "volumes": [{"name": "c", "configMap": {"name": "conf"}}], "containers": [{"name": "c", "image": "i",
                "resources": {"limits": {"memory": "64Mi"}},
                "livenessProbe": {"exec": {"command": ["cat", "/var/healthy"]}, "initialDelaySeconds": 3},
                "readinessProbe": {"httpGet": {"path": "/ready", "port": 80}, "periodSeconds": 1},
                "volumeMounts": [{"name": "c", "mountPath": "/conf"}],
                "env": [{"name": "GREETING", "value": "hello $(WHO)"}, {"name": "WHO", "value": "you"},
                    {"name": "COLOR", "valueFrom": {"configMapKeyRef": {"name": "conf", "key": "COLOR"}}},
                    {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "cred", "key": "PASSWORD"}}},
                    {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                    {"name": "MEM", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory"}}}]}]},
        }),
    );
    let got = describe(&client, Pod::ID, "default", "env", false).unwrap();
    let from = got.find("Limits:").unwrap();
    let to = got.find("Volumes:").unwrap();
    assert_eq!(&got[from..to], "\
Limits:
      memory:  64Mi
    Requests:
      memory:   64Mi
    Liveness:   exec [cat /var/healthy] delay=3s timeout=1s period=10s successThreshold=1 failureThreshold=3
    Readiness:  http-get http://:80/ready delay=0s timeout=1s period=1s successThreshold=1 failureThreshold=3
    Environment:
      GREETING:  hello $(WHO)
      WHO:       you
      COLOR:     <set to the key 'COLOR' of config map 'conf'>  Optional: false
      PASSWORD:  <set to the key 'PASSWORD' in secret 'cred'>   Optional: false
      POD:       env (v1:metadata.name)
      MEM:       67108864 (limits.memory)
    Mounts:
      /conf from c (rw)
");
}

#[test]
fn services_and_data_are_described_as_recorded() {
    let client = cluster();
    make(
        &client,
        Service::ID,
        json!({"metadata": {"name": "np", "labels": {"app": "web"}}, "spec": {"type": "NodePort", "clusterIP": "10.105.117.164",
        "selector": {"app": "web"}, "ports": [{"port": 8080, "targetPort": 80, "nodePort": 30796}]}}),
    );
    let slice = json!({"metadata": {"name": "np-1", "labels": {"kubernetes.io/service-name": "np"}}, "addressType": "IPv4",
        "endpoints": [{"addresses": ["192.168.192.168"], "conditions": {"ready": true}}, {"addresses": ["192.168.192.169"], "conditions": {"ready": false}}],
        "ports": [{"port": 80}]});
    make(&client, k8s_openapi::api::discovery::v1::EndpointSlice::ID, slice);
    check(
        &client,
        Service::ID,
        "np",
        "\
Name:                     np
Namespace:                default
Labels:                   app=web
Annotations:              <none>
Selector:                 app=web
Type:                     NodePort
IP Family Policy:         SingleStack
IP Families:              IPv4
IP:                       10.105.117.164
IPs:                      10.105.117.164
Port:                     <unset>  8080/TCP
TargetPort:               80/TCP
NodePort:                 <unset>  30796/TCP
Endpoints:                192.168.192.168:80
Session Affinity:         None
External Traffic Policy:  Cluster
Internal Traffic Policy:  Cluster
Events:                   <none>
",
    );
    make(
        &client,
        Service::ID,
        json!({"metadata": {"name": "db", "labels": {"app": "db"}}, "spec": {"type": "ExternalName",
        "externalName": "db.example.com", "selector": {"app": "db"}}}),
    );
    check(
        &client,
        Service::ID,
        "db",
        "\
Name:              db
Namespace:         default
Labels:            app=db
Annotations:       <none>
Selector:          app=db
Type:              ExternalName
IP Families:       <none>
IP:                
IPs:               <none>
External Name:     db.example.com
Session Affinity:  None
Events:            <none>
",
    );
    make(
        &client,
        ConfigMap::ID,
        json!({"metadata": {"name": "lit"}, "data": {"a": "1", "b": "two"}}),
    );
    check(
        &client,
        ConfigMap::ID,
        "lit",
        "\
Name:         lit
Namespace:    default
Labels:       <none>
Annotations:  <none>

Data
====
a:
----
1

b:
----
two


BinaryData
====

Events:  <none>
",
    );
    check(
        &client,
        Namespace::ID,
        "default",
        "\
Name:         default
Labels:       kubernetes.io/metadata.name=default
Annotations:  <none>
Status:       Active

No resource quota.

No LimitRange resource.
",
    );
    make(
        &client,
        Role::ID,
        json!({"metadata": {"name": "reader"}, "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]}),
    );
    check(
        &client,
        Role::ID,
        "reader",
        "\
Name:         reader
Labels:       <none>
Annotations:  <none>
PolicyRule:
  Resources  Non-Resource URLs  Resource Names  Verbs
  ---------  -----------------  --------------  -----
  pods       []                 []              [get list watch]
",
    );
    make(
        &client,
        RoleBinding::ID,
        json!({"metadata": {"name": "jane-reads"}, "roleRef": {"kind": "Role", "name": "reader", "apiGroup": "rbac.authorization.k8s.io"}, "subjects": [{"kind": "User", "name": "jane"}]}),
    );
    check(
        &client,
        RoleBinding::ID,
        "jane-reads",
        "\
Name:         jane-reads
Labels:       <none>
Annotations:  <none>
Role:
  Kind:  Role
  Name:  reader
Subjects:
  Kind  Name  Namespace
  ----  ----  ---------
  User  jane  
",
    );
}

#[test]
fn a_node_is_described_with_its_pods() {
    let client = cluster();
    let since = "2026-11-21T03:56:55Z";
    make(
        &client,
        Node::ID,
        json!({"metadata": {"name": "node-1", "labels": {"node-role.kubernetes.io/control-plane": ""}},
        "spec": {"podCIDR": "10.244.0.0/24", "podCIDRs": ["10.244.0.0/24"]},
        "status": {"conditions": [{"type": "MemoryPressure", "status": "False", "lastHeartbeatTime": since, "lastTransitionTime": since,
                "reason": "KubeletHasSufficientMemory", "message": "kubelet has sufficient memory available"}],
            "addresses": [{"type": "InternalIP", "address": "192.168.49.2"}],
            "capacity": {"cpu": "2", "memory": "4028184Ki", "pods": "110"}, "allocatable": {"cpu": "2", "memory": "4028184Ki", "pods": "110"},
            "nodeInfo": {"machineID": "m", "systemUUID": "u", "bootID": "b", "kernelVersion": "6.1", "osImage": "Debian", "operatingSystem": "linux",
                "architecture": "amd64", "containerRuntimeVersion": "docker://28", "kubeletVersion": "v1.36.2", "kubeProxyVersion": ""}}}),
    );
    make(
        &client,
        Pod::ID,
        json!({"metadata": {"name": "web"}, "spec": {"nodeName": "node-1", "containers": [{"name": "c", "image": "i",
        "resources": {"requests": {"cpu": "250m", "memory": "170Mi"}}}]}}),
    );
    check(&client, Node::ID, "node-1", "\
Name:               node-1
Roles:              control-plane
Labels:             node-role.kubernetes.io/control-plane=
Annotations:        <none>
CreationTimestamp:  Sat, 21 Nov 2026 04:33:43 +0000
Taints:             node.kubernetes.io/not-ready:NoSchedule
Unschedulable:      false
Lease:              Failed to get lease: leases.coordination.k8s.io \"node-1\" not found
Conditions:
  Type             Status  LastHeartbeatTime                 LastTransitionTime                Reason                       Message
  ----             ------  -----------------                 ------------------                ------                       -------
  MemoryPressure   False   Sat, 21 Nov 2026 03:56:55 +0000   Sat, 21 Nov 2026 03:56:55 +0000   KubeletHasSufficientMemory   kubelet has sufficient memory available
Addresses:
  InternalIP:  192.168.49.2
Capacity:
  cpu:     2
  memory:  4028184Ki
  pods:    110
Allocatable:
  cpu:     2
  memory:  4028184Ki
  pods:    110
System Info:
  Machine ID:                 m
  System UUID:                u
  Boot ID:                    b
  Kernel Version:             6.1
  OS Image:                   Debian
  Operating System:           linux
  Architecture:               amd64
  Container Runtime Version:  docker://28
  Kubelet Version:            v1.36.2
PodCIDR:                      10.244.0.0/24
PodCIDRs:                     10.244.0.0/24
Non-terminated Pods:          (1 in total)
  Namespace                   Name    CPU Requests  CPU Limits  Memory Requests  Memory Limits  Age
  ---------                   ----    ------------  ----------  ---------------  -------------  ---
  default                     web     250m (12%)    0 (0%)      170Mi (4%)       0 (0%)         0s
Allocated resources:
  (Total limits may be over 100 percent, i.e., overcommitted.)
  Resource           Requests    Limits
  --------           --------    ------
  cpu                250m (12%)  0 (0%)
  memory             170Mi (4%)  0 (0%)
  ephemeral-storage  0 (0%)      0 (0%)
Events:              <none>
");
}

#[test]
fn lines_are_sorted_and_blank_objects_do_no_harm() {
    let client = cluster();
    let names: Vec<_> =
        super::DESCRIBERS.iter().map(|(id, _)| client.kind(*id).kind.clone()).collect();
    assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    let cx = super::Cx { client: &client, now: client.sim().now(), show_events: true };
    for (kind, describer) in super::DESCRIBERS {
        let blank = client.decode(*kind, json!({"metadata": {"name": "x"}})).unwrap();
        let mut w = super::Writer::new();
        describer(&cx, &*blank, &mut w);
        assert!(w.finish().starts_with("Name:"));
    }
}
