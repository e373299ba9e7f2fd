//! `kubectl describe node`. Models `describeNode` and `describeNodeResource`.

use std::{collections::BTreeMap, rc::Rc};

use k8s_openapi::api::{
    coordination::v1::Lease,
    core::v1::{Node, NodeSpec, NodeStatus, Pod, ResourceRequirements},
};

use super::{
    Cx, Writer,
    common::{self, text},
    events,
};
use crate::{
    api::{
        Object,
        quantity::{Amount, ResourceList},
    },
    client::IndexFn,
};

const BY_NODE: IndexFn = by_node;

fn by_node(object: &dyn Object) -> Vec<String> {
    let spec = object.downcast::<Pod>().and_then(|p| p.spec.as_ref());
    spec.and_then(|s| s.node_name.clone()).into_iter().collect()
}

/// See the module.
pub fn describe(cx: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(node) = object.downcast::<Node>() else { return };
    let (no_spec, no_status) = (NodeSpec::default(), NodeStatus::default());
    let spec = node.spec.as_ref().unwrap_or(&no_spec);
    let status = node.status.as_ref().unwrap_or(&no_status);
    w.put(0, format_args!("Name:\t{}\n", object.name()));
    w.put(0, format_args!("Roles:\t{}\n", common::or(roles(node).join(","), "<none>")));
    common::labels_and_annotations(&node.metadata, w);
    let created = common::meta_date(node.metadata.creation_timestamp.as_ref());
    w.put(0, format_args!("CreationTimestamp:\t{created}\n"));
    common::taints("Taints", spec.taints.as_deref().unwrap_or_default(), w);
    w.put(0, format_args!("Unschedulable:\t{}\n", spec.unschedulable.unwrap_or(false)));
    lease(cx, object.name(), w);
    conditions(status, w);
    w.put(0, "Addresses:\n");
    for address in status.addresses.iter().flatten() {
        w.put(1, format_args!("{}:\t{}\n", address.type_, address.address));
    }
    for (title, list) in [("Capacity", &status.capacity), ("Allocatable", &status.allocatable)] {
        let Some(list) = list.as_ref().filter(|l| !l.is_empty()) else { continue };
        w.put(0, format_args!("{title}:\n"));
        for (name, quantity) in list {
            w.put(1, format_args!("{name}:\t{}\n", Amount::of(quantity)));
        }
    }
    system(status, w);
    for (title, value) in [
        ("PodCIDR", text(&spec.pod_cidr)),
        ("PodCIDRs", &spec.pod_cidrs.as_deref().unwrap_or_default().join(",")),
        ("ProviderID", text(&spec.provider_id)),
    ] {
        if !value.is_empty() {
            w.put(0, format_args!("{title}:\t{value}\n"));
        }
    }
    resources(cx, object.name(), status, w);
    events::of_node(cx, object, w);
}

fn roles(node: &Node) -> Vec<String> {
    let labels = node.metadata.labels.iter().flatten();
    let mut roles: Vec<_> = labels
        .filter_map(|(key, value)| {
            let role = key.strip_prefix("node-role.kubernetes.io/");
            role.or((key == "kubernetes.io/role").then_some(value)).map(str::to_string)
        })
        .filter(|role| !role.is_empty())
        .collect();
    roles.sort();
    roles.dedup();
    roles
}

fn lease(cx: &Cx, node: &str, w: &mut Writer) {
    let found = match cx.client.get::<Lease>("kube-node-lease", node) {
        Ok(found) => found,
        Err(error) => {
            w.put(0, format_args!("Lease:\tFailed to get lease: {error}\n"));
            return;
        }
    };
    let spec = found.spec.clone().unwrap_or_default();
    let unset = |value: Option<String>| value.unwrap_or_else(|| "<unset>".into());
    w.put(0, "Lease:\n");
    w.put(1, format_args!("HolderIdentity:\t{}\n", unset(spec.holder_identity)));
    let acquired = unset(common::micro_date(spec.acquire_time.as_ref()));
    w.put(1, format_args!("AcquireTime:\t{acquired}\n"));
    let renewed = unset(common::micro_date(spec.renew_time.as_ref()));
    w.put(1, format_args!("RenewTime:\t{renewed}\n"));
}

fn conditions(status: &NodeStatus, w: &mut Writer) {
    let conditions = status.conditions.as_deref().unwrap_or_default();
    if conditions.is_empty() {
        return;
    }
    w.put(0, "Conditions:\n");
    w.put(1, "Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage\n");
    w.put(1, "----\t------\t-----------------\t------------------\t------\t-------\n");
    for c in conditions {
        w.put(
            1,
            format_args!(
                "{} \t{} \t{} \t{} \t{} \t{}\n",
                c.type_,
                c.status,
                common::meta_date(c.last_heartbeat_time.as_ref()),
                common::meta_date(c.last_transition_time.as_ref()),
                text(&c.reason),
                text(&c.message)
            ),
        );
    }
}

fn system(status: &NodeStatus, w: &mut Writer) {
    let info = status.node_info.clone().unwrap_or_default();
    w.put(0, "System Info:\n");
    for (title, value) in [
        ("Machine ID", info.machine_id),
        ("System UUID", info.system_uuid),
        ("Boot ID", info.boot_id),
        ("Kernel Version", info.kernel_version),
        ("OS Image", info.os_image),
        ("Operating System", info.operating_system),
        ("Architecture", info.architecture),
        ("Container Runtime Version", info.container_runtime_version),
        ("Kubelet Version", info.kubelet_version),
    ] {
        w.put(1, format_args!("{title}:\t{value}\n"));
    }
}

type Amounts = BTreeMap<String, Amount>;

