//! Signs certificates that were approved, and clears old requests away.
//!
//! Models `pkg/controller/certificates/{signer,cleaner}`; [`approver`] approves what kubelets ask for,
//! [`signers`] knows what may be signed.

pub mod approver;
mod signers;

use std::time::Duration;

use k8s_openapi::{
    ByteString,
    api::certificates::v1::{CertificateSigningRequest, CertificateSigningRequestCondition},
};

use super::framework::{Controller, Key, Queue};
use crate::{
    api::{KindId, Object, Status, Typed},
    client::{Change, Client, DeleteOptions, Op, x509},
    sim::Time,
};

/// The longest that a certificate is valid (`--cluster-signing-duration`).
const LONGEST: u64 = 365 * 24 * 3600;
/// Requests are cleared away an hour after they were decided, or a day after nobody did.
const DECIDED: Duration = Duration::from_secs(3600);
const PENDING: Duration = Duration::from_secs(24 * 3600);

/// The signing controller.
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

fn condition<'a>(
    request: &'a CertificateSigningRequest,
    kind: &str,
) -> Option<&'a CertificateSigningRequestCondition> {
    let conditions = request.status.as_ref().and_then(|s| s.conditions.as_ref());
    conditions.into_iter().flatten().find(|c| c.type_ == kind)
}

fn is_issued(request: &CertificateSigningRequest) -> bool {
    let certificate = request.status.as_ref().and_then(|s| s.certificate.as_ref());
    certificate.is_some_and(|c| !c.0.is_empty())
}

impl Controller for Signer {
    fn name(&self) -> &'static str {
        "certificatesigningrequest-signing-controller"
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![CertificateSigningRequest::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        let request = change.object.downcast::<CertificateSigningRequest>();
        let waits = request.is_some_and(|r| condition(r, "Approved").is_some() && !is_issued(r));
        if change.op != Op::Deleted && waits {
            queue.add_name("", change.object.name());
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        let found = self.client.find::<CertificateSigningRequest>("", &key.1);
        let Some(request) = found.filter(|r| !is_issued(r)) else { return Ok(None) };
        let (Some(_), None) = (condition(&request, "Approved"), condition(&request, "Failed"))
        else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(&request.spec.request.0);
        let Some(asked) = x509::read_request(&text) else { return Ok(None) };
        let usages = request.spec.usages.as_deref().unwrap_or_default();
        let Some(answer) = signers::check(&request.spec.signer_name, &asked, usages) else {
            return Ok(None);
        };
        let mut new = (*request).clone();
        let status = new.status.get_or_insert_default();
        if let Err(why) = answer {
            let now = Some(self.client.sim().now().to_meta());
            status.conditions.get_or_insert_default().push(CertificateSigningRequestCondition {
                type_: "Failed".into(),
                status: "True".into(),
                reason: Some("SignerValidationFailure".into()),
                message: Some(why),
                last_update_time: now.clone(),
                last_transition_time: now,
            });
            return self.client.update_status(new).map(|_| None);
        }
        let wanted = request.spec.expiration_seconds.and_then(|s| u64::try_from(s).ok());
        let seconds = wanted.unwrap_or(LONGEST).min(LONGEST);
        let Some(certificate) = self.client.sign_certificate(&text, seconds) else {
            return Ok(None);
        };
        status.certificate = Some(ByteString(certificate.into_bytes()));
        self.client.update_status(new).map(|_| None)
    }
}

impl Controller for Cleaner {
    fn name(&self) -> &'static str {
        "certificatesigningrequest-cleaner-controller"
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![CertificateSigningRequest::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        if change.op != Op::Deleted {
            queue.add_name("", change.object.name());
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        let Some(request) = self.client.find::<CertificateSigningRequest>("", &key.1) else {
            return Ok(None);
        };
        let decided = ["Approved", "Denied", "Failed"].iter().find_map(|k| condition(&request, k));
        let since = decided.and_then(|c| c.last_update_time.as_ref());
        let (since, patience) = match since {
            Some(since) => (Some(since), DECIDED),
            None => (request.metadata.creation_timestamp.as_ref(), PENDING),
        };
        let Some(since) = since else { return Ok(None) };
        let (end, now) = (Time::from(since) + patience, self.client.sim().now());
        if now < end {
            return Ok(Some(end.since(now)));
        }
        let options = DeleteOptions {
            uid: Some((&*request as &dyn Object).uid().to_string()),
            ..Default::default()
        };
        self.client.delete::<CertificateSigningRequest>("", &key.1, &options).map(|()| None)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        api::base64,
        client::Subresource,
        controllers::{
            framework,
            testing::{cluster, make, pass},
        },
    };

    #[test]
    fn what_is_approved_is_signed_and_later_cleared_away() {
        let (sim, client) = cluster(1);
        let _running = [signer(&client), cleaner(&client)].map(|c| framework::start(&client, c));
        let subject =
            x509::Subject { common_name: "jane".into(), organizations: vec!["dev".into()] };
        let text = x509::request(&subject, "key");
        let made = make::<CertificateSigningRequest>(
            &client,
            json!({"metadata": {"name": "jane"}, "spec": {"request": base64::encode(text.as_bytes()),
                "signerName": "kubernetes.io/kube-apiserver-client", "usages": ["client auth"]}}),
        );
        let mut approved = (*made).clone();
        approved.status.get_or_insert_default().conditions =
            Some(vec![CertificateSigningRequestCondition {
                type_: "Approved".into(),
                status: "True".into(),
                ..Default::default()
            }]);
        client.update_any(Box::new(approved), Subresource::Other).unwrap();
        pass(&sim, 1.0);
        let signed = client.get::<CertificateSigningRequest>("", "jane").unwrap();
        let certificate = signed.status.clone().unwrap().certificate.unwrap();
        assert!(
            String::from_utf8(certificate.0).unwrap().starts_with("-----BEGIN CERTIFICATE-----")
        );
        pass(&sim, 3700.0);
        assert!(client.find::<CertificateSigningRequest>("", "jane").is_none());
    }
}
