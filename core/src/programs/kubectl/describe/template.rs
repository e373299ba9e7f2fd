//! Pod templates of workloads, and how their pods are. Models `DescribePodTemplate` and
//! `getPodStatusForController`.

use k8s_openapi::{
    api::core::v1::{Pod, PodSpec, PodTemplateSpec},
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};

use super::{
    Cx, Writer,
    common::{self, text},
    containers, volumes,
};
use crate::api::{Object, meta, selector::Selector};

/// A template.
pub fn show(template: Option<&PodTemplateSpec>, w: &mut Writer) {
    w.put(0, "Pod Template:\n");
    let Some(template) = template else {
        w.put(1, "<unset>");
        return;
    };
    let none = PodSpec::default();
    let spec = template.spec.as_ref().unwrap_or(&none);
    let meta = template.metadata.as_ref();
    common::labels("  Labels", meta.and_then(|m| m.labels.as_ref()), w);
    let annotations = meta.and_then(|m| m.annotations.as_ref());
    if annotations.is_some_and(|a| !a.is_empty()) {
        common::annotations("  Annotations", annotations, w);
    }
    if !text(&spec.service_account_name).is_empty() {
        w.put(1, format_args!("Service Account:\t{}\n", text(&spec.service_account_name)));
    }
    let init = spec.init_containers.as_deref().unwrap_or_default();
    if !init.is_empty() {
        containers::list("Init Containers", init, &[], None, "  ", w);
    }
    containers::list("Containers", &spec.containers, &[], None, "  ", w);
    volumes::list(spec.volumes.as_deref().unwrap_or_default(), "  ", w);
    common::spread("  ", spec.topology_spread_constraints.as_deref().unwrap_or_default(), w);
    if !text(&spec.priority_class_name).is_empty() {
        w.put(1, format_args!("Priority Class Name:\t{}\n", text(&spec.priority_class_name)));
    }
    common::labels("  Node-Selectors", spec.node_selector.as_ref(), w);
    common::tolerations("  Tolerations", spec.tolerations.as_deref().unwrap_or_default(), w);
}

/// `3 Running / 0 Waiting / 0 Succeeded / 0 Failed` of the pods that an object controls.
pub fn pods(cx: &Cx, owner: &dyn Object, selector: Option<&LabelSelector>) -> String {
    let selector = Selector::from_label_selector(selector).unwrap_or_default();
    pods_of(cx, owner, &selector)
}

/// [`pods`] for a selector that was read already.
pub fn pods_of(cx: &Cx, owner: &dyn Object, selector: &Selector) -> String {
    let mut count = [0; 4];
    for pod in cx.client.list::<Pod>(Some(owner.namespace())) {
        let mine = meta::controller_of(&pod.metadata).is_some_and(|o| o.uid == owner.uid());
        if !mine || !selector.matches(pod.metadata.labels.as_ref()) {
            continue;
        }
        match pod.status.as_ref().map(|s| text(&s.phase)).unwrap_or_default() {
            "Running" => count[0] += 1,
            "Pending" => count[1] += 1,
            "Succeeded" => count[2] += 1,
            "Failed" => count[3] += 1,
            _ => {}
        }
    }
    let [running, waiting, succeeded, failed] = count;
    format!("{running} Running / {waiting} Waiting / {succeeded} Succeeded / {failed} Failed")
}
