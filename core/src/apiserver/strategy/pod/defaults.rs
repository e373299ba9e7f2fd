//! What pods and pod templates get where they leave something out.
//!
//! Models `pkg/apis/core/v1/defaults.go`.

use k8s_openapi::api::core::v1::{
    Container, ContainerPort, EphemeralContainer, HTTPGetAction, Lifecycle, Pod, PodSpec, Probe,
    Volume,
};

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::api::quantity::canonicalize;

/// Mode of projected files: 0644.
const FILE_MODE: i32 = 0o644;
/// How long tokens of service accounts live unless something else is said (`1h`).
const TOKEN_SECONDS: i64 = 3600;

/// A pod's own defaults, on top of those of its spec.
pub fn pod(pod: &mut Pod) {
    let spec = pod.spec.get_or_insert_default();
    spec_defaults(spec);
    spec.enable_service_links.get_or_insert(true);
    let containers = spec.containers.iter_mut().chain(spec.init_containers.iter_mut().flatten());
    for container in containers {
        requests_from_limits(container);
    }
}

/// The defaults of every pod spec, also in templates.
pub fn spec_defaults(spec: &mut PodSpec) {
    text(&mut spec.dns_policy, "ClusterFirst");
    text(&mut spec.restart_policy, "Always");
    text(&mut spec.scheduler_name, "default-scheduler");
    spec.security_context.get_or_insert_default();
    spec.termination_grace_period_seconds.get_or_insert(30);
    service_account(spec);
    let host_network = spec.host_network == Some(true);
    if spec.host_network == Some(false) {
        spec.host_network = None;
    }
    let containers = spec.containers.iter_mut().chain(spec.init_containers.iter_mut().flatten());
    for container in containers {
        container_defaults(container, host_network);
    }
    for volume in spec.volumes.iter_mut().flatten() {
        volume_defaults(volume);
    }
    canonicalize(&mut spec.overhead);
    empty_lists(spec);
}

/// The old name of the field and the new one say the same.
fn service_account(spec: &mut PodSpec) {
    let name = spec.service_account_name.take().filter(|n| !n.is_empty());
    let name = name.or_else(|| spec.service_account.take()).filter(|n| !n.is_empty());
    spec.service_account.clone_from(&name);
    spec.service_account_name = name;
}

/// Go leaves out empty lists and maps (`omitempty`).
fn empty_lists(spec: &mut PodSpec) {
    fn drop<T>(list: &mut Option<Vec<T>>) {
        if list.as_ref().is_some_and(Vec::is_empty) {
            *list = None;
        }
    }
    drop(&mut spec.init_containers);
    drop(&mut spec.volumes);
    drop(&mut spec.tolerations);
    drop(&mut spec.image_pull_secrets);
    drop(&mut spec.host_aliases);
    if spec.node_selector.as_ref().is_some_and(|s| s.is_empty()) {
        spec.node_selector = None;
    }
    for c in spec.containers.iter_mut().chain(spec.init_containers.iter_mut().flatten()) {
        drop(&mut c.command);
        drop(&mut c.args);
        drop(&mut c.env);
        drop(&mut c.env_from);
        drop(&mut c.ports);
        drop(&mut c.volume_mounts);
    }
}

/// The defaults of an ephemeral container.
pub fn ephemeral(c: &mut EphemeralContainer) {
    if c.image_pull_policy.as_deref().is_none_or(str::is_empty) {
        let latest = is_latest(c.image.as_deref().unwrap_or_default());
        c.image_pull_policy = Some(if latest { "Always" } else { "IfNotPresent" }.into());
    }
    text(&mut c.termination_message_path, "/dev/termination-log");
    text(&mut c.termination_message_policy, "File");
    c.resources.get_or_insert_default();
    for list in [&mut c.command, &mut c.args] {
        if list.as_ref().is_some_and(Vec::is_empty) {
            *list = None;
        }
    }
}

fn container_defaults(c: &mut Container, host_network: bool) {
    if c.image_pull_policy.as_deref().is_none_or(str::is_empty) {
        let image = c.image.as_deref().unwrap_or_default();
        let policy = if is_latest(image) { "Always" } else { "IfNotPresent" };
        c.image_pull_policy = Some(policy.into());
    }
    text(&mut c.termination_message_path, "/dev/termination-log");
    text(&mut c.termination_message_policy, "File");
    let resources = c.resources.get_or_insert_default();
    canonicalize(&mut resources.limits);
    canonicalize(&mut resources.requests);
    for port in c.ports.iter_mut().flatten() {
        port_defaults(port, host_network);
    }
    let probes = [&mut c.liveness_probe, &mut c.readiness_probe, &mut c.startup_probe];
    for probe in probes.into_iter().flatten() {
        probe_defaults(probe);
    }
    if let Some(lifecycle) = &mut c.lifecycle {
        lifecycle_defaults(lifecycle);
    }
    for env in c.env.iter_mut().flatten() {
        if env.value.as_deref() == Some("") {
            env.value = None;
        }
        let Some(from) = &mut env.value_from else { continue };
        if let Some(field) = &mut from.field_ref {
            text(&mut field.api_version, "v1");
        }
        if let Some(resource) = &mut from.resource_field_ref {
            resource.divisor.get_or_insert_with(|| Quantity("0".into()));
        }
    }
}

