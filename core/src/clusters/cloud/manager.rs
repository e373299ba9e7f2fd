//! The cloud-controller-manager: tells the cluster what the provider knows of its nodes, and the
//! provider which load balancers the cluster's services want.
//!
//! Models `cloud-provider/controllers` (node, nodelifecycle, service; of the route controller the
//! condition that it sets).

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    rc::{Rc, Weak},
    time::Duration,
};

use k8s_openapi::api::{
    core::v1::{
        LoadBalancerIngress, LoadBalancerStatus, Node, NodeAddress, NodeCondition, Service,
        ServiceStatus,
    },
    discovery::v1::EndpointSlice,
};

use super::{Cloud, Instance, MACHINE_TYPE, REGION, UNINITIALIZED, balancer::Balanced};
use crate::{
    api::{
        KindId, Object, Status, Typed,
        meta::{is_deleting, label},
        scheduling::taints,
    },
    client::{Change, Client, DeleteOptions, EventType, IndexId, Op, Recorder},
    controllers::{
        endpoint_slices,
        framework::{self, Controller, Key, Queue, Running},
    },
    fabric::Proto,
    sim::Time,
};

/// What holds a service until its load balancer is gone.
const FINALIZER: &str = "service.kubernetes.io/load-balancer-cleanup";
/// Nodes with this label get no traffic from load balancers.
const EXCLUDED: &str = "node.kubernetes.io/exclude-from-external-load-balancers";
/// What the autoscaler taints nodes with that it removes.
pub const TO_BE_DELETED: &str = "ToBeDeletedByClusterAutoscaler";
/// How long the provider takes to make a load balancer, and to take one away.
const MAKE: Duration = Duration::from_secs(25);
const UNMAKE: Duration = Duration::from_secs(10);
/// How often nodes that do not report are asked about at the provider (`--node-monitor-period`).
const MONITOR: Duration = Duration::from_secs(5);

/// The controllers at work; they stop when this is dropped.
pub struct Manager {
    _running: Vec<Running>,
}

impl Manager {
    /// Starts them for a provider's cluster.
    pub fn start(client: &Client, cloud: &Rc<Cloud>) -> Self {
        let controllers: Vec<Box<dyn Controller>> = vec![
            Box::new(Nodes {
                client: client.clone(),
                init: Recorder::new(client, "cloud-node-controller", ""),
                life: Recorder::new(client, "cloud-node-lifecycle-controller", ""),
                cloud: Rc::downgrade(cloud),
            }),
            Box::new(Services {
                client: client.clone(),
                events: Recorder::new(client, "service-controller", ""),
                slices: client.index::<EndpointSlice>(endpoint_slices::by_service),
                cloud: Rc::downgrade(cloud),
                pending: RefCell::default(),
            }),
        ];
        let running = controllers.into_iter().map(|c| framework::start(client, c)).collect();
        Manager { _running: running }
    }
}

struct Nodes {
    client: Client,
    init: Recorder,
    life: Recorder,
    cloud: Weak<Cloud>,
}

fn condition<'a>(node: &'a Node, kind: &str) -> Option<&'a NodeCondition> {
    let conditions = node.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|c| c.type_ == kind)
}

fn is_ready(node: &Node) -> bool {
    condition(node, "Ready").is_some_and(|c| c.status == "True")
}

