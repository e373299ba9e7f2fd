//! The rules of admission policies and their bindings.
//!
//! Models `pkg/apis/admissionregistration/{v1/defaults.go,validation}`.

use std::collections::BTreeSet;

use k8s_openapi::api::admissionregistration::v1::{
    MatchCondition, MatchResources, MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding,
    Mutation, NamedRuleWithOperations, ParamKind, ParamRef, RuleWithOperations,
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding, ValidatingAdmissionPolicySpec,
    Variable,
};

use super::{
    NameRule, Strategy, StrategyCx,
    metadata::{name_error, qualified_name_error},
    pod::{containers::one_of, defaults::text, selectors},
    registration::check_rule,
};
use crate::{
    api::{
        FieldError, Path,
        cel::{Program, value::RESERVED},
        gofmt::quote,
    },
    apiserver::admission::policies::NAMES,
};

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
    let policy = matching.match_policy.as_deref().unwrap_or_default();
    one_of(policy, &["Equivalent", "Exact"], &at.child("matchPolicy"), errors);
    for (field, selector) in [
        ("namespaceSelector", &matching.namespace_selector),
        ("objectSelector", &matching.object_selector),
    ] {
        if let Some(selector) = selector {
            selectors::check(selector, &at.child(field), errors);
        }
    }
    for (field, rules) in [
        ("resourceRules", &matching.resource_rules),
        ("excludeResourceRules", &matching.exclude_resource_rules),
    ] {
        let at = at.child(field);
        for (i, rule) in rules.iter().flatten().enumerate() {
            let at = at.index(i);
            let names_at = at.child("resourceNames");
            let mut seen = BTreeSet::new();
            for (i, name) in rule.resource_names.iter().flatten().enumerate() {
                if let Some(why) = name_error(NameRule::PathSegment, name) {
                    errors.push(FieldError::invalid_str(names_at.index(i), name, &why));
                }
                if !seen.insert(name) {
                    errors.push(FieldError::duplicate(names_at.index(i), quote(name)));
                }
            }
            check_rule(&plain(rule), &at, errors);
        }
    }
}

/// What is deleted can't be changed.
fn check_mutable(matching: Option<&MatchResources>, at: &Path, errors: &mut Vec<FieldError>) {
    const MUTABLE: &[&str] = &["*", "CONNECT", "CREATE", "UPDATE"];
    let at = at.child("resourceRules");
    let rules = matching.and_then(|m| m.resource_rules.as_ref());
    for rule in rules.into_iter().flatten() {
        for operation in rule.operations.iter().flatten() {
            if !MUTABLE.contains(&operation.as_str()) {
                let at = at.child("operations");
                errors.push(FieldError::not_supported(at, operation, MUTABLE));
            }
        }
    }
}

/// An expression that must be there and must compile. Models `CompileCELExpression`.
pub fn expression(text: &str, missing: &str, at: &Path, errors: &mut Vec<FieldError>) {
    if text.trim().is_empty() {
        return errors.push(FieldError::required(at, missing));
    }
    if let Err(why) = Program::compile(text.trim(), NAMES) {
        let why = format!("compilation failed: {why}");
        errors.push(FieldError::invalid_str(at, text, &why));
    }
}

/// Conditions of policies and webhooks. Models `validateMatchConditions`.
pub fn conditions(list: Option<&[MatchCondition]>, at: &Path, errors: &mut Vec<FieldError>) {
    const MOST: usize = 64;
    let list = list.unwrap_or_default();
    if list.len() > MOST {
        errors.push(FieldError::too_many(at, list.len() as u64, MOST as u64));
    }
    for (i, condition) in list.iter().enumerate() {
        let at = at.index(i);
        expression(&condition.expression, "", &at.child("expression"), errors);
        let name_at = at.child("name");
        if condition.name.is_empty() {
            errors.push(FieldError::required(name_at, ""));
        } else if let Some(why) = qualified_name_error(&condition.name) {
            errors.push(FieldError::invalid_str(name_at, &condition.name, &why));
        }
        let before = list.iter().take(i).any(|other| other.name == condition.name);
        if before && !condition.name.is_empty() {
            errors.push(FieldError::duplicate(name_at, quote(&condition.name)));
        }
    }
}

