//! What the columns of tables are: their types, formats and descriptions.
//!
//! The cells themselves are made in `apiserver::table`, as text; here numbers and truth values become
//! what they are in JSON. Models the column definitions of `pkg/printers/internalversion/printers.go`.

use serde_json::Value;

use crate::api::{Kind, openapi, schema};

/// Columns whose cells are numbers, by kind; sorted.
const NUMBERS: &[(&str, &[&str])] = &[
    ("ConfigMap", &["Data"]),
    ("ControllerRevision", &["Revision"]),
    ("CronJob", &["Active"]),
    ("DaemonSet", &["Available", "Current", "Desired", "Ready", "Up-to-date"]),
    ("Deployment", &["Available", "Up-to-date"]),
    ("Event", &["Count"]),
    ("HorizontalPodAutoscaler", &["MaxPods", "Replicas"]),
    ("PodDisruptionBudget", &["Allowed Disruptions"]),
    ("PriorityClass", &["Value"]),
    ("ReplicaSet", &["Current", "Desired", "Ready"]),
    ("ReplicationController", &["Current", "Desired", "Ready"]),
    ("Secret", &["Data"]),
    ("ServiceAccount", &["Secrets"]),
];

/// Columns that are numbers without being declared as such.
const DECLARED_AS_TEXT: &[(&str, &str)] = &[
    ("ConfigMap", "Data"),
    ("Deployment", "Available"),
    ("Deployment", "Up-to-date"),
    ("Event", "Count"),
    ("HorizontalPodAutoscaler", "MaxPods"),
    ("HorizontalPodAutoscaler", "Replicas"),
    ("Secret", "Data"),
    ("ServiceAccount", "Secrets"),
];

/// Columns whose cells are true or false.
const TRUTHS: &[(&str, &str)] =
    &[("PriorityClass", "Global-Default"), ("StorageClass", "AllowVolumeExpansion")];

fn is_number(kind: &Kind, column: &str) -> bool {
    let found = NUMBERS.iter().find(|(of, _)| *of == kind.kind);
    !kind.is_custom() && found.is_some_and(|(_, columns)| columns.contains(&column))
}

/// A column's type and format.
pub fn form(kind: &Kind, column: &str) -> (&'static str, &'static str) {
    let text = DECLARED_AS_TEXT.contains(&(&*kind.kind, column));
    if is_number(kind, column) && !text {
        return ("integer", "");
    }
    match (&*kind.kind, column) {
        _ if kind.is_custom() => ("string", ""),
        ("CronJob", "Suspend") | ("PriorityClass", "Global-Default") => ("boolean", ""),
        _ => ("string", ""),
    }
}

/// A cell as JSON.
pub fn cell(kind: &Kind, column: &str, text: String) -> Value {
    if is_number(kind, column) {
        if let Ok(number) = text.parse::<i64>() {
            return number.into();
        }
    }
    if !kind.is_custom() && TRUTHS.contains(&(&*kind.kind, column)) {
        if let Ok(truth) = text.parse::<bool>() {
            return truth.into();
        }
    }
    Value::String(text)
}

/// Where the field is that a column shows, for those that show one: its type and name.
const SHOWN: &[(&str, &str, &str)] = &[
    ("Age", "ObjectMeta", "creationTimestamp"),
    ("Created At", "ObjectMeta", "creationTimestamp"),
    ("Name", "ObjectMeta", "name"),
];

/// What a column shows, where that is a field: the field's description.
pub fn description(kind: &Kind, column: &str) -> String {
    let custom_age = kind.is_custom() && column != "Name";
    let shown = SHOWN.iter().find(|(name, ..)| *name == column && !custom_age);
    let found = shown.and_then(|(_, of, field)| {
        let of = schema::by_key(of)?;
        openapi::description_of(of, field)
    });
    found.unwrap_or_default()
}
