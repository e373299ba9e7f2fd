//! The roles and bindings that every cluster has, and that the API server puts back when it starts.
//!
//! They are lines of `policy.txt`:
//!
//! | line | what |
//! | --- | --- |
//! | `role NAME [to-X] [sum=X]` | a cluster role; counts towards role X; is the sum of those that do |
//! | `controller NAME` | the cluster role `system:controller:NAME`, bound to that service account |
//! | ` VERBS GROUPS RESOURCES [=NAMES]` | a rule of the role above; `-` is the core group |
//! | ` VERBS ! URLS` | a rule about paths |
//! | ` ev` | the rule about writing events |
//! | `bind ROLE SUBJECT…` | a cluster role binding with the role's name |
//! | `local NAMESPACE NAME` | a role in a namespace |
//! | `give NAMESPACE NAME ROLE SUBJECT…` | a role binding in a namespace |
//!
//! Subjects are `g:GROUP`, `u:USER` and `s:NAMESPACE:ACCOUNT`; `r`, `w` and `rw` are the verbs of
//! reading, of writing, and of both.
//!
//! Models `plugin/pkg/auth/authorizer/rbac/bootstrappolicy` and `pkg/registry/rbac/rest`.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        core::v1::Namespace,
        rbac::v1::{
            AggregationRule, ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding,
            RoleRef, Subject,
        },
    },
    apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta},
};

use super::rules;
use crate::{
    api::{Object, Status, Typed},
    apiserver::{ApiServer, CreateOptions, RequestCx, Subresource},
};

const TEXT: &str = include_str!("policy.txt");
const GROUP: &str = "rbac.authorization.k8s.io";
const AUTOUPDATE: &str = "rbac.authorization.kubernetes.io/autoupdate";

const READ: &[&str] = &["get", "list", "watch"];
const WRITE: &[&str] = &["create", "delete", "deletecollection", "patch", "update"];
const BOTH: &[&str] =
    &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// A label by which a role counts towards another.
fn label(role: &str) -> String {
    format!("{GROUP}/aggregate-to-{role}")
}

