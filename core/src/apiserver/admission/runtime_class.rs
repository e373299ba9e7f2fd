//! RuntimeClass: a new pod that names a class gets the class's overhead and where it may run.
//!
//! Models `plugin/pkg/admission/runtimeclass` and `tolerations.MergeTolerations`.

use std::rc::Rc;

use k8s_openapi::api::{
    core::v1::{Pod, Toleration},
    node::v1::{RuntimeClass, Scheduling},
};

use super::Attributes;
use crate::api::{Object, Status, Typed, object::downcast_rc, quantity};

/// Gives new pods what their class says; refuses those that say otherwise or name no known class.
pub fn admit(attributes: &Attributes, object: &mut dyn Object) -> Result<(), Status> {
    let name = object.name().to_string();
    if attributes.old.is_some() {
        return Ok(());
    }
    let Some(spec) = object.downcast_mut::<Pod>().and_then(|p| p.spec.as_mut()) else {
        return Ok(());
    };
    let refuse = |why: &str| Err(Status::forbidden(attributes.kind, &name, why));
    let class = match &spec.runtime_class_name {
        None => None,
        Some(class) => {
            let Some(found) = find(attributes, class) else {
                return refuse(&format!("pod rejected: RuntimeClass \"{class}\" not found"));
            };
            Some(found)
        }
    };
    let fixed = class.as_ref().and_then(|c| c.overhead.as_ref());
    match (fixed, &spec.overhead) {
        (Some(fixed), Some(own)) if !same(fixed.pod_fixed.as_ref(), own) => {
            let why = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";
            return refuse(why);
        }
        (Some(fixed), _) => spec.overhead.clone_from(&fixed.pod_fixed),
        (None, _) => {}
    }
    let Some(Scheduling { node_selector, tolerations }) =
        class.as_ref().and_then(|c| c.scheduling.as_ref())
    else {
        return Ok(());
    };
    for (key, wanted) in node_selector.iter().flatten() {
        let selector = spec.node_selector.get_or_insert_default();
        let own = selector.entry(key.clone()).or_insert_with(|| wanted.clone());
        if own != wanted {
            return refuse(&format!(
                "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {wanted}; \
                 pod.spec.nodeSelector[{key}] = {own}"
            ));
        }
    }
    if tolerations.as_ref().is_some_and(|list| !list.is_empty()) {
        let own = spec.tolerations.take().unwrap_or_default();
        spec.tolerations =
            Some(merged(own.into_iter().chain(tolerations.iter().flatten().cloned())));
    }
    Ok(())
}

/// Refuses pods with an overhead that no class gave them.
pub fn commit(attributes: &Attributes, object: &dyn Object) -> Result<(), Status> {
    let spec = object.downcast::<Pod>().and_then(|p| p.spec.as_ref());
    let Some(spec) = spec.filter(|s| attributes.old.is_none() && s.overhead.is_some()) else {
        return Ok(());
    };
    let class = spec.runtime_class_name.as_ref().and_then(|name| find(attributes, name));
    if class.is_some_and(|c| c.overhead.is_some()) {
        return Ok(());
    }
    let why = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead";
    Err(Status::forbidden(attributes.kind, object.name(), why))
}

fn find(attributes: &Attributes, name: &str) -> Option<Rc<RuntimeClass>> {
    attributes.api.store().get(RuntimeClass::ID, "", name).as_ref().and_then(downcast_rc)
}

/// Whether two lists of resources say the same, however they write their amounts.
fn same(a: Option<&quantity::ResourceList>, b: &quantity::ResourceList) -> bool {
    let none = quantity::ResourceList::new();
    let a = a.unwrap_or(&none);
    a.len() == b.len()
        && a.iter().all(|(name, amount)| {
            let other = b.get(name).map(quantity::Amount::of);
            other == Some(quantity::Amount::of(amount))
        })
}

/// Tolerations without those that another one makes needless; of equal ones the first stays.
fn merged(all: impl Iterator<Item = Toleration>) -> Vec<Toleration> {
    let all: Vec<Toleration> = all.collect();
    let mut kept: Vec<Toleration> = Vec::new();
    for (i, one) in all.iter().enumerate() {
        let later = all.iter().skip(i + 1).filter(|other| *other != one);
        if !kept.iter().chain(later).any(|other| covers(other, one)) {
            kept.push(one.clone());
        }
    }
    kept
}

/// Whether whatever `small` tolerates is tolerated by `large` as well.
fn covers(large: &Toleration, small: &Toleration) -> bool {
    let text = |t: &Option<String>| t.clone().unwrap_or_default();
    if large == small {
        return true;
    }
    let exists = large.operator.as_deref() == Some("Exists");
    let any_key = exists && text(&large.key).is_empty();
    if text(&large.key) != text(&small.key) && !any_key {
        return false;
    }
    if text(&large.effect) != text(&small.effect) && !text(&large.effect).is_empty() {
        return false;
    }
    if let (Some("NoExecute"), Some(seconds)) = (large.effect.as_deref(), large.toleration_seconds)
    {
        if small.toleration_seconds.is_none_or(|own| own > seconds) {
            return false;
        }
    }
    match large.operator.as_deref() {
        Some("Exists") => true,
        None | Some("" | "Equal") => {
            small.operator.as_deref() == Some("Equal") && text(&small.value) == text(&large.value)
        }
        Some(_) => false,
    }
}
