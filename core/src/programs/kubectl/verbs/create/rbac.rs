//! `kubectl create role | clusterrole | rolebinding | clusterrolebinding`.

use serde_json::{Value, json};

use super::{SHARED, finish, name};
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

/// `kubectl create role`
pub(super) static ROLE: Command = Command {
    name: "role",
    usage: "role NAME --verb=verb --resource=resource.group/subresource [--resource-name=resourcename] \
            [--dry-run=server|client|none]",
    short: "Create a role",
    examples: "# May read pods\nkubectl create role reader --verb=get,list --resource=pods",
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
    examples: "# May read nodes\nkubectl create clusterrole reader --verb=get,list --resource=nodes",
    flags: &[RULE, SHARED, write::OUTPUT],
    run: Some(|cx, p| Box::pin(role(cx, p, "ClusterRole"))),
    ..Command::EMPTY
};

async fn role(cx: Cx, p: Parsed, kind: &str) -> Result<(), Error> {
    let name = name(&p)?;
    let (verbs, names) = (p.list("verb"), p.list("resource-name"));
    if verbs.is_empty() {
        return Err(Error::plain("at least one verb must be specified"));
    }
    if p.list("resource").is_empty() {
        return Err(Error::plain("at least one resource must be specified"));
    }
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for word in p.list("resource") {
        let (resource, sub) = word.split_once('/').unwrap_or((word, ""));
        // The server knows which group a bare word is in.
        let (resource, group) = match resource.split_once('.') {
            Some((resource, group)) => (resource.to_owned(), group.to_owned()),
            None if resource == "*" => ("*".to_owned(), String::new()),
            None => {
                let conn = cx.connect(&p, 5)?;
                let kind = resources::kind_for(&conn, resource)?;
                (kind.plural.to_string(), kind.group.to_string())
            }
        };
        let resource = if sub.is_empty() { resource } else { format!("{resource}/{sub}") };
        match groups.iter_mut().find(|(g, _)| *g == group) {
            Some((_, list)) => list.push(resource),
            None => groups.push((group, vec![resource])),
        }
    }
    let rules: Vec<Value> = groups
        .into_iter()
        .map(|(group, list)| {
            let mut rule = json!({"verbs": verbs, "apiGroups": [group], "resources": list});
            if !names.is_empty() {
                rule["resourceNames"] = json!(names);
            }
            rule
        })
        .collect();
    let object = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind,
        "metadata": {"name": name}, "rules": rules});
    finish(cx, p, object, "").await
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
    flags: &[&[Flag::str("clusterrole", "", "The cluster role.")], SUBJECTS, SHARED, write::OUTPUT],
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
        let Some((namespace, name)) =
            account.split_once(':').filter(|(a, b)| !a.is_empty() && !b.is_empty())
        else {
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
    finish(cx, p, object, "").await
}
