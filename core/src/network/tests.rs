//! Tests of service rules and names: what clients of a small cluster reach.

use std::{cell::RefCell, collections::BTreeMap, net::SocketAddrV4, rc::Rc, time::Duration};

use k8s_openapi::api::{
    core::v1::{Namespace, Service},
    discovery::v1::EndpointSlice,
};
use serde_json::{Value, json};

use super::{Dns, Proxy, RouteState, Services, Zone};
use crate::{
    api::{Typed, object::from_value},
    apiserver::ApiServer,
    client::{Client, DeleteOptions},
    fabric::{
        Cidr, ConnectError, Endpoint, Fabric,
        dns::{self, Question, RecordData, RecordType},
        http::{self, HttpError, HttpRequest, HttpResponse, Reply, Server, serve},
    },
    sim::{Sim, Time},
};

struct World {
    sim: Sim,
    client: Client,
    laptop: Endpoint,
    nodes: Vec<Endpoint>,
    pods: Vec<(Endpoint, Server)>,
    proxies: Vec<Option<Proxy>>,
}

/// Two nodes on a bridge with the learner's host, and two pods on each, which say their name.
fn world() -> World {
    let sim = Sim::new(1, Time::from_secs(1_000));
    let client = Client::system(&ApiServer::new(&sim), "test");
    let fabric = Fabric::new(&sim);
    let bridge = fabric.network("192.168.49.0/24".parse().unwrap());
    let laptop = fabric.host("laptop");
    laptop.site().join(&bridge, bridge.range().nth(1).unwrap(), false);
    let (mut nodes, mut pods, mut proxies) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..2 {
        let node = fabric.host(&format!("node-{n}"));
        node.site().join(&bridge, bridge.range().nth(2 + n).unwrap(), true);
        let range: Cidr = format!("10.244.{n}.0/24").parse().unwrap();
        node.site().add_subnet(range);
        bridge.add_route(range, node.site());
        for p in 2..4 {
            let pod = fabric.pod(node.site(), &format!("pod-{n}-{p}"), range.nth(p).unwrap());
            let server = answer_name(&sim, &pod, 8080);
            pods.push((pod, server));
        }
        proxies.push(Some(Proxy::start(&client, &node, &format!("node-{n}"))));
        nodes.push(node);
    }
    for namespace in ["default", "other"] {
        let _ = client
            .create(from_value::<Namespace>(json!({"metadata": {"name": namespace}})).unwrap());
    }
    World { sim, client, laptop, nodes, pods, proxies }
}

fn answer_name(sim: &Sim, pod: &Endpoint, port: u16) -> Server {
    let name = pod.name();
    let response = Rc::new(HttpResponse::new(200, "text/plain", name.as_bytes().to_vec()));
    let spawner = sim.clone();
    let reply = Duration::from_millis(1);
    serve(
        pod.listen(port).unwrap(),
        Rc::new(move |f| spawner.spawn(f)),
        Rc::new(move |_, _| Reply::Now(response.clone(), reply)),
    )
}

fn service(extra: Value) -> Service {
    let mut spec = json!({
        "clusterIP": "10.96.0.50", "clusterIPs": ["10.96.0.50"], "type": "NodePort",
        "selector": {"app": "web"}, "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
        "ports": [{"port": 80, "targetPort": 8080, "nodePort": 30080, "protocol": "TCP"}],
    });
    for (key, value) in extra.as_object().unwrap() {
        spec[key] = value.clone();
    }
    let meta = json!({"name": "web", "namespace": "default"});
    from_value(json!({"metadata": meta, "spec": spec})).unwrap()
}

/// A slice of endpoints `(address, node, ready, terminating)`.
fn slice(endpoints: &[(&str, usize, bool, bool)]) -> EndpointSlice {
    let endpoints: Vec<Value> = endpoints
        .iter()
        .map(|(address, node, ready, terminating)| {
            json!({
                "addresses": [address], "nodeName": format!("node-{node}"),
                "targetRef": {"kind": "Pod", "name": format!("pod-of-{address}")},
                "conditions": {
                    "ready": *ready && !terminating, "serving": ready, "terminating": terminating
                },
            })
        })
        .collect();
    from_value(json!({
        "metadata": {
            "name": "web-1", "namespace": "default",
            "labels": {"kubernetes.io/service-name": "web"},
        },
        "addressType": "IPv4", "ports": [{"port": 8080, "protocol": "TCP"}],
        "endpoints": endpoints,
    }))
    .unwrap()
}

const ALL: [(&str, usize, bool, bool); 4] = [
    ("10.244.0.2", 0, true, false),
    ("10.244.0.3", 0, true, false),
    ("10.244.1.2", 1, true, false),
    ("10.244.1.3", 1, true, false),
];

