//! The rules of PodTemplates. Models `pkg/registry/core/podtemplate` and `ValidatePodTemplate`.

use k8s_openapi::api::core::v1::PodTemplate;

use super::{Strategy, StrategyCx, pod, workload};
use crate::api::{FieldError, Path};

/// See the module.
pub struct PodTemplates;

impl Strategy for PodTemplates {
    type Object = PodTemplate;

    fn defaults(&self, template: &mut PodTemplate) {
        workload::template_defaults(template.template.get_or_insert_default());
    }

    fn spec_changed(&self, new: &PodTemplate, old: &PodTemplate) -> Option<bool> {
        Some(new.template != old.template)
    }

    fn validate(&self, _: &StrategyCx, template: &PodTemplate) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if let Some(template) = &template.template {
            pod::spec::template(template, &Path::new("template"), &mut errors);
        }
        errors
    }
}