fn port_defaults(port: &mut ContainerPort, host_network: bool) {
    text(&mut port.protocol, "TCP");
    if host_network && port.host_port.unwrap_or(0) == 0 {
        port.host_port = Some(port.container_port);
    }
}

fn probe_defaults(probe: &mut Probe) {
    // Zero means "not said" for these, as it does in Go.
    number(&mut probe.timeout_seconds, 1);
    number(&mut probe.period_seconds, 10);
    number(&mut probe.success_threshold, 1);
    number(&mut probe.failure_threshold, 3);
    if probe.initial_delay_seconds == Some(0) {
        probe.initial_delay_seconds = None;
    }
    if let Some(get) = &mut probe.http_get {
        http_get_defaults(get);
    }
    if let Some(grpc) = &mut probe.grpc {
        grpc.service.get_or_insert_default();
    }
}

fn http_get_defaults(get: &mut HTTPGetAction) {
    text(&mut get.path, "/");
    text(&mut get.scheme, "HTTP");
}

fn lifecycle_defaults(lifecycle: &mut Lifecycle) {
    let handlers = [&mut lifecycle.post_start, &mut lifecycle.pre_stop];
    for handler in handlers.into_iter().flatten() {
        if let Some(get) = &mut handler.http_get {
            http_get_defaults(get);
        }
    }
}

fn volume_defaults(volume: &mut Volume) {
    let bare = Volume { name: volume.name.clone(), ..Default::default() };
    if *volume == bare {
        volume.empty_dir.get_or_insert_default();
    }
    if let Some(secret) = &mut volume.secret {
        secret.default_mode.get_or_insert(FILE_MODE);
    }
    if let Some(config) = &mut volume.config_map {
        config.default_mode.get_or_insert(FILE_MODE);
    }
    if let Some(image) = &mut volume.image {
        let latest = is_latest(image.reference.as_deref().unwrap_or_default());
        text(&mut image.pull_policy, if latest { "Always" } else { "IfNotPresent" });
    }
    if let Some(path) = &mut volume.host_path {
        path.type_.get_or_insert_default();
    }
    if let Some(downward) = &mut volume.downward_api {
        downward.default_mode.get_or_insert(FILE_MODE);
        for item in downward.items.iter_mut().flatten() {
            if let Some(field) = &mut item.field_ref {
                text(&mut field.api_version, "v1");
            }
        }
    }
    let Some(projected) = &mut volume.projected else { return };
    projected.default_mode.get_or_insert(FILE_MODE);
    for source in projected.sources.iter_mut().flatten() {
        if let Some(token) = &mut source.service_account_token {
            token.expiration_seconds.get_or_insert(TOKEN_SECONDS);
        }
        for item in source.downward_api.iter_mut().filter_map(|d| d.items.as_mut()).flatten() {
            if let Some(field) = &mut item.field_ref {
                text(&mut field.api_version, "v1");
            }
        }
    }
}

/// Limits are requests where nothing else is requested.
fn requests_from_limits(c: &mut Container) {
    let Some(resources) = &mut c.resources else { return };
    let Some(limits) = resources.limits.clone().filter(|l| !l.is_empty()) else { return };
    let requests = resources.requests.get_or_insert_default();
    for (name, limit) in limits {
        requests.entry(name).or_insert(limit);
    }
}

/// Whether an image's tag is `latest`, said or not.
fn is_latest(image: &str) -> bool {
    let (name, digest) = image.split_once('@').map_or((image, false), |(n, _)| (n, true));
    let after_host = name.rsplit_once('/').map_or(name, |(_, last)| last);
    match after_host.split_once(':') {
        Some((_, tag)) => tag == "latest",
        None => !digest,
    }
}

/// Fills in a text that is missing or empty.
pub fn text(field: &mut Option<String>, default: &str) {
    if field.as_deref().is_none_or(str::is_empty) {
        *field = Some(default.to_string());
    }
}

/// Fills in a number that is missing or zero.
pub fn number(field: &mut Option<i32>, default: i32) {
    if field.unwrap_or(0) == 0 {
        *field = Some(default);
    }
}
