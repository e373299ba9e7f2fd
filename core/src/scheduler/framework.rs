//! What a scheduling plugin is.
//!
//! A [`Plugin`] is one line of the table in [`super::plugins`]; a profile says which take part where,
//! and what they weigh. For each pod that is scheduled it
//! makes a [`Check`], which holds what the plugin worked out about the pod and the cluster
//! (upstream's cycle state) and then judges node by node.
//!
//! Models `pkg/scheduler/framework/interface.go`: `PreFilter` is [`Plugin::check`], then `Filter`,
//! `PreScore`, `Score`, `NormalizeScore`; `EventsToRegister` with its hints is [`Plugin::helps`].

use std::{borrow::Cow, collections::BTreeSet, rc::Rc};

use k8s_openapi::api::{
    core::v1::{Node, Pod},
    resource::v1::ResourceClaim,
};

use super::{
    cache::{Cache, NodeInfo, PodInfo},
    config::Args,
};
use crate::client::Client;

/// Highest score of a node from one plugin, weights aside.
pub const MAX_SCORE: i64 = 100;

/// What a plugin may look at.
#[derive(Clone, Copy)]
pub struct Cx<'a> {
    /// Everything else in the cluster.
    pub client: &'a Client,
    /// The pod.
    pub pod: &'a Rc<PodInfo>,
    /// All nodes.
    pub cache: &'a Cache,
    /// How the plugins are set.
    pub args: &'a Args,
}

/// Why a node (or, before any node is looked at, every node) is out of the question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The reasons, as events count them.
    pub reasons: Vec<Cow<'static, str>>,
    /// Whether removing pods might help (`Unschedulable`, not `UnschedulableAndUnresolvable`).
    pub resolvable: bool,
    /// Whether it is no rejection but something that went wrong, so that no other node is tried.
    pub fatal: bool,
}

impl Rejection {
    /// Removing pods might help.
    pub fn resolvable(reason: &'static str) -> Self {
        Rejection { reasons: vec![Cow::Borrowed(reason)], resolvable: true, fatal: false }
    }

    /// Nothing about other pods would help; for a reason that names something.
    pub fn about(reason: String) -> Self {
        Rejection { reasons: vec![Cow::Owned(reason)], resolvable: false, fatal: false }
    }

    /// Something is wrong with the pod or what it names.
    pub fn fatal(reason: String) -> Self {
        Rejection { fatal: true, ..Rejection::about(reason) }
    }

    /// Nothing about other pods would help.
    pub fn final_(reason: &'static str) -> Self {
        Rejection { reasons: vec![Cow::Borrowed(reason)], resolvable: false, fatal: false }
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
    /// A claim of devices is new, or different from what it was.
    Claim(&'a ResourceClaim, Option<&'a ResourceClaim>),
    /// Devices are offered, or there is a class of them.
    Devices,
    /// The waiting pod itself changed.
    Own(&'a Pod, &'a Pod),
}

/// Sorts of events, for [`Plugin::events`].
pub mod interest {
    /// Nodes.
    pub const NODE: u8 = 1;
    /// Pods that come to a node.
    pub const POD_ADDED: u8 = 2;
    /// Pods on nodes that change.
    pub const POD_UPDATED: u8 = 4;
    /// Pods that leave.
    pub const POD_REMOVED: u8 = 8;
    /// Claims, volumes, classes.
    pub const STORAGE: u8 = 16;
    /// Claims of devices, devices, classes of them.
    pub const DEVICES: u8 = 32;
    /// Pods on nodes, whatever becomes of them.
    pub const PODS: u8 = POD_ADDED | POD_UPDATED | POD_REMOVED;
}

impl Event<'_> {
    /// Its sort; 0 for what the pod itself does, which always is of interest.
    pub fn sort(&self) -> u8 {
        match self {
            Event::Node(..) => interest::NODE,
            Event::PodAdded(_) => interest::POD_ADDED,
            Event::PodUpdated(..) => interest::POD_UPDATED,
            Event::PodRemoved(_) => interest::POD_REMOVED,
            Event::Storage => interest::STORAGE,
            Event::Claim(..) | Event::Devices => interest::DEVICES,
            Event::Own(..) => 0,
        }
    }
}

/// Where a plugin takes part, as configurations name it.
#[allow(dead_code)] // configurations name points at which none of these plugins takes part, too
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    PreEnqueue,
    QueueSort,
    PreFilter,
    Filter,
    PostFilter,
    PreScore,
    Score,
    Reserve,
    Permit,
    PreBind,
    Bind,
    PostBind,
}

/// A plugin.
pub struct Plugin {
    /// Its name upstream.
    pub name: &'static str,
    /// What its scores weigh where nobody says otherwise; 0 if it gives none.
    pub weight: i64,
    /// Where it takes part.
    pub points: &'static [Point],
    /// Sorts of events that may help pods that it rejected.
    pub events: u8,
    /// Looks at the pod (`PreFilter`): `None` if there is nothing to judge for this pod, an error
    /// if no node at all can do.
    pub check: fn(&Cx) -> Result<Option<Box<dyn Check>>, Rejection>,
    /// Whether a change may make schedulable a pod that this plugin rejected.
    pub helps: fn(&Client, &PodInfo, Event) -> bool,
}

impl Plugin {
    /// A plugin that judges no nodes.
    pub const fn silent(name: &'static str, points: &'static [Point]) -> Self {
        Plugin { name, weight: 0, points, events: 0, check: |_| Ok(None), helps: |_, _, _| false }
    }

    /// Whether it takes part somewhere.
    pub fn has(&self, point: Point) -> bool {
        self.points.contains(&point)
    }
}

/// A plugin's view of one pod.
pub trait Check {
    /// The only nodes worth a look, by name, where the plugin knows them beforehand
    /// (`PreFilterResult`).
    fn narrows(&self) -> Option<&BTreeSet<String>> {
        None
    }

    /// Whether the pod may go to the node.
    fn filter(&self, _cx: &Cx, _node: &NodeInfo) -> Result<(), Rejection> {
        Ok(())
    }

    /// Before scores are asked for, once, with the nodes that can take the pod. `false`: this
    /// plugin has nothing to say about them.
    fn prepare_scores(&mut self, _cx: &Cx, _nodes: &[&NodeInfo]) -> bool {
        false
    }

    /// How good the node is, the `i`th of those to be scored.
    fn score(&self, _cx: &Cx, _i: usize, _node: &NodeInfo) -> i64 {
        0
    }

    /// Brings all scores into 0..=100.
    fn normalize(&self, _scores: &mut [i64]) {}

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
