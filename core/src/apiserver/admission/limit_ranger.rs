//! LimitRanger: what a namespace's LimitRanges give to containers that say nothing, and what they
//! allow at all.
//!
//! Models `plugin/pkg/admission/limitranger`.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{
        Container, LimitRange, LimitRangeItem, PersistentVolumeClaim, Pod, PodSpec,
        ResourceRequirements,
    },
    apimachinery::pkg::api::resource::Quantity,
};

use super::Attributes;
use crate::api::{Object, Status, Typed, object::downcast_rc, quantity::Amount};

const ANNOTATION: &str = "kubernetes.io/limit-ranger";

type List = BTreeMap<String, Quantity>;

/// Completes and checks a new pod, checks a claim.
pub fn admit(attributes: &Attributes, object: &mut dyn Object) -> Result<(), Status> {
    let store = attributes.api.store();
    if store.count(LimitRange::ID) == 0 || !attributes.kind.namespaced {
        return Ok(());
    }
    let is_claim = object.as_any().is::<PersistentVolumeClaim>();
    if !is_claim && (object.downcast::<Pod>().is_none() || attributes.old.is_some()) {
        return Ok(());
    }
    let ranges = store.list(LimitRange::ID, Some(object.namespace()));
    let mut problems = Vec::new();
    for range in ranges.iter().filter_map(downcast_rc::<LimitRange>) {
        let items = range.spec.as_ref().map(|s| s.limits.as_slice()).unwrap_or_default();
        if let Some(pod) = object.downcast_mut::<Pod>() {
            complete(items, pod);
            if let Some(spec) = &pod.spec {
                check_pod(items, spec, &mut problems);
            }
        } else if let Some(claim) = object.as_any().downcast_ref::<PersistentVolumeClaim>() {
            check_claim(items, claim, &mut problems);
        }
        if !problems.is_empty() {
            break;
        }
    }
    refuse(attributes, object.name(), &problems)
}

/// Checks a running pod's new sizes; nothing is given to it any more.
pub fn admit_resize(attributes: &Attributes, object: &mut dyn Object) -> Result<(), Status> {
    let ranges = attributes.api.store().list(LimitRange::ID, Some(object.namespace()));
    let spec = object.downcast::<Pod>().and_then(|pod| pod.spec.as_ref());
    let Some(spec) = spec else { return Ok(()) };
    let mut problems = Vec::new();
    for range in ranges.iter().filter_map(downcast_rc::<LimitRange>) {
        let items = range.spec.as_ref().map(|s| s.limits.as_slice()).unwrap_or_default();
        check_pod(items, spec, &mut problems);
    }
    refuse(attributes, object.name(), &problems)
}

fn refuse(attributes: &Attributes, name: &str, problems: &[String]) -> Result<(), Status> {
    let why = match problems {
        [] => return Ok(()),
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    };
    Err(Status::forbidden(attributes.kind, name, &why))
}

fn of_type<'a>(
    items: &'a [LimitRangeItem],
    kind: &'a str,
) -> impl Iterator<Item = &'a LimitRangeItem> {
    items.iter().filter(move |item| item.type_ == kind)
}

/// Gives containers what they do not say, and notes it.
fn complete(items: &[LimitRangeItem], pod: &mut Pod) {
    let (mut requests, mut limits) = (List::new(), List::new());
    for item in of_type(items, "Container") {
        requests.extend(item.default_request.clone().unwrap_or_default());
        limits.extend(item.default.clone().unwrap_or_default());
    }
    if requests.is_empty() && limits.is_empty() {
        return;
    }
    let Some(spec) = &mut pod.spec else { return };
    let mut notes = Vec::new();
    for container in &mut spec.containers {
        give(container, &requests, &limits, "container", &mut notes);
    }
    for container in spec.init_containers.iter_mut().flatten() {
        give(container, &requests, &limits, "init container", &mut notes);
    }
    if !notes.is_empty() {
        let text = format!("LimitRanger plugin set: {}", notes.join("; "));
        pod.metadata.annotations.get_or_insert_default().insert(ANNOTATION.into(), text);
    }
}

