//! From what a command names to the pod and container that it means.
//!
//! Models `kubectl/pkg/polymorphichelpers` (`AttachablePodForObject`, `GetFirstPod`) and `cmd/util/podcmd`.

use std::{rc::Rc, time::Duration};

use k8s_openapi::api::core::v1::Pod;

use super::{
    Conn, Cx, Error,
    resources::{self, Query, Selected},
};
use crate::{
    api::{ObjRef, Typed, gofmt::quote, object::downcast_rc, selector::Selector},
    client::ListOptions,
    sim::{Either, race},
};

/// The pod that `POD` or `TYPE/NAME` means, and how many there were to choose from. Where a workload
/// has none yet, waits for one, for at most `timeout` nanoseconds.
pub async fn resolve(
    cx: &Cx,
    conn: &Conn,
    arg: &str,
    timeout: i64,
) -> Result<(Rc<Pod>, usize), Error> {
    let arg = if arg.contains('/') { arg.to_owned() } else { format!("pods/{arg}") };
    let query = Query::default();
    let selected = resources::select(conn, &[arg], &query)?;
    let Selected::Items(items) = selected else { return Err(Error::plain(resources::MISSING)) };
    let Some(item) = items.first() else { return Err(Error::plain(resources::MISSING)) };
    let object = conn.client.get_any(item.kind.id, &item.namespace, &item.name)?;
    if let Some(pod) = downcast_rc::<Pod>(&object) {
        return Ok((pod, 1));
    }
    let selector = selector_of(&object).map_err(|why| {
        let kind = format!("*{}.{}", item.kind.version, item.kind.kind);
        let why = match &*item.kind.kind {
            "Service" => format!(
                "invalid service '{}': Service is defined without a selector",
                object.name()
            ),
            "Node" => format!("selector for {kind} not implemented"),
            _ => why.message().replace(&format!("for {}", item.kind.kind), &format!("for {kind}")),
        };
        Error::plain(format!("cannot attach to {kind}: {why}"))
    })?;
    let namespace = object.namespace().to_owned();
    let wait = first_pod(conn, &namespace, &selector);
    let nanos = Duration::from_nanos(timeout.max(0).unsigned_abs());
    match race(wait, cx.proc.sleep(nanos)).await {
        Either::Left(result) => result,
        Either::Right(()) => Err(Error::plain("timed out waiting for the condition")),
    }
}

async fn first_pod(
    conn: &Conn,
    namespace: &str,
    selector: &Selector,
) -> Result<(Rc<Pod>, usize), Error> {
    let options = ListOptions { labels: selector.clone(), ..ListOptions::default() };
    let since = Some(conn.client.revision());
    let mut stream = conn.client.watch(Pod::ID, Some(namespace), &options, since)?;
    loop {
        let found = by_selector(conn, namespace, selector)?;
        if let Some(pod) = found.first() {
            return Ok((pod.clone(), found.len()));
        }
        if stream.next().await.is_none() {
            return Err(Error::plain("timed out waiting for the condition"));
        }
    }
}

/// Pods that a selector matches, the one most worth looking at first.
pub fn by_selector(
    conn: &Conn,
    namespace: &str,
    selector: &Selector,
) -> Result<Vec<Rc<Pod>>, Error> {
    let options = ListOptions { labels: selector.clone(), ..ListOptions::default() };
    let found = conn.client.list_any(Pod::ID, Some(namespace), &options)?;
    let mut pods: Vec<Rc<Pod>> = found.iter().filter_map(downcast_rc).collect();
    pods.sort_by_key(|p| rank(p));
    Ok(pods)
}

/// Pods that run and are ready, and have been for longest, come first.
fn rank(pod: &Pod) -> (bool, u8, bool, String, String) {
    let status = pod.status.clone().unwrap_or_default();
    let assigned = pod.spec.as_ref().is_some_and(|s| s.node_name.is_some());
    let phase = match status.phase.as_deref() {
        Some("Running") => 0,
        Some("Unknown") | None => 1,
        Some("Pending") => 2,
        _ => 3,
    };
    let ready = status
        .conditions
        .iter()
        .flatten()
        .find(|c| c.type_ == "Ready" && c.status == "True")
        .map(|c| format!("{:?}", c.last_transition_time));
    let created = format!("{:?}", pod.metadata.creation_timestamp);
    (!assigned, phase, ready.is_none(), ready.unwrap_or_default(), created)
}

