//! Approves the requests of kubelets for their own certificates, if whoever asks may have them.
//!
//! Models `pkg/controller/certificates/approver`.

use std::time::Duration;

use k8s_openapi::api::{
    authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec},
    certificates::v1::{CertificateSigningRequest, CertificateSigningRequestCondition},
};

use super::{
    condition, is_issued,
    signers::{KUBELET, is_kubelet_client},
};
use crate::{
    api::{KindId, Status, Typed},
    client::{Change, Client, Op, Subresource, x509},
    controllers::framework::{Controller, Key, Queue},
};

/// The approving controller.
pub fn make(client: &Client) -> Box<dyn Controller> {
    Box::new(Approver { client: client.clone() })
}

struct Approver {
    client: Client,
}

fn is_open(request: &CertificateSigningRequest) -> bool {
    !is_issued(request)
        && condition(request, "Approved").is_none()
        && condition(request, "Denied").is_none()
}

impl Approver {
    /// Whether somebody who asks may have such a certificate: asks the API server, as a right to
    /// create a subresource that there is not.
    fn may(&self, request: &CertificateSigningRequest, what: &str) -> Result<bool, Status> {
        let spec = &request.spec;
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: spec.username.clone(),
                uid: spec.uid.clone(),
                groups: spec.groups.clone(),
                extra: spec.extra.clone(),
                resource_attributes: Some(ResourceAttributes {
                    group: Some("certificates.k8s.io".into()),
                    resource: Some("certificatesigningrequests".into()),
                    subresource: Some(what.into()),
                    verb: Some("create".into()),
                    ..Default::default()
                }),
                ..Default::default()
            },
            ..Default::default()
        };
        let answer = self.client.create(review)?;
        Ok(answer.status.as_ref().is_some_and(|s| s.allowed))
    }

    fn approve(&self, request: &CertificateSigningRequest, text: &str) -> Result<(), Status> {
        let mut new = request.clone();
        let status = new.status.get_or_insert_default();
        status.conditions.get_or_insert_default().push(CertificateSigningRequestCondition {
            type_: "Approved".into(),
            status: "True".into(),
            reason: Some("AutoApproved".into()),
            message: Some(text.into()),
            ..Default::default()
        });
        self.client.update_any(Box::new(new), Subresource::Other).map(|_| ())
    }
}

impl Controller for Approver {
    fn name(&self) -> &'static str {
        "certificatesigningrequest-approving-controller"
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![CertificateSigningRequest::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        let request = change.object.downcast::<CertificateSigningRequest>();
        let ours = |r: &CertificateSigningRequest| r.spec.signer_name == KUBELET && is_open(r);
        if change.op != Op::Deleted && request.is_some_and(ours) {
            queue.add_name("", change.object.name());
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        let found = self.client.find::<CertificateSigningRequest>("", &key.1);
        let Some(request) = found.filter(|r| is_open(r)) else { return Ok(None) };
        let text = String::from_utf8_lossy(&request.spec.request.0);
        let Some(asked) = x509::read_request(&text) else { return Ok(None) };
        let usages = request.spec.usages.as_deref().unwrap_or_default();
        if is_kubelet_client(&asked, usages).is_err() {
            return Ok(None);
        }
        let own = request.spec.username.as_deref() == Some(&asked.subject.common_name);
        let kinds = [("selfnodeclient", "self ", own), ("nodeclient", "", true)];
        for (what, whose, _) in kinds.into_iter().filter(|(.., fits)| *fits) {
            if self.may(&request, what)? {
                let text = format!(
                    "Auto approving {whose}kubelet client certificate after SubjectAccessReview."
                );
                return self.approve(&request, &text).map(|()| None);
            }
        }
        // Somebody may still be allowed to: it is asked again, later and later.
        Err(Status::internal("recognized csr but subject access review was not approved"))
    }
}
