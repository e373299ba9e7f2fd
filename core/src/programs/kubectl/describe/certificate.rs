//! `kubectl describe certificatesigningrequest`. Models `describeCertificateSigningRequest`.

use std::time::Duration;

use k8s_openapi::api::certificates::v1::CertificateSigningRequest;

use super::{
    Cx, Writer,
    common::{self, text},
    events,
};
use crate::{
    api::{Object, duration::human},
    client::{csr_condition, x509},
};

/// See the module.
pub fn describe(cx: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(request) = object.downcast::<CertificateSigningRequest>() else { return };
    let meta = &request.metadata;
    let joined = |map: &Option<std::collections::BTreeMap<String, String>>| {
        let pairs: Vec<String> = map.iter().flatten().map(|(k, v)| format!("{k}={v}")).collect();
        if pairs.is_empty() { "<none>".to_string() } else { pairs.join(",") }
    };
    w.put(0, format_args!("Name:\t{}\n", object.name()));
    w.put(0, format_args!("Labels:\t{}\n", joined(&meta.labels)));
    w.put(0, format_args!("Annotations:\t{}\n", joined(&meta.annotations)));
    let created = common::meta_date(meta.creation_timestamp.as_ref());
    w.put(0, format_args!("CreationTimestamp:\t{created}\n"));
    let spec = &request.spec;
    w.put(0, format_args!("Requesting User:\t{}\n", text(&spec.username)));
    w.put(0, format_args!("Signer:\t{}\n", spec.signer_name));
    if let Some(seconds) = spec.expiration_seconds.and_then(|s| u64::try_from(s).ok()) {
        w.put(0, format_args!("Requested Duration:\t{}\n", human(Duration::from_secs(seconds))));
    }
    w.put(0, format_args!("Status:\t{}\n", csr_condition(request)));
    w.put(0, "Subject:\n");
    let asked = x509::read_request(&String::from_utf8_lossy(&spec.request.0));
    if let Some(asked) = asked {
        w.put(0, format_args!("\tCommon Name:\t{}\n", asked.subject.common_name));
        w.put(0, "\tSerial Number:\t\n");
        if !asked.subject.organizations.is_empty() {
            let list = asked.subject.organizations.join("\n\t\t");
            w.put(0, format_args!("\tOrganization:\t{list}\n"));
        }
    }
    events::of(cx, object, w);
}
