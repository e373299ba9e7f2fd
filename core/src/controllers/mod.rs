//! The controllers of kube-controller-manager: each makes one promise of the API true.
//!
//! One file or folder each, one line in [`CONTROLLERS`]. They know the API's objects and nothing
//! else: no kubelet, no network, no command.
//!
//! Models `cmd/kube-controller-manager` and `pkg/controller`.

mod deployment;
pub mod endpoint_slices;
mod endpoints;
pub mod framework;
pub mod owners;
pub mod pods;
mod replicaset;
pub mod services;
#[cfg(test)]
pub(crate) mod testing;

use crate::client::Client;
use framework::{Controller, Running};

type Make = fn(&Client) -> Box<dyn Controller>;

/// One line a controller, sorted by name.
const CONTROLLERS: &[(&str, Make)] =
    &[("deployment-controller", deployment::make), ("replicaset-controller", replicaset::make)];

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
