//! `kubectl create role | clusterrole | rolebinding | clusterrolebinding`.
//!
//! Models `k8s.io/kubectl/pkg/cmd/create/create_{role,clusterrole,rolebinding,clusterrolebinding}.go`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{SHARED, finish, name, pairs};
use crate::programs::kubectl::{
    Cx, Error,
    flags::{Command, Flag, Parsed},
    resources, write,
};

const RULE: &[Flag] = &[
    Flag::slice("resource", "What the rule is about: resources, with a group after a dot."),
    Flag::array("resource-name", "Names of the objects that the rule is about."),
    Flag::slice("verb", "What may be done."),
];

const CLUSTER_RULE: &[Flag] = &[
    Flag::slice("aggregation-rule", "Labels of the roles that this one is the sum of: key=value.")
        .default(""),
    Flag::slice("non-resource-url", "Paths of the server that the rule is about."),
];

const VERBS: &[&str] = &[
    "*",
    "get",
    "delete",
    "list",
    "create",
    "update",
    "patch",
    "watch",
    "proxy",
    "deletecollection",
    "use",
    "bind",
    "escalate",
    "impersonate",
];
const PATH_VERBS: &[&str] = &["*", "get", "post", "put", "delete", "patch", "head", "options"];

/// Verbs that only mean something on these resources: verb, group, resource.
const SPECIAL: &[(&str, &str, &str)] = &[
    ("bind", "rbac.authorization.k8s.io", "roles"),
    ("bind", "rbac.authorization.k8s.io", "clusterroles"),
    ("escalate", "rbac.authorization.k8s.io", "roles"),
    ("escalate", "rbac.authorization.k8s.io", "clusterroles"),
    ("impersonate", "", "users"),
    ("impersonate", "", "serviceaccounts"),
    ("impersonate", "", "groups"),
    ("impersonate", "authentication.k8s.io", "userextras"),
    ("use", "policy", "podsecuritypolicies"),
    ("use", "extensions", "podsecuritypolicies"),
];

/// `kubectl create role`
pub(super) static ROLE: Command = Command {
    name: "role",
    usage: "role NAME --verb=verb --resource=resource.group/subresource [--resource-name=resourcename] \
            [--dry-run=server|client|none]",
    short: "Create a role with one rule",
    examples: "# May read pods\nkubectl create role reader --verb=get,list --resource=pods\n\n\
               # Only these pods\n\
               kubectl create role reader --verb=get --resource=pods --resource-name=web\n\n\
               # Resources of a group, and their status\n\
               kubectl create role reader --verb=get --resource=rs.apps,deployments.apps/status",
    flags: &[RULE, SHARED, write::OUTPUT],
    run: Some(|cx, p| Box::pin(role(cx, p, "Role"))),
    ..Command::EMPTY
};

/// `kubectl create clusterrole`
pub(super) static CLUSTERROLE: Command = Command {
    name: "clusterrole",
    usage: "clusterrole NAME --verb=verb --resource=resource.group [--resource-name=resourcename] \
            [--dry-run=server|client|none]",
    short: "Create a cluster role",
    examples: "# May read nodes\nkubectl create clusterrole reader --verb=get,list --resource=nodes\n\n\
               # May read paths of the server\n\
               kubectl create clusterrole logs --verb=get --non-resource-url=/logs/*\n\n\
               # The sum of the roles with a label\n\
               kubectl create clusterrole monitoring \
               --aggregation-rule=\"example.com/aggregate-to-monitoring=true\"",
    flags: &[RULE, CLUSTER_RULE, SHARED, write::OUTPUT],
    run: Some(|cx, p| Box::pin(role(cx, p, "ClusterRole"))),
    ..Command::EMPTY
};

fn unique(items: &[String]) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for item in items {
        if !out.contains(item) {
            out.push(item.clone());
        }
    }
    out
}

/// A resource as a rule names it.
struct Target {
    group: String,
    resource: String,
    subresource: String,
}

