//! The rules of Events: they are forgotten after an hour.
//!
//! Models `pkg/registry/core/event` and `pkg/apis/core/validation/events.go`.

use std::time::Duration;

use k8s_openapi::api::core::v1::Event;

use super::{Strategy, StrategyCx};
use crate::api::FieldError;

/// `--event-ttl` of the API server.
const TIME_TO_LIVE: Duration = Duration::from_secs(3600);

/// See the module.
pub struct Events;

impl Strategy for Events {
    type Object = Event;

    fn validate(&self, _: &StrategyCx, event: &Event) -> Vec<FieldError> {
        let own = event.metadata.namespace.as_deref().unwrap_or_default();
        let about = event.involved_object.namespace.as_deref().unwrap_or_default();
        // Events about objects without a namespace are kept in `default`.
        let fits =
            if about.is_empty() { own == "default" || own == "kube-system" } else { own == about };
        if fits {
            return Vec::new();
        }
        let why = "does not match event.namespace";
        vec![FieldError::invalid_str("involvedObject.namespace", about, why)]
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
