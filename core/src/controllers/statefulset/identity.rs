//! Who a pod of a StatefulSet is: its ordinal, name, labels, and the claims that are its own.
//!
//! Models `pkg/controller/statefulset/stateful_set_utils.go`.

use k8s_openapi::{
    api::{
        apps::v1::{ControllerRevision, StatefulSet, StatefulSetSpec},
        core::v1::{
            PersistentVolumeClaim, PersistentVolumeClaimVolumeSource, Pod, PodTemplateSpec, Volume,
        },
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};

use crate::{
    api::{
        KindTable, Object,
        meta::{controller_ref, label},
        object::from_value,
    },
    controllers::{history::HASH_LABEL, pods},
};

const POD_NAME_LABEL: &str = "statefulset.kubernetes.io/pod-name";
const INDEX_LABEL: &str = "apps.kubernetes.io/pod-index";

/// The ordinal of the first pod.
pub fn start(spec: &StatefulSetSpec) -> i64 {
    i64::from(spec.ordinals.as_ref().and_then(|o| o.start).unwrap_or(0).max(0))
}

/// How many pods are wanted.
pub fn wanted(spec: &StatefulSetSpec) -> i64 {
    i64::from(spec.replicas.unwrap_or(1).max(0))
}

/// The set's name and the ordinal in a pod's name.
pub fn parent_and_ordinal(pod: &str) -> Option<(&str, i64)> {
    let (parent, ordinal) = pod.rsplit_once('-')?;
    let is_number = !ordinal.is_empty() && ordinal.bytes().all(|b| b.is_ascii_digit());
    let ordinal = ordinal.parse().ok().filter(|_| is_number)?;
    Some((parent, ordinal))
}

/// A pod's ordinal.
pub fn ordinal(pod: &Pod) -> Option<i64> {
    parent_and_ordinal((pod as &dyn Object).name()).map(|(_, ordinal)| ordinal)
}

/// The revision that a pod was made from.
pub fn revision(pod: &Pod) -> &str {
    label(&pod.metadata, HASH_LABEL).unwrap_or_default()
}

/// The template that a revision holds.
pub fn template(revision: &ControllerRevision) -> Option<PodTemplateSpec> {
    let mut template = revision.data.as_ref()?.0.get("spec")?.get("template")?.clone();
    template.as_object_mut()?.remove("$patch");
    from_value(template).ok()
}

/// A new pod of the set.
pub fn pod(
    kinds: &KindTable,
    set: &StatefulSet,
    template: &PodTemplateSpec,
    revision: &str,
    ordinal: i64,
) -> Pod {
    let owner: &dyn Object = set;
    let reference = controller_ref(kinds, owner);
    let mut pod = pods::from_template(template, owner.namespace(), owner.name(), reference);
    correct_identity(set, ordinal, &mut pod);
    let labels = pod.metadata.labels.get_or_insert_default();
    labels.insert(HASH_LABEL.into(), revision.to_string());
    let name = pod.metadata.name.clone();
    let spec = pod.spec.get_or_insert_default();
    spec.hostname = name;
    spec.subdomain = set.spec.as_ref().and_then(|s| s.service_name.clone());
    correct_storage(set, ordinal, &mut pod);
    pod
}

fn pod_name(set: &StatefulSet, ordinal: i64) -> String {
    format!("{}-{ordinal}", (set as &dyn Object).name())
}

/// Whether the pod has the name and labels of its ordinal.
pub fn identity_matches(set: &StatefulSet, ordinal: i64, pod: &Pod) -> bool {
    let name = pod_name(set, ordinal);
    pod.metadata.name.as_ref() == Some(&name)
        && label(&pod.metadata, POD_NAME_LABEL) == Some(name.as_str())
        && label(&pod.metadata, INDEX_LABEL).is_some()
}

/// Gives the pod the name and labels of its ordinal.
pub fn correct_identity(set: &StatefulSet, ordinal: i64, pod: &mut Pod) {
    let name = pod_name(set, ordinal);
    let labels = pod.metadata.labels.get_or_insert_default();
    labels.insert(POD_NAME_LABEL.into(), name.clone());
    labels.insert(INDEX_LABEL.into(), ordinal.to_string());
    pod.metadata.name = Some(name);
}

fn templates(set: &StatefulSet) -> &[PersistentVolumeClaim] {
    set.spec.as_ref().and_then(|s| s.volume_claim_templates.as_deref()).unwrap_or_default()
}

/// The claims of one ordinal, each with its template's name.
pub fn claims(set: &StatefulSet, ordinal: i64) -> Vec<(String, PersistentVolumeClaim)> {
    let owner: &dyn Object = set;
    let selector = set.spec.as_ref().and_then(|s| s.selector.match_labels.clone());
    let make = |template: &PersistentVolumeClaim| {
        let own = template.metadata.name.clone().unwrap_or_default();
        let mut labels = template.metadata.labels.clone().unwrap_or_default();
        labels.extend(selector.clone().unwrap_or_default());
        let claim = PersistentVolumeClaim {
            metadata: ObjectMeta {
                name: Some(format!("{own}-{}-{ordinal}", owner.name())),
                namespace: Some(owner.namespace().to_string()),
                labels: (!labels.is_empty()).then_some(labels),
                annotations: template.metadata.annotations.clone(),
                finalizers: template.metadata.finalizers.clone(),
                ..Default::default()
            },
            spec: template.spec.clone(),
            status: None,
        };
        (own, claim)
    };
    templates(set).iter().map(make).collect()
}

/// Whether the pod's volumes are the claims of its ordinal.
pub fn storage_matches(set: &StatefulSet, ordinal: i64, pod: &Pod) -> bool {
    let volumes = pod.spec.as_ref().and_then(|s| s.volumes.as_deref()).unwrap_or_default();
    claims(set, ordinal).iter().all(|(name, claim)| {
        let volume = volumes.iter().find(|v| v.name == *name);
        let used = volume.and_then(|v| v.persistent_volume_claim.as_ref());
        used.is_some_and(|u| Some(&u.claim_name) == claim.metadata.name.as_ref())
    })
}

/// Makes the pod's volumes the claims of its ordinal.
pub fn correct_storage(set: &StatefulSet, ordinal: i64, pod: &mut Pod) {
    let claims = claims(set, ordinal);
    if claims.is_empty() {
        return;
    }
    let volumes = pod.spec.get_or_insert_default().volumes.get_or_insert_default();
    volumes.retain(|v| !claims.iter().any(|(name, _)| *name == v.name));
    let own = claims.into_iter().map(|(name, claim)| Volume {
        name,
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name: claim.metadata.name.unwrap_or_default(),
            read_only: None,
        }),
        ..Default::default()
    });
    volumes.splice(0..0, own);
}

