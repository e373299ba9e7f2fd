//! What clients get to see of the API, and what hostile ones get.

use std::{cell::RefCell, rc::Rc};

use k8s_openapi::api::core::v1::Namespace;
use serde_json::{Value, json};

use super::*;
use crate::{
    api::Typed,
    apiserver::CreateOptions,
    sim::{Sim, Time},
};

fn user() -> User {
    User::new("admin", ["system:masters"])
}

fn api() -> ApiServer {
    let api = ApiServer::new(&Sim::new(1, Time::from_secs(1_700_000_000)));
    let ns = api.decode(Namespace::ID, json!({"metadata": {"name": "default"}})).unwrap();
    api.create(&RequestCx::new(user(), "test"), ns, &CreateOptions::default()).unwrap();
    api
}

fn send(
    api: &ApiServer,
    method: &str,
    uri: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Response {
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let mut request = Request::get(path, query, Some(user()));
    request.method = method.into();
    request.headers = headers.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
    request.body = body.to_vec();
    let answer = Rc::new(RefCell::new(None));
    let put = answer.clone();
    api.serve(&request, move |response| *put.borrow_mut() = Some(response));
    let answer = answer.borrow_mut().take();
    answer.expect("an answer at once")
}

fn json_of(response: &Response) -> Value {
    let Body::Bytes(bytes) = &response.body else { panic!("no bytes") };
    serde_json::from_slice(bytes).unwrap()
}

fn events(response: &mut Response) -> Vec<Value> {
    let Body::Stream(stream) = &mut response.body else { panic!("no stream") };
    std::iter::from_fn(|| stream.try_recv()).map(|e| serde_json::from_slice(&e).unwrap()).collect()
}

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn make(api: &ApiServer, name: &str) {
    let body = json!({"metadata": {"name": name, "labels": {"n": name}}}).to_string();
    assert_eq!(send(api, "POST", MAPS, &[], body.as_bytes()).status, 201);
}

#[test]
fn objects_are_made_read_changed_and_deleted() {
    let api = api();
    make(&api, "a");
    let again = send(&api, "POST", MAPS, &[], br#"{"metadata":{"name":"a"}}"#);
    assert_eq!((again.status, json_of(&again)["reason"].as_str()), (409, Some("AlreadyExists")));
    let one = format!("{MAPS}/a");
    let patch = [("Content-Type", "application/merge-patch+json")];
    let patched = send(&api, "PATCH", &one, &patch, br#"{"data":{"k":"v"}}"#);
    assert_eq!(json_of(&patched)["data"], json!({"k": "v"}));
    let dry = send(&api, "DELETE", &format!("{one}?dryRun=All"), &[], b"");
    assert_eq!(dry.status, 200);
    let gone = json_of(&send(&api, "DELETE", &one, &[], br#"{"propagationPolicy":"Foreground"}"#));
    assert_eq!(gone["kind"], "ConfigMap", "it waits for its finalizer");
    let missing = send(&api, "GET", &format!("{MAPS}/b"), &[], b"");
    assert_eq!(json_of(&missing)["message"], "configmaps \"b\" not found");
}

#[test]
fn lists_come_in_pages_and_tables() {
    let api = api();
    ["a", "b", "c"].iter().for_each(|name| make(&api, name));
    let first = json_of(&send(&api, "GET", &format!("{MAPS}?limit=2"), &[], b""));
    assert_eq!(first["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(first["metadata"]["remainingItemCount"], 1);
    let token = first["metadata"]["continue"].as_str().unwrap().replace('=', "%3D");
    make(&api, "d");
    let rest = json_of(&send(&api, "GET", &format!("{MAPS}?limit=2&continue={token}"), &[], b""));
    let names: Vec<_> =
        rest["items"].as_array().unwrap().iter().map(|i| &i["metadata"]["name"]).collect();
    assert_eq!(names, ["c"], "all pages show what the first one showed");
    assert_eq!(rest["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    assert_eq!(rest["metadata"].get("continue"), None);
    api.sim().advance(api.sim().now() + std::time::Duration::from_secs(301), 1_000);
    let late = send(&api, "GET", &format!("{MAPS}?limit=2&continue={token}"), &[], b"");
    assert_eq!((late.status, json_of(&late)["reason"].as_str()), (410, Some("Expired")));
    let token = json_of(&late)["metadata"]["continue"].as_str().unwrap().to_owned();
    let rest = json_of(&send(&api, "GET", &format!("{MAPS}?continue={token}"), &[], b""));
    assert_eq!(rest["items"].as_array().map(Vec::len), Some(2), "now with the new one");
    let bad = send(&api, "GET", &format!("{MAPS}?limit=2&continue=%21"), &[], b"");
    assert_eq!(
        json_of(&bad)["message"],
        "invalid continue token: continue key is not valid: illegal base64 data at input byte 0"
    );
    let table = [("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io")];
    let table = json_of(&send(&api, "GET", &format!("{MAPS}?labelSelector=n%3Da"), &table, b""));
    assert_eq!(table["rows"][0]["cells"], json!(["a", 0, "5m1s"]));
    assert_eq!(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
}

fn text_of(response: &Response) -> String {
    let Body::Bytes(bytes) = &response.body else { panic!("no bytes") };
    String::from_utf8(bytes.clone()).unwrap()
}

#[test]
fn one_text_serves_many_and_follows_changes() {
    let api = api();
    make(&api, "a");
    let one = format!("{MAPS}/a");
    let first = text_of(&send(&api, "GET", &one, &[], b""));
    assert!(first.starts_with(r#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a""#));
    assert_eq!(first, text_of(&send(&api, "GET", &one, &[], b"")));
    let patch = [("Content-Type", "application/merge-patch+json")];
    let dry = format!("{one}?dryRun=All");
    let dry = json_of(&send(&api, "PATCH", &dry, &patch, br#"{"data":{"k":"v"}}"#));
    assert_eq!(dry["data"]["k"], "v");
    assert_eq!(first, text_of(&send(&api, "GET", &one, &[], b"")), "a dry run changes nothing");
    send(&api, "PATCH", &one, &patch, br#"{"data":{"k":"w"}}"#);
    assert_eq!(json_of(&send(&api, "GET", &one, &[], b""))["data"]["k"], "w");
    let list = json_of(&send(&api, "GET", MAPS, &[], b""));
    assert_eq!(
        (&list["kind"], &list["items"][0]["data"]["k"]),
        (&"ConfigMapList".into(), &"w".into())
    );
    assert_eq!(list["items"][0].get("kind"), None);
}

#[test]
fn the_server_tells_its_health_and_what_it_counts() {
    let api = api();
    make(&api, "a");
    let get = |path: &str| send(&api, "GET", path, &[], b"");
    assert_eq!(text_of(&get("/livez")), "ok");
    let text = text_of(&get("/readyz?verbose&exclude=etcd&exclude=nope"));
    assert!(text.starts_with("[+]ping ok\n[+]log ok\n[+]etcd excluded: ok\n"), "{text}");
    let end = "[+]shutdown ok\nwarn: some health checks cannot be excluded: no matches for \
               \"nope\"\nreadyz check passed\n";
    assert!(text.ends_with(end), "{text}");
    assert_eq!(text_of(&get("/livez/poststarthook/rbac/bootstrap-roles")), "ok");
    assert_eq!((get("/livez/shutdown").status, get("/readyz/shutdown").status), (404, 200));
    let text = text_of(&get("/metrics"));
    assert!(text.contains("apiserver_storage_objects{resource=\"configmaps\"} 1\n"), "{text}");
    let post = "dry_run=\"\",group=\"\",resource=\"configmaps\",scope=\"namespace\",\
                subresource=\"\",verb=\"POST\",version=\"v1\"} 1\n";
    assert!(text.contains(post), "{text}");
    assert_eq!(json_of(&get("/openid/v1/jwks")), json!({"keys": []}));
    let nodes = get("/api/v1/nodes/none/proxy/healthz");
    assert_eq!(json_of(&nodes)["message"], "nodes \"none\" not found");
}

#[test]
fn watches_begin_with_what_is_there_and_go_on() {
    let api = api();
    make(&api, "a");
    let query =
        "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut watch = send(&api, "GET", &format!("{MAPS}?{query}"), &[], b"");
    make(&api, "b");
    api.sim().advance(api.sim().now() + std::time::Duration::from_secs(61), 1_000);
    let seen = events(&mut watch);
    let types: Vec<_> = seen.iter().map(|e| e["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["ADDED", "BOOKMARK", "ADDED", "BOOKMARK"]);
    assert_eq!(seen[1]["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    drop(watch);
    let mut old =
        send(&api, "GET", &format!("{MAPS}?watch=1&resourceVersion=1&timeoutSeconds=1"), &[], b"");
    api.sim().advance(api.sim().now() + std::time::Duration::from_secs(2), 1_000);
    assert_eq!(events(&mut old).len(), 2);
}

#[test]
fn what_is_wrong_is_answered_with_a_status() {
    let api = api();
    let deep = "[".repeat(100_000);
    let wide = "a".repeat(MAX_BODY + 1);
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n\
                c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n\
                e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n\
                g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: [*g,*g,*g,*g,*g,*g,*g,*g,*g]\n";
    let yaml = ("Content-Type", "application/yaml");
    let patch = ("Content-Type", "application/json-patch+json");
    let proto = ("Content-Type", "application/vnd.kubernetes.protobuf");
    let one = format!("{MAPS}/kept");
    make(&api, "kept");
    let cases: &[(&str, &str, &[(&str, &str)], &[u8], u16)] = &[
        ("POST", MAPS, &[], b"{", 400),
        ("POST", MAPS, &[], b"[1]", 400),
        ("POST", MAPS, &[], b"\xff\xfe", 400),
        ("POST", MAPS, &[], deep.as_bytes(), 400),
        ("POST", MAPS, &[], wide.as_bytes(), 413),
        ("POST", MAPS, &[yaml], bomb.as_bytes(), 400),
        ("POST", MAPS, &[yaml], deep.as_bytes(), 400),
        ("POST", MAPS, &[proto], b"k8s\0\n\x0c", 415),
        ("POST", MAPS, &[("Accept", "image/png")], b"{}", 406),
        ("POST", MAPS, &[], br#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"}}"#, 400),
        ("POST", MAPS, &[], br#"{"apiVersion":"v2","metadata":{"name":"a"}}"#, 400),
        ("POST", MAPS, &[], br#"{"metadata":{"name":"a"},"data":{"a":1}}"#, 400),
        ("POST", MAPS, &[], br#"{"metadata":"a"}"#, 400),
        (
            "POST",
            "/api/v1/namespaces/default/configmaps?fieldValidation=Strict",
            &[],
            br#"{"metadata":{"name":"a"},"datum":{}}"#,
            400,
        ),
        ("POST", "/api/v1/configmaps", &[], b"{}", 405),
        ("PUT", &one, &[], br#"{"metadata":{"name":"other"}}"#, 400),
        ("PATCH", &one, &[], b"{}", 415),
        ("PATCH", &one, &[patch], b"{}", 422),
        ("PATCH", &one, &[patch], b"[{\"op\":\"remove\",\"path\":\"/nope\"}]", 422),
        ("DELETE", &one, &[], br#"{"propagationPolicy":"Sideways"}"#, 422),
        ("DELETE", &one, &[], br#"{"preconditions":{"uid":"x"}}"#, 409),
        ("BREW", &one, &[], b"", 405),
        ("GET", "/api/v1/namespaces/default/configmaps?labelSelector=%3D%3D%3D", &[], b"", 400),
        ("GET", "/api/v1/namespaces/default/configmaps?continue=x", &[], b"", 400),
        ("GET", "/api/v1/namespaces/default/configmaps?resourceVersion=x", &[], b"", 400),
        ("GET", "/api/v1/namespaces/default/configmaps?resourceVersion=99999", &[], b"", 504),
        ("GET", "/api/v1/namespaces/default/pods/x/log", &[], b"", 404),
        ("GET", "/api/v1/namespaces/default/configmaps?fieldSelector=spec.x%3D1", &[], b"", 400),
    ];
    for (method, uri, headers, body, code) in cases {
        let response = send(&api, method, uri, headers, body);
        let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        assert_eq!(response.status, *code, "{method} {uri} {shown}");
        let value = json_of(&response);
        assert_eq!((&value["kind"], &value["code"]), (&"Status".into(), &(*code).into()), "{uri}");
    }
    assert_eq!(send(&api, "GET", &one, &[], b"").status, 200, "nothing was lost");
    for path in [
        "/api/v1/nope",
        "/apis/nope/v1/x",
        "/api/v1/namespaces/a/nodes",
        "/%ff",
        "/x",
        "/apis/apps/v1/deployments/a/b/c",
    ] {
        assert_eq!(send(&api, "GET", path, &[], b"").status, 404, "{path}");
    }
}

#[test]
fn discovery_tells_the_table_of_kinds() {
    let api = api();
    let apps = json_of(&send(&api, "GET", "/apis/apps/v1", &[], b""));
    let scale = json!({"name": "deployments/scale", "singularName": "", "namespaced": true,
        "group": "autoscaling", "version": "v1", "kind": "Scale", "verbs": ["get", "patch", "update"]});
    assert!(apps["resources"].as_array().unwrap().contains(&scale));
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let all = send(&api, "GET", "/apis", &[("Accept", accept)], b"");
    assert!(all.headers.iter().any(|(_, v)| v == accept));
    assert_eq!(json_of(&all)["items"][0]["metadata"]["name"], "apiregistration.k8s.io");
    assert_eq!(send(&api, "GET", "/readyz?verbose", &[], b"").status, 200);
    assert_eq!(json_of(&send(&api, "GET", "/version", &[], b""))["gitVersion"], "v1.36.2");
}

#[test]
fn warnings_travel_in_headers() {
    let api = api();
    let response = send(&api, "GET", "/api/v1/namespaces/default/endpoints", &[], b"");
    let (_, text) = response.headers.iter().find(|(k, _)| k == "Warning").expect("a warning");
    assert!(text.starts_with("299 - \"v1 Endpoints is deprecated"), "{text}");
}

#[test]
fn what_comes_over_the_wire_is_a_cause_and_reading_is_none() {
    use crate::sim::trace::Fact;
    let api = api();
    let body = json!({"metadata": {"name": "a"}}).to_string();
    let agent = [("User-Agent", "kubectl/v1.37.1 (linux/amd64)")];
    send(&api, "GET", MAPS, &agent, &[]);
    assert_eq!(send(&api, "POST", MAPS, &agent, body.as_bytes()).status, 201);
    let records = api.sim().records();
    let [.., request, write] = records.as_slice() else { panic!("{records:?}") };
    let Fact::Outside(text) = &request.fact else { panic!("{request:?}") };
    assert_eq!(**text, *format!("POST {MAPS} by admin kubectl/v1.37.1"));
    assert!(matches!(&write.fact, Fact::Write(w) if &*w.name == "a"));
    assert_eq!(write.because, request.id);
    assert!(!records.iter().any(|r| matches!(&r.fact, Fact::Outside(t) if t.starts_with("GET"))));
}
