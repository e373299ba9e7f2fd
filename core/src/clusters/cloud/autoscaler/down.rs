//! Fewer machines where they are idle for ten minutes and their pods find room elsewhere.
//!
//! Models `core/scaledown` with its default options: one node that is not empty at a time.

use std::{collections::BTreeMap, rc::Rc, time::Duration};

use k8s_openapi::api::{
    core::v1::{Node, Pod, Taint},
    policy::v1::PodDisruptionBudget,
};

use super::{Autoscaler, Room, TO_BE_DELETED, View, is_daemon, is_leaving};
use crate::{
    api::{
        Object, Status,
        meta::{annotation, controller_of},
        scheduling,
        selector::Selector,
    },
    client::DeleteOptions,
    clusters::cloud::Cloud,
    scheduler::resources::{Resources, of_pod},
    sim::Time,
};

/// How long a node must be unneeded (`--scale-down-unneeded-time`), and how long nothing is removed
/// after machines were added (`--scale-down-delay-after-add`).
const UNNEEDED: Duration = Duration::from_secs(600);
/// The share of a node that may be asked for while it counts as idle, in thousandths
/// (`--scale-down-utilization-threshold`).
const IDLE: i64 = 500;
/// How long pods may take to go (`--max-graceful-termination-sec`).
const PATIENCE: Duration = Duration::from_secs(600);
/// The mark of nodes that will go if nothing changes.
const CANDIDATE: &str = "DeletionCandidateOfClusterAutoscaler";
/// What a pod says of itself.
const SAFE_TO_EVICT: &str = "cluster-autoscaler.kubernetes.io/safe-to-evict";
/// What a node says of itself.
const NOT_THIS_ONE: &str = "cluster-autoscaler.kubernetes.io/scale-down-disabled";

/// A node that is being emptied.
pub(super) struct Leaving {
    since: Time,
}

fn share(node: &Node, used: &Resources) -> i64 {
    let has = Resources::of(node.status.as_ref().and_then(|s| s.allocatable.as_ref()));
    let part = |used: i64, all: i64| if all > 0 { used.saturating_mul(1000) / all } else { 0 };
    part(used.cpu, has.cpu).max(part(used.memory, has.memory))
}

impl Autoscaler {
    /// Marks what could go and removes what has been unneeded for long enough. Whether there is
    /// something to look at again.
    pub(super) fn shrink(&self, cloud: &Cloud, view: &View) -> Result<bool, Status> {
        let now = self.now();
        self.empty(cloud)?;
        let mut candidates = self.candidates(cloud, view);
        {
            let mut unneeded = self.unneeded.borrow_mut();
            unneeded.retain(|name, _| candidates.contains_key(name));
            for name in candidates.keys() {
                unneeded.entry(name.clone()).or_insert(now);
            }
        }
        self.mark(view)?;
        let cooling = self.grown.get().is_some_and(|at| now < at + UNNEEDED);
        let mut left = cloud.machines().len().saturating_sub(cloud.bounds.min as usize);
        let unneeded = self.unneeded.borrow().clone();
        for (name, since) in unneeded {
            let Some(pods) = candidates.remove(&name) else { continue };
            let due = now >= since + UNNEEDED && !cooling && left > 0;
            let free = pods.is_empty() || self.leaving.borrow().is_empty();
            if due && free && self.begin(cloud, view, &name, &pods)? {
                left -= 1;
            }
        }
        Ok(!self.unneeded.borrow().is_empty() || !self.leaving.borrow().is_empty())
    }

    /// What an earlier run had begun to remove stays after all. Models `cleanUpIfRequired`.
    pub(super) fn take_back(&self) -> Result<(), Status> {
        for node in self.client.list::<Node>(None).iter().filter(|n| is_leaving(n)) {
            self.taint((&**node as &dyn Object).name(), TO_BE_DELETED, "NoSchedule", false)?;
        }
        Ok(())
    }

