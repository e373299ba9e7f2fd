//! Claims of devices on this node: drivers prepare them before a pod's first container starts, and are
//! told when its last one has ended.
//!
//! Drivers register by a socket in [`REGISTRY`]; it is looked up when a driver is needed, so that
//! nothing watches the directory. What a driver says that containers are to have of a device it
//! writes into CDI files.
//!
//! Models `pkg/kubelet/cm/dra` and `tags.cncf.io/container-device-interface`. What the real kubelet keeps
//! in a checkpoint is asked for again after a restart: drivers answer as before.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

use k8s_openapi::api::{
    core::v1::{Container as Spec, Pod},
    resource::v1::{ResourceClaim, ResourceSlice},
};
use serde_json::{Value, json};

use super::{Inner, Uid, worker::Worker};
use crate::{
    api::{Object, claims, yaml},
    client::{DeleteOptions, EventType},
    machine::{
        fs::{Kind, Who},
        socket::Socket,
    },
};

/// Where drivers register.
const REGISTRY: &str = "/var/lib/kubelet/plugins_registry";
/// Where it stands what containers are to have of devices.
const CDI: [&str; 2] = ["/etc/cdi", "/var/run/cdi"];
/// How long a driver may be away before its devices are withdrawn (`wipingDelay`).
const AWAY: Duration = Duration::from_secs(30);
/// When a pod whose claims could not be prepared is looked at again (`SyncFrequency`); chance adds up
/// to half.
pub(super) const RESYNC: Duration = Duration::from_secs(60);

/// A claim that was prepared.
pub(super) struct Prepared {
    uid: String,
    /// The pods here that use it.
    pods: BTreeSet<Uid>,
    drivers: BTreeSet<String>,
    /// Requests, and what containers are to have for them.
    devices: Vec<(Vec<String>, Vec<String>)>,
}

/// Index: slices by the node whose devices they offer.
fn slices_by_node(object: &dyn Object) -> Vec<String> {
    let slice = object.downcast::<ResourceSlice>();
    slice.and_then(|s| s.spec.node_name.clone()).into_iter().collect()
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_string()
}

fn words(value: &Value, name: &str) -> Vec<String> {
    let all = value.get(name).and_then(Value::as_array).into_iter().flatten();
    all.filter_map(Value::as_str).map(str::to_string).collect()
}

/// The claims of a pod: the name under which containers know each (none for that of extended
/// resources), and its own.
fn names(pod: &Pod) -> Result<Vec<(Option<&str>, String, bool)>, String> {
    let mut all = Vec::new();
    for wanted in claims::of_pod(pod) {
        if let Some((name, own)) = claims::name(pod, wanted)? {
            all.push((Some(wanted.name.as_str()), name, own));
        }
    }
    let extended = pod.status.as_ref().and_then(|s| s.extended_resource_claim_status.as_ref());
    all.extend(extended.map(|e| (None, e.resource_claim_name.clone(), false)));
    Ok(all)
}

impl Inner {
    /// Registration sockets by driver, as the files are named.
    fn registrations(&self) -> Vec<(String, Socket)> {
        let files = self.machine.files();
        let list = files.list(REGISTRY, Who::ROOT).unwrap_or_default();
        let socket = |(name, node): &(Rc<str>, Rc<crate::machine::fs::Node>)| match &node.kind {
            Kind::Socket(socket) => Some((name.strip_suffix("-reg.sock")?.into(), socket.clone())),
            _ => None,
        };
        list.iter().filter_map(socket).collect()
    }

    /// The socket of a driver that is here.
    async fn driver(&self, wanted: &str) -> Result<Socket, String> {
        for (_, socket) in self.registrations() {
            let Some(Ok(info)) = socket.call("GetInfo", Value::Null).await else { continue };
            if text(&info, "name") != wanted || text(&info, "type") != "DRAPlugin" {
                continue;
            }
            let node = self.machine.files().stat(&text(&info, "endpoint"), Who::ROOT);
            if let Ok(Kind::Socket(socket)) = node.map(|n| n.kind.clone()) {
                return Ok(socket);
            }
        }
        Err(format!("DRA driver {wanted} is not registered"))
    }

    /// Has drivers prepare a pod's claims.
    pub(super) async fn prepare_claims(&self, worker: &Worker) -> Result<(), String> {
        let done = self.prepare_all(worker).await;
        done.map_err(|why| format!("prepare dynamic resources: {why}"))
    }

    /// Whether all of a pod's claims are prepared.
    pub(super) fn has_claims(&self, worker: &Worker) -> bool {
        let known = self.claims.borrow();
        let has = |name: &str| {
            let prepared = known.get(&format!("{}/{name}", worker.namespace));
            prepared.is_some_and(|p| p.pods.contains(&worker.uid))
        };
        names(&worker.pod()).is_ok_and(|all| all.iter().all(|(_, name, _)| has(name)))
    }

