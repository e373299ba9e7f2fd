//! Sends pods away whose devices have a NoExecute taint that their claim does not tolerate, at once or
//! when the time that it tolerates it is over.
//!
//! Models `pkg/controller/devicetainteviction`. Not simulated: rules that taint devices
//! (`DeviceTaintRule`), which are off in v1.36.

use std::{cell::RefCell, collections::BTreeSet, time::Duration};

use k8s_openapi::api::{
    core::v1::Pod,
    resource::v1::{DeviceTaint, DeviceToleration, ResourceClaim, ResourceSlice},
};

use super::framework::{Controller, Key, Queue};
use crate::{
    api::{KindId, Object, Status, Typed, claims, meta::is_deleting, pods},
    client::{Change, Client, DeleteOptions, EventType, ModernRecorder, Op},
    sim::Time,
};

/// The controller.
pub fn make(client: &Client) -> Box<dyn Controller> {
    Box::new(Evictions {
        client: client.clone(),
        events: ModernRecorder::new(client, NAME, NAME),
        waiting: RefCell::default(),
    })
}

const NAME: &str = "device-taint-eviction-controller";

struct Evictions {
    client: Client,
    events: ModernRecorder,
    /// Pods that are to go.
    waiting: RefCell<BTreeSet<Key>>,
}

fn pool(driver: &str, pool: &str) -> String {
    format!("{driver}/{pool}")
}

/// Index: slices by their pool.
fn slices_by_pool(object: &dyn Object) -> Vec<String> {
    let slice = object.downcast::<ResourceSlice>();
    slice.map(|s| pool(&s.spec.driver, &s.spec.pool.name)).into_iter().collect()
}

/// Index: claims by the pools of their devices.
fn claims_by_pool(object: &dyn Object) -> Vec<String> {
    let claim = object.downcast::<ResourceClaim>();
    let results = claim.map(claims::results).unwrap_or_default().iter();
    let pools: BTreeSet<_> = results.map(|r| pool(&r.driver, &r.pool)).collect();
    pools.into_iter().collect()
}

/// When a device's taint is too much for a claim; `None`: never.
fn end(taint: &DeviceTaint, tolerations: &[DeviceToleration]) -> Option<Time> {
    let since = taint.time_added.as_ref().map(Time::from).unwrap_or_default();
    let mut all = tolerations.iter().filter(|t| claims::tolerates(t, taint));
    let Some(first) = all.next() else { return Some(since) };
    // Of several tolerations the shortest counts; none without a limit shortens anything.
    let limits = std::iter::once(first).chain(all).filter_map(|t| t.toleration_seconds);
    let limit = limits.min()?;
    Some(since + Duration::from_secs(limit.max(0).unsigned_abs()))
}

impl Evictions {
    /// When a claim's devices are too much for its pods; `None`: never.
    fn end_of(&self, claim: &ResourceClaim) -> Option<Time> {
        let index = self.client.index::<ResourceSlice>(slices_by_pool);
        let mut earliest: Option<Time> = None;
        for result in claims::results(claim) {
            let key = pool(&result.driver, &result.pool);
            let slices = self.client.by_index::<ResourceSlice>(index, &key);
            let newest = slices.iter().map(|s| s.spec.pool.generation).max().unwrap_or(0);
            let current = slices.iter().filter(|s| s.spec.pool.generation == newest);
            let devices = current.flat_map(|s| s.spec.devices.iter().flatten());
            let own = devices.filter(|d| d.name == result.device);
            let taints = own.flat_map(|d| d.taints.iter().flatten());
            let tolerations = result.tolerations.as_deref().unwrap_or_default();
            for taint in taints.filter(|t| t.effect == "NoExecute") {
                let due = end(taint, tolerations);
                earliest = earliest.into_iter().chain(due).min();
            }
        }
        earliest
    }

    /// When a pod has to go; `None`: never.
    fn due(&self, pod: &Pod) -> Option<Time> {
        let keys = claims::pods_by_claim(pod);
        let found = keys.iter().filter_map(|key| {
            let (namespace, name) = key.split_once('/')?;
            self.client.find::<ResourceClaim>(namespace, name)
        });
        let used = found.filter(|claim| claims::is_reserved_for(claim, pod));
        used.filter_map(|claim| self.end_of(&claim)).min()
    }

