//! The controllers of kube-controller-manager: each makes one promise of the API true.
//!
//! One file or folder each, one line in [`CONTROLLERS`]. They know the API's objects and nothing
//! else: no kubelet, no network, no command.
//!
//! Models `cmd/kube-controller-manager` and `pkg/controller`.

mod cluster_authentication;
mod daemonset;
mod deployment;
pub mod endpoint_slices;
mod endpoints;
pub mod framework;
mod garbage;
pub mod history;
mod namespaces;
mod node_ipam;
mod node_lifecycle;
pub mod owners;
mod pod_gc;
pub mod pods;
mod replicaset;
pub mod root_ca;
mod service_accounts;
pub mod services;
mod taint_eviction;
#[cfg(test)]
pub(crate) mod testing;
mod ttl;

use crate::client::Client;
use framework::{Controller, Running};

type Make = fn(&Client) -> Box<dyn Controller>;

/// One line a controller, sorted by name.
const CONTROLLERS: &[(&str, Make)] = &[
    ("cluster-authentication-trust-controller", cluster_authentication::make),
    ("daemonset-controller", daemonset::make),
    ("deployment-controller", deployment::make),
    ("endpoint-controller", endpoints::make),
    ("endpointslice-controller", endpoint_slices::make),
    ("endpointslicemirroring-controller", endpoint_slices::mirror::make),
    ("garbage-collector-controller", garbage::make),
    ("namespace-controller", namespaces::make),
    ("node-ipam-controller", node_ipam::make),
    ("node-lifecycle-controller", node_lifecycle::make),
    ("pod-garbage-collector-controller", pod_gc::make),
    ("replicaset-controller", replicaset::make),
    ("root-ca-certificate-publisher-controller", root_ca::make),
    ("serviceaccount-controller", service_accounts::make),
    ("taint-eviction-controller", taint_eviction::make),
    ("ttl-controller", ttl::make),
];

/// All controllers at work; they stop when this is dropped.
pub struct Manager {
    _running: Vec<Running>,
}

impl Manager {
    /// Starts every controller. `client` acts for `system:kube-controller-manager`.
    pub fn start(client: &Client) -> Self {
        let running =
            CONTROLLERS.iter().map(|(_, make)| framework::start(client, make(client))).collect();
        Manager { _running: running }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_names_are_the_controllers_own() {
        let (_, client) = testing::cluster(1);
        let names: Vec<_> = CONTROLLERS.iter().map(|(name, _)| *name).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        assert_eq!(names, sorted);
        for (name, make) in CONTROLLERS {
            assert_eq!(make(&client).name(), *name);
        }
    }
}