    /// Nodes that could go, with the pods that would have to move.
    fn candidates(&self, cloud: &Cloud, view: &View) -> BTreeMap<String, Vec<Rc<Pod>>> {
        let mut rooms: Vec<Room> = view
            .rooms
            .iter()
            .filter(|r| !is_leaving(&r.node))
            .map(|r| Room { node: r.node.clone(), free: r.free.clone() })
            .collect();
        let mut found = BTreeMap::new();
        let mut names: Vec<String> = Vec::new();
        for room in &view.rooms {
            let disabled = annotation(&room.node.metadata, NOT_THIS_ONE) == Some("true");
            if self.is_own(cloud, &room.node) && !is_leaving(&room.node) && !disabled {
                names.push((&*room.node as &dyn Object).name().to_string());
            }
        }
        for name in names {
            let pods = self.on_node(&name);
            let mut used = Resources::default();
            pods.iter().for_each(|p| used.add(&of_pod(p, false)));
            let Some(at) = rooms.iter().position(|r| (&*r.node as &dyn Object).name() == name)
            else {
                continue;
            };
            if share(&rooms[at].node, &used) >= IDLE {
                continue;
            }
            let own = rooms.remove(at);
            let moving: Vec<Rc<Pod>> =
                pods.into_iter().filter(|p| !is_daemon(p) && !is_mirror(p)).collect();
            let stuck = moving.iter().any(|p| self.must_stay(p));
            if stuck || !refit(&mut rooms, &moving) {
                rooms.push(own);
                continue;
            }
            found.insert(name, moving);
        }
        found
    }

    /// Whether a pod keeps its node. Models `simulator/drainability/rules`.
    fn must_stay(&self, pod: &Pod) -> bool {
        match annotation(&pod.metadata, SAFE_TO_EVICT) {
            Some("true") => return false,
            Some("false") => return true,
            _ => {}
        }
        let budgets = self.budgets(pod);
        let exhausted = |b: &Rc<PodDisruptionBudget>| {
            b.status.as_ref().and_then(|s| s.disruptions_allowed).unwrap_or(0) < 1
        };
        let volumes = pod.spec.iter().flat_map(|s| s.volumes.iter().flatten());
        let local = volumes
            .filter(|v| {
                v.host_path.is_some()
                    || v.empty_dir.as_ref().is_some_and(|e| e.medium.as_deref() != Some("Memory"))
            })
            .count()
            > 0;
        let system = pod.metadata.namespace.as_deref() == Some("kube-system");
        controller_of(&pod.metadata).is_none()
            || local
            || (system && budgets.is_empty())
            || budgets.iter().any(exhausted)
    }

    fn budgets(&self, pod: &Pod) -> Vec<Rc<PodDisruptionBudget>> {
        let all = self.client.list::<PodDisruptionBudget>(pod.metadata.namespace.as_deref());
        let covers = |b: &Rc<PodDisruptionBudget>| {
            let selector = b.spec.as_ref().and_then(|s| s.selector.as_ref());
            let selector = selector.and_then(|s| Selector::from_label_selector(Some(s)).ok());
            selector.is_some_and(|s| s.matches(pod.metadata.labels.as_ref()))
        };
        all.into_iter().filter(covers).collect()
    }

    /// The mark of nodes that could go is where it should be.
    fn mark(&self, view: &View) -> Result<(), Status> {
        for room in view.rooms.iter().filter(|r| !is_leaving(&r.node)) {
            let name = (&*room.node as &dyn Object).name();
            let wanted = self.unneeded.borrow().contains_key(name);
            let has = scheduling::taints(&room.node).iter().any(|t| t.key == CANDIDATE);
            if wanted != has {
                self.taint(name, CANDIDATE, "PreferNoSchedule", wanted)?;
            }
        }
        Ok(())
    }