fn check_variables(list: Option<&[Variable]>, errors: &mut Vec<FieldError>) {
    let at = Path::new("spec.variables");
    for (i, variable) in list.unwrap_or_default().iter().enumerate() {
        let at = at.index(i);
        let name = variable.name.as_str();
        if name.trim().is_empty() {
            errors.push(FieldError::required(at.child("name"), "name is not specified"));
        } else if !is_identifier(name) {
            let why = "must be a valid CEL identifier";
            errors.push(FieldError::invalid_str(at.child("name"), name, why));
        }
        let missing = "expression is not specified";
        expression(&variable.expression, missing, &at.child("expression"), errors);
    }
}

fn is_identifier(name: &str) -> bool {
    let letter = |c: char| c == '_' || c.is_ascii_alphabetic();
    name.starts_with(letter)
        && name.chars().all(|c| letter(c) || c.is_ascii_digit())
        && !RESERVED.contains(&name)
}

/// Models `validateParamKind`.
fn check_param_kind(kind: Option<&ParamKind>, errors: &mut Vec<FieldError>) {
    let Some(kind) = kind else { return };
    let at = Path::new("spec.paramKind");
    let version_at = at.child("apiVersion");
    let whole = kind.api_version.as_deref().unwrap_or_default();
    let (group, version) = whole.split_once('/').unwrap_or(("", whole));
    if whole.is_empty() {
        errors.push(FieldError::required(version_at, ""));
    } else if version.contains('/') {
        let why = format!("unexpected GroupVersion string: {whole}");
        errors.push(FieldError::invalid_str(version_at, whole, &why));
    } else {
        if let Some(why) = name_error(NameRule::Subdomain, group).filter(|_| !group.is_empty()) {
            errors.push(FieldError::invalid_str(version_at, group, &why));
        }
        if version.is_empty() {
            let why = "version must be specified";
            errors.push(FieldError::invalid_str(version_at, whole, why));
        } else if let Some(why) = name_error(NameRule::Label1035, version) {
            errors.push(FieldError::invalid_str(version_at, version, &why));
        }
    }
    let name = kind.kind.as_deref().unwrap_or_default();
    if name.is_empty() {
        errors.push(FieldError::required(at.child("kind"), ""));
    } else if let Some(why) = name_error(NameRule::Label1035, &name.to_lowercase()) {
        let why = format!("may have mixed case, but should otherwise match: {why}");
        errors.push(FieldError::invalid_str(at.child("kind"), name, &why));
    }
}

