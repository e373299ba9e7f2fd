//! Clusters: where components that otherwise know each other through the API only are put together.
//!
//! A node is a machine whose first process is an init; that runs the container engine and the
//! kubelet as services; the kubelet runs the control plane as static pods; the processes in those
//! pods are the components. So what is killed is gone, and what is started again is there again.
//!
//! [`Cluster`] is any cluster, laid out as minikube does it or as a provider does: [`cloud`] has
//! machines in zones, load balancers and disks, and what makes a cluster use them.
//!
//! Invariant: no component gets a handle on another; all they share is the API server and the
//! machine they run on.

pub mod api_endpoint;
pub mod cloud;
pub mod components;
mod desktop;
mod install;
mod join;
mod kube_scheduler;
mod metrics;
mod minikube;
mod provisioner;
pub mod systemd;

pub use desktop::{Current, Faults};
pub use install::{bootstrap, disable_metrics, enable_metrics, has_metrics};
pub use metrics::MetricsServer;
pub use minikube::{
    BASE_IMAGE, BASE_VERSION, Cluster, ClusterNode, Layout, MINIKUBE, MOST_NODES, NodeSize,
};
pub use provisioner::Provisioner;
