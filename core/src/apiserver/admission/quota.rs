//! ResourceQuota: nothing is made that would exceed a quota of its namespace.
//!
//! It runs last, after validation: what it counts is stored in the same breath, so that usage can't
//! be exceeded, and nothing is counted that isn't stored.
//!
//! Models `staging/src/k8s.io/apiserver/pkg/admission/plugin/resourcequota`.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Pod, ResourceQuota};

use super::Attributes;
use crate::{
    api::{
        Object, Status, Typed,
        object::downcast_rc,
        quantity::Amount,
        quota::{Usage, concerns, usage},
    },
    apiserver::{RequestCx, Subresource, User},
};

/// Resources of pods that a container has to say once a quota limits them
/// (`validationSet`).
const COMPUTE: &[&str] =
    &["cpu", "limits.cpu", "limits.memory", "memory", "requests.cpu", "requests.memory"];

/// Looks at a create or an update and counts it. Errors: Forbidden.
pub fn commit(attributes: &Attributes, object: &dyn Object) -> Result<(), Status> {
    if !attributes.kind.namespaced
        || object.downcast::<ResourceQuota>().is_some() && attributes.old.is_some()
    {
        return Ok(());
    }
    let store = attributes.api.store();
    if store.count(ResourceQuota::ID) == 0 {
        return Ok(());
    }
    let quotas = store.list(ResourceQuota::ID, Some(object.namespace()));
    let quotas: Vec<_> = quotas.iter().filter_map(downcast_rc::<ResourceQuota>).collect();
    if quotas.is_empty() || (object.downcast::<Pod>().is_some() && attributes.old.is_some()) {
        return Ok(());
    }
    let delta = delta(attributes, object);
    if delta.is_empty() {
        return Ok(());
    }
    let mut counted = Vec::new();
    for quota in quotas {
        if let Some(new) = check(attributes, object, &quota, &delta)? {
            counted.push(new);
        }
    }
    if attributes.request.dry_run {
        return Ok(());
    }
    let server = User::new("system:apiserver", Vec::<String>::new());
    let cx = RequestCx::new(server, "kube-apiserver").trusted();
    for quota in counted {
        attributes.api.update(&cx, Box::new(quota), Subresource::Status)?;
    }
    Ok(())
}

/// What the write adds to what is used. Less is not told: the quota controller finds out.
fn delta(attributes: &Attributes, object: &dyn Object) -> Usage {
    let mut delta = usage(attributes.kind, object);
    if let Some(old) = attributes.old {
        for (name, amount) in usage(attributes.kind, old) {
            let own = delta.entry(name).or_default();
            *own = own.minus(amount);
        }
    }
    delta.retain(|_, amount| !amount.is_zero() && !amount.is_negative());
    delta
}

/// The quota with the write counted in; `None` where it is not about it.
fn check(
    attributes: &Attributes,
    object: &dyn Object,
    quota: &ResourceQuota,
    delta: &Usage,
) -> Result<Option<ResourceQuota>, Status> {
    let spec = quota.spec.clone().unwrap_or_default();
    let status = quota.status.clone().unwrap_or_default();
    let hard = status.hard.unwrap_or_default();
    let used = status.used.unwrap_or_default();
    let names: Vec<&String> = hard.keys().collect();
    let all = usage(attributes.kind, object);
    if !concerns(&spec, object) || !names.iter().any(|n| all.contains_key(*n)) {
        return Ok(None);
    }
    let own = quota.metadata.name.as_deref().unwrap_or_default();
    if let Some(lacks) = object.downcast::<Pod>().and_then(|pod| missing(pod, &names)) {
        let why = format!("failed quota: {own}: {lacks}");
        return Err(Status::forbidden(attributes.kind, object.name(), &why));
    }
    let (mut requested, mut had, mut limited) = (Vec::new(), Vec::new(), Vec::new());
    let mut new = quota.clone();
    let counted = new.status.get_or_insert_default().used.get_or_insert_default();
    for (name, amount) in delta.iter().filter(|(name, _)| hard.contains_key(*name)) {
        let before = Amount::get(Some(&used), name);
        let limit = Amount::get(Some(&hard), name);
        let after = before.plus(*amount);
        if after > limit {
            requested.push(format!("{name}={amount}"));
            had.push(format!("{name}={before}"));
            limited.push(format!("{name}={limit}"));
        }
        counted.insert(name.clone(), after.to_quantity());
    }
    if !requested.is_empty() {
        let why = format!(
            "exceeded quota: {own}, requested: {}, used: {}, limited: {}",
            requested.join(","),
            had.join(","),
            limited.join(",")
        );
        return Err(Status::forbidden(attributes.kind, object.name(), &why));
    }
    Ok((new.status != quota.status).then_some(new))
}

/// What a pod has to say and does not, once these resources are limited. The error's sentence.
/// Models `podEvaluator.Constraints`.
pub fn missing(pod: &Pod, hard: &[&String]) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    let mut lacking: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for container in spec.init_containers.iter().flatten().chain(&spec.containers) {
        let said = |name: &str| {
            let resources = container.resources.as_ref();
            let (list, plain) = match name.strip_prefix("limits.") {
                Some(plain) => (resources.and_then(|r| r.limits.as_ref()), plain),
                None => {
                    let plain = name.strip_prefix("requests.").unwrap_or(name);
                    (resources.and_then(|r| r.requests.as_ref()), plain)
                }
            };
            list.is_some_and(|l| l.contains_key(plain))
        };
        for name in hard.iter().filter(|h| COMPUTE.contains(&h.as_str())) {
            if !said(name) {
                lacking.entry(name).or_default().push(&container.name);
            }
        }
    }
    if lacking.is_empty() {
        return None;
    }
    let parts: Vec<String> =
        lacking.iter().map(|(name, of)| format!("{name} for: {}", of.join(","))).collect();
    Some(format!("must specify {}", parts.join("; ")))
}