/// What a workload or service selects its pods by.
pub fn selector_of(object: &ObjRef) -> Result<Selector, Error> {
    selector_of_value(&object.to_value())
}

/// As [`selector_of`], of an object as JSON.
pub fn selector_of_value(value: &serde_json::Value) -> Result<Selector, Error> {
    let kind = value.get("kind").and_then(serde_json::Value::as_str).unwrap_or("");
    let selector = super::write::at(value, &["spec", "selector"]).cloned();
    let none = || Error::plain(format!("selector for {kind} not implemented"));
    let selector = selector.ok_or_else(none)?;
    if selector.get("matchLabels").is_some() || selector.get("matchExpressions").is_some() {
        let typed = crate::api::object::from_value(selector)
            .map_err(|e| Error::plain(format!("invalid label selector: {e}")))?;
        return Ok(Selector::from_label_selector(Some(&typed))?);
    }
    let labels = selector.as_object().into_iter().flatten();
    let labels = labels.filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect();
    Ok(Selector::from_labels(&labels))
}

/// Names of a pod's containers, as messages list them.
pub fn all_names(pod: &Pod) -> String {
    let Some(spec) = &pod.spec else { return String::new() };
    let mut names: Vec<String> = spec.containers.iter().map(|c| c.name.clone()).collect();
    let ephemeral = spec.ephemeral_containers.iter().flatten();
    names.extend(ephemeral.map(|c| format!("{} (ephem)", c.name)));
    names.extend(spec.init_containers.iter().flatten().map(|c| format!("{} (init)", c.name)));
    names.join(", ")
}

/// The container that is meant: the one named, the one that an annotation names, or the first, and
/// then a line about that for stderr if there are others.
pub fn container(pod: &Pod, name: &str) -> Result<(String, Option<String>), Error> {
    let spec = pod.spec.as_ref();
    let names = |list: &[k8s_openapi::api::core::v1::Container]| {
        list.iter().map(|c| c.name.clone()).collect::<Vec<_>>()
    };
    let own = spec.map(|s| names(&s.containers)).unwrap_or_default();
    let init = spec.and_then(|s| s.init_containers.as_deref()).map(names).unwrap_or_default();
    let annotation = pod.metadata.annotations.as_ref();
    let preset = annotation.and_then(|a| a.get("kubectl.kubernetes.io/default-container"));
    let wanted = if name.is_empty() { preset.map_or("", String::as_str) } else { name };
    if !wanted.is_empty() {
        let known = own.iter().chain(&init).any(|n| n == wanted) || is_ephemeral(pod, wanted);
        if known {
            return Ok((wanted.to_owned(), None));
        }
        let pod_name = pod.metadata.name.as_deref().unwrap_or_default();
        let all = all_names(pod);
        return Err(Error::plain(format!(
            "container {wanted} is not valid for pod {pod_name} out of: {all}"
        )));
    }
    let Some(first) = own.first() else {
        return Err(Error::plain("pod does not have any containers"));
    };
    let several = own.len() + init.len() > 1;
    let note = several
        .then(|| format!("Defaulted container {} out of: {}\n", quote(first), all_names(pod)));
    Ok((first.clone(), note))
}

/// Whether a container of a pod is an ephemeral one.
pub fn is_ephemeral(pod: &Pod, name: &str) -> bool {
    let all = pod.spec.iter().flat_map(|s| s.ephemeral_containers.iter().flatten());
    all.into_iter().any(|c| c.name == name)
}

/// Whether a container of a pod has a terminal.
pub fn has_terminal(pod: &Pod, name: &str) -> bool {
    let Some(spec) = &pod.spec else { return false };
    let init = spec.init_containers.iter().flatten();
    let mut regular = spec.containers.iter().chain(init);
    let mut ephemeral = spec.ephemeral_containers.iter().flatten();
    regular.any(|c| c.name == name && c.tty == Some(true))
        || ephemeral.any(|c| c.name == name && c.tty == Some(true))
}

/// A pod's name.
pub fn name(pod: &Pod) -> &str {
    pod.metadata.name.as_deref().unwrap_or_default()
}

/// A pod's namespace.
pub fn namespace(pod: &Pod) -> &str {
    pod.metadata.namespace.as_deref().unwrap_or_default()
}

/// A pod's phase.
pub fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|s| s.phase.as_deref()).unwrap_or_default()
}
