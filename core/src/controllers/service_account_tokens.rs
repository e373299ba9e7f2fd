//! Fills secrets of the type `kubernetes.io/service-account-token` with a token that does not expire,
//! and removes them with their account.
//!
//! Models `pkg/controller/serviceaccount/tokens_controller.go`.

use std::time::Duration;

use k8s_openapi::{
    ByteString,
    api::core::v1::{ConfigMap, Secret, ServiceAccount},
};

use super::{
    framework::{Controller, Key, Queue},
    root_ca::SOURCE,
};
use crate::{
    api::{KindId, Object, Status, Typed, meta},
    client::{Change, Client, DeleteOptions, IndexId, Op},
};

const TYPE: &str = "kubernetes.io/service-account-token";
const ACCOUNT: &str = "kubernetes.io/service-account.name";
const ACCOUNT_UID: &str = "kubernetes.io/service-account.uid";

/// The token controller.
pub fn make(client: &Client) -> Box<dyn Controller> {
    Box::new(Tokens { by_account: client.index::<Secret>(by_account), client: client.clone() })
}

struct Tokens {
    client: Client,
    by_account: IndexId,
}

/// `namespace/account` of secrets that hold an account's token.
fn by_account(object: &dyn Object) -> Vec<String> {
    let secret = object.downcast::<Secret>().filter(|s| s.type_.as_deref() == Some(TYPE));
    let account = secret.and_then(|s| meta::annotation(&s.metadata, ACCOUNT));
    account.map(|name| format!("{}/{name}", object.namespace())).into_iter().collect()
}

impl Controller for Tokens {
    fn name(&self) -> &'static str {
        "serviceaccount-token-controller"
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![Secret::ID, ServiceAccount::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        let (namespace, name) = (change.object.namespace(), change.object.name());
        if change.kind == Secret::ID {
            if change.op != Op::Deleted && !by_account(&*change.object).is_empty() {
                queue.add_name(namespace, name);
            }
            return;
        }
        let key = format!("{namespace}/{name}");
        for secret in self.client.by_index::<Secret>(self.by_account, &key) {
            queue.add_name(namespace, secret.metadata.name.as_deref().unwrap_or_default());
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        let Some(secret) = self.client.find::<Secret>(&key.0, &key.1) else { return Ok(None) };
        let Some(name) = meta::annotation(&secret.metadata, ACCOUNT) else { return Ok(None) };
        let uid = meta::annotation(&secret.metadata, ACCOUNT_UID).filter(|uid| !uid.is_empty());
        let account = self.client.find::<ServiceAccount>(&key.0, name);
        let account =
            account.filter(|a| uid.is_none_or(|uid| a.metadata.uid.as_deref() == Some(uid)));
        let Some(account) = account else {
            let options = DeleteOptions { uid: secret.metadata.uid.clone(), ..Default::default() };
            self.client.delete::<Secret>(&key.0, &key.1, &options)?;
            return Ok(None);
        };
        let mut new = (*secret).clone();
        let data = new.data.get_or_insert_default();
        let authority = self.client.find::<ConfigMap>(SOURCE.0, SOURCE.1);
        let authority = authority.and_then(|map| map.data.as_ref()?.get("client-ca-file").cloned());
        if let Some(authority) = authority {
            data.insert("ca.crt".into(), ByteString(authority.into_bytes()));
        }
        data.entry("namespace".into()).or_insert(ByteString(key.0.as_bytes().to_vec()));
        if data.get("token").is_none_or(|token| token.0.is_empty()) {
            let token = self.client.legacy_token(&key.1, &account);
            data.insert("token".into(), ByteString(token.into_bytes()));
        }
        let notes = new.metadata.annotations.get_or_insert_default();
        notes.insert(ACCOUNT_UID.into(), account.metadata.uid.clone().unwrap_or_default());
        if new == *secret { Ok(None) } else { self.client.update(new).map(|_| None) }
    }
}
