//! `kubectl expose`. Models `k8s.io/kubectl/pkg/cmd/expose/expose.go`.

use k8s_openapi::api::core::v1::Service;
use serde_json::{Map, Value, json};

use crate::api::Typed;
use crate::programs::kubectl::{
    Cx, Error,
    flags::{Command, Complete, Flag, Parsed, parse_port},
    manifest,
    resources::Query,
    things::{self, Thing},
    write::{self, DryRun, at},
};

/// `kubectl expose`
pub static COMMAND: Command = Command {
    name: "expose",
    usage: "expose (-f FILENAME | TYPE NAME) [--port=port] [--protocol=TCP|UDP|SCTP] \
            [--target-port=number-or-name] [--name=name] [--external-ip=external-ip-of-service] \
            [--type=type]",
    short: "Make a service for a workload",
    long: "Make a service for a workload.\n\n\
           Pods, services, replication controllers, deployments and replica sets can be exposed. The \
           service selects what they select.",
    examples: "# The pods of web answer on port 80 of the service\n\
               kubectl expose deployment web --port=80 --target-port=8080\n\n\
               # On a port of every node\nkubectl expose deployment web --type=NodePort --port=80",
    flags: &[
        &[
            Flag::str("cluster-ip", "", "The address to ask for; None for a headless service."),
            write::DRY_RUN,
            Flag::str("external-ip", "", "An address outside that leads to the service too."),
            write::field_manager("kubectl-expose"),
            Flag::str("labels", "", "The service's labels.").short("l"),
            Flag::str("load-balancer-ip", "", "The address to ask the load balancer for."),
            Flag::str("name", "", "The service's name; the workload's without it."),
            Flag::str(
                "override-type",
                "merge",
                "How --overrides are put in: json, merge or strategic.",
            ),
            Flag::str("overrides", "", "What else the service should have, as JSON."),
            Flag::str("port", "", "The service's port; the workload's without it."),
            Flag::str("protocol", "", "TCP (the default), UDP or SCTP."),
            write::RECORD,
            write::SAVE_CONFIG,
            Flag::str("selector", "", "Which pods; those of the workload without it."),
            Flag::str("session-affinity", "", "None or ClientIP."),
            Flag::str("target-port", "", "The pods' port, by number or name."),
            Flag::str("type", "", "ClusterIP, NodePort, LoadBalancer or ExternalName."),
        ],
        manifest::FLAGS,
        write::OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    complete: Complete::Resources,
    ..Command::EMPTY
};

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    let dry_run = DryRun::of(&cx, &p).await?;
    let conn = dry_run.on(cx.connect(&p, 5)?);
    let (found, errors) = things::find(&cx, &conn, &p, &p.args, &Query::default(), false).await?;
    let mut reports = write::Reports::new(&cx, &p, "exposed", dry_run)?;
    let mut all = errors;
    for thing in found {
        let result = expose(&cx, &conn, &p, &thing, dry_run, &mut reports).await;
        all.extend(result.err());
    }
    Error::collect(all)
}

async fn expose(
    cx: &Cx,
    conn: &crate::programs::kubectl::Conn,
    p: &Parsed,
    thing: &Thing,
    dry_run: DryRun,
    reports: &mut write::Reports,
) -> Result<(), Error> {
    let mut object = service(p, thing)?;
    if !p.str("overrides").is_empty() {
        object = super::run::overridden(p, Service::ID, object)?;
    }
    write::record(p, &mut object);
    if p.bool("save-config") && dry_run != DryRun::Client {
        write::note_typed(&mut object);
    }
    if dry_run == DryRun::Client {
        if conn.namespace_given {
            if let Some(meta) = write::map_at(&mut object, &["metadata"]) {
                meta.insert("namespace".into(), conn.namespace.clone().into());
            }
        }
        return reports.add(cx, &object).await;
    }
    let kind = conn.by_kind("v1", "Service")?;
    let Some(kind) = kind else { return Err(Error::plain("the server has no services")) };
    let made = conn.client.create_value(
        kind.id,
        &conn.namespace,
        object,
        crate::client::FieldValidation::Warn,
    );
    cx.warnings(conn).await;
    reports.add(cx, &conn.value(&made?)).await
}

