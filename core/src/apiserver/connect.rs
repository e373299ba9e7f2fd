//! What the API server passes on to kubelets: logs, exec, attach, port-forward.
//!
//! Data travels in plain channels, so that neither side needs to know what the other runs on.

use std::rc::Rc;

use super::ApiServer;
use crate::{
    api::{Status, Typed},
    sim::{Receiver, Sender, Time},
};
use k8s_openapi::api::core::v1::Pod;

/// Where kubelets listen.
const KUBELET_PORT: &str = "10250";

/// What of a log is wanted (`PodLogOptions`).
#[derive(Clone, Debug, Default)]
pub struct LogOptions {
    /// Which container; `None` where the pod has only one.
    pub container: Option<String>,
    /// Go on as lines come.
    pub follow: bool,
    /// The container's previous run.
    pub previous: bool,
    /// Only lines from then on.
    pub since: Option<Time>,
    /// Each line begins with its time.
    pub timestamps: bool,
    /// Only the last lines.
    pub tail: Option<u64>,
    /// Only so many bytes.
    pub limit_bytes: Option<u64>,
}

/// A process in a container, seen from outside.
pub struct ExecStreams {
    /// To its standard input; dropping it is end of file. `None` where none was asked for.
    pub stdin: Option<Sender<Vec<u8>>>,
    /// From its standard output (1) and error (2); ends when it ended.
    pub output: Receiver<(u8, Vec<u8>)>,
    /// Terminal sizes (columns, rows), where it has a terminal.
    pub resize: Option<Sender<(u16, u16)>>,
    /// Its exit code, once.
    pub exit: Receiver<i32>,
}

/// What is to be run in a container.
#[derive(Clone, Debug, Default)]
pub struct ExecOptions {
    /// Which container; `None` for the pod's default one.
    pub container: Option<String>,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Whether standard input is passed on.
    pub stdin: bool,
    /// Whether it gets a terminal, and the terminal's size.
    pub tty: Option<(u16, u16)>,
}

/// Both directions of one forwarded connection.
pub struct PortStreams {
    /// Bytes to the pod; dropping it closes that direction.
    pub to: Sender<Vec<u8>>,
    /// Bytes from the pod; ends when the pod closes.
    pub from: Receiver<Vec<u8>>,
}

/// A kubelet as the API server reaches it. Errors are worded as the kubelet's.
pub trait NodeAgent {
    /// A container's log; the stream ends where the log ends, or with the container when following.
    fn logs(&self, pod: &Pod, options: &LogOptions) -> Result<Receiver<Vec<u8>>, Status>;
    /// Runs a process in a container.
    fn exec(&self, pod: &Pod, options: &ExecOptions) -> Result<ExecStreams, Status>;
    /// Joins a container's first process.
    fn attach(&self, pod: &Pod, options: &ExecOptions) -> Result<ExecStreams, Status>;
    /// Answers a request to the kubelet's own server: status, media type and body.
    fn serve(&self, method: &str, path: &str) -> (u16, &'static str, Vec<u8>);
    /// Opens a connection to a port of the pod.
    fn port_forward(&self, pod: &Pod, port: u16) -> Result<PortStreams, Status>;
}

impl ApiServer {
    /// A kubelet can be reached from now on (`None`: no longer).
    pub fn set_agent(&self, node: &str, agent: Option<Rc<dyn NodeAgent>>) {
        let mut agents = self.0.agents.borrow_mut();
        match agent {
            Some(agent) => agents.insert(node.to_string(), agent),
            None => agents.remove(node),
        };
    }

    /// The pod and the kubelet that runs it. `what` names the call for the error when the kubelet
    /// does not answer. Errors: NotFound, BadRequest (not scheduled yet).
    pub fn agent(
        &self,
        namespace: &str,
        pod: &str,
        what: &str,
    ) -> Result<(Rc<Pod>, Rc<dyn NodeAgent>), Status> {
        let object = self.get(Pod::ID, namespace, pod)?;
        let Some(pod) = crate::api::object::downcast_rc::<Pod>(&object) else {
            return Err(Status::internal("not a pod"));
        };
        let node = pod.spec.as_ref().and_then(|s| s.node_name.clone()).unwrap_or_default();
        let name = object.name();
        if node.is_empty() {
            return Err(Status::bad_request(format!("pod {name} does not have a host assigned")));
        }
        let agent = self.0.agents.borrow().get(&node).cloned();
        let agent = agent.ok_or_else(|| {
            Status::internal(format!(
                "error dialing backend: dial tcp {}:10250: connect: connection refused ({what})",
                self.node_address(&node)
            ))
        })?;
        Ok((pod, agent))
    }

    /// The kubelet of a node, as `proxy` reaches it. Errors: NotFound; BadGateway where it does not
    /// answer, or where `port` is none of its ports.
    pub fn node_agent(&self, node: &str, port: &str) -> Result<Rc<dyn NodeAgent>, Status> {
        use k8s_openapi::api::core::v1::Node;
        self.get(Node::ID, "", node)?;
        let agent = self.0.agents.borrow().get(node).cloned();
        let agent = agent.filter(|_| matches!(port, "" | KUBELET_PORT));
        agent.ok_or_else(|| {
            let port = if port.is_empty() { KUBELET_PORT } else { port };
            let address = self.node_address(node);
            let why = format!(
                "error trying to reach service: dial tcp {address}:{port}: connect: connection \
                 refused"
            );
            Status::new(503, "ServiceUnavailable", why)
        })
    }

    fn node_address(&self, node: &str) -> String {
        use k8s_openapi::api::core::v1::Node;
        let object = self.store().get(Node::ID, "", node);
        let address = object.as_ref().and_then(|o| {
            let status = o.downcast::<Node>()?.status.as_ref()?;
            let addresses = status.addresses.as_ref()?;
            Some(addresses.iter().find(|a| a.type_ == "InternalIP")?.address.clone())
        });
        address.unwrap_or_else(|| node.to_string())
    }
}
