//! Tests of the network between machines.

use std::{cell::RefCell, net::SocketAddrV4, rc::Rc, time::Duration};

use super::{
    Cidr, Conn, ConnectError, Datagram, Endpoint, Fabric, Flow, Frame, PingError, PortMap, Proto,
    Rule, Site, Tally, Target, Verdict,
    dns::{self, Answer, Code, Question, Record, RecordData, ResolvConf, in_hosts},
    http::{self, HttpError, HttpOptions, HttpRequest, HttpResponse, Reply, Spawn, serve},
};
use crate::sim::{Sim, Time};

/// A learner's host, and a node on its bridge with two pods.
struct World {
    sim: Sim,
    fabric: Fabric,
    laptop: Endpoint,
    node: Endpoint,
    pods: [Endpoint; 2],
}

fn at(text: &str) -> SocketAddrV4 {
    text.parse().unwrap()
}

fn world() -> World {
    let sim = Sim::new(1, Time::from_secs(1_000));
    let fabric = Fabric::new(&sim);
    let bridge = fabric.network("192.168.49.0/24".parse().unwrap());
    let (laptop, node) = (fabric.host("laptop"), fabric.host("minikube"));
    laptop.site().join(&bridge, [192, 168, 49, 1].into(), false);
    node.site().join(&bridge, [192, 168, 49, 2].into(), true);
    let pods: Cidr = "10.244.0.0/24".parse().unwrap();
    node.site().add_subnet(pods);
    bridge.add_route(pods, node.site());
    let pods = [("a", 2), ("b", 3)].map(|(n, i)| fabric.pod(node.site(), n, pods.nth(i).unwrap()));
    World { sim, fabric, laptop, node, pods }
}

impl World {
    fn run<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> (T, Duration) {
        let (out, began) = (Rc::new(RefCell::new(None)), self.sim.now());
        let (into, sim) = (out.clone(), self.sim.clone());
        let task = self.sim.spawn(async move {
            let value = future.await;
            *into.borrow_mut() = Some((value, sim.now().since(began)));
        });
        while !task.is_finished() {
            let due = self.sim.next_due().expect("nothing will ever happen");
            self.sim.advance(due, 1);
        }
        let got = out.borrow_mut().take();
        got.unwrap()
    }

    fn spawn(&self) -> Spawn {
        let sim = self.sim.clone();
        Rc::new(move |future| sim.spawn(future))
    }

    fn echo_name(&self, endpoint: &Endpoint, port: u16) -> http::Server {
        let name = endpoint.name();
        let response = Rc::new(HttpResponse::new(200, "text/plain", name.as_bytes().to_vec()));
        let handler = move |_: &Rc<HttpRequest>, _: &Conn| {
            Reply::Now(response.clone(), Duration::from_micros(100))
        };
        serve(endpoint.listen(port).unwrap(), self.spawn(), Rc::new(handler))
    }

    fn connect(&self, from: &Endpoint, to: &str) -> (Result<String, ConnectError>, u128) {
        let (from, to) = (from.clone(), at(to));
        let (got, took) = self.run(async move {
            let conn = from.connect(to).await?;
            Ok(format!("{} of {}", conn.peer_name(), conn.local().ip()))
        });
        (got, took.as_millis())
    }
}

