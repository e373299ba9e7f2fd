//! Puts the certificate authority of the API server into every namespace, as the ConfigMap
//! `kube-root-ca.crt` that pods mount.
//!
//! The certificate is the one in `kube-system/extension-apiserver-authentication`, where the API
//! server of a real cluster publishes it too; without it nothing is published.
//!
//! Models `pkg/controller/certificates/rootcacertpublisher`.

use std::time::Duration;

use k8s_openapi::{
    api::core::v1::{ConfigMap, Namespace},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::framework::{Controller, Key, Queue};
use crate::{
    api::{KindId, Status, Typed, meta::is_deleting},
    client::{Change, Client, Op},
};

/// The published ConfigMap.
pub const NAME: &str = "kube-root-ca.crt";
/// Where the certificate comes from.
pub const SOURCE: (&str, &str) = ("kube-system", "extension-apiserver-authentication");

const DESCRIPTION: &str = "kubernetes.io/description";
const TEXT: &str = "Contains a CA bundle that can be used to verify the kube-apiserver when using \
    internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage \
    is guaranteed across distributions of Kubernetes clusters.";

/// The root certificate publisher.
pub fn make(client: &Client) -> Box<dyn Controller> {
    Box::new(RootCa { client: client.clone() })
}

struct RootCa {
    client: Client,
}

impl RootCa {
    fn certificate(&self) -> Option<String> {
        let source = self.client.find::<ConfigMap>(SOURCE.0, SOURCE.1)?;
        source.data.as_ref()?.get("client-ca-file").cloned()
    }
}

impl Controller for RootCa {
    fn name(&self) -> &'static str {
        "root-ca-certificate-publisher-controller"
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![Namespace::ID, ConfigMap::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        let (namespace, name) = (change.object.namespace(), change.object.name());
        match change.kind {
            Namespace::ID if change.op == Op::Added => queue.add_name("", name),
            ConfigMap::ID if name == NAME => queue.add_name("", namespace),
            ConfigMap::ID if (namespace, name) == SOURCE => {
                for ns in self.client.list::<Namespace>(None) {
                    queue.add_name("", ns.metadata.name.as_deref().unwrap_or_default());
                }
            }
            _ => {}
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        let Some(ns) = self.client.find::<Namespace>("", &key.1) else { return Ok(None) };
        let Some(certificate) = self.certificate() else { return Ok(None) };
        if is_deleting(&ns.metadata) {
            return Ok(None);
        }
        let data = Some([("ca.crt".to_string(), certificate)].into());
        let result = match self.client.find::<ConfigMap>(&key.1, NAME) {
            Some(old) if old.data == data => return Ok(None),
            Some(old) => {
                let mut new = (*old).clone();
                new.data = data;
                self.client.update(new)
            }
            None => self.client.create(ConfigMap {
                metadata: ObjectMeta {
                    name: Some(NAME.into()),
                    namespace: Some(key.1.to_string()),
                    annotations: Some([(DESCRIPTION.to_string(), TEXT.to_string())].into()),
                    ..Default::default()
                },
                data,
                ..Default::default()
            }),
        };
        match result {
            Err(error) if error.is_already_exists() || error.is_not_found() => Ok(None),
            Err(error) => Err(error),
            Ok(_) => Ok(None),
        }
    }
}
