//! DefaultIngressClass: a new ingress that names no class gets the cluster's default one.
//!
//! Models `plugin/pkg/admission/network/defaultingressclass`.

use k8s_openapi::api::networking::v1::{Ingress, IngressClass};

use super::Attributes;
use crate::api::{Object, Status, Typed, meta::annotation, object::downcast_rc};

const DEFAULT: &str = "ingressclass.kubernetes.io/is-default-class";
/// How classes were named before there was a field.
const OLD: &str = "kubernetes.io/ingress.class";

/// Gives new ingresses their class: of several default ones the newest, of those the first by name.
pub fn admit(attributes: &Attributes, object: &mut dyn Object) -> Result<(), Status> {
    let Some(ingress) = object.downcast_mut::<Ingress>() else { return Ok(()) };
    let named = ingress.spec.as_ref().is_some_and(|s| s.ingress_class_name.is_some());
    if attributes.old.is_some() || named || annotation(&ingress.metadata, OLD).is_some() {
        return Ok(());
    }
    let classes = attributes.api.store().list(IngressClass::ID, None);
    let marked = classes.iter().filter_map(downcast_rc::<IngressClass>);
    let marked = marked.filter(|c| annotation(&c.metadata, DEFAULT) == Some("true"));
    let newest = marked.max_by_key(|c| {
        let name = c.metadata.name.clone();
        (c.metadata.creation_timestamp.clone(), std::cmp::Reverse(name))
    });
    if let Some(class) = newest {
        ingress.spec.get_or_insert_default().ingress_class_name = class.metadata.name.clone();
    }
    Ok(())
}
