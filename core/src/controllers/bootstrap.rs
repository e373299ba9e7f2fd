//! Signs what machines are told before they trust anybody, with the bootstrap tokens that they
//! know; and clears away tokens that ended.
//!
//! Models `pkg/controller/bootstrap`.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::api::core::v1::{ConfigMap, Secret};

use super::framework::{Controller, Key, Queue};
use crate::{
    api::{
        KindId, Object, Status, Typed, base64,
        bootstrap_tokens::{self, NAMESPACE, TYPE, Token},
    },
    client::{Change, Client, DeleteOptions, Op},
    sim::digest::hmac_sha256,
};

/// What is signed: namespace and name.
const INFO: (&str, &str) = ("kube-public", "cluster-info");
const CONTENT: &str = "kubeconfig";
const SIGNATURE: &str = "jws-kubeconfig-";

/// The signer.
pub fn signer(client: &Client) -> Box<dyn Controller> {
    Box::new(Signer { client: client.clone() })
}

/// The cleaner.
pub fn cleaner(client: &Client) -> Box<dyn Controller> {
    Box::new(Cleaner { client: client.clone() })
}

struct Signer {
    client: Client,
}

struct Cleaner {
    client: Client,
}

fn is_token(object: &dyn Object) -> bool {
    object.namespace() == NAMESPACE
        && object.downcast::<Secret>().is_some_and(|s| s.type_.as_deref() == Some(TYPE))
}

/// A JSON web signature without what it signs (RFC 7515, appendix F).
fn signature(content: &str, token: &Token) -> String {
    let header = format!("{{\"alg\":\"HS256\",\"kid\":\"{}\"}}", token.id);
    let header = base64::encode_url(header.as_bytes());
    let signed = format!("{header}.{}", base64::encode_url(content.as_bytes()));
    let sum = hmac_sha256(token.secret.as_bytes(), signed.as_bytes());
    format!("{header}..{}", base64::encode_url(&sum))
}

impl Controller for Signer {
    fn name(&self) -> &'static str {
        "bootstrap-signer-controller"
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![ConfigMap::ID, Secret::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        let object = &*change.object;
        let signed = change.kind == ConfigMap::ID
            && change.op != Op::Deleted
            && (object.namespace(), object.name()) == INFO;
        if signed || is_token(object) {
            queue.add_name(INFO.0, INFO.1);
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        let Some(map) = self.client.find::<ConfigMap>(&key.0, &key.1) else { return Ok(None) };
        let data = map.data.clone().unwrap_or_default();
        let Some(content) = data.get(CONTENT).cloned() else { return Ok(None) };
        let now = self.client.sim().now();
        let mut new: BTreeMap<String, String> =
            data.iter().filter(|(k, _)| !k.starts_with(SIGNATURE)).map(own).collect();
        for secret in self.client.list::<Secret>(Some(NAMESPACE)) {
            let token = Token::of(&secret);
            let token = token.filter(|_| bootstrap_tokens::allows(&secret, "signing", now));
            if let Some(token) = token {
                new.insert(format!("{SIGNATURE}{}", token.id), signature(&content, &token));
            }
        }
        if new == data {
            return Ok(None);
        }
        let mut map = (*map).clone();
        map.data = Some(new);
        self.client.update(map).map(|_| None)
    }
}

fn own((key, value): (&String, &String)) -> (String, String) {
    (key.clone(), value.clone())
}

impl Controller for Cleaner {
    fn name(&self) -> &'static str {
        "token-cleaner-controller"
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![Secret::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        if change.op != Op::Deleted && is_token(&*change.object) {
            queue.add_name(change.object.namespace(), change.object.name());
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        let secret = self.client.find::<Secret>(&key.0, &key.1);
        let Some(secret) = secret.filter(|s| is_token(&**s)) else { return Ok(None) };
        let (now, end) = (self.client.sim().now(), bootstrap_tokens::end(&secret));
        match end {
            Some(end) if end > now => Ok(Some(end.since(now))),
            Some(_) => {
                let uid = secret.metadata.uid.clone();
                let options = DeleteOptions { uid, ..Default::default() };
                match self.client.delete::<Secret>(&key.0, &key.1, &options) {
                    Err(error) if !error.is_not_found() && !error.is_conflict() => Err(error),
                    _ => Ok(None),
                }
            }
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Namespace;
    use serde_json::json;

    use super::*;
    use crate::controllers::{
        framework,
        testing::{cluster, make, pass},
    };

    #[test]
    fn what_is_signed_is_signed_with_every_token_until_it_ends() {
        let (sim, client) = cluster(1);
        let _running = [signer(&client), cleaner(&client)].map(|c| framework::start(&client, c));
        for namespace in [NAMESPACE, INFO.0] {
            make::<Namespace>(&client, json!({"metadata": {"name": namespace}}));
        }
        make::<ConfigMap>(
            &client,
            json!({"metadata": {"namespace": INFO.0, "name": INFO.1},
                "data": {"kubeconfig": "kind: Config\n"}}),
        );
        let ends = sim.now() + Duration::from_secs(60);
        for (text, until) in
            [("abcdef.0123456789abcdef", Some(ends)), ("ffffff.0123456789abcdef", None)]
        {
            client.create(Token::parse(text).unwrap().to_secret(until)).unwrap();
        }
        let keys = || {
            let map = client.get::<ConfigMap>(INFO.0, INFO.1).unwrap();
            map.data.clone().unwrap().into_keys().collect::<Vec<_>>().join(" ")
        };
        pass(&sim, 1.0);
        assert_eq!(keys(), "jws-kubeconfig-abcdef jws-kubeconfig-ffffff kubeconfig");
        pass(&sim, 61.0);
        assert_eq!(keys(), "jws-kubeconfig-ffffff kubeconfig");
        assert_eq!(client.list::<Secret>(Some(NAMESPACE)).len(), 1);
    }

    /// The header and payload of the example that upstream's own test signs.
    #[test]
    fn a_signature_is_what_others_make_of_the_same() {
        let token = Token { id: "joshua".into(), secret: "my voice is my passcode".into() };
        assert_eq!(
            signature("Hello from the other side. I must have called a thousand times.", &token),
            "eyJhbGciOiJIUzI1NiIsImtpZCI6Impvc2h1YSJ9..VShe2taLd-YTrmWuRkcL_8QTNDHYxQIEBsAYYiIj1_8"
        );
    }
}