async fn role(cx: Cx, p: Parsed, kind: &str) -> Result<(), Error> {
    let name = name(&p)?;
    let cluster = kind == "ClusterRole";
    let mut verbs = unique(p.list("verb"));
    if verbs.iter().any(|v| v == "*") {
        verbs = vec!["*".into()];
    }
    let names = unique(p.list("resource-name"));
    let urls = unique(p.list("non-resource-url"));
    let sum = pairs(p.list("aggregation-rule"))?;
    let mut object = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind,
        "metadata": {"name": name}});
    if !sum.is_empty() {
        if !(urls.is_empty()
            && verbs.is_empty()
            && names.is_empty()
            && p.list("resource").is_empty())
        {
            return Err(Error::plain(
                "aggregation rule must be specified without nonResourceURLs, verbs, resources or \
                 resourceNames",
            ));
        }
        object["aggregationRule"] = json!({"clusterRoleSelectors": [{"matchLabels": sum}]});
        object["rules"] = Value::Null;
        return finish(cx, p, object, "").await;
    }
    if verbs.is_empty() {
        return Err(Error::plain("at least one verb must be specified"));
    }
    if p.list("resource").is_empty() && urls.is_empty() {
        return Err(Error::plain(if cluster {
            "one of resource or nonResourceURL must be specified"
        } else {
            "at least one resource must be specified"
        }));
    }
    let targets = targets(&cx, &p, &verbs).await?;
    check_urls(&urls, &verbs)?;
    let mut rules = resource_rules(targets, &verbs, &names);
    if !urls.is_empty() {
        rules.push(json!({"nonResourceURLs": urls, "verbs": verbs}));
    }
    object["rules"] = Value::Array(rules);
    finish(cx, p, object, "").await
}

/// What `--resource` names, as the server calls it.
async fn targets(cx: &Cx, p: &Parsed, verbs: &[String]) -> Result<Vec<Target>, Error> {
    let mut targets: Vec<Target> = Vec::new();
    if p.list("resource").is_empty() {
        return Ok(targets);
    }
    for verb in verbs.iter().filter(|v| !VERBS.contains(&v.as_str())) {
        cx.err(&format!("Warning: '{verb}' is not a standard resource verb\n")).await;
    }
    for word in p.list("resource") {
        let (full, sub) = word.split_once('/').unwrap_or((word, ""));
        let (resource, group) = full.split_once('.').unwrap_or((full, ""));
        let mut target = Target {
            group: group.to_owned(),
            resource: resource.to_owned(),
            subresource: sub.to_owned(),
        };
        if word == "*" {
            return Ok(vec![target]);
        }
        if resource.is_empty() {
            let text = "resource must be specified if apiGroup/subresource specified";
            return Err(Error::plain(text));
        }
        if resource != "*" {
            name_as_server(cx, p, verbs, full, &mut target)?;
        }
        targets.push(target);
    }
    Ok(targets)
}

fn name_as_server(
    cx: &Cx,
    p: &Parsed,
    verbs: &[String],
    word: &str,
    target: &mut Target,
) -> Result<(), Error> {
    let conn = cx.connect(p, 5)?;
    // What is not known is told without an introduction, other than elsewhere.
    let known = resources::kind_for(&conn, word).map_err(|e| Error::Bare(e.message()));
    if let Ok(kind) = &known {
        target.group = kind.group.to_string();
        target.resource = kind.plural.to_string();
    }
    let mut special = false;
    for verb in verbs {
        let mut places = SPECIAL.iter().filter(|(v, ..)| v == verb).peekable();
        if places.peek().is_none() {
            continue;
        }
        special = true;
        if !places.any(|(_, g, r)| *g == target.group && *r == target.resource) {
            return Err(Error::plain(format!(
                "can not perform '{verb}' on '{}' in group '{}'",
                target.resource, target.group
            )));
        }
    }
    if special { Ok(()) } else { known.map(|_| ()) }
}

fn check_urls(urls: &[String], verbs: &[String]) -> Result<(), Error> {
    if urls.is_empty() {
        return Ok(());
    }
    if let Some(verb) = verbs.iter().find(|v| !PATH_VERBS.contains(&v.as_str())) {
        return Err(Error::plain(format!("invalid verb: '{verb}' for nonResourceURL")));
    }
    for url in urls.iter().filter(|u| *u != "*") {
        if !url.starts_with('/') {
            return Err(Error::plain("nonResourceURL should start with /"));
        }
        if url.strip_suffix('*').unwrap_or(url).contains('*') {
            return Err(Error::plain(
                "nonResourceURL only supports wildcard matches when '*' is at the end",
            ));
        }
    }
    Ok(())
}

