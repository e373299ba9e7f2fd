//! Gives every namespace its account `default`.
//!
//! Models `pkg/controller/serviceaccount/serviceaccounts_controller.go`.

use std::time::Duration;

use k8s_openapi::{
    api::core::v1::{Namespace, ServiceAccount},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::framework::{Controller, Key, Queue};
use crate::{
    api::{KindId, Status, Typed, meta::is_deleting},
    client::{Change, Client, Op},
};

/// The service account controller.
pub fn make(client: &Client) -> Box<dyn Controller> {
    Box::new(Accounts { client: client.clone() })
}

struct Accounts {
    client: Client,
}

impl Controller for Accounts {
    fn name(&self) -> &'static str {
        "serviceaccount-controller"
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![Namespace::ID, ServiceAccount::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        match change.kind {
            Namespace::ID if change.op != Op::Deleted => queue.add_name("", change.object.name()),
            ServiceAccount::ID if change.op == Op::Deleted => {
                queue.add_name("", change.object.namespace());
            }
            _ => {}
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        let Some(ns) = self.client.find::<Namespace>("", &key.1) else { return Ok(None) };
        if is_deleting(&ns.metadata)
            || self.client.find::<ServiceAccount>(&key.1, "default").is_some()
        {
            return Ok(None);
        }
        let account = ServiceAccount {
            metadata: ObjectMeta {
                name: Some("default".into()),
                namespace: Some(key.1.to_string()),
                ..Default::default()
            },
            ..Default::default()
        };
        match self.client.create(account) {
            Err(error) if !error.is_already_exists() => Err(error),
            _ => Ok(None),
        }
    }
}
