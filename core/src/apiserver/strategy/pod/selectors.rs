//! What is wrong with label selectors.
//!
//! Models `apimachinery/pkg/apis/meta/v1/validation.ValidateLabelSelector`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use crate::{
    api::{FieldError, Path},
    apiserver::strategy::metadata::{label_errors, label_value_error, qualified_name_error},
};

/// A selector's labels and expressions.
pub fn check(selector: &LabelSelector, at: &Path, errors: &mut Vec<FieldError>) {
    let labels = String::from(at.child("matchLabels"));
    for (key, value) in selector.match_labels.iter().flatten() {
        errors.extend(label_errors(&labels, key, value));
    }
    let at = at.child("matchExpressions");
    for (i, e) in selector.match_expressions.iter().flatten().enumerate() {
        let at = at.index(i);
        let count = e.values.as_ref().map_or(0, Vec::len);
        match e.operator.as_str() {
            "In" | "NotIn" if count == 0 => {
                let why = "must be specified when `operator` is 'In' or 'NotIn'";
                errors.push(FieldError::required(at.child("values"), why));
            }
            "Exists" | "DoesNotExist" if count > 0 => {
                let why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                errors.push(FieldError::forbidden(at.child("values"), why));
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => {
                let why = "not a valid selector operator";
                errors.push(FieldError::invalid_str(at.child("operator"), other, why));
            }
        }
        if let Some(why) = qualified_name_error(&e.key) {
            errors.push(FieldError::invalid_str(at.child("key"), &e.key, &why));
        }
        for (i, value) in e.values.iter().flatten().enumerate() {
            if let Some(why) = label_value_error(value) {
                let at = at.child("values");
                errors.push(FieldError::invalid_str(at.index(i), value, &why));
            }
        }
    }
}

/// As Go prints a selector in errors: JSON.
pub fn shown(selector: Option<&LabelSelector>) -> String {
    selector.map_or("null".into(), |s| crate::api::object::to_value(s).to_string())
}
