//! Calls of webhooks: where they would go, and why none arrives.
//!
//! Nothing in this cluster speaks the protocol of webhooks, so a call ends as it does on a real
//! cluster whose webhook is not there: at the service, at its port, or at a closed port.
//!
//! Models `apiserver/pkg/util/webhook` and `kube-aggregator/pkg/apiserver/resolvers.go`.

use k8s_openapi::api::core::v1::Service;

use super::ApiServer;
use crate::api::Typed;

/// Where a webhook is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hook {
    /// `https://example.com/check`, if it is not a service.
    pub url: Option<String>,
    /// Namespace, name and port of a service.
    pub service: (String, String, i32),
    /// The path at the service.
    pub path: String,
}

/// The port of a service's webhook where none is said.
pub const PORT: i32 = 443;

impl Hook {
    fn address(&self) -> String {
        let (namespace, name, port) = &self.service;
        match &self.url {
            Some(url) => url.clone(),
            None => {
                let slash =
                    if self.path.starts_with('/') || self.path.is_empty() { "" } else { "/" };
                format!("https://{name}.{namespace}.svc:{port}{slash}{}", self.path)
            }
        }
    }
}

impl ApiServer {
    /// Why a call of a webhook that may take so many seconds fails.
    pub(super) fn call_webhook(&self, hook: &Hook, seconds: i32) -> String {
        let address = hook.address();
        let mark = if address.contains('?') { '&' } else { '?' };
        format!("Post \"{address}{mark}timeout={seconds}s\": {}", self.unreachable(hook))
    }

    fn unreachable(&self, hook: &Hook) -> String {
        if let Some(url) = &hook.url {
            let rest = url.split("://").nth(1).unwrap_or(url);
            let host = rest.split(['/', '?', ':']).next().unwrap_or(rest);
            let port =
                rest.split('/').next().and_then(|h| h.split_once(':')).map_or("443", |p| p.1);
            return match host.parse::<std::net::Ipv4Addr>() {
                Ok(address) => format!("dial tcp {address}:{port}: connect: connection refused"),
                Err(_) => format!("dial tcp: lookup {host}: no such host"),
            };
        }
        let (namespace, name, port) = &hook.service;
        let found = self.store().get(Service::ID, namespace, name);
        let Some(spec) = found.as_ref().and_then(|s| s.downcast::<Service>()?.spec.as_ref()) else {
            return format!("service {name:?} not found");
        };
        if !spec.ports.iter().flatten().any(|p| p.port == *port) {
            return format!("no service port {port} found for service {name:?}");
        }
        let address = spec.cluster_ip.as_deref().unwrap_or_default();
        format!("dial tcp {address}:{port}: connect: connection refused")
    }
}
