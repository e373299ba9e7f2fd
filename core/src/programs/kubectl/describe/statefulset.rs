//! `kubectl describe statefulset`. Models `describeStatefulSet`.

use k8s_openapi::api::{
    apps::v1::{StatefulSet, StatefulSetSpec},
    core::v1::PersistentVolumeClaim,
};

use super::{
    Cx, Writer,
    common::{self, text},
    events, template,
};
use crate::api::{Object, quantity::Amount, selector::Selector, volumes::claim_class};

/// See the module.
pub fn describe(cx: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(set) = object.downcast::<StatefulSet>() else { return };
    let none = StatefulSetSpec::default();
    let spec = set.spec.as_ref().unwrap_or(&none);
    common::name(object, w);
    let created = common::meta_date(set.metadata.creation_timestamp.as_ref());
    w.put(0, format_args!("CreationTimestamp:\t{created}\n"));
    let selector = Selector::from_label_selector(Some(&spec.selector)).unwrap_or_default();
    w.put(0, format_args!("Selector:\t{selector}\n"));
    common::labels_and_annotations(&set.metadata, w);
    for (title, value) in [
        ("Service Name", &spec.service_name),
        ("Pod Management Policy", &spec.pod_management_policy),
    ] {
        if !text(value).is_empty() {
            w.put(0, format_args!("{title}:\t{}\n", text(value)));
        }
    }
    let (wanted, total) =
        (spec.replicas.unwrap_or(0), set.status.as_ref().map_or(0, |s| s.replicas));
    w.put(0, format_args!("Replicas:\t{wanted} desired | {total} total\n"));
    let strategy = spec.update_strategy.as_ref();
    let kind = strategy.map(|s| text(&s.type_)).unwrap_or_default();
    w.put(0, format_args!("Update Strategy:\t{kind}\n"));
    let rolling = strategy.and_then(|s| s.rolling_update.as_ref());
    if let Some((rolling, partition)) = rolling.and_then(|r| Some((r, r.partition?))) {
        w.put(1, format_args!("Partition:\t{partition}\n"));
        if rolling.max_unavailable.is_some() {
            let most = common::int_or_string(rolling.max_unavailable.as_ref());
            w.put(1, format_args!("MaxUnavailable:\t{most}\n"));
        }
    }
    if let Some(retention) = &spec.persistent_volume_claim_retention_policy {
        w.put(0, "Persistent Volume Claim Retention Policy:\n");
        w.put(1, format_args!("WhenDeleted:\t{}\n", text(&retention.when_deleted)));
        w.put(1, format_args!("WhenScaled:\t{}\n", text(&retention.when_scaled)));
    }
    w.put(0, format_args!("Pods Status:\t{}\n", template::pods(cx, object, Some(&spec.selector))));
    template::show(Some(&spec.template), w);
    claims(spec.volume_claim_templates.as_deref().unwrap_or_default(), w);
    events::of(cx, object, w);
}

fn claims(templates: &[PersistentVolumeClaim], w: &mut Writer) {
    if templates.is_empty() {
        w.put(0, "Volume Claims:\t<none>\n");
        return;
    }
    w.put(0, "Volume Claims:\n");
    for claim in templates {
        let spec = claim.spec.as_ref();
        w.put(1, format_args!("Name:\t{}\n", text(&claim.metadata.name)));
        w.put(1, format_args!("StorageClass:\t{}\n", claim_class(claim)));
        common::labels("  Labels", claim.metadata.labels.as_ref(), w);
        common::labels("  Annotations", claim.metadata.annotations.as_ref(), w);
        let requests = spec.and_then(|s| s.resources.as_ref()?.requests.as_ref());
        let storage = requests.and_then(|r| r.get("storage")).map(Amount::of);
        let storage = storage.map_or("<default>".to_string(), |s| s.to_string());
        w.put(1, format_args!("Capacity:\t{storage}\n"));
        let modes = spec.and_then(|s| s.access_modes.as_deref()).unwrap_or_default();
        w.put(1, format_args!("Access Modes:\t[{}]\n", modes.join(" ")));
    }
}
