//! The table of CertificateSigningRequests.

use std::time::Duration;

use k8s_openapi::api::certificates::v1::CertificateSigningRequest;

use super::{Printer, age, col};
use crate::api::duration::human;

/// CertificateSigningRequests.
pub const REQUEST: Printer = Printer {
    columns: &[
        col("Name"),
        col("Age"),
        col("SignerName"),
        col("Requestor"),
        col("RequestedDuration"),
        col("Condition"),
    ],
    row: |cx, object| {
        let Some(request) = object.downcast::<CertificateSigningRequest>() else {
            return Vec::new();
        };
        let spec = &request.spec;
        let asked = spec.expiration_seconds.and_then(|s| u64::try_from(s).ok());
        let signer = Some(spec.signer_name.clone()).filter(|s| !s.is_empty());
        vec![
            object.name().to_string(),
            age(cx, object),
            signer.unwrap_or_else(|| "<none>".into()),
            spec.username.clone().unwrap_or_default(),
            asked.map_or_else(|| "<none>".into(), |s| human(Duration::from_secs(s))),
            condition(request),
        ]
    },
};

/// `Approved,Issued`. Models `extractCSRStatus`.
pub fn condition(request: &CertificateSigningRequest) -> String {
    let status = request.status.clone().unwrap_or_default();
    let conditions = status.conditions.unwrap_or_default();
    let has = |kind: &str| conditions.iter().any(|c| c.type_ == kind);
    let mut text = String::from(match (has("Denied"), has("Approved")) {
        (true, _) => "Denied",
        (false, true) => "Approved",
        (false, false) => "Pending",
    });
    if has("Failed") {
        text.push_str(",Failed");
    }
    if status.certificate.is_some_and(|c| !c.0.is_empty()) {
        text.push_str(",Issued");
    }
    text
}
