//! The rules of roles and their bindings.
//!
//! Models `pkg/apis/rbac/v1/defaults.go` and `pkg/apis/rbac/validation`.

use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};

use super::{NameRule, Strategy, StrategyCx, metadata::name_error, pod::selectors};
use crate::api::{FieldError, Path, object::to_value};

const GROUP: &str = "rbac.authorization.k8s.io";

/// Roles.
pub struct Roles;
/// ClusterRoles.
pub struct ClusterRoles;
/// RoleBindings.
pub struct RoleBindings;
/// ClusterRoleBindings.
pub struct ClusterRoleBindings;

impl Strategy for Roles {
    type Object = Role;

    fn name_rule(&self) -> NameRule {
        NameRule::PathSegment
    }

    fn validate(&self, _: &StrategyCx, role: &Role) -> Vec<FieldError> {
        rules(role.rules.as_deref().unwrap_or_default(), true)
    }
}

impl Strategy for ClusterRoles {
    type Object = ClusterRole;

    fn name_rule(&self) -> NameRule {
        NameRule::PathSegment
    }

    fn validate(&self, _: &StrategyCx, role: &ClusterRole) -> Vec<FieldError> {
        let mut errors = rules(role.rules.as_deref().unwrap_or_default(), false);
        let Some(aggregated) = &role.aggregation_rule else { return errors };
        let at = Path::new("aggregationRule.clusterRoleSelectors");
        let all = aggregated.cluster_role_selectors.as_deref().unwrap_or_default();
        if all.is_empty() {
            let why = "at least one clusterRoleSelector required if aggregationRule is non-nil";
            errors.push(FieldError::required(at, why));
        }
        for (i, selector) in all.iter().enumerate() {
            selectors::check(selector, &at.index(i), &mut errors);
        }
        errors
    }
}

fn rules(rules: &[PolicyRule], namespaced: bool) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let at = Path::new("rules");
    for (i, rule) in rules.iter().enumerate() {
        let at = at.index(i);
        let none = |list: &Option<Vec<String>>| list.as_ref().is_none_or(Vec::is_empty);
        if rule.verbs.is_empty() {
            let why = "verbs must contain at least one value";
            errors.push(FieldError::required(at.child("verbs"), why));
        }
        if !none(&rule.non_resource_urls) {
            let shown = to_value(&rule.non_resource_urls);
            if namespaced {
                let why = "namespaced rules cannot apply to non-resource URLs";
                errors.push(FieldError::invalid(at.child("nonResourceURLs"), &shown, why));
            }
            if !(none(&rule.api_groups) && none(&rule.resources) && none(&rule.resource_names)) {
                let why = "rules cannot apply to both regular resources and non-resource URLs";
                errors.push(FieldError::invalid(at.child("nonResourceURLs"), shown, why));
            }
            continue;
        }
        if none(&rule.api_groups) {
            let why = "resource rules must supply at least one api group";
            errors.push(FieldError::required(at.child("apiGroups"), why));
        }
        if none(&rule.resources) {
            let why = "resource rules must supply at least one resource";
            errors.push(FieldError::required(at.child("resources"), why));
        }
    }
    errors
}

fn subject_defaults(subjects: &mut Option<Vec<Subject>>) {
    for subject in subjects.iter_mut().flatten() {
        let missing = subject.api_group.as_deref().is_none_or(str::is_empty);
        if missing && matches!(subject.kind.as_str(), "User" | "Group") {
            subject.api_group = Some(GROUP.into());
        }
    }
}

fn role_ref_defaults(role: &mut RoleRef) {
    if role.api_group.as_deref().is_none_or(str::is_empty) {
        role.api_group = Some(GROUP.into());
    }
}