impl World {
    fn run<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> T {
        let out = Rc::new(RefCell::new(None));
        let into = out.clone();
        let task = self.sim.spawn(async move {
            let value = future.await;
            *into.borrow_mut() = Some(value);
        });
        while !task.is_finished() {
            let due = self.sim.next_due().expect("nothing will ever happen");
            self.sim.advance(due, 1);
        }
        let got = out.borrow_mut().take();
        got.unwrap()
    }

    fn pass(&self, millis: u64) {
        self.sim.advance(self.sim.now() + Duration::from_millis(millis), 1_000_000);
    }

    fn put(&self, service: Service, slice: EndpointSlice) {
        let _ = self.client.delete::<Service>("default", "web", &DeleteOptions::default());
        let _ = self.client.delete::<EndpointSlice>("default", "web-1", &DeleteOptions::default());
        self.client.create(service).unwrap();
        self.client.create(slice).unwrap();
        self.pass(20);
    }

    fn change(&self, endpoints: &[(&str, usize, bool, bool)]) {
        let mut new = slice(endpoints);
        let old = self.client.get::<EndpointSlice>("default", "web-1").unwrap();
        new.metadata = old.metadata.clone();
        self.client.update(new).unwrap();
        self.pass(20);
    }

    fn get(&self, from: &Endpoint, to: &str) -> Result<String, HttpError> {
        let (from, to): (_, SocketAddrV4) = (from.clone(), to.parse().unwrap());
        let what = Rc::new(HttpRequest::get("web", "/"));
        let got = self.run(async move { http::exchange(&from, to, what).await });
        self.pass(1);
        got.map(|(_, by)| by.to_string())
    }

    /// Who answers how often.
    fn count(&self, from: &Endpoint, to: &str, requests: usize) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for _ in 0..requests {
            *counts.entry(self.get(from, to).unwrap_or_else(|e| e.to_string())).or_insert(0) += 1;
        }
        counts
    }
}

const CLUSTER: &str = "10.96.0.50:80";
const NODE_PORT: &str = "192.168.49.2:30080";

#[test]
fn a_service_spreads_connections_over_its_ready_endpoints() {
    let w = world();
    let (pod, laptop, node) = (&w.pods[3].0, &w.laptop, &w.nodes[1]);
    let timed_out = HttpError::Connect(CLUSTER.parse().unwrap(), ConnectError::TimedOut);
    assert_eq!(w.get(pod, CLUSTER), Err(timed_out.clone()), "no such service yet");
    w.put(service(json!({})), slice(&ALL));
    for (from, to) in [
        (pod, CLUSTER),
        (node, CLUSTER),
        (laptop, NODE_PORT),
        (laptop, "192.168.49.3:30080"),
        (pod, NODE_PORT),
        (node, "127.0.0.1:30080"),
    ] {
        let counts = w.count(from, to, 200);
        assert_eq!(counts.len(), 4, "{} to {to}: {counts:?}", from.name());
        assert!(counts.values().all(|n| (30..70).contains(n)), "{counts:?}");
    }
    assert_eq!(w.get(laptop, CLUSTER), Err(timed_out), "the learner's host has no such rules");
    w.change(&[ALL[0], ("10.244.0.3", 0, false, false), ("10.244.1.2", 1, true, true)]);
    assert_eq!(w.count(laptop, NODE_PORT, 20), [("pod-0-2".to_string(), 20)].into());
    // Where none is ready, those that serve while they terminate are asked.
    w.change(&[("10.244.0.3", 0, false, true), ("10.244.1.2", 1, true, true)]);
    assert_eq!(w.count(pod, CLUSTER, 20), [("pod-1-2".to_string(), 20)].into());
    w.change(&[("10.244.0.3", 0, false, false)]);
    assert_eq!(w.count(pod, CLUSTER, 1), [("connection refused".to_string(), 1)].into());
    w.client.delete::<Service>("default", "web", &DeleteOptions::default()).unwrap();
    w.pass(20);
    let refused = HttpError::Connect(NODE_PORT.parse().unwrap(), ConnectError::Refused);
    assert_eq!(w.get(laptop, NODE_PORT), Err(refused));
}

