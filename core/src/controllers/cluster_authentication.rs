//! Publishes the certificate authority that clients of the API server are signed by, as
//! `kube-system/extension-apiserver-authentication`.
//!
//! On a real cluster a controller inside kube-apiserver does this
//! (`pkg/controlplane/controller/clusterauthenticationtrust`). Nothing is published where whoever sets
//! the cluster up has published another certificate.

use std::time::Duration;

use k8s_openapi::{
    api::core::v1::{ConfigMap, Namespace},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{
    framework::{Controller, Key, Queue},
    root_ca::SOURCE,
};
use crate::{
    api::{KindId, Status, Typed},
    client::{Change, Client},
};

/// The cluster authentication trust controller.
pub fn make(client: &Client) -> Box<dyn Controller> {
    Box::new(Trust { client: client.clone() })
}

struct Trust {
    client: Client,
}

impl Controller for Trust {
    fn name(&self) -> &'static str {
        "cluster-authentication-trust-controller"
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![Namespace::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        if change.object.name() == SOURCE.0 {
            queue.add_name(SOURCE.0, SOURCE.1);
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        let there = self.client.find::<ConfigMap>(&key.0, &key.1).is_some();
        if there || self.client.find::<Namespace>("", &key.0).is_none() {
            return Ok(None);
        }
        let data = [("client-ca-file".to_string(), self.client.authority())];
        self.client
            .create(ConfigMap {
                metadata: ObjectMeta {
                    name: Some(key.1.to_string()),
                    namespace: Some(key.0.to_string()),
                    ..Default::default()
                },
                data: Some(data.into()),
                ..Default::default()
            })
            .map(|_| None)
    }
}
