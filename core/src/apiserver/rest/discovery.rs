//! Discovery: which groups, versions, kinds and verbs there are, in the old form and aggregated.
//!
//! Everything follows from the table of kinds; only what it does not hold is listed here: the order
//! of groups and what subresources carry.
//!
//! Models `apiserver/pkg/endpoints/discovery`.

use std::rc::Rc;

use serde_json::{Value, json};

use super::{Call, Response, page_not_found};
use crate::{
    api::{Kind, base64, kinds::KindTable, versions},
    sim::digest::sha256_bytes,
};

/// Groups in the order of their priorities (`apiservice` registrations); others follow by name.
const GROUPS: &[&str] = &[
    "",
    "apiregistration.k8s.io",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
    "discovery.k8s.io",
    "resource.k8s.io",
    "flowcontrol.apiserver.k8s.io",
];

/// What a subresource carries, where it is not its resource's own kind.
struct Part {
    name: &'static str,
    /// Of this resource only; empty: of all.
    of: &'static str,
    kind: &'static str,
    group: &'static str,
    version: &'static str,
    verbs: &'static [&'static str],
}

const STREAM: &[&str] = &["create", "get"];
const PROXY: &[&str] = &["create", "delete", "get", "patch", "update"];
const CHANGE: &[&str] = &["get", "patch", "update"];

/// Sorted by name and resource.
const PARTS: &[Part] = &[
    part("approval", "", "", ("", ""), CHANGE),
    part("attach", "", "PodAttachOptions", ("", ""), STREAM),
    part("binding", "", "Binding", ("", ""), &["create"]),
    part("eviction", "", "Eviction", ("policy", "v1"), &["create"]),
    part("exec", "", "PodExecOptions", ("", ""), STREAM),
    part("finalize", "", "", ("", ""), &["update"]),
    part("log", "", "", ("", ""), &["get"]),
    part("portforward", "", "PodPortForwardOptions", ("", ""), STREAM),
    part("proxy", "nodes", "NodeProxyOptions", ("", ""), PROXY),
    part("proxy", "pods", "PodProxyOptions", ("", ""), PROXY),
    part("proxy", "services", "ServiceProxyOptions", ("", ""), PROXY),
    part("scale", "", "Scale", ("autoscaling", "v1"), CHANGE),
    part("token", "", "TokenRequest", ("authentication.k8s.io", "v1"), &["create"]),
];

const fn part(
    name: &'static str,
    of: &'static str,
    kind: &'static str,
    (group, version): (&'static str, &'static str),
    verbs: &'static [&'static str],
) -> Part {
    Part { name, of, kind, group, version, verbs }
}

/// Media type of the aggregated form.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// A subresource: kind, group, version (empty: its resource's own) and verbs.
fn subresource(kind: &Kind, name: &str) -> (String, &'static str, &'static str, Vec<&'static str>) {
    let fits = |p: &&Part| p.name == name && (p.of.is_empty() || p.of == kind.plural);
    match PARTS.iter().find(fits) {
        Some(p) if p.kind.is_empty() => (kind.kind.to_string(), "", "", p.verbs.to_vec()),
        Some(p) => (p.kind.into(), p.group, p.version, p.verbs.to_vec()),
        None => (kind.kind.to_string(), "", "", CHANGE.to_vec()),
    }
}

/// Groups and their versions, in the order in which they are told.
fn groups(kinds: &KindTable) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for kind in kinds.iter() {
        let at = found.iter().position(|(group, _)| *group == kind.group).unwrap_or_else(|| {
            found.push((kind.group.to_string(), Vec::new()));
            found.len() - 1
        });
        if let Some((_, versions)) = found.get_mut(at) {
            if !versions.iter().any(|v| *v == kind.version) {
                versions.push(kind.version.to_string());
            }
        }
    }
    let place = |group: &str| GROUPS.iter().position(|g| *g == group).unwrap_or(GROUPS.len());
    found.sort_by_key(|(group, _)| (place(group), group.clone()));
    found.iter_mut().for_each(|(_, versions)| versions.sort_by_key(|v| versions::order(v)));
    found
}

fn of_version(kinds: &KindTable, group: &str, version: &str) -> Vec<Rc<Kind>> {
    let all = kinds.iter().filter(|k| k.group == group && k.version == version);
    let mut found: Vec<_> = all.cloned().collect();
    found.sort_by(|a, b| a.plural.cmp(&b.plural));
    found
}

