//! Rows of the picture from API objects, in kubectl's words.

use k8s_openapi::{
    api::{
        apps::v1::{DaemonSet, Deployment, ReplicaSet},
        core::v1::{Event, Node, Pod, Service},
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time as MetaTime},
};

use crate::{
    api::{
        ObjRef, Object,
        meta::{annotation, controller_of},
        quantity::Amount,
    },
    client::{Client, pod_status},
    sim::Time,
    view::{EventRow, NodeRow, PodRow, RouteRow, ServiceRow, WorkloadRow},
};

fn millis(time: Option<&MetaTime>) -> u64 {
    time.map_or(0, |t| Time::from(t).as_millis())
}

fn text(value: &Option<String>) -> String {
    value.clone().unwrap_or_default()
}

fn owner(meta: &ObjectMeta) -> String {
    controller_of(meta).map(|o| o.uid.clone()).unwrap_or_default()
}

fn count(n: Option<i32>) -> u32 {
    n.unwrap_or(0).max(0) as u32
}

/// CPU in thousandths of a core and memory in bytes that a pod's containers request.
pub fn requests(pod: &Pod) -> (u64, u64) {
    let (mut cpu, mut memory) = (0, 0);
    for container in pod.spec.iter().flat_map(|s| &s.containers) {
        let requests = container.resources.as_ref().and_then(|r| r.requests.as_ref());
        cpu += Amount::get(requests, "cpu").milli().max(0) as u64;
        memory += Amount::get(requests, "memory").units().max(0) as u64;
    }
    (cpu, memory)
}

/// A pod.
pub fn pod(pod: &Pod, now: Time) -> PodRow {
    let (spec, status) = (pod.spec.as_ref(), pod.status.as_ref());
    let containers = status.and_then(|s| s.container_statuses.as_ref());
    let total = spec.map_or(0, |s| s.containers.len()) as u32;
    let ready = containers.into_iter().flatten().filter(|c| c.ready).count() as u32;
    PodRow {
        uid: text(&pod.metadata.uid),
        namespace: text(&pod.metadata.namespace),
        name: text(&pod.metadata.name),
        status: pod_status(pod, now),
        ready: (ready, total),
        restarts: containers.into_iter().flatten().map(|c| count(Some(c.restart_count))).sum(),
        node: spec.and_then(|s| s.node_name.clone()).unwrap_or_default(),
        ip: status.and_then(|s| s.pod_ip.clone()).unwrap_or_default(),
        owner: owner(&pod.metadata),
        created_ms: millis(pod.metadata.creation_timestamp.as_ref()),
        images: spec.iter().flat_map(|s| &s.containers).filter_map(|c| c.image.clone()).collect(),
        labels: pod.metadata.labels.clone().unwrap_or_default().into_iter().collect(),
    }
}

/// A node, with the sums of what its pods request.
pub fn node(node: &Node, requested: (u64, u64)) -> NodeRow {
    let status = node.status.as_ref();
    let ready = status
        .and_then(|s| s.conditions.as_ref())
        .and_then(|c| c.iter().find(|c| c.type_ == "Ready"))
        .is_some_and(|c| c.status == "True");
    let mut words = vec![if ready { "Ready" } else { "NotReady" }];
    if node.spec.as_ref().and_then(|s| s.unschedulable) == Some(true) {
        words.push("SchedulingDisabled");
    }
    let role = |key: &String| key.strip_prefix("node-role.kubernetes.io/").map(str::to_string);
    let roles: Vec<_> =
        node.metadata.labels.iter().flatten().filter_map(|(k, _)| role(k)).collect();
    let address = status
        .and_then(|s| s.addresses.as_ref())
        .and_then(|a| a.iter().find(|a| a.type_ == "InternalIP"))
        .map(|a| a.address.clone());
    let allocatable = status.and_then(|s| s.allocatable.as_ref());
    NodeRow {
        uid: text(&node.metadata.uid),
        name: text(&node.metadata.name),
        status: words.join(","),
        roles: if roles.is_empty() { "<none>".into() } else { roles.join(",") },
        address: address.unwrap_or_default(),
        cpu_milli: (Amount::get(allocatable, "cpu").milli().max(0) as u64, requested.0),
        memory: (Amount::get(allocatable, "memory").units().max(0) as u64, requested.1),
    }
}

