//! `kubectl describe pod`. Models `describePod`.

use k8s_openapi::api::core::v1::{Container, Pod, PodSpec, PodStatus};

use super::{
    Cx, Writer,
    common::{self, text},
    containers, events, volumes,
};
use crate::api::{Object, meta};

/// See the module.
pub fn describe(cx: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(pod) = object.downcast::<Pod>() else { return };
    let (no_spec, no_status) = (PodSpec::default(), PodStatus::default());
    let spec = pod.spec.as_ref().unwrap_or(&no_spec);
    let status = pod.status.as_ref().unwrap_or(&no_status);
    common::name(object, w);
    head(spec, status, w);
    common::labels_and_annotations(&pod.metadata, w);
    state(cx, pod, status, w);
    if let Some(profile) = spec.security_context.as_ref().and_then(|c| c.seccomp_profile.as_ref()) {
        w.put(0, format_args!("SeccompProfile:\t{}\n", profile.type_));
        if profile.type_ == "Localhost" {
            w.put(0, format_args!("LocalhostProfile:\t{}\n", text(&profile.localhost_profile)));
        }
    }
    ips(status, w);
    if let Some(owner) = meta::controller_of(&pod.metadata) {
        w.put(0, format_args!("Controlled By:\t{}/{}\n", owner.kind, owner.name));
    }
    if let Some(node) = status.nominated_node_name.as_deref().filter(|n| !n.is_empty()) {
        w.put(0, format_args!("NominatedNodeName:\t{node}\n"));
    }
    if let Some(resources) = &spec.resources {
        w.put(0, "Resources:\n");
        containers::resources(resources, 1, w);
    }
    let init = spec.init_containers.as_deref().unwrap_or_default();
    if !init.is_empty() {
        let statuses = status.init_container_statuses.as_deref().unwrap_or_default();
        containers::list("Init Containers", init, statuses, Some(pod), "", w);
    }
    let statuses = status.container_statuses.as_deref().unwrap_or_default();
    containers::list("Containers", &spec.containers, statuses, Some(pod), "", w);
    let ephemeral: Vec<Container> =
        spec.ephemeral_containers.iter().flatten().map(containers::of_ephemeral).collect();
    if !ephemeral.is_empty() {
        let statuses = status.ephemeral_container_statuses.as_deref().unwrap_or_default();
        containers::list("Ephemeral Containers", &ephemeral, statuses, Some(pod), "", w);
    }
    conditions(spec, status, w);
    volumes::list(spec.volumes.as_deref().unwrap_or_default(), "", w);
    w.put(0, format_args!("QoS Class:\t{}\n", text(&status.qos_class)));
    common::labels("Node-Selectors", spec.node_selector.as_ref(), w);
    common::tolerations("Tolerations", spec.tolerations.as_deref().unwrap_or_default(), w);
    common::spread("", spec.topology_spread_constraints.as_deref().unwrap_or_default(), w);
    events::of(cx, object, w);
}

fn head(spec: &PodSpec, status: &PodStatus, w: &mut Writer) {
    if let Some(priority) = spec.priority {
        w.put(0, format_args!("Priority:\t{priority}\n"));
    }
    for (title, value) in [
        ("Priority Class Name", &spec.priority_class_name),
        ("Runtime Class Name", &spec.runtime_class_name),
        ("Service Account", &spec.service_account_name),
    ] {
        if !text(value).is_empty() {
            w.put(0, format_args!("{title}:\t{}\n", text(value)));
        }
    }
    match text(&spec.node_name) {
        "" => w.put(0, "Node:\t<none>\n"),
        node => w.put(0, format_args!("Node:\t{node}/{}\n", text(&status.host_ip))),
    }
    if let Some(start) = &status.start_time {
        w.put(0, format_args!("Start Time:\t{}\n", common::meta_date(Some(start))));
    }
}

fn state(cx: &Cx, pod: &Pod, status: &PodStatus, w: &mut Writer) {
    let phase = text(&status.phase);
    match &pod.metadata.deletion_timestamp {
        Some(at) if !matches!(phase, "Failed" | "Succeeded") => {
            w.put(
                0,
                format_args!("Status:\tTerminating (lasts {})\n", common::ago(cx, Some(at.0))),
            );
            let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or(0);
            w.put(0, format_args!("Termination Grace Period:\t{grace}s\n"));
        }
        _ => w.put(0, format_args!("Status:\t{phase}\n")),
    }
    for (title, value) in [("Reason", &status.reason), ("Message", &status.message)] {
        if !text(value).is_empty() {
            w.put(0, format_args!("{title}:\t{}\n", text(value)));
        }
    }
}

fn ips(status: &PodStatus, w: &mut Writer) {
    w.put(0, format_args!("IP:\t{}\n", text(&status.pod_ip)));
    let ips = status.pod_ips.as_deref().unwrap_or_default();
    w.put(0, if ips.is_empty() { "IPs:\t<none>\n" } else { "IPs:\n" });
    for ip in ips {
        w.put(1, format_args!("IP:\t{}\n", ip.ip));
    }
}

fn conditions(spec: &PodSpec, status: &PodStatus, w: &mut Writer) {
    let conditions = status.conditions.as_deref().unwrap_or_default();
    let gates = spec.readiness_gates.as_deref().unwrap_or_default();
    if !gates.is_empty() {
        w.put(0, "Readiness Gates:\n  Type\tStatus\n");
        for gate in gates {
            let found = conditions.iter().find(|c| c.type_ == gate.condition_type);
            let state = found.map_or("<none>", |c| c.status.as_str());
            w.put(1, format_args!("{} \t{state} \n", gate.condition_type));
        }
    }
    if !conditions.is_empty() {
        w.put(0, "Conditions:\n  Type\tStatus\n");
        for c in conditions {
            w.put(1, format_args!("{} \t{} \n", c.type_, c.status));
        }
    }
}
