//! What passes through the API server to a node's kubelet.

use std::rc::Rc;

use k8s_openapi::api::core::v1::{Node, Pod};

use super::{Client, ExecOptions, ExecStreams, LogOptions, NodeAgent, PortStreams};
use crate::{
    api::{Status, Typed},
    sim::Receiver,
};

impl Client {
    /// A container's log. Errors as the API server and kubelet word them.
    pub fn logs(
        &self,
        namespace: &str,
        pod: &str,
        options: &LogOptions,
    ) -> Result<Receiver<Vec<u8>>, Status> {
        self.may("get", Pod::ID, (namespace, pod), "log")?;
        let (pod, agent) = self.api.agent(namespace, pod, "logs")?;
        agent.logs(&pod, options)
    }

    /// Runs a process in a container.
    pub fn exec(
        &self,
        namespace: &str,
        pod: &str,
        options: &ExecOptions,
    ) -> Result<ExecStreams, Status> {
        self.may("create", Pod::ID, (namespace, pod), "exec")?;
        let (pod, agent) = self.api.agent(namespace, pod, "exec")?;
        agent.exec(&pod, options)
    }

    /// Joins a container's first process.
    pub fn attach(
        &self,
        namespace: &str,
        pod: &str,
        options: &ExecOptions,
    ) -> Result<ExecStreams, Status> {
        self.may("create", Pod::ID, (namespace, pod), "attach")?;
        let (pod, agent) = self.api.agent(namespace, pod, "attach")?;
        agent.attach(&pod, options)
    }

    /// Opens a connection to a port of a pod.
    pub fn port_forward(
        &self,
        namespace: &str,
        pod: &str,
        port: u16,
    ) -> Result<PortStreams, Status> {
        self.may("create", Pod::ID, (namespace, pod), "portforward")?;
        let (pod, agent) = self.api.agent(namespace, pod, "port-forward")?;
        agent.port_forward(&pod, port)
    }

    /// A node's kubelet, if it can be reached and this client may ask it for metrics.
    pub fn kubelet(&self, node: &str) -> Option<Rc<dyn NodeAgent>> {
        self.may("get", Node::ID, ("", node), "metrics").ok()?;
        self.api.node_agent(node, "").ok()
    }

    /// A kubelet makes itself reachable (`None`: no longer).
    pub fn set_agent(&self, node: &str, agent: Option<Rc<dyn NodeAgent>>) {
        self.api.set_agent(node, agent);
    }
}
