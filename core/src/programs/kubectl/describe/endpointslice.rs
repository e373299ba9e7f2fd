//! `kubectl describe endpointslice`. Models `describeEndpointSliceV1`.

use k8s_openapi::api::discovery::v1::EndpointSlice;

use super::{
    Cx, Writer,
    common::{self, text},
    events,
};
use crate::api::Object;

/// See the module.
pub fn describe(cx: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(slice) = object.downcast::<EndpointSlice>() else { return };
    common::name(object, w);
    common::labels_and_annotations(&slice.metadata, w);
    w.put(0, format_args!("AddressType:\t{}\n", slice.address_type));
    let ports = slice.ports.as_deref().unwrap_or_default();
    if ports.is_empty() {
        w.put(0, "Ports: <unset>\n");
    } else {
        w.put(0, "Ports:\n");
        w.put(1, "Name\tPort\tProtocol\n");
        w.put(1, "----\t----\t--------\n");
    }
    for port in ports {
        let name = common::or(text(&port.name).to_string(), "<unset>");
        let number = port.port.map_or("<unset>".to_string(), |p| p.to_string());
        w.put(1, format_args!("{name}\t{number}\t{}\n", text(&port.protocol)));
    }
    let endpoints = slice.endpoints.as_deref().unwrap_or_default();
    w.put(0, if endpoints.is_empty() { "Endpoints: <none>\n" } else { "Endpoints:\n" });
    for e in endpoints {
        let addresses = common::or(e.addresses.join(", "), "<none>");
        w.put(1, format_args!("- Addresses:\t{addresses}\n"));
        w.put(2, "Conditions:\n");
        let ready = e.conditions.as_ref().and_then(|c| c.ready);
        let ready = ready.map_or("<unset>".to_string(), |r| r.to_string());
        w.put(3, format_args!("Ready:\t{ready}\n"));
        let unset = |value: &Option<String>| value.clone().unwrap_or_else(|| "<unset>".into());
        w.put(2, format_args!("Hostname:\t{}\n", unset(&e.hostname)));
        if let Some(target) = &e.target_ref {
            let (kind, name) = (text(&target.kind), text(&target.name));
            w.put(2, format_args!("TargetRef:\t{kind}/{name}\n"));
        }
        w.put(2, format_args!("NodeName:\t{}\n", unset(&e.node_name)));
        w.put(2, format_args!("Zone:\t{}\n", unset(&e.zone)));
    }
    events::of(cx, object, w);
}
