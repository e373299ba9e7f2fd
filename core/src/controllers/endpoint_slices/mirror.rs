//! Shows hand-made Endpoints, those of services that select nothing, as EndpointSlices.
//!
//! Models `pkg/controller/endpointslicemirroring`.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::{
    api::{
        core::v1::{EndpointAddress, EndpointSubset, Endpoints, Service},
        discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{MANAGED_BY, SERVICE_NAME, by_service, fill, write};
use crate::{
    api::{
        KindId, Object, Status, Typed,
        meta::{controller_ref, is_deleting, label},
    },
    client::{Change, Client, IndexId, Op},
    controllers::{
        framework::{Controller, Key, Queue},
        services,
    },
};

const NAME: &str = "endpointslice-mirroring-controller";
const MANAGER: &str = "endpointslicemirroring-controller.k8s.io";
const SKIP: &str = "endpointslice.kubernetes.io/skip-mirror";
const LEADER: &str = "control-plane.alpha.kubernetes.io/leader";

/// The mirroring controller.
pub fn make(client: &Client) -> Box<dyn Controller> {
    let slices = client.index::<EndpointSlice>(by_service);
    Box::new(Mirror { client: client.clone(), slices })
}

struct Mirror {
    client: Client,
    slices: IndexId,
}

fn is_mirrored(endpoints: &Endpoints) -> bool {
    let meta = &endpoints.metadata;
    label(meta, SKIP) != Some("true")
        && crate::api::meta::annotation(meta, LEADER).is_none()
        && !is_deleting(meta)
}

fn endpoint(address: &EndpointAddress, ready: bool) -> Endpoint {
    Endpoint {
        addresses: vec![address.ip.clone()],
        conditions: Some(EndpointConditions { ready: Some(ready), ..Default::default() }),
        hostname: address.hostname.clone(),
        node_name: address.node_name.clone(),
        target_ref: address.target_ref.clone(),
        ..Default::default()
    }
}

fn group(subset: &EndpointSubset) -> (fill::Ports, Vec<Endpoint>) {
    let ports = subset.ports.iter().flatten().map(|p| EndpointPort {
        name: Some(p.name.clone().unwrap_or_default()),
        port: Some(p.port),
        protocol: p.protocol.clone(),
        app_protocol: p.app_protocol.clone(),
    });
    let ready = subset.addresses.iter().flatten().map(|a| endpoint(a, true));
    let waiting = subset.not_ready_addresses.iter().flatten().map(|a| endpoint(a, false));
    (fill::Ports::new(ports.collect()), ready.chain(waiting).collect())
}

impl Mirror {
    fn blank(&self, endpoints: &Endpoints, ports: &fill::Ports) -> EndpointSlice {
        let owner: &dyn Object = endpoints;
        let mut labels = endpoints.metadata.labels.clone().unwrap_or_default();
        labels.insert(SERVICE_NAME.into(), owner.name().to_string());
        labels.insert(MANAGED_BY.into(), MANAGER.into());
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

impl Controller for Mirror {
    fn name(&self) -> &'static str {
        NAME
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![Endpoints::ID, Service::ID, EndpointSlice::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        if change.kind != EndpointSlice::ID {
            return queue.add_name(change.object.namespace(), change.object.name());
        }
        let meta = change.object.metadata();
        if let Some(service) = label(meta, SERVICE_NAME) {
            if label(meta, MANAGED_BY) == Some(MANAGER) && change.op != Op::Added {
                queue.add_name(change.object.namespace(), service);
            }
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        let mut existing =
            self.client.by_index::<EndpointSlice>(self.slices, &format!("{}/{}", key.0, key.1));
        existing.retain(|s| label(&s.metadata, MANAGED_BY) == Some(MANAGER));
        let service = self.client.find::<Service>(&key.0, &key.1);
        let hand_made = service.is_some_and(|s| services::selector(&s).is_none());
        let endpoints = self.client.find::<Endpoints>(&key.0, &key.1);
        let endpoints = endpoints.filter(|e| hand_made && is_mirrored(e));
        let Some(endpoints) = endpoints else {
            write(&self.client, fill::Plan { delete: existing, ..Default::default() })?;
            return Ok(None);
        };
        let mut desired: BTreeMap<fill::Ports, Vec<Endpoint>> = BTreeMap::new();
        for subset in endpoints.subsets.iter().flatten() {
            let (ports, list) = group(subset);
            desired.entry(ports).or_default().extend(list);
        }
        let blank = |ports: &fill::Ports| self.blank(&endpoints, ports);
        let address = |e: &Endpoint| e.addresses.first().cloned().unwrap_or_default();
        write(&self.client, fill::plan(existing, desired, blank, &address, false))?;
        Ok(None)
    }
}
