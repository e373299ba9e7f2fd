//! `kubectl describe` of service ranges and addresses. Models `describeServiceCIDRV1` and
//! `describeIPAddressV1`.

use k8s_openapi::api::networking::v1::{IPAddress, ServiceCIDR};

use super::{
    Cx, Writer,
    common::{self, text},
    events,
};
use crate::api::Object;

/// ServiceCIDRs.
pub fn cidr(cx: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(cidr) = object.downcast::<ServiceCIDR>() else { return };
    w.put(0, format_args!("Name:\t{}\n", object.name()));
    common::labels_and_annotations(object.metadata(), w);
    let cidrs = cidr.spec.as_ref().and_then(|s| s.cidrs.clone()).unwrap_or_default();
    w.put(0, format_args!("CIDRs:\t{}\n", cidrs.join(", ")));
    let conditions = cidr.status.as_ref().and_then(|s| s.conditions.as_deref()).unwrap_or_default();
    if !conditions.is_empty() {
        w.put(0, "Status:\n");
        w.put(0, "Conditions:\n");
        w.put(1, "Type\tStatus\tLastTransitionTime\tReason\tMessage\n");
        w.put(1, "----\t------\t------------------\t------\t-------\n");
    }
    for c in conditions {
        let when = common::meta_date(Some(&c.last_transition_time));
        w.put(1, format_args!("{}\t{}\t{when}\t{}\t{}\n", c.type_, c.status, c.reason, c.message));
    }
    events::of(cx, object, w);
}

/// IPAddresses.
pub fn address(cx: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(address) = object.downcast::<IPAddress>() else { return };
    w.put(0, format_args!("Name:\t{}\n", object.name()));
    common::labels_and_annotations(object.metadata(), w);
    let parent = &address.spec.parent_ref;
    w.put(0, "Parent Reference:\n");
    w.put(1, format_args!("Group:\t{}\n", text(&parent.group)));
    w.put(1, format_args!("Resource:\t{}\n", parent.resource));
    w.put(1, format_args!("Namespace:\t{}\n", text(&parent.namespace)));
    w.put(1, format_args!("Name:\t{}\n", parent.name));
    events::of(cx, object, w);
}