fn check_policy_name(name: &str, errors: &mut Vec<FieldError>) {
    let at = "spec.policyName";
    if name.is_empty() {
        errors.push(FieldError::required(at, ""));
    } else if let Some(why) = name_error(NameRule::Subdomain, name) {
        errors.push(FieldError::invalid_str(at, name, &why));
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
    let at = Path::new("spec.matchConstraints");
    if matching.is_none() {
        return errors.push(FieldError::required(at, ""));
    }
    check_match(matching, &at, errors);
    if matching.is_some_and(|m| m.resource_rules.as_ref().is_none_or(Vec::is_empty)) {
        errors.push(FieldError::required(at.child("resourceRules"), ""));
    }
}

fn check_failure(policy: Option<&str>, errors: &mut Vec<FieldError>) {
    if let Some(policy) = policy {
        one_of(policy, &["Fail", "Ignore"], &Path::new("spec").child("failurePolicy"), errors);
    }
}

fn check_param(param: Option<&ParamRef>, errors: &mut Vec<FieldError>) {
    const BOTH: &str = "name and selector are mutually exclusive";
    let Some(param) = param else { return };
    let at = Path::new("spec.paramRef");
    let name = param.name.as_deref().unwrap_or_default();
    if let Some(why) = name_error(NameRule::PathSegment, name).filter(|_| !name.is_empty()) {
        errors.push(FieldError::invalid_str(at.child("name"), name, &why));
    }
    if !name.is_empty() && param.selector.is_some() {
        errors.push(FieldError::forbidden(at.child("name"), BOTH));
    }
    if let Some(selector) = &param.selector {
        selectors::check(selector, &at.child("selector"), errors);
        if !name.is_empty() {
            errors.push(FieldError::forbidden(at.child("selector"), BOTH));
        }
    }
    if name.is_empty() && param.selector.is_none() {
        errors.push(FieldError::required(at, "one of name or selector must be specified"));
    }
    let action = param.parameter_not_found_action.as_deref().unwrap_or_default();
    one_of(action, &["Deny", "Allow"], &at.child("parameterNotFoundAction"), errors);
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
        check_param_kind(spec.param_kind.as_ref(), &mut errors);
        check_constraints(spec.match_constraints.as_ref(), &mut errors);
        let at = Path::new("spec.matchConditions");
        conditions(spec.match_conditions.as_deref(), &at, &mut errors);
        check_variables(spec.variables.as_deref(), &mut errors);
        let name = policy.metadata.name.as_deref().unwrap_or_default();
        check_validations(name, spec, &mut errors);
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
        check_policy_name(&spec.policy_name, &mut errors);
        check_param(spec.param_ref.as_ref(), &mut errors);
        check_match(spec.match_resources.as_ref(), &root.child("matchResources"), &mut errors);
        let at = root.child("validationActions");
        let actions = &spec.validation_actions;
        for (i, action) in actions.iter().enumerate() {
            let known = &["Audit", "Deny", "Warn"];
            if !known.contains(&action.as_str()) {
                errors.push(FieldError::not_supported(at.index(i), action, known));
            }
            if actions.iter().take(i).any(|other| other == action) {
                errors.push(FieldError::duplicate(at.index(i), quote(action)));
            }
        }
        let has = |what: &str| actions.iter().any(|a| a == what);
        if has("Deny") && has("Warn") {
            let why = "must not contain both Deny and Warn (repeating the same validation failure \
                       information in the API response and headers serves no purpose)";
            let shown = crate::api::object::to_value(actions);
            errors.push(FieldError::invalid(at, shown, why));
        }
        if actions.is_empty() {
            errors.push(FieldError::required(at, "at least one validation action is required"));
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

    fn validate(&self, _: &StrategyCx, policy: &MutatingAdmissionPolicy) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let none = Default::default();
        let spec = policy.spec.as_ref().unwrap_or(&none);
        check_failure(spec.failure_policy.as_deref(), &mut errors);
        check_param_kind(spec.param_kind.as_ref(), &mut errors);
        let matching = spec.match_constraints.as_ref();
        check_constraints(matching, &mut errors);
        check_mutable(matching, &Path::new("spec.matchConstraints"), &mut errors);
        let at = Path::new("spec.matchConditions");
        conditions(spec.match_conditions.as_deref(), &at, &mut errors);
        check_variables(spec.variables.as_deref(), &mut errors);
        let root = Path::new("spec");
        let at = root.child("mutations");
        let mutations = spec.mutations.as_deref().unwrap_or_default();
        if mutations.is_empty() {
            errors.push(FieldError::required(at, "mutations must contain at least one item"));
        }
        for (i, mutation) in mutations.iter().enumerate() {
            check_mutation(mutation, &at.index(i), &mut errors);
        }
        let again = spec.reinvocation_policy.as_deref().unwrap_or_default();
        one_of(again, &["IfNeeded", "Never"], &root.child("reinvocationPolicy"), &mut errors);
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
        check_policy_name(spec.policy_name.as_deref().unwrap_or_default(), &mut errors);
        check_param(spec.param_ref.as_ref(), &mut errors);
        let at = root.child("matchResources");
        check_match(spec.match_resources.as_ref(), &at, &mut errors);
        check_mutable(spec.match_resources.as_ref(), &at, &mut errors);
        errors
    }
}

/// What a validating policy decides by.
fn check_validations(
    policy: &str,
    spec: &ValidatingAdmissionPolicySpec,
    errors: &mut Vec<FieldError>,
) {
    const REASONS: &[&str] = &["Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"];
    const MOST_NOTES: usize = 20;
    let (at, notes_at) = (Path::new("spec.validations"), Path::new("spec.auditAnnotations"));
    let validations = spec.validations.as_deref().unwrap_or_default();
    let notes = spec.audit_annotations.as_deref().unwrap_or_default();
    if validations.is_empty() && notes.is_empty() {
        let why = "validations or auditAnnotations must contain at least one item";
        errors.push(FieldError::required(at, why));
        errors.push(FieldError::required(notes_at, why));
    }
    for (i, validation) in validations.iter().enumerate() {
        let at = at.index(i);
        let missing = "expression is not specified";
        expression(&validation.expression, missing, &at.child("expression"), errors);
        let own = validation.message_expression.as_deref().unwrap_or_default();
        let own_at = at.child("messageExpression");
        if !own.is_empty() && own.trim().is_empty() {
            errors.push(FieldError::invalid_str(own_at, own, "must be non-empty if specified"));
        } else if !own.is_empty() {
            expression(own, "", &own_at, errors);
        }
        let message = validation.message.as_deref().unwrap_or_default();
        let why = match message.trim() {
            "" if !message.is_empty() => Some("must be non-empty if specified"),
            text if text.contains(['\n', '\r']) => Some("must not contain line breaks"),
            _ => None,
        };
        if let Some(why) = why {
            errors.push(FieldError::invalid_str(at.child("message"), message, why));
        }
        if let Some(reason) = validation.reason.as_deref().filter(|r| !REASONS.contains(r)) {
            errors.push(FieldError::not_supported(at.child("reason"), reason, REASONS));
        }
    }
    if notes.len() > MOST_NOTES {
        let why = format!("must not have more than {MOST_NOTES} auditAnnotations");
        let shown = crate::api::object::to_value(&notes);
        errors.push(FieldError::invalid(notes_at, shown, &why));
    }
    for (i, note) in notes.iter().enumerate() {
        let at = notes_at.index(i);
        let name = format!("{policy}/{}", note.key);
        if let Some(why) = qualified_name_error(&name) {
            errors.push(FieldError::invalid_str(at.child("key"), &name, &why));
        }
        let missing = "valueExpression is not specified";
        expression(&note.value_expression, missing, &at.child("valueExpression"), errors);
        if notes.iter().take(i).any(|other| other.key == note.key) {
            errors.push(FieldError::duplicate(at.child("key"), quote(&note.key)));
        }
    }
}

/// Models `validateMutation`.
fn check_mutation(mutation: &Mutation, at: &Path, errors: &mut Vec<FieldError>) {
    let kind = mutation.patch_type.as_str();
    let apply = mutation.apply_configuration.as_ref();
    let patch = mutation.json_patch.as_ref();
    let (own, other) = match kind {
        "JSONPatch" => (
            ("jsonPatch", patch.map(|p| p.expression.as_deref())),
            ("applyConfiguration", apply.is_some()),
        ),
        "ApplyConfiguration" => (
            ("applyConfiguration", apply.map(|a| a.expression.as_deref())),
            ("jsonPatch", patch.is_some()),
        ),
        kind => {
            let known = &["ApplyConfiguration", "JSONPatch"];
            return one_of(kind, known, &at.child("patchType"), errors);
        }
    };
    match own {
        (field, None) => {
            let why = format!("must be specified when patchType is {kind}");
            errors.push(FieldError::required(at.child(field), &why));
        }
        (field, Some(text)) => {
            let at = at.child(field);
            expression(text.unwrap_or_default(), "", &at.child("expression"), errors);
        }
    }
    if let (field, true) = other {
        let why = format!("must not be specified when patchType is {kind}");
        errors.push(FieldError::invalid_str(at.child(field), &format!("{{{field}}}"), &why));
    }
}
