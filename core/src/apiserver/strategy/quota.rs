//! The rules of ResourceQuotas and LimitRanges.
//!
//! Models `ValidateResourceQuota`, `ValidateLimitRange` and `SetDefaults_LimitRangeItem`.

use k8s_openapi::api::core::v1::{LimitRange, LimitRangeItem, ResourceQuota, ResourceQuotaSpec};

use super::{
    Strategy, StrategyCx,
    metadata::qualified_name_error,
    pod::{containers::quoted, resources},
};
use crate::api::{
    FieldError, Path,
    quantity::{Amount, ResourceList},
    quota,
};

const SCOPES: &[&str] = &[
    "BestEffort",
    "CrossNamespacePodAffinity",
    "NotBestEffort",
    "NotTerminating",
    "PriorityClass",
    "Terminating",
    "VolumeAttributesClass",
];

/// Rules of quotas.
pub struct ResourceQuotas;

impl Strategy for ResourceQuotas {
    type Object = ResourceQuota;

    fn prepare_create(&self, _: &StrategyCx, quota: &mut ResourceQuota) {
        quota.status = Some(Default::default());
    }

    fn prepare_update(&self, _: &StrategyCx, new: &mut ResourceQuota, old: &ResourceQuota) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut ResourceQuota, old: &ResourceQuota) {
        new.spec.clone_from(&old.spec);
    }

    fn validate(&self, _: &StrategyCx, quota: &ResourceQuota) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let Some(spec) = &quota.spec else { return errors };
        let at = Path::new("spec.hard");
        for (name, amount) in spec.hard.iter().flatten() {
            let at = at.key(name);
            quota_name(name, &at, &mut errors);
            let amount = Amount::of(amount);
            resources::value(name, amount, &at, &mut errors);
        }
        scopes(spec, &mut errors);
        scope_selector(spec, &mut errors);
        errors
    }

    fn validate_update(
        &self,
        _: &StrategyCx,
        new: &ResourceQuota,
        old: &ResourceQuota,
    ) -> Vec<FieldError> {
        let scopes = |q: &ResourceQuota| q.spec.as_ref().and_then(|s| s.scopes.clone());
        let sorted = |q: &ResourceQuota| {
            let mut list = scopes(q).unwrap_or_default();
            list.sort();
            list
        };
        if sorted(new) == sorted(old) {
            return Vec::new();
        }
        let shown = crate::api::object::to_value(&scopes(new));
        vec![FieldError::invalid("spec.scopes", shown, "field is immutable")]
    }
}

fn quota_name(name: &str, at: &Path, errors: &mut Vec<FieldError>) {
    if let Some(why) = qualified_name_error(name) {
        errors.push(FieldError::invalid_str(at, name, &why));
    }
    if name.contains('/') {
        return;
    }
    let standard = quota::STANDARD.contains(&name) || name.starts_with("requests.hugepages-");
    if !standard && !resources::is_standard(name) {
        let why = "must be a standard resource type or fully qualified";
        errors.push(FieldError::invalid_str(at, name, why));
    }
    if !standard {
        errors.push(FieldError::invalid_str(at, name, "must be a standard resource for quota"));
    }
}

fn scopes(spec: &ResourceQuotaSpec, errors: &mut Vec<FieldError>) {
    let scopes = spec.scopes.as_deref().unwrap_or_default();
    let shown = || crate::api::object::to_value(&scopes);
    let has = |name: &str| scopes.iter().any(|s| s == name);
    for scope in scopes {
        if !SCOPES.contains(&scope.as_str()) {
            errors.push(FieldError::invalid("spec.scopes", shown(), "unsupported scope"));
            continue;
        }
        for name in spec.hard.iter().flatten().map(|(name, _)| name.as_str()) {
            if !usable(scope, name) {
                let why = "unsupported scope applied to resource";
                errors.push(FieldError::invalid("spec.scopes", shown(), why));
            }
        }
    }
    for pair in [["BestEffort", "NotBestEffort"], ["Terminating", "NotTerminating"]] {
        if pair.iter().all(|scope| has(scope)) {
            errors.push(FieldError::invalid("spec.scopes", shown(), "conflicting scopes"));
        }
    }
}

