//! Keeps the Endpoints of services that select pods: the old form of what EndpointSlices tell.
//!
//! Models `pkg/controller/endpoint`.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

use k8s_openapi::{
    api::core::v1::{EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Pod, Service},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{
    framework::{Controller, Key, Queue},
    pods, services,
};
use crate::{
    api::{KindId, Status, Typed},
    client::{Change, Client, DeleteOptions},
};

const NAME: &str = "endpoints-controller";
/// As it signs its objects: the controller was renamed, the label was not.
const MANAGER: &str = "endpoint-controller";
const MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";
const OVER_CAPACITY: &str = "endpoints.kubernetes.io/over-capacity";
/// Most addresses in one object (`maxCapacity`); what is beyond is left out.
const CAPACITY: usize = 1000;

/// The Endpoints controller.
pub fn make(client: &Client) -> Box<dyn Controller> {
    Box::new(EndpointsController { client: client.clone() })
}

struct EndpointsController {
    client: Client,
}

/// A port, in an order that groups equal ones.
type Port = (String, i32, String, Option<String>);

/// What is known of one address while subsets are put together.
struct Address {
    address: EndpointAddress,
    ready: bool,
    ports: BTreeSet<Port>,
}

fn address_of(pod: &Pod, service: &Service) -> EndpointAddress {
    EndpointAddress {
        ip: pods::ip(pod).to_string(),
        hostname: services::hostname(pod, service),
        node_name: Some(pods::node_name(pod).to_string()).filter(|n| !n.is_empty()),
        target_ref: Some(services::pod_reference(pod)),
    }
}

/// The subsets for a service: addresses that lead to the same ports together.
/// Models `RepackSubsets`.
fn subsets(service: &Service, pods: &[Rc<Pod>]) -> Vec<EndpointSubset> {
    let unready_too = services::publishes_unready(service);
    let portless = services::ports(service).is_empty() && services::is_headless(service);
    let mut groups: BTreeMap<BTreeSet<Port>, Vec<Address>> = BTreeMap::new();
    for pod in pods.iter().filter(|p| services::is_candidate(p, unready_too)) {
        let ports: BTreeSet<Port> = services::ports(service)
            .iter()
            .filter_map(|port| {
                let number = services::target_port(pod, port)?;
                let protocol = port.protocol.clone().unwrap_or_else(|| "TCP".into());
                let name = port.name.clone().unwrap_or_default();
                Some((name, number, protocol, port.app_protocol.clone()))
            })
            .collect();
        if ports.is_empty() && !portless {
            continue;
        }
        let ready = unready_too || pods::is_ready(pod);
        let address = Address { address: address_of(pod, service), ready, ports };
        groups.entry(address.ports.clone()).or_default().push(address);
    }
    let list = |addresses: Vec<EndpointAddress>| (!addresses.is_empty()).then_some(addresses);
    let make = |(ports, mut addresses): (BTreeSet<Port>, Vec<Address>)| {
        let uid = |a: &Address| a.address.target_ref.as_ref().and_then(|t| t.uid.clone());
        addresses.sort_by(|a, b| {
            by_bytes(&a.address.ip).cmp(&by_bytes(&b.address.ip)).then_with(|| uid(a).cmp(&uid(b)))
        });
        let (ready, waiting): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|a| a.ready);
        let ports = ports.into_iter().map(|(name, port, protocol, app_protocol)| EndpointPort {
            name: Some(name).filter(|n| !n.is_empty()),
            port,
            protocol: Some(protocol),
            app_protocol,
        });
        EndpointSubset {
            addresses: list(ready.into_iter().map(|a| a.address).collect()),
            not_ready_addresses: list(waiting.into_iter().map(|a| a.address).collect()),
            ports: Some(ports.collect::<Vec<_>>()).filter(|p| !p.is_empty()),
        }
    };
    groups.into_iter().map(make).collect()
}

fn by_bytes(ip: &str) -> Option<std::net::IpAddr> {
    ip.parse().ok()
}

/// Leaves out what is beyond the capacity, addresses that are not ready first. Whether there was
/// any.
fn truncate(subsets: &mut [EndpointSubset]) -> bool {
    let mut room = CAPACITY;
    let mut cut = false;
    let mut shorten = |list: &mut Option<Vec<EndpointAddress>>| {
        let Some(addresses) = list else { return };
        cut |= addresses.len() > room;
        addresses.truncate(room);
        room -= addresses.len();
        if addresses.is_empty() {
            *list = None;
        }
    };
    subsets.iter_mut().for_each(|s| shorten(&mut s.addresses));
    subsets.iter_mut().for_each(|s| shorten(&mut s.not_ready_addresses));
    cut
}

impl Controller for EndpointsController {
    fn name(&self) -> &'static str {
        NAME
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![Service::ID, Pod::ID, Endpoints::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        match change.kind {
            Pod::ID => services::add_services_of(&self.client, change, queue),
            // Someone else's change is undone; one's own finds nothing to do.
            _ => queue.add_name(change.object.namespace(), change.object.name()),
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        let existing = self.client.find::<Endpoints>(&key.0, &key.1);
        let Some(service) = self.client.find::<Service>(&key.0, &key.1) else {
            let own = |e: &Rc<Endpoints>| {
                crate::api::meta::label(&e.metadata, MANAGED_BY) == Some(MANAGER)
            };
            // Hand-made ones go with their service as well, but stay if there never was one.
            if existing.is_some_and(|e| own(&e)) {
                let options = DeleteOptions::default();
                match self.client.delete::<Endpoints>(&key.0, &key.1, &options) {
                    Err(error) if !error.is_not_found() => return Err(error),
                    _ => {}
                }
            }
            return Ok(None);
        };
        if services::selector(&service).is_none() || services::is_external_name(&service) {
            return Ok(None);
        }
        let mut subsets = subsets(&service, &services::selected(&self.client, &service));
        let truncated = truncate(&mut subsets);
        subsets.retain(|s| s.addresses.is_some() || s.not_ready_addresses.is_some());
        let subsets = (!subsets.is_empty()).then_some(subsets);
        let mut labels = service.metadata.labels.clone().unwrap_or_default();
        labels.insert(MANAGED_BY.into(), MANAGER.into());
        if services::is_headless(&service) {
            labels.insert(services::HEADLESS.into(), String::new());
        } else {
            labels.remove(services::HEADLESS);
        }
        if let Some(old) = &existing {
            if old.subsets == subsets && old.metadata.labels.as_ref() == Some(&labels) {
                return Ok(None);
            }
        }
        let mut new = existing.as_ref().map(|e| (**e).clone()).unwrap_or_else(|| Endpoints {
            metadata: ObjectMeta {
                name: Some(key.1.to_string()),
                namespace: Some(key.0.to_string()),
                ..Default::default()
            },
            subsets: None,
        });
        new.subsets = subsets;
        new.metadata.labels = Some(labels);
        let annotations = new.metadata.annotations.get_or_insert_default();
        let now = self.client.sim().now().to_meta().0.to_string();
        annotations.insert(services::TRIGGER.into(), now);
        if truncated {
            annotations.insert(OVER_CAPACITY.into(), "truncated".into());
        } else {
            annotations.remove(OVER_CAPACITY);
        }
        if existing.is_some() { self.client.update(new) } else { self.client.create(new) }?;
        Ok(None)
    }

    fn is_throttled(&self) -> bool {
        true
    }
}
