//! Which devices claims get: a table of cases. The data is in `cases.yaml`; each case says which row of
//! upstream's table (`allocatortesting/allocator_testing.go`) it follows.

use k8s_openapi::api::resource::v1::{AllocationResult, DeviceRequestAllocationResult};
use serde_json::{Value, json};

use super::*;
use crate::{
    api::{
        object::{from_value, to_value},
        patch::merge,
        yaml,
    },
    controllers::testing::{cluster, make},
};
use k8s_openapi::api::resource::v1::DeviceClass;

const CASES: &str = include_str!("cases.yaml");
const DRIVER: &str = "gpu.example.com";

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(value: &'a Value, name: &str, default: &'a str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or(default)
}

/// `{pool: p, node: n1, devices: [a, {name: b, attributes: {…}}]}`; without node it is for all.
fn slice(client: &Client, given: &Value, place: usize) {
    let devices = list(given, "devices").iter().map(|device| match device {
        Value::String(name) => json!({"name": name}),
        other => other.clone(),
    });
    let mut spec = json!({
        "driver": text(given, "driver", DRIVER),
        "pool": {"name": text(given, "pool", "p"),
            "generation": given.get("generation").cloned().unwrap_or(json!(1)),
            "resourceSliceCount": given.get("count").cloned().unwrap_or(json!(1))},
        "devices": devices.collect::<Vec<_>>(),
    });
    match (given.get("node"), given.get("spec")) {
        (Some(node), _) => spec["nodeName"] = node.clone(),
        (None, None) => spec["allNodes"] = json!(true),
        (None, Some(more)) => spec = merge(spec, more.clone()),
    }
    make::<ResourceSlice>(client, json!({"metadata": {"name": format!("s{place}")}, "spec": spec}));
}

/// Requests without `exactly` or `firstAvailable` are for one device of class `gpu`.
fn claim(client: &Client, given: &Value, name: &str) -> Rc<ResourceClaim> {
    let mut devices = given.clone();
    for request in devices.get_mut("requests").and_then(Value::as_array_mut).into_iter().flatten() {
        let of_class = |value: &mut Value| {
            if value.get("deviceClassName").is_none() {
                value["deviceClassName"] = json!("gpu");
            }
        };
        match request.get_mut("firstAvailable").and_then(Value::as_array_mut) {
            Some(alternatives) => alternatives.iter_mut().for_each(of_class),
            None => {
                let mut exactly = request.get("exactly").cloned().unwrap_or(json!({}));
                of_class(&mut exactly);
                request["exactly"] = exactly;
            }
        }
    }
    let object = json!({"metadata": {"name": name, "namespace": "default"},
        "spec": {"devices": devices}});
    make::<ResourceClaim>(client, object)
}

fn one(r: &DeviceRequestAllocationResult) -> String {
    let mut text = format!("{}={}/{}", r.request, r.pool, r.device);
    for (name, amount) in r.consumed_capacity.iter().flatten() {
        text.push_str(&format!(" {name}:{}", amount.0));
    }
    text + if r.admin_access == Some(true) { " admin" } else { "" }
}

fn shown(results: &[AllocationResult]) -> Value {
    let of = |a: &AllocationResult| {
        let results = a.devices.iter().flat_map(|d| d.results.iter().flatten());
        json!(results.map(one).collect::<Vec<_>>().join(", "))
    };
    Value::Array(results.iter().map(of).collect())
}

fn judge(case: &Value) -> (Value, Value) {
    let (_sim, client) = cluster(1);
    make::<DeviceClass>(&client, json!({"metadata": {"name": "gpu"}, "spec": {}}));
    for class in list(case, "classes") {
        make::<DeviceClass>(&client, class.clone());
    }
    for (place, given) in list(case, "slices").iter().enumerate() {
        slice(&client, given, place);
    }
    for (i, result) in list(case, "taken").iter().enumerate() {
        let request = json!({"requests": [{"name": "r"}]});
        let mut new = (*claim(&client, &request, &format!("taken-{i}"))).clone();
        let base = json!({"driver": DRIVER, "pool": "p", "request": "r"});
        let allocation =
            json!({"allocation": {"devices": {"results": [merge(base, result.clone())]}}});
        new.status = Some(from_value(allocation).expect("a status"));
        client.update_status(new).expect("stored");
    }
    let claims: Vec<_> = list(case, "claims")
        .iter()
        .enumerate()
        .map(|(i, given)| claim(&client, given, &format!("c{i}")))
        .collect();
    let node = json!({"metadata": {"name": "n1", "labels": {"zone": "a"}}});
    let node: Node = from_value(node).expect("a node");
    match allocate(&Offers::new(&client), &node, &claims) {
        Ok(None) => (json!("none"), Value::Null),
        Ok(Some(results)) => {
            (shown(&results), Value::Array(results.iter().map(to_value).collect()))
        }
        Err(Trouble::Node(why)) => (json!(format!("node: {why}")), Value::Null),
        Err(Trouble::Fatal(why)) => (json!(format!("fatal: {why}")), Value::Null),
    }
}

#[test]
fn claims_get_the_devices_that_upstream_gives_them() {
    let cases = yaml::parse(CASES).expect("a table of cases");
    let (mut wrong, mut count) = (Vec::new(), 0);
    for case in cases.as_array().expect("a list") {
        count += 1;
        let name = text(case, "case", "?");
        let (got, full) = judge(case);
        let want = case.get("want").expect("what is wanted");
        if got != *want {
            wrong.push(format!("{name}\n  want {want}\n  got  {got}"));
        }
        for (path, want) in case.get("has").and_then(Value::as_object).into_iter().flatten() {
            let got = full.pointer(path).cloned().unwrap_or(Value::Null);
            if got != *want {
                wrong.push(format!("{name}: {path}\n  want {want}\n  got  {got}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 30, "only {count} cases");
}
