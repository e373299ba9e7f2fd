//! The controllers of kube-controller-manager: each makes one promise of the API true.
//!
//! One file or folder each, one line in [`CONTROLLERS`]. They know the API's objects and nothing
//! else: no kubelet, no network, no command.
//!
//! Models `cmd/kube-controller-manager` and `pkg/controller`.

mod bootstrap;
mod certificates;
mod cluster_authentication;
mod cluster_role_aggregation;
mod cronjob;
mod daemonset;
mod deployment;
mod device_taint_eviction;
mod disruption;
pub mod endpoint_slices;
mod endpoints;
pub mod framework;
mod garbage;
pub mod history;
mod hpa;
mod job;
mod namespaces;
mod node_ipam;
mod node_lifecycle;
pub mod owners;
mod pod_gc;
mod replicaset;
mod resource_claims;
mod resource_quota;
pub mod root_ca;
mod service_account_tokens;
mod service_accounts;
mod service_cidrs;
pub mod services;
mod statefulset;
mod taint_eviction;
#[cfg(test)]
pub(crate) mod testing;
mod ttl;
mod ttl_after_finished;
mod volumes;

use crate::{api::pods, client::Client};
use framework::{Controller, Running};
pub use volumes::expand::wants_more;

type Make = fn(&Client) -> Box<dyn Controller>;

/// One line a controller, sorted by name.
const CONTROLLERS: &[(&str, Make)] = &[
    ("bootstrap-signer-controller", bootstrap::signer),
    ("certificatesigningrequest-approving-controller", certificates::approver::make),
    ("certificatesigningrequest-cleaner-controller", certificates::cleaner),
    ("certificatesigningrequest-signing-controller", certificates::signer),
    ("cluster-authentication-trust-controller", cluster_authentication::make),
    ("clusterrole-aggregation-controller", cluster_role_aggregation::make),
    ("cronjob-controller", cronjob::make),
    ("daemonset-controller", daemonset::make),
    ("deployment-controller", deployment::make),
    ("device-taint-eviction-controller", device_taint_eviction::make),
    ("disruption-controller", disruption::make),
    ("endpoints-controller", endpoints::make),
    ("endpointslice-controller", endpoint_slices::make),
    ("endpointslice-mirroring-controller", endpoint_slices::mirror::make),
    ("ephemeral-volume-controller", volumes::ephemeral::make),
    ("garbage-collector-controller", garbage::make),
    ("horizontal-pod-autoscaler-controller", hpa::make),
    ("job-controller", job::make),
    ("namespace-controller", namespaces::make),
    ("node-ipam-controller", node_ipam::make),
    ("node-lifecycle-controller", node_lifecycle::make),
    ("persistentvolume-attach-detach-controller", volumes::attach::make),
    ("persistentvolume-binder-controller", volumes::make),
    ("persistentvolume-expander-controller", volumes::expand::make),
    ("persistentvolume-protection-controller", volumes::protection::make_volumes),
    ("persistentvolumeclaim-protection-controller", volumes::protection::make_claims),
    ("pod-garbage-collector-controller", pod_gc::make),
    ("replicaset-controller", replicaset::make),
    ("replicationcontroller-controller", replicaset::make_older),
    ("resourceclaim-controller", resource_claims::make),
    ("resourcequota-controller", resource_quota::make),
    ("root-ca-certificate-publisher-controller", root_ca::make),
    ("service-cidr-controller", service_cidrs::make),
    ("serviceaccount-controller", service_accounts::make),
    ("serviceaccount-token-controller", service_account_tokens::make),
    ("statefulset-controller", statefulset::make),
    ("taint-eviction-controller", taint_eviction::make),
    ("token-cleaner-controller", bootstrap::cleaner),
    ("ttl-after-finished-controller", ttl_after_finished::make),
    ("ttl-controller", ttl::make),
    ("volumeattributesclass-protection-controller", volumes::classes::make),
];

/// The controllers' names, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    CONTROLLERS.iter().map(|(name, _)| *name)
}

/// Starts one controller; `None` if there is none of that name.
pub fn start(client: &Client, name: &str) -> Option<Running> {
    let (name, make) = CONTROLLERS.iter().find(|(own, _)| *own == name)?;
    Some(framework::start(client, make(&client.acting_as(name))))
}

/// All controllers at work; they stop when this is dropped.
pub struct Manager {
    _at_work: std::rc::Rc<()>,
    _running: Vec<Running>,
}

impl Manager {
    /// Starts every controller. `client` acts for `system:kube-controller-manager`.
    pub fn start(client: &Client) -> Self {
        let running = names().filter_map(|name| start(client, name)).collect();
        Manager { _running: running, _at_work: client.announce("controller-manager") }
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

    /// A Deployment of `n` pods behind a service, started from nothing: steps until all are ready.
    fn start(n: i32) -> (u64, Client) {
        use k8s_openapi::api::{apps::v1::Deployment, core::v1::Service};
        use serde_json::json;
        let (sim, client) = testing::cluster(n as u64);
        for i in 0..10 {
            testing::node(&client, &format!("n{i}"), "64", "256Gi");
        }
        let _manager = Manager::start(&client);
        let _scheduler = crate::scheduler::Scheduler::start(&client);
        let _kubelets = testing::kubelets(&client, Some(std::time::Duration::from_secs(2)));
        testing::make::<Service>(
            &client,
            json!({"metadata": {"name": "web", "namespace": "default"},
                "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}),
        );
        testing::make::<Deployment>(
            &client,
            json!({"metadata": {"name": "web", "namespace": "default"},
                "spec": {"replicas": n, "selector": {"matchLabels": {"app": "web"}},
                    "template": {"metadata": {"labels": {"app": "web"}},
                        "spec": {"containers": [{"name": "c", "image": "i"}]}}}}),
        );
        testing::pass(&sim, 10.0);
        let d = client.get::<Deployment>("default", "web").unwrap();
        assert_eq!(d.status.as_ref().unwrap().available_replicas, Some(n));
        (sim.steps(), client)
    }

    #[test]
    fn all_together_start_pods_at_a_cost_that_grows_linearly() {
        let (few, _) = start(100);
        let (many, client) = start(1000);
        assert!(many < few * 11, "{few} steps for 100 pods, {many} for 1000");
        let writes = client.revision();
        assert!(writes < 7 * 1000, "{writes} writes");
    }
}
