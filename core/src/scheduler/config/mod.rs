//! How a scheduler is set up: its profiles, which plugins each uses where, and what those are told.
//!
//! [`read`] makes it from a `KubeSchedulerConfiguration`.
//!
//! Models `pkg/scheduler/apis/config` and its defaults.

mod args;
mod plugins;
mod read;
#[cfg(test)]
mod tests;

use std::{rc::Rc, time::Duration};

use k8s_openapi::api::core::v1::{NodeAffinity, TopologySpreadConstraint};

use super::{
    framework::Point,
    plugins::{PLUGINS, place_of},
};
pub use read::read;

/// The scheduler that pods get unless they name another.
pub const DEFAULT: &str = "default-scheduler";

/// A scheduler's set-up.
#[derive(Clone, Debug)]
pub struct Config {
    /// One for each `schedulerName` it serves.
    pub profiles: Vec<Profile>,
    /// First wait after a failure; it doubles with each.
    pub initial_backoff: Duration,
    /// Longest wait after a failure.
    pub max_backoff: Duration,
    /// How many leaders there may be: whether it has to win a lease first.
    pub leader_election: LeaderElection,
}

/// Whether and over which lease schedulers elect who works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderElection {
    /// Whether at all.
    pub elect: bool,
    /// The lease's namespace.
    pub namespace: String,
    /// The lease's name.
    pub name: String,
    /// How long a lease holds.
    pub lease: Duration,
    /// How long its holder tries to renew it.
    pub renew: Duration,
    /// Time between attempts.
    pub retry: Duration,
}

impl Default for LeaderElection {
    fn default() -> Self {
        LeaderElection {
            elect: true,
            namespace: "kube-system".into(),
            name: "kube-scheduler".into(),
            lease: Duration::from_secs(15),
            renew: Duration::from_secs(10),
            retry: Duration::from_secs(2),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Config {
            profiles: vec![Profile::default()],
            initial_backoff: Duration::from_secs(1),
            max_backoff: Duration::from_secs(10),
            leader_election: LeaderElection::default(),
        }
    }
}

/// How pods with one `schedulerName` are scheduled.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The name.
    pub name: Rc<str>,
    /// Places (in [`PLUGINS`]) of those that filter, in order.
    pub filters: Vec<usize>,
    /// Of those that score, with what their scores weigh.
    pub scores: Vec<(usize, i64)>,
    /// Of those that may do something for a pod that fits nowhere, in order.
    pub post_filters: Vec<usize>,
    /// Of those that may keep a pod from being tried.
    pub gates: Vec<usize>,
    /// Of those that have something to do before a pod is bound.
    pub pre_binds: Vec<usize>,
    /// How many of a large cluster's nodes are looked at, in percent; 0: it depends on their number.
    pub percentage: usize,
    /// What the plugins are told.
    pub args: Args,
}

impl Default for Profile {
    fn default() -> Self {
        let of = |point| (0..PLUGINS.len()).filter(|i| PLUGINS[*i].has(point)).collect::<Vec<_>>();
        Profile {
            name: DEFAULT.into(),
            filters: of(Point::Filter),
            scores: of(Point::Score).into_iter().map(|i| (i, PLUGINS[i].weight)).collect(),
            post_filters: of(Point::PostFilter),
            gates: of(Point::PreEnqueue),
            pre_binds: of(Point::PreBind),
            percentage: 0,
            args: Args::default(),
        }
    }
}

impl Profile {
    /// Whether a plugin is among some.
    pub fn uses(among: &[usize], name: &str) -> bool {
        place_of(name).is_some_and(|place| among.contains(&place))
    }
}

/// What plugins are told.
#[derive(Clone, Debug)]
pub struct Args {
    /// How `NodeResourcesFit` scores.
    pub fit: Scoring,
    /// Extended resources that `NodeResourcesFit` does not look at.
    pub ignored_resources: Vec<String>,
    /// Groups of them (`example.com`).
    pub ignored_groups: Vec<String>,
    /// The resources that `NodeResourcesBalancedAllocation` keeps in balance.
    pub balanced: Vec<String>,
    /// What `NodeAffinity` asks for every pod.
    pub added_affinity: Option<NodeAffinity>,
    /// `PodTopologySpread`: constraints of pods that have none; `None`: the system's.
    pub spread: Option<Vec<TopologySpreadConstraint>>,
    /// `InterPodAffinity`: what the need of pods on nodes for such a pod weighs.
    pub hard_affinity_weight: i64,
    /// `InterPodAffinity`: whether what pods on nodes would like does not count.
    pub ignore_preferences_of_others: bool,
    /// `DefaultPreemption`: how many nodes are tried at least, in percent of those that might do.
    pub candidates_percent: usize,
    /// The same as a number.
    pub candidates: usize,
    /// `VolumeBinding`: how long a pod waits for its volumes.
    pub bind_timeout: Duration,
}

impl Default for Args {
    fn default() -> Self {
        Args {
            fit: Scoring::default(),
            ignored_resources: Vec::new(),
            ignored_groups: Vec::new(),
            balanced: vec!["cpu".into(), "memory".into()],
            added_affinity: None,
            spread: None,
            hard_affinity_weight: 1,
            ignore_preferences_of_others: false,
            candidates_percent: 10,
            candidates: 100,
            bind_timeout: Duration::from_secs(600),
        }
    }
}

/// What makes a node good, by how much of it is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// The emptier the better.
    Least,
    /// The fuller the better.
    Most,
    /// By points (percentage in use, score from 0 to 100) and straight lines between them.
    Ratio(Vec<(i64, i64)>),
}

/// A strategy and what it looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scoring {
    /// The strategy.
    pub strategy: Strategy,
    /// Resources and what each weighs.
    pub resources: Vec<(String, i64)>,
}

impl Default for Scoring {
    fn default() -> Self {
        Scoring {
            strategy: Strategy::Least,
            resources: vec![("cpu".into(), 1), ("memory".into(), 1)],
        }
    }
}
