//! Clients that mean no good, over real sockets: each gets an answer in words or is cut off, and the
//! others notice nothing.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
    time::Duration,
};

use sandbar_core::sim::Time;
use sandbar_server::{Endpoint, Options, engine::Pace, worlds::Sandbox};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

type Tls = StreamOwned<ClientConnection, TcpStream>;

fn endpoint() -> Endpoint {
    let options = Options {
        listen: ([127, 0, 0, 1], 0).into(),
        cluster: "minikube".into(),
        pace: Pace { speed: 1.0, paused: true },
        node_ports: false,
    };
    let make = || -> Box<dyn sandbar_server::World> {
        let start = Time::from_secs(1_795_000_000);
        Box::new(Sandbox::new(1, start, &["minikube start"]).expect("a cluster"))
    };
    Endpoint::start(Box::new(make), &options).expect("an endpoint")
}

fn connect(endpoint: &Endpoint) -> Tls {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(endpoint.authority.as_bytes()).unwrap();
    roots.add(authority).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let socket = TcpStream::connect(endpoint.address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    StreamOwned::new(connection, socket)
}

/// Sends a request on a connection of its own; the status line's code and the body.
fn send(endpoint: &Endpoint, head: &str, body: &[u8]) -> (u16, String) {
    let mut tls = connect(endpoint);
    let token = &endpoint.token;
    let head = format!(
        "{head}\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n{}\r\n",
        body.len(),
        if head.contains("Authorization") {
            String::new()
        } else {
            format!("Authorization: Bearer {token}\r\n")
        }
    );
    // The server may answer and hang up before it has read all of this.
    let _ = tls.write_all(head.as_bytes()).and_then(|()| tls.write_all(body));
    let _ = tls.flush();
    let mut answer = Vec::new();
    let _ = tls.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let code = answer.split(' ').nth(1).and_then(|c| c.parse().ok()).unwrap_or(0);
    (code, answer.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned())
}

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

#[test]
fn hostile_clients_are_answered_in_words() {
    let endpoint = endpoint();
    let post = format!("POST {MAPS} HTTP/1.1");
    let kept = br#"{"metadata":{"name":"kept"},"data":{"k":"v"}}"#;
    assert_eq!(send(&endpoint, &post, kept).0, 201);
    let huge = vec![b'a'; 10 << 20];
    let deep = "{\"a\":".repeat(50_000);
    let proto = format!("{post}\r\nContent-Type: application/vnd.kubernetes.protobuf");
    let garbage: Vec<u8> =
        (0..5_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let framed = [b"k8s\0".as_slice(), &garbage].concat();
    let stranger = format!("GET {MAPS} HTTP/1.1\r\nAuthorization: Bearer nonsense");
    let nobody = format!("GET {MAPS} HTTP/1.1\r\nAuthorization: Basic eDp4");
    let patch = format!("PATCH {MAPS}/kept HTTP/1.1\r\nContent-Type: application/");
    let json_patch = format!("{patch}json-patch+json");
    // Each operation doubles what the one before left.
    let copy = |i| format!(r#"{{"op":"copy","from":"/data","path":"/data/x{i}"}}"#);
    let bomb = format!("[{}]", (0..60).map(copy).collect::<Vec<_>>().join(","));
    let many = format!("[{}]", vec![r#"{"op":"test","path":"/kind","value":1}"#; 20_000].join(","));
    let deep_patch = format!("[{{\"op\":\"add\",\"path\":\"/data\",\"value\":{deep}}}]");
    let selector = format!("GET {MAPS}?labelSelector={} HTTP/1.1", "a,".repeat(5_000) + "a!");
    let fields = format!("GET {MAPS}?fieldSelector={} HTTP/1.1", "x=y,".repeat(5_000) + "z");
    let token = format!("GET {MAPS}?limit=1&continue={} HTTP/1.1", "A".repeat(5_000));
    let crds = "POST /apis/apiextensions.k8s.io/v1/customresourcedefinitions HTTP/1.1";
    let rule = format!("{}1{}", "(".repeat(20_000), ")".repeat(20_000));
    let crd = format!(
        r#"{{"metadata":{{"name":"as.b.c"}},"spec":{{"group":"b.c","scope":"Cluster","names":{{"plural":"as","kind":"A"}},"versions":[{{"name":"v1","served":true,"storage":true,"schema":{{"openAPIV3Schema":{{"type":"object","x-kubernetes-validations":[{{"rule":"{rule}"}}]}}}}}}]}}}}"#
    );
    let exec =
        "POST /api/v1/namespaces/kube-system/pods/storage-provisioner/exec?command=ls HTTP/1.1";
    for (head, body, code) in [
        (post.as_str(), b"{".as_slice(), 400),
        (&post, deep.as_bytes(), 400),
        (&post, &huge, 413),
        (&proto, &garbage, 400),
        (&proto, &framed, 400),
        (&proto, b"", 422),
        (&stranger, b"", 401),
        (&nobody, b"", 403),
        (exec, b"", 400),
        (&json_patch, bomb.as_bytes(), 422),
        (&json_patch, many.as_bytes(), 413),
        (&json_patch, deep_patch.as_bytes(), 400),
        (&selector, b"", 400),
        (&fields, b"", 400),
        (&token, b"", 400),
        (crds, crd.as_bytes(), 422),
        ("POST /sandbar/time HTTP/1.1", b"{\"speed\": -1}", 400),
        ("POST /sandbar/time HTTP/1.1", b"{\"advance\": 1e300}", 400),
        ("POST /sandbar/run HTTP/1.1", b"{}", 400),
        ("POST /sandbar/run HTTP/1.1\r\nAuthorization: Bearer nonsense", b"{}", 403),
    ] {
        let (got, text) = send(&endpoint, head, body);
        assert_eq!(got, code, "{head}: {text}");
        let value: serde_json::Value = serde_json::from_str(text.trim()).unwrap_or_default();
        assert_eq!(
            (&value["kind"], &value["code"]),
            (&"Status".into(), &code.into()),
            "{head}: {text}"
        );
    }
    let (code, text) = send(&endpoint, &format!("GET {MAPS}/kept HTTP/1.1"), b"");
    assert!(code == 200 && text.contains("\"k\":\"v\""), "nothing was lost: {text}");
    let (code, text) = send(
        &endpoint,
        "POST /sandbar/run HTTP/1.1",
        br#"{"command":"kubectl get cm kept -o name"}"#,
    );
    assert!(code == 200 && text.contains("configmap/kept"), "{text}");
}

#[test]
fn clients_that_do_nothing_hold_nobody_up() {
    let endpoint = endpoint();
    // Bytes that are no TLS, half a handshake, half a head, a watch that nobody reads.
    let mut idle: Vec<TcpStream> =
        (0..20).map(|_| TcpStream::connect(endpoint.address).unwrap()).collect();
    for socket in idle.iter_mut().take(10) {
        socket.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    }
    let mut half: Vec<Tls> = (0..5).map(|_| connect(&endpoint)).collect();
    for tls in &mut half {
        tls.write_all(b"POST /api/v1/pods HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            .unwrap();
        tls.flush().unwrap();
    }
    let mut lazy = connect(&endpoint);
    let watch = format!(
        "GET {MAPS}?watch=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
        endpoint.token
    );
    lazy.write_all(watch.as_bytes()).unwrap();
    lazy.flush().unwrap();
    let body = format!(
        "{{\"metadata\":{{\"generateName\":\"big-\"}},\"data\":{{\"k\":\"{}\"}}}}",
        "x".repeat(200_000)
    );
    for _ in 0..40 {
        assert_eq!(send(&endpoint, &format!("POST {MAPS} HTTP/1.1"), body.as_bytes()).0, 201);
        endpoint.engine.call(|state| state.skip(Duration::from_secs(1))).unwrap();
    }
    assert_eq!(send(&endpoint, "GET /readyz HTTP/1.1", b"").0, 200);
}
