//! Answers to "why is that so?" and "what led to it?", as plain data.

use serde::{Deserialize, Serialize};

/// Why an object is as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Why {
    /// `pod/web-1`.
    pub object: String,
    /// Empty for cluster-scoped kinds.
    pub namespace: String,
    /// One sentence.
    pub summary: String,
    /// Who wants it, nearest first: `replicaset/web-5d9`.
    pub owners: Vec<String>,
    /// What holds it back, the most telling first.
    pub reasons: Vec<Reason>,
    /// What the scheduler decided, for pods.
    pub placement: Option<Placement>,
    /// What it decided before, oldest first, without what became of each node.
    pub earlier: Vec<Placement>,
    /// The latest warnings about it and what it owns, oldest first.
    pub warnings: Vec<Warning>,
}

/// One thing that holds an object back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Of what: `container web`, `pod/web-1`, `condition Available`.
    pub about: String,
    /// In one word, as Kubernetes says it: `ImagePullBackOff`.
    pub reason: String,
    /// In a sentence; may be empty.
    pub message: String,
}

/// The scheduler's last look at a pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Placement {
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// The scheduler's name.
    pub scheduler: String,
    /// Which attempt it was, from 1.
    pub attempt: u32,
    /// The node it chose; empty if none fits.
    pub node: String,
    /// How many nodes there were, how many of them it looked at, and how many of those fit.
    pub counts: (usize, usize, usize),
    /// The plugin that refused before any node was looked at, with its reasons.
    pub refused: Option<(String, Vec<String>)>,
    /// The node on which room is being made; empty if none is.
    pub nominated: String,
    /// The pods that have to go there: `default/web-1`.
    pub victims: Vec<String>,
    /// What it told in the event if none fits.
    pub message: String,
    /// What became of each node (the first fifty), by name.
    pub nodes: Vec<NodeVerdict>,
}

/// What became of a node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeVerdict {
    /// The node.
    pub node: String,
    /// The plugin that ruled it out; empty if none did.
    pub rejected_by: String,
    /// That plugin's reasons.
    pub reasons: Vec<String>,
    /// The sum of its scores, if it was compared with others.
    pub total: Option<i64>,
    /// What each plugin gave.
    pub scores: Vec<Score>,
}

/// What a plugin gave a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// The plugin.
    pub plugin: String,
    /// What it gave, in its own measure.
    pub raw: i64,
    /// The same as 0..=100.
    pub score: i64,
    /// How much that weighs: `score * weight` counts.
    pub weight: i64,
}

/// A warning that a component told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// About what: `replicaset/web-5d9`.
    pub object: String,
    /// When it was told last, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// How often.
    pub count: u32,
    /// In one word.
    pub reason: String,
    /// In a sentence.
    pub message: String,
}

/// What led to an object, and what it led to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// `deployment.apps/web`.
    pub object: String,
    /// Empty for cluster-scoped kinds.
    pub namespace: String,
    /// What it began with, oldest first: commands, requests, components that started.
    pub roots: Vec<Step>,
    /// Whether something that led to it is too long ago to be remembered.
    pub forgotten: bool,
}

/// One thing that happened, and what followed from it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// `command`, `outside`, `write` or `container`; `more` for steps that are only counted.
    pub sort: String,
    /// What happened: a command line, `replicaset/web-5d9 created`.
    pub what: String,
    /// Who did it: a user, a controller, a kubelet; where a command was typed.
    pub by: String,
    /// The revision that a write made, else 0.
    pub revision: u64,
    /// What followed.
    pub then: Vec<Step>,
}