/// A Deployment, ReplicaSet or DaemonSet; `None` for any other kind.
pub fn workload(client: &Client, object: &ObjRef) -> Option<WorkloadRow> {
    let (desired, ready, current) = if let Some(d) = object.downcast::<Deployment>() {
        let status = d.status.as_ref();
        (
            d.spec.as_ref().and_then(|s| s.replicas),
            status.and_then(|s| s.ready_replicas),
            status.and_then(|s| s.replicas),
        )
    } else if let Some(r) = object.downcast::<ReplicaSet>() {
        let status = r.status.as_ref();
        (
            r.spec.as_ref().and_then(|s| s.replicas),
            status.and_then(|s| s.ready_replicas),
            status.map(|s| s.replicas),
        )
    } else {
        let d = object.downcast::<DaemonSet>()?.status.as_ref();
        (
            d.map(|s| s.desired_number_scheduled),
            d.map(|s| s.number_ready),
            d.map(|s| s.current_number_scheduled),
        )
    };
    let kind = client.kind(object.kind_id());
    let meta = object.metadata();
    let revision = annotation(meta, "deployment.kubernetes.io/revision");
    Some(WorkloadRow {
        uid: object.uid().to_string(),
        kind: kind.kind.to_string(),
        resource: kind.resource(),
        namespace: object.namespace().to_string(),
        name: object.name().to_string(),
        owner: owner(meta),
        desired: count(desired),
        ready: count(ready),
        current: count(current),
        revision: revision.and_then(|r| r.parse().ok()).unwrap_or(0),
        created_ms: millis(meta.creation_timestamp.as_ref()),
    })
}

/// A service, with its routing table.
pub fn service(service: &Service, mut routes: Vec<RouteRow>, client: &Client) -> ServiceRow {
    routes.sort_by(|a, b| (&a.ip, a.port).cmp(&(&b.ip, b.port)));
    let spec = service.spec.clone().unwrap_or_default();
    let object: ObjRef = Box::new(service.clone()).into_rc();
    // The server's own table has the words for addresses and ports.
    let table = client.table(object.kind_id(), std::slice::from_ref(&object));
    let cell = |name: &str| {
        let column = table.columns.iter().position(|c| c.name == name)?;
        table.rows.first()?.cells.get(column).cloned()
    };
    let node_address = || {
        let nodes = client.list::<Node>(None);
        nodes.first().map(|n| node(n, (0, 0)).address).unwrap_or_default()
    };
    let urls = spec
        .ports
        .iter()
        .flatten()
        .filter_map(|p| p.node_port)
        .map(|port| format!("http://{}:{port}", node_address()))
        .collect();
    ServiceRow {
        uid: text(&service.metadata.uid),
        namespace: text(&service.metadata.namespace),
        name: text(&service.metadata.name),
        kind: spec.type_.unwrap_or_else(|| "ClusterIP".into()),
        cluster_ip: cell("Cluster-IP").unwrap_or_default(),
        external_ip: cell("External-IP").unwrap_or_default(),
        ports: cell("Port(s)").unwrap_or_default(),
        selector: spec.selector.unwrap_or_default().into_iter().collect(),
        urls,
        routes,
    }
}

/// An event.
pub fn event(event: &Event) -> EventRow {
    let about = &event.involved_object;
    let last = event.last_timestamp.as_ref().map(|t| Time::from(t).as_millis());
    let micro = event.event_time.as_ref().map(|t| Time::from(t).as_millis());
    EventRow {
        uid: text(&event.metadata.uid),
        namespace: text(&event.metadata.namespace),
        kind: text(&event.type_),
        reason: text(&event.reason),
        object: format!("{}/{}", text(&about.kind).to_lowercase(), text(&about.name)),
        message: text(&event.message),
        count: count(event.count).max(1),
        last_ms: last
            .or(micro)
            .unwrap_or_else(|| millis(event.metadata.creation_timestamp.as_ref())),
    }
}