#[test]
fn who_reaches_whom() {
    let w = world();
    let _a = w.pods[0].listen(80).unwrap();
    let _local = w.pods[0].listen_on(81, true).unwrap();
    let _ssh = w.node.listen(22).unwrap();
    let (a, b, node, laptop) = (&w.pods[0], &w.pods[1], &w.node, &w.laptop);
    let ok = |s: &str| Ok(s.to_string());
    for (from, to, want, millis) in [
        (b, "10.244.0.2:80", ok("a of 10.244.0.3"), 0),
        (a, "127.0.0.1:80", ok("a of 127.0.0.1"), 0),
        (a, "10.244.0.2:80", ok("a of 10.244.0.2"), 0),
        (node, "10.244.0.2:80", ok("a of 10.244.0.1"), 0),
        (b, "192.168.49.2:22", ok("minikube of 10.244.0.3"), 0),
        (b, "10.244.0.1:22", ok("minikube of 10.244.0.3"), 0),
        (laptop, "192.168.49.2:22", ok("minikube of 192.168.49.1"), 0),
        (b, "10.244.0.2:81", Err(ConnectError::Refused), 0),
        (a, "127.0.0.1:81", ok("a of 127.0.0.1"), 0),
        (b, "127.0.0.1:80", Err(ConnectError::Refused), 0),
        (b, "10.244.0.9:80", Err(ConnectError::NoRoute), 3_060),
        (laptop, "192.168.49.77:80", Err(ConnectError::NoRoute), 3_060),
        // The learner's host has no route to pods; the Internet is not there.
        (laptop, "10.244.0.2:80", Err(ConnectError::TimedOut), 127_000),
        (b, "1.2.3.4:80", Err(ConnectError::TimedOut), 127_000),
    ] {
        assert_eq!(w.connect(from, to), (want, millis), "{} to {to}", from.name());
    }
    w.laptop.site().add_route("10.244.0.0/16".parse().unwrap(), w.node.site());
    assert!(w.connect(laptop, "10.244.0.2:80").0.is_ok());
    w.node.site().set_up(false);
    assert_eq!(w.connect(laptop, "10.244.0.2:80").0, Err(ConnectError::TimedOut));
    w.node.site().set_up(true);
    w.pods[0].detach();
    assert_eq!(w.connect(b, "10.244.0.2:80").0, Err(ConnectError::NoRoute));
}

#[test]
fn pods_of_two_nodes_reach_each_other_by_the_network_s_routes() {
    let w = world();
    let cloud = w.fabric.network("10.0.0.0/16".parse().unwrap());
    let nodes: Vec<(Endpoint, Endpoint)> = (1..4)
        .map(|n| {
            let node = w.fabric.host(&format!("node-{n}"));
            node.site().join(&cloud, cloud.free_address(10).unwrap(), true);
            let range: Cidr = format!("10.244.{n}.0/24").parse().unwrap();
            node.site().add_subnet(range);
            cloud.add_route(range, node.site());
            let pod = w.fabric.pod(node.site(), &format!("pod-{n}"), range.nth(2).unwrap());
            (node, pod)
        })
        .collect();
    let _listening = nodes[2].1.listen(80).unwrap();
    let (got, took) = w.connect(&nodes[0].1, "10.244.3.2:80");
    assert_eq!((got, took), (Ok("pod-3 of 10.244.1.2".into()), 0));
    assert_eq!(nodes[1].0.addresses(), ["10.0.0.11".parse::<std::net::Ipv4Addr>().unwrap()]);
    let ping = |from: &Endpoint, to: &str| {
        let (from, to) = (from.clone(), to.parse().unwrap());
        w.run(async move { from.ping(to, Duration::from_secs(1)).await }).0
    };
    assert!(ping(&nodes[1].1, "10.244.3.2").is_ok());
    assert_eq!(ping(&nodes[1].1, "10.96.0.1"), Err(PingError::NoAnswer));
}

/// A service: whoever asks for it gets the first that `targets` holds.
struct Service {
    address: SocketAddrV4,
    target: RefCell<Option<(SocketAddrV4, Rc<Tally>)>>,
}

impl Rule for Service {
    fn verdict(&self, flow: &Flow) -> Verdict {
        match (&*self.target.borrow(), flow.to == self.address && flow.proto == Proto::Tcp) {
            (_, false) => Verdict::Pass,
            (Some((to, tally)), _) => {
                Verdict::Redirect(Target { to: *to, tally: Some(tally.clone()), masquerade: true })
            }
            (None, _) => Verdict::Reject,
        }
    }
}

fn get(w: &World, from: &Endpoint, url: &'static str) -> Result<(String, String), HttpError> {
    let from = from.clone();
    let got = w.run(async move { http::http_get(&from, url, &HttpOptions::default()).await }).0;
    w.sim.advance(w.sim.now() + Duration::from_millis(1), 100); // the server closes, too
    got.map(|a| (a.by.to_string(), String::from_utf8_lossy(&a.response.body).into_owned()))
}

