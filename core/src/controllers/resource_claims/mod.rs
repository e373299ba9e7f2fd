//! Makes the claims of devices that pods ask for by template, and takes devices back from claims that
//! no pod uses any more.
//!
//! Models `pkg/controller/resourceclaim`. Not simulated: claims of pod groups.

#[cfg(test)]
mod tests;

use std::{rc::Rc, time::Duration};

use k8s_openapi::{
    api::{
        core::v1::{Pod, PodResourceClaim, PodResourceClaimStatus},
        resource::v1::{ResourceClaim, ResourceClaimConsumerReference, ResourceClaimTemplate},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::framework::{Controller, Key, Queue};
use crate::{
    api::{
        KindId, Object, Status, Typed, claims,
        meta::{annotation, controller_of, controller_ref, is_deleting},
        pods,
    },
    client::{Change, Client, DeleteOptions, EventType, Op, Recorder},
};

/// Which of its pod's claims a claim was made for.
const FOR: &str = "resource.kubernetes.io/pod-claim-name";
/// Longest start of a generated name: 63 without a hyphen and five random characters.
const LONGEST: usize = 57;

/// The controller.
pub fn make(client: &Client) -> Box<dyn Controller> {
    Box::new(ResourceClaims {
        client: client.clone(),
        events: Recorder::new(client, "resource_claim", ""),
    })
}

struct ResourceClaims {
    client: Client,
    events: Recorder,
}

/// Index: claims by the uid of the pod that they were made for.
fn by_owner(object: &dyn Object) -> Vec<String> {
    let claim = object.downcast::<ResourceClaim>();
    claim.and_then(owner).map(|(_, uid)| uid.to_string()).into_iter().collect()
}

/// Name and uid of the pod for which a claim was made.
fn owner(claim: &ResourceClaim) -> Option<(&str, &str)> {
    let owner = controller_of(&claim.metadata)?;
    (owner.api_version == "v1" && owner.kind == "Pod").then_some((&owner.name, &owner.uid))
}

/// Whether no container of a pod runs or ever will.
fn is_done(pod: &Pod) -> bool {
    pods::is_terminal(pod) || (is_deleting(&pod.metadata) && pods::node_name(pod).is_empty())
}

fn uses_claims(pod: &Pod) -> bool {
    let extended = pod.status.as_ref().is_some_and(|s| s.extended_resource_claim_status.is_some());
    !claims::of_pod(pod).is_empty() || extended
}

fn add(queue: &Queue, sort: &str, namespace: &str, name: &str) {
    queue.add_name(namespace, &format!("{sort}:{name}"));
}

impl ResourceClaims {
    fn pod_changed(&self, pod: &Pod, deleted: bool, queue: &Queue) {
        if !uses_claims(pod) {
            return;
        }
        let object: &dyn Object = pod;
        if deleted || is_done(pod) {
            for key in claims::pods_by_claim(object) {
                let name = key.split_once('/').map_or("", |(_, name)| name);
                add(queue, "claim", object.namespace(), name);
            }
        }
        if !deleted && self.needs_work(pod) {
            add(queue, "pod", object.namespace(), object.name());
        }
    }

    fn find(&self, pod: &Pod, name: &str) -> Option<Rc<ResourceClaim>> {
        self.client.find::<ResourceClaim>((pod as &dyn Object).namespace(), name)
    }

    /// Whether a pod lacks claims, or is on a node without being allowed to use one.
    fn needs_work(&self, pod: &Pod) -> bool {
        if is_deleting(&pod.metadata) || is_done(pod) {
            return false;
        }
        for wanted in claims::of_pod(pod) {
            let name = match claims::name(pod, wanted) {
                Err(_) => return true,
                Ok(None) => return false,
                Ok(Some((name, _))) => name,
            };
            let Some(claim) = self.find(pod, &name) else {
                return wanted.resource_claim_template_name.is_some();
            };
            let own = wanted.resource_claim_template_name.is_some();
            if own && claims::check_owner(pod, &claim).is_err() {
                return false; // only when that claim is gone something can be done
            }
            let placed = !pods::node_name(pod).is_empty();
            if placed && claims::is_allocated(&claim) && !claims::is_reserved_for(&claim, pod) {
                return true;
            }
        }
        false
    }

    fn sync_pod(&self, namespace: &str, name: &str) -> Result<(), Status> {
        let Some(pod) = self.client.find::<Pod>(namespace, name) else { return Ok(()) };
        if is_deleting(&pod.metadata) || is_done(&pod) {
            return Ok(());
        }
        let mut made = Vec::new();
        for wanted in claims::of_pod(&pod) {
            let result = self.ensure(&pod, wanted).map_err(|why| {
                let text = format!("PodResourceClaim {}: {why}", wanted.name);
                let kind = EventType::Warning;
                self.events.event(&*pod, kind, "FailedResourceClaimCreation", &text);
                Status::internal(format!("pod {namespace}/{name}, {text}"))
            });
            made.extend(result?.map(|claim| (wanted.name.clone(), claim)));
        }
        let pod = if made.is_empty() { pod } else { self.note(&pod, made)? };
        if pods::node_name(&pod).is_empty() {
            return Ok(()); // the scheduler reserves what it needs
        }
        for wanted in claims::of_pod(&pod) {
            let Some((name, own)) = claims::name(&pod, wanted).map_err(Status::internal)? else {
                continue;
            };
            let Some(claim) = self.find(&pod, &name) else { return Ok(()) };
            if own {
                claims::check_owner(&pod, &claim).map_err(Status::internal)?;
            }
            if claims::is_allocated(&claim) && !claims::is_reserved_for(&claim, &pod) {
                self.reserve(&pod, &claim)?;
            }
        }
        Ok(())
    }

    /// Makes a claim if it is wanted and not there; its name if the pod does not know it yet.
    fn ensure(&self, pod: &Pod, wanted: &PodResourceClaim) -> Result<Option<String>, String> {
        let Some(template) = &wanted.resource_claim_template_name else { return Ok(None) };
        match claims::name(pod, wanted) {
            Ok(None) => return Ok(None),
            Ok(Some((name, _))) => {
                let found = self.find(pod, &name);
                if found.is_some_and(|claim| claims::check_owner(pod, &claim).is_ok()) {
                    return Ok(None);
                }
            }
            Err(_) => {}
        }
        let object: &dyn Object = pod;
        let index = self.client.index::<ResourceClaim>(by_owner);
        let mine = self.client.by_index::<ResourceClaim>(index, object.uid());
        let forgotten = mine.iter().find(|claim| {
            annotation(&claim.metadata, FOR) == Some(&wanted.name) && !is_deleting(&claim.metadata)
        });
        if let Some(claim) = forgotten {
            return Ok(claim.metadata.name.clone());
        }
        let namespace = object.namespace();
        let Some(found) = self.client.find::<ResourceClaimTemplate>(namespace, template) else {
            return Err(format!(
                "resource claim template {template:?}: resourceclaimtemplate.resource.k8s.io \
                 {template:?} not found"
            ));
        };
        let meta = found.spec.metadata.clone().unwrap_or_default();
        let mut annotations = meta.annotations.unwrap_or_default();
        annotations.insert(FOR.into(), wanted.name.clone());
        let claim = ResourceClaim {
            metadata: ObjectMeta {
                generate_name: Some(base(object.name(), &wanted.name)),
                namespace: Some(namespace.to_string()),
                labels: meta.labels,
                annotations: Some(annotations),
                owner_references: Some(vec![controller_ref(&self.client.kinds(), object)]),
                ..Default::default()
            },
            spec: found.spec.spec.clone(),
            status: None,
        };
        let made = self.client.create(claim);
        let made = made.map_err(|why| format!("create ResourceClaim : {why}"))?;
        Ok(made.metadata.name.clone())
    }

    /// Tells a pod the names of its claims.
    fn note(&self, pod: &Pod, made: Vec<(String, String)>) -> Result<Rc<Pod>, Status> {
        let mut new = pod.clone();
        let status = new.status.get_or_insert_default();
        let known = status.resource_claim_statuses.get_or_insert_default();
        for (name, claim) in made {
            known.retain(|s| s.name != name);
            known.push(PodResourceClaimStatus { name, resource_claim_name: Some(claim) });
        }
        self.client.managed_by("ResourceClaimController").update_status(new)
    }

    fn reserve(&self, pod: &Pod, claim: &ResourceClaim) -> Result<(), Status> {
        let mut new = claim.clone();
        let object: &dyn Object = pod;
        let reserved = new.status.get_or_insert_default().reserved_for.get_or_insert_default();
        reserved.push(ResourceClaimConsumerReference {
            api_group: None,
            name: object.name().to_string(),
            resource: "pods".into(),
            uid: object.uid().to_string(),
        });
        self.client.update_status(new).map(|_| ())
    }

    fn is_valid(&self, namespace: &str, user: &ResourceClaimConsumerReference) -> bool {
        let pod = self.client.find::<Pod>(namespace, &user.name);
        pod.is_some_and(|pod| (&*pod as &dyn Object).uid() == user.uid && !is_done(&pod))
    }

    fn sync_claim(&self, namespace: &str, name: &str) -> Result<(), Status> {
        let Some(claim) = self.client.find::<ResourceClaim>(namespace, name) else {
            return Ok(());
        };
        let reserved = claim.status.as_ref().and_then(|s| s.reserved_for.clone());
        let reserved = reserved.unwrap_or_default();
        let is_pod = |r: &ResourceClaimConsumerReference| {
            r.api_group.as_deref().unwrap_or_default().is_empty() && r.resource == "pods"
        };
        if let Some(other) = reserved.iter().find(|r| !is_pod(r)) {
            let what = format!("unsupported ReservedFor entry: {} {}", other.resource, other.name);
            return Err(Status::internal(what));
        }
        let users = reserved.len();
        let valid: Vec<_> = reserved.into_iter().filter(|r| self.is_valid(namespace, r)).collect();
        let unused = valid.is_empty();
        let protected = claim.metadata.finalizers.iter().flatten().any(|f| f == claims::FINALIZER);
        let goes = protected && unused && is_deleting(&claim.metadata);
        if valid.len() < users || goes {
            let mut new = (*claim).clone();
            let status = new.status.get_or_insert_default();
            status.reserved_for = Some(valid).filter(|v| !v.is_empty());
            if unused && protected {
                // What was chosen for the last user need not suit the next one.
                status.allocation = None;
                status.devices = None;
            }
            let mut new = match new == *claim {
                true => new,
                false => (*self.client.update_status(new)?).clone(),
            };
            if protected && !claims::is_allocated(&new) {
                let finalizers = new.metadata.finalizers.get_or_insert_default();
                finalizers.retain(|f| f != claims::FINALIZER);
                self.client.update(new)?;
            }
        }
        if unused { self.remove_generated(&claim) } else { Ok(()) }
    }

    /// A claim that was made for a pod is not needed once the pod has ended, though the pod may be
    /// kept for long.
    fn remove_generated(&self, claim: &ResourceClaim) -> Result<(), Status> {
        let Some((pod, uid)) = owner(claim) else { return Ok(()) };
        let object: &dyn Object = claim;
        let Some(pod) = self.client.find::<Pod>(object.namespace(), pod) else {
            return Ok(()); // the garbage collector sees to it
        };
        if (&*pod as &dyn Object).uid() == uid && !is_done(&pod) {
            return Ok(());
        }
        let options = DeleteOptions::default();
        match self.client.delete::<ResourceClaim>(object.namespace(), object.name(), &options) {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }
}

/// The start of a claim's name: pod and claim, both shortened by as much as is needed.
fn base(pod: &str, claim: &str) -> String {
    let full = format!("{pod}-{claim}-");
    if full.len() <= LONGEST {
        return full;
    }
    let part = |text: &str| {
        let mut end = text.len() * LONGEST / full.len();
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.get(..end).unwrap_or_default().to_string()
    };
    format!("{}-{}", part(pod), part(claim))
}

impl Controller for ResourceClaims {
    fn name(&self) -> &'static str {
        "resourceclaim-controller"
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![Pod::ID, ResourceClaim::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        let object = &*change.object;
        if let Some(pod) = object.downcast::<Pod>() {
            return self.pod_changed(pod, change.op == Op::Deleted, queue);
        }
        if change.op != Op::Deleted {
            add(queue, "claim", object.namespace(), object.name());
        }
        let key = format!("{}/{}", object.namespace(), object.name());
        let index = self.client.index::<Pod>(claims::pods_by_claim);
        for pod in self.client.by_index::<Pod>(index, &key) {
            self.pod_changed(&pod, false, queue);
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        match key.1.split_once(':') {
            Some(("pod", name)) => self.sync_pod(&key.0, name)?,
            Some((_, name)) => self.sync_claim(&key.0, name)?,
            None => {}
        }
        Ok(None)
    }
}