#[test]
fn policies_and_affinity() {
    let w = world();
    let (pod, laptop) = (&w.pods[0].0, &w.laptop);
    let names = |from: &Endpoint, to: &str| w.count(from, to, 40).into_keys().collect::<Vec<_>>();
    w.put(service(json!({"externalTrafficPolicy": "Local"})), slice(&ALL));
    assert_eq!(names(laptop, "192.168.49.3:30080"), ["pod-1-2", "pod-1-3"]);
    assert_eq!(names(pod, CLUSTER).len(), 4);
    assert_eq!(names(pod, NODE_PORT).len(), 4, "from the cluster itself the policy does not count");
    w.change(&ALL[2..]);
    assert_eq!(names(laptop, "192.168.49.3:30080"), ["pod-1-2", "pod-1-3"]);
    assert_eq!(names(laptop, NODE_PORT), ["connection timed out"], "none on that node");
    w.put(service(json!({"internalTrafficPolicy": "Local"})), slice(&ALL));
    assert_eq!(names(pod, CLUSTER), ["pod-0-2", "pod-0-3"]);
    w.put(service(json!({"sessionAffinity": "ClientIP"})), slice(&ALL));
    let first = names(pod, CLUSTER);
    assert_eq!(first.len(), 1);
    let pods: Vec<_> = w.pods.iter().map(|(pod, _)| pod.name().to_string()).collect();
    let others = (0..4).filter(|n| pods[*n] != first[0]).map(|n| ALL[n]).collect::<Vec<_>>();
    w.change(&others);
    let second = names(pod, CLUSTER);
    assert!(second.len() == 1 && second != first, "it is gone: another one from now on");
    w.change(&ALL);
    assert_eq!(names(pod, CLUSTER), second);
    w.pass(10_800_000);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..10 {
        seen.extend(names(pod, CLUSTER));
        w.pass(10_800_000);
    }
    assert!(seen.len() > 1, "after the timeout another one may be chosen: {seen:?}");
}

#[test]
fn a_table_of_routes_counts_what_went_where() {
    let w = world();
    w.put(service(json!({})), slice(&ALL[..2]));
    w.count(&w.laptop, NODE_PORT, 30);
    let services = Services::of(&w.client);
    let to: SocketAddrV4 = NODE_PORT.parse().unwrap();
    let laptop = w.laptop.clone();
    let open = w.run(async move { laptop.connect(to).await.unwrap() });
    w.change(&[("10.244.0.2", 0, true, true), ("10.244.0.3", 0, false, false)]);
    let routes = services.routes("default", "web");
    assert_eq!(routes.iter().map(|r| r.requests).sum::<u64>(), 30);
    assert_eq!(routes.iter().map(|r| r.open).sum::<u32>(), 1);
    let states: Vec<_> = routes.iter().map(|r| (r.to.to_string(), r.state)).collect();
    let want =
        [("10.244.0.2:8080", RouteState::Terminating), ("10.244.0.3:8080", RouteState::NotReady)];
    assert_eq!(states, want.map(|(a, s)| (a.to_string(), s)));
    assert_eq!(&*routes[0].pod, "pod-of-10.244.0.2");
    drop(open);
    assert_eq!(services.routes("default", "none"), []);
}

#[test]
fn rules_outlive_their_proxy_as_a_kernel_s_do() {
    let mut w = world();
    w.put(service(json!({})), slice(&ALL[..1]));
    w.proxies[0] = None;
    w.change(&ALL[1..2]);
    assert_eq!(w.count(&w.laptop, NODE_PORT, 9), [("pod-0-2".to_string(), 9)].into());
    assert_eq!(w.count(&w.laptop, "192.168.49.3:30080", 9), [("pod-0-3".to_string(), 9)].into());
    w.proxies[0] = Some(Proxy::start(&w.client, &w.nodes[0], "node-0"));
    assert_eq!(w.count(&w.laptop, NODE_PORT, 9), [("pod-0-3".to_string(), 9)].into());
}

/// Endpoints go from the slice when their pod begins to go; the process ends 40 ms later, as fast
/// as a runtime can ask it to. No request may notice.
#[test]
fn nothing_fails_while_endpoints_come_and_go() {
    let w = world();
    w.put(service(json!({})), slice(&ALL));
    let failures = Rc::new(RefCell::new((0_u32, Vec::new())));
    let (out, sim, laptop) = (failures.clone(), w.sim.clone(), w.laptop.clone());
    let to: SocketAddrV4 = NODE_PORT.parse().unwrap();
    let load = w.sim.spawn(async move {
        for _ in 0..2_000 {
            let (out, laptop) = (out.clone(), laptop.clone());
            sim.spawn(async move {
                let what = Rc::new(HttpRequest::get("web", "/"));
                let got = http::exchange(&laptop, to, what).await;
                let mut out = out.borrow_mut();
                out.0 += 1;
                out.1.extend(got.err());
            });
            sim.sleep(Duration::from_micros(300)).await;
        }
    });
    let mut servers: Vec<_> =
        w.pods.iter().map(|(pod, s)| (pod.clone(), Some(s.clone()))).collect();
    let mut turn = 0;
    while !load.is_finished() {
        let going = turn % 4;
        let mut endpoints = ALL;
        endpoints[going].3 = true;
        w.change(&endpoints);
        w.pass(20);
        let (server, sim) = (servers[going].1.take().unwrap(), w.sim.clone());
        w.run(async move { server.drain(&sim).await });
        w.pass(5);
        servers[going].1 = Some(answer_name(&w.sim, &servers[going].0, 8080));
        w.change(&ALL);
        turn += 1;
    }
    w.pass(100);
    assert!(turn > 5);
    assert_eq!(*failures.borrow(), (2_000, Vec::new()));
}

