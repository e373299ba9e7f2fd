//! The rules of StorageClasses.
//!
//! Models `pkg/apis/storage/validation`.

use k8s_openapi::api::storage::v1::StorageClass;

use super::{
    Strategy, StrategyCx,
    metadata::qualified_name_error,
    pod::{containers::one_of, defaults::text},
};
use crate::api::{FieldError, Path};

/// See the module.
pub struct StorageClasses;

impl Strategy for StorageClasses {
    type Object = StorageClass;

    fn defaults(&self, class: &mut StorageClass) {
        text(&mut class.reclaim_policy, "Delete");
        text(&mut class.volume_binding_mode, "Immediate");
    }

    fn validate(&self, _: &StrategyCx, class: &StorageClass) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if class.provisioner.is_empty() {
            errors.push(FieldError::required("provisioner", ""));
        } else if let Some(why) = qualified_name_error(&class.provisioner.to_ascii_lowercase()) {
            errors.push(FieldError::invalid_str("provisioner", &class.provisioner, &why));
        }
        let reclaim = class.reclaim_policy.as_deref().unwrap_or_default();
        one_of(reclaim, &["Delete", "Retain"], &Path::new("reclaimPolicy"), &mut errors);
        let mode = class.volume_binding_mode.as_deref().unwrap_or_default();
        let modes = &["Immediate", "WaitForFirstConsumer"];
        one_of(mode, modes, &Path::new("volumeBindingMode"), &mut errors);
        errors
    }

    fn validate_update(
        &self,
        _: &StrategyCx,
        new: &StorageClass,
        old: &StorageClass,
    ) -> Vec<FieldError> {
        let changed = [
            ("parameters", new.parameters != old.parameters),
            ("provisioner", new.provisioner != old.provisioner),
            ("reclaimPolicy", new.reclaim_policy != old.reclaim_policy),
        ];
        let changed = changed.into_iter().filter(|(_, is)| *is);
        let mut errors: Vec<_> = changed
            .map(|(field, _)| {
                FieldError::forbidden(field, &format!("updates to {field} are forbidden."))
            })
            .collect();
        if new.volume_binding_mode != old.volume_binding_mode {
            let value = new.volume_binding_mode.as_deref().unwrap_or_default();
            errors.push(FieldError::invalid_str("volumeBindingMode", value, "field is immutable"));
        }
        errors
    }
}
