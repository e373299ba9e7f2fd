//! What a scheduling plugin is.
//!
//! A [`Plugin`] is one line of the table in [`super::plugins`]. For each pod that is scheduled it
//! makes a [`Check`], which holds what the plugin worked out about the pod and the cluster
//! (upstream's cycle state) and then judges node by node.
//!
//! Models `pkg/scheduler/framework/interface.go`: `PreFilter` is [`Plugin::check`], then `Filter`,
//! `PreScore`, `Score`, `NormalizeScore`; `EventsToRegister` with its hints is [`Plugin::helps`].

use std::{borrow::Cow, rc::Rc};

use k8s_openapi::api::core::v1::{Node, Pod};

use super::cache::{Cache, NodeInfo, PodInfo};
use crate::client::Client;

/// Highest score of a node from one plugin, weights aside.
pub const MAX_SCORE: i64 = 100;

/// What a plugin may look at.
pub struct Cx<'a> {
    /// Everything else in the cluster.
    pub client: &'a Client,
    /// The pod.
    pub pod: &'a Rc<PodInfo>,
    /// All nodes.
    pub cache: &'a Cache,
}

/// Why a node (or, before any node is looked at, every node) is out of the question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The reasons, as events count them.
    pub reasons: Vec<Cow<'static, str>>,
    /// Whether removing pods might help (`Unschedulable`, not `UnschedulableAndUnresolvable`).
    pub resolvable: bool,
}

impl Rejection {
    /// Removing pods might help.
    pub fn resolvable(reason: &'static str) -> Self {
        Rejection { reasons: vec![Cow::Borrowed(reason)], resolvable: true }
    }

    /// Nothing about other pods would help.
    pub fn final_(reason: &'static str) -> Self {
        Rejection { reasons: vec![Cow::Borrowed(reason)], resolvable: false }
    }
}

/// A change that may make room for a pod that found none.
#[derive(Clone, Copy)]
pub enum Event<'a> {
    /// A node is new, or different from what it was.
    Node(&'a Node, Option<&'a Node>),
    /// A pod is on a node now.
    PodAdded(&'a PodInfo),
    /// A pod on a node changed.
    PodUpdated(&'a PodInfo, &'a PodInfo),
    /// A pod left its node.
    PodRemoved(&'a PodInfo),
    /// A claim, a volume or a storage class changed.
    Storage,
    /// The waiting pod itself changed.
    Own(&'a Pod, &'a Pod),
}

/// A plugin.
pub struct Plugin {
    /// Its name upstream.
    pub name: &'static str,
    /// What its scores weigh; 0 if it gives none.
    pub weight: i64,
    /// Looks at the pod (`PreFilter`): `None` if there is nothing to judge for this pod, an error
    /// if no node at all can do.
    pub check: fn(&Cx) -> Result<Option<Box<dyn Check>>, Rejection>,
    /// Whether a change may make schedulable a pod that this plugin rejected.
    pub helps: fn(&Client, &PodInfo, Event) -> bool,
}

/// A plugin's view of one pod.
pub trait Check {
    /// Whether the pod may go to the node.
    fn filter(&self, _cx: &Cx, _node: &NodeInfo) -> Result<(), Rejection> {
        Ok(())
    }

    /// Before scores are asked for, once, with the nodes that can take the pod. `false`: this
    /// plugin has nothing to say about them.
    fn prepare_scores(&mut self, _cx: &Cx, _nodes: &[&NodeInfo]) -> bool {
        false
    }

    /// How good the node is.
    fn score(&self, _cx: &Cx, _node: &NodeInfo) -> i64 {
        0
    }

    /// Brings all scores into 0..=100.
    fn normalize(&self, _nodes: &[&NodeInfo], _scores: &mut [i64]) {}

    /// A copy, to try out what would be without some pods.
    fn boxed_clone(&self) -> Box<dyn Check>;

    /// As if the pod `other` were on the node, or not on it any more (`sign` 1 or -1).
    fn with_pod(&mut self, _cx: &Cx, _node: &NodeInfo, _other: &PodInfo, _sign: i64) {}
}

/// Scales scores so that the highest is 100; `reverse`: so that the lowest is best.
/// Models `helper.DefaultNormalizeScore`.
pub fn normalize(scores: &mut [i64], reverse: bool) {
    let highest = scores.iter().copied().max().unwrap_or(0);
    for score in scores {
        *score = match (highest, reverse) {
            (0, true) => MAX_SCORE,
            (0, false) => 0,
            (_, true) => MAX_SCORE - MAX_SCORE * *score / highest,
            (_, false) => MAX_SCORE * *score / highest,
        };
    }
}
