//! Notices nodes that stop reporting, and taints nodes by their condition.
//!
//! Nothing is polled: each node has a time at which its silence would have lasted too long; every
//! sign of life moves it. Upstream looks every five seconds, so what follows from a look happens
//! at multiples of that here too.
//!
//! Models `pkg/controller/nodelifecycle`. Evicting the pods of tainted nodes is
//! [`taint_eviction`](super::taint_eviction)'s work.

mod conditions;
mod taints;
#[cfg(test)]
mod tests;
mod zones;

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use k8s_openapi::api::{
    coordination::v1::Lease,
    core::v1::{Node, Pod},
};

use super::{
    framework::{Controller, Key, Queue},
    pods,
};
use crate::{
    api::{KindId, Object, Status, Typed},
    client::{Change, Client, EventType, IndexId, Op, Recorder},
    sim::Time,
};
use zones::Zones;

/// Where kubelets renew their leases.
const LEASES: &str = "kube-node-lease";
/// Longest silence of a node (`--node-monitor-grace-period`).
const GRACE: Duration = Duration::from_secs(50);
/// Longest silence of a node that never reported (`--node-startup-grace-period`).
const STARTUP_GRACE: Duration = Duration::from_secs(60);
/// Looks happen at multiples of this (`--node-monitor-period`), in microseconds.
const PERIOD: u64 = 5_000_000;

/// The node lifecycle controller.
pub fn make(client: &Client) -> Box<dyn Controller> {
    Box::new(Lifecycle {
        client: client.clone(),
        events: Recorder::new(client, "node-controller", ""),
        pods: client.index::<Pod>(pods::by_node),
        nodes: RefCell::default(),
        zones: RefCell::default(),
    })
}

/// What is remembered of a node.
struct Health {
    /// The last sign of life.
    heard: Time,
    /// When it is looked at next.
    look: Time,
    /// Its Ready condition's status at the last look.
    ready: String,
}

struct Lifecycle {
    client: Client,
    events: Recorder,
    pods: IndexId,
    nodes: RefCell<BTreeMap<Rc<str>, Health>>,
    zones: RefCell<Zones>,
}

/// The next look at or after a time.
fn tick(at: Time) -> Time {
    Time::from_micros(at.as_micros().next_multiple_of(PERIOD))
}

fn heartbeat(node: &Node) -> Option<(Option<Time>, &str)> {
    let ready = conditions::get(node, "Ready")?;
    Some((ready.last_heartbeat_time.as_ref().map(Time::from), &ready.status))
}

impl Lifecycle {
    fn now(&self) -> Time {
        self.client.sim().now()
    }

    fn node_changed(&self, node: &Node, old: Option<&Node>, op: Op, queue: &Queue) {
        let object: &dyn Object = node;
        let name: Rc<str> = object.name().into();
        if op == Op::Deleted {
            self.nodes.borrow_mut().remove(&name);
            self.zones.borrow_mut().remove(&name);
            let text = format!("Node {name} event: Removing Node {name} from Controller");
            self.events.event(object, EventType::Normal, "RemovingNode", &text);
            return;
        }
        let now = self.now();
        let mut nodes = self.nodes.borrow_mut();
        if !nodes.contains_key(&name) {
            let health = Health { heard: now, look: tick(now), ready: String::new() };
            nodes.insert(name.clone(), health);
            if now.since(created(node)) < GRACE {
                let text = format!("Node {name} event: Registered Node {name} in Controller");
                self.events.event(object, EventType::Normal, "RegisteredNode", &text);
            }
        } else if old.is_none_or(|o| heartbeat(o) != heartbeat(node)) {
            if let Some(health) = nodes.get_mut(&name) {
                health.heard = now;
                health.look = health.look.min(tick(now));
            }
        } else if old.is_some_and(|o| {
            o.spec == node.spec && conditions::statuses(o) == conditions::statuses(node)
        }) {
            return;
        }
        queue.add(("".into(), name));
    }

    /// Looks at a node's health; when to look again.
    fn look(&self, node: &Rc<Node>) -> Result<Time, Status> {
        let name = (&**node as &dyn Object).name();
        let now = self.now();
        let (heard, before) = {
            let nodes = self.nodes.borrow();
            let Some(health) = nodes.get(name) else { return Ok(now + GRACE) };
            (health.heard, health.ready.clone())
        };
        let reported = conditions::get(node, "Ready").map(|c| c.status.clone());
        let grace = if reported.is_some() { GRACE } else { STARTUP_GRACE };
        let silent = now > heard + grace;
        if silent {
            conditions::mark_unknown(&self.client, node)?;
        }
        let ready = if silent { "Unknown".to_string() } else { reported.unwrap_or_default() };
        if ready != "True" && before == "True" {
            let text = format!("Node {name} status is now: NodeNotReady");
            self.events.event(&**node, EventType::Normal, "NodeNotReady", &text);
        }
        if ready != "True" && !ready.is_empty() {
            self.mark_pods_not_ready(name)?;
        }
        let zone = zones::zone_of(node);
        self.zones.borrow_mut().set(name, &zone, &ready);
        if let Some(health) = self.nodes.borrow_mut().get_mut(name) {
            health.ready = ready;
        }
        let due = heard + grace + Duration::from_micros(1);
        Ok(if due > now { tick(due) } else { Time::from_micros(u64::MAX) })
    }

