//! The rules of CertificateSigningRequests.
//!
//! Models `pkg/apis/certificates/validation`, `pkg/registry/certificates/certificates/strategy.go`
//! and the admission plugins in `plugin/pkg/admission/certificates`.

use k8s_openapi::api::certificates::v1::{
    CertificateSigningRequest, CertificateSigningRequestCondition, CertificateSigningRequestStatus,
};

use super::{Strategy, StrategyCx};
use crate::{
    api::{FieldError, Kind, Object, Path, Status, base64, gofmt::quote},
    apiserver::{
        ApiServer, Attributes, RequestCx,
        auth::{user::MASTERS, x509},
    },
};

/// See the module.
pub struct Requests;

/// Signs certificates for clients of the API server.
const CLIENT_SIGNER: &str = "kubernetes.io/kube-apiserver-client";

/// In the order in which errors list them.
const USAGES: &[&str] = &[
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
];

const SHORTEST: i32 = 600;

impl Strategy for Requests {
    type Object = CertificateSigningRequest;

    fn prepare_create(&self, cx: &StrategyCx, request: &mut CertificateSigningRequest) {
        let user = &cx.request.user;
        let some = |text: &String| (!text.is_empty()).then(|| text.clone());
        let spec = &mut request.spec;
        spec.username = some(&user.name);
        spec.uid = some(&user.uid);
        spec.groups = (!user.groups.is_empty()).then(|| user.groups.clone());
        spec.extra = (!user.extra.is_empty()).then(|| user.extra.clone());
        request.status = Some(CertificateSigningRequestStatus::default());
    }

    fn prepare_update(
        &self,
        _: &StrategyCx,
        new: &mut CertificateSigningRequest,
        old: &CertificateSigningRequest,
    ) {
        new.spec.clone_from(&old.spec);
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(
        &self,
        new: &mut CertificateSigningRequest,
        old: &CertificateSigningRequest,
    ) {
        new.spec.clone_from(&old.spec);
        // Approving and denying is another matter.
        let decided = |c: &&CertificateSigningRequestCondition| is_decision(&c.type_);
        let status = new.status.get_or_insert_default();
        let mut conditions = status.conditions.take().unwrap_or_default();
        conditions.retain(|c| !is_decision(&c.type_));
        let kept = old.status.iter().flat_map(|s| s.conditions.iter().flatten());
        let kept: Vec<_> = kept.filter(decided).cloned().collect();
        conditions.splice(0..0, kept);
        status.conditions = (!conditions.is_empty()).then_some(conditions);
    }

    fn validate(&self, _: &StrategyCx, request: &CertificateSigningRequest) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let at = Path::new("spec");
        let spec = &request.spec;
        let text = String::from_utf8_lossy(&spec.request.0);
        if x509::read_request(&text).is_none() {
            let shown = quote(&base64::encode(&spec.request.0));
            let why = "PEM block type must be CERTIFICATE REQUEST";
            errors.push(FieldError::invalid(at.child("request"), shown, why));
        }
        let usages = spec.usages.as_deref().unwrap_or_default();
        if usages.is_empty() {
            errors.push(FieldError::required(at.child("usages"), ""));
        }
        let list = at.child("usages");
        for (i, usage) in usages.iter().enumerate() {
            if !USAGES.contains(&usage.as_str()) {
                errors.push(FieldError::not_supported(list.index(i), usage, USAGES));
            } else if usages.iter().take(i).any(|u| u == usage) {
                errors.push(FieldError::duplicate(list.index(i), quote(usage)));
            }
        }
        check_signer(&spec.signer_name, &at.child("signerName"), &mut errors);
        if let Some(seconds) = spec.expiration_seconds.filter(|s| *s < SHORTEST) {
            let why = "may not specify a duration less than 600 seconds (10 minutes)";
            errors.push(FieldError::invalid(at.child("expirationSeconds"), seconds, why));
        }
        errors
    }