impl Call<'_> {
    pub(super) fn discovery(&self, segments: &[&str]) -> Response {
        if !matches!(self.method(), "GET" | "HEAD") {
            return super::failure(&super::not_allowed(), Some(&self.accept));
        }
        let kinds = self.api.kinds();
        let value = match segments {
            ["api"] if self.accept.aggregated => return self.aggregated(&kinds, true),
            ["apis"] if self.accept.aggregated => return self.aggregated(&kinds, false),
            ["api"] => json!({"kind": "APIVersions", "versions": ["v1"],
                "serverAddressByClientCIDRs": [
                    {"clientCIDR": "0.0.0.0/0", "serverAddress": self.request.header("host")}]}),
            ["apis"] => {
                let all = groups(&kinds);
                let named = all.iter().filter(|(group, _)| !group.is_empty());
                let list: Vec<Value> = named.map(|(g, versions)| group(g, versions)).collect();
                json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": list})
            }
            ["apis", name] => {
                let all = groups(&kinds);
                let Some((name, versions)) =
                    all.iter().find(|(group, _)| group == name && !group.is_empty())
                else {
                    return page_not_found();
                };
                let mut value = group(name, versions);
                value["kind"] = "APIGroup".into();
                value["apiVersion"] = "v1".into();
                value
            }
            ["api", version] => match resources(&kinds, "", version) {
                Some(value) => value,
                None => return page_not_found(),
            },
            ["apis", group, version] if !group.is_empty() => {
                match resources(&kinds, group, version) {
                    Some(value) => value,
                    None => return page_not_found(),
                }
            }
            _ => return page_not_found(),
        };
        self.accept.plain().encode(200, &value)
    }

    fn aggregated(&self, kinds: &KindTable, core: bool) -> Response {
        let all = groups(kinds);
        let chosen = all.iter().filter(|(group, _)| group.is_empty() == core);
        let items: Vec<Value> = chosen
            .map(|(group, versions)| {
                let versions: Vec<Value> = versions
                    .iter()
                    .map(|version| {
                        let list = of_version(kinds, group, version);
                        let resources: Vec<Value> = list.iter().map(|k| aggregate(k)).collect();
                        json!({"version": version, "resources": resources,
                            "freshness": "Current"})
                    })
                    .collect();
                let metadata = if core {
                    json!({"creationTimestamp": null})
                } else {
                    json!({"name": group, "creationTimestamp": null})
                };
                json!({"metadata": metadata, "versions": versions})
            })
            .collect();
        let value = json!({"kind": "APIGroupDiscoveryList",
            "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items});
        let text = self.accept.plain().write(&value);
        Response::bytes(200, AGGREGATED, text.into_bytes())
    }
}

fn group(name: &str, versions: &[String]) -> Value {
    let list: Vec<Value> = versions
        .iter()
        .map(|v| json!({"groupVersion": format!("{name}/{v}"), "version": v}))
        .collect();
    let preferred = list.first().cloned().unwrap_or_default();
    json!({"name": name, "versions": list, "preferredVersion": preferred})
}

fn resources(kinds: &KindTable, group: &str, version: &str) -> Option<Value> {
    let mut list = Vec::new();
    for kind in of_version(kinds, group, version) {
        let mut line = json!({"name": kind.plural, "singularName": kind.singular,
            "namespaced": kind.namespaced, "kind": kind.kind, "verbs": kind.verbs()});
        if !kind.short_names.is_empty() {
            line["shortNames"] = json!(kind.short_names);
        }
        if !kind.categories.is_empty() {
            line["categories"] = json!(kind.categories);
        }
        if kind.is_stored() {
            line["storageVersionHash"] = storage_version_hash(&kind).into();
        }
        list.push(line);
        for sub in kind.subresources {
            let (carried, group, version, verbs) = subresource(&kind, sub);
            let mut line = json!({"name": format!("{}/{sub}", kind.plural), "singularName": "",
                "namespaced": kind.namespaced, "kind": carried, "verbs": verbs});
            if !version.is_empty() {
                line["group"] = group.into();
                line["version"] = version.into();
            }
            list.push(line);
        }
    }
    if list.is_empty() {
        return None;
    }
    let name = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    let mut value = json!({"kind": "APIResourceList", "groupVersion": name, "resources": list});
    if !group.is_empty() {
        value["apiVersion"] = "v1".into();
    }
    Some(value)
}

/// Kinds that etcd keeps in another group or version than they are asked for in.
const STORED_AS: &[(&str, &str, &str)] = &[
    ("apiextensions.k8s.io", "v1", "apiextensions.k8s.io/v1beta1"),
    ("autoscaling", "v1", "autoscaling/v2"),
    ("events.k8s.io", "v1", "/v1"),
];

/// Models `discovery.StorageVersionHash`.
fn storage_version_hash(kind: &Kind) -> String {
    let asked = (&*kind.group, &*kind.version);
    let kept = STORED_AS.iter().find(|(group, version, _)| (*group, *version) == asked);
    let place = match kept {
        Some((.., place)) => (*place).to_owned(),
        None => format!("{}/{}", kind.group, kind.version),
    };
    let hash = sha256_bytes(format!("{place}/{}", kind.kind).as_bytes());
    base64::encode(hash.get(..8).unwrap_or_default())
}

fn aggregate(kind: &Kind) -> Value {
    let own = json!({"group": kind.group, "version": kind.version, "kind": kind.kind});
    let scope = if kind.namespaced { "Namespaced" } else { "Cluster" };
    let mut line = json!({"resource": kind.plural, "responseKind": own, "scope": scope,
        "singularResource": kind.singular, "verbs": kind.verbs()});
    if !kind.short_names.is_empty() {
        line["shortNames"] = json!(kind.short_names);
    }
    if !kind.categories.is_empty() {
        line["categories"] = json!(kind.categories);
    }
    let parts: Vec<Value> = kind
        .subresources
        .iter()
        .map(|sub| {
            let (carried, group, version, verbs) = subresource(kind, sub);
            let of = match version {
                "" => json!({"group": kind.group, "version": kind.version, "kind": carried}),
                _ => json!({"group": group, "version": version, "kind": carried}),
            };
            json!({"subresource": sub, "responseKind": of, "verbs": verbs})
        })
        .collect();
    if !parts.is_empty() {
        line["subresources"] = Value::Array(parts);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_parts_is_sorted() {
        assert!(PARTS.is_sorted_by_key(|p| (p.name, p.of)));
        let table = KindTable::default();
        for (version, kind, hash) in [
            ("v1", "Pod", "xPOwRZ+Yhw8="),
            ("apps/v1", "Deployment", "8aSe+NMegvE="),
            ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "jfWCUB31mvA="),
        ] {
            let kind = table.by_kind(version, kind).unwrap();
            assert_eq!(storage_version_hash(kind), hash);
        }
    }
}
