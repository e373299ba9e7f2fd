//! What is wrong with a job's policies: which failures of pods count, and when it has succeeded.
//!
//! Models `validatePodFailurePolicy`, `validateSuccessPolicy` and `validateIndexesFormat` in
//! `pkg/apis/batch/validation`.

use k8s_openapi::api::batch::v1::{
    JobSpec, PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyOnPodConditionsPattern, PodFailurePolicyRule, SuccessPolicy, SuccessPolicyRule,
};

use crate::{
    api::{FieldError, Path, object::to_value},
    apiserver::strategy::metadata::qualified_name_error,
};

/// Most rules of a policy, and most patterns of conditions in one.
const MOST_RULES: usize = 20;
const MOST_CODES: usize = 255;
/// Longest list of indexes, in bytes.
const LONGEST: usize = 64 * 1024;

const ACTIONS: &[&str] = &["Count", "FailIndex", "FailJob", "Ignore"];
const OPERATORS: &[&str] = &["In", "NotIn"];
const STATUSES: &[&str] = &["False", "True", "Unknown"];

fn too_many(at: &Path, count: usize, most: usize, errors: &mut Vec<FieldError>) {
    if count > most {
        errors.push(FieldError::too_many(at, count as u64, most as u64));
    }
}

/// A value that must be there and be one of a few: what it may be is said in both cases.
fn known(value: &str, known: &[&str], at: &Path, errors: &mut Vec<FieldError>) {
    if value.is_empty() {
        let list: Vec<_> = known.iter().map(|v| format!("{v:?}")).collect();
        let why = format!("valid values: [{}]", list.join(" "));
        errors.push(FieldError::required(at, &why));
    } else if !known.contains(&value) {
        errors.push(FieldError::not_supported(at, value, known));
    }
}

/// The policy of failures.
pub fn failure(spec: &JobSpec, policy: &PodFailurePolicy, at: &Path, errors: &mut Vec<FieldError>) {
    let rules_at = at.child("rules");
    too_many(&rules_at, policy.rules.len(), MOST_RULES, errors);
    for (i, rule) in policy.rules.iter().enumerate() {
        failure_rule(spec, rule, &rules_at.index(i), errors);
    }
}

fn failure_rule(
    spec: &JobSpec,
    rule: &PodFailurePolicyRule,
    at: &Path,
    errors: &mut Vec<FieldError>,
) {
    let action_at = at.child("action");
    known(&rule.action, ACTIONS, &action_at, errors);
    if rule.action == "FailIndex" && spec.backoff_limit_per_index.is_none() {
        let why = "requires the backoffLimitPerIndex to be set";
        errors.push(FieldError::invalid_str(action_at, &rule.action, why));
    }
    if let Some(codes) = &rule.on_exit_codes {
        exit_codes(spec, codes, &at.child("onExitCodes"), errors);
    }
    let conditions = rule.on_pod_conditions.as_deref().unwrap_or_default();
    if !conditions.is_empty() {
        pod_conditions(conditions, &at.child("onPodConditions"), errors);
    }
    let why = match (rule.on_exit_codes.is_some(), !conditions.is_empty()) {
        (true, true) => "specifying both OnExitCodes and OnPodConditions is not supported",
        (false, false) => "specifying one of OnExitCodes and OnPodConditions is required",
        _ => return,
    };
    errors.push(FieldError::invalid_unshown(at, why));
}

fn pod_conditions(
    patterns: &[PodFailurePolicyOnPodConditionsPattern],
    at: &Path,
    errors: &mut Vec<FieldError>,
) {
    too_many(at, patterns.len(), MOST_RULES, errors);
    for (i, pattern) in patterns.iter().enumerate() {
        let at = at.index(i);
        if let Some(why) = qualified_name_error(&pattern.type_) {
            errors.push(FieldError::invalid_str(at.child("type"), &pattern.type_, &why));
        }
        let status = pattern.status.as_deref().unwrap_or_default();
        known(status, STATUSES, &at.child("status"), errors);
    }
}

fn exit_codes(
    spec: &JobSpec,
    codes: &PodFailurePolicyOnExitCodesRequirement,
    at: &Path,
    errors: &mut Vec<FieldError>,
) {
    known(&codes.operator, OPERATORS, &at.child("operator"), errors);
    if let Some(name) = &codes.container_name {
        let pod = spec.template.spec.as_ref();
        let regular = pod.into_iter().flat_map(|s| &s.containers);
        let init = pod.into_iter().flat_map(|s| s.init_containers.iter().flatten());
        if !regular.chain(init).any(|c| c.name == *name) {
            let why = "must be one of the container or initContainer names in the pod template";
            errors.push(FieldError::invalid_str(at.child("containerName"), name, why));
        }
    }
    let values_at = at.child("values");
    if codes.values.is_empty() {
        errors.push(FieldError::invalid(values_at, "[]", "at least one value is required"));
    }
    too_many(&values_at, codes.values.len(), MOST_CODES, errors);
    let mut seen = std::collections::BTreeSet::new();
    for (i, value) in codes.values.iter().enumerate() {
        let at = values_at.index(i);
        if *value == 0 && codes.operator == "In" {
            errors.push(FieldError::invalid(at, value, "must not be 0 for the In operator"));
        }
        if !seen.insert(value) {
            errors.push(FieldError::duplicate(at, value));
        }
    }
    if !codes.values.is_sorted() {
        let shown = to_value(&codes.values);
        errors.push(FieldError::invalid(values_at, shown, "must be ordered"));
    }
}

