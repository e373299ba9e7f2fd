//! The rules of PersistentVolumeClaims.
//!
//! Models `pkg/apis/core/v1/defaults.go`, `ValidatePersistentVolumeClaim(Update)` and
//! `pkg/registry/core/persistentvolumeclaim/strategy.go`.

use k8s_openapi::{
    api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimSpec},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{
    NameRule, Strategy, StrategyCx, godump,
    metadata::name_error,
    pod::{
        containers::{one_of, quoted},
        defaults::text,
        selectors,
    },
};
use crate::api::{
    FieldError, Path,
    meta::annotation,
    object::to_value,
    quantity::Amount,
    volumes::{claim_phase, names_no_class, requested, volume_name},
};

/// In the order in which errors list them.
pub const ACCESS_MODES: &[&str] =
    &["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];

const IMMUTABLE: &str = "spec is immutable after creation except resources.requests and \
                         volumeAttributesClassName for bound claims";

/// See the module.
pub struct PersistentVolumeClaims;

/// What is filled in, also in templates of claims.
pub fn defaults(claim: &mut PersistentVolumeClaim) {
    text(&mut claim.status.get_or_insert_default().phase, "Pending");
    text(&mut claim.spec.get_or_insert_default().volume_mode, "Filesystem");
}

impl Strategy for PersistentVolumeClaims {
    type Object = PersistentVolumeClaim;

    fn defaults(&self, claim: &mut PersistentVolumeClaim) {
        defaults(claim);
    }

    fn prepare_create(&self, _: &StrategyCx, claim: &mut PersistentVolumeClaim) {
        claim.status = Some(Default::default());
        defaults(claim);
        let spec = claim.spec.get_or_insert_default();
        if spec.data_source.is_some() && spec.data_source_ref.is_none() {
            spec.data_source_ref = spec.data_source.as_ref().map(|source| {
                k8s_openapi::api::core::v1::TypedObjectReference {
                    api_group: source.api_group.clone(),
                    kind: source.kind.clone(),
                    name: source.name.clone(),
                    namespace: None,
                }
            });
        }
    }

    fn prepare_update(
        &self,
        _: &StrategyCx,
        new: &mut PersistentVolumeClaim,
        old: &PersistentVolumeClaim,
    ) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut PersistentVolumeClaim, old: &PersistentVolumeClaim) {
        new.spec.clone_from(&old.spec);
    }

    fn validate(&self, _: &StrategyCx, claim: &PersistentVolumeClaim) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if let Some(spec) = &claim.spec {
            check(spec, &Path::new("spec"), &mut errors);
        }
        errors
    }

    fn validate_update(
        &self,
        _: &StrategyCx,
        new: &PersistentVolumeClaim,
        old: &PersistentVolumeClaim,
    ) -> Vec<FieldError> {
        check_update(new, old)
    }

    fn warnings(
        &self,
        claim: &PersistentVolumeClaim,
        _: Option<&PersistentVolumeClaim>,
    ) -> Vec<String> {
        let mut out = class_annotation(&claim.metadata);
        let spec = claim.spec.as_ref();
        out.extend(spec.map(|s| spec_warnings(s, &Path::new("spec"))).unwrap_or_default());
        out
    }

    fn field(&self, claim: &PersistentVolumeClaim, path: &str) -> Option<String> {
        (path == "name").then(|| claim.metadata.name.clone().unwrap_or_default())
    }
}

/// What is said of the annotation that named a class before there was a field for it.
pub fn class_annotation(meta: &ObjectMeta) -> Vec<String> {
    const KEY: &str = "volume.beta.kubernetes.io/storage-class";
    let old = annotation(meta, KEY).map(|_| {
        format!(
            "metadata.annotations[{KEY}]: deprecated since v1.8; use \"storageClassName\" attribute \
             instead"
        )
    });
    old.into_iter().collect()
}

/// What is allowed of a claim's spec, but not meant: parts of bytes.
pub fn spec_warnings(spec: &PersistentVolumeClaimSpec, at: &Path) -> Vec<String> {
    let none = Default::default();
    let resources = spec.resources.as_ref().unwrap_or(&none);
    let at = at.child("resources");
    let mut out = Vec::new();
    for (field, list) in [("requests", &resources.requests), ("limits", &resources.limits)] {
        let amount = list.as_ref().and_then(|l| l.get("storage")).map(Amount::of);
        if let Some(amount) = amount.filter(|a| !a.is_whole()) {
            let at = at.child(field);
            out.push(format!(
                "{}: fractional byte value \"{amount}\" is invalid, must be an integer",
                at.key("storage")
            ));
        }
    }
    out
}

