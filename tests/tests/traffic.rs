//! Traffic through a NodePort while the cluster changes under it: no request may fail.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use sandbar_core::{
    fabric::{
        Endpoint,
        http::{HttpOptions, http_get},
    },
    session::protocol::{Fault, Input},
    sim::Time,
    view::Row,
};
use sandbar_tests::driver::Driver;

const LIMIT: Duration = Duration::from_secs(600);

#[derive(Default)]
struct Counts {
    by: BTreeMap<String, u64>,
    /// When, and why not.
    failed: Vec<(Time, String)>,
    done: u64,
}

struct Cluster {
    driver: Driver,
    url: String,
    counts: Rc<RefCell<Counts>>,
}

impl Cluster {
    /// A cluster with a deployment of three replicas behind a NodePort.
    fn new(seed: u64, image: &str, port: u16) -> Self {
        let (driver, counts) = (Driver::new(seed), Rc::default());
        let mut c = Cluster { driver, url: String::new(), counts };
        c.run("minikube start");
        c.run(&format!("kubectl create deployment web --image={image} --replicas=3"));
        c.run("kubectl rollout status deployment/web --timeout=300s");
        c.run(&format!("kubectl expose deployment web --type=NodePort --port={port}"));
        let printed = c.run("minikube service web --url");
        let url = printed.lines().find_map(|l| Some(l[l.find("http://")?..].trim().to_string()));
        c.url = url.expect("a service has an address");
        c.pass(2_000);
        c
    }

    fn run(&mut self, command: &str) -> String {
        self.driver.run(command, LIMIT).unwrap_or_else(|error| panic!("{error}"))
    }

    fn pass(&mut self, millis: u64) {
        self.driver.pass(Duration::from_millis(millis));
    }

    /// Sends `requests` from the learner's host, one every `every`, answered or not.
    fn load(&mut self, requests: u64, every: Duration) {
        let host = self.driver.session.host();
        let (sim, endpoint) = (host.sim().clone(), host.get::<Endpoint>().expect("a network"));
        let (url, counts) = (self.url.clone(), self.counts.clone());
        host.sim().spawn(async move {
            for _ in 0..requests {
                let (url, counts) = (url.clone(), counts.clone());
                let (endpoint, clock) = (endpoint.clone(), sim.clone());
                sim.spawn(async move {
                    let timeout = Some(Duration::from_secs(10));
                    let options = HttpOptions { timeout, ..HttpOptions::default() };
                    let got = http_get(&endpoint, &url, &options).await;
                    let mut counts = counts.borrow_mut();
                    counts.done += 1;
                    match got {
                        Ok(got) if got.response.status == 200 => {
                            *counts.by.entry(got.by.to_string()).or_default() += 1;
                        }
                        Ok(got) => counts.failed.push((clock.now(), got.response.status_line())),
                        Err(error) => counts.failed.push((clock.now(), error.to_string())),
                    }
                });
                sim.sleep(every).await;
            }
        });
    }

    /// Waits for the rest of so many requests; none may have failed.
    fn finish(&mut self, requests: u64, what: &str) {
        let counts = self.counts.clone();
        let second = Duration::from_secs(1);
        assert!(self.driver.until(second, LIMIT, |_| counts.borrow().done == requests));
        let counts = counts.borrow();
        let failed: Vec<_> =
            counts.failed.iter().map(|(at, why)| format!("{:?} {why}", at.as_millis())).collect();
        assert!(failed.is_empty(), "{what}: {} failed\n{failed:#?}", failed.len());
    }
}

#[test]
fn scaling_down_loses_no_request() {
    for (image, port) in [("trimhall/my-example:latest", 3000), ("nginx:1.25", 80)] {
        let mut c = Cluster::new(3, image, port);
        c.load(2_000, Duration::from_millis(20));
        c.pass(2_000);
        assert_eq!(c.counts.borrow().by.len(), 3, "{image}");
        c.run("kubectl scale deployments/web --replicas=1");
        c.finish(2_000, image);
    }
}

#[test]
fn rolling_out_loses_no_request() {
    for seed in 5..8 {
        let mut c = Cluster::new(seed, "vergeops/versioned-nginx:1.0", 80);
        c.load(2_000, Duration::from_millis(10));
        c.pass(1_000);
        c.run("kubectl set image deployment/web versioned-nginx=vergeops/versioned-nginx:2.0");
        c.run("kubectl rollout status deployment/web --timeout=300s");
        c.run("kubectl rollout restart deployment/web");
        c.run("kubectl rollout status deployment/web --timeout=300s");
        c.finish(2_000, &format!("seed {seed}"));
        let page = c.run(&format!("curl -s {}", c.url.clone()));
        assert!(page.contains("Version 2.0"), "{page}");
    }
}

/// Without a readiness probe a pod counts as ready as soon as its process runs; with one, scaling
/// up loses nothing either.
#[test]
fn scaling_up_with_readiness_probes_loses_no_request() {
    let mut c = Cluster::new(3, "trimhall/my-example:latest", 3000);
    let probe = r#"{"httpGet":{"path":"/","port":3000},"periodSeconds":1}"#;
    let containers = format!(r#"[{{"name":"my-example","readinessProbe":{probe}}}]"#);
    let patch = format!(r#"{{"spec":{{"template":{{"spec":{{"containers":{containers}}}}}}}}}"#);
    c.load(2_000, Duration::from_millis(20));
    c.run(&format!("kubectl patch deployment web -p '{patch}'"));
    c.run("kubectl rollout status deployment/web --timeout=300s");
    c.run("kubectl scale deployments/web --replicas=6");
    c.finish(2_000, "scaling up");
    assert!(c.counts.borrow().by.len() > 6);
}

/// A leak makes a pod slow, its liveness probe fails, new connections go elsewhere only because it
/// is not ready, and the restart cures it.
#[test]
fn a_leaking_container_is_restarted_and_well_again() {
    let mut c = Cluster::new(4, "trimhall/my-example:latest", 3000);
    let probe = r#"{"httpGet":{"path":"/","port":3000},"periodSeconds":2}"#;
    let both = format!(r#""livenessProbe":{probe},"readinessProbe":{probe}"#);
    let containers = format!(r#"[{{"name":"my-example",{both}}}]"#);
    let patch = format!(r#"{{"spec":{{"template":{{"spec":{{"containers":{containers}}}}}}}}}"#);
    c.run(&format!("kubectl patch deployment web -p '{patch}'"));
    c.run("kubectl rollout status deployment/web --timeout=300s");
    c.pass(35_000);
    let printed = c.run("kubectl get pods -l app=web -o name | head -n 1");
    let pod = printed.lines().find_map(|l| Some(&l[l.find("pod/web-")? + 4..])).unwrap_or_default();
    let (namespace, pod) = ("default".to_string(), pod.trim().to_string());
    assert!(!pod.is_empty(), "{printed}");
    c.driver.input(Input::Fault(Fault::ContainerLeak { namespace, pod: pod.clone() }));
    c.pass(70_000);
    let row = |c: &Cluster| {
        c.driver.rows.values().find_map(|row| match row {
            Row::Pod(p) if p.name == pod => Some((p.status.clone(), p.ready, p.restarts)),
            _ => None,
        })
    };
    assert_eq!(row(&c), Some(("Running".to_string(), (1, 1), 1)));
    c.load(300, Duration::from_millis(20));
    c.finish(300, "after the restart");
    assert_eq!(c.counts.borrow().by.len(), 3);
}
