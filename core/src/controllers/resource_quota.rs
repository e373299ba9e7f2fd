//! Counts what namespaces use of their quotas.
//!
//! Admission notes what is added; this finds what has gone, and the state of a quota that is new.
//!
//! Models `pkg/controller/resourcequota`.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::api::{
    apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet},
    batch::v1::{CronJob, Job},
    core::v1::{
        ConfigMap, PersistentVolumeClaim, Pod, ReplicationController, ResourceQuota,
        ResourceQuotaStatus, Secret, Service,
    },
    networking::v1::Ingress,
};

use super::framework::{Controller, Key, Queue};
use crate::{
    api::{
        Kind, KindId, Object, Status, Typed,
        pods::is_terminal,
        quantity::Amount,
        quota::{self, Usage},
    },
    client::{Change, Client, ListOptions, Op},
};

/// The controller.
pub fn make(client: &Client) -> Box<dyn Controller> {
    Box::new(Quotas { client: client.clone() })
}

struct Quotas {
    client: Client,
}

/// Kinds whose objects quotas can count, besides custom ones.
const COUNTED: &[KindId] = &[
    ConfigMap::ID,
    PersistentVolumeClaim::ID,
    Pod::ID,
    ReplicationController::ID,
    Secret::ID,
    Service::ID,
    DaemonSet::ID,
    Deployment::ID,
    ReplicaSet::ID,
    StatefulSet::ID,
    CronJob::ID,
    Job::ID,
    Ingress::ID,
];

/// Whether a quota's resource is about objects of a kind.
fn is_about(kind: &Kind, resource: &str) -> bool {
    if let Some(counted) = resource.strip_prefix("count/") {
        return counted == kind.resource();
    }
    match (kind.group.as_ref(), kind.plural.as_ref()) {
        ("", "persistentvolumeclaims") => {
            resource == "persistentvolumeclaims"
                || resource == "requests.storage"
                || resource.contains(".storageclass.storage.k8s.io/")
        }
        ("", "services") => resource == "services" || resource.starts_with("services."),
        ("", "pods") => {
            let compute = resource.starts_with("requests.") || resource.starts_with("limits.");
            (compute && resource != "requests.storage")
                || matches!(resource, "pods" | "cpu" | "memory" | "ephemeral-storage")
        }
        ("", plural) => resource == plural,
        _ => false,
    }
}

impl Quotas {
    /// What is used of each resource that the quota limits.
    fn used(&self, ns: &str, quota: &ResourceQuota) -> Result<Usage, Status> {
        let none = Default::default();
        let spec = quota.spec.as_ref().unwrap_or(&none);
        let names: Vec<&String> = spec.hard.iter().flatten().map(|(name, _)| name).collect();
        let mut total: Usage = names.iter().map(|n| (n.to_string(), Amount::ZERO)).collect();
        let kinds: Vec<_> = self.client.kinds().stored().cloned().collect();
        for kind in kinds.iter().filter(|k| k.namespaced) {
            let mine: Vec<_> = names.iter().filter(|n| is_about(kind, n)).collect();
            if mine.is_empty() {
                continue;
            }
            for object in self.client.list_any(kind.id, Some(ns), &ListOptions::default())? {
                if !quota::concerns(spec, &*object) {
                    continue;
                }
                let usage = quota::usage(kind, &*object);
                for name in &mine {
                    if let (Some(sum), Some(part)) = (total.get_mut(**name), usage.get(**name)) {
                        *sum = sum.plus(*part);
                    }
                }
            }
        }
        Ok(total)
    }
}

impl Controller for Quotas {
    fn name(&self) -> &'static str {
        "resourcequota-controller"
    }

    fn kinds(&self) -> Vec<KindId> {
        let mut kinds = COUNTED.to_vec();
        kinds.push(ResourceQuota::ID);
        kinds
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        let object = &*change.object;
        if change.kind == ResourceQuota::ID {
            queue.add_name(object.namespace(), object.name());
            return;
        }
        let ended = |o: &dyn Object| o.downcast::<Pod>().is_some_and(is_terminal);
        let matters = match (change.op, change.kind) {
            (Op::Modified, Pod::ID) => {
                ended(object) && change.old.as_ref().is_none_or(|old| !ended(&**old))
            }
            (Op::Modified, kind) => kind == Service::ID || kind == PersistentVolumeClaim::ID,
            _ => true,
        };
        if matters {
            for quota in self.client.list::<ResourceQuota>(Some(object.namespace())) {
                queue.add_name(object.namespace(), (&*quota as &dyn Object).name());
            }
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        let Some(quota) = self.client.find::<ResourceQuota>(&key.0, &key.1) else {
            return Ok(None);
        };
        let used = self.used(&key.0, &quota)?;
        let hard = quota.spec.as_ref().and_then(|s| s.hard.clone());
        let used: BTreeMap<_, _> =
            used.into_iter().map(|(name, amount)| (name, amount.to_quantity())).collect();
        let status = ResourceQuotaStatus { hard, used: (!used.is_empty()).then_some(used) };
        if quota.status.as_ref() != Some(&status) {
            let mut new = (*quota).clone();
            new.status = Some(status);
            self.client.update_status(new)?;
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        client::DeleteOptions,
        controllers::{
            framework,
            testing::{cluster, make, pass},
        },
    };

    #[test]
    fn what_comes_and_goes_is_counted() {
        let (sim, client) = cluster(1);
        let _running = framework::start(&client, super::make(&client));
        make::<ResourceQuota>(
            &client,
            json!({"metadata": {"name": "q", "namespace": "default"}, "spec": {"hard":
                {"pods": "5", "requests.cpu": "2", "count/deployments.apps": "1"}}}),
        );
        let pod = |name: &str| {
            json!({"metadata": {"name": name, "namespace": "default"}, "spec": {"containers": [
                {"name": "c", "image": "i", "resources": {"requests": {"cpu": "300m"}}}]}})
        };
        let used = || {
            let quota = client.get::<ResourceQuota>("default", "q").unwrap();
            let used = quota.status.clone().unwrap().used.unwrap_or_default();
            used.into_iter().map(|(k, v)| format!("{k}={}", v.0)).collect::<Vec<_>>().join(" ")
        };
        make::<Pod>(&client, pod("a"));
        make::<Pod>(&client, pod("b"));
        pass(&sim, 1.0);
        assert_eq!(used(), "count/deployments.apps=0 pods=2 requests.cpu=600m");
        client.delete::<Pod>("default", "a", &DeleteOptions::default()).unwrap();
        pass(&sim, 1.0);
        assert_eq!(used(), "count/deployments.apps=0 pods=1 requests.cpu=300m");
    }
}
