//! Gives every node its range of pod addresses, of 10.244.0.0/16.
//!
//! Models `pkg/controller/nodeipam/ipam/range_allocator.go`, with kubeadm's usual numbers.

use std::{cell::RefCell, collections::BTreeMap, time::Duration};

use k8s_openapi::api::core::v1::Node;

use super::framework::{Controller, Key, Queue};
use crate::{
    api::{KindId, Object, Status, Typed},
    client::{Change, Client, EventType, Op, Recorder},
};

/// Ranges of 256 addresses in the cluster's 10.244.0.0/16.
const RANGES: u8 = 255;

/// The node IPAM controller.
pub fn make(client: &Client) -> Box<dyn Controller> {
    Box::new(Ipam {
        client: client.clone(),
        events: Recorder::new(client, "cidrAllocator", ""),
        taken: RefCell::default(),
    })
}

struct Ipam {
    client: Client,
    events: Recorder,
    taken: RefCell<Taken>,
}

#[derive(Default)]
struct Taken {
    by_number: BTreeMap<u8, String>,
    /// Where the search for a free one goes on: a range that became free rests a while.
    next: u8,
}

fn number(node: &Node) -> Option<u8> {
    let cidr = node.spec.as_ref()?.pod_cidr.as_deref()?;
    cidr.strip_prefix("10.244.")?.strip_suffix(".0/24")?.parse().ok()
}

impl Controller for Ipam {
    fn name(&self) -> &'static str {
        "node-ipam-controller"
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![Node::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        let Some(node) = change.object.downcast::<Node>() else { return };
        let mut taken = self.taken.borrow_mut();
        match (change.op, number(node)) {
            (Op::Deleted, Some(n)) => {
                if taken.by_number.get(&n).map(String::as_str) == Some(change.object.uid()) {
                    taken.by_number.remove(&n);
                }
            }
            (Op::Deleted, None) => {}
            (_, Some(n)) => {
                taken.by_number.insert(n, change.object.uid().to_string());
            }
            (_, None) => queue.add_name("", change.object.name()),
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        let Some(node) = self.client.find::<Node>("", &key.1) else { return Ok(None) };
        if node.spec.as_ref().is_some_and(|s| s.pod_cidr.is_some()) {
            return Ok(None);
        }
        let free = {
            let taken = self.taken.borrow();
            let mut order = (0..=RANGES).map(|i| taken.next.wrapping_add(i));
            order.find(|n| !taken.by_number.contains_key(n))
        };
        let Some(n) = free else {
            let text = format!("Node {} status is now: CIDRNotAvailable", key.1);
            self.events.event(&*node, EventType::Normal, "CIDRNotAvailable", &text);
            return Err(Status::internal("no CIDR ranges left"));
        };
        let cidr = format!("10.244.{n}.0/24");
        let mut new = (*node).clone();
        let spec = new.spec.get_or_insert_default();
        spec.pod_cidr = Some(cidr.clone());
        spec.pod_cidrs = Some(vec![cidr]);
        self.client.update(new)?;
        let mut taken = self.taken.borrow_mut();
        taken.by_number.insert(n, (&*node as &dyn Object).uid().to_string());
        taken.next = n.wrapping_add(1);
        Ok(None)
    }
}
