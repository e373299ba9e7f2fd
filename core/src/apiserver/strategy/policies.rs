//! The rules of admission policies and their bindings.
//!
//! Models `pkg/apis/admissionregistration/{v1/defaults.go,validation}`.

use k8s_openapi::api::admissionregistration::v1::{
    MatchResources, MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding,
    NamedRuleWithOperations, ParamRef, RuleWithOperations, ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding,
};

use super::{
    Strategy, StrategyCx,
    pod::{containers::one_of, defaults::text},
    registration::check_rule,
};
use crate::api::{FieldError, Path};

fn fill(matching: &mut MatchResources) {
    text(&mut matching.match_policy, "Equivalent");
    matching.namespace_selector.get_or_insert_default();
    matching.object_selector.get_or_insert_default();
    let lists = [&mut matching.resource_rules, &mut matching.exclude_resource_rules];
    for rule in lists.into_iter().flatten().flatten() {
        text(&mut rule.scope, "*");
    }
}

fn check_match(matching: Option<&MatchResources>, at: &Path, errors: &mut Vec<FieldError>) {
    let Some(matching) = matching else { return };
    for (field, rules) in [
        ("resourceRules", &matching.resource_rules),
        ("excludeResourceRules", &matching.exclude_resource_rules),
    ] {
        let at = at.child(field);
        for (i, rule) in rules.iter().flatten().enumerate() {
            check_rule(&plain(rule), &at.index(i), errors);
        }
    }
}

/// A rule without the names of objects.
pub fn plain(rule: &NamedRuleWithOperations) -> RuleWithOperations {
    RuleWithOperations {
        api_groups: rule.api_groups.clone(),
        api_versions: rule.api_versions.clone(),
        operations: rule.operations.clone(),
        resources: rule.resources.clone(),
        scope: rule.scope.clone(),
    }
}

fn check_constraints(matching: Option<&MatchResources>, errors: &mut Vec<FieldError>) {
    let spec = Path::new("spec");
    let at = spec.child("matchConstraints");
    if matching.is_none() {
        return errors.push(FieldError::required(at, ""));
    }
    if matching.is_some_and(|m| m.resource_rules.as_ref().is_none_or(Vec::is_empty)) {
        errors.push(FieldError::required(at.child("resourceRules"), ""));
    }
    check_match(matching, &at, errors);
}

fn check_failure(policy: Option<&str>, errors: &mut Vec<FieldError>) {
    if let Some(policy) = policy {
        one_of(policy, &["Fail", "Ignore"], &Path::new("spec").child("failurePolicy"), errors);
    }
}

fn check_param(param: Option<&ParamRef>, errors: &mut Vec<FieldError>) {
    let Some(param) = param else { return };
    let spec = Path::new("spec");
    let at = spec.child("paramRef");
    let named = param.name.as_ref().is_some_and(|n| !n.is_empty());
    if named && param.selector.is_some() {
        let why = "name and selector are mutually exclusive";
        errors.push(FieldError::forbidden(at.child("name"), why));
    }
    if !named && param.selector.is_none() {
        errors.push(FieldError::required(at, "one of name or selector must be specified"));
    }
    let action = param.parameter_not_found_action.as_deref().unwrap_or_default();
    one_of(action, &["Allow", "Deny"], &at.child("parameterNotFoundAction"), errors);
}

/// See the module.
pub struct ValidatingPolicies;

impl Strategy for ValidatingPolicies {
    type Object = ValidatingAdmissionPolicy;

    fn defaults(&self, policy: &mut ValidatingAdmissionPolicy) {
        let Some(spec) = &mut policy.spec else { return };
        text(&mut spec.failure_policy, "Fail");
        spec.match_constraints.as_mut().map(fill);
    }

    fn prepare_create(&self, _: &StrategyCx, policy: &mut ValidatingAdmissionPolicy) {
        policy.status = Some(Default::default());
    }

    fn prepare_update(
        &self,
        _: &StrategyCx,
        new: &mut ValidatingAdmissionPolicy,
        old: &ValidatingAdmissionPolicy,
    ) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(
        &self,
        new: &mut ValidatingAdmissionPolicy,
        old: &ValidatingAdmissionPolicy,
    ) {
        new.spec.clone_from(&old.spec);
    }

    fn spec_changed(
        &self,
        new: &ValidatingAdmissionPolicy,
        old: &ValidatingAdmissionPolicy,
    ) -> Option<bool> {
        Some(new.spec != old.spec)
    }

    fn validate(&self, _: &StrategyCx, policy: &ValidatingAdmissionPolicy) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let none = Default::default();
        let spec = policy.spec.as_ref().unwrap_or(&none);
        check_failure(spec.failure_policy.as_deref(), &mut errors);
        check_constraints(spec.match_constraints.as_ref(), &mut errors);
        let root = Path::new("spec");
        let at = root.child("validations");
        let validations = spec.validations.as_deref().unwrap_or_default();
        let notes = spec.audit_annotations.as_deref().unwrap_or_default();
        if validations.is_empty() && notes.is_empty() {
            let why = "validations or auditAnnotations must contain at least one item";
            errors.push(FieldError::required(at, why));
            errors.push(FieldError::required(root.child("auditAnnotations"), why));
        }
        for (i, validation) in validations.iter().enumerate() {
            let at = at.index(i);
            if validation.expression.trim().is_empty() {
                let why = "expression is not specified";
                errors.push(FieldError::required(at.child("expression"), why));
            }
            if let Some(reason) = &validation.reason {
                let known = &["Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"];
                one_of(reason, known, &at.child("reason"), &mut errors);
            }
        }
        errors
    }
}

