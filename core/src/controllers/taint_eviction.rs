//! Sends pods away from nodes whose NoExecute taints they do not tolerate, at once or when the
//! time that they tolerate them is over.
//!
//! Models `pkg/controller/tainteviction`.

use std::{cell::RefCell, collections::BTreeMap, time::Duration};

use k8s_openapi::api::core::v1::{Node, Pod, Taint, Toleration};

use super::{
    framework::{Controller, Key, Queue},
    pods,
};
use crate::{
    api::{KindId, Object, Status, Typed, meta::is_deleting, scheduling},
    client::{Change, Client, DeleteOptions, EventType, IndexId, Op, Recorder},
    sim::Time,
};

/// The taint eviction controller.
pub fn make(client: &Client) -> Box<dyn Controller> {
    Box::new(Evictions {
        client: client.clone(),
        events: Recorder::new(client, "taint-eviction-controller", ""),
        pods: client.index::<Pod>(pods::by_node),
        waiting: RefCell::default(),
    })
}

struct Evictions {
    client: Client,
    events: Recorder,
    pods: IndexId,
    /// Pods that are to go, and since when their time runs.
    waiting: RefCell<BTreeMap<Key, Time>>,
}

fn no_execute(node: &Node) -> Vec<&Taint> {
    scheduling::taints(node).iter().filter(|t| t.effect == "NoExecute").collect()
}

/// How long a pod may stay: `None` for ever.
fn patience(taints: &[&Taint], tolerations: &[Toleration]) -> Option<Duration> {
    let mut shortest = None;
    for taint in taints {
        let Some(used) = tolerations.iter().find(|t| scheduling::tolerates(t, taint)) else {
            return Some(Duration::ZERO);
        };
        if let Some(seconds) = used.toleration_seconds {
            let own = Duration::from_secs(seconds.max(0) as u64);
            shortest = Some(shortest.map_or(own, |s: Duration| s.min(own)));
        }
    }
    shortest
}

impl Evictions {
    fn evict(&self, pod: &Pod) -> Result<(), Status> {
        let object: &dyn Object = pod;
        let text = format!("Marking for deletion Pod {}/{}", object.namespace(), object.name());
        self.events.event(pod, EventType::Normal, "TaintManagerEviction", &text);
        let mut new = pod.clone();
        let why = "Taint manager: deleting due to NoExecute taint";
        pods::disrupt(&mut new, "DeletionByTaintManager", why, self.client.sim().now());
        let options = DeleteOptions::default();
        let result = self
            .client
            .update_status(new)
            .and_then(|_| self.client.delete::<Pod>(object.namespace(), object.name(), &options));
        match result {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }
}

impl Controller for Evictions {
    fn name(&self) -> &'static str {
        "taint-eviction-controller"
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![Node::ID, Pod::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        if let Some(node) = change.object.downcast::<Node>() {
            let old = change.old.as_ref().and_then(|o| o.downcast::<Node>());
            let before = old.map(no_execute).unwrap_or_default();
            if change.op == Op::Deleted || no_execute(node) == before {
                return;
            }
            for pod in self.client.by_index::<Pod>(self.pods, change.object.name()) {
                let pod: &dyn Object = &*pod;
                queue.add_name(pod.namespace(), pod.name());
            }
        } else if let Some(pod) = change.object.downcast::<Pod>() {
            let old = change.old.as_ref().and_then(|o| o.downcast::<Pod>());
            let of = |p: &Pod| {
                let tolerations = p.spec.as_ref().and_then(|s| s.tolerations.clone());
                (pods::node_name(p).to_string(), tolerations)
            };
            if change.op == Op::Modified && old.is_some_and(|o| of(o) == of(pod)) {
                return;
            }
            let node = self.client.find::<Node>("", pods::node_name(pod));
            if change.op == Op::Deleted || node.is_some_and(|n| !no_execute(&n).is_empty()) {
                queue.add_name(change.object.namespace(), change.object.name());
            }
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        let pod = self.client.find::<Pod>(&key.0, &key.1).filter(|p| !is_deleting(&p.metadata));
        let Some(pod) = pod else {
            self.waiting.borrow_mut().remove(key);
            return Ok(None);
        };
        let node = self.client.find::<Node>("", pods::node_name(&pod));
        let taints = node.as_ref().map(|n| no_execute(n)).unwrap_or_default();
        let tolerations = pod.spec.as_ref().map(scheduling::tolerations).unwrap_or_default();
        let Some(patience) = patience(&taints, tolerations) else {
            if self.waiting.borrow_mut().remove(key).is_some() {
                let text = format!("Cancelling deletion of Pod {}/{}", key.0, key.1);
                self.events.event(&*pod, EventType::Normal, "TaintManagerEviction", &text);
            }
            return Ok(None);
        };
        let now = self.client.sim().now();
        let since = *self.waiting.borrow_mut().entry(key.clone()).or_insert(now);
        let due = since + patience;
        if due > now {
            return Ok(Some(due.since(now)));
        }
        self.evict(&pod)?;
        self.waiting.borrow_mut().remove(key);
        Ok(None)
    }
}