    fn evict(&self, pod: &Pod) -> Result<(), Status> {
        let object: &dyn Object = pod;
        let reason = "DeviceTaintManagerEviction";
        self.events.event(pod, EventType::Normal, reason, "Deleting", "Marking for deletion");
        let mut new = pod.clone();
        let why = "Device Taint manager: deleting due to NoExecute taint";
        pods::disrupt(&mut new, "DeletionByDeviceTaintManager", why, self.client.sim().now());
        let uid = Some(object.uid().to_string());
        let options = DeleteOptions { uid, ..Default::default() };
        let written = self.client.update_status(new);
        let gone = written
            .and_then(|_| self.client.delete::<Pod>(object.namespace(), object.name(), &options));
        match gone {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }
}

impl Controller for Evictions {
    fn name(&self) -> &'static str {
        NAME
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![ResourceClaim::ID, ResourceSlice::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        let add = |claim: &ResourceClaim| {
            let namespace = (claim as &dyn Object).namespace();
            let users = claim.status.iter().flat_map(|s| s.reserved_for.iter().flatten());
            users.for_each(|user| queue.add_name(namespace, &user.name));
        };
        if let Some(claim) = change.object.downcast::<ResourceClaim>() {
            return add(claim);
        }
        let Some(slice) = change.object.downcast::<ResourceSlice>() else { return };
        let old = change.old.as_ref().and_then(|o| o.downcast::<ResourceSlice>());
        let tainted = |s: &ResourceSlice| {
            s.spec
                .devices
                .iter()
                .flatten()
                .any(|d| d.taints.as_ref().is_some_and(|t| !t.is_empty()))
        };
        if change.op == Op::Deleted || (!tainted(slice) && !old.is_some_and(tainted)) {
            return;
        }
        let index = self.client.index::<ResourceClaim>(claims_by_pool);
        let key = pool(&slice.spec.driver, &slice.spec.pool.name);
        self.client.by_index::<ResourceClaim>(index, &key).iter().for_each(|claim| add(claim));
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        let pod = self.client.find::<Pod>(&key.0, &key.1);
        let pod = pod.filter(|p| !is_deleting(&p.metadata) && !pods::is_terminal(p));
        let Some(pod) = pod else {
            self.waiting.borrow_mut().remove(key);
            return Ok(None);
        };
        let Some(due) = self.due(&pod) else {
            if self.waiting.borrow_mut().remove(key) {
                let reason = "DeviceTaintManagerEviction";
                let text = "Cancelling deletion";
                self.events.event(&*pod, EventType::Normal, reason, "Cancelling", text);
            }
            return Ok(None);
        };
        let now = self.client.sim().now();
        if due > now {
            self.waiting.borrow_mut().insert(key.clone());
            return Ok(Some(due.since(now)));
        }
        self.waiting.borrow_mut().remove(key);
        self.evict(&pod)?;
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controllers::{
        self,
        testing::{cluster, edit, make, pass, set_status},
    };
    use serde_json::json;

    #[test]
    fn a_pod_goes_when_its_claim_does_not_tolerate_the_taint_of_its_device_any_more() {
        let (sim, client) = cluster(1);
        let _controller = controllers::start(&client, NAME).expect("there");
        make::<ResourceSlice>(
            &client,
            json!({"metadata": {"name": "s"}, "spec": {"driver": "d.example.com", "nodeName": "n",
                "pool": {"name": "p", "generation": 1, "resourceSliceCount": 1},
                "devices": [{"name": "a"}, {"name": "b"}]}}),
        );
        let pod = |name: &str, device: &str, tolerations: serde_json::Value| {
            let pod = make::<Pod>(
                &client,
                json!({"metadata": {"name": name, "namespace": "default"}, "spec": {"nodeName": "n",
                    "resourceClaims": [{"name": "c", "resourceClaimName": name}],
                    "containers": [{"name": "c", "image": "i"}]}}),
            );
            let claim = make::<ResourceClaim>(
                &client,
                json!({"metadata": {"name": name, "namespace": "default"}, "spec": {"devices":
                    {"requests": [{"name": "r", "exactly": {"deviceClassName": "x"}}]}}}),
            );
            let uid = (&*pod as &dyn Object).uid().to_string();
            set_status::<ResourceClaim>(&client, &claim, |claim| {
                let status = json!({"allocation": {"devices": {"results": [{"request": "r",
                    "driver": "d.example.com", "pool": "p", "device": device,
                    "tolerations": tolerations}]}},
                    "reservedFor": [{"resource": "pods", "name": name, "uid": uid}]});
                claim.status = Some(crate::api::object::from_value(status).expect("a status"));
            });
        };
        pod("other", "b", json!([]));
        pod("at-once", "a", json!([]));
        let for_a_while = json!([{"key": "broken", "operator": "Exists", "tolerationSeconds": 60}]);
        pod("later", "a", for_a_while);
        pod("never", "a", json!([{"operator": "Exists", "effect": "NoExecute"}]));
        let names = || {
            let going = |p: &Pod| is_deleting(&p.metadata);
            let left = client.list::<Pod>(None).into_iter().filter(|p| !going(p));
            let names: Vec<String> = left.filter_map(|p| p.metadata.name.clone()).collect();
            names.join(" ")
        };
        pass(&sim, 5.0);
        assert_eq!(names(), "at-once later never other");
        edit::<ResourceSlice>(&client, "", "s", |slice| {
            let taint = json!([{"key": "broken", "effect": "NoExecute"}]);
            if let Some(devices) = &mut slice.spec.devices {
                devices[0].taints = Some(crate::api::object::from_value(taint).expect("taints"));
            }
        });
        pass(&sim, 5.0);
        assert_eq!(names(), "later never other");
        pass(&sim, 60.0);
        assert_eq!(names(), "never other");
    }
}
