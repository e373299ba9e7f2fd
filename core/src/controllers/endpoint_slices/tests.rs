//! Endpoints and slices in virtual time.

use expect_test::{Expect, expect};
use k8s_openapi::api::core::v1::Endpoints;
use serde_json::{Value, json};

use super::*;
use crate::{
    client::DeleteOptions,
    controllers::{
        endpoints,
        framework::{self, Running},
        testing::{cluster, edit, make as create, pass, set_status},
    },
    sim::Sim,
};

struct World {
    sim: Sim,
    client: Client,
    _parts: [Running; 3],
}

fn world() -> World {
    let (sim, client) = cluster(1);
    let parts = [
        framework::start(&client, super::make(&client)),
        framework::start(&client, mirror::make(&client)),
        framework::start(&client, endpoints::make(&client)),
    ];
    World { sim, client, _parts: parts }
}

impl World {
    fn pod(&self, n: usize, ready: bool) {
        let pod = json!({
            "metadata": {"name": format!("p{n}"), "namespace": "default", "labels": {"app": "web"}},
            "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "i",
                "ports": [{"name": "http", "containerPort": 8080}]}]},
        });
        let pod = create::<Pod>(&self.client, pod);
        self.state(&pod, n, ready);
    }

    fn state(&self, pod: &Pod, n: usize, ready: bool) {
        set_status::<Pod>(&self.client, pod, |p| {
            let status = json!({"phase": "Running", "podIP": format!("10.0.{}.{}", n / 200, n % 200),
                "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}]});
            p.status = crate::api::object::from_value(status).unwrap();
        });
    }

    fn service(&self, extra: Value) {
        let service = json!({
            "metadata": {"name": "web", "namespace": "default", "labels": {"a": "b"}},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]},
        });
        create::<Service>(&self.client, crate::api::patch::merge(service, extra));
    }

    /// Slices, their endpoints and the addresses of the Endpoints.
    fn shows(&self, want: Expect) {
        let mut text = String::new();
        for slice in self.client.list::<EndpointSlice>(None) {
            let port = slice.ports.iter().flatten().map(|p| p.port.unwrap_or(0));
            text += &format!("slice {:?}\n", port.collect::<Vec<_>>());
            for e in slice.endpoints.iter().flatten() {
                let c = e.conditions.clone().unwrap_or_default();
                let say = |word: &str, c: Option<bool>| {
                    if c == Some(true) { format!(" {word}") } else { String::new() }
                };
                text += &format!(
                    "  {}{}{}{}\n",
                    e.addresses.join(","),
                    say("ready", c.ready),
                    say("serving", c.serving),
                    say("terminating", c.terminating)
                );
            }
        }
        for endpoints in self.client.list::<Endpoints>(None) {
            for s in endpoints.subsets.iter().flatten() {
                let list = |a: &Option<Vec<k8s_openapi::api::core::v1::EndpointAddress>>| {
                    a.iter().flatten().map(|a| a.ip.clone()).collect::<Vec<_>>().join(",")
                };
                let port = s.ports.iter().flatten().map(|p| p.port).collect::<Vec<_>>();
                text += &format!(
                    "endpoints {port:?} {} waiting {}\n",
                    list(&s.addresses),
                    list(&s.not_ready_addresses)
                );
            }
        }
        want.assert_eq(&text);
    }
}