    async fn prepare_all(&self, worker: &Worker) -> Result<(), String> {
        let pod = worker.pod();
        for (_, name, own) in names(&pod)? {
            let claim = self.client.get::<ResourceClaim>(&worker.namespace, &name);
            let claim = claim.map_err(|why| format!("fetch ResourceClaim {name}: {why}"))?;
            if own {
                claims::check_owner(&pod, &claim)?;
            }
            let uid = (&*claim as &dyn Object).uid().to_string();
            if !claims::is_reserved_for(&claim, &pod) {
                let (pod, of) = (&worker.name, &worker.uid);
                return Err(format!(
                    "pod {pod} ({of}) is not allowed to use ResourceClaim {name} ({uid})"
                ));
            }
            let results = claims::results(&claim).iter();
            let drivers: BTreeSet<String> = results.map(|r| r.driver.clone()).collect();
            let mut sockets = Vec::new();
            for driver in &drivers {
                sockets.push(self.driver(driver).await?);
            }
            let key = format!("{}/{name}", worker.namespace);
            if self.note_user(&key, &name, &uid, worker)? {
                continue;
            }
            let mut devices = Vec::new();
            for socket in sockets {
                devices.extend(self.ask(&socket, &worker.namespace, &name, &uid).await?);
            }
            let pods = BTreeSet::from([worker.uid.clone()]);
            let prepared = Prepared { uid, pods, drivers, devices };
            self.claims.borrow_mut().insert(key, prepared);
        }
        Ok(())
    }

    /// Notes that a pod uses a claim; whether that is prepared already.
    fn note_user(&self, key: &str, name: &str, uid: &str, worker: &Worker) -> Result<bool, String> {
        let mut known = self.claims.borrow_mut();
        let Some(known) = known.get_mut(key) else { return Ok(false) };
        if known.uid != uid {
            return Err(format!(
                "old ResourceClaim with same name {name} and different UID {} still exists \
                 (previous pod force-deleted?!)",
                known.uid
            ));
        }
        known.pods.insert(worker.uid.clone());
        Ok(true)
    }

    async fn ask(
        &self,
        socket: &Socket,
        namespace: &str,
        name: &str,
        uid: &str,
    ) -> Result<Vec<(Vec<String>, Vec<String>)>, String> {
        let claim = json!({"namespace": namespace, "name": name, "uid": uid});
        let answer = socket.call("NodePrepareResources", json!({"claims": [claim]})).await;
        let answer = answer.ok_or("NodePrepareResources: rpc error: code = Unavailable")?;
        let answer = answer.map_err(|why| format!("NodePrepareResources: {why}"))?;
        let Some(own) = answer.get("claims").and_then(|c| c.get(uid)) else {
            return Err("NodePrepareResources skipped 1 ResourceClaims".into());
        };
        if let Some(why) = own.get("error").and_then(Value::as_str) {
            return Err(format!("NodePrepareResources failed for ResourceClaim {name}: {why}"));
        }
        let devices = own.get("devices").and_then(Value::as_array).into_iter().flatten();
        let device = |device: &Value| {
            let requests = words(device, "requestNames");
            // Containers name requests, not the alternatives of one.
            let base = |name: String| name.split('/').next().unwrap_or_default().to_string();
            (requests.into_iter().map(base).collect(), words(device, "cdiDeviceIDs"))
        };
        Ok(devices.map(device).collect())
    }

    /// Claims could not be prepared: says so.
    pub(super) fn prepare_failed(&self, worker: &Worker, why: &str) {
        let message = format!("Failed to prepare dynamic resources: {why}");
        let pod = worker.pod();
        let reason = "FailedPrepareDynamicResources";
        self.recorder.event(&*pod, EventType::Warning, reason, &message);
    }

    /// Tells drivers that a pod does not use its claims any more.
    pub(super) async fn unprepare_claims(&self, worker: &Worker) -> Result<(), String> {
        let mine = |(key, prepared): (&String, &Prepared)| {
            prepared.pods.contains(&worker.uid).then(|| {
                let last = prepared.pods.len() == 1;
                (key.clone(), last, prepared.uid.clone(), prepared.drivers.clone())
            })
        };
        let mine: Vec<_> = self.claims.borrow().iter().filter_map(mine).collect();
        for (key, last, uid, drivers) in mine {
            if !last {
                if let Some(prepared) = self.claims.borrow_mut().get_mut(&key) {
                    prepared.pods.remove(&worker.uid);
                }
                continue;
            }
            let name = key.split_once('/').map_or("", |(_, name)| name);
            for driver in drivers {
                let claim = json!({"namespace": worker.namespace, "name": name, "uid": uid});
                let socket = self.driver(&driver).await?;
                let body = json!({"claims": [claim]});
                let answer = socket.call("NodeUnprepareResources", body).await;
                let answer =
                    answer.ok_or("NodeUnprepareResources: rpc error: code = Unavailable")?;
                answer.map_err(|why| format!("NodeUnprepareResources: {why}"))?;
            }
            self.claims.borrow_mut().remove(&key);
        }
        Ok(())
    }

