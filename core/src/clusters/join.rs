//! How a machine becomes a node of a cluster: with a bootstrap token it asks for a certificate for
//! its kubelet, and later, in time, for the next one.
//!
//! kubeadm writes the files (the first node is given a certificate, those that join are given a
//! token), the kubelet does the asking. Who may have a certificate is the controllers' and the
//! cluster's rules' business.
//!
//! Models `cmd/kubeadm/app/phases/bootstraptoken`, `pkg/kubelet/certificate/bootstrap` and
//! `client-go/util/certificate`.

use std::{rc::Rc, time::Duration};

use k8s_openapi::{
    ByteString,
    api::certificates::v1::{CertificateSigningRequest, CertificateSigningRequestSpec},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{ClusterNode, components::klog};
use crate::{
    api::{Status, Typed, base64, bootstrap_tokens::Token, selector::FieldSelector, yaml},
    client::{Client, Credentials, Impersonation, ListOptions, Op, User, x509},
    machine::{Proc, fs::Fs},
    sim::{Either, Sim, Time, race},
};

/// What a machine knows that is to join.
const BOOTSTRAP: &str = "/etc/kubernetes/bootstrap-kubelet.conf";
/// What a node knows.
const KUBECONFIG: &str = "/etc/kubernetes/kubelet.conf";
/// Where the kubelet keeps its certificates, and which one is the newest.
const FOLDER: &str = "/var/lib/kubelet/pki";
const CURRENT: &str = "/var/lib/kubelet/pki/kubelet-client-current.pem";
const SIGNER: &str = "kubernetes.io/kube-apiserver-client-kubelet";
/// How long a kubelet waits for what it asked for (`certificateWaitTimeout`).
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// After a failure: this long, then twice as long each time, four times.
const RETRY: Duration = Duration::from_secs(2);
const RETRIES: u32 = 4;

/// A token that nobody has guessed.
pub fn new_token(sim: &Sim) -> Token {
    const SIGNS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let word = |length: usize| -> String {
        (0..length).map(|_| SIGNS[sim.random(SIGNS.len() as u64) as usize] as char).collect()
    };
    Token { id: word(6), secret: word(16) }
}

fn config(node: &ClusterNode, user: &str, credentials: &str) -> String {
    let authority = base64::encode(node.cluster.authority().as_bytes());
    let (name, server) = (&node.cluster.name, node.cluster.server());
    format!(
        "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: {authority}\n    \
         server: https://{server}\n  name: {name}\ncontexts:\n- context:\n    cluster: {name}\n    \
         user: {user}\n  name: {user}@{name}\ncurrent-context: {user}@{name}\nkind: Config\n\
         users:\n- name: {user}\n  user:\n{credentials}"
    )
}

impl ClusterNode {
    fn write_root_file(&self, path: &str, text: &str) {
        let Some(machine) = self.machine() else { return };
        let (root, now) = (machine.files().root().clone(), machine.sim().now());
        let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder);
        let _ = root.make_dirs(folder, now).and_then(|()| root.write(path, text, now));
        let _ = root.update(path, |node| node.mode = 0o600);
    }

    /// Gives the first node its certificate, as `kubeadm init` does.
    pub(super) fn write_certificate(&self) {
        let (certificate, key) = self.cluster.api.issue_certificate(&User::node(&self.name));
        let line =
            |key: &str, text: &str| format!("    {key}: {}\n", base64::encode(text.as_bytes()));
        let both = line("client-certificate-data", &certificate) + &line("client-key-data", &key);
        self.write_root_file(
            KUBECONFIG,
            &config(self, &format!("system:node:{}", self.name), &both),
        );
    }

    /// Makes a token for a machine that is to join (`kubeadm token create --ttl=0`), and tells it.
    pub(super) fn write_token(&self) {
        let token = new_token(self.cluster.api.sim());
        let _ = self.cluster.client().managed_by("kubeadm").create(token.to_secret(None));
        let text = format!("    token: {token}\n");
        self.write_root_file(BOOTSTRAP, &config(self, "tls-bootstrap-token-user", &text));
    }
}

/// Whether the node has a certificate of its own, given or asked for.
pub fn has_certificate(proc: &Proc) -> bool {
    proc.exists(CURRENT) || proc.exists(KUBECONFIG)
}

/// Whether it was told a token.
pub fn has_token(proc: &Proc) -> bool {
    proc.exists(BOOTSTRAP)
}

/// What the kubelet shows: its newest certificate, the one it was given, or its token.
fn credentials(proc: &Proc) -> Credentials {
    if let Ok(text) = proc.read_text(CURRENT) {
        return Credentials { certificate: Some(text), token: None };
    }
    let of = |path: &str, key: &str| {
        let config = yaml::parse(&proc.read_text(path).ok()?).ok()?;
        Some(config.pointer("/users/0/user")?.get(key)?.as_str()?.to_string())
    };
    let given = of(KUBECONFIG, "client-certificate-data").and_then(|data| base64::decode(&data));
    Credentials {
        certificate: given.and_then(|bytes| String::from_utf8(bytes).ok()),
        token: of(BOOTSTRAP, "token"),
    }
}

