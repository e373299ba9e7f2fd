//! Failures on purpose, where they would happen: in processes and services, never in API objects.

use std::rc::Rc;

use super::protocol::Fault;
use crate::{
    clusters::{Current, systemd::Units},
    machine::Signal,
    runtime::{Container, images::leak::Leak},
};

/// Brings a failure about. Errors say in words why that can't be.
pub fn bring_about(current: &Current, fault: &Fault) -> Result<(), String> {
    match fault {
        Fault::KubeletStop { node } => {
            let units = units(current, node)?;
            units.find("kubelet").map(|unit| units.stop(unit)).ok_or("there is no kubelet")?;
        }
        Fault::KubeletStart { node } => {
            let units = units(current, node)?;
            units.find("kubelet").map(|unit| units.start(unit)).ok_or("there is no kubelet")?;
        }
        Fault::ContainerKill { namespace, pod, container } => {
            let container = find(current, namespace, pod, container)?;
            let process = container.process().ok_or("its container is not running")?;
            process.kill(Signal::Kill);
        }
        Fault::ContainerLeak { namespace, pod } => {
            let container = find(current, namespace, pod, "")?;
            container.process().ok_or("its container is not running")?;
            Leak::start(&container.machine);
        }
    }
    Ok(())
}

/// A failure in words.
pub fn told(fault: &Fault) -> String {
    match fault {
        Fault::KubeletStop { node } => format!("fault: the kubelet of {node} is stopped"),
        Fault::KubeletStart { node } => format!("fault: the kubelet of {node} is started"),
        Fault::ContainerKill { pod, .. } => format!("fault: a container of pod/{pod} is killed"),
        Fault::ContainerLeak { pod, .. } => format!("fault: a container of pod/{pod} leaks"),
    }
}

fn units(current: &Current, node: &str) -> Result<Rc<Units>, String> {
    let machine = current.get().and_then(|c| c.node(node)?.machine());
    machine.and_then(|m| m.get::<Units>()).ok_or_else(|| format!("there is no node {node:?}"))
}

/// The newest container of a pod; its first one (as the kubelet started them) unless named.
fn find(
    current: &Current,
    namespace: &str,
    pod: &str,
    container: &str,
) -> Result<Rc<Container>, String> {
    let cluster = current.get().ok_or("no cluster is running")?;
    let engines = cluster.nodes().into_iter().filter_map(|n| n.engine());
    let containers: Vec<_> = engines.flat_map(|e| e.containers()).collect();
    let mut found = containers.iter().filter(|c| {
        c.spec.pod.as_ref().is_some_and(|p| {
            p.namespace == namespace
                && p.pod == pod
                && !p.is_sandbox()
                && (container.is_empty() || p.container == container)
        })
    });
    let running = found.clone().find(|c| c.is_running());
    running
        .or_else(|| found.next())
        .cloned()
        .ok_or_else(|| format!("there is no container of a pod {pod:?} in namespace {namespace:?}"))
}