/// One rule a group.
fn resource_rules(targets: Vec<Target>, verbs: &[String], names: &[String]) -> Vec<Value> {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for target in targets {
        let resource = match target.subresource.as_str() {
            "" => target.resource,
            sub => format!("{}/{sub}", target.resource),
        };
        let list = groups.entry(target.group).or_default();
        if !list.contains(&resource) {
            list.push(resource);
        }
    }
    let rule = |(group, resources): (String, Vec<String>)| {
        let mut rule = Map::new();
        rule.insert("apiGroups".into(), json!([group]));
        if !names.is_empty() {
            rule.insert("resourceNames".into(), json!(names));
        }
        rule.insert("resources".into(), json!(resources));
        rule.insert("verbs".into(), json!(verbs));
        Value::Object(rule)
    };
    groups.into_iter().map(rule).collect()
}

const SUBJECTS: &[Flag] = &[
    Flag::array("group", "Groups that get the role."),
    Flag::array("serviceaccount", "Service accounts that get the role: namespace:name."),
    Flag::array("user", "Users that get the role."),
];

/// `kubectl create rolebinding`
pub(super) static ROLEBINDING: Command = Command {
    name: "rolebinding",
    usage: "rolebinding NAME --clusterrole=NAME|--role=NAME [--user=username] [--group=groupname] \
            [--serviceaccount=namespace:serviceaccountname] [--dry-run=server|client|none]",
    short: "Give a role to somebody in a namespace",
    examples: "# jane may read\nkubectl create rolebinding rb --role=reader --user=jane",
    flags: &[
        &[Flag::str("clusterrole", "", "The cluster role."), Flag::str("role", "", "The role.")],
        SUBJECTS,
        SHARED,
        write::OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(binding(cx, p, "RoleBinding"))),
    ..Command::EMPTY
};

/// `kubectl create clusterrolebinding`
pub(super) static CLUSTERROLEBINDING: Command = Command {
    name: "clusterrolebinding",
    usage: "clusterrolebinding NAME --clusterrole=NAME [--user=username] [--group=groupname] \
            [--serviceaccount=namespace:serviceaccountname] [--dry-run=server|client|none]",
    short: "Give a cluster role to somebody everywhere",
    examples: "# jane may do everything\n\
               kubectl create clusterrolebinding rb --clusterrole=cluster-admin --user=jane",
    flags: &[
        &[Flag::str("clusterrole", "", "The cluster role.").required()],
        SUBJECTS,
        SHARED,
        write::OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(binding(cx, p, "ClusterRoleBinding"))),
    ..Command::EMPTY
};

async fn binding(cx: Cx, p: Parsed, kind: &str) -> Result<(), Error> {
    let name = name(&p)?;
    let group = "rbac.authorization.k8s.io";
    let cluster = p.str("clusterrole");
    let role = if p.has("role") { p.str("role") } else { "" };
    let (ref_kind, ref_name) = match (cluster, role) {
        ("", "") | (_, "") if cluster.is_empty() => {
            let text = if p.has("role") {
                "exactly one of clusterrole or role must be specified"
            } else {
                "clusterrole must be specified"
            };
            return Err(Error::plain(text));
        }
        ("", role) => ("Role", role),
        (cluster, "") => ("ClusterRole", cluster),
        _ => {
            return Err(Error::plain("exactly one of clusterrole or role must be specified"));
        }
    };
    let mut subjects = Vec::new();
    for (flag, kind) in [("user", "User"), ("group", "Group")] {
        for name in p.list(flag) {
            subjects.push(json!({"apiGroup": group, "kind": kind, "name": name}));
        }
    }
    for account in p.list("serviceaccount") {
        let parts = account.split_once(':');
        let whole = |(a, b): &(&str, &str)| !a.is_empty() && !b.is_empty() && !b.contains(':');
        let Some((namespace, name)) = parts.filter(whole) else {
            return Err(Error::plain("serviceaccount must be <namespace>:<name>"));
        };
        subjects.push(json!({"kind": "ServiceAccount", "name": name, "namespace": namespace}));
    }
    let mut object = json!({"apiVersion": format!("{group}/v1"), "kind": kind,
        "metadata": {"name": name},
        "roleRef": {"apiGroup": group, "kind": ref_kind, "name": ref_name}});
    if !subjects.is_empty() {
        object["subjects"] = Value::Array(subjects);
    }
    let wrap = format!("failed to create {}", kind.to_lowercase());
    finish(cx, p, object, &wrap).await
}