impl Nodes {
    /// Writes what the provider knows of a new node, and lets pods come.
    fn initialise(&self, node: &Rc<Node>, instance: &Instance) -> Result<(), Status> {
        let mut new = (**node).clone();
        let spec = new.spec.get_or_insert_default();
        spec.provider_id = Some(instance.id.clone());
        if let Some(taints) = &mut spec.taints {
            taints.retain(|t| t.key != UNINITIALIZED);
        }
        let labels = new.metadata.labels.get_or_insert_default();
        for (key, value) in [
            ("beta.kubernetes.io/instance-type", MACHINE_TYPE),
            ("failure-domain.beta.kubernetes.io/region", REGION),
            ("failure-domain.beta.kubernetes.io/zone", instance.zone),
            ("node.kubernetes.io/instance-type", MACHINE_TYPE),
            ("topology.kubernetes.io/region", REGION),
            ("topology.kubernetes.io/zone", instance.zone),
        ] {
            labels.insert(key.into(), value.into());
        }
        let mut new = (*self.client.update(new)?).clone();
        let status = new.status.get_or_insert_default();
        let name = node.metadata.name.clone().unwrap_or_default();
        status.addresses = Some(
            [
                ("InternalIP", instance.internal.to_string()),
                ("ExternalIP", instance.external.to_string()),
                ("Hostname", name),
            ]
            .map(|(kind, address)| NodeAddress { type_: kind.into(), address })
            .into(),
        );
        let now = self.client.sim().now().to_meta();
        status.conditions.get_or_insert_default().insert(
            0,
            NodeCondition {
                type_: "NetworkUnavailable".into(),
                status: "False".into(),
                reason: Some("RouteCreated".into()),
                message: Some("RouteController created a route".into()),
                last_heartbeat_time: Some(now.clone()),
                last_transition_time: Some(now),
            },
        );
        self.client.update_status(new)?;
        self.init.event(&**node, EventType::Normal, "Synced", "Node synced successfully");
        Ok(())
    }
}

impl Controller for Nodes {
    fn name(&self) -> &'static str {
        "cloud-node-controller"
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![Node::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        if change.op != Op::Deleted {
            queue.add_name("", change.object.name());
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        let Some(cloud) = self.cloud.upgrade() else { return Ok(None) };
        let Some(node) = self.client.find::<Node>("", &key.1) else { return Ok(None) };
        let Some(instance) = cloud.instance(&key.1) else {
            if is_ready(&node) {
                // The machine may just be going: its silence will tell.
                return Ok(None);
            }
            let text =
                format!("Deleting node {} because it does not exist in the cloud provider", key.1);
            self.life.event(&*node, EventType::Normal, "DeletingNode", &text);
            let deleted = self.client.delete::<Node>("", &key.1, &DeleteOptions::default());
            return match deleted {
                Err(error) if !error.is_not_found() => Err(error),
                _ => Ok(None),
            };
        };
        if taints(&node).iter().any(|t| t.key == UNINITIALIZED) {
            self.initialise(&node, &instance)?;
            cloud.balancer.map_machine(instance.external, instance.internal);
        }
        Ok((!is_ready(&node)).then_some(MONITOR))
    }
}

/// What is on its way for a service at the provider.
enum Pending {
    Made(Time),
    Unmade(Time),
}

struct Services {
    client: Client,
    events: Recorder,
    slices: IndexId,
    cloud: Weak<Cloud>,
    pending: RefCell<BTreeMap<String, Pending>>,
}

fn wants_balancer(service: &Service) -> bool {
    let spec = service.spec.as_ref();
    spec.is_some_and(|s| {
        s.type_.as_deref() == Some("LoadBalancer") && s.load_balancer_class.is_none()
    })
}

fn has_finalizer(service: &Service) -> bool {
    service.metadata.finalizers.iter().flatten().any(|f| f == FINALIZER)
}

impl Services {
    /// The ports of a service's load balancer, each with its node port.
    fn ports(service: &Service) -> BTreeMap<(Proto, u16), u16> {
        let ports = service.spec.iter().flat_map(|s| s.ports.iter().flatten());
        let port = |p: &k8s_openapi::api::core::v1::ServicePort| {
            let proto = if p.protocol.as_deref() == Some("UDP") { Proto::Udp } else { Proto::Tcp };
            let node_port = u16::try_from(p.node_port?).ok()?;
            Some(((proto, u16::try_from(p.port).ok()?), node_port))
        };
        ports.filter_map(port).collect()
    }