fn service(p: &Parsed, thing: &Thing) -> Result<Value, Error> {
    let exposable = ["Pod", "Service", "ReplicationController", "Deployment", "ReplicaSet"];
    if !exposable.contains(&&*thing.kind.kind) {
        let group_kind = match &*thing.kind.group {
            "" => thing.kind.kind.to_string(),
            group => format!("{}.{group}", thing.kind.kind),
        };
        return Err(Error::plain(format!("cannot expose a {group_kind}")));
    }
    let selector = match p.str("selector") {
        "" => selector(thing).map_err(|e| {
            Error::plain(format!(
                "couldn't retrieve selectors via --selector flag or introspection: {e}"
            ))
        })?,
        text => labels(text)?,
    };
    let own = pod_ports(&thing.object);
    let headless = p.str("cluster-ip") == "None";
    let wanted: Vec<String> = match p.str("port") {
        "" => own.iter().map(|(port, _)| port.to_string()).collect(),
        text => text.split(',').map(String::from).collect(),
    };
    if wanted.is_empty() && !headless {
        return Err(Error::plain("couldn't find port via --port flag or introspection"));
    }
    let mut ports = Vec::new();
    for (i, text) in wanted.iter().enumerate() {
        let number = parse_port(text)?;
        let mut port = json!({"port": number});
        if wanted.len() > 1 {
            port["name"] = format!("port-{}", i + 1).into();
        }
        let introspected = own.iter().find(|(n, _)| *n == number).map(|(_, proto)| proto.as_str());
        let protocol = match p.str("protocol") {
            "" => introspected.unwrap_or("TCP"),
            given => given,
        };
        port["protocol"] = protocol.into();
        port["targetPort"] = match p.str("target-port") {
            "" => number.into(),
            target => target.parse::<i64>().map_or_else(|_| target.into(), Value::from),
        };
        ports.push(port);
    }
    let name = match p.str("name") {
        "" => thing.name.chars().take(63).collect(),
        given => given.to_owned(),
    };
    let mut spec = json!({"selector": selector});
    if !ports.is_empty() {
        spec["ports"] = Value::Array(ports);
    }
    let fields =
        [("type", "type"), ("sessionAffinity", "session-affinity"), ("clusterIP", "cluster-ip")];
    for (field, flag) in fields {
        if !p.str(flag).is_empty() {
            spec[field] = p.str(flag).into();
        }
    }
    if !["", "None", "ClientIP"].contains(&p.str("session-affinity")) {
        return Err(Error::plain(format!(
            "unknown session affinity: {}",
            p.str("session-affinity")
        )));
    }
    if !p.str("external-ip").is_empty() {
        spec["externalIPs"] = json!([p.str("external-ip")]);
    }
    if p.str("type") == "LoadBalancer" && !p.str("load-balancer-ip").is_empty() {
        spec["loadBalancerIP"] = p.str("load-balancer-ip").into();
    }
    let mut metadata = json!({"name": name});
    let own_labels = at(&thing.object, &["metadata", "labels"]).cloned();
    let wanted_labels = match p.str("labels") {
        "" => own_labels.unwrap_or(Value::Null),
        text => Value::Object(labels(text)?),
    };
    if wanted_labels.as_object().is_some_and(|m| !m.is_empty()) {
        metadata["labels"] = wanted_labels;
    }
    Ok(json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec,
        "status": {"loadBalancer": {}}}))
}

fn labels(text: &str) -> Result<Map<String, Value>, Error> {
    let mut map = Map::new();
    for pair in text.split(',').filter(|s| !s.is_empty()) {
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| Error::plain(format!("unexpected label spec: {pair}")))?;
        map.insert(key.to_owned(), value.into());
    }
    Ok(map)
}

/// The labels by which a workload selects its pods.
fn selector(thing: &Thing) -> Result<Map<String, Value>, String> {
    let object = &thing.object;
    let found = match &*thing.kind.kind {
        "Pod" => match at(object, &["metadata", "labels"]).and_then(Value::as_object) {
            Some(map) if !map.is_empty() => Some(map),
            _ => return Err("the pod has no labels and cannot be exposed".into()),
        },
        "Service" => match at(object, &["spec", "selector"]).and_then(Value::as_object) {
            Some(map) if !map.is_empty() => Some(map),
            _ => return Err("the service has no pod selector set".into()),
        },
        "ReplicationController" => at(object, &["spec", "selector"]).and_then(Value::as_object),
        _ => {
            let expressions = at(object, &["spec", "selector", "matchExpressions"]);
            if expressions.and_then(Value::as_array).is_some_and(|a| !a.is_empty()) {
                return Err("couldn't convert expressions to map-based selector format".into());
            }
            at(object, &["spec", "selector", "matchLabels"]).and_then(Value::as_object)
        }
    };
    found
        .cloned()
        .ok_or_else(|| "invalid deployment: no selectors, therefore cannot be exposed".into())
}

/// Ports and protocols of a workload's containers, or of a service.
fn pod_ports(object: &Value) -> Vec<(i64, String)> {
    let spec = at(object, &["spec", "template", "spec"]).or_else(|| object.get("spec"));
    let entry = |port: &Value, field: &str| {
        let protocol = port.get("protocol").and_then(Value::as_str).unwrap_or("TCP");
        Some((port.get(field)?.as_i64()?, protocol.to_owned()))
    };
    let Some(spec) = spec else { return Vec::new() };
    if let Some(ports) = spec.get("ports").and_then(Value::as_array) {
        return ports.iter().filter_map(|p| entry(p, "port")).collect();
    }
    let containers = spec.get("containers").and_then(Value::as_array).into_iter().flatten();
    let ports = containers.filter_map(|c| c.get("ports")?.as_array()).flatten();
    ports.filter_map(|p| entry(p, "containerPort")).collect()
}
