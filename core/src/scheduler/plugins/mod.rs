//! The plugins, in the order in which they judge. One file each, one line in [`PLUGINS`].
//!
//! Models `pkg/scheduler/apis/config/v1/default_plugins.go`, with its weights.

mod image_locality;
mod inter_pod_affinity;
mod node_affinity;
mod node_name;
mod node_ports;
mod node_resources_balanced;
mod node_resources_fit;
mod node_unschedulable;
mod pod_topology_spread;
mod taint_toleration;
pub mod volume_binding;

use super::framework::Plugin;

/// In upstream's order: it decides which plugin's reason a node is given.
pub const PLUGINS: &[Plugin] = &[
    node_unschedulable::PLUGIN,
    node_name::PLUGIN,
    taint_toleration::PLUGIN,
    node_affinity::PLUGIN,
    node_ports::PLUGIN,
    node_resources_fit::PLUGIN,
    volume_binding::PLUGIN,
    pod_topology_spread::PLUGIN,
    inter_pod_affinity::PLUGIN,
    node_resources_balanced::PLUGIN,
    image_locality::PLUGIN,
];
