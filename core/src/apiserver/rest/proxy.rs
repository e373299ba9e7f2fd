//! `proxy`: HTTP to a port of a pod, or of a pod behind a service, through the API server.
//!
//! The request goes the way that port-forward goes (kubelet, pod); the answer is read whole. Of
//! schemes there is plain HTTP only.
//!
//! Models `pkg/registry/core/{pod,service}/…` (`ResourceLocation`) and `apimachinery/pkg/util/proxy`.

use std::rc::Rc;

use k8s_openapi::api::{
    core::v1::{Pod, Service},
    discovery::v1::EndpointSlice,
};

use super::{Answer, Call, Handled, Response, failure, path::Target};
use crate::{
    api::{Kind, Status, Typed},
    apiserver::connect::PortStreams,
    sim::{Receiver, channel},
};

/// More of an answer is not read.
const MOST: usize = 64 << 20;

fn unavailable(why: String) -> Status {
    Status::new(503, "ServiceUnavailable", why)
}

/// `name`, `name:port` or `scheme:name:port`.
fn split(name: &str) -> (&str, &str) {
    let parts: Vec<&str> = name.split(':').collect();
    match parts.as_slice() {
        [name, port] | [_, name, port] => (name, port),
        _ => (name, ""),
    }
}

impl Call<'_> {
    pub(super) fn proxy(&self, kind: &Rc<Kind>, target: &Target, name: &str) -> Handled {
        let verb = match self.method() {
            "GET" | "HEAD" => "get",
            "POST" => "create",
            "PUT" => "update",
            "PATCH" => "patch",
            "DELETE" => "delete",
            _ => return Err(super::not_allowed()),
        };
        self.permit(verb, kind, target)?;
        let raw = &self.request.path;
        if target.rest.is_empty() && !raw.ends_with('/') {
            let mut response = Response::text(301, "");
            response.headers.push(("Location".into(), format!("{raw}/")));
            return Ok(response.into());
        }
        if &*kind.plural == "nodes" {
            return self.in_node(name);
        }
        let ns = target.ns();
        let (pod, port) = match &*kind.plural {
            "services" => self.behind_service(ns, name)?,
            _ => self.in_pod(ns, name)?,
        };
        let (pod, agent) = self.api.agent(ns, &pod, "proxy")?;
        let mut streams = agent.port_forward(&pod, port).map_err(|status| {
            unavailable(format!("error trying to reach service: {}", status.message))
        })?;
        streams.to.send(self.message());
        let (to, from) = channel();
        self.api.sim().spawn(async move {
            let answer = exchange(&mut streams).await;
            let lost = || {
                let why = "error trying to reach service: EOF".to_owned();
                failure(&unavailable(why), None)
            };
            to.send(answer.unwrap_or_else(lost));
        });
        Ok(Answer::Later(from))
    }

    /// What a node's kubelet itself answers.
    fn in_node(&self, name: &str) -> Handled {
        let (name, port) = split(name);
        let agent = self.api.node_agent(name, port)?;
        let tail = self.request.path.split_once("/proxy/").map_or("", |(_, tail)| tail);
        let path = super::path::decode(tail, false).unwrap_or_default();
        let (status, media_type, body) = agent.serve(&self.request.method, &format!("/{path}"));
        Ok(Response::bytes(status, media_type, body).into())
    }

    /// The request as the pod gets it.
    fn message(&self) -> Vec<u8> {
        // The path behind `/proxy`, still as it was sent.
        let tail = self.request.path.split_once("/proxy/").map_or("", |(_, tail)| tail);
        let query = match self.request.query.as_str() {
            "" => String::new(),
            query => format!("?{query}"),
        };
        let mut text = format!("{} /{tail}{query} HTTP/1.1\r\n", self.request.method);
        const OWN: &[&str] = &[
            "authorization",
            "connection",
            "content-length",
            "accept-encoding",
            "transfer-encoding",
            "upgrade",
        ];
        for (key, value) in &self.request.headers {
            let clean = !key.contains(['\r', '\n']) && !value.contains(['\r', '\n']);
            if clean && !OWN.iter().any(|own| key.eq_ignore_ascii_case(own)) {
                text.push_str(&format!("{key}: {value}\r\n"));
            }
        }
        if self.request.header("host").is_empty() {
            text.push_str("Host: localhost\r\n");
        }
        text.push_str("Connection: close\r\n");
        if !self.request.body.is_empty() {
            text.push_str(&format!("Content-Length: {}\r\n", self.request.body.len()));
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.extend(&self.request.body);
        bytes
    }

    fn in_pod(&self, ns: &str, name: &str) -> Result<(String, u16), Status> {
        let (name, port) = split(name);
        let object = self.api.get(Pod::ID, ns, name)?;
        let declared = object.downcast::<Pod>().and_then(|pod| {
            let containers = &pod.spec.as_ref()?.containers;
            let ports = containers.iter().flat_map(|c| c.ports.iter().flatten());
            let mut ports = ports.map(|p| p.container_port);
            u16::try_from(ports.next()?).ok()
        });
        let port = match port {
            "" => declared.unwrap_or(80),
            port => port.parse().map_err(|_| {
                Status::bad_request(format!("invalid pod request \"{name}:{port}\""))
            })?,
        };
        Ok((name.to_owned(), port))
    }

    fn behind_service(&self, ns: &str, name: &str) -> Result<(String, u16), Status> {
        let (name, port) = split(name);
        let object = self.api.get(Service::ID, ns, name)?;
        let service = object.downcast::<Service>();
        let ports = service.and_then(|s| s.spec.as_ref()?.ports.as_deref()).unwrap_or_default();
        let wanted = match (port, ports) {
            ("", [one]) => Some(one),
            (port, all) => all.iter().find(|p| {
                p.name.as_deref().unwrap_or_default() == port || p.port.to_string() == port
            }),
        };
        let wanted = wanted.ok_or_else(|| {
            unavailable(format!("no service port {port:?} found for service {name:?}"))
        })?;
        let port_name = wanted.name.as_deref().unwrap_or_default();
        let mut found = Vec::new();
        for object in self.api.store().list(EndpointSlice::ID, Some(ns)) {
            let Some(slice) = object.downcast::<EndpointSlice>() else { continue };
            let of = crate::api::meta::label(&slice.metadata, "kubernetes.io/service-name");
            let ports = slice.ports.iter().flatten();
            let mut ports = ports.filter(|p| p.name.as_deref().unwrap_or_default() == port_name);
            let port = ports.next().and_then(|p| u16::try_from(p.port?).ok());
            let (Some(port), true) = (port, of == Some(name)) else { continue };
            for endpoint in slice.endpoints.iter().flatten() {
                let ready = endpoint.conditions.as_ref().is_none_or(|c| c.ready != Some(false));
                let pod = endpoint.target_ref.as_ref().filter(|r| r.kind.as_deref() == Some("Pod"));
                if let (true, Some(pod)) = (ready, pod.and_then(|r| r.name.clone())) {
                    found.push((pod, port));
                }
            }
        }
        if found.is_empty() {
            return Err(unavailable(format!("no endpoints available for service {name:?}")));
        }
        let chosen = self.api.sim().random(found.len() as u64) as usize;
        Ok(found.swap_remove(chosen))
    }
}

