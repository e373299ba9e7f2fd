//! Files of volumes that lie on or in each other. Models `warningsForOverlappingVirtualPaths`.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{
    DownwardAPIVolumeFile, KeyToPath, ProjectedVolumeSource, Volume, VolumeProjection,
};

use crate::api::gofmt::quote;

/// Of all volumes.
pub fn overlapping(volumes: &[Volume], out: &mut Vec<String>) {
    for volume in volumes {
        let name = quote(&volume.name);
        if let Some(items) = volume.config_map.as_ref().and_then(|c| c.items.as_ref()) {
            let of = volume.config_map.as_ref().map(|c| quote(&c.name)).unwrap_or_default();
            let what = format!("volume {name} (ConfigMap {of}): overlapping paths");
            check(&keys(items), &what, out);
        }
        if let Some(items) = volume.secret.as_ref().and_then(|s| s.items.as_ref()) {
            let of = volume.secret.as_ref().and_then(|s| s.secret_name.clone());
            let of = quote(&of.unwrap_or_default());
            check(&keys(items), &format!("volume {name} (Secret {of}): overlapping paths"), out);
        }
        if let Some(items) = volume.downward_api.as_ref().and_then(|d| d.items.as_ref()) {
            let what = format!("volume {name} (DownwardAPI): overlapping paths");
            check(&files(items), &what, out);
        }
        if let Some(all) = &volume.projected {
            projected(all, &name, out);
        }
    }
}

fn keys(items: &[KeyToPath]) -> Vec<&str> {
    items.iter().map(|i| i.path.as_str()).collect()
}

fn files(items: &[DownwardAPIVolumeFile]) -> Vec<&str> {
    items.iter().map(|i| i.path.as_str()).collect()
}

/// A source's files, and what it is called.
fn source(source: &VolumeProjection) -> (Vec<&str>, String) {
    if let Some(c) = source.config_map.as_ref().filter(|c| c.items.is_some()) {
        let of = quote(&c.name);
        return (c.items.as_deref().map(keys).unwrap_or_default(), format!("ConfigMap {of}"));
    }
    if let Some(s) = source.secret.as_ref().filter(|s| s.items.is_some()) {
        let of = quote(&s.name);
        return (s.items.as_deref().map(keys).unwrap_or_default(), format!("Secret {of}"));
    }
    if let Some(d) = source.downward_api.as_ref().filter(|d| d.items.is_some()) {
        return (d.items.as_deref().map(files).unwrap_or_default(), "DownwardAPI".into());
    }
    if let Some(token) = &source.service_account_token {
        return (vec![&token.path], "ServiceAccountToken".into());
    }
    if let Some(bundle) = &source.cluster_trust_bundle {
        let of = bundle.name.as_ref().or(bundle.signer_name.as_ref()).cloned().unwrap_or_default();
        return (vec![&bundle.path], format!("ClusterTrustBundle {}", quote(&of)));
    }
    (Vec::new(), String::new())
}

fn projected(all: &ProjectedVolumeSource, name: &str, out: &mut Vec<String>) {
    let mut before: BTreeSet<&str> = BTreeSet::new();
    for one in all.sources.iter().flatten() {
        if *one == VolumeProjection::default() {
            out.push(format!("volume {name} (Projected) has no sources provided"));
            continue;
        }
        let (paths, what) = source(one);
        if paths.is_empty() {
            continue;
        }
        let what = format!("volume {name} (Projected {what}): overlapping paths");
        check(&paths, &what, out);
        let own: BTreeSet<&str> = paths.into_iter().collect();
        let mut both: Vec<&str> = own.iter().chain(&before).copied().collect();
        both.sort_unstable();
        check(&both, &what, out);
        before.extend(own);
    }
}

fn check(paths: &[&str], what: &str, out: &mut Vec<String>) {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for path in paths {
        let path = path.trim_end_matches('/');
        let hit = seen.iter().find(|other| overlap(other, path));
        if let Some(other) = hit {
            out.push(format!("{what}: {} with {}", quote(path), quote(other)));
        }
        seen.insert(path);
    }
}

/// Whether one is the other, or holds it; upstream takes what begins alike for the same.
fn overlap(a: &str, b: &str) -> bool {
    let within = |a: &str, b: &str| format!("{a}/").starts_with(b);
    !a.is_empty() && !b.is_empty() && (a == b || within(a, b) || within(b, a))
}
