//! `kubectl create ingress | poddisruptionbudget | priorityclass | quota`.

use serde_json::{Map, Value, json};

use super::{SHARED, finish, name, pairs};
use crate::{
    api::gofmt::quote,
    programs::kubectl::{
        Cx, Error,
        flags::{Command, Flag, Parsed},
        write,
    },
};

/// `kubectl create quota`
pub(super) static QUOTA: Command = Command {
    name: "quota",
    aliases: &["resourcequota"],
    usage: "quota NAME [--hard=key1=value1,key2=value2] [--scopes=Scope1,Scope2] \
            [--dry-run=server|client|none]",
    short: "Create a quota",
    examples: "# At most three pods\nkubectl create quota q --hard=pods=3",
    flags: &[
        &[
            Flag::str("hard", "", "Limits: resource=quantity, comma-separated."),
            Flag::str("scopes", "", "What the limits are about, comma-separated."),
        ],
        SHARED,
        write::OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(quota(cx, p))),
    ..Command::EMPTY
};

fn split(text: &str) -> Vec<String> {
    text.split(',').filter(|s| !s.is_empty()).map(String::from).collect()
}

async fn quota(cx: Cx, p: Parsed) -> Result<(), Error> {
    let name = name(&p)?;
    let mut spec = Map::new();
    let hard = split(p.str("hard"));
    if let Some(wrong) = hard.iter().find(|item| item.split('=').count() != 2) {
        let text = format!("Invalid argument syntax {wrong}, expected <resource>=<value>");
        return Err(Error::plain(text));
    }
    let hard = pairs(&hard)?;
    if !hard.is_empty() {
        spec.insert("hard".into(), Value::Object(hard));
    }
    if !p.str("scopes").is_empty() {
        spec.insert("scopes".into(), json!(split(p.str("scopes"))));
    }
    let object = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": name},
        "spec": spec, "status": {}});
    finish(cx, p, object, "failed to create quota").await
}

/// `kubectl create priorityclass`
pub(super) static PRIORITYCLASS: Command = Command {
    name: "priorityclass",
    aliases: &["pc"],
    usage: "priorityclass NAME --value=VALUE --global-default=BOOL [--dry-run=server|client|none]",
    short: "Create a priority class",
    examples: "# More important than others\nkubectl create priorityclass high --value=1000",
    flags: &[
        &[
            Flag::str("description", "", "What it is for."),
            Flag::bool("global-default", false, "Whether pods without a class get this one."),
            Flag::str("preemption-policy", "PreemptLowerPriority", "Whether others have to go."),
            Flag::int32("value", "0", "How important."),
        ],
        SHARED,
        write::OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(priority(cx, p))),
    ..Command::EMPTY
};

async fn priority(cx: Cx, p: Parsed) -> Result<(), Error> {
    let name = name(&p)?;
    let mut object = json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass",
        "metadata": {"name": name}, "value": p.int("value"),
        "preemptionPolicy": p.str("preemption-policy")});
    if p.bool("global-default") {
        object["globalDefault"] = true.into();
    }
    if !p.str("description").is_empty() {
        object["description"] = p.str("description").into();
    }
    finish(cx, p, object, "failed to create priorityclass").await
}

/// `kubectl create poddisruptionbudget`
pub(super) static PDB: Command = Command {
    name: "poddisruptionbudget",
    aliases: &["pdb"],
    usage: "poddisruptionbudget NAME --selector=SELECTOR --min-available=N \
            [--dry-run=server|client|none]",
    short: "Create a pod disruption budget",
    examples: "# One pod has to stay\n\
               kubectl create poddisruptionbudget web --selector=app=web --min-available=1",
    flags: &[
        &[
            Flag::str("max-unavailable", "", "How many may be away: a number or a percentage."),
            Flag::str("min-available", "", "How many have to be there: a number or a percentage."),
            Flag::str("selector", "", "Which pods."),
        ],
        SHARED,
        write::OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(pdb(cx, p))),
    ..Command::EMPTY
};

async fn pdb(cx: Cx, p: Parsed) -> Result<(), Error> {
    let name = name(&p)?;
    if p.str("selector").is_empty() {
        return Err(Error::plain("a selector must be specified"));
    }
    let (min, max) = (p.str("min-available"), p.str("max-unavailable"));
    let number = |s: &str| s.parse::<i64>().map_or_else(|_| json!(s), |n| json!(n));
    let (field, value) = match (min, max) {
        ("", "") => {
            return Err(Error::plain("one of min-available or max-unavailable must be specified"));
        }
        (min, "") => ("minAvailable", number(min)),
        ("", max) => ("maxUnavailable", number(max)),
        _ => {
            return Err(Error::plain("min-available and max-unavailable cannot be both specified"));
        }
    };
    let labels = pairs(&split(p.str("selector")))?;
    let status = json!({"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0,
        "expectedPods": 0});
    let object = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
        "metadata": {"name": name}, "spec": {field: value, "selector": {"matchLabels": labels}},
        "status": status});
    finish(cx, p, object, "failed to create poddisruptionbudgets").await
}