/// The policy of success, of indexed jobs only.
pub fn success(spec: &JobSpec, policy: &SuccessPolicy, at: &Path, errors: &mut Vec<FieldError>) {
    if spec.completion_mode.as_deref() != Some("Indexed") {
        let shown = shown(policy);
        errors.push(FieldError::invalid(at, shown, "requires indexed completion mode"));
        return;
    }
    let rules_at = at.child("rules");
    if policy.rules.is_empty() {
        let why = "at least one rules must be specified when the successPolicy is specified";
        errors.push(FieldError::required(rules_at, why));
    }
    too_many(&rules_at, policy.rules.len(), MOST_RULES, errors);
    for (i, rule) in policy.rules.iter().enumerate() {
        let completions = spec.completions.unwrap_or(0);
        success_rule(rule, completions, &rules_at.index(i), errors);
    }
}

/// As Go writes its own type.
fn shown(policy: &SuccessPolicy) -> String {
    let rule = |r: &SuccessPolicyRule| {
        let indexes = to_value(&r.succeeded_indexes);
        let count = to_value(&r.succeeded_count);
        format!("{{\"SucceededIndexes\":{indexes},\"SucceededCount\":{count}}}")
    };
    let rules: Vec<_> = policy.rules.iter().map(rule).collect();
    format!("{{\"Rules\":[{}]}}", rules.join(","))
}

fn success_rule(
    rule: &SuccessPolicyRule,
    completions: i32,
    at: &Path,
    errors: &mut Vec<FieldError>,
) {
    if rule.succeeded_count.is_none() && rule.succeeded_indexes.is_none() {
        let why = "at least one of succeededCount or succeededIndexes must be specified";
        errors.push(FieldError::required(at, why));
    }
    let mut named = 0;
    if let Some(indexes) = &rule.succeeded_indexes {
        let at = at.child("succeededIndexes");
        if indexes.len() > LONGEST {
            errors.push(FieldError::too_long(at, LONGEST));
        }
        match parse_indexes(indexes, completions) {
            Ok(intervals) => named = intervals.iter().map(|(low, high)| high - low + 1).sum(),
            Err(why) => {
                let why = format!("error parsing succeededIndexes: {why}");
                errors.push(FieldError::invalid_str(at, indexes, &why));
            }
        }
    }
    let Some(count) = rule.succeeded_count else { return };
    let at = at.child("succeededCount");
    super::not_negative(Some(count.into()), &at, errors);
    if count > completions {
        let why = format!(
            "must be less than or equal to {completions} (the number of specified completions)"
        );
        errors.push(FieldError::invalid(at, count, &why));
    }
    if rule.succeeded_indexes.is_some() && count > named {
        let why = format!(
            "must be less than or equal to {named} (the number of indexes in the specified \
             succeededIndexes field)"
        );
        errors.push(FieldError::invalid(at, count, &why));
    }
}

/// Intervals of indexes below `completions`: `0,2-4`.
pub fn parse_indexes(text: &str, completions: i32) -> Result<Vec<(i32, i32)>, String> {
    let mut intervals = Vec::new();
    let mut last: Option<i32> = None;
    for part in text.split(',').filter(|_| !text.is_empty()) {
        let (low, high) = interval(part, completions)?;
        if let Some(last) = last.filter(|last| *last >= low) {
            return Err(format!("non-increasing order, previous: {last}, current: {low}"));
        }
        last = Some(high);
        intervals.push((low, high));
    }
    Ok(intervals)
}

fn interval(text: &str, completions: i32) -> Result<(i32, i32), String> {
    let number = |text: &str| {
        let number = text.parse::<i32>();
        let number =
            number.map_err(|_| format!("cannot convert string to integer for index: {text:?}"))?;
        if number >= completions {
            return Err(format!("too large index: {text:?}"));
        }
        Ok(number)
    };
    if text.split('-').count() > 2 {
        return Err(format!(
            "the fragment {text:?} violates the requirement that an index interval can have at \
             most two parts separated by '-'"
        ));
    }
    let Some((low, high)) = text.split_once('-') else {
        let only = number(text)?;
        return Ok((only, only));
    };
    let (low, high) = (number(low)?, number(high)?);
    if low >= high {
        return Err(format!("non-increasing order, previous: {low}, current: {high}"));
    }
    Ok((low, high))
}
