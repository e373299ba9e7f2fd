//! `kubectl describe resourcequota | limitrange`, and what namespaces show of both.
//!
//! Models `describeQuota`, `DescribeResourceQuotas`, `describeLimitRangeSpec`.

use k8s_openapi::api::core::v1::{LimitRange, ResourceQuota};

use super::{Cx, Writer, common};
use crate::api::{
    Object,
    quantity::{Amount, ResourceList},
};

/// One quota.
pub fn quota(_: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(quota) = object.downcast::<ResourceQuota>() else { return };
    common::name(object, w);
    scopes(quota, 0, " ", w);
    w.put(0, "Resource\tUsed\tHard\n");
    w.put(0, "--------\t----\t----\n");
    amounts(quota, 0, w);
}

fn amounts(quota: &ResourceQuota, level: usize, w: &mut Writer) {
    let none = Default::default();
    let status = quota.status.as_ref().unwrap_or(&none);
    for (name, hard) in status.hard.iter().flatten() {
        let used = Amount::get(status.used.as_ref(), name);
        w.put(level, format_args!("{name}\t{used}\t{}\n", Amount::of(hard)));
    }
}

fn scopes(quota: &ResourceQuota, level: usize, indent: &str, w: &mut Writer) {
    let mut scopes = quota.spec.as_ref().and_then(|s| s.scopes.clone()).unwrap_or_default();
    if scopes.is_empty() {
        return;
    }
    scopes.sort();
    w.put(level, format_args!("Scopes:\t{}\n", scopes.join(", ")));
    for scope in scopes {
        let help = match scope.as_str() {
            "Terminating" => {
                "Matches all pods that have an active deadline. These pods have a limited lifespan \
                 on a node before being actively terminated by the system."
            }
            "NotTerminating" => {
                "Matches all pods that do not have an active deadline. These pods usually include \
                 long running pods whose container command is not expected to terminate."
            }
            "BestEffort" => {
                "Matches all pods that do not have resource requirements set. These pods have a \
                 best effort quality of service."
            }
            "NotBestEffort" => {
                "Matches all pods that have at least one resource requirement set. These pods have \
                 a burstable or guaranteed quality of service."
            }
            _ => continue,
        };
        w.put(level, format_args!("{indent}* {help}\n"));
    }
}

/// One limit range.
pub fn limit_range(_: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(range) = object.downcast::<LimitRange>() else { return };
    common::name(object, w);
    w.put(0, "Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio\n");
    w.put(0, "----\t--------\t---\t---\t---------------\t-------------\t-----------------------\n");
    limits(range, "", w);
}

fn limits(range: &LimitRange, prefix: &str, w: &mut Writer) {
    for item in range.spec.iter().flat_map(|s| &s.limits) {
        let lists = [
            &item.min,
            &item.max,
            &item.default_request,
            &item.default,
            &item.max_limit_request_ratio,
        ];
        let mut names: Vec<_> = lists.into_iter().flatten().flat_map(|l| l.keys()).collect();
        names.sort();
        names.dedup();
        for name in names {
            let cell = |list: &Option<ResourceList>| {
                let found = list.as_ref().and_then(|l| l.get(name));
                found.map_or("-".to_string(), |q| Amount::of(q).to_string())
            };
            let cells: Vec<_> = lists.into_iter().map(cell).collect();
            w.put(0, format_args!("{prefix}{}\t{name}\t{}\n", item.type_, cells.join("\t")));
        }
    }
}

/// All quotas and limit ranges of a namespace.
pub fn of_namespace(cx: &Cx, namespace: &str, w: &mut Writer) {
    let quotas = cx.client.list::<ResourceQuota>(Some(namespace));
    w.put(0, if quotas.is_empty() { "\nNo resource quota.\n" } else { "\nResource Quotas\n" });
    for quota in &quotas {
        w.put(1, format_args!("Name:\t{}\n", (&**quota as &dyn Object).name()));
        scopes(quota, 1, "", w);
        w.put(1, "Resource\tUsed\tHard\n");
        w.put(1, "--------\t---\t---\n");
        amounts(quota, 1, w);
    }
    let ranges = cx.client.list::<LimitRange>(Some(namespace));
    if ranges.is_empty() {
        w.put(0, "\nNo LimitRange resource.\n");
        return;
    }
    w.put(
        0,
        "\nResource Limits\n Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax \
         Limit/Request Ratio\n",
    );
    w.put(
        0,
        " ----\t--------\t---\t---\t---------------\t-------------\t-----------------------\n",
    );
    ranges.iter().for_each(|range| limits(range, " ", w));
}
