//! `kubectl create ingress | poddisruptionbudget | priorityclass | quota`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelectorRequirement;
use serde_json::{Map, Value, json};

use super::{SHARED, finish, name, pairs};
use crate::{
    api::{gofmt::quote, quantity, selector::Selector},
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

async fn quota(cx: Cx, p: Parsed) -> Result<(), Error> {
    let name = name(&p)?;
    let mut spec = Map::new();
    let mut hard = Map::new();
    for item in p.str("hard").split(',').filter(|_| !p.str("hard").is_empty()) {
        let parts: Vec<&str> = item.split('=').collect();
        let [resource, amount] = parts.as_slice() else {
            let text = format!("Invalid argument syntax {item}, expected <resource>=<value>");
            return Err(Error::plain(text));
        };
        let amount = quantity::canonical(amount).map_err(Error::plain)?;
        hard.insert((*resource).to_owned(), amount.into());
    }
    if !hard.is_empty() {
        spec.insert("hard".into(), Value::Object(hard));
    }
    if !p.str("scopes").is_empty() {
        let scopes: Vec<&str> = p.str("scopes").split(',').collect();
        if scopes.contains(&"") {
            return Err(Error::plain("invalid resource quota scope \"\""));
        }
        spec.insert("scopes".into(), json!(scopes));
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
    for (flag, text) in [("min-available", min), ("max-unavailable", max)] {
        let digits = text.strip_suffix('%').unwrap_or(text);
        if !text.is_empty() && (digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit())) {
            return Err(Error::plain(format!("invalid format specified for {flag}")));
        }
    }
    let selector = label_selector(p.str("selector"))?;
    let status = json!({"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0,
        "expectedPods": 0});
    let object = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
        "metadata": {"name": name}, "spec": {field: value, "selector": selector},
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

/// What `--selector` says as a field. Models `metav1.ParseToLabelSelector`.
pub fn label_selector(text: &str) -> Result<Value, Error> {
    let selector = Selector::parse(text).map_err(|why| {
        Error::plain(format!("couldn't parse the selector string {}: {why}", quote(text)))
    })?;
    let fields = selector.to_label_selector().map_err(Error::Plain)?;
    let mut map = Map::new();
    let expressions = fields.match_expressions.unwrap_or_default();
    if !expressions.is_empty() {
        let one = |e: LabelSelectorRequirement| match e.values {
            None => json!({"key": e.key, "operator": e.operator}),
            Some(values) => json!({"key": e.key, "operator": e.operator, "values": values}),
        };
        map.insert("matchExpressions".into(), expressions.into_iter().map(one).collect());
    }
    if let Some(labels) = fields.match_labels {
        map.insert("matchLabels".into(), json!(labels));
    }
    Ok(Value::Object(map))
}

fn backend(text: &str) -> Value {
    let mut parts = text.split(':');
    let (service, port) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let port = match port.parse::<i32>() {
        Ok(number) => json!({"number": number}),
        Err(_) => json!({"name": port}),
    };
    json!({"service": {"name": service, "port": port}})
}

/// Host, path, service and port of the beginning of a rule; `None` where it has no such form.
fn rule_parts(rule: &str) -> Option<(&str, &str)> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = rule.find(|c: char| !(word(c) || "*-.".contains(c))).unwrap_or(rule.len());
    let path = rule.get(end..).filter(|rest| rest.starts_with('/'))?;
    // The path is as long as it can be.
    path.match_indices('=').rev().find_map(|(at, _)| {
        let (service, port) = path.get(at + 1..)?.split_once(':')?;
        let part = |c: char| word(c) || c == '-';
        let named = !service.is_empty() && service.chars().all(part) && port.starts_with(part);
        named.then(|| (&rule[..end], &path[..at]))
    })
}

fn check_ingress(p: &Parsed) -> Result<(), Error> {
    if p.list("rule").is_empty() && p.str("default-backend").is_empty() {
        return Err(Error::plain(
            "not enough information provided: every ingress has to either specify a \
             default-backend (which catches all traffic) or a list of rules (which catch specific \
             paths)",
        ));
    }
    if let Some(rule) = p.list("rule").iter().find(|rule| rule_parts(rule).is_none()) {
        return Err(Error::plain(format!(
            "rule {rule} is invalid and should be in format host/path=svcname:svcport[,tls[=secret]]"
        )));
    }
    if let Some(bad) = p.list("annotation").iter().find(|text| !text.contains('=')) {
        return Err(Error::plain(format!(
            "annotation {bad} is invalid and should be in format key=[value]"
        )));
    }
    let fallback = p.str("default-backend");
    if !fallback.is_empty() && fallback.split(':').count() != 2 {
        let text = "default-backend should be in format servicename:serviceport";
        return Err(Error::plain(text));
    }
    Ok(())
}

/// Hosts with the secrets of their certificates, one entry a secret. Models `buildTLSRules`.
fn tls(rules: &[String]) -> Vec<Value> {
    let mut seen: Vec<&str> = Vec::new();
    let mut out: Vec<Value> = Vec::new();
    for rule in rules {
        let parts: Vec<&str> = rule.split(',').collect();
        let [_, extra] = parts.as_slice() else { continue };
        let host = rule.split('/').next().unwrap_or("");
        if seen.contains(&host) {
            continue;
        }
        seen.push(host);
        let secret = extra.split('=').nth(1).unwrap_or("");
        let same = |item: &&mut Value| item["secretName"].as_str().unwrap_or("") == secret;
        if let Some(hosts) = out.iter_mut().find(same).map(|item| &mut item["hosts"]) {
            match hosts {
                Value::Array(list) => list.push(host.into()),
                other => *other = json!([host]),
            }
            continue;
        }
        let mut item = Map::new();
        if !host.is_empty() {
            item.insert("hosts".into(), json!([host]));
        }
        if !secret.is_empty() {
            item.insert("secretName".into(), secret.into());
        }
        if !item.is_empty() {
            out.push(Value::Object(item));
        }
    }
    out
}

async fn ingress(cx: Cx, p: Parsed) -> Result<(), Error> {
    let name = name(&p)?;
    check_ingress(&p)?;
    let mut spec = Map::new();
    if !p.str("class").is_empty() {
        spec.insert("ingressClassName".into(), p.str("class").into());
    }
    if !p.str("default-backend").is_empty() {
        spec.insert("defaultBackend".into(), backend(p.str("default-backend")));
    }
    let mut hosts: Vec<(String, Vec<Value>)> = Vec::new();
    for rule in p.list("rule") {
        let main = rule.split(',').next().unwrap_or("");
        let (host, rest) = main.split_once('/').unwrap_or((main, ""));
        let mut parts = rest.split('=');
        let (path, target) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let (path, kind) = match path.strip_suffix('*') {
            Some(path) => (path, "Prefix"),
            None => (path, "Exact"),
        };
        let entry =
            json!({"path": format!("/{path}"), "pathType": kind, "backend": backend(target)});
        match hosts.iter_mut().find(|(h, _)| h == host) {
            Some((_, paths)) => paths.push(entry),
            None => hosts.push((host.to_owned(), vec![entry])),
        }
    }
    let tls = tls(p.list("rule"));
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
