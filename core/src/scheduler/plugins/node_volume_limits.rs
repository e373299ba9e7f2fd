//! How many volumes of a storage driver a node can have, where the node's `CSINode` says so.
//!
//! Models `pkg/scheduler/framework/plugins/nodevolumelimits`. Volumes of claims that wait for their
//! pod count for the driver that their class names.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::{
    core::v1::{PersistentVolume, PersistentVolumeClaim},
    storage::v1::{CSINode, StorageClass},
};

use crate::{
    api::volumes::{self, NO_PROVISIONER, claim_class, volume_name},
    client::Client,
    scheduler::{
        cache::{NodeInfo, PodInfo},
        framework::{Check, Cx, Event, Plugin, Point, Rejection, interest},
    },
};

pub const PLUGIN: Plugin = Plugin {
    name: "NodeVolumeLimits",
    weight: 0,
    points: &[Point::PreFilter, Point::Filter],
    events: interest::NODE | interest::STORAGE | interest::POD_REMOVED,
    check: |cx| {
        let wanted = driven(cx.client, cx.pod);
        Ok((!wanted.is_empty()).then(|| Box::new(Limits(wanted)) as Box<dyn Check>))
    },
    helps: |client, pod, event| match event {
        Event::PodRemoved(gone) => {
            let drivers: BTreeSet<String> = driven(client, pod).into_iter().map(|v| v.0).collect();
            driven(client, gone).iter().any(|(driver, _)| drivers.contains(driver))
        }
        Event::Node(_, old) => old.is_none(),
        Event::Storage => true,
        _ => false,
    },
};

/// Volumes by driver and handle.
type Driven = BTreeSet<(String, String)>;

#[derive(Clone)]
struct Limits(Driven);

/// The volumes of a pod that drivers attach.
fn driven(client: &Client, pod: &PodInfo) -> Driven {
    let claims = volumes::claims(&pod.pod).into_iter();
    claims.filter_map(|name| of_claim(client, pod.namespace(), &name)).collect()
}

fn of_claim(client: &Client, namespace: &str, name: &str) -> Option<(String, String)> {
    let claim = client.find::<PersistentVolumeClaim>(namespace, name)?;
    let volume = volume_name(&claim);
    if !volume.is_empty() {
        let volume = client.find::<PersistentVolume>("", volume)?;
        let csi = volume.spec.as_ref()?.csi.as_ref()?;
        return Some((csi.driver.clone(), csi.volume_handle.clone()));
    }
    let class = client.find::<StorageClass>("", claim_class(&claim))?;
    let known = class.provisioner != NO_PROVISIONER;
    known.then(|| (class.provisioner.clone(), format!("{namespace}/{name}")))
}

impl Check for Limits {
    fn filter(&self, cx: &Cx, node: &NodeInfo) -> Result<(), Rejection> {
        let Some(object) = cx.client.find::<CSINode>("", &node.name) else { return Ok(()) };
        let limits: BTreeMap<&str, usize> = object
            .spec
            .drivers
            .iter()
            .filter_map(|d| {
                let count = d.allocatable.as_ref()?.count?;
                Some((d.name.as_str(), usize::try_from(count).unwrap_or(0)))
            })
            .collect();
        if !self.0.iter().any(|(driver, _)| limits.contains_key(driver.as_str())) {
            return Ok(());
        }
        let there: Driven = node.pods.values().flat_map(|p| driven(cx.client, p)).collect();
        for (driver, limit) in limits {
            let of = |(d, _): &&(String, String)| d == driver;
            let new = self.0.iter().filter(of).filter(|v| !there.contains(*v)).count();
            if new > 0 && there.iter().filter(of).count() + new > limit {
                return Err(Rejection::resolvable("node(s) exceed max volume count"));
            }
        }
        Ok(())
    }

    fn boxed_clone(&self) -> Box<dyn Check> {
        Box::new(self.clone())
    }
}