    /// The machines that a service's load balancer sends to: all that are ready, or where the
    /// service says so only those that have a ready endpoint.
    fn machines(&self, cloud: &Cloud, key: &Key, service: &Service) -> BTreeSet<Ipv4Addr> {
        let spec = service.spec.as_ref();
        let local = spec.and_then(|s| s.external_traffic_policy.as_deref()) == Some("Local");
        let mut with_endpoints = BTreeSet::new();
        if local {
            let slices = format!("{}/{}", key.0, key.1);
            for slice in self.client.by_index::<EndpointSlice>(self.slices, &slices) {
                for endpoint in slice.endpoints.iter().flatten() {
                    let ready = endpoint.conditions.as_ref().and_then(|c| c.ready);
                    if ready != Some(false) {
                        with_endpoints.extend(endpoint.node_name.clone());
                    }
                }
            }
        }
        let nodes = self.client.list::<Node>(None);
        let fit = nodes.iter().filter(|n| {
            is_ready(n)
                && label(&n.metadata, EXCLUDED).is_none()
                && !taints(n).iter().any(|t| t.key == TO_BE_DELETED || t.key == UNINITIALIZED)
        });
        fit.map(|n| (&**n as &dyn Object).name())
            .filter(|name| !local || with_endpoints.contains(*name))
            .filter_map(|name| Some(cloud.instance(name)?.internal))
            .collect()
    }

    fn write_finalizer(&self, service: &Rc<Service>, wanted: bool) -> Result<Rc<Service>, Status> {
        if has_finalizer(service) == wanted {
            return Ok(service.clone());
        }
        let mut new = (**service).clone();
        let finalizers = new.metadata.finalizers.get_or_insert_default();
        match wanted {
            true => finalizers.push(FINALIZER.into()),
            false => finalizers.retain(|f| f != FINALIZER),
        }
        self.client.update(new)
    }

    fn write_status(&self, service: &Service, address: Option<Ipv4Addr>) -> Result<(), Status> {
        let ingress = address.map(|ip| {
            vec![LoadBalancerIngress {
                ip: Some(ip.to_string()),
                ip_mode: Some("VIP".into()),
                ..Default::default()
            }]
        });
        let status = service.status.as_ref();
        let old = status.and_then(|s| s.load_balancer.as_ref()?.ingress.as_ref());
        if old == ingress.as_ref() {
            return Ok(());
        }
        let mut new = service.clone();
        new.status = Some(ServiceStatus {
            conditions: status.and_then(|s| s.conditions.clone()),
            load_balancer: Some(LoadBalancerStatus { ingress }),
        });
        self.client.update_status(new).map(|_| ())
    }

    fn tell(&self, service: &Service, reason: &str, text: &str) {
        self.events.event(service, EventType::Normal, reason, text);
    }

    fn ensure(
        &self,
        cloud: &Cloud,
        key: &Key,
        service: &Rc<Service>,
    ) -> Result<Option<Duration>, Status> {
        let uid = (&**service as &dyn Object).uid().to_string();
        let now = self.client.sim().now();
        let due = match self.pending.borrow().get(&uid) {
            Some(Pending::Made(due)) => Some(*due),
            _ => None,
        };
        let wanted =
            Balanced { ports: Self::ports(service), machines: self.machines(cloud, key, service) };
        if cloud.balancer.has(&uid) {
            let told = service.status.as_ref().and_then(|s| s.load_balancer.as_ref());
            let told = told.is_some_and(|s| s.ingress.is_some());
            if told && cloud.balancer.set_machines(&uid, wanted.machines.clone()) {
                self.tell(service, "UpdatedLoadBalancer", "Updated load balancer with new hosts");
            }
            let address = cloud.balancer.ensure(&uid, wanted);
            return self.write_status(service, Some(address)).map(|()| None);
        }
        let Some(due) = due else {
            self.tell(service, "EnsuringLoadBalancer", "Ensuring load balancer");
            self.write_finalizer(service, true)?;
            self.pending.borrow_mut().insert(uid, Pending::Made(now + MAKE));
            return Ok(Some(MAKE));
        };
        if due > now {
            return Ok(Some(due.since(now)));
        }
        self.pending.borrow_mut().remove(&uid);
        let address = cloud.balancer.ensure(&uid, wanted);
        self.write_status(service, Some(address))?;
        self.tell(service, "EnsuredLoadBalancer", "Ensured load balancer");
        Ok(None)
    }

