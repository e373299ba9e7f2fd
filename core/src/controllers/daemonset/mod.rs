//! Keeps a pod on every node that a DaemonSet is for.
//!
//! [`place`] says which nodes those are and what the pods look like, [`update`] replaces pods of
//! an old template.
//!
//! Models `pkg/controller/daemon`.

mod place;
#[cfg(test)]
mod tests;
mod update;

use std::{collections::BTreeMap, rc::Rc, time::Duration};

use k8s_openapi::api::{
    apps::v1::{ControllerRevision, DaemonSet, DaemonSetStatus},
    core::v1::{Node, Pod},
};

use super::{
    framework::{Controller, Key, Queue},
    history::{self, History},
    owners, pods,
};
use crate::{
    api::{
        KindId, Object, Status, Typed,
        meta::{annotation, controller_of, controller_ref, is_deleting, label},
        scheduling,
        selector::Selector,
    },
    client::{Change, Client, DeleteOptions, EventType, IndexId, Op, Recorder},
};

const NAME: &str = "daemonset-controller";
const GENERATION_ANNOTATION: &str = "deprecated.daemonset.template.generation";
const GENERATION_LABEL: &str = "pod-template-generation";
/// Most pods made or deleted in one sync (`BurstReplicas`).
const BURST: usize = 250;

/// The DaemonSet controller.
pub fn make(client: &Client) -> Box<dyn Controller> {
    Box::new(DaemonSets {
        client: client.clone(),
        events: Recorder::new(client, NAME, ""),
        pods: client.index::<Pod>(pods::by_controller),
        revisions: client.index::<ControllerRevision>(history::by_controller),
    })
}

struct DaemonSets {
    client: Client,
    events: Recorder,
    pods: IndexId,
    revisions: IndexId,
}

type ByNode = BTreeMap<String, Vec<Rc<Pod>>>;

/// What a sync is about.
struct Cx<'a> {
    ds: &'a DaemonSet,
    hash: &'a str,
    min_ready: Duration,
}

impl DaemonSets {
    /// The set's pods by node, oldest first; those without any target under the empty name.
    fn pods_by_node(&self, ds: &DaemonSet, selector: &Selector) -> Result<ByNode, Status> {
        let owner: &dyn Object = ds;
        let mut mine = self.client.by_index::<Pod>(self.pods, owner.uid());
        let orphans = format!("orphan/{}", owner.namespace());
        mine.extend(self.client.by_index::<Pod>(self.pods, &orphans));
        let mine = owners::claim(&self.client, owner, selector, mine)?;
        let mut nodes = ByNode::new();
        for pod in mine {
            nodes.entry(place::target(&pod)).or_default().push(pod);
        }
        for pods in nodes.values_mut() {
            pods.sort_by_key(|p| (p.metadata.creation_timestamp.clone(), p.metadata.name.clone()));
        }
        Ok(nodes)
    }

    /// Pods to make (by node) and to delete so that each node has what it should.
    fn plan(&self, cx: &Cx, nodes: &[Rc<Node>], pods: &ByNode) -> (Vec<String>, Vec<Rc<Pod>>) {
        let (mut make, mut delete) = (Vec::new(), Vec::new());
        let none = Vec::new();
        for node in nodes {
            let name = (&**node as &dyn Object).name();
            let here = pods.get(name).unwrap_or(&none);
            let (should_run, may_stay) = place::fits(cx.ds, node);
            if should_run && here.is_empty() {
                make.push(name.to_string());
            } else if may_stay {
                self.prune(cx, here, name, &mut delete);
            } else {
                delete.extend(here.iter().filter(|p| !is_deleting(&p.metadata)).cloned());
            }
        }
        // Pods that wait for a node that is not there.
        let known: std::collections::BTreeSet<&str> =
            nodes.iter().map(|n| (&**n as &dyn Object).name()).collect();
        for (_, pods) in pods.iter().filter(|(node, _)| !known.contains(node.as_str())) {
            let waiting = pods.iter().filter(|p| pods::node_name(p).is_empty());
            delete.extend(waiting.filter(|p| !is_deleting(&p.metadata)).cloned());
        }
        (make, delete)
    }