/// Reads an HTTP/1.1 answer to its end.
async fn exchange(streams: &mut PortStreams) -> Option<Response> {
    let mut input = Input { from: &mut streams.from, buffer: Vec::new() };
    let head = input.until(b"\r\n\r\n").await?;
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.lines();
    let status: u16 = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
        .collect();
    let header = |name: &str| {
        headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    };
    let body = if header("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked")) {
        input.chunked().await?
    } else if let Some(length) = header("content-length").and_then(|v| v.parse::<usize>().ok()) {
        input.exactly(length.min(MOST)).await?
    } else {
        input.rest().await
    };
    let kept = headers.iter().filter(|(key, _)| {
        let key = key.to_ascii_lowercase();
        !matches!(
            key.as_str(),
            "connection" | "transfer-encoding" | "content-length" | "keep-alive"
        )
    });
    let headers = kept.cloned().collect();
    Some(Response { status, headers, body: super::Body::Bytes(body) })
}

struct Input<'a> {
    from: &'a mut Receiver<Vec<u8>>,
    buffer: Vec<u8>,
}

impl Input<'_> {
    async fn more(&mut self) -> bool {
        match self.from.recv().await {
            Some(bytes) => {
                self.buffer.extend(bytes);
                self.buffer.len() <= MOST
            }
            None => false,
        }
    }

    async fn exactly(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < count {
            if !self.more().await {
                return None;
            }
        }
        Some(self.buffer.drain(..count).collect())
    }

    /// Up to and with the next `end`.
    async fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.buffer.windows(end.len()).position(|w| w == end) {
                return Some(self.buffer.drain(..at + end.len()).collect());
            }
            if !self.more().await {
                return None;
            }
        }
    }

    async fn chunked(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.until(b"\r\n").await?;
            let line = String::from_utf8_lossy(&line).into_owned();
            let size = line.trim().split(';').next().unwrap_or("");
            let size = usize::from_str_radix(size, 16).ok()?;
            if size == 0 {
                return Some(body);
            }
            if body.len().saturating_add(size) > MOST {
                return None;
            }
            body.extend(self.exactly(size).await?);
            self.exactly(2).await?;
        }
    }

    async fn rest(&mut self) -> Vec<u8> {
        while self.more().await {}
        std::mem::take(&mut self.buffer)
    }
}
