//! The rules of ConfigMaps.
//!
//! Models `ValidateConfigMap` and `ValidateConfigMapUpdate`.

use k8s_openapi::api::core::v1::ConfigMap;

use super::{Strategy, StrategyCx, pod::containers::config_key_error};
use crate::api::FieldError;

/// Largest size of all values together: 1 MiB.
pub const MAX_SIZE: usize = 1 << 20;
const FIXED: &str = "field is immutable when `immutable` is set";

/// See the module.
pub struct ConfigMaps;

impl Strategy for ConfigMaps {
    type Object = ConfigMap;

    fn validate(&self, _: &StrategyCx, config: &ConfigMap) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut size = 0;
        for (key, value) in config.data.iter().flatten() {
            check_key("data", key, &mut errors);
            if config.binary_data.as_ref().is_some_and(|b| b.contains_key(key)) {
                let why = "duplicate of key present in binaryData";
                errors.push(FieldError::invalid_str(format!("data[{key}]"), key, why));
            }
            size += value.len();
        }
        for (key, value) in config.binary_data.iter().flatten() {
            check_key("binaryData", key, &mut errors);
            size += value.0.len();
        }
        if size > MAX_SIZE {
            errors.push(FieldError::too_long("", MAX_SIZE));
        }
        errors
    }

    fn validate_update(&self, _: &StrategyCx, new: &ConfigMap, old: &ConfigMap) -> Vec<FieldError> {
        if old.immutable != Some(true) {
            return Vec::new();
        }
        let changed = [
            ("immutable", new.immutable != Some(true)),
            ("data", new.data != old.data),
            ("binaryData", new.binary_data != old.binary_data),
        ];
        let changed = changed.into_iter().filter(|(_, is)| *is);
        changed.map(|(field, _)| FieldError::forbidden(field, FIXED)).collect()
    }
}

/// A key must be usable as a file's name.
pub fn check_key(field: &str, key: &str, errors: &mut Vec<FieldError>) {
    if let Some(why) = config_key_error(key) {
        errors.push(FieldError::invalid_str(format!("{field}[{key}]"), key, &why));
    }
}
