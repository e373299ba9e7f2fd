//! Rows as recorded from a real server.

use serde_json::{Value, json};

use super::*;
use crate::{apiserver::ApiServer, sim::Sim};

/// The cells of an object that is `age` seconds old, shown columns first, then wide ones.
fn row(kind: KindId, mut value: Value, wide: bool) -> Vec<String> {
    let now = 1_700_000_000;
    let api = ApiServer::new(&Sim::new(1, Time::from_secs(now)));
    let created = Time::from_secs(now - 5).to_timestamp().to_string();
    value["metadata"]["creationTimestamp"] = json!(created);
    let object = api.decode(kind, value).unwrap().into_rc();
    let table = api.table(kind, &[object]);
    let cells = table.columns.iter().zip(&table.rows[0].cells);
    cells.filter(|(c, _)| c.priority == 0 || wide).map(|(_, cell)| cell.clone()).collect()
}

fn pod(spec: Value, status: Value) -> Vec<String> {
    row(Pod::ID, json!({"metadata": {"name": "p"}, "spec": spec, "status": status}), false)
}

#[test]
fn a_pods_status_is_one_word() {
    let one = json!({"containers": [{"name": "c"}]});
    let two = json!({"containers": [{"name": "a"}, {"name": "b"}]});
    let init =
        json!({"containers": [{"name": "c"}], "initContainers": [{"name": "i"}, {"name": "j"}]});
    let sidecar = json!({"containers": [{"name": "c"}], "initContainers": [{"name": "i", "restartPolicy": "Always"}]});
    let state = |state: Value| json!([{"name": "c", "state": state}]);
    let waiting = |reason: &str| state(json!({"waiting": {"reason": reason}}));
    let running = json!({"running": {"startedAt": "2023-11-14T22:00:00Z"}});
    let done = json!({"terminated": {"exitCode": 0, "reason": "Completed"}});
    for (spec, status, want) in [
        (&one, json!({"phase": "Pending"}), "0/1 Pending 0"),
        (
            &one,
            json!({"phase": "Pending", "containerStatuses": waiting("ContainerCreating")}),
            "0/1 ContainerCreating 0",
        ),
        (
            &one,
            json!({"phase": "Running", "containerStatuses": [{"name": "c", "ready": true, "state": running}]}),
            "1/1 Running 0",
        ),
        (
            &one,
            json!({"phase": "Running", "containerStatuses": [{"name": "c", "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 1, "finishedAt": "2023-11-14T22:13:15Z"}}}]}),
            "0/1 CrashLoopBackOff 2 (5s ago)",
        ),
        (
            &one,
            json!({"phase": "Succeeded", "containerStatuses": state(done.clone())}),
            "0/1 Completed 0",
        ),
        (
            &one,
            json!({"phase": "Failed", "containerStatuses": state(json!({"terminated": {"exitCode": 3, "reason": "Error"}}))}),
            "0/1 Error 0",
        ),
        (
            &one,
            json!({"phase": "Failed", "containerStatuses": state(json!({"terminated": {"exitCode": 3}}))}),
            "0/1 ExitCode:3 0",
        ),
        (&one, json!({"phase": "Failed", "reason": "Evicted"}), "0/1 Evicted 0"),
        (
            &one,
            json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]}),
            "0/1 SchedulingGated 0",
        ),
        (
            &two,
            json!({"phase": "Running", "containerStatuses": [{"name": "a", "ready": true, "state": running}, {"name": "b", "state": done}]}),
            "1/2 NotReady 0",
        ),
        (
            &init,
            json!({"phase": "Pending", "initContainerStatuses": [{"name": "i", "state": running}, {"name": "j", "state": {"waiting": {"reason": "PodInitializing"}}}]}),
            "0/1 Init:0/2 0",
        ),
        (
            &init,
            json!({"phase": "Pending", "initContainerStatuses": [{"name": "i", "state": done}, {"name": "j", "state": running}]}),
            "0/1 Init:1/2 0",
        ),
        (
            &init,
            json!({"phase": "Pending", "initContainerStatuses": [{"name": "i", "restartCount": 1, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}),
            "0/1 Init:CrashLoopBackOff 1",
        ),
        (
            &init,
            json!({"phase": "Pending", "initContainerStatuses": [{"name": "i", "state": {"terminated": {"exitCode": 1, "reason": "Error"}}}]}),
            "0/1 Init:Error 0",
        ),
        (
            &sidecar,
            json!({"phase": "Running", "initContainerStatuses": [{"name": "i", "ready": true, "started": true, "state": running}],
            "containerStatuses": [{"name": "c", "ready": true, "state": running}]}),
            "2/2 Running 0",
        ),
    ] {
        let cells = pod(spec.clone(), status);
        assert_eq!(format!("{} {} {}", cells[1], cells[2], cells[3]), want);
    }
    let going = json!({"metadata": {"name": "p", "deletionTimestamp": "2023-11-14T22:13:15Z"},
        "spec": one, "status": {"phase": "Running"}});
    assert_eq!(row(Pod::ID, going, false)[2], "Terminating");
}

#[test]
fn rows_read_as_recorded() {
    let template = json!({"spec": {"containers": [{"name": "nginx", "image": "nginx:1.25"}]}});
    let selector = json!({"matchLabels": {"app": "web"}});
    for (kind, object, want) in [
        (
            Pod::ID,
            json!({"metadata": {"name": "web"}, "spec": {"nodeName": "node-2", "containers": [{"name": "c"}]},
            "status": {"phase": "Running", "podIP": "192.168.192.168", "containerStatuses": [{"name": "c", "ready": true, "state": {"running": {}}}]}}),
            "web|1/1|Running|0|5s|192.168.192.168|node-2|<none>|<none>",
        ),
        (
            Deployment::ID,
            json!({"metadata": {"name": "web"}, "spec": {"replicas": 2, "selector": selector, "template": template},
            "status": {"readyReplicas": 2, "updatedReplicas": 2, "availableReplicas": 2}}),
            "web|2/2|2|2|5s|nginx|nginx:1.25|app=web",
        ),
        (
            ReplicaSet::ID,
            json!({"metadata": {"name": "web-7b46c4b544"}, "spec": {"replicas": 2, "selector": selector, "template": template},
            "status": {"replicas": 2, "readyReplicas": 1}}),
            "web-7b46c4b544|2|2|1|5s|nginx|nginx:1.25|app=web",
        ),
        (
            DaemonSet::ID,
            json!({"metadata": {"name": "agent"}, "spec": {"selector": selector, "template": {"spec": {"nodeSelector": {"logging": "on"},
            "containers": [{"name": "c", "image": "fluentd:1"}]}}}, "status": {"desiredNumberScheduled": 3, "currentNumberScheduled": 3, "numberReady": 2}}),
            "agent|3|3|2|0|0|logging=on|5s|c|fluentd:1|app=web",
        ),
        (
            Service::ID,
            json!({"metadata": {"name": "np"}, "spec": {"type": "NodePort", "clusterIP": "10.105.117.164", "clusterIPs": ["10.105.117.164"],
            "selector": {"app": "web"}, "ports": [{"port": 8080, "protocol": "TCP", "nodePort": 30796}]}}),
            "np|NodePort|10.105.117.164|<none>|8080:30796/TCP|5s|app=web",
        ),
        (
            Service::ID,
            json!({"metadata": {"name": "db"}, "spec": {"type": "ExternalName", "externalName": "db.example.com"}}),
            "db|ExternalName|<none>|db.example.com|<none>|5s|<none>",
        ),
        (
            Service::ID,
            json!({"metadata": {"name": "lb"}, "spec": {"type": "LoadBalancer", "clusterIPs": ["10.1.1.1"], "ports": [{"port": 80, "protocol": "TCP"}, {"port": 443, "protocol": "TCP"}]}}),
            "lb|LoadBalancer|10.1.1.1|<pending>|80/TCP,443/TCP|5s|<none>",
        ),
        (
            Node::ID,
            json!({"metadata": {"name": "node-1", "labels": {"node-role.kubernetes.io/worker": ""}}, "spec": {"unschedulable": true},
            "status": {"conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": {"kubeletVersion": "v1.36.2", "osImage": "Debian", "kernelVersion": "6.1", "containerRuntimeVersion": "docker://28"},
            "addresses": [{"type": "InternalIP", "address": "192.0.2.2"}]}}),
            "node-1|Ready,SchedulingDisabled|worker|5s|v1.36.2|192.0.2.2|<none>|Debian|6.1|docker://28",
        ),
        (
            Endpoints::ID,
            json!({"metadata": {"name": "e"}, "subsets": [{"addresses": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}, {"ip": "10.0.0.3"}, {"ip": "10.0.0.4"}], "ports": [{"port": 80}]}]}),
            "e|10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 1 more...|5s",
        ),
        (
            Endpoints::ID,
            json!({"metadata": {"name": "e"}, "subsets": [{"notReadyAddresses": [{"ip": "10.0.0.1"}]}]}),
            "e||5s",
        ),
        (
            EndpointSlice::ID,
            json!({"metadata": {"name": "e"}, "addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}], "ports": [{"port": 80}]}),
            "e|IPv4|80|10.0.0.1|5s",
        ),
        (
            PriorityClass::ID,
            json!({"metadata": {"name": "system-node-critical"}, "value": 2_000_001_000, "preemptionPolicy": "PreemptLowerPriority"}),
            "system-node-critical|2000001000|false|5s|PreemptLowerPriority",
        ),
        (
            RoleBinding::ID,
            json!({"metadata": {"name": "jane-reads"}, "roleRef": {"kind": "Role", "name": "reader"}, "subjects": [{"kind": "User", "name": "jane"}]}),
            "jane-reads|Role/reader|5s|jane||",
        ),
        (Role::ID, json!({"metadata": {"name": "reader"}}), "reader|2023-11-14T22:13:15Z"),
        (
            Event::ID,
            json!({"metadata": {"name": "web.1"}, "type": "Normal", "reason": "Killing", "message": "Stopping container web\n",
            "involvedObject": {"kind": "Pod", "name": "web", "fieldPath": "spec.containers{web}"}, "source": {"component": "kubelet", "host": "n"},
            "firstTimestamp": "2023-11-14T22:13:10Z", "lastTimestamp": "2023-11-14T22:13:19Z", "count": 3}),
            "1s|Normal|Killing|pod/web|spec.containers{web}|kubelet, n|Stopping container web|10s|3|web.1",
        ),
    ] {
        assert_eq!(row(kind, object, true).join("|"), want);
    }
}

#[test]
fn lines_are_sorted_and_rows_have_a_cell_for_each_column() {
    let api = ApiServer::new(&Sim::new(1, Time::from_secs(0)));
    let names: Vec<_> = PRINTERS.iter().map(|(id, _)| api.kind(*id).kind.clone()).collect();
    assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    for (kind, printer) in PRINTERS {
        let blank = api.decode(*kind, json!({"metadata": {"name": "x"}})).unwrap();
        let row = (printer.row)(&RowCx { now: Time::from_secs(0) }, &*blank);
        assert_eq!(row.len(), printer.columns.len(), "{}", api.kind(*kind).kind);
    }
}
