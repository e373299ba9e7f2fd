//! What is wrong with volumes.
//!
//! Models `ValidateVolumes` and `validateVolumeSource`.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{
    DownwardAPIVolumeFile, KeyToPath, ProjectedVolumeSource, Volume, VolumeProjection,
};

use super::{
    containers::{descending, dns_label, field_ref, quoted},
    resources,
};
use crate::api::{FieldError, Path, quantity::Amount};

const DOWNWARD_FIELDS: &[&str] = &[
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
];
const HOST_PATH_TYPES: &[&str] = &[
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
];

/// All volumes. Yields the names of those that containers can mount.
pub fn check<'a>(
    volumes: &'a [Volume],
    at: &Path,
    errors: &mut Vec<FieldError>,
) -> BTreeSet<&'a str> {
    let mut names = BTreeSet::new();
    for (i, volume) in volumes.iter().enumerate() {
        let at = at.index(i);
        let before = errors.len();
        source(volume, &at, errors);
        dns_label(&volume.name, &at.child("name"), errors);
        if names.contains(volume.name.as_str()) {
            errors.push(FieldError::duplicate(at.child("name"), quoted(&volume.name)));
        }
        if errors.len() == before {
            names.insert(volume.name.as_str());
        }
    }
    names
}

fn source(volume: &Volume, at: &Path, errors: &mut Vec<FieldError>) {
    let mut count = 0;
    // The field of a further source is refused, that of the first is looked at.
    let mut first = |field: &str, is: bool, errors: &mut Vec<FieldError>| {
        if is && count > 0 {
            let why = "may not specify more than 1 volume type";
            errors.push(FieldError::forbidden(at.child(field), why));
        }
        let looked_at = is && count == 0;
        count += usize::from(is);
        looked_at
    };
    if first("emptyDir", volume.empty_dir.is_some(), errors) {
        let limit = volume.empty_dir.as_ref().and_then(|e| e.size_limit.as_ref()).map(Amount::of);
        if limit.is_some_and(Amount::is_negative) {
            let at = at.child("emptyDir");
            let why = "SizeLimit field must be a valid resource quantity";
            errors.push(FieldError::forbidden(at.child("sizeLimit"), why));
        }
    }
    if first("hostPath", volume.host_path.is_some(), errors) {
        let at = at.child("hostPath");
        let path = volume.host_path.as_ref();
        required(path.map(|p| p.path.as_str()), &at.child("path"), errors);
        if let Some(p) = path {
            if p.path.split('/').any(|part| part == "..") {
                errors.push(FieldError::invalid_str(
                    at.child("path"),
                    &p.path,
                    "must not contain '..'",
                ));
            }
            let kind = p.type_.as_deref().unwrap_or_default();
            if !HOST_PATH_TYPES.contains(&kind) {
                errors.push(FieldError::not_supported(at.child("type"), kind, HOST_PATH_TYPES));
            }
        }
    }
    if first("secret", volume.secret.is_some(), errors) {
        let (at, secret) = (at.child("secret"), volume.secret.as_ref());
        required(secret.and_then(|s| s.secret_name.as_deref()), &at.child("secretName"), errors);
        mode(secret.and_then(|s| s.default_mode), &at.child("defaultMode"), errors);
        items(secret.and_then(|s| s.items.as_deref()), &at.child("items"), errors);
    }
    if first("nfs", volume.nfs.is_some(), errors) {
        let at = at.child("nfs");
        required(volume.nfs.as_ref().map(|n| n.server.as_str()), &at.child("server"), errors);
        required(volume.nfs.as_ref().map(|n| n.path.as_str()), &at.child("path"), errors);
    }
    if first("persistentVolumeClaim", volume.persistent_volume_claim.is_some(), errors) {
        let at = at.child("persistentVolumeClaim");
        let claim = volume.persistent_volume_claim.as_ref().map(|c| c.claim_name.as_str());
        required(claim, &at.child("claimName"), errors);
    }
    if first("downwardAPI", volume.downward_api.is_some(), errors) {
        let (at, downward) = (at.child("downwardAPI"), volume.downward_api.as_ref());
        mode(downward.and_then(|d| d.default_mode), &at.child("defaultMode"), errors);
        for (i, file) in downward.iter().flat_map(|d| &d.items).flatten().enumerate() {
            let at = at.child("items");
            downward_file(file, &at.index(i), errors);
        }
    }
    if first("configMap", volume.config_map.is_some(), errors) {
        let (at, config) = (at.child("configMap"), volume.config_map.as_ref());
        required(config.map(|c| c.name.as_str()), &at.child("name"), errors);
        mode(config.and_then(|c| c.default_mode), &at.child("defaultMode"), errors);
        items(config.and_then(|c| c.items.as_deref()), &at.child("items"), errors);
    }
    if first("projected", volume.projected.is_some(), errors) {
        if let Some(p) = &volume.projected {
            projected(p, &at.child("projected"), errors);
        }
    }
    let bare = Volume { name: volume.name.clone(), ..Default::default() };
    if count == 0 && *volume == bare {
        errors.push(FieldError::required(at, "must specify a volume type"));
    }
}

