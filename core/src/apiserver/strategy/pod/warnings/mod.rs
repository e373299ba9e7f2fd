//! What is allowed in pods and templates, but probably not meant.
//!
//! Models `pkg/api/pod/warnings.go` and `pkg/api/node/util.go`.

mod containers;
mod paths;

use std::collections::BTreeSet;

use k8s_openapi::{
    api::core::v1::{
        Affinity, NodeSelectorTerm, PodAffinityTerm, PodSpec, PodTemplateSpec, Volume,
        WeightedPodAffinityTerm,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use crate::{
    api::{Path, gofmt::quote, meta::annotation, quantity::Amount},
    apiserver::strategy::{NameRule, metadata::name_error, persistentvolumeclaim},
};

/// Labels of nodes that have newer names.
const OLD_LABELS: &[(&str, &str)] = &[
    ("app.kubernetes.io/created-by", "deprecated since v1.9"),
    ("beta.kubernetes.io/arch", "deprecated since v1.14; use \"kubernetes.io/arch\" instead"),
    (
        "beta.kubernetes.io/instance-type",
        "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead",
    ),
    ("beta.kubernetes.io/os", "deprecated since v1.14; use \"kubernetes.io/os\" instead"),
    (
        "failure-domain.beta.kubernetes.io/region",
        "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead",
    ),
    (
        "failure-domain.beta.kubernetes.io/zone",
        "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead",
    ),
    ("node-role.kubernetes.io/master", "use \"node-role.kubernetes.io/control-plane\" instead"),
    (
        "scheduler.alpha.kubernetes.io/preferAvoidPods",
        "deprecated since v1.22; use Taints and Tolerations instead",
    ),
];

/// Annotations of pods that fields have replaced.
const OLD_ANNOTATIONS: &[(&str, &str)] = &[
    (
        "scheduler.alpha.kubernetes.io/critical-pod",
        "non-functional in v1.16+; use the \"priorityClassName\" field instead",
    ),
    (
        "security.alpha.kubernetes.io/sysctls",
        "non-functional in v1.11+; use the \"sysctls\" field instead",
    ),
    (
        "security.alpha.kubernetes.io/unsafe-sysctls",
        "non-functional in v1.11+; use the \"sysctls\" field instead",
    ),
];

const SECCOMP: &str = "seccomp.security.alpha.kubernetes.io/pod";
const NO_SELECTOR: &str = "a null labelSelector results in matching no pod";

/// What is said of a label of nodes that has a newer name.
pub fn old_label(key: &str) -> Option<&'static str> {
    OLD_LABELS.iter().find(|(label, _)| *label == key).map(|(_, why)| *why)
}

/// Names that pods can't have as their host's name; `used` says what the name is used for.
pub fn name(meta: &ObjectMeta, used: &str) -> Option<String> {
    let why = name_error(NameRule::Label, meta.name.as_deref().unwrap_or_default())?;
    Some(format!(
        "metadata.name: this is used in {used}, which can result in surprising behavior; a DNS \
         label is recommended: [{why}]"
    ))
}

/// Of a template at `at`.
pub fn template_warnings(template: &PodTemplateSpec, at: &Path) -> Vec<String> {
    let none = ObjectMeta::default();
    let meta = template.metadata.as_ref().unwrap_or(&none);
    let spec = template.spec.as_ref();
    spec.map(|s| of_spec(s, meta, (&at.child("spec"), &at.child("metadata"), true)))
        .unwrap_or_default()
}

/// Of a pod's spec and metadata, where they are, and whether they are a template's.
pub fn of_spec(spec: &PodSpec, meta: &ObjectMeta, place: (&Path, &Path, bool)) -> Vec<String> {
    let (at, meta_at, _) = place;
    let mut out = Vec::new();
    labels(spec, at, &mut out);
    let annotations_at = meta_at.child("annotations");
    for (key, why) in OLD_ANNOTATIONS {
        if annotation(meta, key).is_some() {
            out.push(format!("{}: {why}", annotations_at.key(key)));
        }
    }
    let volumes_at = at.child("volumes");
    let volumes = spec.volumes.as_deref().unwrap_or_default();
    for (i, volume) in volumes.iter().enumerate() {
        old_volume(volume, &volumes_at.index(i), &mut out);
    }
    paths::overlapping(volumes, &mut out);
    twice(spec, at, &mut out);
    let overhead_at = at.child("overhead");
    for name in ["memory", "ephemeral-storage"] {
        let amount = spec.overhead.as_ref().and_then(|o| o.get(name)).map(Amount::of);
        fraction(amount, &overhead_at.key(name), &mut out);
    }
    let context = spec.security_context.as_ref();
    let profiled = context.is_some_and(|c| c.seccomp_profile.is_some());
    if !profiled && annotation(meta, SECCOMP).is_some() {
        let why = "non-functional in v1.27+; use the \"seccompProfile\" field instead";
        out.push(format!("{}: {why}", annotations_at.key(SECCOMP)));
    }
    containers::check(spec, meta, place, &mut out);
    if spec.termination_grace_period_seconds.is_some_and(|s| s < 0) {
        let at = at.child("terminationGracePeriodSeconds");
        out.push(format!(
            "{at}: must be >= 0; negative values are invalid and will be treated as 1"
        ));
    }
    if let Some(affinity) = &spec.affinity {
        pod_affinity(affinity, &at.child("affinity"), &mut out);
    }
    out
}

/// Amounts of bytes are whole.
fn fraction(amount: Option<Amount>, at: &Path, out: &mut Vec<String>) {
    if let Some(amount) = amount.filter(|a| !a.is_whole()) {
        out.push(format!(
            "{at}: fractional byte value \"{amount}\" is invalid, must be an integer"
        ));
    }
}

fn labels(spec: &PodSpec, at: &Path, out: &mut Vec<String>) {
    let selector = at.child("nodeSelector");
    for key in spec.node_selector.iter().flatten().map(|(key, _)| key) {
        if let Some(why) = old_label(key) {
            out.push(format!("{}: {why}", selector.key(key)));
        }
    }
    let affinity = spec.affinity.as_ref().and_then(|a| a.node_affinity.as_ref());
    if let Some(affinity) = affinity {
        let at = at.child("affinity");
        let at = at.child("nodeAffinity");
        let required = affinity.required_during_scheduling_ignored_during_execution.as_ref();
        let terms_at = at.child("requiredDuringSchedulingIgnoredDuringExecution");
        let terms_at = terms_at.child("nodeSelectorTerms");
        for (i, term) in required.iter().flat_map(|r| &r.node_selector_terms).enumerate() {
            node_term(term, &terms_at.index(i), out);
        }
        let at = at.child("preferredDuringSchedulingIgnoredDuringExecution");
        let preferred = affinity.preferred_during_scheduling_ignored_during_execution.as_ref();
        for (i, term) in preferred.into_iter().flatten().enumerate() {
            node_term(&term.preference, &at.index(i).child("preference"), out);
        }
    }
    let spread = at.child("topologySpreadConstraints");
    for (i, one) in spec.topology_spread_constraints.iter().flatten().enumerate() {
        let at = spread.index(i);
        if let Some(why) = old_label(&one.topology_key) {
            out.push(format!("{}: {} is {why}", at.child("topologyKey"), one.topology_key));
        }
        if one.label_selector.is_none() {
            out.push(format!("{}: {NO_SELECTOR}", at.child("labelSelector")));
        }
    }
}

/// Labels that a term asks for.
pub fn node_term(term: &NodeSelectorTerm, at: &Path, out: &mut Vec<String>) {
    let at = at.child("matchExpressions");
    for (i, expression) in term.match_expressions.iter().flatten().enumerate() {
        if let Some(why) = old_label(&expression.key) {
            out.push(format!("{}: {} is {why}", at.index(i).child("key"), expression.key));
        }
    }
}

fn old_volume(volume: &Volume, at: &Path, out: &mut Vec<String>) {
    for (field, there, why) in [
        (
            "photonPersistentDisk",
            volume.photon_persistent_disk.is_some(),
            "deprecated in v1.11, non-functional in v1.16+",
        ),
        (
            "gitRepo",
            volume.git_repo.is_some(),
            "deprecated in v1.11, and disabled by default in v1.33+",
        ),
        ("scaleIO", volume.scale_io.is_some(), "deprecated in v1.16, non-functional in v1.22+"),
        ("flocker", volume.flocker.is_some(), "deprecated in v1.22, non-functional in v1.25+"),
        ("storageOS", volume.storageos.is_some(), "deprecated in v1.22, non-functional in v1.25+"),
        ("quobyte", volume.quobyte.is_some(), "deprecated in v1.22, non-functional in v1.25+"),
        ("glusterfs", volume.glusterfs.is_some(), "deprecated in v1.25, non-functional in v1.26+"),
    ] {
        if there {
            out.push(format!("{}: {why}", at.child(field)));
        }
    }
    let template = volume.ephemeral.as_ref().and_then(|e| e.volume_claim_template.as_ref());
    if let Some(template) = template {
        let at = at.child("ephemeral");
        let at = at.child("volumeClaimTemplate");
        out.extend(persistentvolumeclaim::spec_warnings(&template.spec, &at.child("spec")));
    }
    for (field, there) in [("cephfs", volume.cephfs.is_some()), ("rbd", volume.rbd.is_some())] {
        if there {
            out.push(format!("{}: deprecated in v1.28, non-functional in v1.31+", at.child(field)));
        }
    }
}

/// Entries of lists that are known by a field which others have as well.
fn twice(spec: &PodSpec, at: &Path, out: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    let aliases = at.child("hostAliases");
    for (i, alias) in spec.host_aliases.iter().flatten().enumerate() {
        if !seen.insert(alias.ip.as_str()) {
            let ip = quote(&alias.ip);
            out.push(format!("{}: duplicate ip {ip}", aliases.index(i).child("ip")));
        }
    }
    let secrets = at.child("imagePullSecrets");
    let names: Vec<_> = spec.image_pull_secrets.iter().flatten().map(|s| s.name.as_str()).collect();
    let mut seen = BTreeSet::new();
    for (i, name) in names.iter().enumerate().filter(|(_, name)| !seen.insert(**name)) {
        let at = secrets.index(i);
        out.push(format!("{}: duplicate name {}", at.child("name"), quote(name)));
    }
    for (i, _) in names.iter().enumerate().filter(|(_, name)| name.is_empty()) {
        out.push(format!("{}: invalid empty name \"\"", secrets.index(i).child("name")));
    }
}

fn pod_affinity(affinity: &Affinity, at: &Path, out: &mut Vec<String>) {
    type Terms<'a> = (&'a Option<Vec<PodAffinityTerm>>, &'a Option<Vec<WeightedPodAffinityTerm>>);
    let near = affinity.pod_affinity.as_ref().map(|a| {
        let required = &a.required_during_scheduling_ignored_during_execution;
        (required, &a.preferred_during_scheduling_ignored_during_execution)
    });
    let far = affinity.pod_anti_affinity.as_ref().map(|a| {
        let required = &a.required_during_scheduling_ignored_during_execution;
        (required, &a.preferred_during_scheduling_ignored_during_execution)
    });
    let both: [(&str, Option<Terms>); 2] = [("podAffinity", near), ("podAntiAffinity", far)];
    for (field, terms) in both {
        let Some((required, preferred)) = terms else { continue };
        let at = at.child(field);
        let required_at = at.child("requiredDuringSchedulingIgnoredDuringExecution");
        for (i, term) in required.iter().flatten().enumerate() {
            if term.label_selector.is_none() {
                out.push(format!("{}: {NO_SELECTOR}", required_at.index(i).child("labelSelector")));
            }
        }
        let at = at.child("preferredDuringSchedulingIgnoredDuringExecution");
        for (i, term) in preferred.iter().flatten().enumerate() {
            if term.pod_affinity_term.label_selector.is_none() {
                let at = at.index(i);
                let at = at.child("podAffinityTerm");
                out.push(format!("{}: {NO_SELECTOR}", at.child("labelSelector")));
            }
        }
    }
}