    /// The variables that a container has of its devices.
    pub(super) fn device_variables(
        &self,
        worker: &Worker,
        pod: &Pod,
        spec: &Spec,
    ) -> Result<Vec<(String, String)>, String> {
        let mut ids: Vec<String> = Vec::new();
        let wanted = self.wanted_requests(worker, pod, spec)?;
        {
            let known = self.claims.borrow();
            for (claim, request) in wanted {
                let Some(prepared) = known.get(&claim) else {
                    let name = claim.split_once('/').map_or("", |(_, name)| name);
                    return Err(format!(
                        "internal error: unable to get claim info for ResourceClaim {name}"
                    ));
                };
                let suits = |requests: &Vec<String>| {
                    request.as_ref().is_none_or(|r| requests.is_empty() || requests.contains(r))
                };
                let devices = prepared.devices.iter().filter(|(requests, _)| suits(requests));
                ids.extend(devices.flat_map(|(_, ids)| ids.iter().cloned()));
            }
        }
        let mut seen = BTreeSet::new();
        ids.retain(|id| seen.insert(id.clone()));
        if ids.is_empty() { Ok(Vec::new()) } else { self.inject(&ids) }
    }

    /// Claims of a container, as `namespace/name`, and which of their requests (`None`: all).
    fn wanted_requests(
        &self,
        worker: &Worker,
        pod: &Pod,
        spec: &Spec,
    ) -> Result<Vec<(String, Option<String>)>, String> {
        let mut wanted = Vec::new();
        let of_container = spec.resources.as_ref().and_then(|r| r.claims.as_deref());
        for (local, name, _) in names(pod)? {
            let key = format!("{}/{name}", worker.namespace);
            let Some(local) = local else {
                let status = pod.status.as_ref();
                let status = status.and_then(|s| s.extended_resource_claim_status.as_ref());
                let mappings = status.iter().flat_map(|s| &s.request_mappings);
                let own = mappings.filter(|m| m.container_name == spec.name);
                wanted.extend(own.map(|m| (key.clone(), Some(m.request_name.clone()))));
                continue;
            };
            let here = of_container.unwrap_or_default().iter().filter(|c| c.name == local);
            wanted.extend(
                here.map(|c| {
                    (key.clone(), c.request.clone().filter(|request| !request.is_empty()))
                }),
            );
        }
        Ok(wanted)
    }

    /// What CDI files say of devices. Only variables are simulated: nothing else of a device is there.
    fn inject(&self, ids: &[String]) -> Result<Vec<(String, String)>, String> {
        let files = self.machine.files();
        let mut known: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for dir in CDI {
            for (name, _) in files.list(dir, Who::ROOT).unwrap_or_default() {
                let read = files.read(&format!("{dir}/{name}"), Who::ROOT).unwrap_or_default();
                let content = String::from_utf8_lossy(&read);
                let Ok(spec) = yaml::parse(&content) else { continue };
                let kind = text(&spec, "kind");
                let all = spec.get("containerEdits").map(|e| words(e, "env")).unwrap_or_default();
                for device in spec.get("devices").and_then(Value::as_array).into_iter().flatten() {
                    let mut env = all.clone();
                    env.extend(
                        device.get("containerEdits").map(|e| words(e, "env")).unwrap_or_default(),
                    );
                    known.insert(format!("{kind}={}", text(device, "name")), env);
                }
            }
        }
        let missing: Vec<&str> =
            ids.iter().filter(|id| !known.contains_key(*id)).map(String::as_str).collect();
        if !missing.is_empty() {
            let missing = missing.join(", ");
            return Err(format!("CDI device injection failed: unresolvable CDI devices {missing}"));
        }
        let env = ids.iter().filter_map(|id| known.get(id)).flatten();
        let pair = |one: &String| {
            let (name, value) = one.split_once('=').unwrap_or((one, ""));
            (name.to_string(), value.to_string())
        };
        Ok(env.map(pair).collect())
    }

    /// A container ended: it may have been a driver's.
    pub(super) fn watch_drivers(&self) {
        if self.timers.borrow().contains_key("drivers") {
            return;
        }
        self.later("drivers", AWAY, |me| {
            let gone = me.registrations().into_iter().filter(|(_, socket)| !socket.is_open());
            let gone: BTreeSet<String> = gone.map(|(driver, _)| driver).collect();
            let index = me.client.index::<ResourceSlice>(slices_by_node);
            for slice in me.client.by_index::<ResourceSlice>(index, &me.node) {
                if gone.contains(&slice.spec.driver) {
                    let name = slice.metadata.name.as_deref().unwrap_or_default();
                    let options = DeleteOptions::default();
                    // What can't be deleted now is when a container ends again.
                    let _ = me.client.delete::<ResourceSlice>("", name, &options);
                }
            }
        });
    }
}
