//! Removes pods that nobody else will: those of nodes that are gone or out of service, those that
//! are deleted before they had a node, and the oldest of very many that have ended.
//!
//! Models `pkg/controller/podgc` (its period of 20 seconds, its quarantine of 40 and its threshold).

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    time::Duration,
};

use k8s_openapi::api::core::v1::{Node, Pod, PodCondition};

use super::{
    framework::{Controller, Key, Queue},
    pods,
};
use crate::{
    api::{KindId, Object, Status, Typed, scheduling::taints},
    client::{Change, Client, DeleteOptions, IndexId, Op},
    sim::Time,
};

/// How long a node must be gone before its pods are (`quarantineTime`).
const QUARANTINE: Duration = Duration::from_secs(40);
/// Looks happen so many seconds after the start, again and again (`gcCheckPeriod`).
const PERIOD: u64 = 20;
/// So many pods that have ended are kept (`--terminated-pod-gc-threshold`).
const KEPT: usize = 12_500;
/// Says that a node that does not report will not come back as it was.
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";
/// The index value of pods that have ended.
const ENDED: &str = "ended";

/// The pod garbage collector.
pub fn make(client: &Client) -> Box<dyn Controller> {
    Box::new(PodGc {
        client: client.clone(),
        by_node: client.index::<Pod>(pods::by_node),
        ended: client.index::<Pod>(ended),
        gone: RefCell::default(),
        counting: Cell::new(false),
        started: client.sim().now(),
    })
}

/// Index: pods that have ended, all under one value.
fn ended(object: &dyn Object) -> Vec<String> {
    let over = object.downcast::<Pod>().is_some_and(pods::is_terminal);
    if over { vec![ENDED.to_string()] } else { Vec::new() }
}

struct PodGc {
    client: Client,
    by_node: IndexId,
    ended: IndexId,
    /// When nodes were first missed.
    gone: RefCell<BTreeMap<Rc<str>, Time>>,
    /// Whether the next look will count pods that have ended.
    counting: Cell<bool>,
    started: Time,
}

/// Keys: a node's name, a pod's namespace and name, or nothing for pods that have ended.
fn node_key(node: &str) -> Key {
    ("".into(), node.into())
}

/// Whether a node does not report and is said not to come back.
fn is_out_of_service(node: &Node) -> bool {
    let conditions = node.status.as_ref().and_then(|s| s.conditions.as_ref());
    let ready = conditions.into_iter().flatten().any(|c| c.type_ == "Ready" && c.status == "True");
    !ready && taints(node).iter().any(|taint| taint.key == OUT_OF_SERVICE)
}

/// Whether a pod was deleted before it had a node.
fn is_unscheduled_terminating(pod: &Pod) -> bool {
    pods::is_terminating(pod) && pods::node_name(pod).is_empty()
}

impl PodGc {
    /// Asks for a key's turn at the first look from `due` on.
    fn look(&self, key: Key, due: Time, queue: &Queue) {
        let passed = due.since(self.started).as_secs();
        let at = self.started + Duration::from_secs((passed / PERIOD + 1) * PERIOD);
        queue.add_after(key, at.since(self.client.sim().now()));
    }

    fn miss(&self, node: &str, queue: &Queue) {
        let now = self.client.sim().now();
        let since = *self.gone.borrow_mut().entry(node.into()).or_insert(now);
        self.look(node_key(node), since + QUARANTINE, queue);
    }

    /// A pod's change: the node it came to, its deletion, its end.
    fn pod_changed(&self, pod: &Pod, old: Option<&Pod>, queue: &Queue) {
        let (node, now) = (pods::node_name(pod), self.client.sim().now());
        let placed = !node.is_empty() && old.is_none_or(|o| pods::node_name(o).is_empty());
        let going = pods::is_terminating(pod) && !old.is_some_and(pods::is_terminating);
        if placed || (going && !node.is_empty()) {
            match self.client.find::<Node>("", node) {
                None => self.miss(node, queue),
                Some(found) if is_out_of_service(&found) => self.look(node_key(node), now, queue),
                Some(_) => {}
            }
        } else if going {
            let object: &dyn Object = pod;
            self.look((object.namespace().into(), object.name().into()), now, queue);
        }
        let over = pods::is_terminal(pod) && !old.is_some_and(pods::is_terminal);
        if over && !self.counting.get() && self.client.count_by_index(self.ended, ENDED) > KEPT {
            self.counting.set(true);
            self.look(node_key(""), now, queue);
        }
    }

