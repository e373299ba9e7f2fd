//! Claims and the pods that use them, with a scheduler and without kubelets.

use k8s_openapi::api::{
    core::v1::Pod,
    resource::v1::{DeviceClass, ResourceClaim, ResourceClaimTemplate, ResourceSlice},
};
use serde_json::{Value, json};

use crate::{
    api::pods,
    client::{Client, DeleteOptions},
    controllers::{
        self,
        framework::Running,
        testing::{cluster, events, make, node, pass, set_status},
    },
    scheduler::Scheduler,
    sim::Sim,
};

struct World {
    sim: Sim,
    client: Client,
    _running: Vec<Running>,
    _scheduler: Scheduler,
}

/// A node with two devices, a class and a template.
fn world() -> World {
    let (sim, client) = cluster(1);
    node(&client, "n1", "4", "8Gi");
    make::<DeviceClass>(&client, json!({"metadata": {"name": "gpu"}, "spec": {}}));
    make::<ResourceSlice>(
        &client,
        json!({"metadata": {"name": "n1-gpus"}, "spec": {"driver": "gpu.example.com",
            "nodeName": "n1", "pool": {"name": "n1", "generation": 1, "resourceSliceCount": 1},
            "devices": [{"name": "gpu-0"}, {"name": "gpu-1"}]}}),
    );
    let spec = json!({"devices": {"requests":
        [{"name": "gpu", "exactly": {"deviceClassName": "gpu"}}]}});
    make::<ResourceClaimTemplate>(
        &client,
        json!({"metadata": {"name": "one", "namespace": "default"},
            "spec": {"metadata": {"labels": {"a": "b"}}, "spec": spec}}),
    );
    make::<ResourceClaim>(
        &client,
        json!({"metadata": {"name": "shared", "namespace": "default"}, "spec": spec}),
    );
    let names = ["resourceclaim-controller", "garbage-collector-controller"];
    let running = names.iter().filter_map(|name| controllers::start(&client, name)).collect();
    let scheduler = Scheduler::start(&client);
    World { sim, client, _running: running, _scheduler: scheduler }
}

impl World {
    fn pod(&self, name: &str, claim: Value) {
        let pod = json!({"metadata": {"name": name, "namespace": "default"},
            "spec": {"resourceClaims": [claim], "containers": [{"name": "c", "image": "i"}]}});
        make::<Pod>(&self.client, pod);
        pass(&self.sim, 2.0);
    }

    /// `name: devices (users)`, a claim a line.
    fn claims(&self) -> Vec<String> {
        let shown = |claim: &ResourceClaim| {
            let status = claim.status.clone().unwrap_or_default();
            let devices = status.allocation.and_then(|a| a.devices?.results).unwrap_or_default();
            let devices: Vec<_> = devices.into_iter().map(|r| r.device).collect();
            let users = status.reserved_for.unwrap_or_default();
            let users: Vec<_> = users.into_iter().map(|u| u.name).collect();
            let name = claim.metadata.name.clone().unwrap_or_default();
            let name = name.rsplit_once('-').map_or(name.as_str(), |(base, _)| base).to_string();
            let kept = claim.metadata.finalizers.as_ref().is_some_and(|f| !f.is_empty());
            let kept = if kept { " kept" } else { "" };
            format!("{name}: {} ({}){kept}", devices.join(" "), users.join(" "))
        };
        let all = self.client.list::<ResourceClaim>(Some("default"));
        all.iter().map(|c| shown(c)).collect()
    }

    fn node_of(&self, pod: &str) -> String {
        let pod = self.client.get::<Pod>("default", pod).expect("there");
        pods::node_name(&pod).to_string()
    }

    fn delete(&self, pod: &str) {
        let now = DeleteOptions { grace_seconds: Some(0), ..Default::default() };
        self.client.delete::<Pod>("default", pod, &now).expect("deleted");
        pass(&self.sim, 2.0);
    }
}

#[test]
fn a_claim_is_made_from_its_template_and_goes_with_its_pod() {
    let world = world();
    world.pod("a", json!({"name": "gpu", "resourceClaimTemplateName": "one"}));
    assert_eq!(world.claims(), ["a-gpu: gpu-0 (a) kept", "shared:  ()"]);
    assert_eq!(world.node_of("a"), "n1");
    let claim = world.client.list::<ResourceClaim>(Some("default")).remove(0);
    assert_eq!(claim.metadata.labels.as_ref().and_then(|l| l.get("a")).unwrap(), "b");
    assert_eq!(claim.metadata.annotations.as_ref().unwrap()[super::FOR], "gpu");
    world.delete("a");
    assert_eq!(world.claims(), ["shared:  ()"]);
}

#[test]
fn a_claim_of_a_pod_that_ended_goes_though_the_pod_is_kept() {
    let world = world();
    world.pod("a", json!({"name": "gpu", "resourceClaimTemplateName": "one"}));
    let pod = world.client.get::<Pod>("default", "a").unwrap();
    set_status::<Pod>(&world.client, &pod, |p| {
        p.status.get_or_insert_default().phase = Some("Succeeded".into());
    });
    pass(&world.sim, 2.0);
    assert_eq!(world.claims(), ["shared:  ()"]);
}

#[test]
fn a_shared_claim_has_its_devices_until_its_last_user_ends() {
    let world = world();
    world.pod("a", json!({"name": "gpu", "resourceClaimName": "shared"}));
    world.pod("b", json!({"name": "gpu", "resourceClaimName": "shared"}));
    assert_eq!(world.claims(), ["shared: gpu-0 (a b) kept"]);
    world.delete("a");
    assert_eq!(world.claims(), ["shared: gpu-0 (b) kept"]);
    world.client.delete::<ResourceClaim>("default", "shared", &Default::default()).unwrap();
    pass(&world.sim, 2.0);
    assert_eq!(world.claims(), ["shared: gpu-0 (b) kept"]);
    world.delete("b");
    assert_eq!(world.claims(), [""; 0]);
}

#[test]
fn a_pod_waits_for_its_template_and_for_devices() {
    let world = world();
    world.pod("a", json!({"name": "gpu", "resourceClaimTemplateName": "none"}));
    assert_eq!(world.node_of("a"), "");
    let said = events(&world.client, "Pod");
    assert!(
        said.iter().any(|e| e.contains(
            "PodResourceClaim gpu: resource claim template \"none\": \
             resourceclaimtemplate.resource.k8s.io \"none\" not found"
        )),
        "{said:?}"
    );
    for pod in ["b", "c", "d"] {
        world.pod(pod, json!({"name": "gpu", "resourceClaimTemplateName": "one"}));
    }
    assert_eq!(world.node_of("d"), "");
    let said = events(&world.client, "Pod");
    let want = "0/1 nodes are available: 1 cannot allocate all claims. still not schedulable, \
                preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
    assert!(said.iter().any(|e| e.contains(want)), "{said:?}");
    world.delete("b");
    assert_eq!(world.node_of("d"), "n1");
}

#[test]
fn long_names_are_shortened_alike() {
    let name = super::base(&"p".repeat(60), &"c".repeat(20));
    assert_eq!(name, format!("{}-{}", "p".repeat(41), "c".repeat(13)));
    assert_eq!(super::base("pod", "gpu"), "pod-gpu-");
}
