//! The rules of StatefulSets.
//!
//! Models `pkg/apis/apps/v1/defaults.go`, `ValidateStatefulSet` and
//! `pkg/registry/apps/statefulset/strategy.go`.

use k8s_openapi::{
    api::apps::v1::{
        RollingUpdateStatefulSetStrategy, StatefulSet,
        StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec, StatefulSetStatus,
    },
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{
    NameRule, Strategy, StrategyCx,
    metadata::name_error,
    persistentvolumeclaim,
    pod::{self, defaults::text},
    workload,
    workload::status,
};
use crate::api::{FieldError, Path, object::to_value, selector::Selector};

/// What may change of a set's spec.
const ONLY: &str = "updates to statefulset spec for fields other than 'replicas', 'ordinals', \
    'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' \
    and 'minReadySeconds' are forbidden";

/// See the module.
pub struct StatefulSets;

impl Strategy for StatefulSets {
    type Object = StatefulSet;

    /// The names of its pods, which are their hosts' names, begin with it.
    fn name_rule(&self) -> NameRule {
        NameRule::Label
    }

    fn defaults(&self, set: &mut StatefulSet) {
        let spec = set.spec.get_or_insert_default();
        text(&mut spec.pod_management_policy, "OrderedReady");
        let strategy = spec.update_strategy.get_or_insert_default();
        text(&mut strategy.type_, "RollingUpdate");
        if strategy.type_.as_deref() == Some("RollingUpdate") {
            strategy.rolling_update.get_or_insert_default().partition.get_or_insert(0);
        }
        let retention = spec.persistent_volume_claim_retention_policy.get_or_insert_default();
        text(&mut retention.when_deleted, "Retain");
        text(&mut retention.when_scaled, "Retain");
        spec.replicas.get_or_insert(1);
        spec.revision_history_limit.get_or_insert(10);
        if spec.min_ready_seconds == Some(0) {
            spec.min_ready_seconds = None;
        }
        workload::template_defaults(&mut spec.template);
        for claim in spec.volume_claim_templates.iter_mut().flatten() {
            persistentvolumeclaim::defaults(claim);
            claim.metadata.creation_timestamp = None;
        }
    }

    fn prepare_create(&self, _: &StrategyCx, set: &mut StatefulSet) {
        set.status = Some(StatefulSetStatus::default());
    }

    fn prepare_update(&self, _: &StrategyCx, new: &mut StatefulSet, old: &StatefulSet) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut StatefulSet, old: &StatefulSet) {
        new.spec.clone_from(&old.spec);
    }

    fn spec_changed(&self, new: &StatefulSet, old: &StatefulSet) -> Option<bool> {
        Some(new.spec != old.spec)
    }

    fn validate(&self, _: &StrategyCx, set: &StatefulSet) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let Some(spec) = &set.spec else { return errors };
        management(spec, &mut errors);
        update_strategy(spec, &mut errors);
        if let Some(retention) = &spec.persistent_volume_claim_retention_policy {
            retention_policy(retention, &mut errors);
        }
        workload::not_negative(spec.replicas, "spec.replicas", &mut errors);
        workload::not_negative(spec.min_ready_seconds, "spec.minReadySeconds", &mut errors);
        let start = spec.ordinals.as_ref().and_then(|o| o.start);
        workload::not_negative(start, "spec.ordinals.start", &mut errors);
        if let Some(name) = spec.service_name.as_deref().filter(|n| !n.is_empty()) {
            if let Some(why) = name_error(NameRule::Label, name) {
                errors.push(FieldError::invalid_str("spec.serviceName", name, &why));
            }
        }
        workload::selector(&spec.selector, "statefulset", &mut errors);
        workload::stateful_template(&spec.template, &spec.selector, &mut errors);
        errors
    }

    fn validate_update(
        &self,
        _: &StrategyCx,
        new: &StatefulSet,
        old: &StatefulSet,
    ) -> Vec<FieldError> {
        let (Some(new), Some(old)) = (&new.spec, &old.spec) else { return Vec::new() };
        if munged(new, old) == *old {
            return Vec::new();
        }
        vec![FieldError::forbidden("spec", ONLY)]
    }

    fn validate_status(&self, new: &StatefulSet, old: &StatefulSet) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let Some(s) = &new.status else { return errors };
        status::counts(
            &[
                ("replicas", Some(s.replicas.into())),
                ("readyReplicas", s.ready_replicas.map(i64::from)),
                ("currentReplicas", s.current_replicas.map(i64::from)),
                ("updatedReplicas", s.updated_replicas.map(i64::from)),
                ("availableReplicas", s.available_replicas.map(i64::from)),
                ("observedGeneration", s.observed_generation),
                ("collisionCount", s.collision_count.map(i64::from)),
            ],
            &mut errors,
        );
        let (ready, available) = (s.ready_replicas.unwrap_or(0), s.available_replicas.unwrap_or(0));
        let of = |field, n| (field, n, s.replicas, "status.replicas");
        status::at_most(
            &[
                of("readyReplicas", ready),
                of("currentReplicas", s.current_replicas.unwrap_or(0)),
                of("updatedReplicas", s.updated_replicas.unwrap_or(0)),
                of("availableReplicas", available),
                ("availableReplicas", available, ready, "status.readyReplicas"),
            ],
            &mut errors,
        );
        let was = old.status.as_ref().and_then(|s| s.collision_count);
        status::collisions(s.collision_count, was, &mut errors);
        errors
    }

    fn warnings(&self, set: &StatefulSet, old: Option<&StatefulSet>) -> Vec<String> {
        let template = set.spec.as_ref().map(|s| &s.template);
        let metas = (&set.metadata, old.map(|o| &o.metadata));
        let mut warnings = pod::owner_warnings(metas, false, template, &Path::new("spec.template"));
        let claims = set.spec.as_ref().and_then(|s| s.volume_claim_templates.as_deref());
        let at = Path::new("spec.volumeClaimTemplates");
        for (i, claim) in claims.unwrap_or_default().iter().enumerate() {
            let none = Default::default();
            let spec = claim.spec.as_ref().unwrap_or(&none);
            warnings.extend(persistentvolumeclaim::spec_warnings(spec, &at.index(i)));
        }
        if set.spec.as_ref().and_then(|s| s.revision_history_limit).is_some_and(|n| n < 0) {
            warnings.push(
                "spec.revisionHistoryLimit: a negative value retains all historical revisions; a \
                 value >= 0 is recommended"
                    .into(),
            );
        }
        warnings
    }

    fn scale(&self, set: &StatefulSet) -> Option<(i32, i32, String)> {
        let spec = set.spec.as_ref()?;
        let selector = Selector::from_label_selector(Some(&spec.selector)).unwrap_or_default();
        let current = set.status.as_ref().map_or(0, |s| s.replicas);
        Some((spec.replicas.unwrap_or(1), current, selector.to_string()))
    }

    fn set_scale(&self, set: &mut StatefulSet, replicas: i32) {
        set.spec.get_or_insert_default().replicas = Some(replicas);
    }
}

