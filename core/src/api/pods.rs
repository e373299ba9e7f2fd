//! Questions about pods that many rooms ask, and the indexes that answer them.
//!
//! Models `pkg/controller/controller_utils.go` and `pkg/api/v1/pod/util.go`.

use std::{rc::Rc, time::Duration};

use k8s_openapi::{
    api::core::v1::{Pod, PodCondition, PodTemplateSpec},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};

use super::{Object, meta::controller_of};
use crate::sim::Time;

/// The annotation in which a pod says what it costs to delete it, beside others of its controller.
pub const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// A pod's phase; `Pending` before it has one.
pub fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|s| s.phase.as_deref()).unwrap_or("Pending")
}

/// Whether the pod has ended for good.
pub fn is_terminal(pod: &Pod) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

/// Whether the pod counts as one of its controller's. Models `IsPodActive`.
pub fn is_active(pod: &Pod) -> bool {
    !is_terminal(pod) && pod.metadata.deletion_timestamp.is_none()
}

/// Whether the pod is going and has not ended yet. Models `IsPodTerminating`.
pub fn is_terminating(pod: &Pod) -> bool {
    !is_terminal(pod) && pod.metadata.deletion_timestamp.is_some()
}

/// One of the pod's conditions.
pub fn condition<'a>(pod: &'a Pod, type_: &str) -> Option<&'a PodCondition> {
    pod.status.as_ref()?.conditions.as_ref()?.iter().find(|c| c.type_ == type_)
}

/// Notes in a pod's status that it goes for no fault of its own.
pub fn disrupt(pod: &mut Pod, reason: &str, message: &str, now: Time) {
    let generation = pod.metadata.generation;
    let conditions = pod.status.get_or_insert_default().conditions.get_or_insert_default();
    conditions.retain(|c| c.type_ != "DisruptionTarget");
    conditions.push(PodCondition {
        type_: "DisruptionTarget".into(),
        status: "True".into(),
        reason: Some(reason.into()),
        message: Some(message.into()),
        last_transition_time: Some(now.to_meta()),
        observed_generation: generation,
        ..Default::default()
    });
}

/// Settings of the kernel that pods may change as they like: with the restricted levels of pod
/// security, and for every kubelet. Models `pkg/kubelet/sysctl/safe_sysctls.go`.
pub const SAFE_SYSCTLS: &[&str] = &[
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
];

/// Whether the pod's Ready condition is true.
pub fn is_ready(pod: &Pod) -> bool {
    condition(pod, "Ready").is_some_and(|c| c.status == "True")
}

/// Since when the pod is ready.
pub fn ready_since(pod: &Pod) -> Option<Time> {
    let ready = condition(pod, "Ready").filter(|c| c.status == "True")?;
    Some(ready.last_transition_time.as_ref().map(Time::from).unwrap_or_default())
}

/// Whether the pod has been ready for `min_ready`.
pub fn is_available(pod: &Pod, min_ready: Duration, now: Time) -> bool {
    ready_since(pod).is_some_and(|since| min_ready.is_zero() || since + min_ready <= now)
}

/// How long until the next pod that is ready counts as available; `None` where none has to wait.
pub fn next_available<'a>(
    pods: impl IntoIterator<Item = &'a Rc<Pod>>,
    min_ready: Duration,
    now: Time,
) -> Option<Duration> {
    let since = pods.into_iter().filter_map(|p| ready_since(p));
    since.map(|s| s + min_ready).filter(|t| *t > now).min().map(|t| t.since(now))
}

/// The node it is on; empty before it has one.
pub fn node_name(pod: &Pod) -> &str {
    pod.spec.as_ref().and_then(|s| s.node_name.as_deref()).unwrap_or_default()
}

/// The pod's address; empty before it has one.
pub fn ip(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|s| s.pod_ip.as_deref()).unwrap_or_default()
}

