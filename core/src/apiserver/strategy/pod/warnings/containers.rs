//! What is probably not meant of a pod's containers: variables and ports that hide each other.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::{
    api::core::v1::{Container, ContainerPort, PodSpec},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{super::spec::containers_of, fraction};
use crate::api::{Path, gofmt::quote, meta::annotation, quantity::Amount};

/// Of all containers.
pub fn check(
    spec: &PodSpec,
    meta: &ObjectMeta,
    place: (&Path, &Path, bool),
    out: &mut Vec<String>,
) {
    let (at, meta_at, is_template) = place;
    let context = spec.security_context.as_ref();
    let armored = context.is_some_and(|c| c.app_armor_profile.is_some());
    containers_of(spec, at, &mut |c, at| {
        let context = c.security_context.as_ref();
        let mut old = |key: String, covered: bool, why: &str| {
            if !covered && annotation(meta, &key).is_some() {
                out.push(format!("{}: {why}", meta_at.child("annotations").key(&key)));
            }
        };
        old(
            format!("container.seccomp.security.alpha.kubernetes.io/{}", c.name),
            context.is_some_and(|c| c.seccomp_profile.is_some()),
            "non-functional in v1.27+; use the \"seccompProfile\" field instead",
        );
        old(
            format!("container.apparmor.security.beta.kubernetes.io/{}", c.name),
            !is_template || armored || context.is_some_and(|c| c.app_armor_profile.is_some()),
            "deprecated since v1.30; use the \"appArmorProfile\" field instead",
        );
        amounts(c, at, out);
        variables(c, at, out);
    });
    let mut seen: BTreeMap<(i32, String), Vec<(String, ContainerPort)>> = BTreeMap::new();
    containers_of(spec, at, &mut |c, at| ports(c, at, &mut seen, out));
    port_names(spec, at, out);
}

fn amounts(c: &Container, at: &Path, out: &mut Vec<String>) {
    let Some(resources) = &c.resources else { return };
    let at = at.child("resources");
    for name in ["memory", "ephemeral-storage"] {
        for (field, list) in [("limits", &resources.limits), ("requests", &resources.requests)] {
            let amount = list.as_ref().and_then(|l| l.get(name)).map(Amount::of);
            fraction(amount, &at.child(field).key(name), out);
        }
    }
}

fn variables(c: &Container, at: &Path, out: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    let at = at.child("env");
    for (i, var) in c.env.iter().flatten().enumerate() {
        if seen.insert(var.name.as_str()) {
            continue;
        }
        // One that adds to the value before is meant.
        let reference = format!("$({})", var.name);
        let value = var.value.as_deref().unwrap_or_default();
        if var.value_from.is_some() || value == reference || !value.contains(&reference) {
            let name = quote(&var.name);
            let why = "which may be dropped when using apply";
            out.push(format!("{}: hides previous definition of {name}, {why}", at.index(i)));
        }
    }
}

fn ports(
    c: &Container,
    at: &Path,
    seen: &mut BTreeMap<(i32, String), Vec<(String, ContainerPort)>>,
    out: &mut Vec<String>,
) {
    let at = at.child("ports");
    for (i, port) in c.ports.iter().flatten().enumerate() {
        let at = at.index(i).to_string();
        let (ip, number) = host(port);
        let protocol = port.protocol.clone().unwrap_or_default();
        if !ip.is_empty() && number == 0 {
            out.push(format!(
                "{at}: hostIP set without hostPort: {{Name:{} HostPort:0 ContainerPort:{} \
                 Protocol:{protocol} HostIP:{ip}}}",
                port.name.as_deref().unwrap_or_default(),
                port.container_port,
            ));
        }
        let others = seen.entry((port.container_port, protocol)).or_default();
        for (other_at, other) in others.iter() {
            let (other_ip, other_number) = host(other);
            let what = if (ip, number) == (other_ip, other_number) {
                "duplicate"
            } else if number == 0 || other_number == 0 {
                "overlapping"
            } else if number == other_number && ip.is_empty() != other_ip.is_empty() {
                "dangerously ambiguous"
            } else {
                continue;
            };
            out.push(format!("{at}: {what} port definition with {other_at}"));
        }
        others.push((at, port.clone()));
    }
}

fn host(port: &ContainerPort) -> (&str, i32) {
    (port.host_ip.as_deref().unwrap_or_default(), port.host_port.unwrap_or(0))
}

/// Services and probes find ports by name in containers that stay, sidecars among them.
fn port_names(spec: &PodSpec, at: &Path, out: &mut Vec<String>) {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    let mut look = |c: &Container, at: &Path| {
        let at = at.child("ports");
        for (i, port) in c.ports.iter().flatten().enumerate() {
            let Some(name) = port.name.as_deref().filter(|n| !n.is_empty()) else { continue };
            let at = at.index(i).child("name").to_string();
            match seen.get(name) {
                Some(other) => out.push(format!(
                    "{at}: duplicate port name {} with {other}, services and probes that select \
                     ports by name will use {other}",
                    quote(name)
                )),
                None => {
                    seen.insert(name.to_string(), at);
                }
            }
        }
    };
    let containers = at.child("containers");
    for (i, c) in spec.containers.iter().enumerate() {
        look(c, &containers.index(i));
    }
    let init = at.child("initContainers");
    for (i, c) in spec.init_containers.iter().flatten().enumerate() {
        if c.restart_policy.as_deref() == Some("Always") {
            look(c, &init.index(i));
        }
    }
}
