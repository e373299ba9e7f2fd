//! The store, driven as the engine drives it.

use super::*;

fn pod(uid: &str, node: &str, status: &str) -> ViewChange {
    ViewChange::Upsert(Row::Pod(PodRow {
        uid: uid.into(),
        name: format!("web-{uid}"),
        namespace: "default".into(),
        node: node.into(),
        owner: "rs".into(),
        status: status.into(),
        ..Default::default()
    }))
}

fn service(routes: &[&str]) -> ViewChange {
    let routes = routes
        .iter()
        .map(|ip| RouteRow { ip: (*ip).into(), port: 80, ..Default::default() })
        .collect();
    ViewChange::Upsert(Row::Service(ServiceRow { uid: "s".into(), routes, ..Default::default() }))
}

#[test]
fn a_pod_moves_to_its_node_and_leaves_no_trace() {
    let mut store = Store::default();
    store.apply(pod("1", "", "Pending"), 0.0);
    assert_eq!(store.on_node("").len(), 1);
    store.apply(pod("1", "n", "Pending"), 5.0);
    assert_eq!((store.on_node("").len(), store.on_node("n").len()), (0, 1));
    let version = store.version("n");
    store.apply(ViewChange::Remove { uid: "1".into() }, 9.0);
    assert!(
        store.on_node("n").is_empty()
            && store.owned_pods("rs").is_empty()
            && store.namespaces.is_empty()
    );
    assert!(store.version("n") > version);
}

#[test]
fn only_what_is_seen_to_change_glows() {
    let mut store = Store::default();
    store.apply(pod("1", "n", "Running"), 0.0);
    store.apply(pod("1", "n", "Running"), 5.0);
    assert_eq!(store.pods["1"].changed, 0.0);
    store.apply(pod("1", "n", "Terminating"), 7.0);
    assert_eq!(store.pods["1"].changed, 7.0);
}

#[test]
fn a_deleted_route_stays_for_a_while() {
    let mut store = Store::default();
    store.apply(service(&["10.0.0.1", "10.0.0.2"]), 0.0);
    store.apply(service(&["10.0.0.2"]), 10.0);
    assert_eq!(store.services["s"].ghosts[0].0.ip, "10.0.0.1");
    assert!(store.bury_ghosts(20.0));
    assert!(!store.bury_ghosts(10.0 + GHOST_MS));
}

#[test]
fn words_name_pods_and_kinds() {
    let mut store = Store::default();
    store.apply(pod("1", "n", "Running"), 0.0);
    let row = WorkloadRow {
        uid: "d".into(),
        resource: "deployments.apps".into(),
        name: "web".into(),
        ..Default::default()
    };
    store.apply(ViewChange::Upsert(Row::Workload(row)), 0.0);
    assert_eq!(store.lookup("web-1").map(|o| o.resource).as_deref(), Some("pods"));
    assert_eq!(
        store.lookup("deployment.apps/web").map(|o| o.resource).as_deref(),
        Some("deployments.apps")
    );
    assert_eq!(store.lookup("web"), None);
}
