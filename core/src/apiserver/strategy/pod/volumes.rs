//! What is wrong with volumes.
//!
//! Models `ValidateVolumes` and `validateVolumeSource`.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{DownwardAPIVolumeFile, KeyToPath, Volume, VolumeProjection};

use super::{
    containers::{descending, dns_label, field_ref, quoted},
    resources, sources,
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

/// All volumes. Yields those that containers can mount, by name.
pub fn check<'a>(
    volumes: &'a [Volume],
    at: &Path,
    errors: &mut Vec<FieldError>,
) -> BTreeMap<&'a str, &'a Volume> {
    let mut names = BTreeMap::new();
    for (i, volume) in volumes.iter().enumerate() {
        let at = at.index(i);
        let before = errors.len();
        source(volume, &at, errors);
        dns_label(&volume.name, &at.child("name"), errors);
        if names.contains_key(volume.name.as_str()) {
            errors.push(FieldError::duplicate(at.child("name"), quoted(&volume.name)));
        }
        if errors.len() == before {
            names.insert(volume.name.as_str(), volume);
        }
    }
    names
}

fn source(volume: &Volume, at: &Path, errors: &mut Vec<FieldError>) {
    let mut count = 0;
    for source in sources::ALL.iter().filter(|source| (source.is)(volume)) {
        // A further source is refused, the first is looked at.
        if count > 0 {
            let why = "may not specify more than 1 volume type";
            errors.push(FieldError::forbidden(at.child(source.field), why));
        } else {
            (source.check)(volume, &at.child(source.place), errors);
        }
        count += 1;
    }
    let bare = Volume { name: volume.name.clone(), ..Default::default() };
    if count == 0 && *volume == bare {
        errors.push(FieldError::required(at, "must specify a volume type"));
    }
}

pub(super) fn empty_dir(volume: &Volume, at: &Path, errors: &mut Vec<FieldError>) {
    let limit = volume.empty_dir.as_ref().and_then(|e| e.size_limit.as_ref()).map(Amount::of);
    if limit.is_some_and(Amount::is_negative) {
        let why = "SizeLimit field must be a valid resource quantity";
        errors.push(FieldError::forbidden(at.child("sizeLimit"), why));
    }
}

pub(super) fn host_path(volume: &Volume, at: &Path, errors: &mut Vec<FieldError>) {
    let Some(path) = &volume.host_path else { return };
    if path.path.is_empty() {
        errors.push(FieldError::required(at.child("path"), ""));
        return;
    }
    if path.path.split('/').any(|part| part == "..") {
        let why = "must not contain '..'";
        errors.push(FieldError::invalid_str(at.child("path"), &path.path, why));
    }
    let kind = path.type_.as_deref().unwrap_or_default();
    if !HOST_PATH_TYPES.contains(&kind) {
        errors.push(FieldError::not_supported(at.child("type"), kind, HOST_PATH_TYPES));
    }
}

pub(super) fn secret(volume: &Volume, at: &Path, errors: &mut Vec<FieldError>) {
    let Some(secret) = &volume.secret else { return };
    required(secret.secret_name.as_deref(), &at.child("secretName"), errors);
    mode(secret.default_mode, &at.child("defaultMode"), errors);
    items(secret.items.as_deref(), &at.child("items"), errors);
}

pub(super) fn nfs(volume: &Volume, at: &Path, errors: &mut Vec<FieldError>) {
    let Some(nfs) = &volume.nfs else { return };
    required(Some(&nfs.server), &at.child("server"), errors);
    required(Some(&nfs.path), &at.child("path"), errors);
    if !nfs.path.starts_with('/') {
        let why = "must be an absolute path";
        errors.push(FieldError::invalid_str(at.child("path"), &nfs.path, why));
    }
}

pub(super) fn persistent_volume_claim(volume: &Volume, at: &Path, errors: &mut Vec<FieldError>) {
    let claim = volume.persistent_volume_claim.as_ref().map(|c| c.claim_name.as_str());
    required(claim, &at.child("claimName"), errors);
}

pub(super) fn downward_api(volume: &Volume, at: &Path, errors: &mut Vec<FieldError>) {
    let Some(downward) = &volume.downward_api else { return };
    mode(downward.default_mode, &at.child("defaultMode"), errors);
    // Upstream's errors do not say which file it is.
    for file in downward.items.iter().flatten() {
        downward_file(file, at, errors);
    }
}