    fn remove(&self, cloud: &Cloud, service: &Rc<Service>) -> Result<Option<Duration>, Status> {
        let uid = (&**service as &dyn Object).uid().to_string();
        if !has_finalizer(service) && !cloud.balancer.has(&uid) {
            self.pending.borrow_mut().remove(&uid);
            return Ok(None);
        }
        let now = self.client.sim().now();
        let due = match self.pending.borrow().get(&uid) {
            Some(Pending::Unmade(due)) => Some(*due),
            _ => None,
        };
        match due {
            None => {
                self.tell(service, "DeletingLoadBalancer", "Deleting load balancer");
                self.pending.borrow_mut().insert(uid, Pending::Unmade(now + UNMAKE));
                Ok(Some(UNMAKE))
            }
            Some(due) if due > now => Ok(Some(due.since(now))),
            Some(_) => {
                cloud.balancer.remove(&uid);
                self.pending.borrow_mut().remove(&uid);
                self.write_status(service, None)?;
                let key: &dyn Object = &**service;
                let Some(service) = self.client.find::<Service>(key.namespace(), key.name()) else {
                    return Ok(None);
                };
                self.write_finalizer(&service, false)?;
                self.tell(&service, "DeletedLoadBalancer", "Deleted load balancer");
                Ok(None)
            }
        }
    }
}

impl Controller for Services {
    fn name(&self) -> &'static str {
        "service-lb-controller"
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![Service::ID, Node::ID, EndpointSlice::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        let object = &*change.object;
        if let Some(service) = object.downcast::<Service>() {
            let old = change.old.as_ref().and_then(|o| o.downcast::<Service>());
            let kind = |s: &Service| s.spec.as_ref().and_then(|s| s.type_.clone());
            if let Some(old) = old.filter(|o| wants_balancer(o) != wants_balancer(service)) {
                let text = |s: &Service| kind(s).unwrap_or_default();
                self.tell(service, "Type", &format!("{} -> {}", text(old), text(service)));
            }
            if change.op != Op::Deleted {
                queue.add_name(object.namespace(), object.name());
            }
        } else if let Some(node) = object.downcast::<Node>() {
            let old = change.old.as_ref().and_then(|o| o.downcast::<Node>());
            let of = |n: &Node| (is_ready(n), taints(n).to_vec(), n.metadata.labels.clone());
            if change.op == Op::Modified && old.is_some_and(|o| of(o) == of(node)) {
                return;
            }
            for service in self.client.list::<Service>(None).iter().filter(|s| wants_balancer(s)) {
                let service: &dyn Object = &**service;
                queue.add_name(service.namespace(), service.name());
            }
        } else if let Some(service) = label(object.metadata(), endpoint_slices::SERVICE_NAME) {
            let found = self.client.find::<Service>(object.namespace(), service);
            if found.is_some_and(|s| wants_balancer(&s)) {
                queue.add_name(object.namespace(), service);
            }
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        let Some(cloud) = self.cloud.upgrade() else { return Ok(None) };
        let Some(service) = self.client.find::<Service>(&key.0, &key.1) else { return Ok(None) };
        if wants_balancer(&service) && !is_deleting(&service.metadata) {
            self.ensure(&cloud, key, &service)
        } else {
            self.remove(&cloud, &service)
        }
    }
}
