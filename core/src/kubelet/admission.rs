//! What a kubelet looks at before it begins with a pod, whoever put the pod on its node: room, labels,
//! ports, taints. A pod that is refused has failed.
//!
//! Models `pkg/kubelet/lifecycle/predicate.go` and `scheduler.AdmissionCheck`.

use std::rc::Rc;

use k8s_openapi::api::core::v1::{Node, Pod, PodSpec};

use super::{
    Inner,
    resources::pod_request,
    worker::{Phase, Worker},
};
use crate::{
    api::{meta, pods, scheduling},
    client::EventType,
};

impl Inner {
    /// Whether this node can't run a pod at all: reason and message.
    pub fn admission(&self, worker: &Worker) -> Option<(String, String)> {
        let pod = worker.pod();
        let spec = pod.spec.as_ref()?;
        // Who restarts does not throw out what it finds running.
        if worker.is_static || self.containers_of(&worker.uid).iter().any(|c| c.is_running()) {
            return None;
        }
        if let Some(why) = forbidden_sysctl(spec) {
            let message = format!("Pod was rejected: forbidden sysctl: {why}");
            return Some(("SysctlForbidden".into(), message));
        }
        if let Some((reason, message)) = wrong_system(&pod) {
            return Some((reason.into(), format!("Pod was rejected: {message}")));
        }
        let node = self.client.find::<Node>("", &self.node)?;
        let others: Vec<Rc<Pod>> = self
            .workers
            .borrow()
            .values()
            .filter(|w| w.uid != worker.uid && w.phase.get() == Phase::Syncing)
            .map(|w| w.pod())
            .collect();
        let (reason, message) = match too_much(spec, &others, &node) {
            Some(found) => found,
            None => {
                let (name, why) = unfit(&pod, spec, &others, &node)?;
                (name.to_owned(), format!("Predicate {name} failed: {why}"))
            }
        };
        Some((reason, format!("Pod was rejected: {message}")))
    }

    /// A pod that can't be run here fails at once.
    pub fn reject(&self, worker: &Rc<Worker>) {
        let rejected = worker.rejected.borrow().clone();
        if let Some((reason, message)) = rejected {
            let pod = worker.pod();
            let message = message.strip_prefix("Pod was rejected: ").unwrap_or(&message);
            self.recorder.event(&*pod, EventType::Warning, &reason, message);
        }
        worker.finished.set(true);
        worker.phase.set(Phase::Terminated);
        self.write_status(worker);
    }
}

/// The first setting of the kernel that the pod may not change, and why.
/// Models `pkg/kubelet/sysctl/allowlist.go`.
fn forbidden_sysctl(spec: &PodSpec) -> Option<String> {
    let wanted = spec.security_context.as_ref()?.sysctls.as_ref()?;
    wanted.iter().find_map(|sysctl| {
        // Both `net.ipv4.x` and `net/ipv4/x` are understood.
        let name = match sysctl.name.find(['.', '/']) {
            Some(at) if sysctl.name[at..].starts_with('/') => sysctl
                .name
                .chars()
                .map(|c| match c {
                    '/' => '.',
                    '.' => '/',
                    other => other,
                })
                .collect(),
            _ => sysctl.name.clone(),
        };
        if !pods::SAFE_SYSCTLS.contains(&name.as_str()) {
            return Some(format!("\"{name}\" not allowlisted"));
        }
        let host = if name.starts_with("net.") { spec.host_network } else { spec.host_ipc };
        let space = if name.starts_with("net.") { "net" } else { "ipc" };
        (host == Some(true)).then(|| format!("\"{name}\" not allowed with host {space} enabled"))
    })
}

/// Whether a pod says that it is made for another operating system.
fn wrong_system(pod: &Pod) -> Option<(&'static str, &'static str)> {
    if meta::label(&pod.metadata, "kubernetes.io/os").is_some_and(|os| os != "linux") {
        return Some((
            "PodOSSelectorNodeLabelDoesNotMatch",
            "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
        ));
    }
    let os = pod.spec.as_ref().and_then(|s| s.os.as_ref());
    os.is_some_and(|os| os.name != "linux").then_some((
        "PodOSNotSupported",
        "Failed to admit pod as the OS field doesn't match node OS",
    ))
}

/// The first resource of which the node has too little left.
fn too_much(spec: &PodSpec, others: &[Rc<Pod>], node: &Node) -> Option<(String, String)> {
    let all = node.status.as_ref()?.allocatable.as_ref()?;
    let list = |spec: &PodSpec| -> Vec<String> {
        let containers = spec.containers.iter().chain(spec.init_containers.iter().flatten());
        let requests = containers.filter_map(|c| c.resources.as_ref()?.requests.as_ref());
        requests.flat_map(|list| list.keys().cloned()).collect()
    };
    let mut rest = list(spec);
    rest.retain(|name| !["cpu", "memory"].contains(&name.as_str()));
    rest.sort_unstable();
    rest.dedup();
    let names = ["pods", "cpu", "memory"].into_iter().chain(rest.iter().map(String::as_str));
    for name in names {
        // What a node does not have is not the kubelet's business (`removeMissingExtendedResources`).
        let Some(has) = all.get(name).map(super::resources::milli) else { continue };
        let of = |spec: &PodSpec| match name {
            "pods" => 1000,
            _ => pod_request(spec, name),
        };
        let wants = of(spec);
        let used: u128 = others.iter().filter_map(|p| p.spec.as_ref()).map(of).sum();
        if wants > 0 && wants + used > has {
            let scale = if name == "cpu" { 1 } else { 1000 };
            return Some((
                format!("OutOf{name}"),
                format!(
                    "Node didn't have enough resource: {name}, requested: {}, used: {}, \
                     capacity: {}",
                    wants / scale,
                    used / scale,
                    has / scale
                ),
            ));
        }
    }
    None
}

/// The first plugin of the scheduler that would not have put the pod here, and why.
fn unfit(
    pod: &Pod,
    spec: &PodSpec,
    others: &[Rc<Pod>],
    node: &Node,
) -> Option<(&'static str, &'static str)> {
    if !scheduling::selects(spec, node) {
        return Some(("NodeAffinity", "node(s) didn't match Pod's node affinity/selector"));
    }
    let ports = pods::host_ports(pod);
    if others.iter().any(|other| pods::ports_conflict(&ports, &pods::host_ports(other))) {
        return Some(("NodePorts", "node(s) didn't have free ports for the requested pod ports"));
    }
    let taints = scheduling::taints(node);
    scheduling::untolerated(taints, scheduling::tolerations(spec), &["NoExecute"])
        .map(|_| ("TaintToleration", "node(s) had taints that the pod didn't tolerate"))
}