#[test]
fn names_of_the_cluster() {
    let w = world();
    w.put(
        service(
            json!({"ports": [{"name": "http", "port": 80, "protocol": "TCP", "nodePort": 30080}]}),
        ),
        slice(&ALL),
    );
    let make = |name: &str, spec: Value| {
        let meta = json!({"name": name, "namespace": "default"});
        let service: Service = from_value(json!({"metadata": meta, "spec": spec})).unwrap();
        w.client.create(service).unwrap();
    };
    make("ext", json!({"type": "ExternalName", "externalName": "web.default.svc.cluster.local"}));
    make(
        "head",
        json!({"clusterIP": "None", "ports": [{"name": "p", "port": 9, "protocol": "TCP"}]}),
    );
    let mut ends = slice(&ALL[..2]);
    ends.metadata.name = Some("head-1".into());
    let labels = ends.metadata.labels.as_mut().unwrap();
    labels.insert("kubernetes.io/service-name".into(), "head".into());
    ends.endpoints.as_mut().unwrap()[0].hostname = Some("db-0".into());
    w.client.create(ends).unwrap();
    let hosts = vec![("host.minikube.internal".to_string(), [192, 168, 49, 1].into())];
    let zone = Zone::new(&w.client, "cluster.local", hosts.clone());
    let ask = |name: &str, record| {
        let answer = zone.answer(&Question { name: name.into(), record });
        let data = answer.records.iter().map(|r| match &r.data {
            RecordData::A(a) => a.to_string(),
            RecordData::Cname(n) | RecordData::Ptr(n) => format!("={n}"),
            RecordData::Srv(_, _, port, n) => format!("{n}:{port}"),
        });
        let mut words = vec![answer.code.text().to_string()];
        words.extend(data);
        words.join(" ")
    };
    use RecordType::*;
    for (name, record, want) in [
        ("web.default.svc.cluster.local", A, "NOERROR 10.96.0.50"),
        ("WEB.default.svc.cluster.local.", A, "NOERROR 10.96.0.50"),
        ("web.default.svc.cluster.local", Aaaa, "NOERROR"),
        ("web.other.svc.cluster.local", A, "NXDOMAIN"),
        ("default.svc.cluster.local", A, "NOERROR"),
        ("nope.svc.cluster.local", A, "NXDOMAIN"),
        ("ext.default.svc.cluster.local", A, "NOERROR =web.default.svc.cluster.local 10.96.0.50"),
        ("head.default.svc.cluster.local", A, "NOERROR 10.244.0.2 10.244.0.3"),
        ("db-0.head.default.svc.cluster.local", A, "NOERROR 10.244.0.2"),
        ("10-244-0-3.head.default.svc.cluster.local", A, "NOERROR 10.244.0.3"),
        ("10-1-2-3.default.pod.cluster.local", A, "NOERROR 10.1.2.3"),
        (
            "_http._tcp.web.default.svc.cluster.local",
            Srv,
            "NOERROR web.default.svc.cluster.local:80",
        ),
        (
            "_p._tcp.head.default.svc.cluster.local",
            Srv,
            "NOERROR db-0.head.default.svc.cluster.local:9 \
             10-244-0-3.head.default.svc.cluster.local:9",
        ),
        ("50.0.96.10.in-addr.arpa", Ptr, "NOERROR =web.default.svc.cluster.local"),
        ("2.0.244.10.in-addr.arpa", Ptr, "NOERROR =db-0.head.default.svc.cluster.local"),
        ("3.0.244.10.in-addr.arpa", Ptr, "NXDOMAIN"),
        ("host.minikube.internal", A, "NOERROR 192.168.49.1"),
        ("web", A, "NXDOMAIN"),
        ("example.com", A, "SERVFAIL"),
    ] {
        assert_eq!(ask(name, record), want, "{name}");
    }
    // As a pod asks: through the service of the name server, whose pod this is.
    let (server, pod) = (w.pods[2].0.clone(), w.pods[0].0.clone());
    let dns = Dns::start(&w.client, &server, hosts).unwrap();
    let ask = || {
        let pod = pod.clone();
        let server = "10.244.1.2:53".parse().unwrap();
        let name = "head.default.svc.cluster.local";
        w.run(async move { dns::ask(&pod, server, name, A, Duration::from_secs(1)).await })
    };
    assert_eq!(ask().unwrap().addresses().len(), 2);
    drop(dns);
    assert_eq!(ask(), Err(crate::fabric::QueryError::Refused));
    assert!(Service::ID != EndpointSlice::ID);
}
