//! Containers of pods and templates. Models `describeContainers`.

use k8s_openapi::{
    api::core::v1::{
        Container, ContainerPort, ContainerState, ContainerStatus, EnvVar, EphemeralContainer,
        ObjectFieldSelector, Pod, Probe, ResourceFieldSelector, ResourceRequirements,
    },
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{
    Writer,
    common::{self, text},
};
use crate::api::quantity::Amount;

/// Containers under a title. `pod` answers what variables take from its fields; `space` indents
/// those of templates.
pub fn list(
    title: &str,
    containers: &[Container],
    statuses: &[ContainerStatus],
    pod: Option<&Pod>,
    space: &str,
    w: &mut Writer,
) {
    let none = if containers.is_empty() { " <none>" } else { "" };
    w.put(0, format_args!("{space}{title}:{none}\n"));
    for c in containers {
        let status = statuses.iter().find(|s| s.name == c.name);
        basics(c, status, space, w);
        words("Command", c.command.as_deref().unwrap_or_default(), w);
        words("Args", c.args.as_deref().unwrap_or_default(), w);
        if let Some(status) = status {
            states(status, w);
        }
        if let Some(wanted) = &c.resources {
            resources(wanted, 2, w);
        }
        for (title, probe) in [
            ("Liveness", &c.liveness_probe),
            ("Readiness", &c.readiness_probe),
            ("Startup", &c.startup_probe),
        ] {
            if let Some(probe) = probe {
                w.put(2, format_args!("{title}:\t{}\n", probe_line(probe)));
            }
        }
        env_from(c, w);
        env(c, pod, w);
        mounts(c, w);
    }
}

/// An ephemeral container as the ordinary one that it is shown as.
pub fn of_ephemeral(of: &EphemeralContainer) -> Container {
    Container {
        name: of.name.clone(),
        image: of.image.clone(),
        command: of.command.clone(),
        args: of.args.clone(),
        env: of.env.clone(),
        env_from: of.env_from.clone(),
        volume_mounts: of.volume_mounts.clone(),
        volume_devices: of.volume_devices.clone(),
        security_context: of.security_context.clone(),
        resources: of.resources.clone(),
        ..Container::default()
    }
}

fn basics(c: &Container, status: Option<&ContainerStatus>, space: &str, w: &mut Writer) {
    let indent = if space.is_empty() { "" } else { " " };
    w.put(1, format_args!("{indent}{}:\n", c.name));
    if let Some(status) = status {
        w.put(2, format_args!("Container ID:\t{}\n", text(&status.container_id)));
    }
    w.put(2, format_args!("Image:\t{}\n", text(&c.image)));
    if let Some(status) = status {
        w.put(2, format_args!("Image ID:\t{}\n", status.image_id));
    }
    let list = c.ports.as_deref().unwrap_or_default();
    ports("Port", list, |p| p.container_port, w);
    ports("Host Port", list, |p| p.host_port.unwrap_or(0), w);
    let context = c.security_context.as_ref();
    if let Some(profile) = context.and_then(|s| s.seccomp_profile.as_ref()) {
        w.put(2, format_args!("SeccompProfile:\t{}\n", profile.type_));
        if profile.type_ == "Localhost" {
            w.put(3, format_args!("LocalhostProfile:\t{}\n", text(&profile.localhost_profile)));
        }
    }
}

fn ports(title: &str, ports: &[ContainerPort], number: fn(&ContainerPort) -> i32, w: &mut Writer) {
    let all = ports.iter().map(|p| {
        let named = text(&p.name);
        let port = format!("{}/{}", number(p), text(&p.protocol));
        if named.is_empty() { port } else { format!("{port} ({named})") }
    });
    let all = all.collect::<Vec<_>>().join(", ");
    if all.contains(',') {
        w.put(2, format_args!("{title}s:\t{all}\n"));
    } else {
        w.put(2, format_args!("{title}:\t{}\n", common::or(all, "<none>")));
    }
}

fn words(title: &str, words: &[String], w: &mut Writer) {
    if !words.is_empty() {
        w.put(2, format_args!("{title}:\n"));
    }
    for line in words.iter().flat_map(|word| word.split('\n')) {
        w.put(3, format_args!("{line}\n"));
    }
}

/// Limits and requests.
pub fn resources(wanted: &ResourceRequirements, level: usize, w: &mut Writer) {
    for (title, list) in [("Limits", &wanted.limits), ("Requests", &wanted.requests)] {
        let Some(list) = list.as_ref().filter(|l| !l.is_empty()) else { continue };
        w.put(level, format_args!("{title}:\n"));
        for (name, quantity) in list {
            w.put(level + 1, format_args!("{name}:\t{}\n", Amount::of(quantity)));
        }
    }
}

fn states(status: &ContainerStatus, w: &mut Writer) {
    let none = ContainerState::default();
    state("State", status.state.as_ref().unwrap_or(&none), w);
    if let Some(last) = status.last_state.as_ref().filter(|s| s.terminated.is_some()) {
        state("Last State", last, w);
    }
    w.put(2, format_args!("Ready:\t{}\n", common::capital(status.ready)));
    w.put(2, format_args!("Restart Count:\t{}\n", status.restart_count));
}

fn state(title: &str, state: &ContainerState, w: &mut Writer) {
    if let Some(running) = &state.running {
        w.put(2, format_args!("{title}:\tRunning\n"));
        let started = common::meta_date(running.started_at.as_ref());
        w.put(3, format_args!("Started:\t{started}\n"));
    } else if let (Some(t), None) = (&state.terminated, &state.waiting) {
        w.put(2, format_args!("{title}:\tTerminated\n"));
        for (title, value) in [("Reason", &t.reason), ("Message", &t.message)] {
            if !text(value).is_empty() {
                w.put(3, format_args!("{title}:\t{}\n", text(value)));
            }
        }
        w.put(3, format_args!("Exit Code:\t{}\n", t.exit_code));
        if let Some(signal) = t.signal.filter(|s| *s > 0) {
            w.put(3, format_args!("Signal:\t{signal}\n"));
        }
        w.put(3, format_args!("Started:\t{}\n", common::meta_date(t.started_at.as_ref())));
        w.put(3, format_args!("Finished:\t{}\n", common::meta_date(t.finished_at.as_ref())));
    } else {
        w.put(2, format_args!("{title}:\tWaiting\n"));
        let reason = state.waiting.as_ref().map(|s| text(&s.reason)).unwrap_or_default();
        if !reason.is_empty() {
            w.put(3, format_args!("Reason:\t{reason}\n"));
        }
    }
}

/// `http-get http://:80/ delay=0s timeout=1s …`
pub fn probe_line(p: &Probe) -> String {
    let n = |value: Option<i32>| value.unwrap_or(0);
    let numbers = format!(
        "delay={}s timeout={}s period={}s successThreshold={} failureThreshold={}",
        n(p.initial_delay_seconds),
        n(p.timeout_seconds),
        n(p.period_seconds),
        n(p.success_threshold),
        n(p.failure_threshold)
    );
    let port = |port: &IntOrString| common::int_or_string(Some(port));
    if let Some(exec) = &p.exec {
        let words = exec.command.as_deref().unwrap_or_default().join(" ");
        format!("exec [{words}] {numbers}")
    } else if let Some(get) = &p.http_get {
        let scheme = text(&get.scheme).to_ascii_lowercase();
        let path = text(&get.path);
        let slash = if path.starts_with('/') || path.is_empty() { "" } else { "/" };
        let host = text(&get.host);
        format!("http-get {scheme}://{host}:{}{slash}{path} {numbers}", port(&get.port))
    } else if let Some(tcp) = &p.tcp_socket {
        format!("tcp-socket {}:{} {numbers}", text(&tcp.host), port(&tcp.port))
    } else if let Some(grpc) = &p.grpc {
        format!("grpc <pod>:{} {} {numbers}", grpc.port, text(&grpc.service))
    } else {
        format!("unknown {numbers}")
    }
}

fn env_from(c: &Container, w: &mut Writer) {
    let sources = c.env_from.as_deref().unwrap_or_default();
    if sources.is_empty() {
        return;
    }
    w.put(2, "Environment Variables from:\n");
    for source in sources {
        let (from, name, optional) = match (&source.config_map_ref, &source.secret_ref) {
            (Some(config), _) => ("ConfigMap", config.name.as_str(), config.optional),
            (None, Some(secret)) => ("Secret", secret.name.as_str(), secret.optional),
            (None, None) => ("", "", None),
        };
        let prefix = match text(&source.prefix) {
            "" => String::new(),
            prefix => format!(" with prefix '{prefix}'"),
        };
        let optional = optional.unwrap_or(false);
        w.put(3, format_args!("{name}\t{from}{prefix}\tOptional: {optional}\n"));
    }
}

fn env(c: &Container, pod: Option<&Pod>, w: &mut Writer) {
    let vars = c.env.as_deref().unwrap_or_default();
    w.put(2, if vars.is_empty() { "Environment:\t<none>\n" } else { "Environment:\n" });
    for var in vars {
        variable(c, var, pod, w);
    }
}

fn variable(c: &Container, var: &EnvVar, pod: Option<&Pod>, w: &mut Writer) {
    let name = &var.name;
    let Some(from) = &var.value_from else {
        for (i, line) in text(&var.value).split('\n').enumerate() {
            match i {
                0 => w.put(3, format_args!("{name}:\t{line}\n")),
                _ => w.put(3, format_args!("\t{line}\n")),
            }
        }
        return;
    };
    if let Some(field) = &from.field_ref {
        let value = pod.map(|pod| field_value(pod, field)).unwrap_or_default();
        let (version, path) = (text(&field.api_version), &field.field_path);
        w.put(3, format_args!("{name}:\t{value} ({version}:{path})\n"));
    } else if let Some(field) = &from.resource_field_ref {
        let value = resource_value(c, field);
        let of_node = matches!(field.resource.as_str(), "limits.cpu" | "limits.memory");
        let value = if value == "0" && of_node { "node allocatable".into() } else { value };
        w.put(3, format_args!("{name}:\t{value} ({})\n", field.resource));
    } else if let Some(r) = &from.secret_key_ref {
        let (key, of, optional) = (&r.key, &r.name, r.optional.unwrap_or(false));
        w.put(
            3,
            format_args!(
                "{name}:\t<set to the key '{key}' in secret '{of}'>\tOptional: {optional}\n"
            ),
        );
    } else if let Some(r) = &from.config_map_key_ref {
        let (key, of, optional) = (&r.key, &r.name, r.optional.unwrap_or(false));
        w.put(
            3,
            format_args!(
                "{name}:\t<set to the key '{key}' of config map '{of}'>\tOptional: {optional}\n"
            ),
        );
    }
}

/// What kubectl knows of a pod's own fields: those of its metadata.
fn field_value(pod: &Pod, field: &ObjectFieldSelector) -> String {
    let meta = &pod.metadata;
    let path = field.field_path.as_str();
    if let Some((base, rest)) = path.split_once("['") {
        let key = rest.strip_suffix("']").unwrap_or(rest);
        let map = if base == "metadata.labels" { &meta.labels } else { &meta.annotations };
        return map.as_ref().and_then(|m| m.get(key)).cloned().unwrap_or_default();
    }
    let lines = |map: Option<&std::collections::BTreeMap<String, String>>| {
        let lines = map.into_iter().flatten().map(|(k, v)| format!("{k}={v:?}"));
        lines.collect::<Vec<_>>().join("\n")
    };
    match path {
        "metadata.name" => text(&meta.name).to_string(),
        "metadata.namespace" => text(&meta.namespace).to_string(),
        "metadata.uid" => text(&meta.uid).to_string(),
        "metadata.labels" => lines(meta.labels.as_ref()),
        "metadata.annotations" => lines(meta.annotations.as_ref()),
        _ => String::new(),
    }
}

fn resource_value(c: &Container, field: &ResourceFieldSelector) -> String {
    let Some((list, name)) = field.resource.split_once('.') else { return String::new() };
    let wanted = c.resources.as_ref();
    let list = match list {
        "limits" => wanted.and_then(|r| r.limits.as_ref()),
        _ => wanted.and_then(|r| r.requests.as_ref()),
    };
    let amount = Amount::get(list, name);
    let divisor = field.divisor.as_ref().map(Amount::of).filter(|d| !d.is_zero());
    let divisor = divisor.unwrap_or(Amount::from_units(1));
    let (value, by) = match name {
        "cpu" => (amount.milli(), divisor.milli()),
        _ => (amount.units(), divisor.units()),
    };
    let by = by.max(1);
    (value / by + i64::from(value % by > 0)).to_string()
}

fn mounts(c: &Container, w: &mut Writer) {
    let mut mounts: Vec<_> = c.volume_mounts.iter().flatten().collect();
    mounts.sort_by_key(|m| m.mount_path.clone());
    w.put(2, if mounts.is_empty() { "Mounts:\t<none>\n" } else { "Mounts:\n" });
    for mount in mounts {
        let mut flags = String::from(if mount.read_only == Some(true) { "ro" } else { "rw" });
        if !text(&mount.sub_path).is_empty() {
            flags += &format!(",path={:?}", text(&mount.sub_path));
        }
        w.put(3, format_args!("{} from {} ({flags})\n", mount.mount_path, mount.name));
    }
    let mut devices: Vec<_> = c.volume_devices.iter().flatten().collect();
    devices.sort_by_key(|d| d.device_path.clone());
    if !devices.is_empty() {
        w.put(2, "Devices:\n");
    }
    for device in devices {
        w.put(3, format_args!("{} from {}\n", device.device_path, device.name));
    }
}