    fn field(&self, request: &CertificateSigningRequest, path: &str) -> Option<String> {
        (path == "spec.signerName").then(|| request.spec.signer_name.clone())
    }
}

fn is_decision(condition: &str) -> bool {
    matches!(condition, "Approved" | "Denied")
}

fn check_signer(name: &str, at: &Path, errors: &mut Vec<FieldError>) {
    if name.is_empty() {
        errors.push(FieldError::required(at, ""));
    } else if name.split('/').count() != 2 || name.split('/').any(str::is_empty) {
        let why = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
        errors.push(FieldError::invalid_str(at, name, why));
    } else if !name.split('/').next().is_some_and(|domain| domain.contains('.')) {
        let why = "should be a domain with at least two segments separated by dots";
        errors.push(FieldError::invalid_str(at, name.split('/').next().unwrap_or(name), why));
    }
}

/// Refuses requests for a master's certificate. Models `CertificateSubjectRestriction`.
pub fn restrict(kind: &Kind, object: &dyn Object) -> Result<(), Status> {
    let Some(request) = object.downcast::<CertificateSigningRequest>() else { return Ok(()) };
    let text = String::from_utf8_lossy(&request.spec.request.0);
    let asked = x509::read_request(&text).map(|r| r.subject.organizations).unwrap_or_default();
    if request.spec.signer_name == CLIENT_SIGNER && asked.iter().any(|o| o == MASTERS) {
        let why = format!("use of {CLIENT_SIGNER} signer with {MASTERS} group is not allowed");
        return Err(Status::forbidden(kind, object.name(), &why));
    }
    Ok(())
}

/// The subresource `approval`: only conditions change, and only by who may approve for the signer.
pub fn prepare_approval(
    api: &ApiServer,
    cx: &RequestCx,
    kind: &Kind,
    new: &mut CertificateSigningRequest,
    old: &dyn Object,
) -> Result<(), Status> {
    let Some(old) = old.downcast::<CertificateSigningRequest>() else { return Ok(()) };
    let signer = &old.spec.signer_name;
    let any = signer.split('/').next().map(|domain| format!("{domain}/*")).unwrap_or_default();
    let may = |name: &str| {
        let wish = Attributes {
            verb: "approve",
            group: "certificates.k8s.io",
            resource: "signers",
            name,
            ..Attributes::default()
        };
        api.authorize(cx, &wish).is_ok()
    };
    let name = old.metadata.name.as_deref().unwrap_or_default();
    if !may(signer) && !may(&any) {
        let why = format!("user not permitted to approve requests with signerName {signer:?}");
        return Err(Status::forbidden(kind, name, &why));
    }
    new.spec.clone_from(&old.spec);
    let conditions = new.status.take().and_then(|s| s.conditions);
    let mut status = old.status.clone().unwrap_or_default();
    let had = status.conditions.take().unwrap_or_default();
    let mut conditions = conditions.unwrap_or_default();
    let lost = had.iter().find(|c| !conditions.iter().any(|n| n.type_ == c.type_));
    let has = |kind: &str, all: &[CertificateSigningRequestCondition]| {
        all.iter().any(|c| c.type_ == kind)
    };
    let why = if let Some(lost) = lost {
        Some(format!("may not remove a condition of type {:?}", lost.type_))
    } else if has("Approved", &conditions) && has("Denied", &conditions) {
        Some("Approved and Denied conditions are mutually exclusive".to_string())
    } else {
        None
    };
    if let Some(why) = why {
        let error = FieldError::forbidden("status.conditions", &why);
        return Err(Status::invalid(kind, name, vec![error]));
    }
    let now = api.sim().now().to_meta();
    for condition in &mut conditions {
        condition.last_update_time.get_or_insert_with(|| now.clone());
        condition.last_transition_time.get_or_insert_with(|| now.clone());
    }
    status.conditions = (!conditions.is_empty()).then_some(conditions);
    new.status = Some(status);
    Ok(())
}
