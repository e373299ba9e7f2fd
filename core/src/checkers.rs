//! What must hold of a cluster, whatever was done to it: looked at from outside, as a whole.
//!
//! One file a promise, one line in a table. A checker reads objects and engines and says in words
//! what is wrong; it changes nothing and knows no component's insides. [`ALWAYS`] holds at every
//! moment, [`SOON`] but for what is on its way (a check that fails is asked again a little later),
//! [`SETTLED`] once nothing has been done for a while and nothing stands in the way. [`Watch`] sees
//! what can only be seen at the moment it happens.
//!
//! For tests: the random clusters of `tests/tests/chaos.rs`, and every session a test drives.

mod addresses;
mod autoscalers;
mod budgets;
mod containers;
mod cronjobs;
mod devices;
mod endpoints;
mod metadata;
mod namespaces;
mod nodes;
mod ordinals;
mod owners;
mod placement;
mod quotas;
mod replicas;
mod services;
mod volumes;
mod watch;
mod writes;

use crate::{client::Client, runtime::Engine};

pub use watch::Watch;

/// What is looked at.
pub struct Seen<'a> {
    /// A client that may read everything.
    pub client: &'a Client,
    /// The nodes' engines by the node's name; none where containers are not real.
    pub engines: &'a [(String, Engine)],
}

/// A promise: its name, and what looks whether it is kept. The answers are violations in words.
pub type Checker = (&'static str, fn(&Seen) -> Vec<String>);

/// What holds at every moment, sorted by name.
pub const ALWAYS: &[Checker] = &[
    ("a claim has its volume for itself", volumes::check),
    ("a cron job that forbids it has one job at work", cronjobs::check),
    ("a device has one claim", devices::check),
    ("a node is not asked for more than it has", nodes::check),
    ("containers run exactly while the runtime says so", containers::check),
    ("every object is in a namespace that there is", namespaces::check),
    ("every service has its own addresses and ports", services::check),
    ("no two pods have one address", addresses::check),
    ("the store's indexes agree with its objects", store),
];

/// What holds but for news that are on their way, sorted by name.
pub const SOON: &[Checker] = &[
    ("a pod on a node is scheduled", nodes::scheduled),
    ("a volume and its claim point at each other", volumes::pairs),
    ("endpoints are ready pods unless asked", endpoints::check),
];

/// What holds once everything has settled, sorted by name.
pub const SETTLED: &[Checker] = &[
    ("a namespace that goes is gone", namespaces::settled),
    ("autoscalers keep their limits", autoscalers::check),
    ("budgets count what is there", budgets::check),
    ("no object outlives its owner", owners::check),
    ("quotas count what is there", quotas::check),
    ("there are as many pods as are wanted", replicas::check),
    ("volumes go when nobody has them", volumes::settled),
];

/// All violations of these promises, each with the promise it breaks.
pub fn violations(checkers: &[Checker], seen: &Seen) -> Vec<String> {
    let told = |(name, check): &Checker| {
        let name = *name;
        check(seen).into_iter().map(move |text| format!("{name}: {text}")).collect::<Vec<_>>()
    };
    checkers.iter().flat_map(told).collect()
}

fn store(seen: &Seen) -> Vec<String> {
    seen.client.check_store()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controllers::testing;
    use k8s_openapi::api::core::v1::{Pod, Service};
    use serde_json::json;

    fn pod(client: &Client, name: &str, ip: &str) {
        let pod = testing::make::<Pod>(
            client,
            json!({"metadata": {"name": name, "namespace": "default", "labels": {"app": "web"}},
                "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "i"}]}}),
        );
        testing::set_status::<Pod>(client, &pod, |p| {
            let status = p.status.get_or_insert_default();
            status.phase = Some("Running".into());
            status.pod_ip = Some(ip.into());
        });
    }

    /// A checker that never finds anything proves nothing.
    #[test]
    fn checkers_find_what_is_wrong() {
        let (_, client) = testing::cluster(1);
        let seen = Seen { client: &client, engines: &[] };
        for checkers in [ALWAYS, SOON, SETTLED] {
            assert_eq!(violations(checkers, &seen), Vec::<String>::new());
        }
        pod(&client, "a", "10.0.0.1");
        pod(&client, "b", "10.0.0.1");
        let found = violations(ALWAYS, &seen);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("default/a and default/b"), "{found:?}");
        testing::make::<Service>(
            &client,
            json!({"metadata": {"name": "web", "namespace": "default"},
                "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}),
        );
        testing::make::<k8s_openapi::api::discovery::v1::EndpointSlice>(
            &client,
            json!({"metadata": {"name": "web-1", "namespace": "default",
                    "labels": {"kubernetes.io/service-name": "web"}},
                "addressType": "IPv4", "ports": [],
                "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": true},
                    "targetRef": {"kind": "Pod", "name": "a", "namespace": "default"}}]}),
        );
        let found = violations(SOON, &seen);
        assert!(found.iter().any(|t| t.contains("default/a is not ready")), "{found:?}");
        testing::edit::<Pod>(&client, "default", "b", |p| {
            p.metadata.owner_references = Some(vec![
                serde_json::from_value(
                    json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "gone",
                    "uid": "11111111-1111-1111-1111-111111111111", "controller": true}),
                )
                .unwrap(),
            ]);
        });
        let found = violations(SETTLED, &seen);
        assert!(found.iter().any(|t| t.contains("pod default/b")), "{found:?}");
        testing::make::<k8s_openapi::api::apps::v1::ReplicaSet>(
            &client,
            json!({"metadata": {"name": "few", "namespace": "default"},
                "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "few"}},
                    "template": {"metadata": {"labels": {"app": "few"}},
                        "spec": {"containers": [{"name": "c", "image": "i"}]}}}}),
        );
        let found = violations(SETTLED, &seen);
        assert!(found.iter().any(|t| t.contains("few has 0 of 2")), "{found:?}");
    }
}