/// Index: pods by what they count as for their controller, whose uid is the value:
/// `uid` all of them, `uid/a` active ones, `uid/r` ready (and active) ones, `uid/t` terminating
/// ones, `uid/l<hash>` active ones with exactly the labels of that [`labels_hash`]; and
/// `orphan/<namespace>` for pods without a controller. Counts replace scans.
pub fn by_controller(object: &dyn Object) -> Vec<String> {
    let Some(pod) = object.downcast::<Pod>() else { return Vec::new() };
    let Some(owner) = controller_of(&pod.metadata) else {
        return vec![format!("orphan/{}", object.namespace())];
    };
    let uid = &owner.uid;
    let mut values = vec![uid.clone()];
    if is_active(pod) {
        values.push(format!("{uid}/a"));
        values.push(format!("{uid}/l{}", labels_hash(&pod.metadata)));
        if is_ready(pod) {
            values.push(format!("{uid}/r"));
        }
    } else if is_terminating(pod) {
        values.push(format!("{uid}/t"));
    }
    values
}

/// Index: pods by the node they are on.
pub fn by_node(object: &dyn Object) -> Vec<String> {
    let Some(pod) = object.downcast::<Pod>() else { return Vec::new() };
    let node = node_name(pod);
    if node.is_empty() { Vec::new() } else { vec![node.to_string()] }
}

/// A number that equal labels share.
pub fn labels_hash(meta: &ObjectMeta) -> u32 {
    let mut hash = Fnv::default();
    for (key, value) in meta.labels.iter().flatten() {
        hash.write(key.as_bytes());
        hash.write(b"=");
        hash.write(value.as_bytes());
        hash.write(b",");
    }
    hash.0
}

/// FNV-1a, 32 bits.
pub struct Fnv(pub u32);

impl Default for Fnv {
    fn default() -> Self {
        Fnv(0x811c_9dc5)
    }
}

impl Fnv {
    /// Takes in more bytes.
    pub fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        }
    }
}

/// A pod as a template describes it, to be named after its owner.
/// Models `GetPodFromTemplate` and `CreatePodsWithGenerateName`.
pub fn from_template(
    template: &PodTemplateSpec,
    namespace: &str,
    owner_name: &str,
    owner: OwnerReference,
) -> Pod {
    let meta = template.metadata.clone().unwrap_or_default();
    Pod {
        metadata: ObjectMeta {
            labels: meta.labels,
            annotations: meta.annotations,
            finalizers: meta.finalizers,
            namespace: Some(namespace.to_string()),
            generate_name: Some(format!("{owner_name}-")),
            owner_references: Some(vec![owner]),
            ..Default::default()
        },
        spec: template.spec.clone(),
        status: None,
    }
}

/// The ports of its node's own addresses that a pod wants: address, protocol, port.
pub fn host_ports(pod: &Pod) -> Vec<(String, String, i32)> {
    let Some(spec) = &pod.spec else { return Vec::new() };
    let sidecars = spec.init_containers.iter().flatten();
    let sidecars = sidecars.filter(|c| c.restart_policy.as_deref() == Some("Always"));
    let ports = spec.containers.iter().chain(sidecars).flat_map(|c| c.ports.iter().flatten());
    ports
        .filter_map(|p| {
            let port = p.host_port.filter(|n| *n > 0)?;
            let ip = p.host_ip.clone().filter(|ip| !ip.is_empty());
            let protocol = p.protocol.clone().unwrap_or_else(|| "TCP".into());
            Some((ip.unwrap_or_else(|| "0.0.0.0".into()), protocol, port))
        })
        .collect()
}

/// Whether two pods want the same port on the same address (any address conflicts with each).
/// Models `schedutil` `HostPortInfo.CheckConflict`.
pub fn ports_conflict(a: &[(String, String, i32)], b: &[(String, String, i32)]) -> bool {
    const ANY: &str = "0.0.0.0";
    a.iter().any(|(ip, protocol, port)| {
        b.iter().any(|(other_ip, other_protocol, other_port)| {
            port == other_port
                && protocol == other_protocol
                && (ip == other_ip || ip == ANY || other_ip == ANY)
        })
    })
}