/// See the module.
pub struct ValidatingBindings;

impl Strategy for ValidatingBindings {
    type Object = ValidatingAdmissionPolicyBinding;

    fn defaults(&self, binding: &mut ValidatingAdmissionPolicyBinding) {
        binding.spec.match_resources.as_mut().map(fill);
    }

    fn spec_changed(
        &self,
        new: &ValidatingAdmissionPolicyBinding,
        old: &ValidatingAdmissionPolicyBinding,
    ) -> Option<bool> {
        Some(new.spec != old.spec)
    }

    fn validate(
        &self,
        _: &StrategyCx,
        binding: &ValidatingAdmissionPolicyBinding,
    ) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let spec = &binding.spec;
        let root = Path::new("spec");
        if spec.policy_name.is_empty() {
            errors.push(FieldError::required(root.child("policyName"), ""));
        }
        check_param(spec.param_ref.as_ref(), &mut errors);
        check_match(spec.match_resources.as_ref(), &root.child("matchResouces"), &mut errors);
        let at = root.child("validationActions");
        let actions = &spec.validation_actions;
        if actions.is_empty() {
            errors.push(FieldError::required(at, "at least one validation action is required"));
        }
        for (i, action) in actions.iter().enumerate() {
            let known = &["Audit", "Deny", "Warn"];
            if !known.contains(&action.as_str()) {
                errors.push(FieldError::not_supported(at.index(i), action, known));
            }
        }
        let has = |what: &str| actions.iter().any(|a| a == what);
        if has("Deny") && has("Warn") {
            let why = "must not contain both Deny and Warn (repeating the same validation failure \
                       information in the API response and headers serves no purpose)";
            let shown = crate::api::object::to_value(actions);
            errors.push(FieldError::invalid(at, shown, why));
        }
        errors
    }
}

/// See the module.
pub struct MutatingPolicies;

impl Strategy for MutatingPolicies {
    type Object = MutatingAdmissionPolicy;

    fn defaults(&self, policy: &mut MutatingAdmissionPolicy) {
        let Some(spec) = &mut policy.spec else { return };
        text(&mut spec.failure_policy, "Fail");
        spec.match_constraints.as_mut().map(fill);
    }

    fn spec_changed(
        &self,
        new: &MutatingAdmissionPolicy,
        old: &MutatingAdmissionPolicy,
    ) -> Option<bool> {
        Some(new.spec != old.spec)
    }

    fn warnings(
        &self,
        _: &MutatingAdmissionPolicy,
        old: Option<&MutatingAdmissionPolicy>,
    ) -> Vec<String> {
        let text = "mutations by admission policies are not simulated: this policy changes nothing";
        if old.is_some() { Vec::new() } else { vec![text.into()] }
    }

    fn validate(&self, _: &StrategyCx, policy: &MutatingAdmissionPolicy) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let none = Default::default();
        let spec = policy.spec.as_ref().unwrap_or(&none);
        check_failure(spec.failure_policy.as_deref(), &mut errors);
        check_constraints(spec.match_constraints.as_ref(), &mut errors);
        let root = Path::new("spec");
        let again = spec.reinvocation_policy.as_deref().unwrap_or_default();
        one_of(again, &["IfNeeded", "Never"], &root.child("reinvocationPolicy"), &mut errors);
        if spec.mutations.as_ref().is_none_or(Vec::is_empty) {
            let why = "mutations must contain at least one item";
            errors.push(FieldError::required(root.child("mutations"), why));
        }
        errors
    }
}

/// See the module.
pub struct MutatingBindings;

impl Strategy for MutatingBindings {
    type Object = MutatingAdmissionPolicyBinding;

    fn defaults(&self, binding: &mut MutatingAdmissionPolicyBinding) {
        let spec = binding.spec.as_mut();
        spec.and_then(|s| s.match_resources.as_mut()).map(fill);
    }

    fn spec_changed(
        &self,
        new: &MutatingAdmissionPolicyBinding,
        old: &MutatingAdmissionPolicyBinding,
    ) -> Option<bool> {
        Some(new.spec != old.spec)
    }

    fn validate(
        &self,
        _: &StrategyCx,
        binding: &MutatingAdmissionPolicyBinding,
    ) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let none = Default::default();
        let spec = binding.spec.as_ref().unwrap_or(&none);
        let root = Path::new("spec");
        if spec.policy_name.as_ref().is_none_or(String::is_empty) {
            errors.push(FieldError::required(root.child("policyName"), ""));
        }
        check_param(spec.param_ref.as_ref(), &mut errors);
        check_match(spec.match_resources.as_ref(), &root.child("matchResouces"), &mut errors);
        errors
    }
}