impl ApiServer {
    /// Puts the default roles and bindings into the cluster, and gives back to those that are
    /// there what they lack, unless they are marked not to be touched. Namespaces that are missing
    /// are passed over. Errors: as for creates.
    pub fn ensure_policy(&self, cx: &RequestCx) -> Result<(), Status> {
        for object in objects() {
            let namespace = object.namespace().to_string();
            if !namespace.is_empty() && self.store().get(Namespace::ID, "", &namespace).is_none() {
                continue;
            }
            match self.store().get(object.kind_id(), &namespace, object.name()) {
                None => {
                    self.create(cx, object, &CreateOptions { namespace: &namespace })?;
                }
                Some(old) => {
                    if let Some(mended) = mend(&*old, &*object) {
                        self.update(cx, mended, Subresource::Main)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The stored object with what it lacks of the wanted one; `None` where it lacks nothing.
/// Models `pkg/registry/rbac/reconciliation` with nothing taken away.
fn mend(old: &dyn Object, wanted: &dyn Object) -> Option<Box<dyn Object>> {
    let notes = old.metadata().annotations.as_ref();
    if notes.and_then(|n| n.get(AUTOUPDATE)).is_some_and(|v| v == "false") {
        return None;
    }
    let mut new = old.boxed_clone();
    if let (Some(role), Some(wanted)) =
        (new.downcast_mut::<ClusterRole>(), wanted.downcast::<ClusterRole>())
    {
        if role.aggregation_rule.is_some() {
            return None;
        }
        add_rules(&mut role.rules, &wanted.rules);
    } else if let (Some(role), Some(wanted)) =
        (new.downcast_mut::<Role>(), wanted.downcast::<Role>())
    {
        add_rules(&mut role.rules, &wanted.rules);
    } else if let (Some(b), Some(wanted)) =
        (new.downcast_mut::<ClusterRoleBinding>(), wanted.downcast::<ClusterRoleBinding>())
    {
        add_subjects(&mut b.subjects, &wanted.subjects);
    } else if let (Some(b), Some(wanted)) =
        (new.downcast_mut::<RoleBinding>(), wanted.downcast::<RoleBinding>())
    {
        add_subjects(&mut b.subjects, &wanted.subjects);
    }
    (!new.equals(old)).then_some(new)
}

fn add_rules(have: &mut Option<Vec<PolicyRule>>, wanted: &Option<Vec<PolicyRule>>) {
    let wanted = wanted.as_deref().unwrap_or_default();
    let missing = rules::uncovered(have.as_deref().unwrap_or_default(), wanted);
    if !missing.is_empty() {
        have.get_or_insert_default().extend(rules::compact(missing));
    }
}

fn add_subjects(have: &mut Option<Vec<Subject>>, wanted: &Option<Vec<Subject>>) {
    for subject in wanted.iter().flatten() {
        if !have.iter().flatten().any(|s| s == subject) {
            have.get_or_insert_default().push(subject.clone());
        }
    }
}

/// All of them, roles before bindings.
fn objects() -> Vec<Box<dyn Object>> {
    let (mut roles, mut bindings): (Vec<Box<dyn Object>>, Vec<Box<dyn Object>>) =
        Default::default();
    for line in TEXT.lines().filter(|l| !l.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["role", name, marks @ ..] => roles.push(Box::new(cluster_role(name, marks))),
            ["controller", name] => {
                let role = format!("system:controller:{name}");
                roles.push(Box::new(cluster_role(&role, &[])));
                let account = format!("s:kube-system:{name}");
                bindings.push(Box::new(cluster_binding(&role, &[&account])));
            }
            ["local", namespace, name] => {
                let metadata = meta(namespace, name);
                roles.push(Box::new(Role { metadata, rules: None }));
            }
            ["bind", role, subjects @ ..] => {
                bindings.push(Box::new(cluster_binding(role, subjects)));
            }
            ["give", namespace, name, role, subjects @ ..] => {
                bindings.push(Box::new(RoleBinding {
                    metadata: meta(namespace, name),
                    role_ref: reference("Role", role),
                    subjects: Some(subjects.iter().map(|s| subject(s)).collect()),
                }));
            }
            rule => {
                if let Some(last) = roles.last_mut() {
                    add_rule(&mut **last, rule);
                }
            }
        }
    }
    roles.append(&mut bindings);
    roles
}

fn meta(namespace: &str, name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.into()),
        namespace: (!namespace.is_empty()).then(|| namespace.into()),
        labels: Some([("kubernetes.io/bootstrapping".into(), "rbac-defaults".into())].into()),
        annotations: Some([(AUTOUPDATE.into(), "true".into())].into()),
        ..Default::default()
    }
}

fn cluster_role(name: &str, marks: &[&str]) -> ClusterRole {
    let mut role = ClusterRole { metadata: meta("", name), ..Default::default() };
    for mark in marks {
        if let Some(to) = mark.strip_prefix("to-") {
            role.metadata.labels.get_or_insert_default().insert(label(to), "true".into());
        }
        if let Some(sum) = mark.strip_prefix("sum=") {
            let labels: BTreeMap<String, String> = [(label(sum), "true".into())].into();
            let selector = LabelSelector { match_labels: Some(labels), match_expressions: None };
            role.aggregation_rule =
                Some(AggregationRule { cluster_role_selectors: Some(vec![selector]) });
        }
    }
    role
}

fn reference(kind: &str, name: &str) -> RoleRef {
    RoleRef { api_group: Some(GROUP.into()), kind: kind.into(), name: name.into() }
}

fn cluster_binding(role: &str, subjects: &[&str]) -> ClusterRoleBinding {
    ClusterRoleBinding {
        metadata: meta("", role),
        role_ref: reference("ClusterRole", role),
        subjects: (!subjects.is_empty()).then(|| subjects.iter().map(|s| subject(s)).collect()),
    }
}

fn subject(text: &str) -> Subject {
    let (kind, name) = text.split_once(':').unwrap_or(("u", text));
    let group = Some(GROUP.into());
    match kind {
        "g" => {
            Subject { kind: "Group".into(), name: name.into(), api_group: group, namespace: None }
        }
        "s" => {
            let (namespace, name) = name.split_once(':').unwrap_or(("", name));
            Subject {
                kind: "ServiceAccount".into(),
                name: name.into(),
                namespace: Some(namespace.into()),
                api_group: None,
            }
        }
        _ => Subject { kind: "User".into(), name: name.into(), api_group: group, namespace: None },
    }
}

fn add_rule(role: &mut dyn Object, words: &[&str]) {
    let list = |text: &str| text.split(',').map(String::from).collect::<Vec<String>>();
    let verbs = |text: &str| match text {
        "r" => READ.iter().map(ToString::to_string).collect(),
        "w" => WRITE.iter().map(ToString::to_string).collect(),
        "rw" => BOTH.iter().map(ToString::to_string).collect(),
        other => list(other),
    };
    let groups = |text: &str| {
        list(text).into_iter().map(|g| if g == "-" { String::new() } else { g }).collect()
    };
    let rule = match words {
        ["ev"] => PolicyRule {
            verbs: list("create,patch,update"),
            api_groups: Some(groups("-,events.k8s.io")),
            resources: Some(list("events")),
            ..Default::default()
        },
        [v, "!", urls] => PolicyRule {
            verbs: verbs(v),
            non_resource_urls: Some(list(urls)),
            ..Default::default()
        },
        [v, g, resources, names @ ..] => PolicyRule {
            verbs: verbs(v),
            api_groups: Some(groups(g)),
            resources: Some(list(resources)),
            resource_names: names.first().map(|n| list(n.trim_start_matches('='))),
            non_resource_urls: None,
        },
        _ => return,
    };
    if let Some(role) = role.downcast_mut::<ClusterRole>() {
        role.rules.get_or_insert_default().push(rule);
    } else if let Some(role) = role.downcast_mut::<Role>() {
        role.rules.get_or_insert_default().push(rule);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_understood_and_every_binding_has_its_role() {
        let all = objects();
        let names: Vec<(String, String, String)> = all
            .iter()
            .map(|o| {
                let value = o.to_value();
                let kind = value["kind"].as_str().unwrap_or_default().to_string();
                (kind, o.namespace().to_string(), o.name().to_string())
            })
            .collect();
        let mut unique = names.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), names.len());
        for object in &all {
            let value = object.to_value();
            if let Some(role) = value.get("roleRef") {
                let kind = role["kind"].as_str().unwrap_or_default().to_string();
                let name = role["name"].as_str().unwrap_or_default().to_string();
                let place = if kind == "Role" { object.namespace() } else { "" };
                assert!(names.contains(&(kind, place.to_string(), name)), "{value}");
            } else if value.get("aggregationRule").is_none() {
                assert!(value["rules"].as_array().is_some_and(|r| !r.is_empty()), "{value}");
            }
        }
        let lines = TEXT.lines().filter(|l| !l.starts_with('#'));
        let rules = lines.clone().filter(|l| l.starts_with(' ')).count();
        let held: usize =
            all.iter().filter_map(|o| o.to_value()["rules"].as_array().map(Vec::len)).sum();
        assert_eq!(held, rules);
    }
}
