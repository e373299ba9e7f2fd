//! A sandbox explains itself: what led to what, and why things are as they are, as plain data.

use std::time::Duration;

use sandbar_core::{
    session::{
        Session,
        protocol::{Fault, Input, ObjectRef, Output},
    },
    view::{Step, Trace, Why},
};
use sandbar_tests::driver::Driver;

const MINUTE: Duration = Duration::from_secs(60);

fn object(resource: &str, name: &str) -> ObjectRef {
    ObjectRef { resource: resource.into(), namespace: "default".into(), name: name.into() }
}

fn trace(driver: &mut Driver, resource: &str, name: &str) -> Trace {
    let object = object(resource, name);
    match driver.ask(Input::Trace { request: 7, object, depth: None, all: false }) {
        Some(Output::Trace { request: 7, answer: Ok(trace) }) => *trace,
        other => panic!("{other:?}"),
    }
}

fn why(driver: &mut Driver, resource: &str, name: &str) -> Result<Why, String> {
    match driver.ask(Input::Why { request: 8, object: object(resource, name) }) {
        Some(Output::Why { request: 8, answer }) => answer.map(|why| *why),
        other => panic!("{other:?}"),
    }
}

/// The steps from a root down to the first that says this.
fn way(steps: &[Step], what: &str) -> Option<Vec<String>> {
    steps.iter().find_map(|step| {
        let own = vec![format!("{} ({})", step.what, step.by)];
        if step.what.contains(what) {
            return Some(own);
        }
        way(&step.then, what).map(|rest| [own, rest].concat())
    })
}

fn start(nodes: u32) -> Driver {
    let mut driver = Driver::new(5);
    driver.run(&format!("minikube start --nodes={nodes}"), 10 * MINUTE).unwrap();
    driver
}

#[test]
fn a_command_is_followed_down_to_its_containers_and_back_after_a_replay() {
    let mut driver = start(1);
    driver.run("kubectl create deployment web --image=nginx:1.25", MINUTE).unwrap();
    driver.run("kubectl rollout status deployment/web", 2 * MINUTE).unwrap();
    let before = trace(&mut driver, "deployments.apps", "web");
    let found = way(&before.roots, "container nginx started").unwrap();
    assert_eq!(found.len(), 6, "{found:#?}");
    assert_eq!(found[0], "kubectl create deployment web --image=nginx:1.25 (pts/1 on sandbar)");
    assert!(found[2].ends_with("created (deployment-controller)"), "{found:#?}");
    assert!(found[4].ends_with("bound to minikube (kube-scheduler)"), "{found:#?}");
    driver.run("kubectl delete deployment web", MINUTE).unwrap();
    driver.pass(MINUTE);
    let gone = trace(&mut driver, "deployments.apps", "web");
    let found = way(&gone.roots, "container nginx removed").unwrap();
    assert_eq!(found[0], "kubectl delete deployment web (pts/1 on sandbar)");
    assert!(found.iter().any(|s| s.ends_with("(garbage-collector-controller)")), "{found:#?}");
    assert!(why(&mut driver, "deployments.apps", "web").unwrap().summary.starts_with("It is gone"));
    assert!(why(&mut driver, "deployments.apps", "other").is_err());
    // The same journal, the same answers.
    let end = driver.session.now();
    let mut again = Driver::new(5);
    again.session = Session::replay(driver.session.journal());
    while !again.session.advance(end, 100_000).reached {}
    again.session.take_outputs();
    assert_eq!(trace(&mut again, "deployments.apps", "web"), gone);
}

#[test]
fn faults_are_causes_and_decisions_are_told_node_by_node() {
    let mut driver = start(2);
    driver.run("kubectl taint node minikube-m02 only=db:NoSchedule", MINUTE).unwrap();
    driver.run("kubectl run web --image=nginx:1.25", MINUTE).unwrap();
    driver.run("kubectl wait --for=condition=Ready pod/web --timeout=60s", 2 * MINUTE).unwrap();
    let told = why(&mut driver, "pods", "web").unwrap();
    let placement = told.placement.unwrap();
    assert_eq!(placement.node, "minikube");
    let tainted = placement.nodes.iter().find(|n| n.node == "minikube-m02").unwrap();
    assert_eq!(tainted.rejected_by, "TaintToleration");
    driver.input(Input::Fault(Fault::ContainerKill {
        namespace: "default".into(),
        pod: "web".into(),
        container: String::new(),
    }));
    driver.pass(Duration::from_secs(10));
    let story = trace(&mut driver, "pods", "web");
    let fault = story.roots.iter().find(|root| root.sort == "outside").unwrap();
    assert_eq!(fault.what, "fault: a container of pod/web is killed");
    let found = way(&fault.then, "container web started").unwrap();
    assert_eq!(found[0], "container web exited with code 137 (on minikube)");
}

#[test]
fn tab_offers_questions_kinds_and_names() {
    let mut driver = start(1);
    driver.run("kubectl create deployment webshop --image=nginx:1.25", MINUTE).unwrap();
    for (typed, want) in [
        ("sandbar tr\t", "sandbar trace "),
        ("sandbar why deploym\t", "sandbar why deployments.apps "),
        ("sandbar why deploy/web\t", "sandbar why deploy/webshop "),
        ("sandbar trace deploy webs\t", "sandbar trace deploy webshop "),
    ] {
        let before = driver.printed.len();
        driver.keys(typed);
        driver.pass(Duration::from_secs(1));
        let shown = driver.printed[before..].replace("\u{1b}[J", "");
        assert!(shown.contains(want), "{typed:?}: {shown:?}");
        driver.keys("\u{3}");
        driver.pass(Duration::from_secs(1));
    }
}
