//! `kubectl describe deployment`. Models `describeDeployment`.

use std::rc::Rc;

use k8s_openapi::api::{
    apps::v1::{Deployment, DeploymentSpec, DeploymentStatus, ReplicaSet},
    core::v1::PodTemplateSpec,
};

use super::{
    Cx, Writer,
    common::{self, text},
    events, template,
};
use crate::api::{Object, meta, selector::Selector};

const HASH: &str = "pod-template-hash";

/// See the module.
pub fn describe(cx: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(d) = object.downcast::<Deployment>() else { return };
    let (no_spec, no_status) = (DeploymentSpec::default(), DeploymentStatus::default());
    let spec = d.spec.as_ref().unwrap_or(&no_spec);
    let status = d.status.as_ref().unwrap_or(&no_status);
    common::name(object, w);
    let created = common::meta_date(d.metadata.creation_timestamp.as_ref());
    w.put(0, format_args!("CreationTimestamp:\t{created}\n"));
    common::labels_and_annotations(&d.metadata, w);
    let selector = Selector::from_label_selector(Some(&spec.selector)).unwrap_or_default();
    w.put(0, format_args!("Selector:\t{selector}\n"));
    let n = |value: Option<i32>| value.unwrap_or(0);
    w.put(
        0,
        format_args!(
            "Replicas:\t{} desired | {} updated | {} total | {} available | {} unavailable\n",
            n(spec.replicas),
            n(status.updated_replicas),
            n(status.replicas),
            n(status.available_replicas),
            n(status.unavailable_replicas)
        ),
    );
    let strategy = spec.strategy.as_ref();
    let kind = strategy.map(|s| text(&s.type_)).unwrap_or_default();
    w.put(0, format_args!("StrategyType:\t{kind}\n"));
    w.put(0, format_args!("MinReadySeconds:\t{}\n", n(spec.min_ready_seconds)));
    if let Some(rolling) = strategy.and_then(|s| s.rolling_update.as_ref()) {
        let unavailable = common::int_or_string(rolling.max_unavailable.as_ref());
        let surge = common::int_or_string(rolling.max_surge.as_ref());
        w.put(
            0,
            format_args!(
                "RollingUpdateStrategy:\t{unavailable} max unavailable, {surge} max surge\n"
            ),
        );
    }
    template::show(Some(&spec.template), w);
    let conditions = status.conditions.as_deref().unwrap_or_default();
    if !conditions.is_empty() {
        w.put(0, "Conditions:\n  Type\tStatus\tReason\n");
        w.put(1, "----\t------\t------\n");
        for c in conditions {
            w.put(1, format_args!("{} \t{}\t{}\n", c.type_, c.status, text(&c.reason)));
        }
    }
    replica_sets(cx, object, spec, &selector, w);
    events::of(cx, object, w);
}

fn replica_sets(
    cx: &Cx,
    object: &dyn Object,
    spec: &DeploymentSpec,
    selector: &Selector,
    w: &mut Writer,
) {
    let mut sets = cx.client.list::<ReplicaSet>(Some(object.namespace()));
    sets.retain(|rs| {
        selector.matches(rs.metadata.labels.as_ref())
            && meta::controller_of(&rs.metadata).is_some_and(|o| o.uid == object.uid())
    });
    if sets.is_empty() {
        return;
    }
    // The oldest with the current template is the new one, as for the controller.
    sets.sort_by_key(|rs| rs.metadata.creation_timestamp.as_ref().map(|t| t.0));
    let wanted = without_hash(&spec.template);
    let new = sets.iter().position(|rs| {
        let template = rs.spec.as_ref().and_then(|s| s.template.as_ref());
        template.map(without_hash).as_ref() == Some(&wanted)
    });
    let new = new.map(|at| sets.remove(at));
    w.put(0, format_args!("OldReplicaSets:\t{}\n", listed(&sets)));
    w.put(0, format_args!("NewReplicaSet:\t{}\n", listed(new.as_slice())));
}

fn without_hash(template: &PodTemplateSpec) -> PodTemplateSpec {
    let mut template = template.clone();
    if let Some(labels) = template.metadata.as_mut().and_then(|m| m.labels.as_mut()) {
        labels.remove(HASH);
    }
    template
}

fn listed(sets: &[Rc<ReplicaSet>]) -> String {
    let all = sets.iter().map(|rs| {
        let current = rs.status.as_ref().map_or(0, |s| s.replicas);
        let wanted = rs.spec.as_ref().and_then(|s| s.replicas).unwrap_or(0);
        format!("{} ({current}/{wanted} replicas created)", text(&rs.metadata.name))
    });
    common::or(all.collect::<Vec<_>>().join(", "), "<none>")
}
