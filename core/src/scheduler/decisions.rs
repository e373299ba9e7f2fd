//! What was decided about each pod and why, for those who ask afterwards.
//!
//! Bounded: the latest pods, of each the latest attempts, and of a large cluster the first nodes.
//! Nothing is decided by it. All schedulers of a cluster write here.

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    rc::Rc,
};

use super::queue::Key;
use crate::{client::Client, sim::Time};

/// Pods remembered.
const PODS: usize = 500;
/// Attempts remembered of each.
const ATTEMPTS: usize = 5;
/// Nodes noted for each attempt.
const NODES: usize = 50;

/// What one plugin gave a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The plugin.
    pub plugin: &'static str,
    /// What it gave, in its own measure.
    pub raw: i64,
    /// The same as 0..=100.
    pub score: i64,
    /// What that weighs: `score * weight` counts.
    pub weight: i64,
}

/// What became of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A plugin ruled it out, for these reasons.
    Rejected {
        /// The plugin.
        plugin: &'static str,
        /// Its reasons.
        reasons: Vec<String>,
        /// Whether removing pods might help.
        resolvable: bool,
    },
    /// It could take the pod; its score, and what each plugin gave.
    Scored {
        /// The sum.
        total: i64,
        /// Its parts.
        parts: Vec<Part>,
    },
    /// It could take the pod and was the only one: nobody scored it.
    Only,
}

/// A pod that had to go for a more important one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Victim {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its priority.
    pub priority: i32,
    /// Whether its going broke a disruption budget.
    pub breaks_budget: bool,
}

/// What became of the attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// The pod was bound to the node.
    Bound,
    /// The pod has its node and waits for its volumes there.
    WaitsForVolumes,
    /// No node could take it.
    #[default]
    Unschedulable,
    /// Something went wrong.
    Failed,
}

/// One attempt to find a pod a node.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// When.
    pub at: Time,
    /// The scheduler's name.
    pub scheduler: String,
    /// The pod's uid.
    pub uid: String,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// What became of it.
    pub outcome: Outcome,
    /// The node it got.
    pub node: Option<String>,
    /// What stands in the pod's condition if it got none.
    pub message: String,
    /// How many nodes there were.
    pub all: usize,
    /// How many of them were looked at.
    pub looked_at: usize,
    /// How many of those could take the pod.
    pub feasible: usize,
    /// The plugin that refused before any node was looked at, and why.
    pub refused: Option<(&'static str, Vec<String>)>,
    /// What became of each node, by name; the first of many.
    pub nodes: BTreeMap<String, Verdict>,
    /// The node on which room is being made for it.
    pub nominated: Option<String>,
    /// Who had to go there.
    pub victims: Vec<Victim>,
}

impl Decision {
    /// How many nodes more can be noted.
    pub(super) fn room(&self) -> usize {
        NODES.saturating_sub(self.nodes.len())
    }

    /// Notes a chosen node that came too late to be noted with the others.
    pub(super) fn note_chosen(&mut self, node: &str) {
        self.node = Some(node.to_string());
    }

    /// Notes what became of a node.
    pub fn note(&mut self, node: &str, verdict: impl FnOnce() -> Verdict) {
        if self.nodes.len() < NODES {
            self.nodes.insert(node.to_string(), verdict());
        }
    }
}

/// The latest decisions.
#[derive(Default)]
pub struct Decisions(RefCell<Inner>);

#[derive(Default)]
struct Inner {
    by_pod: BTreeMap<Key, VecDeque<Rc<Decision>>>,
    order: VecDeque<Key>,
}

impl Decisions {
    /// Those of a cluster, made where nobody holds them yet.
    pub fn of(client: &Client) -> Rc<Self> {
        client.shared(|_| Rc::default())
    }

    /// Remembers a decision.
    pub(super) fn put(&self, key: Key, decision: Decision) {
        let mut inner = self.0.borrow_mut();
        let Inner { by_pod, order } = &mut *inner;
        let attempts = by_pod.entry(key.clone()).or_insert_with(|| {
            order.push_back(key);
            VecDeque::new()
        });
        attempts.push_back(Rc::new(decision));
        if attempts.len() > ATTEMPTS {
            attempts.pop_front();
        }
        while order.len() > PODS {
            if let Some(oldest) = order.pop_front() {
                by_pod.remove(&oldest);
            }
        }
    }

    /// What was decided about a pod last.
    pub fn last(&self, namespace: &str, pod: &str) -> Option<Rc<Decision>> {
        self.all(namespace, pod).pop()
    }

    /// The latest attempts for a pod of this name, oldest first.
    pub fn all(&self, namespace: &str, pod: &str) -> Vec<Rc<Decision>> {
        let inner = self.0.borrow();
        let attempts = inner.by_pod.get(&(namespace.into(), pod.into()));
        attempts.into_iter().flatten().cloned().collect()
    }
}
