//! The rules of what storage drivers are known by: CSIDrivers, CSINodes, CSIStorageCapacities,
//! VolumeAttachments, VolumeAttributesClasses.
//!
//! Models `pkg/apis/storage/{v1/defaults.go,validation}` and `pkg/registry/storage`.

use k8s_openapi::api::storage::v1::{
    CSIDriver, CSINode, CSINodeDriver, CSIStorageCapacity, VolumeAttachment, VolumeAttributesClass,
};

use super::{
    NameRule, Strategy, StrategyCx,
    metadata::{name_error, qualified_name_error},
    pod::{containers::one_of, defaults::text, selectors},
    storageclass::parameters,
};
use crate::api::{FieldError, Path, gofmt::quote, object::to_value, quantity::Amount};

/// Longest name by which a driver knows a node.
const LONGEST_ID: usize = 256;

/// A driver as Go writes its own type; what fits on the node is left out.
fn shown_driver(driver: &CSINodeDriver) -> String {
    format!(
        "{{\"Name\":{},\"NodeID\":{},\"TopologyKeys\":{},\"Allocatable\":null}}",
        quote(&driver.name),
        quote(&driver.node_id),
        to_value(&driver.topology_keys)
    )
}

/// A driver's name: at most 63 letters, a DNS subdomain.
pub fn driver_name(name: &str, at: &Path, errors: &mut Vec<FieldError>) {
    if name.is_empty() {
        return errors.push(FieldError::required(at, ""));
    }
    if name.len() > 63 {
        errors.push(FieldError::too_long(at, 63));
    }
    if let Some(why) = name_error(NameRule::Subdomain, &name.to_ascii_lowercase()) {
        errors.push(FieldError::invalid_str(at, name, &why));
    }
}

fn immutable<T: serde::Serialize + PartialEq>(
    new: &T,
    old: &T,
    at: &str,
    errors: &mut Vec<FieldError>,
) {
    if new != old {
        errors.push(FieldError::invalid(at, to_value(new), "field is immutable"));
    }
}

/// See the module.
pub struct Drivers;

impl Strategy for Drivers {
    type Object = CSIDriver;

    fn defaults(&self, driver: &mut CSIDriver) {
        let spec = &mut driver.spec;
        spec.attach_required.get_or_insert(true);
        spec.pod_info_on_mount.get_or_insert(false);
        spec.storage_capacity.get_or_insert(false);
        text(&mut spec.fs_group_policy, "ReadWriteOnceWithFSType");
        if spec.volume_lifecycle_modes.as_ref().is_none_or(Vec::is_empty) {
            spec.volume_lifecycle_modes = Some(vec!["Persistent".into()]);
        }
        spec.requires_republish.get_or_insert(false);
        spec.se_linux_mount.get_or_insert(false);
    }

    fn spec_changed(&self, new: &CSIDriver, old: &CSIDriver) -> Option<bool> {
        let changed = new.spec.token_requests != old.spec.token_requests
            || new.spec.requires_republish != old.spec.requires_republish
            || new.spec.storage_capacity != old.spec.storage_capacity;
        Some(changed)
    }

