//! `kubectl describe persistentvolume`. Models `describePersistentVolume`.

use k8s_openapi::api::core::v1::{
    CSIPersistentVolumeSource, NodeSelectorRequirement, PersistentVolume, PersistentVolumeSpec,
    Volume, VolumeNodeAffinity,
};

use super::{
    Cx, Writer,
    common::{self, text},
    events, volumes,
};
use crate::api::{
    Object,
    quantity::Amount,
    volumes::{access_modes, volume_class},
};

/// See the module.
pub fn describe(cx: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(volume) = object.downcast::<PersistentVolume>() else { return };
    let none = PersistentVolumeSpec::default();
    let spec = volume.spec.as_ref().unwrap_or(&none);
    let status = volume.status.as_ref();
    w.put(0, format_args!("Name:\t{}\n", object.name()));
    common::labels_and_annotations(&volume.metadata, w);
    let finalizers = volume.metadata.finalizers.as_deref().unwrap_or_default();
    w.put(0, format_args!("Finalizers:\t[{}]\n", finalizers.join(" ")));
    w.put(0, format_args!("StorageClass:\t{}\n", volume_class(volume)));
    match &volume.metadata.deletion_timestamp {
        Some(at) => {
            let since = common::ago(cx, Some(at.0));
            w.put(0, format_args!("Status:\tTerminating (lasts {since})\n"));
        }
        None => {
            let phase = status.map(|s| text(&s.phase)).unwrap_or_default();
            w.put(0, format_args!("Status:\t{phase}\n"));
        }
    }
    let claim = spec.claim_ref.as_ref();
    let claim = claim.map(|c| format!("{}/{}", text(&c.namespace), text(&c.name)));
    w.put(0, format_args!("Claim:\t{}\n", claim.unwrap_or_default()));
    let policy = text(&spec.persistent_volume_reclaim_policy);
    w.put(0, format_args!("Reclaim Policy:\t{policy}\n"));
    let modes = access_modes(spec.access_modes.as_deref());
    w.put(0, format_args!("Access Modes:\t{modes}\n"));
    if let Some(mode) = &spec.volume_mode {
        w.put(0, format_args!("VolumeMode:\t{mode}\n"));
    }
    w.put(0, format_args!("Capacity:\t{}\n", Amount::get(spec.capacity.as_ref(), "storage")));
    affinity(spec.node_affinity.as_ref(), w);
    let message = status.map(|s| text(&s.message)).unwrap_or_default();
    w.put(0, format_args!("Message:\t{message}\n"));
    w.put(0, "Source:\n");
    source(spec, w);
    events::of(cx, object, w);
}

fn source(spec: &PersistentVolumeSpec, w: &mut Writer) {
    if let Some(local) = &spec.local {
        w.put(2, "Type:\tLocalVolume (a persistent volume backed by local storage on a node)\n");
        w.put(2, format_args!("Path:\t{}\n", local.path));
    } else if let Some(csi) = &spec.csi {
        container_storage(csi, w);
    } else {
        // Those that pods can use as well.
        let volume = Volume {
            host_path: spec.host_path.clone(),
            nfs: spec.nfs.clone(),
            ..Default::default()
        };
        volumes::source(&volume, w);
    }
}

fn container_storage(csi: &CSIPersistentVolumeSource, w: &mut Writer) {
    w.put(2, "Type:\tCSI (a Container Storage Interface (CSI) volume source)\n");
    w.put(2, format_args!("Driver:\t{}\n", csi.driver));
    w.put(2, format_args!("FSType:\t{}\n", text(&csi.fs_type)));
    w.put(2, format_args!("VolumeHandle:\t{}\n", csi.volume_handle));
    w.put(2, format_args!("ReadOnly:\t{}\n", csi.read_only.unwrap_or(false)));
    common::labels("    VolumeAttributes", csi.volume_attributes.as_ref(), w);
}

fn affinity(affinity: Option<&VolumeNodeAffinity>, w: &mut Writer) {
    let Some(required) = affinity.and_then(|a| a.required.as_ref()) else {
        w.put(0, "Node Affinity:\t<none>\n");
        return;
    };
    w.put(0, "Node Affinity:\t\n");
    let terms = &required.node_selector_terms;
    w.put(1, if terms.is_empty() { "Required Terms:\t<none>\n" } else { "Required Terms:\t\n" });
    for (i, term) in terms.iter().enumerate() {
        w.put(2, format_args!("Term {i}:\t"));
        let requirements = term.match_expressions.as_deref().unwrap_or_default();
        if requirements.is_empty() {
            w.put(0, "<none>\n");
        }
        for (i, requirement) in requirements.iter().enumerate() {
            if i > 0 {
                w.put(2, "\t");
            }
            w.put(0, format_args!("{}\n", expression(requirement)));
        }
    }
}

fn expression(r: &NodeSelectorRequirement) -> String {
    let values = r.values.as_deref().unwrap_or_default();
    let head = format!("{} {}", r.key, r.operator.to_lowercase());
    if values.is_empty() { head } else { format!("{head} [{}]", values.join(", ")) }
}
