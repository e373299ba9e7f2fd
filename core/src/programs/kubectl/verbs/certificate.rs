//! `kubectl certificate approve | deny`. Models `k8s.io/kubectl/pkg/cmd/certificates`.

use k8s_openapi::api::certificates::v1::{
    CertificateSigningRequest, CertificateSigningRequestCondition,
};

use crate::{
    api::Typed,
    client::Subresource,
    programs::kubectl::{
        Conn, Cx, Error,
        flags::{Command, Complete, Flag, Parsed},
        manifest,
        output::{self, Printer},
    },
};

/// `kubectl certificate`
pub static COMMAND: Command = Command {
    name: "certificate",
    usage: "certificate SUBCOMMAND",
    short: "Approve or deny requests for certificates",
    subcommands: &[&APPROVE, &DENY],
    ..Command::EMPTY
};

static APPROVE: Command = Command {
    name: "approve",
    usage: "approve (-f FILENAME | NAME)",
    short: "Approve a request for a certificate",
    long: "Approve a request for a certificate.\n\nThe signer that the request names then issues it. Who \
           holds the certificate is whom it names to the cluster: look at what a request asks for \
           before you approve it.",
    examples: "# The request \"jane\"\nkubectl certificate approve jane",
    flags: &[
        &[Flag::bool("force", false, "Write it even if it is approved already.")],
        manifest::FLAGS,
        output::FLAGS,
    ],
    run: Some(|cx, p| Box::pin(run(cx, p, &DECISIONS[0]))),
    complete: Complete::Names("certificatesigningrequests"),
    ..Command::EMPTY
};

static DENY: Command = Command {
    name: "deny",
    usage: "deny (-f FILENAME | NAME)",
    short: "Deny a request for a certificate",
    examples: "# The request \"jane\"\nkubectl certificate deny jane",
    flags: &[
        &[Flag::bool("force", false, "Write it even if it is denied already.")],
        manifest::FLAGS,
        output::FLAGS,
    ],
    run: Some(|cx, p| Box::pin(run(cx, p, &DECISIONS[1]))),
    complete: Complete::Names("certificatesigningrequests"),
    ..Command::EMPTY
};

struct Decision {
    condition: &'static str,
    other: &'static str,
    reason: &'static str,
    done: &'static str,
}

static DECISIONS: [Decision; 2] = [
    Decision { condition: "Approved", other: "Denied", reason: "KubectlApprove", done: "approved" },
    Decision { condition: "Denied", other: "Approved", reason: "KubectlDeny", done: "denied" },
];

/// How often a conflict is tried again.
const ATTEMPTS: usize = 10;

async fn run(cx: Cx, p: Parsed, decision: &'static Decision) -> Result<(), Error> {
    if p.args.is_empty() && !manifest::given(&p) {
        let text = "one or more CSRs must be specified as <name> or -f <filename>";
        return Err(Error::plain(text));
    }
    let conn = cx.connect(&p, 5)?;
    let (mut names, mut errors) = (p.args.clone(), Vec::new());
    if manifest::given(&p) {
        let (found, error) = manifest::read(&cx, &conn, &p, false).await;
        errors.extend(error);
        for item in found {
            if item.kind.id == CertificateSigningRequest::ID {
                names.push(item.name().to_owned());
                continue;
            }
            errors.push(Error::plain(format!(
                "can only handle CertificateSigningRequest.certificates.k8s.io objects, got {}",
                item.kind.kind
            )));
        }
    }
    let mut printer = Printer::new(&cx, &p, "", decision.done)?;
    let mut done = 0;
    for name in names {
        match decide(&conn, &name, decision, p.bool("force")) {
            Ok(object) => {
                done += 1;
                cx.out(&printer.one(&object)?).await;
            }
            Err(error) => errors.push(error),
        }
    }
    if done == 0 && errors.is_empty() {
        cx.out("No resources found\n").await;
    }
    Error::collect(errors)
}

/// Adds the condition; the object as it was before.
fn decide(
    conn: &Conn,
    name: &str,
    decision: &Decision,
    force: bool,
) -> Result<serde_json::Value, Error> {
    let before = conn.client.get_any(CertificateSigningRequest::ID, "", name)?;
    for _ in 0..ATTEMPTS {
        let request = conn.client.get::<CertificateSigningRequest>("", name)?;
        let conditions = request.status.iter().flat_map(|s| s.conditions.iter().flatten());
        let has = |kind: &str| conditions.clone().any(|c| c.type_ == kind);
        if has(decision.other) {
            return Err(Error::plain(format!(
                "certificate signing request {name:?} is already {}",
                decision.other
            )));
        }
        let known = has(decision.condition);
        if known && !force {
            break;
        }
        let mut new = (*request).clone();
        if !known {
            let message = format!(
                "This CSR was {} by kubectl certificate {}.",
                decision.done,
                if decision.done == "denied" { "deny" } else { "approve" }
            );
            let status = new.status.get_or_insert_default();
            status.conditions.get_or_insert_default().push(CertificateSigningRequestCondition {
                type_: decision.condition.into(),
                status: "True".into(),
                reason: Some(decision.reason.into()),
                message: Some(message),
                last_update_time: Some(conn.client.sim().now().to_meta()),
                last_transition_time: None,
            });
        }
        match conn.client.update_any(Box::new(new), Subresource::Other) {
            Err(status) if status.is_conflict() => {}
            Err(status) => return Err(status.into()),
            Ok(_) => break,
        }
    }
    Ok(before.to_value())
}
