//! The kubelet's node: registered, kept alive by a lease, its status written when it changes.
//!
//! Models `kubelet_node_status.go` and `component-helpers/apimachinery/lease`. The status' content is in
//! `node_status`.

use std::{net::Ipv4Addr, time::Duration};

use k8s_openapi::{
    api::{
        coordination::v1::{Lease, LeaseSpec},
        core::v1::{Node, NodeSpec, ObjectReference},
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};

use super::Inner;
use crate::{client::EventType, fabric::Cidr, sim::Time};

/// How long a lease is good for (`nodeLeaseDurationSeconds`); it is renewed four times as often.
const LEASE: u64 = 40;
/// How often a status that did not change is written (`nodeStatusReportFrequency`).
const REPORT: Duration = Duration::from_secs(300);
/// How often a changed status is written (`nodeStatusUpdateFrequency`).
const UPDATE: Duration = Duration::from_secs(10);
/// From the kubelet's start until its runtime and network are ready.
const READY: Duration = Duration::from_millis(1_200);

/// What the kubelet remembers of its node.
#[derive(Default)]
pub struct NodeState {
    /// Whether the kubelet says that it is ready.
    pub ready: bool,
    /// When the conditions last were what they are.
    pub since: Option<Time>,
    /// When `Ready` became what it is.
    pub ready_since: Option<Time>,
    /// Identifies this boot of the machine.
    pub boot_id: String,
}

impl Inner {
    /// The node's own address.
    pub fn node_ip(&self) -> Option<Ipv4Addr> {
        self.endpoint.as_ref()?.addresses().first().copied()
    }

    /// Registers the node, or takes over one that is there, and begins to report.
    pub fn register_node(&self) {
        let known = self.client.find::<Node>("", &self.node);
        let was_ready = known.is_some();
        {
            let mut state = self.node_state.borrow_mut();
            state.since = Some(self.sim.now());
            state.ready_since = Some(self.sim.now());
            state.boot_id = self.new_uid();
        }
        if let Some(node) = &known {
            self.take_pod_cidr(node);
        } else {
            let node = Node {
                metadata: ObjectMeta {
                    name: Some(self.node.to_string()),
                    labels: Some(self.node_labels()),
                    annotations: Some(
                        [("volumes.kubernetes.io/controller-managed-attach-detach", "true")]
                            .map(|(k, v)| (k.to_string(), v.to_string()))
                            .into(),
                    ),
                    ..ObjectMeta::default()
                },
                spec: Some(NodeSpec {
                    pod_cidr: self.config.pod_cidr.get().map(|c| c.to_string()),
                    pod_cidrs: self.config.pod_cidr.get().map(|c| vec![c.to_string()]),
                    taints: Some(self.config.taints.clone()).filter(|t| !t.is_empty()),
                    ..NodeSpec::default()
                }),
                ..Node::default()
            };
            // If this fails the node is there already; its status is written below.
            let _ = self.client.create(node);
        }
        self.register_drivers();
        self.node_event(EventType::Normal, "Starting", "Starting kubelet.");
        self.write_node_status();
        for what in ["HasSufficientMemory", "HasNoDiskPressure", "HasSufficientPID"] {
            let text = format!("Node {} status is now: Node{what}", self.node);
            self.node_event(EventType::Normal, &format!("Node{what}"), &text);
        }
        let text = "Updated Node Allocatable limit across pods";
        self.node_event(EventType::Normal, "NodeAllocatableEnforced", text);
        let delay = if was_ready { READY / 4 } else { READY };
        let delay = self.jitter(delay, 50);
        self.later("node-ready", delay, |me| me.set_ready(true));
        self.renew_lease();
        self.report_later();
    }

    fn set_ready(&self, ready: bool) {
        {
            let mut state = self.node_state.borrow_mut();
            if state.ready == ready {
                return;
            }
            state.ready = ready;
            state.ready_since = Some(self.sim.now());
        }
        self.write_node_status();
        let name = if ready { "NodeReady" } else { "NodeNotReady" };
        let text = format!("Node {} status is now: {name}", self.node);
        self.node_event(EventType::Normal, name, &text);
    }

    /// Tells something about the node.
    pub fn node_event(&self, kind: EventType, reason: &str, message: &str) {
        let about = ObjectReference {
            kind: Some("Node".into()),
            name: Some(self.node.to_string()),
            uid: Some(self.node.to_string()),
            ..ObjectReference::default()
        };
        self.recorder.record(about, kind, reason, message);
    }

    fn report_later(&self) {
        self.later("node-report", REPORT, |me| {
            me.write_node_status();
            me.report_later();
        });
    }

    /// Images came or went: told with the next regular update.
    pub fn node_images_changed(&self) {
        if !self.timers.borrow().contains_key("node-update") {
            self.later("node-update", UPDATE, |me| me.write_node_status());
        }
    }

    /// Writes the node's status now.
    pub fn write_node_status(&self) {
        let Some(node) = self.client.find::<Node>("", &self.node) else { return };
        let status = self.node_status(&node);
        if node.status.as_ref() == Some(&status) {
            return;
        }
        let mut new = (*node).clone();
        new.status = Some(status);
        let _ = self.client.update_status(new);
    }

    /// The node changed: it may have got its pods' addresses.
    pub fn take_pod_cidr(&self, node: &Node) {
        if self.config.pod_cidr.get().is_some() {
            return;
        }
        let range = node.spec.as_ref().and_then(|s| s.pod_cidr.as_ref()?.parse::<Cidr>().ok());
        if let Some(range) = range {
            self.config.pod_cidr.set(Some(range));
            self.engine.set_pod_range(range);
        }
    }

    fn renew_lease(&self) {
        const NAMESPACE: &str = "kube-node-lease";
        let now = self.sim.now().to_micro();
        match self.client.find::<Lease>(NAMESPACE, &self.node) {
            Some(lease) => {
                let mut lease = (*lease).clone();
                let spec = lease.spec.get_or_insert_default();
                spec.renew_time = Some(now);
                let _ = self.client.update(lease);
            }
            None => {
                let owner = self.client.find::<Node>("", &self.node).map(|n| node_owner(&n));
                let lease = Lease {
                    metadata: ObjectMeta {
                        name: Some(self.node.to_string()),
                        namespace: Some(NAMESPACE.into()),
                        owner_references: owner.map(|o| vec![o]),
                        ..ObjectMeta::default()
                    },
                    spec: Some(LeaseSpec {
                        holder_identity: Some(self.node.to_string()),
                        lease_duration_seconds: Some(LEASE as i32),
                        renew_time: Some(now),
                        ..LeaseSpec::default()
                    }),
                };
                let _ = self.client.create(lease);
            }
        }
        // Renewal is at a quarter of the duration, with up to 4 % of chance.
        let next = self.jitter(Duration::from_secs(LEASE / 4), 4);
        self.later("lease", next, Inner::renew_lease);
    }
}

/// A reference that makes a node the owner: of its lease, of mirror pods.
pub fn node_owner(node: &Node) -> OwnerReference {
    OwnerReference {
        api_version: "v1".into(),
        kind: "Node".into(),
        name: node.metadata.name.clone().unwrap_or_default(),
        uid: node.metadata.uid.clone().unwrap_or_default(),
        ..OwnerReference::default()
    }
}