    fn taint(&self, name: &str, key: &str, effect: &str, wanted: bool) -> Result<(), Status> {
        let Some(node) = self.client.find::<Node>("", name) else { return Ok(()) };
        let mut new = (*node).clone();
        let taints = new.spec.get_or_insert_default().taints.get_or_insert_default();
        taints.retain(|t| t.key != key);
        if wanted {
            taints.push(Taint {
                key: key.into(),
                value: Some((self.now().as_millis() / 1000).to_string()),
                effect: effect.into(),
                time_added: None,
            });
        }
        self.client.update(new).map(|_| ())
    }

    /// Begins to remove a node. Whether it did.
    fn begin(
        &self,
        cloud: &Cloud,
        view: &View,
        name: &str,
        pods: &[Rc<Pod>],
    ) -> Result<bool, Status> {
        let room = view.rooms.iter().find(|r| (&*r.node as &dyn Object).name() == name);
        let Some(room) = room else { return Ok(false) };
        self.taint(name, TO_BE_DELETED, "NoSchedule", true)?;
        let text = "marked the node as toBeDeleted/unschedulable";
        self.tell(&*room.node, "ScaleDown", text);
        if pods.is_empty() {
            let text = format!("Scale-down: removing empty node {name:?}");
            self.announce("ScaleDownEmpty", &text);
        } else {
            let names: Vec<&str> = pods.iter().map(|p| (&**p as &dyn Object).name()).collect();
            let text = format!(
                "Scale-down: removing node {name}, pods to reschedule: {}",
                names.join(",")
            );
            self.announce("ScaleDown", &text);
        }
        self.leaving.borrow_mut().insert(name.to_string(), Leaving { since: self.now() });
        self.unneeded.borrow_mut().remove(name);
        self.empty(cloud)?;
        Ok(true)
    }

    /// Evicts what is left on nodes that leave, and gives back the machines of empty ones.
    fn empty(&self, cloud: &Cloud) -> Result<(), Status> {
        let now = self.now();
        let all: Vec<(String, Time)> =
            self.leaving.borrow().iter().map(|(n, l)| (n.clone(), l.since)).collect();
        for (name, since) in all {
            let mut left = self.on_node(&name);
            left.retain(|p| !is_daemon(p) && !is_mirror(p));
            if left.is_empty() {
                if let Some(node) = self.client.find::<Node>("", &name) {
                    self.tell(&*node, "ScaleDown", "node removed by cluster autoscaler");
                }
                if let Some(instance) = cloud.instance(&name) {
                    cloud.balancer.unmap_machine(instance.external);
                }
                cloud.remove_machine(&name);
                self.leaving.borrow_mut().remove(&name);
            } else if now >= since + PATIENCE {
                let text = "failed to drain the node, aborting ScaleDown";
                if let Some(node) = self.client.find::<Node>("", &name) {
                    self.tell(&*node, "ScaleDownFailed", text);
                }
                self.taint(&name, TO_BE_DELETED, "NoSchedule", false)?;
                self.leaving.borrow_mut().remove(&name);
            } else {
                self.evict(&left);
            }
        }
        Ok(())
    }

    /// Evicts pods as far as their budgets allow; the others have their turn at the next look.
    fn evict(&self, pods: &[Rc<Pod>]) {
        for pod in pods.iter().filter(|p| p.metadata.deletion_timestamp.is_none()) {
            let object: &dyn Object = &**pod;
            let options = DeleteOptions::default();
            if self.client.evict(object.namespace(), object.name(), &options).is_ok() {
                self.tell(object, "ScaleDown", "deleting pod for node scale down");
            }
        }
    }
}

fn is_mirror(pod: &Pod) -> bool {
    annotation(&pod.metadata, "kubernetes.io/config.mirror").is_some()
}

/// Puts pods into rooms, all or none.
fn refit(rooms: &mut [Room], pods: &[Rc<Pod>]) -> bool {
    let before: Vec<Resources> = rooms.iter().map(|r| r.free.clone()).collect();
    for pod in pods {
        match rooms.iter_mut().find(|r| r.takes(pod)) {
            Some(room) => room.put(pod),
            None => {
                for (room, free) in rooms.iter_mut().zip(before) {
                    room.free = free;
                }
                return false;
            }
        }
    }
    true
}
