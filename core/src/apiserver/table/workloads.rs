//! The tables of Deployments, ReplicaSets, DaemonSets, StatefulSets and ControllerRevisions.
//!
//! Models `printDeployment` and its siblings.

use k8s_openapi::api::{
    apps::v1::{ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet},
    core::v1::{PodTemplateSpec, ReplicationController},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::{Object, Printer, RowCx, age, col, labels, or_none, wide};
use crate::api::{meta, selector::Selector};

/// Deployments.
pub const DEPLOYMENT: Printer = Printer {
    columns: &[
        col("Name"),
        col("Ready"),
        col("Up-to-date"),
        col("Available"),
        col("Age"),
        wide("Containers"),
        wide("Images"),
        wide("Selector"),
    ],
    row: |cx, object| {
        let Some(d) = object.downcast::<Deployment>() else { return Vec::new() };
        let (spec, status) = (d.spec.as_ref(), d.status.as_ref());
        let wanted = spec.and_then(|s| s.replicas).unwrap_or(0);
        let ready = status.and_then(|s| s.ready_replicas).unwrap_or(0);
        let mut row = vec![
            object.name().to_string(),
            format!("{ready}/{wanted}"),
            status.and_then(|s| s.updated_replicas).unwrap_or(0).to_string(),
            status.and_then(|s| s.available_replicas).unwrap_or(0).to_string(),
            age(cx, object),
        ];
        row.extend(containers(spec.map(|s| &s.template)));
        row.push(selector(spec.map(|s| &s.selector)));
        row
    },
};

/// ReplicaSets.
pub const REPLICA_SET: Printer = Printer {
    columns: &[
        col("Name"),
        col("Desired"),
        col("Current"),
        col("Ready"),
        col("Age"),
        wide("Containers"),
        wide("Images"),
        wide("Selector"),
    ],
    row: |cx, object| {
        let Some(rs) = object.downcast::<ReplicaSet>() else { return Vec::new() };
        let (spec, status) = (rs.spec.as_ref(), rs.status.as_ref());
        let numbers = [
            spec.and_then(|s| s.replicas),
            status.map(|s| s.replicas),
            status.and_then(|s| s.ready_replicas),
        ];
        let template = spec.and_then(|s| s.template.as_ref());
        replicated(cx, object, numbers, template, selector(spec.map(|s| &s.selector)))
    },
};

/// ReplicationControllers.
pub const REPLICATION_CONTROLLER: Printer = Printer {
    columns: REPLICA_SET.columns,
    row: |cx, object| {
        let Some(rc) = object.downcast::<ReplicationController>() else { return Vec::new() };
        let (spec, status) = (rc.spec.as_ref(), rc.status.as_ref());
        let numbers = [
            spec.and_then(|s| s.replicas),
            status.map(|s| s.replicas),
            status.and_then(|s| s.ready_replicas),
        ];
        let template = spec.and_then(|s| s.template.as_ref());
        let pods = labels(spec.and_then(|s| s.selector.as_ref()));
        replicated(cx, object, numbers, template, pods)
    },
};

/// DaemonSets.
pub const DAEMON_SET: Printer = Printer {
    columns: &[
        col("Name"),
        col("Desired"),
        col("Current"),
        col("Ready"),
        col("Up-to-date"),
        col("Available"),
        col("Node Selector"),
        col("Age"),
        wide("Containers"),
        wide("Images"),
        wide("Selector"),
    ],
    row: |cx, object| {
        let Some(ds) = object.downcast::<DaemonSet>() else { return Vec::new() };
        let none = Default::default();
        let (spec, status) = (ds.spec.as_ref(), ds.status.as_ref().unwrap_or(&none));
        let pod = spec.and_then(|s| s.template.spec.as_ref());
        let mut row = vec![
            object.name().to_string(),
            status.desired_number_scheduled.to_string(),
            status.current_number_scheduled.to_string(),
            status.number_ready.to_string(),
            status.updated_number_scheduled.unwrap_or(0).to_string(),
            status.number_available.unwrap_or(0).to_string(),
            labels(pod.and_then(|p| p.node_selector.as_ref())),
            age(cx, object),
        ];
        row.extend(containers(spec.map(|s| &s.template)));
        row.push(selector(spec.map(|s| &s.selector)));
        row
    },
};

/// StatefulSets.
pub const STATEFUL_SET: Printer = Printer {
    columns: &[col("Name"), col("Ready"), col("Age"), wide("Containers"), wide("Images")],
    row: |cx, object| {
        let Some(set) = object.downcast::<StatefulSet>() else { return Vec::new() };
        let wanted = set.spec.as_ref().and_then(|s| s.replicas).unwrap_or(0);
        let ready = set.status.as_ref().and_then(|s| s.ready_replicas).unwrap_or(0);
        let mut row = vec![object.name().to_string(), format!("{ready}/{wanted}"), age(cx, object)];
        row.extend(containers(set.spec.as_ref().map(|s| &s.template)));
        row
    },
};

/// ControllerRevisions.
pub const CONTROLLER_REVISION: Printer = Printer {
    columns: &[col("Name"), col("Controller"), col("Revision"), col("Age")],
    row: |cx, object| {
        let Some(revision) = object.downcast::<ControllerRevision>() else { return Vec::new() };
        let owner = meta::controller_of(object.metadata()).map(|o| {
            let group = o.api_version.split_once('/').map_or("", |(group, _)| group);
            let kind = o.kind.to_ascii_lowercase();
            let dot = if group.is_empty() { "" } else { "." };
            format!("{kind}{dot}{group}/{}", o.name)
        });
        vec![
            object.name().to_string(),
            or_none(owner.unwrap_or_default()),
            revision.revision.to_string(),
            age(cx, object),
        ]
    },
};

/// A row of a kind that keeps a number of equal pods: wanted, current and ready are `numbers`.
fn replicated(
    cx: &RowCx,
    object: &dyn Object,
    numbers: [Option<i32>; 3],
    template: Option<&PodTemplateSpec>,
    pods: String,
) -> Vec<String> {
    let mut row = vec![object.name().to_string()];
    row.extend(numbers.map(|n| n.unwrap_or(0).to_string()));
    row.push(age(cx, object));
    row.extend(containers(template));
    row.push(pods);
    row
}

/// Names and images of a template's containers.
pub fn containers(template: Option<&PodTemplateSpec>) -> [String; 2] {
    let spec = template.and_then(|t| t.spec.as_ref());
    let containers = spec.map(|s| s.containers.as_slice()).unwrap_or_default();
    let names: Vec<_> = containers.iter().map(|c| c.name.as_str()).collect();
    let images: Vec<_> =
        containers.iter().map(|c| c.image.as_deref().unwrap_or_default()).collect();
    [names.join(","), images.join(",")]
}

/// A selector as text, as `metav1.FormatLabelSelector` writes it.
pub fn selector(selector: Option<&LabelSelector>) -> String {
    let parsed = Selector::from_label_selector(selector);
    match parsed {
        Ok(parsed) => or_none(parsed.to_string()),
        Err(_) => "<error>".into(),
    }
}