#[test]
fn rules_send_connections_elsewhere_and_established_ones_stay() {
    let w = world();
    let servers = w.pods.each_ref().map(|p| w.echo_name(p, 80));
    let tally = Rc::new(Tally::default());
    let service = |port| {
        Rc::new(Service {
            address: at(&format!("192.168.49.2:{port}")),
            target: RefCell::new(Some((at("10.244.0.2:80"), tally.clone()))),
        })
    };
    let rule = service(30_080);
    w.node.site().set_rule("services", Some(rule.clone()));
    assert_eq!(get(&w, &w.laptop, "http://192.168.49.2:30080/").unwrap().0, "a");
    assert_eq!((tally.requests(), tally.open()), (1, 0));
    // A connection that stands goes on while new ones go elsewhere.
    let (laptop, to) = (w.laptop.clone(), at("192.168.49.2:30080"));
    let conn = Rc::new(w.run(async move { laptop.connect(to).await }).0.unwrap());
    let ask = || {
        let (conn, what) = (conn.clone(), Rc::new(HttpRequest::get("x", "/")));
        let got = w.run(async move { http::request(&conn, what).await }).0.unwrap();
        String::from_utf8_lossy(&got.body).into_owned()
    };
    *rule.target.borrow_mut() = Some((at("10.244.0.3:80"), Rc::default()));
    assert_eq!((ask(), ask()), ("a".into(), "a".into()));
    assert_eq!((tally.requests(), tally.open()), (3, 1));
    assert_eq!(get(&w, &w.laptop, "http://192.168.49.2:30080/").unwrap().0, "b");
    *rule.target.borrow_mut() = None;
    let refused = HttpError::Connect(to, ConnectError::Refused);
    assert_eq!(get(&w, &w.laptop, "http://192.168.49.2:30080/"), Err(refused));
    // A gentle end waits for the connection that has an answer, and closes it.
    let (server, sim) = (servers[0].clone(), w.sim.clone());
    w.run(async move { server.drain(&sim).await });
    assert_eq!(w.run(async move { conn.recv().await.map(|f| f.is_none()) }).0, Ok(true));
    assert_eq!(tally.open(), 0);
    // docker run -p
    let map = Rc::new(PortMap::default());
    map.insert(Proto::Tcp, 8080, None, at("192.168.49.2:30080"));
    *rule.target.borrow_mut() = Some((at("10.244.0.3:80"), Rc::default()));
    w.laptop.site().set_port_map("docker", Some(map));
    assert_eq!(get(&w, &w.laptop, "localhost:8080/x?y").unwrap().0, "b");
}

#[test]
fn connections_end_and_break_as_real_ones() {
    let w = world();
    let (a, b) = (w.pods[0].clone(), w.pods[1].clone());
    let listener = a.listen(80).unwrap();
    assert!(a.listen(80).is_err());
    let sim = w.sim.clone();
    w.sim.spawn(async move {
        let first = listener.accept().await;
        let _ = first.send(Frame::Data(b"hello".to_vec()));
        drop(first); // reads nothing, owes nothing: a clean end
        let second = listener.accept().await;
        sim.sleep(Duration::from_millis(5)).await;
        drop(second); // with something unread: a reset
        let third = listener.accept().await;
        let got = third.recv_bytes().await.unwrap().unwrap();
        assert_eq!(third.recv_bytes().await, Ok(None));
        let _ = third.send(Frame::Data(got)); // the peer closed only its own direction
        sim.sleep(Duration::from_secs(1)).await; // then the listener goes, with one waiting
    });
    let to = at("10.244.0.2:80");
    w.run(async move {
        let first = b.connect(to).await.unwrap();
        assert_eq!(first.recv_bytes().await, Ok(Some(b"hello".to_vec())));
        assert_eq!(first.recv_bytes().await, Ok(None));
        assert_eq!(first.send(Frame::Data(b"x".to_vec())), Ok(()));
        assert!(first.recv_bytes().await.is_ok());
        let second = b.connect(to).await.unwrap();
        second.send(Frame::Data(b"unread".to_vec())).unwrap();
        assert_eq!(second.recv_bytes().await, Err(super::Broken));
        let third = b.connect(to).await.unwrap();
        third.send(Frame::Data(b"echo".to_vec())).unwrap();
        third.close();
        assert!(third.send(Frame::Data(Vec::new())).is_err());
        assert_eq!(third.recv_bytes().await, Ok(Some(b"echo".to_vec())));
        let fourth = b.connect(to).await.unwrap();
        assert_eq!(fourth.recv_bytes().await, Err(super::Broken));
        assert_eq!(b.connect(to).await.err(), Some(ConnectError::Refused));
    });
}

