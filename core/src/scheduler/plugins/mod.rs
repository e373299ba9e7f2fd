//! The plugins, in the order in which they judge. One file each, one line in [`PLUGINS`].
//!
//! Models `pkg/scheduler/apis/config/v1/default_plugins.go`, with its weights.

pub mod dynamic_resources;
mod image_locality;
mod inter_pod_affinity;
mod node_affinity;
mod node_name;
mod node_ports;
mod node_resources_balanced;
mod node_resources_fit;
mod node_unschedulable;
mod node_volume_limits;
mod pod_topology_spread;
mod taint_toleration;
pub mod volume_binding;
mod volume_restrictions;
mod volume_zone;

use super::framework::{Plugin, Point};

/// The plugin that keeps pods with scheduling gates back.
pub const GATES: &str = "SchedulingGates";
/// The plugin that makes room for more important pods.
pub const PREEMPTION: &str = "DefaultPreemption";
/// The plugin about claims of devices.
pub const CLAIMS: &str = "DynamicResources";

/// In upstream's order: it decides which plugin's reason a node is given.
pub const PLUGINS: &[Plugin] = &[
    Plugin::silent(GATES, &[Point::PreEnqueue]),
    Plugin::silent("PrioritySort", &[Point::QueueSort]),
    node_unschedulable::PLUGIN,
    node_name::PLUGIN,
    taint_toleration::PLUGIN,
    node_affinity::PLUGIN,
    node_ports::PLUGIN,
    node_resources_fit::PLUGIN,
    volume_restrictions::PLUGIN,
    node_volume_limits::PLUGIN,
    volume_binding::PLUGIN,
    volume_zone::PLUGIN,
    pod_topology_spread::PLUGIN,
    inter_pod_affinity::PLUGIN,
    dynamic_resources::PLUGIN,
    Plugin::silent(PREEMPTION, &[Point::PreEnqueue, Point::PostFilter]),
    node_resources_balanced::PLUGIN,
    image_locality::PLUGIN,
    Plugin::silent("DefaultBinder", &[Point::Bind]),
];

/// A plugin's place in [`PLUGINS`].
pub fn place_of(name: &str) -> Option<usize> {
    PLUGINS.iter().position(|p| p.name == name)
}

pub use dynamic_resources::missing_claim;
