//! What a node says of itself.
//!
//! Models `pkg/kubelet/nodestatus/setters.go`.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{
        ContainerImage, DaemonEndpoint, Node, NodeAddress, NodeCondition, NodeDaemonEndpoints,
        NodeStatus, NodeSystemInfo,
    },
    apimachinery::pkg::api::resource::Quantity,
};

use super::Inner;
use crate::{machine::KERNEL, runtime::digest};

/// Images that are listed at most (`nodeStatusMaxImages`).
const IMAGES: usize = 50;
/// The kubelet's port.
const PORT: i32 = 10250;

impl Inner {
    /// The labels a node registers with.
    pub fn node_labels(&self) -> BTreeMap<String, String> {
        let usual = [
            ("beta.kubernetes.io/arch", "amd64"),
            ("beta.kubernetes.io/os", "linux"),
            ("kubernetes.io/arch", "amd64"),
            ("kubernetes.io/hostname", &*self.node),
            ("kubernetes.io/os", "linux"),
        ];
        let mut labels: BTreeMap<_, _> =
            usual.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        labels.extend(self.config.labels.clone());
        labels
    }

    /// The status a node should have now.
    pub fn node_status(&self, node: &Node) -> NodeStatus {
        let old = node.status.clone().unwrap_or_default();
        let address = self
            .node_ip()
            .map(|ip| NodeAddress { type_: "InternalIP".into(), address: ip.to_string() });
        let name = NodeAddress { type_: "Hostname".into(), address: self.node.to_string() };
        NodeStatus {
            // Those that a provider's controller told are better than one's own.
            addresses: match node.spec.as_ref().and_then(|s| s.provider_id.as_ref()) {
                Some(_) => old.addresses.clone(),
                None => Some(address.into_iter().chain([name]).collect()),
            },
            capacity: Some(self.capacity()),
            allocatable: Some(self.capacity()),
            conditions: Some(self.node_conditions(old.conditions.unwrap_or_default())),
            daemon_endpoints: Some(NodeDaemonEndpoints {
                kubelet_endpoint: Some(DaemonEndpoint { port: PORT }),
            }),
            images: Some(self.node_images()),
            node_info: Some(self.node_info()),
            volumes_attached: old.volumes_attached,
            volumes_in_use: self.volumes_in_use(),
            ..NodeStatus::default()
        }
    }

    fn capacity(&self) -> BTreeMap<String, Quantity> {
        let has = &self.config.capacity;
        [
            ("cpu", has.cpus.to_string()),
            ("ephemeral-storage", format!("{}Ki", has.storage / 1024)),
            ("hugepages-1Gi", "0".to_string()),
            ("hugepages-2Mi", "0".to_string()),
            ("memory", format!("{}Ki", has.memory / 1024)),
            ("pods", has.pods.to_string()),
        ]
        .map(|(name, text)| (name.to_string(), Quantity(text)))
        .into()
    }

    fn node_conditions(&self, old: Vec<NodeCondition>) -> Vec<NodeCondition> {
        let state = self.node_state.borrow();
        let now = self.sim.now();
        let (ready, reason, message) = match state.ready {
            true => ("True", "KubeletReady", "kubelet is posting ready status".to_string()),
            false => {
                let engine = self.engine.kind().scheme();
                let message = format!(
                    "container runtime network not ready: NetworkReady=false \
                     reason:NetworkPluginNotReady message:{engine}: network plugin is not ready: \
                     cni config uninitialized"
                );
                ("False", "KubeletNotReady", message)
            }
        };
        let pressure = [
            (
                "MemoryPressure",
                "KubeletHasSufficientMemory",
                "kubelet has sufficient memory available",
            ),
            ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ];
        let condition = |type_: &str, status: &str, reason: &str, message: &str| {
            let before = old.iter().find(|c| c.type_ == type_ && c.status == status);
            let since = before.and_then(|c| c.last_transition_time.clone());
            NodeCondition {
                type_: type_.into(),
                status: status.into(),
                reason: Some(reason.into()),
                message: Some(message.into()),
                last_heartbeat_time: Some(now.to_meta()),
                last_transition_time: since.or_else(|| Some(now.to_meta())),
            }
        };
        let mut list: Vec<_> = pressure
            .iter()
            .map(|(type_, reason, message)| condition(type_, "False", reason, message))
            .collect();
        list.push(condition("Ready", ready, reason, &message));
        let own = ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"];
        let others = old.iter().filter(|c| !own.contains(&c.type_.as_str()));
        others.cloned().chain(list).collect()
    }

    fn node_images(&self) -> Vec<ContainerImage> {
        let mut rows = self.engine.images().list();
        rows.sort_by(|a, b| b.image.size().cmp(&a.image.size()).then(a.tags.cmp(&b.tags)));
        rows.truncate(IMAGES);
        rows.into_iter()
            .map(|row| ContainerImage {
                names: Some(row.digests.into_iter().chain(row.tags).collect()),
                size_bytes: i64::try_from(row.image.size()).ok(),
            })
            .collect()
    }

    fn node_info(&self) -> NodeSystemInfo {
        let kind = self.engine.kind();
        let id = digest::hex64(["machine", &self.node]);
        let part = |from: usize, to: usize| id.get(from..to).unwrap_or_default();
        let uuid = [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-");
        NodeSystemInfo {
            architecture: "amd64".into(),
            boot_id: self.node_state.borrow().boot_id.clone(),
            container_runtime_version: format!("{}://{}", kind.scheme(), kind.version()),
            kernel_version: KERNEL.into(),
            kube_proxy_version: String::new(),
            kubelet_version: self.config.version.clone(),
            machine_id: part(32, 64).to_string(),
            operating_system: "linux".into(),
            os_image: self.config.os_image.clone(),
            swap: None,
            system_uuid: uuid,
        }
    }
}