#[test]
fn readiness_and_termination_are_told() {
    let w = world();
    w.service(json!({}));
    pass(&w.sim, 1.0);
    w.shows(expect![[r#"
        slice []
    "#]]);
    let name = w.client.list::<EndpointSlice>(None)[0].metadata.name.clone().unwrap();
    assert!(name.starts_with("web-") && name.len() == 9, "{name}");
    for n in [1, 2, 3] {
        w.pod(n, n != 2);
    }
    pass(&w.sim, 1.0);
    w.client.delete::<Pod>("default", "p3", &DeleteOptions::default()).unwrap();
    pass(&w.sim, 1.0);
    w.shows(expect![[r#"
        slice [8080]
          10.0.0.1 ready serving
          10.0.0.2
          10.0.0.3 serving terminating
        endpoints [8080] 10.0.0.1 waiting 10.0.0.2
    "#]]);
    let slice = &w.client.list::<EndpointSlice>(None)[0];
    let labels = slice.metadata.labels.clone().unwrap();
    assert_eq!((labels["a"].as_str(), labels[SERVICE_NAME].as_str()), ("b", "web"));
    edit::<Service>(&w.client, "default", "web", |s| {
        s.spec.get_or_insert_default().publish_not_ready_addresses = Some(true);
    });
    pass(&w.sim, 1.0);
    w.shows(expect![[r#"
        slice [8080]
          10.0.0.1 ready serving
          10.0.0.2 ready
          10.0.0.3 ready serving terminating
        endpoints [8080] 10.0.0.1,10.0.0.2,10.0.0.3 waiting 
    "#]]);
    w.client.delete::<Service>("default", "web", &DeleteOptions::default()).unwrap();
    pass(&w.sim, 1.0);
    assert_eq!(w.client.count::<Endpoints>(), 0);
}

#[test]
fn hand_made_endpoints_are_mirrored() {
    let w = world();
    w.service(json!({"spec": {"selector": null, "clusterIP": "None"}}));
    create::<Endpoints>(
        &w.client,
        json!({"metadata": {"name": "web", "namespace": "default"},
            "subsets": [{"addresses": [{"ip": "1.2.3.4"}], "ports": [{"port": 9}]}]}),
    );
    pass(&w.sim, 1.0);
    w.shows(expect![[r#"
        slice [9]
          1.2.3.4 ready
        endpoints [9] 1.2.3.4 waiting 
    "#]]);
    w.client.delete::<Endpoints>("default", "web", &DeleteOptions::default()).unwrap();
    pass(&w.sim, 1.0);
    assert_eq!(w.client.count::<EndpointSlice>(), 0);
}

#[test]
fn many_pods_fill_slices_of_a_hundred_and_one_change_rewrites_one_slice() {
    let w = world();
    w.service(json!({}));
    pass(&w.sim, 1.0);
    for n in 0..1050 {
        w.pod(n, true);
    }
    pass(&w.sim, 5.0);
    let slices = w.client.list::<EndpointSlice>(None);
    let mut sizes: Vec<_> =
        slices.iter().map(|s| s.endpoints.as_ref().map_or(0, Vec::len)).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [50, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100]);
    let endpoints = w.client.get::<Endpoints>("default", "web").unwrap();
    assert!(endpoints.metadata.annotations.as_ref().unwrap().values().any(|v| v == "truncated"));
    let pod = w.client.get::<Pod>("default", "p7").unwrap();
    w.state(&pod, 7, false);
    pass(&w.sim, 1.0);
    let after = w.client.list::<EndpointSlice>(None);
    let rewritten = slices.iter().zip(&after).filter(|(a, b)| !Rc::ptr_eq(a, b)).count();
    assert_eq!(rewritten, 1);
}

#[test]
fn a_thousand_changes_at_different_instants_are_written_at_a_real_clients_rate() {
    let w = world();
    w.service(json!({}));
    for n in 0..300 {
        w.pod(n, false);
    }
    pass(&w.sim, 5.0);
    let before = w.client.revision();
    for n in 0..300 {
        let pod = w.client.get::<Pod>("default", &format!("p{n}")).unwrap();
        w.state(&pod, n, true);
        pass(&w.sim, 0.01);
    }
    pass(&w.sim, 1.0);
    // Over 3 seconds: 300 pods' own writes, and about 90 each of slices and Endpoints.
    let writes = w.client.revision() - before;
    assert!((400..560).contains(&writes), "{writes}");
    let slice = &w.client.list::<EndpointSlice>(None)[0];
    let ready = |e: &Endpoint| e.conditions.as_ref().and_then(|c| c.ready) == Some(true);
    assert!(slice.endpoints.iter().flatten().all(ready));
}
