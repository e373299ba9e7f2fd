//! How the autoscaler stands, in a ConfigMap for people.
//!
//! The real one writes the time of each look into it; this one writes when something else changed.
//!
//! Models `clusterstate/utils` and `clusterstate/api`.

use std::{collections::BTreeMap, fmt::Write};

use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};

use super::{Autoscaler, STATUS, View, is_leaving};
use crate::{
    api::{Status, meta::annotation},
    clusters::cloud::{Cloud, GROUP},
};

/// The annotation with the time of the last write.
const UPDATED: &str = "cluster-autoscaler.kubernetes.io/last-updated";

/// Writes how it stands, if that changed.
pub(super) fn write(autoscaler: &Autoscaler, cloud: &Cloud, view: &View) -> Result<(), Status> {
    let client = &autoscaler.client;
    let now = client.sim().now().to_timestamp();
    let now = jiff::fmt::strtime::format("%Y-%m-%d %H:%M:%S.%6f +0000 UTC", now);
    let now = now.unwrap_or_default();
    let old = client.find::<ConfigMap>(STATUS.0, STATUS.1);
    let text = |time: &str| text(autoscaler, cloud, view, time);
    if let Some(old) = &old {
        let before = annotation(&old.metadata, UPDATED).unwrap_or_default();
        let shown = old.data.as_ref().and_then(|d| d.get("status"));
        if shown == Some(&text(before)) {
            return Ok(());
        }
    }
    let mut map = old.as_ref().map_or_else(
        || ConfigMap {
            metadata: ObjectMeta {
                namespace: Some(STATUS.0.into()),
                name: Some(STATUS.1.into()),
                ..Default::default()
            },
            ..Default::default()
        },
        |old| (**old).clone(),
    );
    map.metadata.annotations.get_or_insert_default().insert(UPDATED.into(), now.clone());
    map.data = Some(BTreeMap::from([("status".to_string(), text(&now))]));
    match old {
        Some(_) => client.update(map),
        None => client.create(map),
    }
    .map(|_| ())
}

fn text(autoscaler: &Autoscaler, cloud: &Cloud, view: &View, time: &str) -> String {
    let own: Vec<_> = view.rooms.iter().filter(|r| autoscaler.is_own(cloud, &r.node)).collect();
    let ready = own.len();
    let target = cloud.machines().len();
    let leaving = own.iter().filter(|r| is_leaving(&r.node)).count();
    let candidates = autoscaler.unneeded.borrow().len();
    let up = if view.upcoming > 0 { "InProgress" } else { "NoActivity" };
    let down = if candidates > 0 { "CandidatesPresent" } else { "NoCandidates" };
    let counts = |pad: &str| {
        format!(
            "{pad}nodeCounts:\n{pad}  registered:\n{pad}    total: {ready}\n{pad}    ready: \
             {ready}\n{pad}    notStarted: 0\n{pad}    beingDeleted: {leaving}\n{pad}  \
             longUnregistered: 0\n{pad}  unregistered: {}\n",
            view.upcoming
        )
    };
    let mut out = format!("time: {time}\nautoscalerStatus: Running\nclusterWide:\n");
    let _ = write!(out, "  health:\n    status: Healthy\n{}", counts("    "));
    let _ = write!(out, "  scaleUp:\n    status: {up}\n");
    let _ = write!(out, "  scaleDown:\n    status: {down}\n    candidates: {candidates}\n");
    let _ = write!(
        out,
        "nodeGroups:\n- name: {GROUP}\n  health:\n    status: Healthy\n{}    \
         cloudProviderTarget: {target}\n    minSize: {}\n    maxSize: {}\n",
        counts("    "),
        cloud.bounds.min,
        cloud.bounds.max
    );
    let _ = write!(out, "  scaleUp:\n    status: {up}\n");
    let _ = write!(out, "  scaleDown:\n    status: {down}\n    candidates: {candidates}\n");
    out
}
