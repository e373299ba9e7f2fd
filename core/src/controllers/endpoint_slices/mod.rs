//! Keeps the EndpointSlices of services that select pods.
//!
//! Endpoints stay in the slice where they are; new ones fill slices that change anyway before
//! others are touched, so that a change of one pod rewrites one slice.
//!
//! Models `pkg/controller/endpointslice` and `staging/src/k8s.io/endpointslice`.

mod fill;
pub mod mirror;
#[cfg(test)]
mod tests;
mod topology;

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use k8s_openapi::{
    api::{
        core::v1::{Node, Pod, Service},
        discovery::v1::{
            Endpoint, EndpointConditions, EndpointHints, EndpointPort, EndpointSlice, ForNode,
            ForZone,
        },
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{
    framework::{Controller, Key, Queue},
    pods, services,
};
use crate::{
    api::{
        KindId, Object, Status, Typed,
        meta::{controller_ref, is_deleting, label},
    },
    client::{Change, Client, DeleteOptions, EventType, IndexId, Op, Recorder},
};

const NAME: &str = "endpointslice-controller";
const MANAGER: &str = "endpointslice-controller.k8s.io";
/// The service that a slice belongs to.
pub const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// Who keeps a slice.
pub const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";

/// Index: slices by `namespace/service`.
pub fn by_service(object: &dyn Object) -> Vec<String> {
    let service = label(object.metadata(), SERVICE_NAME);
    service.map(|s| format!("{}/{s}", object.namespace())).into_iter().collect()
}

/// The EndpointSlice controller.
pub fn make(client: &Client) -> Box<dyn Controller> {
    let slices = client.index::<EndpointSlice>(by_service);
    Box::new(Slices {
        client: client.clone(),
        events: Recorder::new(client, "endpoint-slice-controller", ""),
        slices,
        hinted: RefCell::default(),
        shares: RefCell::default(),
    })
}

struct Slices {
    client: Client,
    events: Recorder,
    slices: IndexId,
    /// Services whose endpoints were given zones, and how many are for each.
    hinted: RefCell<BTreeMap<Key, topology::Counts>>,
    /// What each zone has of the cluster's processors, once somebody asked.
    shares: RefCell<Option<Option<topology::Shares>>>,
}

impl Slices {
    fn endpoint(&self, pod: &Pod, service: &Service) -> Endpoint {
        let serving = pods::is_ready(pod);
        let terminating = is_deleting(&pod.metadata);
        let ready = services::publishes_unready(service) || (serving && !terminating);
        let node = pods::node_name(pod);
        let zone = self
            .client
            .find::<Node>("", node)
            .and_then(|n| label(&n.metadata, "topology.kubernetes.io/zone").map(str::to_string));
        Endpoint {
            addresses: vec![pods::ip(pod).to_string()],
            conditions: Some(EndpointConditions {
                ready: Some(ready),
                serving: Some(serving),
                terminating: Some(terminating),
            }),
            hostname: services::hostname(pod, service),
            node_name: Some(node.to_string()).filter(|n| !n.is_empty()),
            target_ref: Some(services::pod_reference(pod)),
            hints: match ready && !topology::is_auto(service) {
                true => hints(service, zone.as_deref(), node),
                false => None,
            },
            zone,
            ..Default::default()
        }
    }

    /// The endpoints that there should be, by the ports that they have.
    fn desired(&self, service: &Service) -> BTreeMap<fill::Ports, Vec<Endpoint>> {
        let mut groups: BTreeMap<fill::Ports, Vec<Endpoint>> = BTreeMap::new();
        for pod in services::selected(&self.client, service) {
            if !services::is_candidate(&pod, true) {
                continue;
            }
            let ports = services::ports(service).iter().filter_map(|port| {
                let number = services::target_port(&pod, port)?;
                Some(EndpointPort {
                    name: Some(port.name.clone().unwrap_or_default()),
                    port: Some(number),
                    protocol: Some(port.protocol.clone().unwrap_or_else(|| "TCP".into())),
                    app_protocol: port.app_protocol.clone(),
                })
            });
            let endpoint = self.endpoint(&pod, service);
            groups.entry(fill::Ports::new(ports.collect())).or_default().push(endpoint);
        }
        groups
    }

    /// Gives the endpoints of a service zones, or says why not.
    fn assign_zones(&self, key: &Key, service: &Service, plan: &mut fill::Plan) {
        let assigned = {
            let mut shares = self.shares.borrow_mut();
            let shares = shares.get_or_insert_with(|| topology::shares(&self.client));
            topology::assign(plan, shares.as_ref())
        };
        match assigned {
            Ok(counts) => {
                if self.hinted.borrow_mut().insert(key.clone(), counts).is_none() {
                    self.tell_hints(service, true, "Topology Aware Hints has been enabled");
                }
            }
            Err(why) => {
                self.hinted.borrow_mut().remove(key);
                topology::clear(plan);
                self.tell_hints(service, false, &why);
            }
        }
    }

    fn tell_hints(&self, service: &Service, enabled: bool, text: &str) {
        let (kind, reason) = match enabled {
            true => (EventType::Normal, "TopologyAwareHintsEnabled"),
            false => (EventType::Warning, "TopologyAwareHintsDisabled"),
        };
        self.events.event(service, kind, reason, &format!("{text}, addressType: IPv4"));
    }

    /// The zones' shares may be others now: services with too few endpoints in one are looked at.
    fn node_changed(&self, change: &Change, queue: &Queue) {
        let of = |o: &crate::api::ObjRef| {
            let node = o.downcast::<Node>()?;
            let (zone, ready) = topology::what_counts(node);
            Some((zone.map(str::to_string), ready))
        };
        let same = change.old.as_ref().is_some_and(|old| of(old) == of(&change.object));
        if same && change.op == Op::Modified {
            return;
        }
        self.shares.take();
        let hinted = self.hinted.borrow();
        if hinted.is_empty() {
            return;
        }
        let shares = topology::shares(&self.client);
        for key in topology::overloaded(&hinted, shares.as_ref()) {
            queue.add(key);
        }
        *self.shares.borrow_mut() = Some(shares);
    }

    /// A slice without endpoints, to be named by the server.
    fn blank(&self, service: &Service, ports: &fill::Ports) -> EndpointSlice {
        let owner: &dyn Object = service;
        let mut labels = service.metadata.labels.clone().unwrap_or_default();
        labels.insert(SERVICE_NAME.into(), owner.name().to_string());
        labels.insert(MANAGED_BY.into(), MANAGER.into());
        if services::is_headless(service) {
            labels.insert(services::HEADLESS.into(), String::new());
        } else {
            labels.remove(services::HEADLESS);
        }
        EndpointSlice {
            metadata: ObjectMeta {
                generate_name: Some(format!("{}-", owner.name())),
                namespace: Some(owner.namespace().to_string()),
                labels: Some(labels),
                owner_references: Some(vec![controller_ref(&self.client.kinds(), owner)]),
                ..Default::default()
            },
            address_type: "IPv4".into(),
            endpoints: Some(Vec::new()),
            ports: ports.list(),
        }
    }
}

impl Controller for Slices {
    fn name(&self) -> &'static str {
        NAME
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![Service::ID, Pod::ID, EndpointSlice::ID, Node::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        match change.kind {
            Pod::ID => services::add_services_of(&self.client, change, queue),
            Node::ID => self.node_changed(change, queue),
            EndpointSlice::ID => {
                let meta = change.object.metadata();
                // One's own writes come back unchanged; only deletions and strangers' matter, and
                // a look at those costs little.
                if let Some(service) = label(meta, SERVICE_NAME) {
                    if label(meta, MANAGED_BY) == Some(MANAGER) && change.op != Op::Added {
                        queue.add_name(change.object.namespace(), service);
                    }
                }
            }
            _ => queue.add_name(change.object.namespace(), change.object.name()),
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        // The slices of a service that is gone go with it: they are owned by it.
        let Some(service) = self.client.find::<Service>(&key.0, &key.1) else {
            self.hinted.borrow_mut().remove(key);
            return Ok(None);
        };
        let mut existing =
            self.client.by_index::<EndpointSlice>(self.slices, &format!("{}/{}", key.0, key.1));
        existing.retain(|s| label(&s.metadata, MANAGED_BY) == Some(MANAGER));
        if services::selector(&service).is_none() {
            return Ok(None);
        }
        if is_deleting(&service.metadata) {
            return Ok(None);
        }
        let mut groups = BTreeMap::new();
        if !services::is_external_name(&service) {
            groups = self.desired(&service);
            // A service without endpoints still has a slice, an empty one.
            if groups.is_empty() {
                groups.insert(fill::Ports::new(Vec::new()), Vec::new());
            }
        }
        let blank = |ports: &fill::Ports| self.blank(&service, ports);
        let auto = topology::is_auto(&service);
        let mut plan = fill::plan(existing, groups, blank, &endpoint_key, auto);
        if auto {
            self.assign_zones(key, &service, &mut plan);
        } else if self.hinted.borrow_mut().remove(key).is_some() {
            self.tell_hints(&service, false, "Topology Aware Hints has been disabled");
        }
        write(&self.client, plan)?;
        Ok(None)
    }

    fn is_throttled(&self) -> bool {
        true
    }
}

/// From where an endpoint should be used, if the service prefers what is near. Models
/// `endpointslice/trafficdist`.
fn hints(service: &Service, zone: Option<&str>, node: &str) -> Option<EndpointHints> {
    let wanted = service.spec.as_ref()?.traffic_distribution.as_deref()?;
    let zones = zone.map(|zone| vec![ForZone { name: zone.to_string() }]);
    let nodes = || (!node.is_empty()).then(|| vec![ForNode { name: node.to_string() }]);
    let hints = match wanted {
        "PreferClose" | "PreferSameZone" => EndpointHints { for_zones: zones, for_nodes: None },
        "PreferSameNode" => EndpointHints { for_zones: zones, for_nodes: nodes() },
        _ => return None,
    };
    (hints != EndpointHints::default()).then_some(hints)
}

/// What makes an endpoint the same one: its pod, and its address.
fn endpoint_key(endpoint: &Endpoint) -> String {
    let uid = endpoint.target_ref.as_ref().and_then(|t| t.uid.as_deref()).unwrap_or_default();
    format!("{}/{uid}", endpoint.addresses.first().map(String::as_str).unwrap_or_default())
}

/// Carries a plan out.
fn write(client: &Client, plan: fill::Plan) -> Result<(), Status> {
    let now = client.sim().now().to_meta().0.to_string();
    let stamp = |slice: &mut EndpointSlice| {
        let annotations = slice.metadata.annotations.get_or_insert_default();
        annotations.insert(services::TRIGGER.into(), now.clone());
    };
    for mut slice in plan.create {
        stamp(&mut slice);
        match client.create(slice) {
            Err(error) if error.message.contains("because it is being terminated") => {}
            Err(error) => return Err(error),
            Ok(_) => {}
        }
    }
    for mut slice in plan.update {
        stamp(&mut slice);
        client.update(slice)?;
    }
    for slice in plan.delete {
        let object: &dyn Object = &*slice;
        let options = DeleteOptions::default();
        match client.delete::<EndpointSlice>(object.namespace(), object.name(), &options) {
            Err(error) if !error.is_not_found() => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

type Existing = Vec<Rc<EndpointSlice>>;