fn login(proc: &Proc, node: &ClusterNode) -> Result<Client, String> {
    let server = node.cluster.server();
    let (shown, nobody) = (credentials(proc), Impersonation::default());
    match node.cluster.directory.login(&server, &shown, &nobody, "kubelet") {
        Some(answer) => answer.map_err(|error| error.message),
        None => Err(format!("dial tcp {server}: connect: connection refused")),
    }
}

/// Asks once for a certificate and writes it down. Errors are for the log.
async fn ask(proc: &Proc, node: &ClusterNode) -> Result<(), String> {
    let fails = |error: Status| format!("cannot create certificate signing request: {error}");
    let client = login(proc, node)
        .map_err(|error| format!("cannot create certificate signing request: {error}"))?;
    let subject = x509::Subject {
        common_name: format!("system:node:{}", node.name),
        organizations: vec!["system:nodes".into()],
    };
    let seed = format!("{} {}", node.name, proc.sim().now().as_micros());
    let request = CertificateSigningRequest {
        metadata: ObjectMeta { generate_name: Some("csr-".into()), ..ObjectMeta::default() },
        spec: CertificateSigningRequestSpec {
            request: ByteString(x509::request(&subject, &seed).into_bytes()),
            signer_name: SIGNER.into(),
            usages: Some(vec!["digital signature".into(), "client auth".into()]),
            ..Default::default()
        },
        ..Default::default()
    };
    let made = client.create(request).map_err(fails)?;
    let certificate = issued(&client, &made).await?;
    let text = certificate + &x509::private_key(&seed);
    let root: Rc<Fs> = proc.machine().files().root().clone();
    let now = proc.sim().now();
    let stamp = jiff::fmt::strtime::format("%Y-%m-%d-%H-%M-%S", now.to_timestamp());
    let file = format!("{FOLDER}/kubelet-client-{}.pem", stamp.unwrap_or_default());
    let written = root.make_dirs(FOLDER, now).and_then(|()| root.write(&file, text, now));
    written.map_err(|error| format!("{file}: {error}"))?;
    let _ = root.update(&file, |node| node.mode = 0o600);
    let _ = proc.remove(CURRENT);
    proc.symlink(&file, CURRENT).map_err(|error| format!("{CURRENT}: {error}"))?;
    let line = |key: &str| format!("    {key}: {CURRENT}\n");
    let both = line("client-certificate") + &line("client-key");
    node.write_root_file(KUBECONFIG, &config(node, "default-auth", &both));
    let _ = proc.remove(BOOTSTRAP);
    Ok(())
}

/// The certificate of a request, once there is one.
async fn issued(client: &Client, request: &CertificateSigningRequest) -> Result<String, String> {
    let name = request.metadata.name.as_deref().unwrap_or_default();
    let fields = FieldSelector::one("metadata.name", name);
    let options = ListOptions { fields, ..ListOptions::default() };
    let since = request.metadata.resource_version.as_deref().and_then(|v| v.parse().ok());
    let watch = client.watch(CertificateSigningRequest::ID, None, &options, since);
    let mut watch = watch.map_err(|error| error.message)?;
    let answer = async {
        while let Some(event) = watch.next().await {
            if event.op == Op::Deleted {
                return Err(format!("certificate signing request {name} is gone"));
            }
            let Some(status) = event
                .object
                .downcast::<CertificateSigningRequest>()
                .and_then(|r| r.status.as_ref())
            else {
                continue;
            };
            let is = |kind: &str| status.conditions.iter().flatten().any(|c| c.type_ == kind);
            if is("Denied") || is("Failed") {
                return Err(format!("certificate signing request {name} is denied or failed"));
            }
            if let Some(bytes) = status.certificate.clone().filter(|c| !c.0.is_empty()) {
                return String::from_utf8(bytes.0).map_err(|error| error.to_string());
            }
        }
        Err("the watch ended".to_string())
    };
    match race(answer, client.sim().sleep(PATIENCE)).await {
        Either::Left(answer) => answer,
        Either::Right(()) => Err("timed out waiting for the condition".into()),
    }
}

/// Asks until there is a certificate.
pub async fn join(proc: &Proc, node: &ClusterNode) {
    let mut failures = 0;
    while let Err(error) = ask(proc, node).await {
        let text = format!(
            "\"Failed while requesting a signed certificate from the control plane\" \
             err=\"{error}\" logger=\"UnhandledError\""
        );
        klog(proc, 'E', "certificate_manager.go:596", &text).await;
        proc.sleep(RETRY * 2u32.pow(failures.min(RETRIES))).await;
        failures += 1;
    }
}

/// When a certificate is to be replaced: after seven to nine tenths of its time.
fn replacement(sim: &Sim, text: &str) -> Option<Time> {
    let found = x509::look(text)?;
    let whole = found.to.since(found.from).as_micros() as u64;
    let tenths = whole / 10;
    Some(found.from + Duration::from_micros(tenths * 7 + sim.random(tenths.max(1) * 2)))
}

/// Sees to it that the kubelet always has a certificate that is good, as long as its process runs.
pub async fn keep_certificate(proc: Proc, node: Rc<ClusterNode>) {
    loop {
        if let Ok(text) = proc.read_text(CURRENT) {
            // One that can't be read is as good as none.
            if let Some(due) = replacement(proc.sim(), &text) {
                proc.sim().sleep_until(due).await;
            }
        }
        join(&proc, &node).await;
    }
}
