//! PodSecurity: how much of its node a pod may have, as its namespace's labels say: `privileged`,
//! `baseline` or `restricted`, to be enforced, warned of, or noted.
//!
//! Audit notes go nowhere, as there is no audit log. Older versions of the levels are judged by the
//! latest one.
//!
//! Models `staging/src/k8s.io/pod-security-admission`.

mod checks;

use std::collections::BTreeMap;

use k8s_openapi::api::{
    apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet},
    batch::v1::{CronJob, Job},
    core::v1::{Namespace, Pod, PodSpec, PodTemplateSpec, ReplicationController},
};

use self::checks::{Finding, Level};
use super::Attributes;
use crate::api::{FieldError, Object, Status, Typed};

const PREFIX: &str = "pod-security.kubernetes.io/";
const LEVELS: &[(&str, Level)] = &[
    ("privileged", Level::Privileged),
    ("baseline", Level::Baseline),
    ("restricted", Level::Restricted),
];

/// A level and the version of it that was asked for.
#[derive(Clone, PartialEq, Eq)]
struct Wanted {
    level: Level,
    shown: String,
}

/// What a namespace's labels say of a mode (`enforce`, `warn`, `audit`).
fn wanted(labels: Option<&BTreeMap<String, String>>, mode: &str) -> Wanted {
    let label = |name: String| labels.and_then(|l| l.get(&name)).map(String::as_str);
    let said = label(format!("{PREFIX}{mode}")).unwrap_or("privileged");
    let known = LEVELS.iter().find(|(name, _)| *name == said);
    let (name, level) = match known {
        Some((name, level)) => (*name, *level),
        // What is misspelt is as strict as it can be where it is enforced, and nothing elsewhere.
        None if mode == "enforce" => ("restricted", Level::Restricted),
        None => ("privileged", Level::Privileged),
    };
    let version = label(format!("{PREFIX}{mode}-version")).filter(|v| is_version(v));
    Wanted { level, shown: format!("{name}:{}", version.unwrap_or("latest")) }
}

fn is_version(text: &str) -> bool {
    text == "latest"
        || text
            .strip_prefix("v1.")
            .is_some_and(|n| n.parse::<u32>().is_ok() && (n == "0" || !n.starts_with('0')))
}

/// Judges pods, and warns of templates of pods and of what a namespace's new labels would refuse.
pub fn admit(attributes: &Attributes, object: &mut dyn Object) -> Result<(), Status> {
    if let Some(namespace) = object.downcast::<Namespace>() {
        return of_namespace(attributes, namespace);
    }
    if !attributes.kind.namespaced {
        return Ok(());
    }
    let Some((spec, is_pod)) = pod_spec(object) else { return Ok(()) };
    let old = attributes.old.and_then(|o| o.downcast::<Pod>()).and_then(|p| p.spec.as_ref());
    if is_pod && old.is_some_and(|old| same_images(old, spec)) {
        return Ok(());
    }
    let place = attributes.api.store().get(Namespace::ID, "", object.namespace());
    let labels = place.as_ref().and_then(|p| p.metadata().labels.as_ref());
    if !labels.is_some_and(|l| l.keys().any(|key| key.starts_with(PREFIX))) {
        return Ok(());
    }
    let enforce = wanted(labels, "enforce");
    if is_pod {
        let found = checks::judge(enforce.level, spec);
        if !found.is_empty() {
            let why = format!("violates PodSecurity {:?}: {}", enforce.shown, detail(&found));
            return Err(Status::forbidden(attributes.kind, object.name(), &why));
        }
    }
    let warn = wanted(labels, "warn");
    let found = checks::judge(warn.level, spec);
    if !found.is_empty() {
        let text = format!("would violate PodSecurity {:?}: {}", warn.shown, detail(&found));
        attributes.request.warn(text);
    }
    Ok(())
}

/// The pod that an object is, or makes; and whether it is one.
fn pod_spec(object: &dyn Object) -> Option<(&PodSpec, bool)> {
    if let Some(pod) = object.downcast::<Pod>() {
        return pod.spec.as_ref().map(|spec| (spec, true));
    }
    let any = object.as_any();
    let template: Option<&PodTemplateSpec> = if let Some(o) = any.downcast_ref::<Deployment>() {
        o.spec.as_ref().map(|s| &s.template)
    } else if let Some(o) = any.downcast_ref::<ReplicaSet>() {
        o.spec.as_ref().and_then(|s| s.template.as_ref())
    } else if let Some(o) = any.downcast_ref::<DaemonSet>() {
        o.spec.as_ref().map(|s| &s.template)
    } else if let Some(o) = any.downcast_ref::<StatefulSet>() {
        o.spec.as_ref().map(|s| &s.template)
    } else if let Some(o) = any.downcast_ref::<Job>() {
        o.spec.as_ref().map(|s| &s.template)
    } else if let Some(o) = any.downcast_ref::<CronJob>() {
        let job = o.spec.job_template.spec.as_ref();
        job.map(|s| &s.template)
    } else {
        let o = any.downcast_ref::<ReplicationController>();
        o.and_then(|o| o.spec.as_ref()).and_then(|s| s.template.as_ref())
    };
    template?.spec.as_ref().map(|spec| (spec, false))
}

