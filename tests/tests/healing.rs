//! What dies is replaced, as Kubernetes would and in Kubernetes' own time.

use std::time::Duration;

use sandbar_core::{
    session::protocol::{Fault, Input},
    view::{PodRow, Row},
};
use sandbar_tests::driver::Driver;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A cluster of so many nodes with a deployment `web` of so many ready pods.
fn cluster(nodes: u32, replicas: u32) -> Driver {
    let mut driver = Driver::new(11);
    for command in [
        format!("minikube start --nodes={nodes}"),
        format!("kubectl create deployment web --image=nginx:1.25 --replicas={replicas}"),
        "kubectl rollout status deployment/web".to_string(),
    ] {
        driver.run(&command, 10 * MINUTE).unwrap_or_else(|error| panic!("{error}"));
    }
    driver
}

fn pods(driver: &Driver) -> Vec<PodRow> {
    let pod = |row: &Row| match row {
        Row::Pod(pod) if pod.name.starts_with("web-") => Some(pod.clone()),
        _ => None,
    };
    let mut pods: Vec<_> = driver.rows.values().filter_map(pod).collect();
    pods.sort_by(|a, b| a.name.cmp(&b.name));
    pods
}

fn node_status(driver: &Driver, name: &str) -> String {
    let status = |row: &Row| match row {
        Row::Node(node) if node.name == name => Some(node.status.clone()),
        _ => None,
    };
    driver.rows.values().find_map(status).unwrap_or_default()
}

#[test]
fn a_killed_container_is_started_again_in_the_same_pod() {
    let mut driver = cluster(1, 1);
    let before = pods(&driver).remove(0);
    let fault = Fault::ContainerKill {
        namespace: "default".into(),
        pod: before.name.clone(),
        container: String::new(),
    };
    driver.input(Input::Fault(fault));
    // The kubelet hears of it within its relist period of a second; the first restart is at once.
    let back = driver.until(SECOND / 10, 10 * SECOND, |d| {
        pods(d).iter().any(|p| p.restarts == 1 && p.ready == (1, 1))
    });
    assert!(back, "{:?}", pods(&driver));
    let after = pods(&driver).remove(0);
    assert_eq!((after.name, after.ip), (before.name, before.ip));
}

#[test]
fn a_container_that_is_killed_again_and_again_waits_longer_each_time() {
    let mut driver = cluster(1, 1);
    let name = pods(&driver).remove(0).name;
    let mut waits = Vec::new();
    for restarts in 1..=4 {
        let fault = Fault::ContainerKill {
            namespace: "default".into(),
            pod: name.clone(),
            container: String::new(),
        };
        driver.input(Input::Fault(fault));
        let start = driver.session.now();
        let back = driver.until(SECOND, 10 * MINUTE, |d| {
            pods(d).iter().any(|p| p.restarts == restarts && p.ready == (1, 1))
        });
        assert!(back, "restart {restarts}: {:?}", pods(&driver));
        waits.push(driver.session.now().since(start).as_secs());
    }
    // At once, then the kubelet's back-off: 10, 20, 40 seconds (less what has passed since the last start).
    assert!(waits[0] <= 4, "{waits:?}");
    for (wait, back_off) in waits[1..].iter().zip([10, 20, 40]) {
        assert!((back_off - 5..=back_off + 5).contains(wait), "{waits:?}");
    }
}

#[test]
fn a_deleted_pod_is_replaced_by_another() {
    let mut driver = cluster(1, 2);
    let gone = pods(&driver).remove(0).name;
    driver.run(&format!("kubectl delete pod {gone}"), 2 * MINUTE).unwrap();
    let healed = driver.until(SECOND, MINUTE, |d| {
        let pods = pods(d);
        pods.len() == 2 && pods.iter().all(|p| p.name != gone && p.ready == (1, 1))
    });
    assert!(healed, "{:?}", pods(&driver));
}

#[test]
fn a_node_whose_kubelet_dies_is_noticed_and_its_pods_are_replaced_elsewhere() {
    let mut driver = cluster(3, 4);
    let node = "minikube-m02";
    assert!(pods(&driver).iter().any(|p| p.node == node), "no pod on {node}: {:?}", pods(&driver));
    driver.input(Input::Fault(Fault::KubeletStop { node: node.into() }));
    let stopped = driver.session.now();
    let noticed =
        driver.until(SECOND, 3 * MINUTE, |d| node_status(d, node).starts_with("NotReady"));
    assert!(noticed, "{}", node_status(&driver, node));
    // node-monitor-grace-period is 50 s since the last heartbeat, which is up to 10 s old; the
    // controller looks every 5 s.
    let after = driver.session.now().since(stopped).as_secs();
    assert!((38..=60).contains(&after), "NotReady after {after} s");
    // tolerationSeconds of the default tolerations: 300.
    let replaced = driver.until(SECOND, 10 * MINUTE, |d| {
        pods(d).iter().filter(|p| p.node != node && p.ready == (1, 1)).count() == 4
    });
    assert!(replaced, "{:?}", pods(&driver));
    let after = driver.session.now().since(stopped).as_secs();
    assert!((335..=380).contains(&after), "replaced after {after} s");
    assert!(pods(&driver).iter().any(|p| p.node == node && p.status == "Terminating"));
    // Back on, it finishes what it was told meanwhile.
    driver.input(Input::Fault(Fault::KubeletStart { node: node.into() }));
    let clean =
        driver.until(SECOND, 3 * MINUTE, |d| node_status(d, node) == "Ready" && pods(d).len() == 4);
    assert!(clean, "{}: {:?}", node_status(&driver, node), pods(&driver));
}
