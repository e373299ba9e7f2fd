//! The rules of ControllerRevisions: their data never changes.
//!
//! Models `pkg/apis/apps/validation.ValidateControllerRevision`.

use k8s_openapi::api::apps::v1::ControllerRevision;
use serde_json::Value;

use super::{Strategy, StrategyCx};
use crate::api::{FieldError, object::to_value};

/// See the module.
pub struct ControllerRevisions;

impl Strategy for ControllerRevisions {
    type Object = ControllerRevision;

    fn validate(&self, _: &StrategyCx, revision: &ControllerRevision) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if revision.revision < 0 {
            let why = "must be greater than or equal to 0";
            errors.push(FieldError::invalid("revision", revision.revision, why));
        }
        errors
    }

    fn validate_new(&self, _: &StrategyCx, revision: &ControllerRevision) -> Vec<FieldError> {
        let why = match revision.data.as_ref().map(|d| &d.0) {
            None | Some(Value::Null) => "data is mandatory",
            Some(Value::Object(_)) => return Vec::new(),
            Some(_) => "data must be a valid JSON object",
        };
        vec![FieldError::required("data", why)]
    }

    fn validate_update(
        &self,
        _: &StrategyCx,
        new: &ControllerRevision,
        old: &ControllerRevision,
    ) -> Vec<FieldError> {
        if new.data == old.data {
            return Vec::new();
        }
        vec![FieldError::invalid("data", to_value(&new.data), "field is immutable")]
    }
}
