//! What single rules of roles mean.
//!
//! Models `pkg/apis/rbac/v1/evaluation_helpers.go` and `component-helpers/auth/rbac/validation`.

use k8s_openapi::api::rbac::v1::PolicyRule;

use super::Attributes;

const ALL: &str = "*";

fn list(list: &Option<Vec<String>>) -> &[String] {
    list.as_deref().unwrap_or_default()
}

fn has(items: &[String], wanted: &str) -> bool {
    items.iter().any(|item| item == ALL || item == wanted)
}

/// Whether a rule allows a request.
pub fn allows(rule: &PolicyRule, attributes: &Attributes) -> bool {
    if !has(&rule.verbs, attributes.verb) {
        return false;
    }
    if !attributes.is_resource() {
        return list(&rule.non_resource_urls).iter().any(|url| url_covers(url, attributes.path));
    }
    let names = list(&rule.resource_names);
    has(list(&rule.api_groups), attributes.group)
        && (names.is_empty() || names.iter().any(|name| name == attributes.name))
        && list(&rule.resources).iter().any(|r| resource_covers(r, attributes))
}

/// `*`, `pods`, `pods/log`, `*/scale`.
fn resource_covers(rule: &str, attributes: &Attributes) -> bool {
    if rule == ALL {
        return true;
    }
    match rule.split_once('/') {
        None => attributes.subresource.is_empty() && rule == attributes.resource,
        Some((resource, sub)) => {
            !attributes.subresource.is_empty()
                && sub == attributes.subresource
                && (resource == ALL || resource == attributes.resource)
        }
    }
}

/// `/healthz`, `/apis/*`, `*`.
fn url_covers(rule: &str, path: &str) -> bool {
    rule == ALL
        || rule == path
        || rule.strip_suffix(ALL).is_some_and(|prefix| path.starts_with(prefix))
}

/// The rules of `wanted` that `owned` does not cover, taken apart to one verb and one resource
/// each. Models `rbac/validation.Covers`.
pub fn uncovered(owned: &[PolicyRule], wanted: &[PolicyRule]) -> Vec<PolicyRule> {
    let single = wanted.iter().flat_map(break_down);
    single.filter(|sub| !owned.iter().any(|rule| covers(rule, sub))).collect()
}

/// One rule as several that each have one verb, one resource (or URL) and at most one name.
/// Models `BreakdownRule`.
pub fn break_down(rule: &PolicyRule) -> Vec<PolicyRule> {
    let mut out = Vec::new();
    let names = list(&rule.resource_names);
    let names: Vec<Option<&String>> =
        if names.is_empty() { vec![None] } else { names.iter().map(Some).collect() };
    for group in list(&rule.api_groups) {
        for resource in list(&rule.resources) {
            for verb in &rule.verbs {
                out.extend(names.iter().map(|name| PolicyRule {
                    api_groups: Some(vec![group.clone()]),
                    resources: Some(vec![resource.clone()]),
                    resource_names: name.map(|name| vec![name.clone()]),
                    verbs: vec![verb.clone()],
                    non_resource_urls: None,
                }));
            }
        }
    }
    for url in list(&rule.non_resource_urls) {
        out.extend(rule.verbs.iter().map(|verb| PolicyRule {
            non_resource_urls: Some(vec![url.clone()]),
            verbs: vec![verb.clone()],
            ..PolicyRule::default()
        }));
    }
    out
}

/// Whether a rule covers one that was taken apart. Models `ruleCovers`.
fn covers(owner: &PolicyRule, sub: &PolicyRule) -> bool {
    let all = |own: &[String], wanted: &[String]| wanted.iter().all(|w| own.contains(w));
    let verbs = owner.verbs.iter().any(|v| v == ALL) || all(&owner.verbs, &sub.verbs);
    let (own_groups, groups) = (list(&owner.api_groups), list(&sub.api_groups));
    let group = own_groups.iter().any(|g| g == ALL) || all(own_groups, groups);
    let (own, wanted) = (list(&owner.resources), list(&sub.resources));
    let resource = own.iter().any(|r| r == ALL)
        || wanted.iter().all(|w| {
            let anywhere = w.split_once('/').map(|(_, sub)| format!("*/{sub}"));
            own.contains(w) || anywhere.is_some_and(|a| own.contains(&a))
        });
    let (own_names, names) = (list(&owner.resource_names), list(&sub.resource_names));
    let name = own_names.is_empty() || (!names.is_empty() && all(own_names, names));
    let own_urls = list(&owner.non_resource_urls);
    let url =
        list(&sub.non_resource_urls).iter().all(|u| own_urls.iter().any(|o| url_covers(o, u)));
    verbs && group && resource && name && url
}

