//! Tells kubelets how long they may keep Secrets and ConfigMaps: longer in larger clusters.
//!
//! Models `pkg/controller/ttl`.

use std::time::Duration;

use k8s_openapi::api::core::v1::Node;

use super::framework::{Controller, Key, Queue};
use crate::{
    api::{KindId, Status, Typed, meta::annotation},
    client::{Change, Client, Op},
};

const ANNOTATION: &str = "node.alpha.kubernetes.io/ttl";
/// Nodes up to which a number of seconds holds.
const BOUNDARIES: &[(usize, &str)] =
    &[(100, "0"), (500, "15"), (1000, "30"), (2000, "60"), (usize::MAX, "300")];

/// The TTL controller.
pub fn make(client: &Client) -> Box<dyn Controller> {
    Box::new(Ttl { client: client.clone() })
}

struct Ttl {
    client: Client,
}

impl Controller for Ttl {
    fn name(&self) -> &'static str {
        "ttl-controller"
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![Node::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        if change.op == Op::Added {
            queue.add_name("", change.object.name());
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        let Some(node) = self.client.find::<Node>("", &key.1) else { return Ok(None) };
        let count = self.client.count::<Node>();
        let wanted = BOUNDARIES.iter().find(|(most, _)| count <= *most).map_or("0", |b| b.1);
        if annotation(&node.metadata, ANNOTATION) == Some(wanted) {
            return Ok(None);
        }
        let mut new = (*node).clone();
        let annotations = new.metadata.annotations.get_or_insert_default();
        annotations.insert(ANNOTATION.into(), wanted.into());
        self.client.update(new).map(|_| None)
    }
}