/// Whether a scope says anything of what counts as a resource.
fn usable(scope: &str, name: &str) -> bool {
    let compute = name != "pods" && quota::STANDARD.contains(&name);
    let counts_pods = name == "pods" || name == "count/pods";
    match scope {
        "BestEffort" => counts_pods,
        _ => counts_pods || (compute && !name.starts_with("services")),
    }
}

/// Models `validateScopedResourceSelectorRequirement`.
fn scope_selector(spec: &ResourceQuotaSpec, errors: &mut Vec<FieldError>) {
    let Some(selector) = &spec.scope_selector else { return };
    let at = Path::new("spec.scopeSelector.matchExpressions");
    let all = selector.match_expressions.as_deref().unwrap_or_default();
    for wanted in all {
        let (scope, operator) = (wanted.scope_name.as_str(), wanted.operator.as_str());
        if !SCOPES.contains(&scope) {
            let why = "unsupported scope";
            errors.push(FieldError::invalid_str(at.child("scopeName"), scope, why));
        }
        for name in spec.hard.iter().flatten().map(|(name, _)| name.as_str()) {
            if quota::STANDARD.contains(&name) && !usable(scope, name) {
                let shown = crate::api::object::to_value(selector);
                let why = "unsupported scope applied to resource";
                errors.push(FieldError::invalid(at, shown, why));
            }
        }
        if !matches!(scope, "PriorityClass" | "VolumeAttributesClass") && operator != "Exists" {
            let why = "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, \
                       ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, \
                       ResourceQuotaScopeNotBestEffort or \
                       ResourceQuotaScopeCrossNamespacePodAffinity";
            errors.push(FieldError::invalid_str(at.child("operator"), operator, why));
        }
        let values = wanted.values.as_deref().unwrap_or_default();
        match operator {
            "In" | "NotIn" if values.is_empty() => {
                let why = "must be at least one value when `operator` is 'In' or 'NotIn' for scope \
                           selector";
                errors.push(FieldError::required(at.child("values"), why));
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                let why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope \
                           selector";
                let shown = crate::api::object::to_value(&values);
                errors.push(FieldError::invalid(at.child("values"), shown, why));
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => {
                let why = "not a valid selector operator";
                errors.push(FieldError::invalid_str(at.child("operator"), other, why));
            }
        }
    }
    for pair in [["BestEffort", "NotBestEffort"], ["Terminating", "NotTerminating"]] {
        if pair.iter().all(|scope| all.iter().any(|w| w.scope_name == *scope)) {
            let shown = crate::api::object::to_value(&spec.scopes);
            errors.push(FieldError::invalid(at, shown, "conflicting scopes"));
        }
    }
}

/// Rules of limit ranges.
pub struct LimitRanges;

impl Strategy for LimitRanges {
    type Object = LimitRange;

    fn defaults(&self, range: &mut LimitRange) {
        for item in range.spec.iter_mut().flat_map(|s| &mut s.limits) {
            if item.type_ == "Container" {
                fill(item);
            }
        }
    }

    fn validate(&self, _: &StrategyCx, range: &LimitRange) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let at = Path::new("spec.limits");
        let limits = range.spec.as_ref().map(|s| s.limits.as_slice()).unwrap_or_default();
        for (i, item) in limits.iter().enumerate() {
            let at = at.index(i);
            if limits[..i].iter().any(|other| other.type_ == item.type_) {
                errors.push(FieldError::duplicate(at.child("type"), quoted(&item.type_)));
            }
            check(item, &at, &mut errors);
        }
        errors
    }
}