/// Rules that differ only in their verbs become one. Models `CompactRules`; the order is that of
/// first appearance, where upstream's is a map's.
pub fn compact(rules: Vec<PolicyRule>) -> Vec<PolicyRule> {
    let mut out: Vec<PolicyRule> = Vec::new();
    for rule in rules {
        let simple = list(&rule.non_resource_urls).is_empty()
            && list(&rule.api_groups).len() == 1
            && list(&rule.resources).len() == 1
            && list(&rule.resource_names).len() <= 1;
        let known = out.iter_mut().find(|known| {
            simple
                && known.api_groups == rule.api_groups
                && known.resources == rule.resources
                && known.resource_names == rule.resource_names
                && known.non_resource_urls.is_none()
        });
        match known {
            Some(known) => {
                for verb in rule.verbs {
                    if !known.verbs.contains(&verb) {
                        known.verbs.push(verb);
                    }
                }
            }
            None => out.push(rule),
        }
    }
    out
}

/// A rule as messages show it: `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`.
/// Models `CompactString`.
pub fn show(rule: &PolicyRule) -> String {
    let parts = [
        ("APIGroups", list(&rule.api_groups)),
        ("Resources", list(&rule.resources)),
        ("NonResourceURLs", list(&rule.non_resource_urls)),
        ("ResourceNames", list(&rule.resource_names)),
        ("Verbs", rule.verbs.as_slice()),
    ];
    let shown: Vec<String> = parts
        .iter()
        .filter(|(_, items)| !items.is_empty())
        .map(|(name, items)| {
            let items: Vec<String> = items.iter().map(|i| format!("{i:?}")).collect();
            format!("{name}:[{}]", items.join(" "))
        })
        .collect();
    format!("{{{}}}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::object::from_value;
    use serde_json::{Value, json};

    fn rule(value: Value) -> PolicyRule {
        from_value(value).unwrap()
    }

    #[test]
    fn a_rule_allows_what_it_names() {
        let pods = rule(json!({"apiGroups": [""], "resources": ["pods", "pods/log", "*/scale"],
            "verbs": ["get"]}));
        let named = rule(json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"],
            "resourceNames": ["web"]}));
        let urls = rule(json!({"nonResourceURLs": ["/healthz", "/apis/*"], "verbs": ["get"]}));
        let ask = |resource, subresource, verb, name| Attributes {
            verb,
            resource,
            subresource,
            name,
            ..Attributes::default()
        };
        let table = [
            (&pods, ask("pods", "", "get", "x"), true),
            (&pods, ask("pods", "log", "get", "x"), true),
            (&pods, ask("pods", "exec", "get", "x"), false),
            (&pods, ask("pods", "", "list", ""), false),
            (&pods, ask("replicationcontrollers", "scale", "get", "x"), true),
            (&pods, Attributes { group: "apps", ..ask("pods", "", "get", "x") }, false),
            (&named, ask("secrets", "", "delete", "web"), true),
            (&named, ask("secrets", "", "list", ""), false),
            (&urls, Attributes::of_path("get", "/apis/apps/v1"), true),
            (&urls, Attributes::of_path("get", "/metrics"), false),
            (&urls, Attributes::of_path("post", "/healthz"), false),
            (&named, Attributes::of_path("get", "/healthz"), false),
        ];
        for (rule, attributes, want) in table {
            assert_eq!(allows(rule, &attributes), want, "{attributes:?} by {}", show(rule));
        }
    }

    #[test]
    fn what_is_not_covered_is_told_apart() {
        let own =
            [rule(json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}))];
        let want = [rule(json!({"apiGroups": [""], "resources": ["pods", "secrets"],
            "verbs": ["get", "list"]}))];
        let missing = compact(uncovered(&own, &want));
        let shown: Vec<_> = missing.iter().map(show).collect();
        assert_eq!(
            shown,
            ["{APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"get\" \"list\"]}"]
        );
        let all = [rule(json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}))];
        assert!(uncovered(&all, &want).is_empty());
        assert_eq!(uncovered(&own, &all).len(), 1);
    }
}