#[test]
fn raw_bytes_are_served_as_a_real_server_would() {
    let w = world();
    let _server = w.echo_name(&w.pods[0], 80);
    for (sent, want) in [
        (
            "GET / HTTP/1.0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: 1\r\n\r\na",
        ),
        (
            "HEAD / HTTP/1.0\n\n",
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1\r\nConnection: close\r\n\r\n",
        ),
        (
            "nonsense\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: 25\r\n\r\n<h1>400 Bad Request</h1>\n",
        ),
    ] {
        let from = w.pods[1].clone();
        let got = w.run(async move {
            let conn = from.connect(at("10.244.0.2:80")).await.unwrap();
            let (first, second) = sent.split_at(4);
            conn.send(Frame::Data(first.into())).unwrap();
            conn.send(Frame::Data(second.into())).unwrap();
            let mut all = Vec::new();
            while let Some(bytes) = conn.recv_bytes().await.unwrap() {
                all.extend(bytes);
            }
            String::from_utf8(all).unwrap()
        });
        assert_eq!(got.0, want);
    }
    // And the other way round: a client of ours against a program that writes bytes.
    let listener = w.pods[1].listen(80).unwrap();
    w.sim.spawn(async move {
        for answer in ["HTTP/1.0 404 Not Found\r\n\r\nno", "gibberish", ""] {
            let conn = listener.accept().await;
            assert!(conn.recv_bytes().await.unwrap().unwrap().starts_with(b"GET / HTTP/1.1\r\n"));
            if !answer.is_empty() {
                let _ = conn.send(Frame::Data(answer.into()));
            }
        }
    });
    let ask = || get(&w, &w.pods[0], "http://10.244.0.3").map(|(by, body)| format!("{by} {body}"));
    assert_eq!(ask(), Ok("b no".into()));
    assert_eq!(ask(), Err(HttpError::NotHttp));
    assert_eq!(ask(), Err(HttpError::Empty));
}

#[test]
fn services_of_our_own_types_are_found_only_where_packets_would_arrive() {
    let w = world();
    let listener = w.node.listen_service(8443, Rc::new(42_u32), false).unwrap();
    let to = at("192.168.49.2:8443");
    let ask = |from: &Endpoint| {
        let from = from.clone();
        w.run(async move { from.service::<u32>(to).await.map(|s| *s) }).0
    };
    assert_eq!(ask(&w.laptop), Ok(42));
    assert_eq!(w.pods[0].service_now::<u32>(to).map(|s| *s), Ok(42));
    assert_eq!(w.laptop.service_now::<String>(to), Err(ConnectError::Refused));
    drop(listener);
    assert_eq!(ask(&w.laptop), Err(ConnectError::Refused));
    w.node.site().set_up(false);
    assert_eq!(ask(&w.laptop), Err(ConnectError::TimedOut));
}

