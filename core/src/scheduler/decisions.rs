//! What was decided about each pod and why, for those who ask afterwards.
//!
//! Bounded: the latest pods, and of a large cluster the first nodes. Nothing is decided by it.

use std::{
    collections::{BTreeMap, VecDeque},
    rc::Rc,
};

use super::queue::Key;
use crate::sim::Time;

/// Pods remembered.
const PODS: usize = 200;
/// Nodes noted for each.
const NODES: usize = 50;

/// What became of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A plugin ruled it out, for these reasons.
    Rejected {
        /// The plugin.
        plugin: &'static str,
        /// Its reasons.
        reasons: Vec<String>,
    },
    /// It could take the pod; its score, and what each plugin gave (weighted).
    Scored {
        /// The sum.
        total: i64,
        /// Its parts.
        parts: Vec<(&'static str, i64)>,
    },
}

/// The latest attempt to find a pod a node.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// When.
    pub at: Time,
    /// The node it got.
    pub node: Option<String>,
    /// What stands in the pod's condition if it got none.
    pub message: String,
    /// What became of each node, by name.
    pub nodes: BTreeMap<String, Verdict>,
}

impl Decision {
    /// Notes what became of a node.
    pub fn note(&mut self, node: &str, verdict: impl FnOnce() -> Verdict) {
        if self.nodes.len() < NODES {
            self.nodes.insert(node.to_string(), verdict());
        }
    }
}

/// The latest decisions.
#[derive(Default)]
pub struct Decisions {
    by_pod: BTreeMap<Key, Rc<Decision>>,
    order: VecDeque<Key>,
}

impl Decisions {
    /// Remembers a decision.
    pub fn put(&mut self, key: Key, decision: Decision) {
        if self.by_pod.insert(key.clone(), Rc::new(decision)).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > PODS {
            if let Some(oldest) = self.order.pop_front() {
                self.by_pod.remove(&oldest);
            }
        }
    }

    /// What was decided about a pod.
    pub fn get(&self, key: &Key) -> Option<Rc<Decision>> {
        self.by_pod.get(key).cloned()
    }
}
