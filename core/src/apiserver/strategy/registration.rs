//! The rules of webhook configurations.
//!
//! Models `pkg/apis/admissionregistration/{v1/defaults.go,validation}`.

use k8s_openapi::{
    api::admissionregistration::v1::{
        MatchCondition, MutatingWebhook, MutatingWebhookConfiguration, RuleWithOperations,
        ValidatingWebhookConfiguration, WebhookClientConfig,
    },
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};

use super::{
    Strategy, StrategyCx,
    pod::{containers::one_of, defaults::text, selectors},
    policies, webhook,
};
use crate::api::{FieldError, Path};

/// Seconds that a webhook may take where nothing is said, and at most.
const TIMEOUT: i32 = 10;
const LONGEST: i32 = 30;
const OPERATIONS: &[&str] = &["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];

fn fill(
    (failure, policy): (&mut Option<String>, &mut Option<String>),
    selectors: [&mut Option<LabelSelector>; 2],
    timeout: &mut Option<i32>,
    client: &mut WebhookClientConfig,
    rules: &mut Option<Vec<RuleWithOperations>>,
) {
    text(failure, "Fail");
    text(policy, "Equivalent");
    for selector in selectors {
        selector.get_or_insert_default();
    }
    timeout.get_or_insert(TIMEOUT);
    if let Some(service) = &mut client.service {
        service.port.get_or_insert(443);
    }
    for rule in rules.iter_mut().flatten() {
        text(&mut rule.scope, "*");
    }
}

/// What both kinds of webhooks have.
struct Hook<'a> {
    name: &'a str,
    rules: &'a [RuleWithOperations],
    failure: Option<&'a str>,
    policy: Option<&'a str>,
    side_effects: &'a str,
    timeout: Option<i32>,
    /// When a mutating one is called again.
    again: Option<&'a str>,
    reviews: &'a [String],
    client: &'a WebhookClientConfig,
    namespaces: Option<&'a LabelSelector>,
    objects: Option<&'a LabelSelector>,
    conditions: Option<&'a [MatchCondition]>,
}

macro_rules! hook_of {
    ($h:expr, $again:expr) => {
        Hook {
            name: &$h.name,
            rules: $h.rules.as_deref().unwrap_or_default(),
            failure: $h.failure_policy.as_deref(),
            policy: $h.match_policy.as_deref(),
            side_effects: &$h.side_effects,
            timeout: $h.timeout_seconds,
            again: $again($h),
            reviews: &$h.admission_review_versions,
            client: &$h.client_config,
            namespaces: $h.namespace_selector.as_ref(),
            objects: $h.object_selector.as_ref(),
            conditions: $h.match_conditions.as_deref(),
        }
    };
}

/// A configuration's generation counts changes of its webhooks.
macro_rules! strategy {
    ($rules:ident, $kind:ident, $more:expr, $again:expr) => {
        /// See the module.
        pub struct $rules;

        impl Strategy for $rules {
            type Object = $kind;

            fn defaults(&self, config: &mut $kind) {
                for hook in config.webhooks.iter_mut().flatten() {
                    fill(
                        (&mut hook.failure_policy, &mut hook.match_policy),
                        [&mut hook.namespace_selector, &mut hook.object_selector],
                        &mut hook.timeout_seconds,
                        &mut hook.client_config,
                        &mut hook.rules,
                    );
                    $more(hook);
                }
            }

            fn spec_changed(&self, new: &$kind, old: &$kind) -> Option<bool> {
                Some(new.webhooks != old.webhooks)
            }

            fn validate(&self, _: &StrategyCx, config: &$kind) -> Vec<FieldError> {
                let mut hooks = Vec::new();
                for hook in config.webhooks.iter().flatten() {
                    hooks.push(hook_of!(hook, $again));
                }
                check(&hooks)
            }
        }
    };
}

strategy!(
    MutatingWebhooks,
    MutatingWebhookConfiguration,
    |hook: &mut MutatingWebhook| text(&mut hook.reinvocation_policy, "Never"),
    again
);
strategy!(ValidatingWebhooks, ValidatingWebhookConfiguration, |_| {}, |_| None);

fn again(hook: &MutatingWebhook) -> Option<&str> {
    hook.reinvocation_policy.as_deref()
}

fn check(hooks: &[Hook]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let all = Path::new("webhooks");
    let mut seen: Vec<&str> = Vec::new();
    for (i, hook) in hooks.iter().enumerate() {
        let at = all.index(i);
        check_hook(hook, &at, &mut errors);
        if seen.contains(&hook.name) {
            let name = crate::api::gofmt::quote(hook.name);
            errors.push(FieldError::duplicate(at.child("name"), name));
        }
        seen.push(hook.name);
    }
    errors
}

