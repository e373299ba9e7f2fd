//! Volumes that say which zone or region they are in are used there.
//!
//! Models `pkg/scheduler/framework/plugins/volumezone`.

use k8s_openapi::api::{
    core::v1::{PersistentVolume, PersistentVolumeClaim},
    storage::v1::StorageClass,
};

use crate::{
    api::{
        meta::label,
        volumes::{self, claim_class, volume_name},
    },
    scheduler::{
        cache::NodeInfo,
        framework::{Check, Cx, Event, Plugin, Point, Rejection, interest},
    },
};

pub const PLUGIN: Plugin = Plugin {
    name: "VolumeZone",
    weight: 0,
    points: &[Point::PreFilter, Point::Filter],
    events: interest::NODE | interest::STORAGE,
    check: |cx| {
        let places = places(cx)?;
        Ok((!places.is_empty()).then(|| Box::new(Zones(places)) as Box<dyn Check>))
    },
    helps: |_, _, event| match event {
        Event::Node(new, old) => old.is_none_or(|o| o.metadata.labels != new.metadata.labels),
        Event::Storage => true,
        _ => false,
    },
};

/// Labels of zones and regions: the old name, and today's.
const LABELS: &[(&str, &str)] = &[
    ("failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"),
    ("failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"),
    ("topology.kubernetes.io/zone", "topology.kubernetes.io/zone"),
    ("topology.kubernetes.io/region", "topology.kubernetes.io/region"),
];

/// A label of a volume and today's name for it, and the values that it allows.
#[derive(Clone)]
struct Place {
    label: (&'static str, &'static str),
    values: Vec<String>,
}

#[derive(Clone)]
struct Zones(Vec<Place>);

fn places(cx: &Cx) -> Result<Vec<Place>, Rejection> {
    let mut places = Vec::new();
    for name in volumes::claims(&cx.pod.pod) {
        let Some(claim) = cx.client.find::<PersistentVolumeClaim>(cx.pod.namespace(), &name) else {
            return Err(Rejection::about(format!("persistentvolumeclaim {name:?} not found")));
        };
        let volume = volume_name(&claim);
        if volume.is_empty() {
            waits(cx, &claim)?;
            continue;
        }
        let Some(object) = cx.client.find::<PersistentVolume>("", volume) else {
            return Err(Rejection::about(format!("persistentvolume {volume:?} not found")));
        };
        for pair in LABELS {
            if let Some(value) = label(&object.metadata, pair.0) {
                let values = value.split("__").map(|v| v.trim().to_string()).collect();
                places.push(Place { label: *pair, values });
            }
        }
    }
    Ok(places)
}

/// A claim without volume is one that waits for its pod, or it is too early.
fn waits(cx: &Cx, claim: &PersistentVolumeClaim) -> Result<(), Rejection> {
    let class = claim_class(claim);
    if class.is_empty() {
        let why = "PersistentVolumeClaim had no pv name and storageClass name";
        return Err(Rejection::final_(why));
    }
    let Some(object) = cx.client.find::<StorageClass>("", class) else {
        let why = format!("storageclass.storage.k8s.io {class:?} not found");
        return Err(Rejection::about(why));
    };
    match object.volume_binding_mode.as_deref() {
        Some("WaitForFirstConsumer") => Ok(()),
        _ => Err(Rejection::final_("PersistentVolume had no name")),
    }
}

impl Check for Zones {
    fn filter(&self, _cx: &Cx, node: &NodeInfo) -> Result<(), Rejection> {
        if LABELS.iter().all(|(name, _)| node.label(name).is_none()) {
            return Ok(());
        }
        let reaches = |place: &Place| {
            let value = node.label(place.label.0).or_else(|| node.label(place.label.1));
            value.is_some_and(|v| place.values.iter().any(|known| known == v))
        };
        match self.0.iter().all(reaches) {
            true => Ok(()),
            false => Err(Rejection::final_("node(s) had no available volume zone")),
        }
    }

    fn boxed_clone(&self) -> Box<dyn Check> {
        Box::new(self.clone())
    }
}