/// The new spec with everything that may change set back.
fn munged(new: &StatefulSetSpec, old: &StatefulSetSpec) -> StatefulSetSpec {
    let mut spec = new.clone();
    spec.replicas = old.replicas;
    spec.template.clone_from(&old.template);
    spec.update_strategy.clone_from(&old.update_strategy);
    spec.min_ready_seconds = old.min_ready_seconds;
    spec.ordinals.clone_from(&old.ordinals);
    spec.revision_history_limit = old.revision_history_limit;
    let retention = &old.persistent_volume_claim_retention_policy;
    spec.persistent_volume_claim_retention_policy.clone_from(retention);
    spec
}

fn management(spec: &StatefulSetSpec, errors: &mut Vec<FieldError>) {
    match spec.pod_management_policy.as_deref().unwrap_or_default() {
        "" => errors.push(FieldError::required("spec.podManagementPolicy", "")),
        "OrderedReady" | "Parallel" => {}
        other => {
            let why = "must be 'OrderedReady' or 'Parallel'";
            errors.push(FieldError::invalid_str("spec.podManagementPolicy", other, why));
        }
    }
}

fn update_strategy(spec: &StatefulSetSpec, errors: &mut Vec<FieldError>) {
    let Some(strategy) = &spec.update_strategy else { return };
    let rolling = strategy.rolling_update.as_ref();
    match strategy.type_.as_deref().unwrap_or_default() {
        "" => errors.push(FieldError::required("spec.updateStrategy", "")),
        "OnDelete" => {
            if let Some(rolling) = rolling {
                let why = "only allowed for updateStrategy 'RollingUpdate'";
                let shown = shown_rolling(rolling);
                errors.push(FieldError::invalid("spec.updateStrategy.rollingUpdate", shown, why));
            }
        }
        "RollingUpdate" => {
            let Some(rolling) = rolling else { return };
            let field = "spec.updateStrategy.rollingUpdate.partition";
            workload::not_negative(rolling.partition, field, errors);
            if let Some(most) = &rolling.max_unavailable {
                let field = "spec.updateStrategy.rollingUpdate.maxUnavailable";
                workload::count_or_percent(most, field, errors);
                if workload::is_zero(most) {
                    errors.push(FieldError::invalid(field, workload::shown(most), "cannot be 0"));
                }
                workload::at_most_all(most, field, errors);
            }
        }
        other => {
            let rolling = rolling.map_or("null".into(), shown_rolling);
            let shown = format!("{{\"Type\":{other:?},\"RollingUpdate\":{rolling}}}");
            let why = "must be 'RollingUpdate' or 'OnDelete'";
            errors.push(FieldError::invalid("spec.updateStrategy", shown, why));
        }
    }
}

fn shown_rolling(rolling: &RollingUpdateStatefulSetStrategy) -> String {
    let most = rolling.max_unavailable.as_ref();
    let most = most.map_or("null".into(), |m: &IntOrString| to_value(m).to_string());
    format!("{{\"Partition\":{},\"MaxUnavailable\":{most}}}", rolling.partition.unwrap_or(0))
}

fn retention_policy(
    retention: &StatefulSetPersistentVolumeClaimRetentionPolicy,
    errors: &mut Vec<FieldError>,
) {
    let at = Path::new("spec.persistentVolumeClaimRetentionPolicy");
    for (field, value) in
        [("whenDeleted", &retention.when_deleted), ("whenScaled", &retention.when_scaled)]
    {
        let value = value.as_deref().unwrap_or_default();
        let known = &["Retain", "Delete"];
        if !known.contains(&value) {
            errors.push(FieldError::not_supported(at.child(field), value, known));
        }
    }
}
