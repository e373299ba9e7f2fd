//! Removes pods that nobody else will: those of nodes that are gone.
//!
//! Models `pkg/controller/podgc` (its period of 20 seconds and its quarantine of 40). Pods that
//! ended are kept up to 12,500 there; none of our clusters comes near.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use k8s_openapi::api::core::v1::{Node, Pod, PodCondition};

use super::{
    framework::{Controller, Key, Queue},
    pods,
};
use crate::{
    api::{KindId, Object, Status, Typed},
    client::{Change, Client, DeleteOptions, IndexId, Op},
    sim::Time,
};

/// How long a node must be gone before its pods are (`quarantineTime`).
const QUARANTINE: Duration = Duration::from_secs(40);
/// Looks happen at multiples of this (`gcCheckPeriod`).
const PERIOD: u64 = 20;

/// The pod garbage collector.
pub fn make(client: &Client) -> Box<dyn Controller> {
    Box::new(PodGc {
        client: client.clone(),
        by_node: client.index::<Pod>(pods::by_node),
        gone: RefCell::default(),
    })
}

struct PodGc {
    client: Client,
    by_node: IndexId,
    /// When nodes were first missed.
    gone: RefCell<BTreeMap<Rc<str>, Time>>,
}

impl PodGc {
    fn miss(&self, node: &str, queue: &Queue) {
        let now = self.client.sim().now();
        let since = *self.gone.borrow_mut().entry(node.into()).or_insert(now);
        let due = since + QUARANTINE;
        let seconds = due.as_secs().next_multiple_of(PERIOD).max(due.as_secs() + 1);
        queue.add_after(("".into(), node.into()), Time::from_secs(seconds).since(now));
    }

    fn remove(&self, pod: &Pod) -> Result<(), Status> {
        let mut new = pod.clone();
        let status = new.status.get_or_insert_default();
        let condition = PodCondition {
            type_: "DisruptionTarget".into(),
            status: "True".into(),
            reason: Some("DeletionByPodGC".into()),
            message: Some("PodGC: node no longer exists".into()),
            last_transition_time: Some(self.client.sim().now().to_meta()),
            observed_generation: pod.metadata.generation,
            ..Default::default()
        };
        let conditions = status.conditions.get_or_insert_default();
        conditions.retain(|c| c.type_ != condition.type_);
        conditions.push(condition);
        if !pods::is_terminal(pod) {
            status.phase = Some("Failed".into());
        }
        let object: &dyn Object = pod;
        let options = DeleteOptions { grace_seconds: Some(0), ..Default::default() };
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

impl Controller for PodGc {
    fn name(&self) -> &'static str {
        "pod-garbage-collector-controller"
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![Node::ID, Pod::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        if let Some(pod) = change.object.downcast::<Pod>() {
            let old = change.old.as_ref().and_then(|o| o.downcast::<Pod>());
            let node = pods::node_name(pod);
            let placed = !node.is_empty() && old.is_none_or(|o| pods::node_name(o).is_empty());
            if change.op != Op::Deleted && placed && self.client.find::<Node>("", node).is_none() {
                self.miss(node, queue);
            }
        } else if change.op == Op::Deleted {
            self.miss(change.object.name(), queue);
        } else if change.op == Op::Added {
            self.gone.borrow_mut().remove(change.object.name());
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        self.gone.borrow_mut().remove(&key.1);
        if self.client.find::<Node>("", &key.1).is_some() {
            return Ok(None);
        }
        for pod in self.client.by_index::<Pod>(self.by_node, &key.1) {
            self.remove(&pod)?;
        }
        Ok(None)
    }
}