/// What is wrong with a claim's spec.
pub fn check(spec: &PersistentVolumeClaimSpec, at: &Path, errors: &mut Vec<FieldError>) {
    let modes = spec.access_modes.as_deref().unwrap_or_default();
    let modes_at = at.child("accessModes");
    if modes.is_empty() {
        errors.push(FieldError::required(modes_at, "at least 1 access mode is required"));
    }
    if let Some(selector) = &spec.selector {
        selectors::check(selector, &at.child("selector"), errors);
    }
    check_modes(modes, &modes_at, errors);
    let resources_at = at.child("resources");
    let storage_at = resources_at.key("storage");
    let requests = spec.resources.as_ref().and_then(|r| r.requests.as_ref());
    match requests.and_then(|r| r.get("storage")).map(Amount::of) {
        None => errors.push(FieldError::required(storage_at, "")),
        Some(amount) => positive(amount, &storage_at, errors),
    }
    class_name(spec.storage_class_name.as_deref(), &at.child("storageClassName"), errors);
    if let Some(mode) = spec.volume_mode.as_deref() {
        one_of(mode, &["Block", "Filesystem"], &at.child("volumeMode"), errors);
    }
    sources(spec, at, errors);
    let class = spec.volume_attributes_class_name.as_deref();
    class_name(class, &at.child("volumeAttributesClassName"), errors);
}

fn class_name(name: Option<&str>, at: &Path, errors: &mut Vec<FieldError>) {
    let Some(name) = name.filter(|n| !n.is_empty()) else { return };
    if let Some(why) = name_error(NameRule::Subdomain, name) {
        errors.push(FieldError::invalid_str(at, name, &why));
    }
}

/// What the volume is filled from. Models `validateDataSource` and its kin.
fn sources(spec: &PersistentVolumeClaimSpec, at: &Path, errors: &mut Vec<FieldError>) {
    let (old, new) = (spec.data_source.as_ref(), spec.data_source_ref.as_ref());
    let both = [
        ("dataSource", old.map(|s| (&s.api_group, &s.kind, &s.name))),
        ("dataSourceRef", new.map(|s| (&s.api_group, &s.kind, &s.name))),
    ];
    for (field, source) in both {
        let Some((group, kind, name)) = source else { continue };
        let at = at.child(field);
        if name.is_empty() {
            errors.push(FieldError::required(at.child("name"), ""));
        }
        if kind.is_empty() {
            errors.push(FieldError::required(at.child("kind"), ""));
        }
        let group = group.as_deref().unwrap_or_default();
        if group.is_empty() && kind != "PersistentVolumeClaim" {
            let why = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
            errors.push(FieldError::invalid_str(at, kind, why));
        }
        if let Some(why) = name_error(NameRule::Subdomain, group).filter(|_| !group.is_empty()) {
            errors.push(FieldError::invalid_str(at.child("apiGroup"), group, &why));
        }
    }
    let (Some(old), Some(new)) = (old, new) else { return };
    let shown = quoted(&at.child("dataSource").to_string());
    if new.namespace.as_deref().is_some_and(|n| !n.is_empty()) {
        let why = "may not be specified when dataSourceRef.namespace is specified";
        errors.push(FieldError::invalid(at, shown, why));
    } else if (&old.api_group, &old.kind, &old.name) != (&new.api_group, &new.kind, &new.name) {
        errors.push(FieldError::invalid(at, shown, "must match dataSourceRef"));
    }
}

/// What is wrong with a list of access modes.
pub fn check_modes(modes: &[String], at: &Path, errors: &mut Vec<FieldError>) {
    const SINGLE: &str = "ReadWriteOncePod";
    for mode in modes.iter().filter(|m| !ACCESS_MODES.contains(&m.as_str())) {
        errors.push(FieldError::not_supported(at, mode, ACCESS_MODES));
    }
    if modes.iter().any(|m| m == SINGLE) && modes.iter().any(|m| m != SINGLE) {
        let why = "may not use ReadWriteOncePod with other access modes";
        errors.push(FieldError::forbidden(at, why));
    }
}

/// A quantity that must be more than nothing.
pub fn positive(amount: Amount, at: &Path, errors: &mut Vec<FieldError>) {
    if amount <= Amount::ZERO {
        let shown = quoted(&amount.to_string());
        errors.push(FieldError::invalid(at, shown, "must be greater than zero"));
    }
}

fn check_update(new: &PersistentVolumeClaim, old: &PersistentVolumeClaim) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut was = old.spec.clone().unwrap_or_default();
    let mut is = new.spec.clone().unwrap_or_default();
    if volume_name(old).is_empty() {
        // Which volume it is may be said once.
        was.volume_name.clone_from(&is.volume_name);
    }
    if names_no_class(old) && volume_name(old).is_empty() {
        // A class may be given to a claim that named none.
        was.storage_class_name.clone_from(&is.storage_class_name);
    }
    if claim_phase(new) == "Bound" {
        let before = was.resources.as_ref().and_then(|r| r.requests.as_ref()?.get("storage"));
        let requests = is.resources.as_mut().and_then(|r| r.requests.as_mut());
        if let (Some(requests), Some(before)) = (requests, before) {
            requests.insert("storage".into(), before.clone());
        }
        is.volume_attributes_class_name.clone_from(&was.volume_attributes_class_name);
    }
    if is != was {
        let name = "PersistentVolumeClaimSpec";
        let diff = godump::diff_of(name, &to_value(&is), &to_value(&was));
        errors.push(FieldError::forbidden("spec", &format!("{IMMUTABLE}\n{diff}")));
    }
    let size = Amount::get(old.status.as_ref().and_then(|s| s.capacity.as_ref()), "storage");
    if requested(new) < requested(old) && requested(new) <= size {
        let why = "field can not be less than status.capacity";
        errors.push(FieldError::forbidden("spec.resources.requests.storage", why));
    }
    errors
}