/// Whether a change is of no matter: only images can be changed in a pod.
fn same_images(old: &PodSpec, new: &PodSpec) -> bool {
    let images = |spec: &PodSpec| -> Vec<Option<String>> {
        let all = spec.containers.iter().chain(spec.init_containers.iter().flatten());
        all.map(|c| c.image.clone()).collect()
    };
    let extra = |spec: &PodSpec| spec.ephemeral_containers.as_ref().map_or(0, Vec::len);
    images(old) == images(new) && extra(old) == extra(new)
}

/// Every finding with what it is about.
fn detail(found: &[Finding]) -> String {
    let all: Vec<String> = found
        .iter()
        .map(|f| {
            if f.detail.is_empty() {
                f.reason.clone()
            } else {
                format!("{} ({})", f.reason, f.detail)
            }
        })
        .collect();
    all.join(", ")
}

fn of_namespace(attributes: &Attributes, namespace: &Namespace) -> Result<(), Status> {
    let labels = namespace.metadata.labels.as_ref();
    let old = attributes.old.and_then(|o| o.metadata().labels.as_ref());
    let name = namespace.metadata.name.as_deref().unwrap_or_default();
    let mut errors = Vec::new();
    for mode in ["enforce", "audit", "warn"] {
        let key = format!("{PREFIX}{mode}");
        if let Some(level) = labels.and_then(|l| l.get(&key)) {
            if !LEVELS.iter().any(|(name, _)| name == level) {
                let why = "must be one of privileged, baseline, restricted";
                errors.push(FieldError::invalid_str(format!("metadata.labels[{key}]"), level, why));
            }
        }
        let key = format!("{PREFIX}{mode}-version");
        if let Some(version) = labels.and_then(|l| l.get(&key)).filter(|v| !is_version(v)) {
            let why = "must be \"latest\" or \"v1.x\"";
            errors.push(FieldError::invalid_str(format!("metadata.labels[{key}]"), version, why));
        }
    }
    if !errors.is_empty() {
        // What was wrong before may stay.
        let had = attributes.old.is_some() && old == labels;
        return if had { Ok(()) } else { Err(Status::invalid(attributes.kind, name, errors)) };
    }
    let (new, before) = (wanted(labels, "enforce"), wanted(old, "enforce"));
    if attributes.old.is_none() || new == before || new.level <= before.level {
        return Ok(());
    }
    warn_of_pods(attributes, name, &new);
    Ok(())
}

/// Most pods that are looked at (`namespaceMaxPodsToCheck`).
const MAX_PODS: usize = 3000;

fn warn_of_pods(attributes: &Attributes, namespace: &str, new: &Wanted) {
    let mut reasons: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let pods = attributes.api.store().list(Pod::ID, Some(namespace));
    for object in pods.iter().take(MAX_PODS) {
        let Some(spec) = object.downcast::<Pod>().and_then(|p| p.spec.as_ref()) else { continue };
        let found = checks::judge(new.level, spec);
        if !found.is_empty() {
            let all: Vec<&str> = found.iter().map(|f| f.reason.as_str()).collect();
            reasons.entry(all.join(", ")).or_default().push(object.name().to_string());
        }
    }
    if reasons.is_empty() {
        return;
    }
    attributes.request.warn(format!(
        "existing pods in namespace {namespace:?} violate the new PodSecurity enforce level {:?}",
        new.shown
    ));
    let mut lines: Vec<String> = reasons
        .into_iter()
        .map(|(reason, names)| {
            let first = names.first().cloned().unwrap_or_default();
            match names.len() {
                1 => format!("{first}: {reason}"),
                2 => format!("{first} (and 1 other pod): {reason}"),
                n => format!("{first} (and {} other pods): {reason}", n - 1),
            }
        })
        .collect();
    lines.sort();
    lines.into_iter().for_each(|line| attributes.request.warn(line));
}