    fn validate(&self, _: &StrategyCx, driver: &CSIDriver) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let at = Path::new("spec");
        let policy = driver.spec.fs_group_policy.as_deref().unwrap_or_default();
        let policies = &["File", "None", "ReadWriteOnceWithFSType"];
        one_of(policy, policies, &at.child("fsGroupPolicy"), &mut errors);
        let mut audiences: Vec<&str> = Vec::new();
        let requests_at = at.child("tokenRequests");
        for (i, request) in driver.spec.token_requests.iter().flatten().enumerate() {
            let at = requests_at.index(i);
            if audiences.contains(&request.audience.as_str()) {
                let audience = crate::api::gofmt::quote(&request.audience);
                errors.push(FieldError::duplicate(at.child("audience"), audience));
                continue;
            }
            audiences.push(&request.audience);
            let at = at.child("expirationSeconds");
            if let Some(seconds) = request.expiration_seconds.filter(|s| *s < 600) {
                let why = "may not specify a duration less than 10 minutes";
                errors.push(FieldError::invalid(at, seconds, why));
            }
            if let Some(seconds) = request.expiration_seconds.filter(|s| *s > 1 << 32) {
                let why = "may not specify a duration larger than 2^32 seconds";
                errors.push(FieldError::invalid(at, seconds, why));
            }
        }
        for mode in driver.spec.volume_lifecycle_modes.iter().flatten() {
            if !matches!(mode.as_str(), "Persistent" | "Ephemeral") {
                let at = at.child("volumeLifecycleModes");
                let all = &["Persistent", "Ephemeral"];
                errors.push(FieldError::not_supported(at, mode, all));
            }
        }
        let period = driver.spec.node_allocatable_update_period_seconds;
        if let Some(seconds) = period.filter(|s| *s < 10) {
            let at = at.child("nodeAllocatableUpdatePeriodSeconds");
            let why = "must be greater than or equal to 10 seconds";
            errors.push(FieldError::invalid(at, seconds, why));
        }
        errors
    }

    fn validate_update(&self, _: &StrategyCx, new: &CSIDriver, old: &CSIDriver) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let (new, old) = (&new.spec, &old.spec);
        let (a, b) = (&new.attach_required, &old.attach_required);
        immutable(a, b, "spec.attachedRequired", &mut errors);
        let (a, b) = (&new.volume_lifecycle_modes, &old.volume_lifecycle_modes);
        immutable(a, b, "spec.volumeLifecycleModes", &mut errors);
        errors
    }
}

/// See the module.
pub struct Nodes;

impl Strategy for Nodes {
    type Object = CSINode;

    fn validate(&self, _: &StrategyCx, node: &CSINode) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let spec_at = Path::new("spec");
        let at = spec_at.child("drivers");
        let mut seen: Vec<&str> = Vec::new();
        for (i, driver) in node.spec.drivers.iter().enumerate() {
            let at = at.index(i);
            driver_name(&driver.name, &at.child("name"), &mut errors);
            if driver.node_id.is_empty() {
                errors.push(FieldError::required(at.child("nodeID"), ""));
            }
            if driver.node_id.len() > LONGEST_ID {
                let why = format!("must be {LONGEST_ID} characters or less");
                errors.push(FieldError::invalid_str(at.child("nodeID"), &driver.node_id, &why));
            }
            let count = driver.allocatable.as_ref().and_then(|a| a.count);
            if let Some(count) = count.filter(|c| *c < 0) {
                let at = at.child("allocatable");
                let why = "must be greater than or equal to 0";
                errors.push(FieldError::invalid(at.child("count"), count, why));
            }
            if seen.contains(&driver.name.as_str()) {
                let name = quote(&driver.name);
                errors.push(FieldError::duplicate(at.child("name"), name));
            }
            seen.push(&driver.name);
            let mut keys: Vec<&str> = Vec::new();
            for key in driver.topology_keys.iter().flatten() {
                if key.is_empty() {
                    errors.push(FieldError::required(at, ""));
                }
                if keys.contains(&key.as_str()) {
                    errors.push(FieldError::duplicate(at, quote(key)));
                }
                keys.push(key);
                if let Some(why) = qualified_name_error(key) {
                    errors.push(FieldError::invalid_str(at, key, &why));
                }
            }
        }
        errors
    }

    fn validate_update(&self, _: &StrategyCx, new: &CSINode, old: &CSINode) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let spec_at = Path::new("spec");
        let at = spec_at.child("drivers");
        for was in &old.spec.drivers {
            let Some(now) = new.spec.drivers.iter().find(|d| d.name == was.name) else { continue };
            // How much fits on the node may change.
            let mut same = now.clone();
            same.allocatable.clone_from(&was.allocatable);
            if same != *was {
                errors.push(FieldError::invalid(at, shown_driver(now), "field is immutable"));
            }
        }
        errors
    }
}

/// See the module.
pub struct Capacities;

impl Strategy for Capacities {
    type Object = CSIStorageCapacity;

