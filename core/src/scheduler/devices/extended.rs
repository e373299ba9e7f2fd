//! Extended resources (`example.com/gpu: 1`) that stand for devices of a class: a pod that asks for
//! them gets a claim of its own, made once its node is chosen.
//!
//! A node that has such a resource itself (by a device plugin) gives that instead.
//!
//! Models `extendeddynamicresources.go` and `dynamicresources/extended`.

use std::{collections::BTreeMap, rc::Rc};

use k8s_openapi::{
    api::{
        core::v1::{
            Container, ContainerExtendedResourceRequest, Pod, PodExtendedResourceClaimStatus,
        },
        resource::v1::{
            DeviceClaim, DeviceClass, DeviceRequest, ExactDeviceRequest, ResourceClaim,
            ResourceClaimSpec,
        },
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use crate::{
    api::{
        Object, claims,
        meta::{annotation, controller_of, controller_ref},
    },
    client::{Client, DeleteOptions},
    scheduler::{
        cache::{NodeInfo, PodInfo},
        framework::Rejection,
        resources::{self, Resources},
    },
};

/// The start of the names that stand for a class whatever it says itself.
const IMPLICIT: &str = "deviceclass.resource.kubernetes.io/";
/// What a claim is called that is not made yet (`specialClaimInMemName`).
const UNMADE: &str = "<extended-resources>";

/// Index: classes by the extended resource that they name.
fn classes_by_resource(object: &dyn Object) -> Vec<String> {
    let class = object.downcast::<DeviceClass>();
    let named = class.and_then(|c| c.spec.extended_resource_name.clone());
    named.filter(|n| !n.is_empty()).into_iter().collect()
}

/// Index: claims that were made for extended resources, by the uid of their pod.
fn claims_by_pod(object: &dyn Object) -> Vec<String> {
    let Some(claim) = object.downcast::<ResourceClaim>() else { return Vec::new() };
    let made = annotation(&claim.metadata, claims::EXTENDED) == Some("true");
    let owner = controller_of(&claim.metadata).filter(|_| made);
    owner.map(|o| o.uid.clone()).into_iter().collect()
}

/// The class of the devices for which an extended resource stands. Of several that name it the
/// newest is taken, then the first by name.
pub fn class_of(client: &Client, resource: &str) -> Option<String> {
    let index = client.index::<DeviceClass>(classes_by_resource);
    let named = client.by_index::<DeviceClass>(index, resource);
    let newest = named.iter().max_by_key(|class| {
        let meta = &class.metadata;
        (meta.creation_timestamp.as_ref().map(|t| t.0), std::cmp::Reverse(meta.name.clone()))
    });
    if let Some(class) = newest {
        return class.metadata.name.clone();
    }
    let class = resource.strip_prefix(IMPLICIT)?;
    client.find::<DeviceClass>("", class).map(|_| class.to_string())
}

/// What a pod asks for of extended resources, some of which stand for devices.
pub struct Extended {
    /// Resources, and the class of their devices if they stand for some.
    wants: BTreeMap<String, Option<String>>,
    /// The claim that was made for it before, though it was not bound then.
    pub left_over: Option<Rc<ResourceClaim>>,
}

/// Looks through a pod; `None` if nothing that it asks for stands for devices.
pub fn of_pod(client: &Client, pod: &PodInfo) -> Option<Extended> {
    let scalar = pod.requests.scalar.iter();
    let wanted = scalar.filter(|(name, amount)| **amount > 0 && Resources::is_extended(name));
    let wants: BTreeMap<_, _> =
        wanted.map(|(name, _)| (name.clone(), class_of(client, name))).collect();
    if !wants.values().any(Option::is_some) {
        return None;
    }
    let index = client.index::<ResourceClaim>(claims_by_pod);
    let left_over = client.by_index::<ResourceClaim>(index, pod.uid()).into_iter().next();
    Some(Extended { wants, left_over })
}

fn containers(pod: &Pod) -> impl Iterator<Item = (usize, &Container)> {
    let spec = pod.spec.iter();
    let init = spec.clone().flat_map(|s| s.init_containers.iter().flatten());
    init.chain(spec.flat_map(|s| &s.containers)).enumerate()
}

/// The requests of a container, by name, and the names that they have in a claim.
fn named(i: usize, container: &Container) -> impl Iterator<Item = (&String, i64, String)> {
    let requests = container.resources.as_ref().and_then(|r| r.requests.as_ref());
    let all = requests.into_iter().flatten().enumerate();
    all.map(move |(j, (name, quantity))| {
        (name, resources::whole(quantity), format!("container-{i}-request-{j}"))
    })
}

impl Extended {
    /// The claim that a pod needs on a node; `None` if the node has it all itself.
    pub fn claim_on(
        &self,
        client: &Client,
        pod: &PodInfo,
        node: &NodeInfo,
    ) -> Result<Option<Rc<ResourceClaim>>, Rejection> {
        if self.left_over.is_some() {
            return Err(Rejection::final_("cannot schedule extended resource claim"));
        }
        let mut requests = Vec::new();
        for (resource, class) in &self.wants {
            let has = node.allocatable.scalar.contains_key(resource);
            let Some(class) = class else {
                if has {
                    continue;
                }
                return Err(Rejection::final_("cannot fit resource"));
            };
            if has {
                continue;
            }
            for (i, container) in containers(&pod.pod) {
                let own = named(i, container).find(|(name, n, _)| *name == resource && *n > 0);
                requests.extend(own.map(|(_, count, name)| DeviceRequest {
                    name,
                    exactly: Some(ExactDeviceRequest {
                        device_class_name: class.clone(),
                        allocation_mode: Some("ExactCount".into()),
                        count: Some(count),
                        ..Default::default()
                    }),
                    first_available: None,
                }));
            }
        }
        if requests.is_empty() {
            return Ok(None);
        }
        let owner = controller_ref(&client.kinds(), &*pod.pod);
        let metadata = ObjectMeta {
            name: Some(UNMADE.into()),
            generate_name: Some(format!("{}-extended-resources-", pod.name())),
            namespace: Some(pod.namespace().to_string()),
            annotations: Some([(claims::EXTENDED.to_string(), "true".to_string())].into()),
            owner_references: Some(vec![owner]),
            ..Default::default()
        };
        let devices = DeviceClaim { requests: Some(requests), ..Default::default() };
        let spec = ResourceClaimSpec { devices: Some(devices) };
        Ok(Some(Rc::new(ResourceClaim { metadata, spec, status: None })))
    }
}

/// Makes a claim that was worked out.
pub fn create(client: &Client, claim: &ResourceClaim) -> Result<Rc<ResourceClaim>, String> {
    let mut new = claim.clone();
    new.metadata.name = None;
    let made = client.create(new);
    made.map_err(|why| format!("create claim for extended resources: {why}"))
}

/// Tells a pod which of its claim's requests are for which container.
pub fn note(client: &Client, pod: &PodInfo, claim: &ResourceClaim) -> Result<(), String> {
    let Some(stored) = client.find::<Pod>(pod.namespace(), pod.name()) else { return Ok(()) };
    let devices = claim.spec.devices.as_ref();
    let requests = devices.and_then(|d| d.requests.as_deref()).unwrap_or_default();
    let mut mappings = Vec::new();
    for (i, container) in containers(&pod.pod) {
        for (resource, _, request_name) in named(i, container) {
            if requests.iter().any(|r| r.name == request_name) {
                mappings.push(ContainerExtendedResourceRequest {
                    container_name: container.name.clone(),
                    resource_name: resource.clone(),
                    request_name,
                });
            }
        }
    }
    let mut new = (*stored).clone();
    let status = new.status.get_or_insert_default();
    status.extended_resource_claim_status = Some(PodExtendedResourceClaimStatus {
        request_mappings: mappings,
        resource_claim_name: claim.metadata.name.clone().unwrap_or_default(),
    });
    let written = client.update_status(new);
    written.map(|_| ()).map_err(|why| {
        let (namespace, name) = (pod.namespace(), pod.name());
        format!("update pod {namespace}/{name} ExtendedResourceClaimStatus: {why}")
    })
}

/// Removes a claim that did not get its pod a node.
pub fn delete(client: &Client, claim: &ResourceClaim) -> Result<(), crate::api::Status> {
    let object: &dyn Object = claim;
    let mut new = claim.clone();
    if let Some(finalizers) = &mut new.metadata.finalizers {
        finalizers.retain(|f| f != claims::FINALIZER);
        client.update(new)?;
    }
    client
        .delete::<ResourceClaim>(object.namespace(), object.name(), &DeleteOptions::default())
        .map(|_| ())
}