    /// Marks a pod as failed and deletes it for good.
    fn remove(&self, pod: &Pod, why: Option<PodCondition>) -> Result<(), Status> {
        let mark = |pod: &Pod| {
            let mut new = pod.clone();
            let status = new.status.get_or_insert_default();
            if let Some(condition) = why {
                let conditions = status.conditions.get_or_insert_default();
                conditions.retain(|c| c.type_ != condition.type_);
                conditions.push(condition);
            }
            status.phase = Some("Failed".into());
            self.client.update_status(new).map(|_| ())
        };
        let object: &dyn Object = pod;
        let options = DeleteOptions { grace_seconds: Some(0), ..Default::default() };
        let marked = if pods::is_terminal(pod) { Ok(()) } else { mark(pod) };
        let result = marked
            .and_then(|()| self.client.delete::<Pod>(object.namespace(), object.name(), &options));
        match result {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    /// Pods of a node that is gone go; of one that is out of service, those that are deleted.
    fn look_at_node(&self, name: &str) -> Result<(), Status> {
        self.gone.borrow_mut().remove(name);
        let node = self.client.find::<Node>("", name);
        if node.as_ref().is_some_and(|node| !is_out_of_service(node)) {
            return Ok(());
        }
        for pod in self.client.by_index::<Pod>(self.by_node, name) {
            let why = PodCondition {
                type_: "DisruptionTarget".into(),
                status: "True".into(),
                reason: Some("DeletionByPodGC".into()),
                message: Some("PodGC: node no longer exists".into()),
                last_transition_time: Some(self.client.sim().now().to_meta()),
                observed_generation: pod.metadata.generation,
                ..Default::default()
            };
            if node.is_none() {
                self.remove(&pod, Some(why))?;
            } else if pods::is_terminating(&pod) {
                self.remove(&pod, None)?;
            }
        }
        Ok(())
    }

    /// Of pods that have ended the oldest go where there are too many, evicted ones first.
    fn look_at_ended(&self) -> Result<(), Status> {
        self.counting.set(false);
        let mut all = self.client.by_index::<Pod>(self.ended, ENDED);
        let many = all.len().saturating_sub(KEPT);
        let order = |pod: &Rc<Pod>| {
            let evicted = pod.status.as_ref().and_then(|s| s.reason.as_deref()) == Some("Evicted");
            let made = pod.metadata.creation_timestamp.as_ref().map(|t| t.0);
            (!evicted, made, pod.metadata.name.clone())
        };
        if many > 0 {
            all.sort_by_cached_key(order);
        }
        all.iter().take(many).try_for_each(|pod| self.remove(pod, None))
    }
}

impl Controller for PodGc {
    fn name(&self) -> &'static str {
        "pod-garbage-collector-controller"
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![Node::ID, Pod::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        let name = change.object.name();
        if let Some(pod) = change.object.downcast::<Pod>() {
            if change.op != Op::Deleted {
                let old = change.old.as_ref().and_then(|o| o.downcast::<Pod>());
                self.pod_changed(pod, old, queue);
            }
        } else if change.op == Op::Deleted {
            self.miss(name, queue);
        } else if change.object.downcast::<Node>().is_some_and(is_out_of_service) {
            self.look(node_key(name), self.client.sim().now(), queue);
        } else if change.op == Op::Added {
            self.gone.borrow_mut().remove(name);
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        match (&*key.0, &*key.1) {
            ("", "") => self.look_at_ended()?,
            ("", node) => self.look_at_node(node)?,
            (namespace, name) => {
                let pod = self.client.find::<Pod>(namespace, name);
                if let Some(pod) = pod.filter(|pod| is_unscheduled_terminating(pod)) {
                    self.remove(&pod, None)?;
                }
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controllers::{framework, testing};
    use serde_json::json;

    fn held(client: &Client, name: &str, node: Option<&str>) {
        testing::make::<Pod>(
            client,
            json!({"metadata": {"name": name, "namespace": "default",
                    "finalizers": ["example.com/hold"]},
                "spec": {"nodeName": node, "containers": [{"name": "c", "image": "i"}]}}),
        );
    }

    fn phase(client: &Client, name: &str) -> String {
        let pod = client.find::<Pod>("default", name);
        pod.map(|p| pods::phase(&p).to_string()).unwrap_or_default()
    }

    /// Who counts a pod before it goes must learn that it will never run.
    #[test]
    fn a_pod_deleted_before_it_has_a_node_has_failed() {
        let (sim, client) = testing::cluster(1);
        let _running = framework::start(&client, make(&client));
        held(&client, "waits", None);
        let _ = client.delete::<Pod>("default", "waits", &DeleteOptions::default());
        assert_eq!(phase(&client, "waits"), "Pending");
        testing::pass(&sim, 25.0);
        assert_eq!(phase(&client, "waits"), "Failed");
    }

    #[test]
    fn deleted_pods_of_a_node_out_of_service_go_others_stay() {
        let (sim, client) = testing::cluster(1);
        testing::node(&client, "n1", "4", "8Gi");
        let _running = framework::start(&client, make(&client));
        held(&client, "stays", Some("n1"));
        held(&client, "goes", Some("n1"));
        let _ = client.delete::<Pod>("default", "goes", &DeleteOptions::default());
        testing::edit::<Node>(&client, "", "n1", |node| {
            let taints = node.spec.get_or_insert_default().taints.get_or_insert_default();
            let taint = json!({"key": OUT_OF_SERVICE, "effect": "NoExecute"});
            taints.push(serde_json::from_value(taint).unwrap());
        });
        testing::pass(&sim, 60.0);
        assert_eq!(phase(&client, "goes"), "Pending", "a node that reports keeps its pods");
        testing::set_status::<Node>(&client, &client.get::<Node>("", "n1").unwrap(), |node| {
            for c in node.status.iter_mut().flat_map(|s| s.conditions.iter_mut().flatten()) {
                c.status = "Unknown".into();
            }
        });
        testing::pass(&sim, 25.0);
        assert_eq!(phase(&client, "goes"), "Failed");
        assert_eq!(phase(&client, "stays"), "Pending");
    }
}