    /// Nobody can tell whether the pods of a lost node still work.
    fn mark_pods_not_ready(&self, node: &str) -> Result<(), Status> {
        for pod in self.client.by_index::<Pod>(self.pods, node) {
            if !pods::is_ready(&pod) {
                continue;
            }
            let mut new = (*pod).clone();
            let now = self.now().to_meta();
            let conditions = new.status.as_mut().and_then(|s| s.conditions.as_mut());
            for condition in conditions.into_iter().flatten().filter(|c| c.type_ == "Ready") {
                condition.status = "False".into();
                condition.last_transition_time = Some(now.clone());
            }
            match self.client.update_status(new) {
                Err(error) if error.is_not_found() => continue,
                Err(error) => return Err(error),
                Ok(_) => {}
            }
            self.events.event(&*pod, EventType::Warning, "NodeNotReady", "Node is not ready");
        }
        Ok(())
    }

    /// Gives the node the taints that its state asks for; when more may be due.
    fn taint(&self, node: &Rc<Node>) -> Result<Option<Time>, Status> {
        let name = (&**node as &dyn Object).name();
        let now = self.now();
        let mut wanted = taints::no_schedule(node);
        let mut later = None;
        let evict = match conditions::status(node, "Ready") {
            "False" => Some(taints::NOT_READY),
            "Unknown" => Some(taints::UNREACHABLE),
            _ => None,
        };
        if let Some(key) = evict {
            let has = taints::has_eviction(node);
            match self.zones.borrow_mut().may_evict(name, has, now) {
                Ok(()) => wanted.push(taints::no_execute(key)),
                Err(at) => later = at,
            }
        } else {
            self.zones.borrow_mut().forget_eviction(name);
        }
        taints::write(&self.client, node, wanted, now)?;
        Ok(later)
    }
}

fn created(node: &Node) -> Time {
    node.metadata.creation_timestamp.as_ref().map(Time::from).unwrap_or_default()
}

impl Controller for Lifecycle {
    fn name(&self) -> &'static str {
        "node-lifecycle-controller"
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![Node::ID, Lease::ID, Pod::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        if let Some(node) = change.object.downcast::<Node>() {
            let old = change.old.as_ref().and_then(|o| o.downcast::<Node>());
            self.node_changed(node, old, change.op, queue);
        } else if let Some(lease) = change.object.downcast::<Lease>() {
            let renewed = |l: &Lease| l.spec.as_ref().and_then(|s| s.renew_time.clone());
            let old = change.old.as_ref().and_then(|o| o.downcast::<Lease>());
            let alive = old.is_none_or(|o| renewed(o) != renewed(lease));
            if alive && change.object.namespace() == LEASES && change.op != Op::Deleted {
                let now = self.now();
                if let Some(health) = self.nodes.borrow_mut().get_mut(change.object.name()) {
                    health.heard = now;
                }
            }
        } else if let Some(pod) = change.object.downcast::<Pod>() {
            // A pod that turns up ready on a lost node (a restarted API server's view, a late
            // write of the kubelet) is marked like the others.
            let node = pods::node_name(pod);
            let nodes = self.nodes.borrow();
            let lost = nodes.get(node).is_some_and(|h| h.ready == "Unknown");
            if lost && change.op == Op::Modified && pods::is_ready(pod) {
                queue.add(("".into(), node.into()));
            }
        }
    }

    fn reconcile(&self, key: &Key, queue: &Queue) -> Result<Option<Duration>, Status> {
        let Some(node) = self.client.find::<Node>("", &key.1) else { return Ok(None) };
        let now = self.now();
        let due = self.nodes.borrow().get(&key.1).map(|h| h.look);
        let mut next = due.unwrap_or(now);
        if next <= now {
            next = self.look(&node)?;
            if let Some(health) = self.nodes.borrow_mut().get_mut(&key.1) {
                health.look = next;
            }
            for other in self.zones.borrow_mut().take_affected() {
                queue.add(("".into(), other));
            }
        }
        // The look may have written the node.
        let Some(node) = self.client.find::<Node>("", &key.1) else { return Ok(None) };
        if let Some(at) = self.taint(&node)? {
            next = next.min(at);
        }
        Ok((next.as_micros() < u64::MAX).then(|| next.since(now).max(Duration::from_millis(1))))
    }
}
