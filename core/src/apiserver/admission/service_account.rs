//! ServiceAccount: every pod acts for one, and finds its token in a volume.
//!
//! Models `plugin/pkg/admission/serviceaccount`.

use k8s_openapi::api::core::v1::{
    ConfigMapProjection, DownwardAPIProjection, DownwardAPIVolumeFile, KeyToPath,
    ObjectFieldSelector, Pod, PodSpec, ProjectedVolumeSource, ServiceAccount,
    ServiceAccountTokenProjection, Volume, VolumeMount, VolumeProjection,
};

use super::Attributes;
use crate::api::{Object, Status, Typed, names};

/// Where containers find the token.
const MOUNT_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const VOLUME_PREFIX: &str = "kube-api-access-";
/// An hour and seven seconds: how the server recognises tokens that it made for pods.
const TOKEN_SECONDS: i64 = 3607;
/// The marker of pods that a kubelet shows for its static ones.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// Gives new pods an account and its token.
pub fn admit(attributes: &Attributes, object: &mut dyn Object) -> Result<(), Status> {
    if attributes.old.is_some() {
        return Ok(());
    }
    let Some(pod) = object.downcast_mut::<Pod>() else { return Ok(()) };
    let namespace = pod.metadata.namespace.clone().unwrap_or_default();
    let name = pod.metadata.name.clone().unwrap_or_default();
    let mirror = pod.metadata.annotations.as_ref().is_some_and(|a| a.contains_key(MIRROR));
    let Some(spec) = pod.spec.as_mut().filter(|_| !mirror) else { return Ok(()) };
    let account = spec.service_account_name.clone().filter(|n| !n.is_empty());
    let account = account.unwrap_or_else(|| "default".into());
    spec.service_account_name = Some(account.clone());
    spec.service_account = Some(account.clone());
    let store = attributes.api.store();
    let Some(found) = store.get(ServiceAccount::ID, &namespace, &account) else {
        let why = format!(
            "error looking up service account {namespace}/{account}: serviceaccount \"{account}\" \
             not found"
        );
        return Err(Status::forbidden(attributes.kind, &name, &why));
    };
    let Some(found) = found.downcast::<ServiceAccount>() else { return Ok(()) };
    let own = spec.automount_service_account_token;
    if own.or(found.automount_service_account_token).unwrap_or(true) {
        mount(attributes, spec);
    }
    if spec.image_pull_secrets.as_ref().is_none_or(Vec::is_empty) {
        spec.image_pull_secrets.clone_from(&found.image_pull_secrets);
    }
    Ok(())
}

/// Mounts the token into every container that has nothing else there.
fn mount(attributes: &Attributes, spec: &mut PodSpec) {
    let existing = spec.volumes.iter().flatten().map(|v| v.name.clone());
    let existing = existing.into_iter().find(|name| name.starts_with(VOLUME_PREFIX));
    let known = existing.is_some();
    let volume =
        existing.unwrap_or_else(|| names::generate_name(attributes.api.sim(), VOLUME_PREFIX));
    let mut needed = false;
    for c in spec.init_containers.iter_mut().flatten().chain(&mut spec.containers) {
        let mounts = c.volume_mounts.get_or_insert_default();
        if !mounts.iter().any(|m| m.mount_path == MOUNT_PATH) {
            needed = true;
            mounts.push(VolumeMount {
                mount_path: MOUNT_PATH.into(),
                name: volume.clone(),
                read_only: Some(true),
                ..Default::default()
            });
        }
    }
    if needed && !known {
        spec.volumes.get_or_insert_default().push(token_volume(volume));
    }
}

fn token_volume(name: String) -> Volume {
    let token = ServiceAccountTokenProjection {
        expiration_seconds: Some(TOKEN_SECONDS),
        path: "token".into(),
        ..Default::default()
    };
    let certificate = ConfigMapProjection {
        items: Some(vec![KeyToPath {
            key: "ca.crt".into(),
            path: "ca.crt".into(),
            ..Default::default()
        }]),
        name: "kube-root-ca.crt".into(),
        ..Default::default()
    };
    let namespace = DownwardAPIProjection {
        items: Some(vec![DownwardAPIVolumeFile {
            field_ref: Some(ObjectFieldSelector {
                api_version: Some("v1".into()),
                field_path: "metadata.namespace".into(),
            }),
            path: "namespace".into(),
            ..Default::default()
        }]),
    };
    let sources = vec![
        VolumeProjection { service_account_token: Some(token), ..Default::default() },
        VolumeProjection { config_map: Some(certificate), ..Default::default() },
        VolumeProjection { downward_api: Some(namespace), ..Default::default() },
    ];
    let projected = ProjectedVolumeSource { default_mode: Some(0o644), sources: Some(sources) };
    Volume { name, projected: Some(projected), ..Default::default() }
}