/// `kubectl create ingress`
pub(super) static INGRESS: Command = Command {
    name: "ingress",
    aliases: &["ing"],
    usage: "ingress NAME --rule=host/path=service:port[,tls[=secret]] ",
    short: "Create an ingress",
    examples: "# Everything below /cart goes to web\n\
               kubectl create ingress web --rule=shop.example.com/cart*=web:80",
    flags: &[
        &[
            Flag::array("annotation", "Annotations: key=value."),
            Flag::str("class", "", "The ingress class."),
            Flag::str("default-backend", "", "Where everything else goes: service:port."),
            Flag::array("rule", "A rule: host/path=service:port[,tls[=secret]]."),
        ],
        SHARED,
        write::OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(ingress(cx, p))),
    ..Command::EMPTY
};

fn backend(text: &str) -> Option<Value> {
    let (service, port) = text.split_once(':')?;
    let port = match port.parse::<u16>() {
        Ok(number) => json!({"number": number}),
        Err(_) => json!({"name": port}),
    };
    Some(json!({"service": {"name": service, "port": port}}))
}

async fn ingress(cx: Cx, p: Parsed) -> Result<(), Error> {
    let name = name(&p)?;
    if p.list("rule").is_empty() && p.str("default-backend").is_empty() {
        return Err(Error::plain(
            "not enough information provided: every ingress has to either \
            specify a default-backend (which catches all traffic) or a list of rules (which catch \
            specific paths)",
        ));
    }
    let mut spec = Map::new();
    if !p.str("class").is_empty() {
        spec.insert("ingressClassName".into(), p.str("class").into());
    }
    if let Some(backend) = backend(p.str("default-backend")) {
        spec.insert("defaultBackend".into(), backend);
    }
    let mut hosts: Vec<(String, Vec<Value>)> = Vec::new();
    let mut tls: Vec<Value> = Vec::new();
    for rule in p.list("rule") {
        let wrong = || {
            Error::plain(format!(
                "rule {rule} is invalid and should be in format host/path=svcname:svcport[,tls[=secret]]"
            ))
        };
        let (main, extra) = rule.split_once(',').unwrap_or((rule, ""));
        let (place, target) = main.split_once('=').ok_or_else(wrong)?;
        let (host, path) = place.split_once('/').ok_or_else(wrong)?;
        let backend = backend(target).ok_or_else(wrong)?;
        let (path, kind) = match path.strip_suffix('*') {
            Some(path) => (path, "Prefix"),
            None => (path, "Exact"),
        };
        let entry = json!({"path": format!("/{path}"), "pathType": kind, "backend": backend});
        match hosts.iter_mut().find(|(h, _)| h == host) {
            Some((_, paths)) => paths.push(entry),
            None => hosts.push((host.to_owned(), vec![entry])),
        }
        if extra == "tls" || extra.starts_with("tls=") {
            let secret = extra.strip_prefix("tls=").unwrap_or("");
            let mut item = Map::new();
            if !host.is_empty() {
                item.insert("hosts".into(), json!([host]));
            }
            if !secret.is_empty() {
                item.insert("secretName".into(), secret.into());
            }
            tls.push(Value::Object(item));
        } else if !extra.is_empty() {
            return Err(Error::plain(format!("rule {} is invalid", quote(rule))));
        }
    }
    let rules: Vec<Value> = hosts
        .into_iter()
        .map(|(host, paths)| match host.as_str() {
            "" => json!({"http": {"paths": paths}}),
            host => json!({"host": host, "http": {"paths": paths}}),
        })
        .collect();
    if !rules.is_empty() {
        spec.insert("rules".into(), Value::Array(rules));
    }
    if !tls.is_empty() {
        spec.insert("tls".into(), Value::Array(tls));
    }
    let mut object = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": name}, "spec": spec, "status": {"loadBalancer": {}}});
    for (key, value) in pairs(p.list("annotation"))? {
        write::annotate(&mut object, &key, value);
    }
    finish(cx, p, object, "failed to create ingress").await
}
