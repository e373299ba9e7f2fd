//! `kubectl describe persistentvolumeclaim`. Models `describePersistentVolumeClaim`.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimSpec, Pod};

use super::{
    Cx, Writer,
    common::{self, text},
    events,
};
use crate::api::{
    Object,
    quantity::Amount,
    volumes::{access_modes, claim_class, claim_phase, pods_by_claim},
};

/// See the module.
pub fn describe(cx: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(claim) = object.downcast::<PersistentVolumeClaim>() else { return };
    let none = PersistentVolumeClaimSpec::default();
    let spec = claim.spec.as_ref().unwrap_or(&none);
    let status = claim.status.as_ref();
    common::name(object, w);
    w.put(0, format_args!("StorageClass:\t{}\n", claim_class(claim)));
    match &claim.metadata.deletion_timestamp {
        Some(at) => {
            let since = common::ago(cx, Some(at.0));
            w.put(0, format_args!("Status:\tTerminating (lasts {since})\n"));
        }
        None => w.put(0, format_args!("Status:\t{}\n", claim_phase(claim))),
    }
    w.put(0, format_args!("Volume:\t{}\n", text(&spec.volume_name)));
    common::labels_and_annotations(&claim.metadata, w);
    let finalizers = claim.metadata.finalizers.as_deref().unwrap_or_default();
    w.put(0, format_args!("Finalizers:\t[{}]\n", finalizers.join(" ")));
    let (mut capacity, mut modes) = (String::new(), String::new());
    if !text(&spec.volume_name).is_empty() {
        let list = status.and_then(|s| s.capacity.as_ref());
        capacity = Amount::get(list, "storage").to_string();
        modes = access_modes(status.and_then(|s| s.access_modes.as_deref()));
    }
    w.put(0, format_args!("Capacity:\t{capacity}\n"));
    w.put(0, format_args!("Access Modes:\t{modes}\n"));
    if let Some(mode) = &spec.volume_mode {
        w.put(0, format_args!("VolumeMode:\t{mode}\n"));
    }
    if let Some(source) = &spec.data_source {
        w.put(0, "DataSource:\n");
        if let Some(group) = &source.api_group {
            w.put(1, format_args!("APIGroup:\t{group}\n"));
        }
        w.put(1, format_args!("Kind:\t{}\n", source.kind));
        w.put(1, format_args!("Name:\t{}\n", source.name));
    }
    used_by(cx, object, w);
    let conditions = status.and_then(|s| s.conditions.as_deref()).unwrap_or_default();
    if !conditions.is_empty() {
        w.put(0, "Conditions:\n");
        w.put(1, "Type\tStatus\tLastProbeTime\tLastTransitionTime\tReason\tMessage\n");
        w.put(1, "----\t------\t-----------------\t------------------\t------\t-------\n");
        for c in conditions {
            let probed = common::meta_date(c.last_probe_time.as_ref());
            let changed = common::meta_date(c.last_transition_time.as_ref());
            let (reason, message) = (text(&c.reason), text(&c.message));
            w.put(
                1,
                format_args!(
                    "{} \t{} \t{probed} \t{changed} \t{reason} \t{message}\n",
                    c.type_, c.status
                ),
            );
        }
    }
    events::of(cx, object, w);
}

fn used_by(cx: &Cx, object: &dyn Object, w: &mut Writer) {
    let index = cx.client.index::<Pod>(pods_by_claim);
    let key = format!("{}/{}", object.namespace(), object.name());
    let pods = cx.client.by_index::<Pod>(index, &key);
    w.put(0, "Used By:\t");
    if pods.is_empty() {
        w.put(0, "<none>\n");
    }
    for (i, pod) in pods.iter().enumerate() {
        let mark = if i > 0 { "\t" } else { "" };
        w.put(0, format_args!("{mark}{}\n", (&**pod as &dyn Object).name()));
    }
}
