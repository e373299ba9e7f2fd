//! `kubectl create service clusterip | externalname | loadbalancer | nodeport`.

use serde_json::{Value, json};

use super::{SHARED, finish, name};
use crate::programs::kubectl::{
    Cx, Error,
    flags::{Command, Flag, Parsed},
    valid, write,
};

/// `kubectl create service`
pub(super) static COMMAND: Command = Command {
    name: "service",
    aliases: &["svc"],
    usage: "service [flags]",
    short: "Create a service",
    subcommands: &[&CLUSTERIP, &EXTERNALNAME, &LOADBALANCER, &NODEPORT],
    ..Command::EMPTY
};

const TCP: Flag = Flag::slice("tcp", "Ports, port or port:targetPort.");

static CLUSTERIP: Command = Command {
    name: "clusterip",
    usage: "clusterip NAME [--tcp=<port>:<targetPort>] [--dry-run=server|client|none]",
    short: "Create a service inside the cluster",
    examples: "# Port 80 of the service is port 8080 of the pods\n\
               kubectl create service clusterip web --tcp=80:8080\n\n\
               # Without an address of its own\nkubectl create service clusterip web --clusterip=None",
    flags: &[
        &[TCP, Flag::str("clusterip", "", "The address to ask for, or None.")],
        SHARED,
        write::OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(run(cx, p, "ClusterIP"))),
    ..Command::EMPTY
};

static NODEPORT: Command = Command {
    name: "nodeport",
    usage: "nodeport NAME [--tcp=port:targetPort] [--dry-run=server|client|none]",
    short: "Create a service on a port of every node",
    examples: "# On a port that the cluster chooses\nkubectl create service nodeport web --tcp=80:8080",
    flags: &[&[TCP, Flag::int("node-port", "0", "The port on the nodes.")], SHARED, write::OUTPUT],
    run: Some(|cx, p| Box::pin(run(cx, p, "NodePort"))),
    ..Command::EMPTY
};

static LOADBALANCER: Command = Command {
    name: "loadbalancer",
    usage: "loadbalancer NAME [--tcp=port:targetPort] [--dry-run=server|client|none]",
    short: "Create a service behind a load balancer",
    examples: "# For the world\nkubectl create service loadbalancer web --tcp=80:8080",
    flags: &[&[TCP], SHARED, write::OUTPUT],
    run: Some(|cx, p| Box::pin(run(cx, p, "LoadBalancer"))),
    ..Command::EMPTY
};

static EXTERNALNAME: Command = Command {
    name: "externalname",
    usage: "externalname NAME --external-name external.name [--dry-run=server|client|none]",
    short: "Create a service that stands for a name outside",
    examples: "# db in the cluster is db.example.com\n\
               kubectl create service externalname db --external-name db.example.com",
    flags: &[
        &[TCP, Flag::str("external-name", "", "The name outside.").required()],
        SHARED,
        write::OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(run(cx, p, "ExternalName"))),
    ..Command::EMPTY
};

/// A port. Models `utilsnet.ParsePort` with zero allowed. Errors: Go's words.
fn parse_unsigned_port(text: &str) -> Result<i64, Error> {
    text.parse::<u16>().map(i64::from).map_err(|_| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let why = if digits { "value out of range" } else { "invalid syntax" };
        let text = crate::api::gofmt::quote(text);
        Error::plain(format!("strconv.ParseUint: parsing {text}: {why}"))
    })
}

fn ports(p: &Parsed) -> Result<Vec<Value>, Error> {
    let mut out = Vec::new();
    for spec in p.list("tcp") {
        let mut parts = spec.split(':');
        let port = parse_unsigned_port(parts.next().unwrap_or(""))?;
        let target = match parts.next().map(|text| (text, text.parse::<i64>())) {
            None => json!(port),
            Some((_, Ok(number))) if (1..=65_535).contains(&number) => json!(number),
            Some((_, Ok(_))) => {
                return Err(Error::plain("must be between 1 and 65535, inclusive"));
            }
            Some((text, Err(_))) => {
                valid::port_name(text).map_err(Error::Plain)?;
                json!(text)
            }
        };
        let name = spec.replace(':', "-");
        let mut entry =
            json!({"name": name, "port": port, "protocol": "TCP", "targetPort": target});
        if p.has("node-port") && p.int("node-port") != 0 {
            entry["nodePort"] = p.int("node-port").into();
        }
        out.push(entry);
    }
    Ok(out)
}

async fn run(cx: Cx, p: Parsed, kind: &str) -> Result<(), Error> {
    let name = name(&p)?;
    let ports = ports(&p)?;
    let headless = p.has("clusterip") && p.str("clusterip") == "None";
    if ports.is_empty() && !headless && kind != "ExternalName" {
        return Err(Error::plain("at least one tcp port specifier must be provided"));
    }
    if kind == "ExternalName" && !valid::is_subdomain(p.str("external-name")) {
        let name = p.str("external-name");
        return Err(Error::plain(format!("invalid service external name {name}")));
    }
    let labels = json!({"app": name});
    let mut spec = json!({"selector": labels, "type": kind});
    if !ports.is_empty() {
        spec["ports"] = json!(ports);
    }
    if p.has("clusterip") && !p.str("clusterip").is_empty() {
        spec["clusterIP"] = p.str("clusterip").into();
    }
    if kind == "ExternalName" {
        spec["externalName"] = p.str("external-name").into();
    }
    let object = json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "labels": labels}, "spec": spec, "status": {"loadBalancer": {}}});
    finish(cx, p, object, &format!("failed to create {kind} service")).await
}
