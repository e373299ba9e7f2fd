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
use crate::{api::Object, client::rules};

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

/// Rules, one resource (or URL) a row: resources, URLs, names, verbs, with tabs between them.
pub fn rows(rules: &[PolicyRule]) -> Vec<String> {
    let mut all = rules::compact(rules.iter().flat_map(rules::break_down).collect());
    all.sort_by_key(go_string);
    let list = |items: &Option<Vec<String>>| items.as_deref().unwrap_or_default().join(" ");
    let row = |rule: &PolicyRule| {
        let (urls, names) = (list(&rule.non_resource_urls), list(&rule.resource_names));
        let verbs = rule.verbs.join(" ");
        format!("{}\t[{urls}]\t[{names}]\t[{verbs}]", resource(rule))
    };
    all.iter().map(row).collect()
}

/// By what `SortableRuleSlice` sorts: the rule as Go prints it.
fn go_string(rule: &PolicyRule) -> String {
    let list = |items: &Option<Vec<String>>| items.as_deref().unwrap_or_default().join(" ");
    format!(
        "Verbs:[{}],APIGroups:[{}],Resources:[{}],ResourceNames:[{}],NonResourceURLs:[{}]",
        rule.verbs.join(" "),
        list(&rule.api_groups),
        list(&rule.resources),
        list(&rule.resource_names),
        list(&rule.non_resource_urls)
    )
}

/// `deployments.apps/scale`. Models `CombineResourceGroup`.
fn resource(rule: &PolicyRule) -> String {
    let first = |items: &Option<Vec<String>>| items.iter().flatten().next().cloned();
    let Some(resource) = first(&rule.resources) else { return String::new() };
    let (name, sub) = match resource.split_once('/') {
        Some((name, sub)) => (name, format!("/{sub}")),
        None => (resource.as_str(), String::new()),
    };
    match first(&rule.api_groups).filter(|g| !g.is_empty()) {
        Some(group) => format!("{name}.{group}{sub}"),
        None => format!("{name}{sub}"),
    }
}

fn rules(object: &dyn Object, rules: &[PolicyRule], w: &mut Writer) {
    w.put(0, format_args!("Name:\t{}\n", object.name()));
    common::labels_and_annotations(object.metadata(), w);
    w.put(0, "PolicyRule:\n");
    w.put(1, "Resources\tNon-Resource URLs\tResource Names\tVerbs\n");
    w.put(1, "---------\t-----------------\t--------------\t-----\n");
    for row in rows(rules) {
        w.put(1, format_args!("{row}\n"));
    }
}
