//! The tables of what storage drivers are known by. Models `printCSIDriver` and its neighbours.

use k8s_openapi::api::storage::v1::{
    CSIDriver, CSINode, CSIStorageCapacity, VolumeAttachment, VolumeAttributesClass,
};

use super::{Printer, age, col};
use crate::api::quantity::Amount;

/// CSIDrivers.
pub const DRIVER: Printer = Printer {
    columns: &[
        col("Name"),
        col("AttachRequired"),
        col("PodInfoOnMount"),
        col("StorageCapacity"),
        col("TokenRequests"),
        col("RequiresRepublish"),
        col("Modes"),
        col("Age"),
    ],
    row: |cx, object| {
        let Some(driver) = object.downcast::<CSIDriver>() else { return Vec::new() };
        let spec = &driver.spec;
        let flag = |value: Option<bool>, or: bool| value.unwrap_or(or).to_string();
        let tokens = spec
            .token_requests
            .as_ref()
            .map(|all| all.iter().map(|t| t.audience.as_str()).collect::<Vec<_>>().join(","));
        let modes = spec.volume_lifecycle_modes.clone().unwrap_or_default().join(",");
        vec![
            object.name().to_string(),
            flag(spec.attach_required, true),
            flag(spec.pod_info_on_mount, false),
            flag(spec.storage_capacity, false),
            tokens.unwrap_or_else(|| "<unset>".into()),
            flag(spec.requires_republish, false),
            super::or_none(modes),
            age(cx, object),
        ]
    },
};

/// CSINodes.
pub const NODE: Printer = Printer {
    columns: &[col("Name"), col("Drivers"), col("Age")],
    row: |cx, object| {
        let Some(node) = object.downcast::<CSINode>() else { return Vec::new() };
        vec![object.name().to_string(), node.spec.drivers.len().to_string(), age(cx, object)]
    },
};

/// CSIStorageCapacities.
pub const CAPACITY: Printer = Printer {
    columns: &[col("Name"), col("StorageClassName"), col("Capacity")],
    row: |_, object| {
        let Some(capacity) = object.downcast::<CSIStorageCapacity>() else { return Vec::new() };
        let amount = capacity.capacity.as_ref().map(|q| Amount::of(q).to_string());
        let amount = amount.unwrap_or_else(|| "<unset>".into());
        vec![object.name().to_string(), capacity.storage_class_name.clone(), amount]
    },
};

/// VolumeAttachments.
pub const ATTACHMENT: Printer = Printer {
    columns: &[col("Name"), col("Attacher"), col("PV"), col("Node"), col("Attached"), col("Age")],
    row: |cx, object| {
        let Some(attachment) = object.downcast::<VolumeAttachment>() else { return Vec::new() };
        let spec = &attachment.spec;
        vec![
            object.name().to_string(),
            spec.attacher.clone(),
            spec.source.persistent_volume_name.clone().unwrap_or_default(),
            spec.node_name.clone(),
            attachment.status.as_ref().is_some_and(|s| s.attached).to_string(),
            age(cx, object),
        ]
    },
};

/// VolumeAttributesClasses.
pub const ATTRIBUTES: Printer = Printer {
    columns: &[col("Name"), col("DriverName"), col("Age")],
    row: |cx, object| {
        let Some(class) = object.downcast::<VolumeAttributesClass>() else { return Vec::new() };
        let mut name = object.name().to_string();
        let mark = "volumeattributesclass.alpha.kubernetes.io/is-default-class";
        let marked = "volumeattributesclass.kubernetes.io/is-default-class";
        let is = |mark| crate::api::meta::annotation(object.metadata(), mark) == Some("true");
        if is(mark) || is(marked) {
            name += " (default)";
        }
        vec![name, class.driver_name.clone(), age(cx, object)]
    },
};
