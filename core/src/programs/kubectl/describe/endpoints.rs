//! `kubectl describe endpoints`. Models `describeEndpoints`.

use k8s_openapi::api::core::v1::{EndpointAddress, Endpoints};

use super::{
    Cx, Writer,
    common::{self, text},
    events,
};
use crate::api::Object;

/// See the module.
pub fn describe(cx: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(endpoints) = object.downcast::<Endpoints>() else { return };
    common::name(object, w);
    common::labels_and_annotations(&endpoints.metadata, w);
    w.put(0, "Subsets:\n");
    for subset in endpoints.subsets.iter().flatten() {
        let ips = |list: &Option<Vec<EndpointAddress>>| {
            let ips: Vec<_> = list.iter().flatten().map(|a| a.ip.as_str()).collect();
            common::or(ips.join(","), "<none>")
        };
        w.put(1, format_args!("Addresses:\t{}\n", ips(&subset.addresses)));
        w.put(1, format_args!("NotReadyAddresses:\t{}\n", ips(&subset.not_ready_addresses)));
        let ports = subset.ports.as_deref().unwrap_or_default();
        if !ports.is_empty() {
            w.put(1, "Ports:\n");
            w.put(2, "Name\tPort\tProtocol\n");
            w.put(2, "----\t----\t--------\n");
        }
        for port in ports {
            let name = common::or(text(&port.name).to_string(), "<unset>");
            w.put(2, format_args!("{name}\t{}\t{}\n", port.port, text(&port.protocol)));
        }
        w.put(0, "\n");
    }
    events::of(cx, object, w);
}
