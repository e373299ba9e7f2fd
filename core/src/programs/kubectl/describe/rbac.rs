//! `kubectl describe` of roles and their bindings.
//!
//! Rules are taken apart and put together again by resource, as `BreakdownRule` and `CompactRules`
//! of `component-helpers/auth/rbac/validation` do.

use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};

use super::{
    Cx, Writer,
    common::{self, text},
};
use crate::api::Object;

/// Roles.
pub fn role(_: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(role) = object.downcast::<Role>() else { return };
    rules(object, role.rules.as_deref().unwrap_or_default(), w);
}

/// ClusterRoles.
pub fn cluster_role(_: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(role) = object.downcast::<ClusterRole>() else { return };
    rules(object, role.rules.as_deref().unwrap_or_default(), w);
}

/// RoleBindings.
pub fn role_binding(_: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(b) = object.downcast::<RoleBinding>() else { return };
    binding(object, &b.role_ref, b.subjects.as_deref().unwrap_or_default(), w);
}

/// ClusterRoleBindings.
pub fn cluster_role_binding(_: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(b) = object.downcast::<ClusterRoleBinding>() else { return };
    binding(object, &b.role_ref, b.subjects.as_deref().unwrap_or_default(), w);
}

fn binding(object: &dyn Object, role: &RoleRef, subjects: &[Subject], w: &mut Writer) {
    w.put(0, format_args!("Name:\t{}\n", object.name()));
    common::labels_and_annotations(object.metadata(), w);
    w.put(0, "Role:\n");
    w.put(1, format_args!("Kind:\t{}\n", role.kind));
    w.put(1, format_args!("Name:\t{}\n", role.name));
    w.put(0, "Subjects:\n");
    w.put(1, "Kind\tName\tNamespace\n");
    w.put(1, "----\t----\t---------\n");
    for s in subjects {
        w.put(1, format_args!("{}\t{}\t{}\n", s.kind, s.name, text(&s.namespace)));
    }
}

/// A rule about one resource (or one URL).
#[derive(Default)]
struct Simple {
    group: String,
    resource: String,
    name: Option<String>,
    url: Option<String>,
    verbs: Vec<String>,
}

impl Simple {
    /// By what `SortableRuleSlice` sorts: the rule as Go prints it.
    fn key(&self) -> String {
        format!(
            "Verbs:[{}],APIGroups:[{}],Resources:[{}],ResourceNames:[{}],NonResourceURLs:[{}]",
            self.verbs.join(" "),
            self.group,
            self.resource,
            self.name.as_deref().unwrap_or_default(),
            self.url.as_deref().unwrap_or_default()
        )
    }

    fn shown(&self) -> String {
        let (resource, sub) = match self.resource.split_once('/') {
            Some((resource, sub)) => (resource, format!("/{sub}")),
            None => (self.resource.as_str(), String::new()),
        };
        let dot = if self.group.is_empty() || resource.is_empty() { "" } else { "." };
        format!("{resource}{dot}{}{sub}", if dot.is_empty() { "" } else { &self.group })
    }
}

fn compact(rules: &[PolicyRule]) -> Vec<Simple> {
    let mut out: Vec<Simple> = Vec::new();
    for rule in rules {
        let list = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
        let names = list(&rule.resource_names);
        let names: Vec<_> =
            if names.is_empty() { vec![None] } else { names.into_iter().map(Some).collect() };
        for group in list(&rule.api_groups) {
            for resource in list(&rule.resources) {
                for name in &names {
                    add(&mut out, &group, &resource, name, &rule.verbs);
                }
            }
        }
        for url in list(&rule.non_resource_urls) {
            for verb in &rule.verbs {
                let (url, verbs) = (Some(url.clone()), vec![verb.clone()]);
                out.push(Simple { url, verbs, ..Default::default() });
            }
        }
    }
    out.sort_by_key(Simple::key);
    out
}

fn add(
    out: &mut Vec<Simple>,
    group: &str,
    resource: &str,
    name: &Option<String>,
    verbs: &[String],
) {
    let known = out
        .iter_mut()
        .find(|s| s.url.is_none() && s.group == group && s.resource == resource && s.name == *name);
    if let Some(known) = known {
        for verb in verbs {
            if !known.verbs.contains(verb) {
                known.verbs.push(verb.clone());
            }
        }
        return;
    }
    out.push(Simple {
        group: group.to_string(),
        resource: resource.to_string(),
        name: name.clone(),
        url: None,
        verbs: verbs.to_vec(),
    });
}

fn rules(object: &dyn Object, rules: &[PolicyRule], w: &mut Writer) {
    w.put(0, format_args!("Name:\t{}\n", object.name()));
    common::labels_and_annotations(object.metadata(), w);
    w.put(0, "PolicyRule:\n");
    w.put(1, "Resources\tNon-Resource URLs\tResource Names\tVerbs\n");
    w.put(1, "---------\t-----------------\t--------------\t-----\n");
    for rule in compact(rules) {
        let (url, name) = (text(&rule.url), text(&rule.name));
        let verbs = rule.verbs.join(" ");
        w.put(1, format_args!("{}\t[{url}]\t[{name}]\t[{verbs}]\n", rule.shown()));
    }
}