    /// Ended pods go, and all but one of those that run.
    fn prune(&self, cx: &Cx, here: &[Rc<Pod>], node: &str, delete: &mut Vec<Rc<Pod>>) {
        let mut running = Vec::new();
        for pod in here.iter().filter(|p| !is_deleting(&p.metadata)) {
            let object: &dyn Object = &**pod;
            let which = format!("pod {}/{} on node {node}", object.namespace(), object.name());
            match pods::phase(pod) {
                "Failed" => {
                    let text = format!("Found failed daemon {which}, will try to kill it");
                    self.events.event(cx.ds, EventType::Warning, "FailedDaemonPod", &text);
                    delete.push(pod.clone());
                }
                "Succeeded" => {
                    let text = format!("Found succeeded daemon {which}, will try to delete it");
                    self.events.event(cx.ds, EventType::Normal, "SucceededDaemonPod", &text);
                    delete.push(pod.clone());
                }
                _ => running.push(pod),
            }
        }
        if update::surge(cx.ds, 1) == 0 {
            delete.extend(running.into_iter().skip(1).cloned());
            return;
        }
        let (new, old): (Vec<&Rc<Pod>>, Vec<_>) = running
            .into_iter()
            .partition(|p| label(&p.metadata, history::HASH_LABEL) == Some(cx.hash));
        if let (Some(new), Some(old)) = (new.first(), old.first()) {
            let now = self.client.sim().now();
            if !pods::is_ready(old) || pods::is_available(new, cx.min_ready, now) {
                delete.push((*old).clone());
            }
        }
        delete.extend(new.into_iter().skip(1).chain(old.into_iter().skip(1)).cloned());
    }

    fn carry_out(&self, cx: &Cx, make: Vec<String>, delete: Vec<Rc<Pod>>) -> Result<(), Status> {
        let owner: &dyn Object = cx.ds;
        let mut failure = None;
        for node in make.into_iter().take(BURST) {
            let reference = controller_ref(&self.client.kinds(), owner);
            let pod = place::pod(cx.ds, &node, cx.hash, reference);
            match self.client.create(pod) {
                Ok(pod) => {
                    let text = format!("Created pod: {}", (&*pod as &dyn Object).name());
                    self.events.event(owner, EventType::Normal, "SuccessfulCreate", &text);
                }
                Err(error) if error.message.contains("because it is being terminated") => break,
                Err(error) => {
                    let text = format!("Error creating: {error}");
                    self.events.event(owner, EventType::Warning, "FailedCreate", &text);
                    failure.get_or_insert(error);
                    break;
                }
            }
        }
        for pod in delete.into_iter().take(BURST) {
            let pod: &dyn Object = &*pod;
            let options = DeleteOptions::default();
            match self.client.delete::<Pod>(pod.namespace(), pod.name(), &options) {
                Ok(()) => {
                    let text = format!("Deleted pod: {}", pod.name());
                    self.events.event(owner, EventType::Normal, "SuccessfulDelete", &text);
                }
                Err(error) if error.is_not_found() => {}
                Err(error) => {
                    let text = format!("Error deleting: {error}");
                    self.events.event(owner, EventType::Warning, "FailedDelete", &text);
                    failure.get_or_insert(error);
                }
            }
        }
        failure.map_or(Ok(()), Err)
    }

    fn status(&self, cx: &Cx, nodes: &[Rc<Node>], pods: &ByNode) -> DaemonSetStatus {
        let now = self.client.sim().now();
        let (mut desired, mut current, mut misplaced) = (0, 0, 0);
        let (mut ready, mut available, mut updated) = (0, 0, 0);
        let generation = annotation(&cx.ds.metadata, GENERATION_ANNOTATION);
        for node in nodes {
            let here = pods.get((&**node as &dyn Object).name());
            let (should_run, _) = place::fits(cx.ds, node);
            desired += i32::from(should_run);
            let Some(oldest) = here.and_then(|p| p.first()) else { continue };
            if !should_run {
                misplaced += 1;
                continue;
            }
            current += 1;
            ready += i32::from(pods::is_ready(oldest));
            available += i32::from(pods::is_available(oldest, cx.min_ready, now));
            updated += i32::from(update::is_current(oldest, cx.hash, generation));
        }
        let non_zero = super::replicaset::non_zero;
        let old = cx.ds.status.as_ref();
        DaemonSetStatus {
            desired_number_scheduled: desired,
            current_number_scheduled: current,
            number_misscheduled: misplaced,
            number_ready: ready,
            number_available: non_zero(available),
            number_unavailable: non_zero(desired - available),
            updated_number_scheduled: non_zero(updated),
            observed_generation: cx.ds.metadata.generation,
            collision_count: old.and_then(|s| s.collision_count),
            conditions: old.and_then(|s| s.conditions.clone()),
        }
    }