#[test]
fn names_are_looked_up_as_resolv_conf_says() {
    let conf = ResolvConf::parse(
        b"# x\nnameserver 10.96.0.10\nsearch default.svc.cluster.local svc.cluster.local\noptions ndots:5\n",
    );
    assert_eq!(
        conf.candidates("web"),
        ["web.default.svc.cluster.local", "web.svc.cluster.local", "web"]
    );
    assert_eq!(conf.candidates("a.b.c.d.e.f")[0], "a.b.c.d.e.f");
    assert_eq!(conf.candidates("web."), ["web"]);
    let hosts = b"127.0.0.1 localhost\n10.0.0.5\tweb web.local # web2\n";
    assert_eq!(in_hosts(hosts, "web.local"), Some([10, 0, 0, 5].into()));
    assert_eq!(in_hosts(hosts, "web2"), None);
    // A server that knows one name.
    struct Files;
    impl super::NameFiles for Files {
        fn hosts(&self) -> Rc<Vec<u8>> {
            Rc::default()
        }
        fn resolv_conf(&self) -> Rc<Vec<u8>> {
            Rc::new(b"nameserver 10.244.0.2\nsearch ns.svc svc\n".to_vec())
        }
    }
    let w = world();
    let socket = w.pods[0].listen_datagrams(53).unwrap();
    w.sim.spawn(async move {
        loop {
            let datagram: Datagram = socket.recv().await;
            let question = datagram.message.clone().downcast::<Question>().unwrap();
            let mut answer = Answer { code: Code::NxDomain, records: Vec::new() };
            if question.name == "web.svc" {
                let data = RecordData::A([10, 96, 0, 7].into());
                let record = Record { name: question.name.clone(), ttl: 30, data };
                answer = Answer { code: Code::NoError, records: vec![record] };
            }
            datagram.answer(Duration::from_micros(200), Rc::new(answer));
        }
    });
    let find = |name: &'static str| {
        let from = w.pods[1].clone();
        w.run(async move { dns::resolve(&from, Some(&Files), name).await }).0
    };
    assert_eq!(find("web"), Ok(vec![[10, 96, 0, 7].into()]));
    assert_eq!(find("nope"), Err(dns::ResolveError::NotFound));
    w.pods[0].detach();
    assert_eq!(find("web"), Err(dns::ResolveError::TryAgain));
}

#[test]
fn pages_are_followed_and_patience_ends() {
    let w = world();
    let moved = Rc::new(HttpResponse::new(302, "text/html", "").with("Location", "/new?a=b"));
    let handler = move |r: &Rc<HttpRequest>, _: &Conn| match r.route() {
        "/old/page" => Reply::Now(moved.clone(), Duration::ZERO),
        "/hang" => Reply::Hang,
        "/close" => Reply::Close,
        _ => Reply::now(HttpResponse::new(200, "text/html", r.path.clone())),
    };
    let listener = w.pods[0].listen(80).unwrap();
    let _server = serve(listener, w.spawn(), Rc::new(handler));
    let ask = |path: &str, redirects| {
        let (from, url) = (w.pods[1].clone(), format!("http://10.244.0.2{path}"));
        let timeout = Some(Duration::from_secs(2));
        let options = HttpOptions { redirects, timeout, ..Default::default() };
        w.run(async move { http::http_get(&from, &url, &options).await })
    };
    let (got, _) = ask("/old/page", 5);
    let got = got.unwrap();
    assert_eq!(
        (got.url.to_string().as_str(), &got.response.body[..]),
        ("http://10.244.0.2/new?a=b", &b"/new?a=b"[..])
    );
    assert_eq!(ask("/old/page", 0).0.unwrap().response.status, 302);
    assert_eq!(ask("/close", 0).0.unwrap_err(), HttpError::Empty);
    let (got, took) = ask("/hang", 0);
    assert_eq!(got.unwrap_err(), HttpError::TimedOut { connected: true });
    assert_eq!(took, Duration::from_secs(2));
}

/// Not a benchmark of the machine it runs on: what a probe costs is steps of the event loop.
#[test]
fn a_hundred_thousand_probes_cost_few_steps_each() {
    let w = world();
    let _server = w.echo_name(&w.pods[0], 80);
    let (node, what) = (w.node.clone(), Rc::new(HttpRequest::get("10.244.0.2", "/healthz")));
    let steps = w.sim.steps();
    const N: u64 = 100_000;
    w.run(async move {
        for _ in 0..N {
            let timeout = Duration::from_secs(1);
            let got = http::probe(&node, at("10.244.0.2:80"), what.clone(), timeout).await;
            assert_eq!(got.unwrap().status, 200);
        }
    });
    let steps = (w.sim.steps() - steps) / N;
    assert!(steps <= 10, "{steps} steps a probe");
}

/// Keeps the type in use: sites are handed around by those who build clusters.
#[test]
fn an_endpoint_alone_reaches_itself() {
    let w = world();
    let alone = w.fabric.isolated("alone");
    let site: &Site = alone.site();
    assert_eq!((alone.addresses().len(), site.name()), (0, "alone"));
    let _server = w.echo_name(&alone, 80);
    assert_eq!(get(&w, &alone, "http://localhost").unwrap().1, "alone");
    assert!(get(&w, &w.pods[0], "http://localhost").is_err());
}
