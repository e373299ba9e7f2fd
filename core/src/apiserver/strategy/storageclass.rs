//! The rules of StorageClasses.
//!
//! Models `pkg/apis/storage/validation`.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::{core::v1::TopologySelectorTerm, storage::v1::StorageClass};

use super::{
    Strategy, StrategyCx,
    metadata::qualified_name_error,
    pod::{self, containers::one_of, defaults::text},
};
use crate::api::{FieldError, Path, gofmt::quote};

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
        parameters(class.parameters.as_ref(), &mut errors);
        let reclaim = class.reclaim_policy.as_deref().unwrap_or_default();
        one_of(reclaim, &["Delete", "Retain"], &Path::new("reclaimPolicy"), &mut errors);
        let mode = class.volume_binding_mode.as_deref().unwrap_or_default();
        let modes = &["Immediate", "WaitForFirstConsumer"];
        one_of(mode, modes, &Path::new("volumeBindingMode"), &mut errors);
        topologies(class.allowed_topologies.as_deref().unwrap_or_default(), &mut errors);
        errors
    }

    fn warnings(&self, class: &StorageClass, _: Option<&StorageClass>) -> Vec<String> {
        let mut out = Vec::new();
        let at = Path::new("allowedTopologies");
        for (i, term) in class.allowed_topologies.iter().flatten().enumerate() {
            let at = at.index(i);
            let at = at.child("matchLabelExpressions");
            for (i, wanted) in term.match_label_expressions.iter().flatten().enumerate() {
                if let Some(why) = pod::old_label(&wanted.key) {
                    out.push(format!("{}: {} is {why}", at.index(i).child("key"), wanted.key));
                }
            }
        }
        out
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

/// What a driver is told of its volumes. Models `validateParameters`.
pub fn parameters(parameters: Option<&BTreeMap<String, String>>, errors: &mut Vec<FieldError>) {
    const MOST: usize = 512;
    const LARGEST: usize = 256 * 1024;
    let count = parameters.map_or(0, BTreeMap::len);
    if count > MOST {
        return errors.push(FieldError::too_long("parameters", MOST));
    }
    let mut size = 0;
    for (key, value) in parameters.into_iter().flatten() {
        if key.is_empty() {
            errors.push(FieldError::invalid_str("parameters", key, "field can not be empty."));
        }
        size += key.len() + value.len();
    }
    if size > LARGEST {
        errors.push(FieldError::too_long("parameters", LARGEST));
    }
}

/// Models `validateAllowedTopologies`.
fn topologies(terms: &[TopologySelectorTerm], errors: &mut Vec<FieldError>) {
    let at = Path::new("allowedTopologies");
    for (i, term) in terms.iter().enumerate() {
        let at = at.index(i);
        let at = at.child("matchLabelExpressions");
        let mut keys = BTreeSet::new();
        for (i, wanted) in term.match_label_expressions.iter().flatten().enumerate() {
            let at = at.index(i);
            let values_at = at.child("values");
            if wanted.values.is_empty() {
                errors.push(FieldError::required(values_at, ""));
            }
            let mut values = BTreeSet::new();
            for (i, value) in wanted.values.iter().enumerate() {
                if !values.insert(value) {
                    errors.push(FieldError::duplicate(values_at.index(i), quote(value)));
                }
            }
            if let Some(why) = qualified_name_error(&wanted.key) {
                errors.push(FieldError::invalid_str(at.child("key"), &wanted.key, &why));
            }
            if !keys.insert(&wanted.key) {
                errors.push(FieldError::duplicate(at.child("key"), quote(&wanted.key)));
            }
        }
        if terms.iter().take(i).any(|other| other == term) {
            errors.push(FieldError::duplicate(at, "\"\""));
        }
    }
}
