//! The rules of Events: they are forgotten after an hour.
//!
//! Models `pkg/registry/core/event` and `pkg/apis/core/validation/events.go`.

use std::time::Duration;

use k8s_openapi::api::core::v1::Event;

use super::{Strategy, StrategyCx, qualified_name_error};
use crate::api::{FieldError, object::to_value};

/// `--event-ttl` of the API server.
const TIME_TO_LIVE: Duration = Duration::from_secs(3600);

/// See the module.
pub struct Events;

/// Fields that stay as they are, and what errors call them.
const FIXED: &[(&str, &str)] = &[
    ("involvedObject", "involvedObject"),
    ("reason", "reason"),
    ("message", "message"),
    ("source", "source"),
    ("firstTimestamp", "firstTimestamp"),
    ("lastTimestamp", "lastTimestamp"),
    ("count", "count"),
    ("type", "type"),
    ("eventTime", "eventTime"),
    ("action", "action"),
    ("related", "related"),
    ("reportingComponent", "reportingController"),
    ("reportingInstance", "reportingInstance"),
];

fn filled(text: &Option<String>) -> bool {
    text.as_ref().is_some_and(|t| !t.is_empty())
}

fn check_series(event: &Event, errors: &mut Vec<FieldError>) {
    let Some(series) = &event.series else { return };
    if series.count.unwrap_or(0) < 2 {
        errors.push(FieldError::invalid_str("series.count", "", "should be at least 2"));
    }
    if series.last_observed_time.is_none() {
        errors.push(FieldError::required("series.lastObservedTime", ""));
    }
}

/// Rules for every event that tells its `eventTime`.
fn check_newer(event: &Event, errors: &mut Vec<FieldError>) {
    let controller = event.reporting_component.as_deref().unwrap_or_default();
    if controller.is_empty() {
        errors.push(FieldError::required("reportingController", ""));
    }
    if let Some(why) = qualified_name_error(controller) {
        errors.push(FieldError::invalid_str("reportingController", controller, &why));
    }
    for (field, value, most, needed) in [
        ("reportingInstance", &event.reporting_instance, 128, true),
        ("action", &event.action, 128, true),
        ("reason", &event.reason, 128, true),
        ("message", &event.message, 1024, false),
    ] {
        let length = value.as_ref().map_or(0, String::len);
        if needed && length == 0 {
            errors.push(FieldError::required(field, ""));
        }
        if length > most {
            let why = format!("can have at most {most} characters");
            errors.push(FieldError::invalid_str(field, "", &why));
        }
    }
}

impl Strategy for Events {
    type Object = Event;

    fn validate(&self, _: &StrategyCx, event: &Event) -> Vec<FieldError> {
        let own = event.metadata.namespace.as_deref().unwrap_or_default();
        let about = event.involved_object.namespace.as_deref().unwrap_or_default();
        let newer = event.event_time.is_some();
        // Events about objects without a namespace are kept in `default`.
        let fits = match about {
            "" => own == "default" || (newer && own == "kube-system"),
            about => newer || own == about,
        };
        let mut errors = Vec::new();
        if !fits {
            let why = "does not match event.namespace";
            errors.push(FieldError::invalid_str("involvedObject.namespace", about, why));
        }
        if newer {
            check_newer(event, &mut errors);
        }
        errors
    }

    /// What comes as an event of `events.k8s.io/v1` is checked more strictly.
    fn validate_new(&self, cx: &StrategyCx, event: &Event) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if cx.request.version.is_none() {
            return errors;
        }
        check_series(event, &mut errors);
        if event.event_time.is_none() {
            errors.push(FieldError::required("eventTime", ""));
        }
        let kind = event.type_.as_deref().unwrap_or_default();
        if !matches!(kind, "Normal" | "Warning") {
            let why = format!("has invalid value: {kind}");
            errors.push(FieldError::invalid_str("type", "", &why));
        }
        let source = event.source.as_ref();
        let named = source.is_some_and(|s| filled(&s.component) || filled(&s.host));
        for (field, set) in [
            ("firstTimestamp", event.first_timestamp.is_some()),
            ("lastTimestamp", event.last_timestamp.is_some()),
            ("count", event.count.unwrap_or(0) != 0),
            ("source", named),
        ] {
            if set {
                errors.push(FieldError::invalid_str(field, "", "needs to be unset"));
            }
        }
        errors
    }

    fn validate_update(&self, cx: &StrategyCx, new: &Event, old: &Event) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if cx.request.version.is_none() {
            return errors;
        }
        if new.series != old.series {
            check_series(new, &mut errors);
        }
        let (now, was) = (to_value(new), to_value(old));
        for (field, shown) in FIXED {
            if now.get(*field) != was.get(*field) {
                let value = now.get(*field).cloned().unwrap_or_default();
                errors.push(FieldError::invalid(*shown, value, "field is immutable"));
            }
        }
        errors
    }

    fn field(&self, event: &Event, path: &str) -> Option<String> {
        let about = &event.involved_object;
        let source = event.source.as_ref();
        let found = match path {
            "involvedObject.kind" => about.kind.clone(),
            "involvedObject.namespace" => about.namespace.clone(),
            "involvedObject.name" => about.name.clone(),
            "involvedObject.uid" => about.uid.clone(),
            "involvedObject.apiVersion" => about.api_version.clone(),
            "involvedObject.resourceVersion" => about.resource_version.clone(),
            "involvedObject.fieldPath" => about.field_path.clone(),
            "reason" => event.reason.clone(),
            "reportingComponent" => event.reporting_component.clone(),
            "source" => source
                .and_then(|s| s.component.clone())
                .filter(|c| !c.is_empty())
                .or_else(|| event.reporting_component.clone()),
            "type" => event.type_.clone(),
            _ => return None,
        };
        Some(found.unwrap_or_default())
    }

    fn time_to_live(&self) -> Option<Duration> {
        Some(TIME_TO_LIVE)
    }
}