    fn validate(&self, _: &StrategyCx, capacity: &CSIStorageCapacity) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if let Some(selector) = &capacity.node_topology {
            selectors::check(selector, &Path::new("nodeTopology"), &mut errors);
        }
        let class = &capacity.storage_class_name;
        if let Some(why) = name_error(NameRule::Subdomain, class) {
            errors.push(FieldError::invalid_str("storageClassName", class, &why));
        }
        let amount = capacity.capacity.as_ref();
        if let Some(amount) = amount.filter(|a| Amount::of(a).is_negative()) {
            let why = "must be greater than or equal to 0";
            errors.push(FieldError::invalid("capacity", to_value(amount), why));
        }
        errors
    }

    fn validate_update(
        &self,
        _: &StrategyCx,
        new: &CSIStorageCapacity,
        old: &CSIStorageCapacity,
    ) -> Vec<FieldError> {
        let mut errors = Vec::new();
        immutable(&new.node_topology, &old.node_topology, "nodeTopology", &mut errors);
        let (a, b) = (&new.storage_class_name, &old.storage_class_name);
        immutable(a, b, "storageClassName", &mut errors);
        errors
    }
}

/// See the module.
pub struct Attachments;

impl Strategy for Attachments {
    type Object = VolumeAttachment;

    fn prepare_create(&self, _: &StrategyCx, attachment: &mut VolumeAttachment) {
        attachment.status = Some(Default::default());
    }

    fn prepare_update(&self, _: &StrategyCx, new: &mut VolumeAttachment, old: &VolumeAttachment) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut VolumeAttachment, old: &VolumeAttachment) {
        new.spec.clone_from(&old.spec);
    }

    fn validate(&self, _: &StrategyCx, attachment: &VolumeAttachment) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let at = Path::new("spec");
        let spec = &attachment.spec;
        driver_name(&spec.attacher, &at.child("attacher"), &mut errors);
        let source = &spec.source;
        let at_source = at.child("source");
        let name = source.persistent_volume_name.as_deref();
        match (name, &source.inline_volume_spec) {
            (None, None) => {
                let why = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";
                errors.push(FieldError::required(at_source, why));
            }
            (Some(_), Some(_)) => {
                let why = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";
                errors.push(FieldError::forbidden(at_source, why));
            }
            (Some(""), None) => {
                let why = "must specify non empty persistentVolumeName";
                errors.push(FieldError::required(at_source.child("persistentVolumeName"), why));
            }
            _ => {}
        }
        if let Some(why) = name_error(NameRule::Subdomain, &spec.node_name) {
            errors.push(FieldError::invalid_str(at.child("nodeName"), &spec.node_name, &why));
        }
        if let Some(why) = name.and_then(|n| name_error(NameRule::Subdomain, n)) {
            let at = at_source.child("persistentVolumeName");
            errors.push(FieldError::invalid_str(at, name.unwrap_or_default(), &why));
        }
        errors
    }

    fn validate_update(
        &self,
        _: &StrategyCx,
        new: &VolumeAttachment,
        old: &VolumeAttachment,
    ) -> Vec<FieldError> {
        let mut errors = Vec::new();
        immutable(&new.spec, &old.spec, "spec", &mut errors);
        errors
    }
}

/// See the module.
pub struct AttributesClasses;

impl Strategy for AttributesClasses {
    type Object = VolumeAttributesClass;

    fn validate(&self, _: &StrategyCx, class: &VolumeAttributesClass) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if class.driver_name.is_empty() {
            errors.push(FieldError::required("driverName", ""));
        } else if let Some(why) = qualified_name_error(&class.driver_name.to_ascii_lowercase()) {
            errors.push(FieldError::invalid_str("driverName", &class.driver_name, &why));
        }
        parameters(class.parameters.as_ref(), &mut errors);
        if class.parameters.as_ref().is_none_or(|p| p.is_empty()) {
            let why = "must contain at least one key/value pair";
            errors.push(FieldError::required("parameters", why));
        }
        errors
    }

    fn validate_update(
        &self,
        _: &StrategyCx,
        new: &VolumeAttributesClass,
        old: &VolumeAttributesClass,
    ) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if new.driver_name != old.driver_name {
            let why = "updates to driverName are forbidden.";
            errors.push(FieldError::forbidden("driverName", why));
        }
        if new.parameters != old.parameters {
            let why = "updates to parameters are forbidden.";
            errors.push(FieldError::forbidden("parameters", why));
        }
        errors
    }
}