fn check_hook(hook: &Hook, at: &Path, errors: &mut Vec<FieldError>) {
    qualified(hook.name, &at.child("name"), errors);
    let rules_at = at.child("rules");
    for (i, rule) in hook.rules.iter().enumerate() {
        check_rule(rule, &rules_at.index(i), errors);
    }
    for (field, value, known) in [
        ("failurePolicy", hook.failure, &["Fail", "Ignore"]),
        ("matchPolicy", hook.policy, &["Equivalent", "Exact"]),
    ] {
        if let Some(value) = value {
            one_of(value, known, &at.child(field), errors);
        }
    }
    let classes = &["None", "NoneOnDryRun"];
    if hook.side_effects.is_empty() {
        let why = "must specify one of None, NoneOnDryRun";
        errors.push(FieldError::required(at.child("sideEffects"), why));
    }
    if !classes.contains(&hook.side_effects) {
        let at = at.child("sideEffects");
        errors.push(FieldError::not_supported(at, hook.side_effects, classes));
    }
    if let Some(seconds) = hook.timeout.filter(|n| !(1..=LONGEST).contains(n)) {
        let why = format!("the timeout value must be between 1 and {LONGEST} seconds");
        errors.push(FieldError::invalid(at.child("timeoutSeconds"), seconds, &why));
    }
    for (field, selector) in
        [("namespaceSelector", hook.namespaces), ("objectSelector", hook.objects)]
    {
        if let Some(selector) = selector {
            selectors::check(selector, &at.child(field), errors);
        }
    }
    if let Some(again) = hook.again {
        one_of(again, &["IfNeeded", "Never"], &at.child("reinvocationPolicy"), errors);
    }
    let client_at = at.child("clientConfig");
    match (&hook.client.url, &hook.client.service) {
        (Some(url), None) => webhook::check_url(url, &client_at.child("url"), errors),
        (None, Some(service)) => {
            let port = service.port.unwrap_or(443);
            let place = (&*service.namespace, &*service.name, service.path.as_deref(), port);
            webhook::check_service(place, &client_at.child("service"), errors);
        }
        _ => {
            let why = "exactly one of url or service is required";
            errors.push(FieldError::required(client_at, why));
        }
    }
    policies::conditions(hook.conditions, &at.child("matchConditions"), errors);
    let reviews_at = at.child("admissionReviewVersions");
    webhook::check_review_versions(hook.reviews, &["v1", "v1beta1"], &reviews_at, errors);
}

/// A name with at least three parts. Models `IsFullyQualifiedName`.
fn qualified(name: &str, at: &Path, errors: &mut Vec<FieldError>) {
    if name.is_empty() {
        return errors.push(FieldError::required(at, ""));
    }
    if let Some(why) = super::name_error(super::NameRule::Subdomain, name) {
        return errors.push(FieldError::invalid_str(at, name, &why));
    }
    if name.split('.').count() < 3 {
        let why = "should be a domain with at least three segments separated by dots";
        errors.push(FieldError::invalid_str(at, name, why));
    }
}

/// Which requests a webhook or policy is about.
pub(super) fn check_rule(rule: &RuleWithOperations, at: &Path, errors: &mut Vec<FieldError>) {
    let none = Vec::new();
    let operations = rule.operations.as_ref().unwrap_or(&none);
    let operations_at = at.child("operations");
    if operations.is_empty() {
        errors.push(FieldError::required(operations_at, ""));
    }
    if operations.len() > 1 && operations.iter().any(|o| o == "*") {
        let shown = crate::api::object::to_value(operations);
        let why = "if '*' is present, must not specify other operations";
        errors.push(FieldError::invalid(operations_at, shown, why));
    }
    for (i, operation) in operations.iter().enumerate() {
        if !OPERATIONS.contains(&operation.as_str()) {
            let at = operations_at.index(i);
            errors.push(FieldError::not_supported(at, operation, OPERATIONS));
        }
    }
    for (field, list) in [
        ("apiGroups", &rule.api_groups),
        ("apiVersions", &rule.api_versions),
        ("resources", &rule.resources),
    ] {
        let list = list.as_ref().unwrap_or(&none);
        let at = at.child(field);
        if list.is_empty() {
            errors.push(FieldError::required(at, ""));
        }
        if field != "resources" && list.len() > 1 && list.iter().any(|v| v == "*") {
            let shown = crate::api::object::to_value(list);
            let what = if field == "apiGroups" { "API groups" } else { "API versions" };
            let why = format!("if '*' is present, must not specify other {what}");
            errors.push(FieldError::invalid(at, shown, &why));
        }
        for (i, value) in list.iter().enumerate() {
            if value.is_empty() && field != "apiGroups" {
                errors.push(FieldError::required(at.index(i), ""));
            }
        }
    }
    if let Some(scope) = &rule.scope {
        let known = &["*", "Cluster", "Namespaced"];
        if !known.contains(&scope.as_str()) {
            errors.push(FieldError::not_supported(at.child("scope"), scope, known));
        }
    }
}
