//! What passes through the API server to a node's kubelet.

use std::rc::Rc;

use k8s_openapi::api::core::v1::{Node, Pod};

use super::{Client, ExecOptions, ExecStreams, LogOptions, NodeAgent, PortStreams, tap::Asked};
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
        let result = self.may("get", Pod::ID, (namespace, pod), "log").and_then(|()| {
            let (pod, agent) = self.api.agent(namespace, pod, "logs")?;
            agent.logs(&pod, options)
        });
        self.note(result, || {
            let mut asked = Asked::new("GET", Pod::ID, namespace).name(pod).part("log");
            for (key, on) in [
                ("follow", options.follow),
                ("previous", options.previous),
                ("timestamps", options.timestamps),
            ] {
                if on {
                    asked = asked.query(key, on);
                }
            }
            for (key, limit) in [("limitBytes", options.limit_bytes), ("tailLines", options.tail)] {
                if let Some(limit) = limit {
                    asked = asked.query(key, limit);
                }
            }
            if let Some(since) = options.since {
                asked = asked.query("sinceTime", since.to_timestamp());
            }
            match &options.container {
                Some(container) => asked.query("container", container),
                None => asked,
            }
        })
    }

    /// Runs a process in a container.
    pub fn exec(
        &self,
        namespace: &str,
        pod: &str,
        options: &ExecOptions,
    ) -> Result<ExecStreams, Status> {
        let result = self.may("create", Pod::ID, (namespace, pod), "exec").and_then(|()| {
            let (pod, agent) = self.api.agent(namespace, pod, "exec")?;
            agent.exec(&pod, options)
        });
        self.note(result, || {
            joined(Asked::new("GET", Pod::ID, namespace).name(pod), "exec", options)
        })
    }

    /// Joins a container's first process.
    pub fn attach(
        &self,
        namespace: &str,
        pod: &str,
        options: &ExecOptions,
    ) -> Result<ExecStreams, Status> {
        let result = self.may("create", Pod::ID, (namespace, pod), "attach").and_then(|()| {
            let (pod, agent) = self.api.agent(namespace, pod, "attach")?;
            agent.attach(&pod, options)
        });
        self.note(result, || {
            joined(Asked::new("GET", Pod::ID, namespace).name(pod), "attach", options)
        })
    }

    /// Opens a connection to a port of a pod.
    pub fn port_forward(
        &self,
        namespace: &str,
        pod: &str,
        port: u16,
    ) -> Result<PortStreams, Status> {
        let result = self.may("create", Pod::ID, (namespace, pod), "portforward").and_then(|()| {
            let (pod, agent) = self.api.agent(namespace, pod, "port-forward")?;
            agent.port_forward(&pod, port)
        });
        self.note(result, || Asked::new("GET", Pod::ID, namespace).name(pod).part("portforward"))
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

/// A request to join what runs in a container.
fn joined<'a>(asked: Asked<'a>, part: &'a str, options: &ExecOptions) -> Asked<'a> {
    let mut asked = asked.part(part);
    for word in &options.command {
        asked = asked.query("command", word);
    }
    if let Some(container) = &options.container {
        asked = asked.query("container", container);
    }
    let tty = options.tty.is_some();
    for (key, on) in [("stderr", !tty), ("stdin", options.stdin), ("stdout", true), ("tty", tty)] {
        if on {
            asked = asked.query(key, on);
        }
    }
    asked
}
