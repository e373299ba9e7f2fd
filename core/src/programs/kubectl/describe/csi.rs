//! `kubectl describe` of CSINodes and VolumeAttributesClasses. Models `describeCSINode` and
//! `describeVolumeAttributesClass`.

use k8s_openapi::api::storage::v1::{CSINode, VolumeAttributesClass};

use super::{Cx, Writer, common, events};
use crate::api::Object;

/// CSINodes.
pub fn node(cx: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(node) = object.downcast::<CSINode>() else { return };
    w.put(0, format_args!("Name:\t{}\n", object.name()));
    common::labels_and_annotations(object.metadata(), w);
    let made = common::meta_date(object.metadata().creation_timestamp.as_ref());
    w.put(0, format_args!("CreationTimestamp:\t{made}\n"));
    w.put(0, "Spec:\n");
    if !node.spec.drivers.is_empty() {
        w.put(1, "Drivers:\n");
    }
    for driver in &node.spec.drivers {
        w.put(2, format_args!("{}:\n", driver.name));
        w.put(3, format_args!("Node ID:\t{}\n", driver.node_id));
        if let Some(count) = driver.allocatable.as_ref().and_then(|a| a.count) {
            w.put(3, "Allocatables:\n");
            w.put(4, format_args!("Count:\t{count}\n"));
        }
        if let Some(keys) = &driver.topology_keys {
            w.put(3, format_args!("Topology Keys:\t[{}]\n", keys.join(" ")));
        }
    }
    events::of(cx, object, w);
}

/// VolumeAttributesClasses.
pub fn attributes_class(cx: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(class) = object.downcast::<VolumeAttributesClass>() else { return };
    w.put(0, format_args!("Name:\t{}\n", object.name()));
    let annotations = common::one_line(class.metadata.annotations.as_ref());
    w.put(0, format_args!("Annotations:\t{annotations}\n"));
    w.put(0, format_args!("DriverName:\t{}\n", class.driver_name));
    w.put(0, format_args!("Parameters:\t{}\n", common::one_line(class.parameters.as_ref())));
    events::of(cx, object, w);
}