    fn pod_changed(&self, pod: &Pod, old: Option<&Pod>, op: Op, queue: &Queue) {
        let ns = pod.metadata.namespace.as_deref().unwrap_or_default();
        let owner = controller_of(&pod.metadata);
        if let Some(owner) = owner {
            if owner.kind == "DaemonSet" {
                queue.add_name(ns, &owner.name);
            }
            return;
        }
        let released = old.and_then(|o| controller_of(&o.metadata));
        if let Some(owner) = released.filter(|o| o.kind == "DaemonSet") {
            queue.add_name(ns, &owner.name);
        }
        let same = old.is_some_and(|o| o.metadata.labels == pod.metadata.labels);
        if op == Op::Deleted || same {
            return;
        }
        for ds in self.client.list::<DaemonSet>(Some(ns)) {
            let selector = Selector::from_label_selector(ds.spec.as_ref().map(|s| &s.selector));
            if selector.is_ok_and(|s| s.matches(pod.metadata.labels.as_ref())) {
                queue.add_name(ns, (&*ds as &dyn Object).name());
            }
        }
    }

    /// A node that is new or changed in what decides about pods concerns the sets that it fits
    /// now or fitted before.
    fn node_changed(&self, node: &Node, old: Option<&Node>, op: Op, queue: &Queue) {
        let same = |o: &Node| {
            o.metadata.labels == node.metadata.labels
                && scheduling::taints(o) == scheduling::taints(node)
        };
        if op == Op::Modified && old.is_some_and(same) {
            return;
        }
        for ds in self.client.list::<DaemonSet>(None) {
            let before = old.map(|o| place::fits(&ds, o));
            let now = (op != Op::Deleted).then(|| place::fits(&ds, node));
            if before != now {
                let ds: &dyn Object = &*ds;
                queue.add_name(ds.namespace(), ds.name());
            }
        }
    }
}

impl Controller for DaemonSets {
    fn name(&self) -> &'static str {
        NAME
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![DaemonSet::ID, Pod::ID, Node::ID, ControllerRevision::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        if let Some(pod) = change.object.downcast::<Pod>() {
            let old = change.old.as_ref().and_then(|o| o.downcast::<Pod>());
            self.pod_changed(pod, old, change.op, queue);
        } else if let Some(node) = change.object.downcast::<Node>() {
            let old = change.old.as_ref().and_then(|o| o.downcast::<Node>());
            self.node_changed(node, old, change.op, queue);
        } else if change.kind == ControllerRevision::ID {
            if let Some(owner) = controller_of(change.object.metadata()) {
                if owner.kind == "DaemonSet" && change.op == Op::Deleted {
                    queue.add_name(change.object.namespace(), &owner.name);
                }
            }
        } else {
            queue.add_name(change.object.namespace(), change.object.name());
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        let Some(ds) = self.client.find::<DaemonSet>(&key.0, &key.1) else { return Ok(None) };
        let Some(spec) = &ds.spec else { return Ok(None) };
        let Ok(selector) = Selector::from_label_selector(Some(&spec.selector)) else {
            return Ok(None);
        };
        if is_deleting(&ds.metadata) {
            return Ok(None);
        }
        let history = History {
            client: &self.client,
            index: self.revisions,
            owner: &*ds,
            selector: &selector,
            label: history::HASH_LABEL,
        };
        let collisions = ds.status.as_ref().and_then(|s| s.collision_count);
        let (current, old) = match history.current(&spec.template, collisions) {
            Err(error) if error.is_already_exists() => {
                let mut new = (*ds).clone();
                new.status.get_or_insert_default().collision_count =
                    Some(collisions.unwrap_or(0) + 1);
                self.client.update_status(new)?;
                return Err(error);
            }
            other => other?,
        };
        let min_ready = Duration::from_secs(spec.min_ready_seconds.unwrap_or(0).max(0) as u64);
        let cx = Cx { ds: &ds, hash: history::hash_of(&current), min_ready };
        let nodes = self.client.list::<Node>(None);
        let pods = self.pods_by_node(&ds, &selector)?;
        let (make, delete) = self.plan(&cx, &nodes, &pods);
        let settled = make.is_empty() && delete.is_empty();
        let mut result = self.carry_out(&cx, make, delete);
        if settled && result.is_ok() {
            let (make, delete) = self.update_plan(&cx, &nodes, &pods);
            result = self.carry_out(&cx, make, delete);
        }
        let status = self.status(&cx, &nodes, &pods);
        if ds.status.as_ref() != Some(&status) {
            let mut new = (*ds).clone();
            new.status = Some(status);
            self.client.update_status(new)?;
        }
        result?;
        let in_use = |revision: &ControllerRevision| {
            let hash = Some(history::hash_of(revision));
            let mut all = pods.values().flatten();
            all.any(|p| label(&p.metadata, history::HASH_LABEL) == hash)
        };
        history.clean_up(&old, spec.revision_history_limit.unwrap_or(10), in_use)?;
        // A second pod of a node counts too: an update waits for it.
        Ok(pods::next_available(pods.values().flatten(), min_ready, self.client.sim().now()))
    }

    fn is_throttled(&self) -> bool {
        true
    }
}
