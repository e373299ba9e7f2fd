//! Where labels, annotations, replicas and references to names are, by kind.
//! Models `kustomize/api/internal/konfig/builtinpluginconsts` and `kyaml/filters/fieldspec`.

use serde_json::{Map, Value};

use super::resource::Res;

/// A place: kind (empty: any), group (empty: any), path, whether it is made where it is not there.
pub(super) type Spec = (&'static str, &'static str, &'static str, bool);

/// Labels of templates.
pub(super) const TEMPLATE_LABELS: &[Spec] = &[
    ("ReplicationController", "", "spec/template/metadata/labels", true),
    ("Deployment", "", "spec/template/metadata/labels", true),
    ("ReplicaSet", "", "spec/template/metadata/labels", true),
    ("DaemonSet", "", "spec/template/metadata/labels", true),
    ("StatefulSet", "apps", "spec/template/metadata/labels", true),
    ("Job", "batch", "spec/template/metadata/labels", true),
    ("CronJob", "batch", "spec/jobTemplate/metadata/labels", true),
    ("CronJob", "batch", "spec/jobTemplate/spec/template/metadata/labels", true),
];

/// An object's own labels.
pub(super) const OWN_LABELS: &[Spec] = &[("", "", "metadata/labels", true)];

/// Labels of claims that are made of templates.
pub(super) const CLAIM_LABELS: &[Spec] =
    &[("StatefulSet", "apps", "spec/volumeClaimTemplates[]/metadata/labels", true)];

/// What selects by labels.
pub(super) const SELECTORS: &[Spec] = &[
    ("Service", "", "spec/selector", true),
    ("ReplicationController", "", "spec/selector", true),
    ("Deployment", "", "spec/selector/matchLabels", true),
    ("ReplicaSet", "", "spec/selector/matchLabels", true),
    ("DaemonSet", "", "spec/selector/matchLabels", true),
    ("StatefulSet", "apps", "spec/selector/matchLabels", true),
    ("Job", "batch", "spec/selector/matchLabels", false),
    ("CronJob", "batch", "spec/jobTemplate/spec/selector/matchLabels", false),
    ("PodDisruptionBudget", "policy", "spec/selector/matchLabels", false),
    ("NetworkPolicy", "networking.k8s.io", "spec/podSelector/matchLabels", false),
    ("NetworkPolicy", "networking.k8s.io", "spec/ingress/from/podSelector/matchLabels", false),
    ("NetworkPolicy", "networking.k8s.io", "spec/egress/to/podSelector/matchLabels", false),
];

/// What selects by labels below a pod template of deployments and stateful sets.
pub(super) const TERMS: &[&str] = &[
    "affinity/podAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels",
    "affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels",
    "affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels",
    "affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels",
    "topologySpreadConstraints/labelSelector/matchLabels",
];

/// Annotations.
pub(super) const ANNOTATIONS: &[Spec] = &[
    ("", "", "metadata/annotations", true),
    ("ReplicationController", "", "spec/template/metadata/annotations", true),
    ("Deployment", "", "spec/template/metadata/annotations", true),
    ("ReplicaSet", "", "spec/template/metadata/annotations", true),
    ("DaemonSet", "", "spec/template/metadata/annotations", true),
    ("StatefulSet", "", "spec/template/metadata/annotations", true),
    ("Job", "batch", "spec/template/metadata/annotations", true),
    ("CronJob", "batch", "spec/jobTemplate/metadata/annotations", true),
    ("CronJob", "batch", "spec/jobTemplate/spec/template/metadata/annotations", true),
];

/// Numbers of replicas.
pub(super) const REPLICAS: &[Spec] = &[
    ("Deployment", "", "spec/replicas", true),
    ("StatefulSet", "", "spec/replicas", true),
    ("ReplicaSet", "", "spec/replicas", true),
    ("ReplicationController", "", "spec/replicas", true),
];

/// Where a kind has its pods' specification.
pub(super) const PODS: &[(&str, &str)] = &[
    ("Pod", "spec"),
    ("PodTemplate", "template/spec"),
    ("Deployment", "spec/template/spec"),
    ("ReplicaSet", "spec/template/spec"),
    ("ReplicationController", "spec/template/spec"),
    ("DaemonSet", "spec/template/spec"),
    ("StatefulSet", "spec/template/spec"),
    ("Job", "spec/template/spec"),
    ("CronJob", "spec/jobTemplate/spec/template/spec"),
];

/// Names in pods' specifications: of which kind, where.
pub(super) const POD_REFERENCES: &[(&str, &str)] = &[
    ("ConfigMap", "volumes/configMap/name"),
    ("ConfigMap", "volumes/projected/sources/configMap/name"),
    ("ConfigMap", "containers/env/valueFrom/configMapKeyRef/name"),
    ("ConfigMap", "initContainers/env/valueFrom/configMapKeyRef/name"),
    ("ConfigMap", "containers/envFrom/configMapRef/name"),
    ("ConfigMap", "initContainers/envFrom/configMapRef/name"),
    ("Secret", "volumes/secret/secretName"),
    ("Secret", "volumes/projected/sources/secret/name"),
    ("Secret", "containers/env/valueFrom/secretKeyRef/name"),
    ("Secret", "initContainers/env/valueFrom/secretKeyRef/name"),
    ("Secret", "containers/envFrom/secretRef/name"),
    ("Secret", "initContainers/envFrom/secretRef/name"),
    ("Secret", "imagePullSecrets/name"),
    ("ServiceAccount", "serviceAccountName"),
    ("PersistentVolumeClaim", "volumes/persistentVolumeClaim/claimName"),
    ("PriorityClass", "priorityClassName"),
];

/// Names elsewhere: of which kind, in which kind, where.
pub(super) const REFERENCES: &[(&str, &str, &str)] = &[
    ("Deployment", "HorizontalPodAutoscaler", "spec/scaleTargetRef/name"),
    ("ReplicationController", "HorizontalPodAutoscaler", "spec/scaleTargetRef/name"),
    ("ReplicaSet", "HorizontalPodAutoscaler", "spec/scaleTargetRef/name"),
    ("StatefulSet", "HorizontalPodAutoscaler", "spec/scaleTargetRef/name"),
    ("ConfigMap", "Role", "rules/resourceNames"),
    ("ConfigMap", "ClusterRole", "rules/resourceNames"),
    ("Secret", "Role", "rules/resourceNames"),
    ("Secret", "ClusterRole", "rules/resourceNames"),
    ("Secret", "Ingress", "spec/tls/secretName"),
    ("Secret", "ServiceAccount", "imagePullSecrets/name"),
    ("Secret", "PersistentVolume", "spec/azureFile/secretName"),
    ("Service", "StatefulSet", "spec/serviceName"),
    ("Service", "Ingress", "spec/rules/http/paths/backend/service/name"),
    ("Service", "Ingress", "spec/defaultBackend/service/name"),
    ("Service", "APIService", "spec/service/name"),
    ("Service", "ValidatingWebhookConfiguration", "webhooks/clientConfig/service"),
    ("Service", "MutatingWebhookConfiguration", "webhooks/clientConfig/service"),
    ("Role", "RoleBinding", "roleRef/name"),
    ("ClusterRole", "RoleBinding", "roleRef/name"),
    ("ClusterRole", "ClusterRoleBinding", "roleRef/name"),
    ("ServiceAccount", "RoleBinding", "subjects"),
    ("ServiceAccount", "ClusterRoleBinding", "subjects"),
    ("PersistentVolume", "PersistentVolumeClaim", "spec/volumeName"),
    ("PersistentVolume", "ClusterRole", "rules/resourceNames"),
    ("StorageClass", "PersistentVolume", "spec/storageClassName"),
    ("StorageClass", "PersistentVolumeClaim", "spec/storageClassName"),
    ("StorageClass", "StatefulSet", "spec/volumeClaimTemplates/spec/storageClassName"),
    ("IngressClass", "Ingress", "spec/ingressClassName"),
];

/// Whether a place is one of an object's.
pub(super) fn fits(spec: &Spec, res: &Res) -> bool {
    (spec.0.is_empty() || spec.0 == res.kind())
        && (spec.1.is_empty() || spec.1 == res.group_version().0)
}

/// Calls a function with everything at a path; lists are gone through.
pub(super) fn visit(value: &mut Value, path: &str, create: bool, f: &mut dyn FnMut(&mut Value)) {
    if let Value::Array(items) = value {
        items.iter_mut().for_each(|item| visit(item, path, create, f));
        return;
    }
    if path.is_empty() {
        return f(value);
    }
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    let name = first.trim_end_matches("[]");
    let Value::Object(map) = value else { return };
    if map.get(name).is_none_or(Value::is_null) {
        // A list can't be made up.
        if !create || name.len() < first.len() {
            return;
        }
        let made = if rest.is_empty() { Value::Null } else { Value::Object(Map::new()) };
        map.insert(name.to_owned(), made);
    }
    if let Some(inner) = map.get_mut(name) {
        if rest.is_empty() && !inner.is_array() { f(inner) } else { visit(inner, rest, create, f) }
    }
}