/// What a pod asks for in all: its containers together, or the largest init container.
/// With `limits`, what it is limited to. Models `component-helpers/resource.PodRequests` and `PodLimits`.
fn wanted(pod: &Pod, limits: bool) -> Amounts {
    let mut sum = Amounts::new();
    let Some(spec) = &pod.spec else { return sum };
    let add = |sum: &mut Amounts, more: &Amounts| {
        for (name, amount) in more {
            let entry = sum.entry(name.clone()).or_default();
            *entry = entry.plus(*amount);
        }
    };
    let of = |resources: Option<&ResourceRequirements>| -> Amounts {
        let list = resources.and_then(|r| match limits {
            true => r.limits.as_ref(),
            false => r.requests.as_ref(),
        });
        list.into_iter().flatten().map(|(name, q)| (name.clone(), Amount::of(q))).collect()
    };
    for c in &spec.containers {
        add(&mut sum, &of(c.resources.as_ref()));
    }
    let (mut sidecars, mut peak) = (Amounts::new(), Amounts::new());
    for c in spec.init_containers.iter().flatten() {
        let mut own = of(c.resources.as_ref());
        if c.restart_policy.as_deref() == Some("Always") {
            add(&mut sum, &own);
            add(&mut sidecars, &own);
            own.clone_from(&sidecars);
        } else {
            add(&mut own, &sidecars);
        }
        for (name, amount) in own {
            let entry = peak.entry(name).or_default();
            *entry = (*entry).max(amount);
        }
    }
    for (name, amount) in peak {
        let entry = sum.entry(name).or_default();
        *entry = (*entry).max(amount);
    }
    let overhead = spec.overhead.iter().flatten();
    let mut overhead: Amounts = overhead.map(|(name, q)| (name.clone(), Amount::of(q))).collect();
    if limits {
        // What has no limit gets none by an overhead.
        overhead.retain(|name, _| sum.contains_key(name));
    }
    add(&mut sum, &overhead);
    sum
}

/// Per cent, cut off; CPUs are compared in thousandths.
fn percent(name: &str, part: Amount, whole: Amount) -> i64 {
    let value = |a: Amount| if name == "cpu" { a.milli() } else { a.units() } as f64;
    if value(whole) == 0.0 { 0 } else { (value(part) / value(whole) * 100.0) as i64 }
}

fn resources(cx: &Cx, node: &str, status: &NodeStatus, w: &mut Writer) {
    let index = cx.client.index::<Pod>(BY_NODE);
    let mut pods = cx.client.by_index::<Pod>(index, node);
    pods.retain(|p| {
        let phase = p.status.as_ref().map(|s| text(&s.phase)).unwrap_or_default();
        !matches!(phase, "Succeeded" | "Failed")
    });
    let room = status.allocatable.as_ref().filter(|a| !a.is_empty()).or(status.capacity.as_ref());
    let (mut requests, mut limits) = (Amounts::new(), Amounts::new());
    w.put(0, format_args!("Non-terminated Pods:\t({} in total)\n", pods.len()));
    w.put(1, "Namespace\tName\t\tCPU Requests\tCPU Limits\tMemory Requests\tMemory Limits\tAge\n");
    w.put(1, "---------\t----\t\t------------\t----------\t---------------\t-------------\t---\n");
    for pod in &pods {
        let own = [wanted(pod, false), wanted(pod, true)];
        row(cx, pod, &own, room, w);
        for (sum, own) in [&mut requests, &mut limits].into_iter().zip(own) {
            for (name, amount) in own {
                let entry = sum.entry(name).or_default();
                *entry = entry.plus(amount);
            }
        }
    }
    w.put(0, "Allocated resources:\n");
    w.put(1, "(Total limits may be over 100 percent, i.e., overcommitted.)\n");
    w.put(1, "Resource\tRequests\tLimits\n");
    w.put(1, "--------\t--------\t------\n");
    let get = |list: &Amounts, name: &str| list.get(name).copied().unwrap_or_default();
    let huge = room.into_iter().flatten().map(|(name, _)| name.as_str());
    let huge: Vec<_> = huge.filter(|name| name.starts_with("hugepages-")).collect();
    for name in ["cpu", "memory", "ephemeral-storage"].into_iter().chain(huge) {
        let (r, l, whole) = (get(&requests, name), get(&limits, name), Amount::get(room, name));
        let (rp, lp) = (percent(name, r, whole), percent(name, l, whole));
        w.put(1, format_args!("{name}\t{r} ({rp}%)\t{l} ({lp}%)\n"));
    }
    for name in room.into_iter().flatten().map(|(name, _)| name) {
        let standard = matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage" | "pods");
        if !standard && !name.starts_with("hugepages-") {
            let (r, l) = (get(&requests, name), get(&limits, name));
            w.put(1, format_args!("{name}\t{r}\t{l}\n"));
        }
    }
}

fn row(cx: &Cx, pod: &Rc<Pod>, own: &[Amounts; 2], room: Option<&ResourceList>, w: &mut Writer) {
    let (namespace, name) = (text(&pod.metadata.namespace), text(&pod.metadata.name));
    w.put(1, format_args!("{namespace}\t{name}\t\t"));
    for resource in ["cpu", "memory"] {
        for list in own {
            let amount = list.get(resource).copied().unwrap_or_default();
            let share = percent(resource, amount, Amount::get(room, resource));
            w.put(0, format_args!("{amount} ({share}%)\t"));
        }
    }
    let created = pod.metadata.creation_timestamp.as_ref().map(|t| t.0);
    w.put(0, format_args!("{}\n", common::ago(cx, created)));
}