fn required(value: Option<&str>, at: &Path, errors: &mut Vec<FieldError>) {
    if value.is_none_or(str::is_empty) {
        errors.push(FieldError::required(at, ""));
    }
}

fn mode(value: Option<i32>, at: &Path, errors: &mut Vec<FieldError>) {
    if let Some(mode) = value.filter(|m| !(0..=0o777).contains(m)) {
        let why = "must be a number between 0 and 0777 (octal), both inclusive";
        errors.push(FieldError::invalid(at, mode, why));
    }
}

fn items(items: Option<&[KeyToPath]>, at: &Path, errors: &mut Vec<FieldError>) {
    for (i, item) in items.into_iter().flatten().enumerate() {
        let at = at.index(i);
        required(Some(&item.key), &at.child("key"), errors);
        required(Some(&item.path), &at.child("path"), errors);
        local_path(&item.path, &at.child("path"), errors);
        mode(item.mode, &at.child("mode"), errors);
    }
}

/// Files of a volume can't be called as its own links are (`..data`).
fn local_path(path: &str, at: &Path, errors: &mut Vec<FieldError>) {
    descending(path, at, errors);
    if path.starts_with("..") && !path.starts_with("../") && path != ".." {
        errors.push(FieldError::invalid_str(at, path, "must not start with '..'"));
    }
}

fn downward_file(file: &DownwardAPIVolumeFile, at: &Path, errors: &mut Vec<FieldError>) {
    required(Some(&file.path), &at.child("path"), errors);
    local_path(&file.path, &at.child("path"), errors);
    match (&file.field_ref, &file.resource_field_ref) {
        (Some(_), Some(_)) => {
            let why = "fieldRef and resourceFieldRef can not be specified simultaneously";
            errors.push(FieldError::invalid_str(at, "resource", why));
        }
        (Some(field), None) => {
            field_ref(field, DOWNWARD_FIELDS, true, &at.child("fieldRef"), errors);
        }
        (None, Some(resource)) => {
            let at = at.child("resourceFieldRef");
            if resource.container_name.as_deref().is_none_or(str::is_empty) {
                errors.push(FieldError::required(at.child("containerName"), ""));
            }
            resources::field_ref(resource, &at, errors);
        }
        (None, None) => {
            errors
                .push(FieldError::required(at, "one of fieldRef and resourceFieldRef is required"));
        }
    }
    mode(file.mode, &at.child("mode"), errors);
}

fn projected(p: &ProjectedVolumeSource, at: &Path, errors: &mut Vec<FieldError>) {
    mode(p.default_mode, &at.child("defaultMode"), errors);
    let at = at.child("sources");
    for (i, source) in p.sources.iter().flatten().enumerate() {
        projection(source, &at.index(i), errors);
    }
}

fn projection(source: &VolumeProjection, at: &Path, errors: &mut Vec<FieldError>) {
    if let Some(secret) = &source.secret {
        let at = at.child("secret");
        required(Some(&secret.name), &at.child("name"), errors);
        items(secret.items.as_deref(), &at.child("items"), errors);
    }
    if let Some(config) = &source.config_map {
        let at = at.child("configMap");
        required(Some(&config.name), &at.child("name"), errors);
        items(config.items.as_deref(), &at.child("items"), errors);
    }
    for (i, file) in source.downward_api.iter().flat_map(|d| &d.items).flatten().enumerate() {
        let at = at.child("downwardAPI");
        let at = at.child("items");
        downward_file(file, &at.index(i), errors);
    }
    if let Some(token) = &source.service_account_token {
        let at = at.child("serviceAccountToken");
        required(Some(&token.path), &at.child("path"), errors);
        if token.expiration_seconds.is_some_and(|s| s < 600) {
            let seconds = token.expiration_seconds.unwrap_or_default();
            let why = "may not specify a duration less than 10 minutes";
            errors.push(FieldError::invalid(at.child("expirationSeconds"), seconds, why));
        }
    }
}
