//! What Deployments, ReplicaSets and DaemonSets have in common: a selector and a template.
//!
//! Models `ValidatePodTemplateSpecForReplicaSet` and its siblings in `pkg/apis/apps/validation`.

pub mod status;

use k8s_openapi::{
    api::core::v1::PodTemplateSpec,
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};

use super::pod::{self, selectors};
use crate::api::{FieldError, Path, selector::Selector};

/// Defaults of a template.
pub fn template_defaults(template: &mut PodTemplateSpec) {
    let meta = template.metadata.get_or_insert_default();
    meta.creation_timestamp = None;
    pod::defaults::spec_defaults(template.spec.get_or_insert_default());
}

/// A selector that must be there and must not select everything; `kind` names whose it is.
pub fn selector(selector: &LabelSelector, kind: &str, errors: &mut Vec<FieldError>) {
    let at = Path::new("spec.selector");
    selectors::check(selector, &at, errors);
    if is_empty(selector) {
        let why = format!("empty selector is invalid for {kind}");
        errors.push(FieldError::invalid(at, "{}", &why));
    }
}

/// Whether a selector says nothing.
pub fn is_empty(selector: &LabelSelector) -> bool {
    selector.match_labels.as_ref().is_none_or(|l| l.is_empty())
        && selector.match_expressions.as_ref().is_none_or(Vec::is_empty)
}

/// A template whose labels the selector must match and whose pods must go on for ever.
pub fn template(
    template: &PodTemplateSpec,
    selector: &LabelSelector,
    errors: &mut Vec<FieldError>,
) {
    matching(template, selector, errors);
    pod::spec::template(template, &Path::new("spec.template"), errors);
    lasting(template, "ReplicaSet", errors);
}

/// [`template`] of a StatefulSet: its pods are only looked at when they are made, since their claims
/// are volumes that the template does not know.
pub fn stateful_template(
    template: &PodTemplateSpec,
    selector: &LabelSelector,
    errors: &mut Vec<FieldError>,
) {
    matching(template, selector, errors);
    pod::spec::template_meta(template, &Path::new("spec.template"), errors);
    lasting(template, "StatefulSet", errors);
}

/// [`template`] of a DaemonSet.
pub fn daemon_template(
    template: &PodTemplateSpec,
    selector: &LabelSelector,
    errors: &mut Vec<FieldError>,
) {
    matching(template, selector, errors);
    pod::spec::template(template, &Path::new("spec.template"), errors);
    lasting(template, "DaemonSet", errors);
}

/// The selector must match the template's labels.
fn matching(template: &PodTemplateSpec, selector: &LabelSelector, errors: &mut Vec<FieldError>) {
    let labels = template.metadata.as_ref().and_then(|m| m.labels.as_ref());
    if let Ok(parsed) = Selector::from_label_selector(Some(selector)) {
        if !is_empty(selector) && !parsed.matches(labels) {
            let none = Default::default();
            let shown = crate::api::object::to_value(labels.unwrap_or(&none));
            let shown = if labels.is_none() { "null".to_string() } else { shown.to_string() };
            let why = "`selector` does not match template `labels`";
            errors.push(FieldError::invalid("spec.template.metadata.labels", shown, why));
        }
    }
}

/// The pods must go on for ever.
fn lasting(template: &PodTemplateSpec, kind: &str, errors: &mut Vec<FieldError>) {
    let spec = template.spec.as_ref();
    let policy = spec.and_then(|s| s.restart_policy.as_deref()).unwrap_or("Always");
    if matches!(policy, "OnFailure" | "Never") {
        let at = "spec.template.spec.restartPolicy";
        errors.push(FieldError::not_supported(at, policy, &["Always"]));
    }
    if spec.is_some_and(|s| s.active_deadline_seconds.is_some()) {
        let at = "spec.template.spec.activeDeadlineSeconds";
        let why = format!("activeDeadlineSeconds in {kind} is not Supported");
        errors.push(FieldError::forbidden(at, &why));
    }
}

/// Selectors can't be changed once they are set.
pub fn immutable_selector(new: &LabelSelector, old: &LabelSelector, errors: &mut Vec<FieldError>) {
    if new != old {
        let shown = selectors::shown(Some(new));
        errors.push(FieldError::invalid("spec.selector", shown, "field is immutable"));
    }
}

/// A number that can't be negative.
pub fn not_negative(value: Option<i32>, field: &str, errors: &mut Vec<FieldError>) {
    if let Some(value) = value.filter(|v| *v < 0) {
        errors.push(FieldError::invalid(field, value, "must be greater than or equal to 0"));
    }
}

/// A count or percentage (`25%`) that can't be negative. Models `ValidatePositiveIntOrPercent`.
pub fn count_or_percent(value: &IntOrString, field: &str, errors: &mut Vec<FieldError>) {
    match value {
        IntOrString::Int(n) => not_negative(Some(*n), field, errors),
        IntOrString::String(text) => {
            let digits = text.strip_suffix('%').unwrap_or_default();
            if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                let why = "a valid percent string must be a numeric string followed by an ending \
                           '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
                errors.push(FieldError::invalid_str(field, text, why));
            }
        }
    }
}

/// No more than all of them.
pub fn at_most_all(value: &IntOrString, field: &str, errors: &mut Vec<FieldError>) {
    let IntOrString::String(text) = value else { return };
    if percent(value).is_some_and(|p| p > 100) {
        errors.push(FieldError::invalid_str(field, text, "must not be greater than 100%"));
    }
}

/// The percentage, where it is one.
pub fn percent(value: &IntOrString) -> Option<i64> {
    match value {
        IntOrString::String(text) => text.strip_suffix('%')?.parse().ok(),
        IntOrString::Int(_) => None,
    }
}

/// Whether it means nothing at all: `0` or `0%`.
pub fn is_zero(value: &IntOrString) -> bool {
    match value {
        IntOrString::Int(n) => *n == 0,
        IntOrString::String(_) => percent(value) == Some(0),
    }
}

/// How a strategy of updates reads in errors: most unavailable and most surge, if it has them.
pub fn shown_strategy(name: &str, rolling: Option<(&IntOrString, &IntOrString)>) -> String {
    let rolling = rolling.map_or("null".to_string(), |(unavailable, surge)| {
        format!("{{\"MaxUnavailable\":{},\"MaxSurge\":{}}}", shown(unavailable), shown(surge))
    });
    format!("{{\"Type\":{name:?},\"RollingUpdate\":{rolling}}}")
}

/// As Go prints it in errors.
pub fn shown(value: &IntOrString) -> String {
    match value {
        IntOrString::Int(n) => n.to_string(),
        IntOrString::String(text) => format!("{text:?}"),
    }
}