pub(super) fn config_map(volume: &Volume, at: &Path, errors: &mut Vec<FieldError>) {
    let Some(config) = &volume.config_map else { return };
    required(Some(&config.name), &at.child("name"), errors);
    mode(config.default_mode, &at.child("defaultMode"), errors);
    items(config.items.as_deref(), &at.child("items"), errors);
}

/// A text that must not be empty.
pub fn required(value: Option<&str>, at: &Path, errors: &mut Vec<FieldError>) {
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
    if path.starts_with("..") && !path.starts_with("../") {
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
                resources::divisor(resource, &at, errors);
            } else {
                resources::field_ref(resource, &at, errors);
            }
        }
        (None, None) => {
            errors
                .push(FieldError::required(at, "one of fieldRef and resourceFieldRef is required"));
        }
    }
    mode(file.mode, &at.child("mode"), errors);
}

pub(super) fn projected(volume: &Volume, at: &Path, errors: &mut Vec<FieldError>) {
    let Some(projected) = &volume.projected else { return };
    mode(projected.default_mode, &at.child("defaultMode"), errors);
    let mut paths = BTreeSet::new();
    let sources = at.child("sources");
    for (i, source) in projected.sources.iter().flatten().enumerate() {
        projection(source, (at, &sources.index(i)), &mut paths, errors);
    }
}

/// Files of a projected volume have different names. `shown` is what the error names.
fn unique<'a>(
    path: &'a str,
    shown: &str,
    paths: &mut BTreeSet<&'a str>,
    at: &Path,
    errors: &mut Vec<FieldError>,
) {
    if !path.is_empty() && !paths.insert(path) {
        errors.push(FieldError::invalid_str(at, shown, "conflicting duplicate paths"));
    }
}

/// One source; `volume` is where the volume's projection is, `at` where the source is.
fn projection<'a>(
    source: &'a VolumeProjection,
    (volume, at): (&Path, &Path),
    paths: &mut BTreeSet<&'a str>,
    errors: &mut Vec<FieldError>,
) {
    let mut count = 0;
    let named = [
        ("secret", source.secret.as_ref().map(|s| (&s.name, &s.items))),
        ("configMap", source.config_map.as_ref().map(|c| (&c.name, &c.items))),
    ];
    for (field, own) in named {
        let Some((name, list)) = own else { continue };
        count += 1;
        let at = at.child(field);
        required(Some(name), &at.child("name"), errors);
        items(list.as_deref(), &at.child("items"), errors);
        for item in list.iter().flatten() {
            unique(&item.path, name, paths, volume, errors);
        }
    }
    if let Some(downward) = &source.downward_api {
        count += 1;
        for file in downward.items.iter().flatten() {
            downward_file(file, &at.child("downwardAPI"), errors);
            unique(&file.path, &file.path, paths, volume, errors);
        }
    }
    if let Some(token) = &source.service_account_token {
        count += 1;
        let at = at.child("serviceAccountToken");
        let seconds = token.expiration_seconds.unwrap_or(3_600);
        let why = match seconds {
            ..600 => Some("may not specify a duration less than 10 minutes"),
            s if s > 1 << 32 => Some("may not specify a duration larger than 2^32 seconds"),
            _ => None,
        };
        if let Some(why) = why {
            errors.push(FieldError::invalid(at.child("expirationSeconds"), seconds, why));
        }
        match token.path.as_str() {
            "" => errors.push(FieldError::required(volume.child("path"), "")),
            path => local_path(path, &volume.child("path"), errors),
        }
    }
    if let Some(bundle) = &source.cluster_trust_bundle {
        count += 1;
        let at = at.child("clusterTrustBundle");
        if bundle.name.is_none() && bundle.signer_name.is_none() {
            let why = "either name or signerName must be specified";
            errors.push(FieldError::required(at, why));
        }
        required(Some(&bundle.path), &at.child("path"), errors);
        local_path(&bundle.path, &at.child("path"), errors);
        unique(&bundle.path, &bundle.path, paths, volume, errors);
    }
    if count > 1 {
        let why = "may not specify more than 1 volume type per source";
        errors.push(FieldError::forbidden(at, why));
    }
}
