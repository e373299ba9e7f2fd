//! Volumes of pods and templates. Models `describeVolumes`.

use k8s_openapi::api::core::v1::{ProjectedVolumeSource, Volume};

use super::{
    Writer,
    common::{self, text},
};
use crate::api::quantity::Amount;

/// All volumes. `space` indents those of templates.
pub fn list(volumes: &[Volume], space: &str, w: &mut Writer) {
    if volumes.is_empty() {
        w.put(0, format_args!("{space}Volumes:\t<none>\n"));
        return;
    }
    w.put(0, format_args!("{space}Volumes:\n"));
    let indent = if space.is_empty() { "" } else { " " };
    for volume in volumes {
        w.put(1, format_args!("{indent}{}:\n", volume.name));
        source(volume, w);
    }
}

/// What a volume is made from.
pub fn source(v: &Volume, w: &mut Writer) {
    if let Some(path) = &v.host_path {
        let kind = path.type_.as_deref().unwrap_or("<none>");
        w.put(2, "Type:\tHostPath (bare host directory volume)\n");
        w.put(2, format_args!("Path:\t{}\n", path.path));
        w.put(2, format_args!("HostPathType:\t{kind}\n"));
    } else if let Some(dir) = &v.empty_dir {
        let limit = dir.size_limit.as_ref().map(Amount::of).filter(|l| *l > Amount::ZERO);
        let limit = limit.map_or("<unset>".to_string(), |l| l.to_string());
        w.put(2, "Type:\tEmptyDir (a temporary directory that shares a pod's lifetime)\n");
        w.put(2, format_args!("Medium:\t{}\n", text(&dir.medium)));
        w.put(2, format_args!("SizeLimit:\t{limit}\n"));
    } else if let Some(secret) = &v.secret {
        w.put(2, "Type:\tSecret (a volume populated by a Secret)\n");
        w.put(2, format_args!("SecretName:\t{}\n", text(&secret.secret_name)));
        w.put(2, format_args!("Optional:\t{}\n", secret.optional.unwrap_or(false)));
    } else if let Some(config) = &v.config_map {
        w.put(2, "Type:\tConfigMap (a volume populated by a ConfigMap)\n");
        w.put(2, format_args!("Name:\t{}\n", config.name));
        w.put(2, format_args!("Optional:\t{}\n", config.optional.unwrap_or(false)));
    } else if let Some(nfs) = &v.nfs {
        w.put(2, "Type:\tNFS (an NFS mount that lasts the lifetime of a pod)\n");
        w.put(2, format_args!("Server:\t{}\n", nfs.server));
        w.put(2, format_args!("Path:\t{}\n", nfs.path));
        w.put(2, format_args!("ReadOnly:\t{}\n", nfs.read_only.unwrap_or(false)));
    } else if let Some(claim) = &v.persistent_volume_claim {
        let kind = "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same \
                    namespace)";
        w.put(2, format_args!("Type:\t{kind}\n"));
        w.put(2, format_args!("ClaimName:\t{}\n", claim.claim_name));
        w.put(2, format_args!("ReadOnly:\t{}\n", claim.read_only.unwrap_or(false)));
    } else if let Some(downward) = &v.downward_api {
        w.put(2, "Type:\tDownwardAPI (a volume populated by information about the pod)\n");
        w.put(2, "Items:\n");
        for item in downward.items.iter().flatten() {
            if let Some(field) = &item.field_ref {
                w.put(3, format_args!("{} -> {}\n", field.field_path, item.path));
            }
            if let Some(field) = &item.resource_field_ref {
                w.put(3, format_args!("{} -> {}\n", field.resource, item.path));
            }
        }
    } else if let Some(p) = &v.projected {
        projected(p, w);
    } else if let Some(csi) = &v.csi {
        w.put(2, "Type:\tCSI (a Container Storage Interface (CSI) volume source)\n");
        w.put(2, format_args!("Driver:\t{}\n", csi.driver));
        w.put(2, format_args!("FSType:\t{}\n", text(&csi.fs_type)));
        w.put(2, format_args!("ReadOnly:\t{}\n", csi.read_only.unwrap_or(false)));
        common::labels("    VolumeAttributes", csi.volume_attributes.as_ref(), w);
    } else if let Some(image) = &v.image {
        w.put(2, "Type:\tImage (a container image or OCI artifact)\n");
        w.put(2, format_args!("Reference:\t{}\n", text(&image.reference)));
        w.put(2, format_args!("PullPolicy:\t{}\n", text(&image.pull_policy)));
    } else {
        w.put(1, "<unknown>\n");
    }
}

fn projected(p: &ProjectedVolumeSource, w: &mut Writer) {
    let kind = "Projected (a volume that contains injected data from multiple sources)";
    w.put(2, format_args!("Type:\t{kind}\n"));
    for source in p.sources.iter().flatten() {
        if let Some(secret) = &source.secret {
            w.put(2, format_args!("SecretName:\t{}\n", secret.name));
            w.put(2, format_args!("Optional:\t{}\n", secret.optional.unwrap_or(false)));
        } else if source.downward_api.is_some() {
            w.put(2, "DownwardAPI:\ttrue\n");
        } else if let Some(config) = &source.config_map {
            w.put(2, format_args!("ConfigMapName:\t{}\n", config.name));
            w.put(2, format_args!("Optional:\t{}\n", config.optional.unwrap_or(false)));
        } else if let Some(token) = &source.service_account_token {
            let seconds = token.expiration_seconds.unwrap_or(0);
            w.put(2, format_args!("TokenExpirationSeconds:\t{seconds}\n"));
        }
    }
}
