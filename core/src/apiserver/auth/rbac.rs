//! What roles and bindings allow.
//!
//! Bindings are found by an index over their subjects that the store keeps, so that a request costs
//! what its own user is bound to, whatever else there is.
//!
//! Models `plugin/pkg/auth/authorizer/rbac` and `pkg/registry/rbac/validation/rule.go`.

use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};

use super::{Attributes, Decision, User, rules, user::SERVICE_ACCOUNT_PREFIX};
use crate::{
    api::{ObjRef, Object, Typed},
    apiserver::ApiServer,
    store::{IndexId, Store},
};

/// The indexes over cluster role bindings and role bindings.
pub fn indexes(store: &Store) -> (IndexId, IndexId) {
    (
        store.add_index(ClusterRoleBinding::ID, cluster_subjects),
        store.add_index(RoleBinding::ID, namespaced_subjects),
    )
}

fn cluster_subjects(object: &dyn Object) -> Vec<String> {
    let binding = object.downcast::<ClusterRoleBinding>();
    let subjects = binding.and_then(|b| b.subjects.as_deref()).unwrap_or_default();
    subjects.iter().filter_map(subject_key).collect()
}

fn namespaced_subjects(object: &dyn Object) -> Vec<String> {
    let binding = object.downcast::<RoleBinding>();
    let subjects = binding.and_then(|b| b.subjects.as_deref()).unwrap_or_default();
    let place = |key: String| format!("{}/{key}", object.namespace());
    subjects.iter().filter_map(subject_key).map(place).collect()
}

/// `u:NAME` or `g:NAME`; a service account is the user that it acts as.
fn subject_key(subject: &Subject) -> Option<String> {
    let name = &subject.name;
    match subject.kind.as_str() {
        "User" => Some(format!("u:{name}")),
        "Group" => Some(format!("g:{name}")),
        "ServiceAccount" => {
            let namespace = subject.namespace.as_deref().filter(|n| !n.is_empty())?;
            Some(format!("u:{SERVICE_ACCOUNT_PREFIX}{namespace}:{name}"))
        }
        _ => None,
    }
}

/// Under which keys the bindings of a user are found.
fn user_keys(user: &User) -> Vec<String> {
    let groups = user.groups.iter().map(|g| format!("g:{g}"));
    std::iter::once(format!("u:{}", user.name)).chain(groups).collect()
}

/// Whether the rules let a user do something.
pub fn decide(api: &ApiServer, user: &User, attributes: &Attributes) -> Decision {
    let mut decision = Decision::default();
    let mut problems = Vec::new();
    visit(api, user, attributes.namespace, &mut |found| match found {
        Found::Rule(rule, binding) if rules::allows(rule, attributes) => {
            decision.allowed = true;
            decision.reason = because(binding, user);
            false
        }
        Found::Rule(..) => true,
        Found::Missing(problem) => {
            problems.push(problem);
            true
        }
    });
    if !decision.allowed && !problems.is_empty() {
        problems.sort();
        problems.dedup();
        let text = match problems.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        decision.reason = format!("RBAC: {text}");
    }
    decision
}

/// The rules that apply to a user in a namespace, and what is wrong with their bindings.
/// Models `RulesFor`.
pub fn rules_for(api: &ApiServer, user: &User, namespace: &str) -> (Vec<PolicyRule>, Vec<String>) {
    let (mut rules, mut problems) = (Vec::new(), Vec::new());
    visit(api, user, namespace, &mut |found| {
        match found {
            Found::Rule(rule, _) => rules.push(rule.clone()),
            Found::Missing(problem) => problems.push(problem),
        }
        true
    });
    (rules, problems)
}

/// The rules of a role that somebody refers to. Errors say which role is missing.
pub fn rules_of(
    api: &ApiServer,
    role: &RoleRef,
    namespace: &str,
) -> Result<Vec<PolicyRule>, String> {
    let found = find_role(api, role, namespace)?;
    Ok(rules_in(&found).to_vec())
}

