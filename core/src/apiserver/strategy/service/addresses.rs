//! The objects that stand for services' cluster addresses: an IPAddress for each, which goes with its
//! service.
//!
//! Models `pkg/registry/core/service/ipallocator/ipallocator.go`.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        core::v1::Service,
        networking::v1::{IPAddress, IPAddressSpec, ParentReference},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{has_cluster_ip, is_headless};
use crate::{
    api::{ObjRef, Typed},
    apiserver::{ApiServer, CreateOptions, DeleteOptions, strategy::StrategyCx},
};

fn addresses(service: &Service) -> &[String] {
    let spec = service.spec.as_ref().filter(|s| has_cluster_ip(s) && !is_headless(s));
    spec.and_then(|s| s.cluster_ips.as_deref()).unwrap_or_default()
}

/// The service has its addresses now, and not those of `old` any more.
pub fn keep(cx: &StrategyCx, service: &Service, old: Option<&Service>) {
    let had = old.map(addresses).unwrap_or_default();
    for ip in addresses(service).iter().filter(|ip| !had.contains(ip)) {
        let object = IPAddress {
            metadata: ObjectMeta {
                name: Some(ip.clone()),
                labels: Some(BTreeMap::from([
                    ("ipaddress.kubernetes.io/ip-family".to_string(), "IPv4".to_string()),
                    ("ipaddress.kubernetes.io/managed-by".into(), "ipallocator.k8s.io".into()),
                ])),
                ..ObjectMeta::default()
            },
            spec: IPAddressSpec {
                parent_ref: ParentReference {
                    group: None,
                    resource: "services".into(),
                    namespace: service.metadata.namespace.clone(),
                    name: service.metadata.name.clone().unwrap_or_default(),
                },
            },
        };
        let request = ApiServer::own_request();
        // Whether it is free was looked at just before.
        let _ = cx.api.create(&request, Box::new(object), &CreateOptions::default());
    }
    let has = addresses(service);
    had.iter().filter(|ip| !has.contains(ip)).for_each(|ip| drop_address(cx, service, ip));
}

/// The service is gone.
pub fn release(cx: &StrategyCx, service: &Service) {
    addresses(service).iter().for_each(|ip| drop_address(cx, service, ip));
}

fn drop_address(cx: &StrategyCx, service: &Service, ip: &str) {
    if find(cx, ip).is_some_and(|object| is_of(&object, service)) {
        let request = ApiServer::own_request();
        let _ = cx.api.delete(&request, IPAddress::ID, "", ip, &DeleteOptions::default());
    }
}

fn find(cx: &StrategyCx, ip: &str) -> Option<ObjRef> {
    cx.api.store().get(IPAddress::ID, "", ip)
}

fn is_of(object: &ObjRef, service: &Service) -> bool {
    let spec = object.downcast::<IPAddress>().map(|a| &a.spec);
    spec.is_some_and(|s| {
        let parent = &s.parent_ref;
        parent.resource == "services"
            && parent.namespace == service.metadata.namespace
            && Some(&parent.name) == service.metadata.name.as_ref()
    })
}

/// Whether somebody else than this service has an address.
pub fn is_taken(cx: &StrategyCx, ip: &str, service: &Service) -> bool {
    find(cx, ip).is_some_and(|object| !is_of(&object, service))
}
