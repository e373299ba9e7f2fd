//! The tables of small kinds: ConfigMaps, Secrets, Namespaces, ServiceAccounts, Leases,
//! PriorityClasses.

use k8s_openapi::api::{
    coordination::v1::Lease,
    core::v1::{ConfigMap, Namespace, Secret},
    scheduling::v1::PriorityClass,
};

use super::{Printer, age, col};

/// ConfigMaps.
pub const CONFIG_MAP: Printer = Printer {
    columns: &[col("Name"), col("Data"), col("Age")],
    row: |cx, object| {
        let Some(config) = object.downcast::<ConfigMap>() else { return Vec::new() };
        let texts = config.data.as_ref().map_or(0, |d| d.len());
        let binaries = config.binary_data.as_ref().map_or(0, |d| d.len());
        vec![object.name().to_string(), (texts + binaries).to_string(), age(cx, object)]
    },
};

/// Secrets.
pub const SECRET: Printer = Printer {
    columns: &[col("Name"), col("Type"), col("Data"), col("Age")],
    row: |cx, object| {
        let Some(secret) = object.downcast::<Secret>() else { return Vec::new() };
        vec![
            object.name().to_string(),
            secret.type_.clone().unwrap_or_default(),
            secret.data.as_ref().map_or(0, |d| d.len()).to_string(),
            age(cx, object),
        ]
    },
};

/// Namespaces.
pub const NAMESPACE: Printer = Printer {
    columns: &[col("Name"), col("Status"), col("Age")],
    row: |cx, object| {
        let Some(ns) = object.downcast::<Namespace>() else { return Vec::new() };
        let phase = ns.status.as_ref().and_then(|s| s.phase.clone());
        vec![object.name().to_string(), phase.unwrap_or_default(), age(cx, object)]
    },
};

/// ServiceAccounts.
pub const SERVICE_ACCOUNT: Printer = Printer {
    columns: &[col("Name"), col("Age")],
    row: |cx, object| vec![object.name().to_string(), age(cx, object)],
};

/// Leases.
pub const LEASE: Printer = Printer {
    columns: &[col("Name"), col("Holder"), col("Age")],
    row: |cx, object| {
        let Some(lease) = object.downcast::<Lease>() else { return Vec::new() };
        let holder = lease.spec.as_ref().and_then(|s| s.holder_identity.clone());
        vec![object.name().to_string(), holder.unwrap_or_default(), age(cx, object)]
    },
};

/// PriorityClasses.
pub const PRIORITY_CLASS: Printer = Printer {
    columns: &[
        col("Name"),
        col("Value"),
        col("Global-Default"),
        col("Age"),
        col("PreemptionPolicy"),
    ],
    row: |cx, object| {
        let Some(class) = object.downcast::<PriorityClass>() else { return Vec::new() };
        vec![
            object.name().to_string(),
            class.value.unwrap_or(0).to_string(),
            class.global_default.unwrap_or(false).to_string(),
            age(cx, object),
            class.preemption_policy.clone().unwrap_or_default(),
        ]
    },
};

/// CustomResourceDefinitions.
pub const DEFINITION: Printer = Printer {
    columns: &[col("Name"), col("Created At")],
    row: |_, object| vec![object.name().to_string(), super::created_at(object)],
};
