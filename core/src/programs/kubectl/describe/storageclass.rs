//! `kubectl describe storageclass`. Models `describeStorageClass`.

use k8s_openapi::api::storage::v1::StorageClass;

use super::{Cx, Writer, common, events};
use crate::api::{Object, meta};

/// See the module.
pub fn describe(cx: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(class) = object.downcast::<StorageClass>() else { return };
    w.put(0, format_args!("Name:\t{}\n", object.name()));
    let mark = "storageclass.kubernetes.io/is-default-class";
    let default = meta::annotation(&class.metadata, mark) == Some("true");
    w.put(0, format_args!("IsDefaultClass:\t{}\n", if default { "Yes" } else { "No" }));
    let annotations = common::one_line(class.metadata.annotations.as_ref());
    w.put(0, format_args!("Annotations:\t{annotations}\n"));
    w.put(0, format_args!("Provisioner:\t{}\n", class.provisioner));
    w.put(0, format_args!("Parameters:\t{}\n", common::one_line(class.parameters.as_ref())));
    let expansion = class.allow_volume_expansion.map_or("<unset>", common::capital);
    w.put(0, format_args!("AllowVolumeExpansion:\t{expansion}\n"));
    let options = class.mount_options.as_deref().unwrap_or_default();
    w.put(0, if options.is_empty() { "MountOptions:\t<none>\n" } else { "MountOptions:\n" });
    for option in options {
        w.put(1, format_args!("{option}\n"));
    }
    for (title, value) in [
        ("ReclaimPolicy", &class.reclaim_policy),
        ("VolumeBindingMode", &class.volume_binding_mode),
    ] {
        if let Some(value) = value {
            w.put(0, format_args!("{title}:\t{value}\n"));
        }
    }
    let terms = class.allowed_topologies.as_deref().unwrap_or_default();
    if !terms.is_empty() {
        w.put(0, "AllowedTopologies:\t\n");
    }
    for (i, term) in terms.iter().enumerate() {
        w.put(1, format_args!("Term {i}:\t"));
        for (i, r) in term.match_label_expressions.iter().flatten().enumerate() {
            if i > 0 {
                w.put(1, "\t");
            }
            w.put(0, format_args!("{} in [{}]\n", r.key, r.values.join(", ")));
        }
    }
    events::of(cx, object, w);
}