fn give(
    container: &mut Container,
    requests: &List,
    limits: &List,
    what: &str,
    notes: &mut Vec<String>,
) {
    let resources: &mut ResourceRequirements = container.resources.get_or_insert_default();
    for (have, wanted, word) in
        [(&mut resources.requests, requests, "request"), (&mut resources.limits, limits, "limit")]
    {
        let missing: Vec<&String> =
            wanted.keys().filter(|k| !have.as_ref().is_some_and(|h| h.contains_key(*k))).collect();
        if missing.is_empty() {
            continue;
        }
        let names: Vec<&str> = missing.iter().map(|n| n.as_str()).collect();
        notes.push(format!("{} {word} for {what} {}", names.join(", "), container.name));
        for name in missing {
            if let Some(quantity) = wanted.get(name) {
                have.get_or_insert_default().insert(name.clone(), quantity.clone());
            }
        }
    }
}

fn check_pod(items: &[LimitRangeItem], spec: &PodSpec, problems: &mut Vec<String>) {
    let list = |c: &Container, limits: bool| {
        let resources = c.resources.clone().unwrap_or_default();
        if limits { resources.limits } else { resources.requests }.unwrap_or_default()
    };
    for item in items {
        match item.type_.as_str() {
            "Container" => {
                for c in spec.containers.iter().chain(spec.init_containers.iter().flatten()) {
                    check(item, &list(c, false), &list(c, true), problems);
                }
            }
            "Pod" => {
                let requests: Vec<List> = spec.containers.iter().map(|c| list(c, false)).collect();
                let limits: Vec<List> = spec.containers.iter().map(|c| list(c, true)).collect();
                check(item, &sum(&requests), &sum(&limits), problems);
            }
            _ => {}
        }
    }
}

/// What all say together; what one does not say is left out.
fn sum(lists: &[List]) -> List {
    let Some((first, rest)) = lists.split_first() else { return List::new() };
    let mut out = List::new();
    for (name, quantity) in first {
        let mut total = Amount::of(quantity);
        if rest.iter().all(|l| l.contains_key(name)) {
            rest.iter().for_each(|l| total = total.plus(Amount::get(Some(l), name)));
            out.insert(name.clone(), total.to_quantity());
        }
    }
    out
}

fn check_claim(
    items: &[LimitRangeItem],
    claim: &PersistentVolumeClaim,
    problems: &mut Vec<String>,
) {
    let resources = claim.spec.as_ref().and_then(|s| s.resources.clone()).unwrap_or_default();
    let requests = resources.requests.unwrap_or_default();
    for item in of_type(items, "PersistentVolumeClaim") {
        let limits = requests.clone();
        check(item, &requests, &limits, problems);
    }
}

fn check(item: &LimitRangeItem, requests: &List, limits: &List, problems: &mut Vec<String>) {
    let of = &item.type_;
    let shown = |list: &List, name: &str| list.get(name).map(|q| q.0.clone()).unwrap_or_default();
    let said = |list: &List, name: &str| list.contains_key(name);
    let amount = |list: &List, name: &str| Amount::get(Some(list), name);
    for (name, min) in item.min.iter().flatten() {
        let (least, min) = (Amount::of(min), &min.0);
        let head = format!("minimum {name} usage per {of} is {min}");
        if !said(requests, name) {
            problems.push(format!("{head}. No request is specified"));
        } else if amount(requests, name) < least {
            problems.push(format!("{head}, but request is {}", shown(requests, name)));
        } else if said(limits, name) && amount(limits, name) < least {
            problems.push(format!("{head}, but limit is {}", shown(limits, name)));
        }
    }
    for (name, max) in item.max.iter().flatten() {
        let (most, max) = (Amount::of(max), &max.0);
        let head = format!("maximum {name} usage per {of} is {max}");
        if !said(limits, name) {
            problems.push(format!("{head}. No limit is specified"));
        } else if amount(limits, name) > most {
            problems.push(format!("{head}, but limit is {}", shown(limits, name)));
        } else if said(requests, name) && amount(requests, name) > most {
            problems.push(format!("{head}, but request is {}", shown(requests, name)));
        }
    }
    for (name, ratio) in item.max_limit_request_ratio.iter().flatten() {
        let head = format!("{name} max limit to request ratio per {of} is {}", ratio.0);
        let (request, limit) = (amount(requests, name).milli(), amount(limits, name).milli());
        if request == 0 {
            problems.push(format!("{head}, but no request is specified or request is 0"));
        } else if limit == 0 {
            problems.push(format!("{head}, but no limit is specified or limit is 0"));
        } else {
            let found = limit as f64 / request as f64;
            if found * 1000.0 > Amount::of(ratio).milli() as f64 {
                problems.push(format!("{head}, but provided ratio is {found:.6}"));
            }
        }
    }
}