/// What is not said follows from what is: limits from the most, requests from limits or the least.
fn fill(item: &mut LimitRangeItem) {
    let max = item.max.clone().unwrap_or_default();
    let min = item.min.clone().unwrap_or_default();
    let mut limits = item.default.clone().unwrap_or_default();
    for (name, amount) in max {
        limits.entry(name).or_insert(amount);
    }
    let mut requests = item.default_request.clone().unwrap_or_default();
    for (name, amount) in limits.iter().chain(&min) {
        requests.entry(name.clone()).or_insert_with(|| amount.clone());
    }
    item.default = (!limits.is_empty()).then_some(limits);
    item.default_request = (!requests.is_empty()).then_some(requests);
}

fn check(item: &LimitRangeItem, at: &Path, errors: &mut Vec<FieldError>) {
    let kind = item.type_.as_str();
    if !matches!(kind, "Pod" | "Container" | "PersistentVolumeClaim") {
        match qualified_name_error(kind) {
            Some(why) => errors.push(FieldError::invalid_str(at.child("type"), kind, &why)),
            None if !kind.contains('/') => {
                let why = "must be a standard limit type or fully qualified";
                errors.push(FieldError::invalid_str(at.child("type"), kind, why));
            }
            None => {}
        }
    }
    if kind == "Pod" {
        for (field, list) in [("default", &item.default), ("defaultRequest", &item.default_request)]
        {
            if list.as_ref().is_some_and(|l| !l.is_empty()) {
                let why = "may not be specified when `type` is 'Pod'";
                errors.push(FieldError::forbidden(at.child(field), why));
            }
        }
    }
    if kind == "PersistentVolumeClaim" {
        let has =
            |list: &Option<ResourceList>| list.as_ref().is_some_and(|l| l.contains_key("storage"));
        if !has(&item.min) && !has(&item.max) {
            let why =
                "either minimum or maximum storage value is required, but neither was provided";
            errors.push(FieldError::required(at.child("limits"), why));
        }
    }
    amounts(item, at, errors);
}

fn amounts(item: &LimitRangeItem, at: &Path, errors: &mut Vec<FieldError>) {
    let lists =
        [&item.max, &item.min, &item.default, &item.default_request, &item.max_limit_request_ratio];
    let mut names: Vec<_> = lists.into_iter().flatten().flat_map(|l| l.keys()).collect();
    names.sort();
    names.dedup();
    for name in names {
        let of = |list: &Option<ResourceList>| list.as_ref()?.get(name).map(Amount::of);
        let (min, max) = (of(&item.min), of(&item.max));
        let (limit, request) = (of(&item.default), of(&item.default_request));
        // Each pair: the smaller one, the larger one, and how both are called.
        for (field, low, low_name, high, high_name) in [
            ("min", min, "min", max, "max"),
            ("defaultRequest", min, "min", request, "default request"),
            ("defaultRequest", request, "default request", max, "max"),
            ("defaultRequest", request, "default request", limit, "default limit"),
            ("default", min, "min", limit, "default"),
            ("default", limit, "default", max, "max"),
        ] {
            let (Some(low), Some(high)) = (low, high) else { continue };
            if low > high {
                // Upstream shows the larger one of two of these pairs.
                let larger =
                    high_name == "default request" || (field, high_name) == ("default", "max");
                let shown = if larger { high } else { low };
                let why =
                    format!("{low_name} value {low} is greater than {high_name} value {high}");
                let at = at.child(field);
                errors.push(FieldError::invalid_str(at.key(name), &shown.to_string(), &why));
            }
        }
        let ratio = of(&item.max_limit_request_ratio);
        if let Some(ratio) = ratio.filter(|r| *r < Amount::from_units(1)) {
            let why = format!("ratio {ratio} is less than 1");
            let at = at.child("maxLimitRequestRatio");
            errors.push(FieldError::invalid_str(at.key(name), &ratio.to_string(), &why));
        }
    }
}
