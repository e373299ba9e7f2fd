//! Priority: a pod's priority is its class's.
//!
//! Models `plugin/pkg/admission/priority` and `Delete` of `pkg/registry/scheduling/priorityclass`.

use k8s_openapi::api::{core::v1::Pod, scheduling::v1::PriorityClass};

use super::Attributes;
use crate::api::{Object, Status, Typed, object::downcast_rc};
use crate::apiserver::strategy::priorityclass::is_system;

/// Resolves a pod's class; refuses a second default class.
pub fn admit(attributes: &Attributes, object: &mut dyn Object) -> Result<(), Status> {
    let name = object.name().to_string();
    if let Some(class) = object.downcast::<PriorityClass>() {
        let other = default_class(attributes).filter(|d| d.metadata.name != class.metadata.name);
        if let (Some(true), Some(other)) = (class.global_default, other) {
            let why = format!(
                "PriorityClass {} is already marked as default. Only one default can exist",
                other.metadata.name.as_deref().unwrap_or_default()
            );
            return Err(Status::forbidden(attributes.kind, &name, &why));
        }
        return Ok(());
    }
    let Some(pod) = object.downcast_mut::<Pod>() else { return Ok(()) };
    let Some(spec) = &mut pod.spec else { return Ok(()) };
    if let Some(old) = attributes.old.and_then(|o| o.downcast::<Pod>()) {
        if spec.priority.is_none() {
            spec.priority = old.spec.as_ref().and_then(|s| s.priority);
        }
        return Ok(());
    }
    let named = spec.priority_class_name.clone().filter(|n| !n.is_empty());
    let class = match &named {
        Some(class) => {
            let found = attributes.api.store().get(PriorityClass::ID, "", class);
            let Some(found) = found.as_ref().and_then(downcast_rc::<PriorityClass>) else {
                let why = format!("no PriorityClass with name {class} was found");
                return Err(Status::forbidden(attributes.kind, &name, &why));
            };
            Some(found)
        }
        None => default_class(attributes),
    };
    if let (None, Some(class)) = (named, &class) {
        spec.priority_class_name.clone_from(&class.metadata.name);
    }
    let priority = class.as_ref().and_then(|c| c.value).unwrap_or(0);
    if let Some(given) = spec.priority.filter(|p| *p != priority) {
        let why = format!(
            "the integer value of priority ({given}) must not be provided in pod spec; priority \
             admission controller computed {priority} from the given PriorityClass name"
        );
        return Err(Status::forbidden(attributes.kind, &name, &why));
    }
    spec.priority = Some(priority);
    let policy = class.and_then(|c| c.preemption_policy.clone());
    let policy = policy.unwrap_or_else(|| "PreemptLowerPriority".into());
    if let Some(given) = spec.preemption_policy.as_ref().filter(|p| **p != policy) {
        let why = format!(
            "the string value of PreemptionPolicy ({given}) must not be provided in pod spec; \
             priority admission controller computed {policy} from the given PriorityClass name"
        );
        return Err(Status::forbidden(attributes.kind, &name, &why));
    }
    spec.preemption_policy = Some(policy);
    Ok(())
}

/// Refuses the deletion of the system's own classes.
pub fn delete(attributes: &Attributes, object: &dyn Object) -> Result<(), Status> {
    if attributes.kind.id != PriorityClass::ID || !is_system(object.name()) {
        return Ok(());
    }
    let why = "this is a system priority class and cannot be deleted";
    Err(Status::forbidden(attributes.kind, object.name(), why))
}

/// The class of pods that name none: of several marked ones, the lowest.
fn default_class(attributes: &Attributes) -> Option<std::rc::Rc<PriorityClass>> {
    let classes = attributes.api.store().list(PriorityClass::ID, None);
    let classes = classes.iter().filter_map(downcast_rc::<PriorityClass>);
    classes.filter(|c| c.global_default == Some(true)).min_by_key(|c| c.value)
}