fn find_role(api: &ApiServer, role: &RoleRef, namespace: &str) -> Result<ObjRef, String> {
    let (found, resource) = match role.kind.as_str() {
        "ClusterRole" => (api.store().get(ClusterRole::ID, "", &role.name), "clusterrole"),
        "Role" => (api.store().get(Role::ID, namespace, &role.name), "role"),
        other => return Err(format!("unsupported role reference kind: {other:?}")),
    };
    found.ok_or_else(|| format!("{resource}.rbac.authorization.k8s.io {:?} not found", role.name))
}

fn rules_in(role: &ObjRef) -> &[PolicyRule] {
    let cluster = role.downcast::<ClusterRole>().and_then(|r| r.rules.as_deref());
    let rules = cluster.or_else(|| role.downcast::<Role>().and_then(|r| r.rules.as_deref()));
    rules.unwrap_or_default()
}

enum Found<'a> {
    /// A rule, and the binding that gives it.
    Rule(&'a PolicyRule, &'a ObjRef),
    /// A binding's role is missing.
    Missing(String),
}

/// Shows everything that applies to a user, until `see` has enough.
fn visit(api: &ApiServer, user: &User, namespace: &str, see: &mut dyn FnMut(Found) -> bool) {
    let state = &api.0.auth;
    let keys = user_keys(user);
    for key in &keys {
        for binding in api.store().by_index(state.cluster_bindings, key) {
            let Some(typed) = binding.downcast::<ClusterRoleBinding>() else { continue };
            if !show(api, &binding, &typed.role_ref, see) {
                return;
            }
        }
    }
    if namespace.is_empty() {
        return;
    }
    for key in &keys {
        for binding in api.store().by_index(state.bindings, &format!("{namespace}/{key}")) {
            let Some(typed) = binding.downcast::<RoleBinding>() else { continue };
            if !show(api, &binding, &typed.role_ref, see) {
                return;
            }
        }
    }
}

fn show(
    api: &ApiServer,
    binding: &ObjRef,
    role: &RoleRef,
    see: &mut dyn FnMut(Found) -> bool,
) -> bool {
    match find_role(api, role, binding.namespace()) {
        Ok(found) => rules_in(&found).iter().all(|rule| see(Found::Rule(rule, binding))),
        Err(problem) => see(Found::Missing(problem)),
    }
}

/// How a review says why something is allowed. Models `clusterRoleBindingDescriber` and its sibling.
fn because(binding: &ObjRef, user: &User) -> String {
    let keys = user_keys(user);
    let subject_of = |subjects: &Option<Vec<Subject>>| {
        let mut all = subjects.iter().flatten();
        let found = all.find(|s| subject_key(s).is_some_and(|key| keys.contains(&key)));
        found.map(describe).unwrap_or_default()
    };
    if let Some(b) = binding.downcast::<ClusterRoleBinding>() {
        return format!(
            "RBAC: allowed by ClusterRoleBinding {:?} of {} {:?} to {}",
            binding.name(),
            b.role_ref.kind,
            b.role_ref.name,
            subject_of(&b.subjects)
        );
    }
    let Some(b) = binding.downcast::<RoleBinding>() else { return String::new() };
    let name = format!("{}/{}", binding.name(), binding.namespace());
    let (kind, role) = (&b.role_ref.kind, &b.role_ref.name);
    let subject = subject_of(&b.subjects);
    format!("RBAC: allowed by RoleBinding {name:?} of {kind} {role:?} to {subject}")
}

fn describe(subject: &Subject) -> String {
    match subject.kind.as_str() {
        "ServiceAccount" => {
            let place = subject.namespace.as_deref().unwrap_or_default();
            format!("ServiceAccount {:?}", format!("{}/{place}", subject.name))
        }
        kind => format!("{kind} {:?}", subject.name),
    }
}