fn binding(role: &RoleRef, subjects: Option<&[Subject]>, kinds: &[&str]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let at = Path::new("roleRef");
    let group = role.api_group.as_deref().unwrap_or_default();
    if group != GROUP {
        errors.push(FieldError::not_supported(at.child("apiGroup"), group, &[GROUP]));
    }
    if !kinds.contains(&role.kind.as_str()) {
        errors.push(FieldError::not_supported(at.child("kind"), &role.kind, kinds));
    }
    if role.name.is_empty() {
        errors.push(FieldError::required(at.child("name"), ""));
    } else if let Some(why) = name_error(NameRule::PathSegment, &role.name) {
        errors.push(FieldError::invalid_str(at.child("name"), &role.name, &why));
    }
    // A binding of a whole cluster has no namespace of its own for its subjects.
    let whole_cluster = !kinds.contains(&"Role");
    let at = Path::new("subjects");
    for (i, subject) in subjects.unwrap_or_default().iter().enumerate() {
        let at = at.index(i);
        if subject.name.is_empty() {
            errors.push(FieldError::required(at.child("name"), ""));
        }
        let group = subject.api_group.as_deref().unwrap_or_default();
        match subject.kind.as_str() {
            "ServiceAccount" => {
                if !subject.name.is_empty() {
                    if let Some(why) = name_error(NameRule::Subdomain, &subject.name) {
                        errors.push(FieldError::invalid_str(at.child("name"), &subject.name, &why));
                    }
                }
                if !group.is_empty() {
                    errors.push(FieldError::not_supported(at.child("apiGroup"), group, &[""]));
                }
                if whole_cluster && subject.namespace.as_deref().is_none_or(str::is_empty) {
                    errors.push(FieldError::required(at.child("namespace"), ""));
                }
            }
            kind @ ("User" | "Group") => {
                if subject.name.is_empty() {
                    let why = format!("{} name cannot be empty", kind.to_lowercase());
                    errors.push(FieldError::invalid_str(at.child("name"), "", &why));
                }
                if group != GROUP {
                    errors.push(FieldError::not_supported(at.child("apiGroup"), group, &[GROUP]));
                }
            }
            other => {
                let known = &["ServiceAccount", "User", "Group"];
                errors.push(FieldError::not_supported(at.child("kind"), other, known));
            }
        }
    }
    errors
}

fn same_role(new: &RoleRef, old: &RoleRef) -> Vec<FieldError> {
    if new == old {
        return Vec::new();
    }
    let shown = format!(
        "{{\"APIGroup\":{:?},\"Kind\":{:?},\"Name\":{:?}}}",
        new.api_group.as_deref().unwrap_or_default(),
        new.kind,
        new.name
    );
    vec![FieldError::invalid("roleRef", shown, "cannot change roleRef")]
}

impl Strategy for RoleBindings {
    type Object = RoleBinding;

    fn name_rule(&self) -> NameRule {
        NameRule::PathSegment
    }

    fn defaults(&self, b: &mut RoleBinding) {
        role_ref_defaults(&mut b.role_ref);
        subject_defaults(&mut b.subjects);
    }

    fn validate(&self, _: &StrategyCx, b: &RoleBinding) -> Vec<FieldError> {
        binding(&b.role_ref, b.subjects.as_deref(), &["Role", "ClusterRole"])
    }

    fn validate_update(
        &self,
        _: &StrategyCx,
        new: &RoleBinding,
        old: &RoleBinding,
    ) -> Vec<FieldError> {
        same_role(&new.role_ref, &old.role_ref)
    }
}

impl Strategy for ClusterRoleBindings {
    type Object = ClusterRoleBinding;

    fn name_rule(&self) -> NameRule {
        NameRule::PathSegment
    }

    fn defaults(&self, b: &mut ClusterRoleBinding) {
        role_ref_defaults(&mut b.role_ref);
        subject_defaults(&mut b.subjects);
    }

    fn validate(&self, _: &StrategyCx, b: &ClusterRoleBinding) -> Vec<FieldError> {
        binding(&b.role_ref, b.subjects.as_deref(), &["ClusterRole"])
    }

    fn validate_update(
        &self,
        _: &StrategyCx,
        new: &ClusterRoleBinding,
        old: &ClusterRoleBinding,
    ) -> Vec<FieldError> {
        same_role(&new.role_ref, &old.role_ref)
    }
}