fn deletes(set: &StatefulSet, scaled: bool) -> bool {
    let retention =
        set.spec.as_ref().and_then(|s| s.persistent_volume_claim_retention_policy.as_ref());
    let policy = retention.and_then(|r| match scaled {
        true => r.when_scaled.as_deref(),
        false => r.when_deleted.as_deref(),
    });
    policy == Some("Delete")
}

/// The owners that a claim should have, as the set's retention policy says: others stay as they
/// are. `pod` is the claim's pod, where it exists. `None` where nothing has to change.
/// Models `isClaimOwnerUpToDate` and `updateClaimOwnerRefForSetAndPod`.
pub fn claim_owners(
    kinds: &KindTable,
    set: &StatefulSet,
    ordinal: i64,
    pod: Option<&Pod>,
    claim: &PersistentVolumeClaim,
) -> Option<Vec<OwnerReference>> {
    let spec = set.spec.as_ref()?;
    let first = start(spec);
    let condemned = ordinal < first || ordinal >= first + wanted(spec);
    let by_pod = deletes(set, true) && condemned;
    let by_set = deletes(set, false) && !by_pod;
    let owner: &dyn Object = set;
    let old = claim.metadata.owner_references.clone().unwrap_or_default();
    let mut new: Vec<_> = old
        .iter()
        .filter(|o| {
            let own_set = o.kind == "StatefulSet" && o.name == owner.name();
            let own_pod = o.kind == "Pod" && o.name == pod_name(set, ordinal);
            !own_set && !own_pod
        })
        .cloned()
        .collect();
    if by_set {
        new.push(controller_ref(kinds, owner));
    }
    if let Some(pod) = pod.filter(|p| by_pod && p.metadata.uid.is_some()) {
        new.push(controller_ref(kinds, pod));
    }
    (new != old).then_some(new)
}
