//! What each signer of the controller manager signs, and why it refuses.
//!
//! Models `pkg/controller/certificates/signer` and `pkg/apis/certificates/helpers.go`.

use crate::client::x509::{AltName, Request};

/// Signs certificates by which kubelets are known to the API server.
pub const KUBELET: &str = "kubernetes.io/kube-apiserver-client-kubelet";

type Check = fn(&Request, &[String]) -> Result<(), String>;

/// The signers, and what they look at. Errors are the message of the condition `Failed`.
const SIGNERS: &[(&str, Check)] = &[
    ("kubernetes.io/kube-apiserver-client", is_client),
    (KUBELET, is_kubelet_client),
    ("kubernetes.io/kubelet-serving", is_kubelet_serving),
    ("kubernetes.io/legacy-unknown", |_, _| Ok(())),
];

/// What a signer says to a request; `None` if there is no such signer here.
pub fn check(signer: &str, request: &Request, usages: &[String]) -> Option<Result<(), String>> {
    let (_, check) = SIGNERS.iter().find(|(name, _)| *name == signer)?;
    Some(check(request, usages))
}

fn is_client(_: &Request, usages: &[String]) -> Result<(), String> {
    const NEEDED: &str = "client auth";
    let fits = |usage: &&String| {
        matches!(usage.as_str(), NEEDED | "digital signature" | "key encipherment")
    };
    if let Some(other) = usages.iter().find(|usage| !fits(usage)) {
        return Err(format!("invalid usage for client certificate: {other}"));
    }
    if !usages.iter().any(|usage| usage == NEEDED) {
        return Err(format!("missing required usage for client certificate: {NEEDED}"));
    }
    Ok(())
}

/// Whether these are all of the usages, or all but the one that only RSA keys have.
fn usages_are(usages: &[String], wanted: [&str; 3]) -> Result<(), String> {
    let has = |usage: &str| usages.iter().any(|u| u == usage);
    let known = usages.iter().all(|u| wanted.contains(&u.as_str()));
    match known && wanted.iter().all(|w| has(w) || *w == "key encipherment") {
        true => Ok(()),
        false => Err(format!("usages did not match [{}]", wanted.join(" "))),
    }
}

fn has_no(request: &Request, kinds: &[(AltName, &str)]) -> Result<(), String> {
    let found = kinds.iter().find(|(kind, _)| request.names.contains(kind));
    found.map_or(Ok(()), |(_, what)| Err(format!("{what} subjectAltNames are not allowed")))
}

fn of_nodes(request: &Request) -> Result<(), String> {
    match request.subject.organizations == ["system:nodes"] {
        true => Ok(()),
        false => Err("subject organization is not system:nodes".into()),
    }
}

fn of_node(request: &Request) -> Result<(), String> {
    match request.subject.common_name.starts_with("system:node:") {
        true => Ok(()),
        false => Err("subject common name does not begin with system:node:".into()),
    }
}

/// Whether this is what a kubelet asks for that wants to be known to the API server.
pub fn is_kubelet_client(request: &Request, usages: &[String]) -> Result<(), String> {
    of_nodes(request)?;
    has_no(
        request,
        &[
            (AltName::Dns, "DNS"),
            (AltName::Email, "Email"),
            (AltName::Ip, "IP"),
            (AltName::Uri, "URI"),
        ],
    )?;
    of_node(request)?;
    usages_are(usages, ["client auth", "digital signature", "key encipherment"])
}

fn is_kubelet_serving(request: &Request, usages: &[String]) -> Result<(), String> {
    of_nodes(request)?;
    if !request.names.iter().any(|n| matches!(n, AltName::Dns | AltName::Ip)) {
        return Err("DNS or IP subjectAltName is required".into());
    }
    has_no(request, &[(AltName::Email, "Email"), (AltName::Uri, "URI")])?;
    usages_are(usages, ["digital signature", "key encipherment", "server auth"])?;
    of_node(request)
}
