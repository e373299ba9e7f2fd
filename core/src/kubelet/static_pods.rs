//! Pods that a node runs without being told (`/etc/kubernetes/manifests`), and their mirrors in the API.
//!
//! Models `pkg/kubelet/config/common.go` and `pkg/kubelet/pod/mirror_client.go`.

use std::{collections::BTreeMap, rc::Rc, time::Duration};

use k8s_openapi::api::core::v1::{Node, Pod, Toleration};

use super::{Inner, Uid, node::node_owner};
use crate::{api::meta, client::DeleteOptions, runtime::digest};

const MIRROR: &str = "kubernetes.io/config.mirror";
const HASH: &str = "kubernetes.io/config.hash";
const SEEN: &str = "kubernetes.io/config.seen";
const SOURCE: &str = "kubernetes.io/config.source";
/// Until a mirror that could not be made is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// The pods from files, by namespace and name.
#[derive(Default)]
pub struct StaticPods(BTreeMap<(String, String), Rc<Pod>>);

impl Inner {
    /// Runs the pods from files.
    pub fn begin_static_pods(&self, pods: Vec<Pod>) {
        for mut pod in pods {
            let text = format!("{:?}", pod.spec);
            let name = pod.metadata.name.clone().unwrap_or_default();
            let uid = digest::hex64([&name, &*self.node, &text])[..32].to_string();
            pod.metadata.name = Some(format!("{name}-{}", self.node));
            pod.metadata.namespace.get_or_insert_with(|| "default".into());
            pod.metadata.uid = Some(uid.clone());
            let seen = self.sim.now().to_timestamp().to_string();
            let annotations = pod.metadata.annotations.get_or_insert_default();
            for (key, value) in [(HASH, uid.as_str()), (SEEN, &seen), (SOURCE, "file")] {
                annotations.insert(key.into(), value.into());
            }
            if let Some(spec) = &mut pod.spec {
                spec.node_name = Some(self.node.to_string());
                spec.tolerations.get_or_insert_default().push(Toleration {
                    effect: Some("NoExecute".into()),
                    operator: Some("Exists".into()),
                    ..Toleration::default()
                });
                for container in
                    spec.containers.iter_mut().chain(spec.init_containers.iter_mut().flatten())
                {
                    container.termination_message_path.get_or_insert("/dev/termination-log".into());
                    container.termination_message_policy.get_or_insert("File".into());
                }
            }
            let pod = Rc::new(pod);
            let key = key_of(&pod);
            self.static_pods.borrow_mut().0.insert(key, pod.clone());
            self.pod_added(&pod, uid.as_str().into(), true);
        }
        self.make_mirrors();
    }

    /// Makes the mirrors that are missing.
    fn make_mirrors(&self) {
        let pods: Vec<_> = self.static_pods.borrow().0.values().cloned().collect();
        let mut failed = false;
        for pod in pods {
            let (ns, name) = key_of(&pod);
            if let Some(there) = self.client.find::<Pod>(&ns, &name) {
                let hash = meta::annotation(&there.metadata, MIRROR);
                if hash == pod.metadata.uid.as_deref() && !meta::is_deleting(&there.metadata) {
                    continue;
                }
                let options = DeleteOptions { grace_seconds: Some(0), ..Default::default() };
                let _ = self.client.delete::<Pod>(&ns, &name, &options);
            }
            let mut mirror = (*pod).clone();
            let uid = mirror.metadata.uid.take().unwrap_or_default();
            mirror.metadata.annotations.get_or_insert_default().insert(MIRROR.into(), uid.clone());
            let node = self.client.find::<Node>("", &self.node);
            mirror.metadata.owner_references = node.map(|node| {
                let controller = Some(true);
                vec![k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference {
                    controller,
                    ..node_owner(&node)
                }]
            });
            match self.client.create(mirror) {
                Ok(_) => {
                    let worker = self.workers.borrow().get(uid.as_str()).cloned();
                    if let Some(worker) = worker {
                        self.write_status(&worker);
                    }
                }
                Err(_) => failed = true,
            }
        }
        if failed {
            self.later("mirrors", AGAIN, Inner::make_mirrors);
        }
    }

    /// Whether a pod of the API is a mirror; a stale one is replaced.
    pub fn mirror_seen(&self, pod: &Rc<Pod>) -> bool {
        let Some(hash) = meta::annotation(&pod.metadata, MIRROR) else { return false };
        let own = self.static_pods.borrow().0.get(&key_of(pod)).cloned();
        let current = own.as_ref().and_then(|p| p.metadata.uid.as_deref()) == Some(hash);
        if !current {
            let options = DeleteOptions { grace_seconds: Some(0), ..Default::default() };
            let (ns, name) = key_of(pod);
            let _ = self.client.delete::<Pod>(&ns, &name, &options);
        } else if meta::is_deleting(&pod.metadata) {
            self.make_mirrors();
        }
        true
    }

    /// Whether a pod that is gone was a mirror; it is made again.
    pub fn mirror_gone(&self, pod: &Pod) -> bool {
        if meta::annotation(&pod.metadata, MIRROR).is_none() {
            return false;
        }
        self.later("mirrors", Duration::from_millis(500), Inner::make_mirrors);
        true
    }

    /// The uid under which the kubelet knows a pod of the API: for a mirror, its original's.
    pub fn uid_of(&self, pod: &Pod) -> Uid {
        let mirrored = meta::annotation(&pod.metadata, MIRROR);
        mirrored.or(pod.metadata.uid.as_deref()).unwrap_or_default().into()
    }
}

fn key_of(pod: &Pod) -> (String, String) {
    let meta = &pod.metadata;
    (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
}
