//! `kube-scheduler`: the cluster's own, and those that people deploy next to it.
//!
//! The cluster's own runs as a static pod with its own credentials. One in an ordinary pod acts for
//! the pod's service account: what that may not do, it logs and cannot do.
//!
//! Models `cmd/kube-scheduler/app` and `client-go/tools/leaderelection`.

use std::{rc::Rc, time::Duration};

use k8s_openapi::{
    api::{
        apps::v1::{ReplicaSet, StatefulSet},
        coordination::v1::{Lease, LeaseSpec},
        core::v1::{
            Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod, ReplicationController,
            Service,
        },
        policy::v1::PodDisruptionBudget,
        storage::v1::StorageClass,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{
    ClusterNode,
    components::{api_answers, healthz, klog, no_node, node_of},
};
use crate::{
    api::{KindId, Status, Typed, gofmt::quote},
    client::{Attributes, Client, Credentials, Impersonation, directory::Directory},
    machine::{Proc, Program, Signal},
    scheduler::{
        Scheduler,
        config::{self, Config, LeaderElection},
    },
    sim::{Either, race},
};

/// `kube-scheduler`
pub static PROGRAM: Program = Program {
    name: "kube-scheduler",
    summary: "the Kubernetes scheduler",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

/// Where a pod's credentials are.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const PORT: u16 = 10259;
/// Longest wait between attempts to read what may not be read.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the command line says.
#[derive(Default)]
struct Options {
    config: Option<String>,
    elect: Option<bool>,
    lease_name: Option<String>,
    lease_namespace: Option<String>,
    port: Option<u16>,
}

/// Flags that are about things that do not exist here: certificates, other servers, logs.
const WITHOUT_EFFECT: &[&str] = &[
    "authentication-kubeconfig",
    "authorization-kubeconfig",
    "bind-address",
    "client-ca-file",
    "kubeconfig",
    "profiling",
    "requestheader-client-ca-file",
    "tls-cert-file",
    "tls-private-key-file",
    "v",
];

fn options(args: &[String]) -> Result<Options, String> {
    let mut made = Options::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let Some(flag) = arg.strip_prefix("--").or_else(|| arg.strip_prefix('-')) else {
            return Err(format!("unknown command {arg:?} for \"kube-scheduler\""));
        };
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, value.to_string()),
            None if ["leader-elect", "profiling"].contains(&flag) => (flag, "true".to_string()),
            None => {
                let value = args.next().ok_or(format!("flag needs an argument: --{flag}"))?;
                (flag, value.clone())
            }
        };
        let wrong = |kind: &str| {
            format!(
                "invalid argument {} for \"--{name}\" flag: strconv.{kind}: parsing {}: invalid \
                 syntax",
                quote(&value),
                quote(&value)
            )
        };
        match name {
            "config" => made.config = Some(value),
            "leader-elect" => made.elect = Some(value.parse().map_err(|_| wrong("ParseBool"))?),
            "leader-elect-resource-name" => made.lease_name = Some(value),
            "leader-elect-resource-namespace" => made.lease_namespace = Some(value),
            "secure-port" => made.port = Some(value.parse().map_err(|_| wrong("ParseInt"))?),
            known if WITHOUT_EFFECT.contains(&known) => {}
            other => return Err(format!("unknown flag: --{other}")),
        }
    }
    Ok(made)
}

async fn main(proc: Proc) -> i32 {
    let args = proc.args().get(1..).unwrap_or_default().to_vec();
    if args.iter().any(|a| a == "--version") {
        proc.print("Kubernetes v1.36.2\n").await;
        return 0;
    }
    let options = match options(&args) {
        Ok(options) => options,
        Err(why) => {
            proc.eprint(&format!("Error: {why}\n")).await;
            return 1;
        }
    };
    let Some(node) = node_of(&proc) else { return no_node(&proc).await };
    let config = match configured(&proc, &options) {
        Ok(config) => config,
        Err(why) => return failed(&proc, &why).await,
    };
    if !api_answers(&proc, &node).await {
        return 1;
    }
    let client = match client(&proc, &node) {
        Ok(client) => client,
        Err(why) => return failed(&proc, &why).await,
    };
    let version = "\"Starting Kubernetes Scheduler\" version=\"v1.36.2\"";
    klog(&proc, 'I', "server.go:176", version).await;
    let settings = "\"Golang settings\" GOGC=\"\" GOMAXPROCS=\"\" GOTRACEBACK=\"\"";
    klog(&proc, 'I', "server.go:178", settings).await;
    let port = options.port.unwrap_or(PORT);
    healthz(&proc, port, true);
    let serving = format!("Serving securely on [::]:{port}");
    klog(&proc, 'I', "secure_serving.go:211", &serving).await;
    match race(asked_to_end(&proc), work(&proc, &client, config)).await {
        Either::Left(()) => 0,
        Either::Right(code) => code,
    }
}

async fn failed(proc: &Proc, why: &str) -> i32 {
    klog(proc, 'E', "run.go:72", &format!("\"command failed\" err={}", quote(why))).await;
    1
}

async fn asked_to_end(proc: &Proc) {
    while !matches!(proc.signal().await, Signal::Term | Signal::Int) {}
}

fn configured(proc: &Proc, options: &Options) -> Result<Config, String> {
    let mut config = match &options.config {
        Some(path) => {
            let text = proc
                .read_text(path)
                .map_err(|e| format!("open {path}: {}", e.to_string().to_lowercase()))?;
            config::read(&text)?
        }
        None => Config::default(),
    };
    // A configuration's word counts more than the old flags' for the same.
    if options.config.is_none() {
        let election = &mut config.leader_election;
        election.elect = options.elect.unwrap_or(election.elect);
        let LeaderElection { name, namespace, .. } = election;
        if let Some(given) = &options.lease_name {
            name.clone_from(given);
        }
        if let Some(given) = &options.lease_namespace {
            namespace.clone_from(given);
        }
    }
    Ok(config)
}

/// The client of the pod's service account, or of the cluster's own scheduler.
fn client(proc: &Proc, node: &Rc<ClusterNode>) -> Result<Client, String> {
    let Ok(token) = proc.read_text(&format!("{ACCOUNT}/token")) else {
        if !node.control_plane {
            return Err(format!("open {ACCOUNT}/token: no such file or directory"));
        }
        return Ok(Client::system(&node.cluster.api, "kube-scheduler"));
    };
    let shown = Credentials { token: Some(token.trim().to_string()), ..Credentials::default() };
    let directory = proc.machine().get::<Directory>();
    let nobody = Impersonation::default();
    let server = node.cluster.server();
    let login = directory.and_then(|d| d.login(&server, &shown, &nobody, "kube-scheduler"));
    match login {
        Some(client) => client.map_err(|e| e.to_string()),
        None => Err(format!("Get \"https://{server}/api\": connection refused")),
    }
}

async fn work(proc: &Proc, client: &Client, config: Config) -> i32 {
    readable(proc, client).await;
    let election = config.leader_election.clone();
    if !election.elect {
        let _scheduler = Scheduler::with(client, config);
        return std::future::pending().await;
    }
    let name = format!("{}/{}", election.namespace, election.name);
    let attempt = format!("Attempting to acquire leader lease {name}...");
    klog(proc, 'I', "leaderelection.go:258", &attempt).await;
    let own = identity(proc);
    let mut known = Observed::default();
    while !renew(proc, client, &election, &own, &mut known).await {
        proc.sleep(election.retry).await;
    }
    let acquired = format!("Successfully acquired lease {name}");
    klog(proc, 'I', "leaderelection.go:272", &acquired).await;
    let _scheduler = Scheduler::with(client, config);
    let mut renewed = proc.sim().now();
    loop {
        proc.sleep(election.retry).await;
        if renew(proc, client, &election, &own, &mut known).await {
            renewed = proc.sim().now();
        } else if proc.sim().now().since(renewed) >= election.renew {
            klog(proc, 'E', "server.go:279", "\"Leaderelection lost\"").await;
            return 1;
        }
    }
}

/// `HOST_UUID`, as leaders sign.
fn identity(proc: &Proc) -> String {
    let random =
        |n: u32| (0..n).map(|_| format!("{:x}", proc.sim().random(16))).collect::<String>();
    let id = format!("{}-{}-4{}-a{}-{}", random(8), random(4), random(3), random(3), random(12));
    format!("{}_{id}", proc.machine().hostname())
}

/// What was seen of a lease last, and when it changed.
#[derive(Default)]
struct Observed {
    spec: Option<LeaseSpec>,
    at: crate::sim::Time,
}

/// Takes or keeps the lease; whether it is one's own.
async fn renew(
    proc: &Proc,
    client: &Client,
    election: &LeaderElection,
    own: &str,
    known: &mut Observed,
) -> bool {
    match try_renew(proc, client, election, own, known) {
        Ok(held) => held,
        Err((doing, error)) => {
            let place = format!("{}/{}", election.namespace, election.name);
            let text = format!("error {doing} resource lock {place}: {error}");
            klog(proc, 'E', "leaderelection.go:448", &text).await;
            false
        }
    }
}

fn try_renew(
    proc: &Proc,
    client: &Client,
    election: &LeaderElection,
    own: &str,
    known: &mut Observed,
) -> Result<bool, (&'static str, Status)> {
    let now = proc.sim().now();
    let fresh = LeaseSpec {
        holder_identity: Some(own.to_string()),
        lease_duration_seconds: Some(election.lease.as_secs() as i32),
        acquire_time: Some(now.to_micro()),
        renew_time: Some(now.to_micro()),
        lease_transitions: Some(0),
        ..LeaseSpec::default()
    };
    let found = match client.get::<Lease>(&election.namespace, &election.name) {
        Ok(lease) => lease,
        Err(error) if error.is_not_found() => {
            let metadata = ObjectMeta {
                name: Some(election.name.clone()),
                namespace: Some(election.namespace.clone()),
                ..ObjectMeta::default()
            };
            let lease = Lease { metadata, spec: Some(fresh) };
            return client.create(lease).map(|_| true).map_err(|e| ("initially creating", e));
        }
        Err(error) => return Err(("retrieving", error)),
    };
    if known.spec != found.spec {
        (known.spec, known.at) = (found.spec.clone(), now);
    }
    let spec = found.spec.clone().unwrap_or_default();
    let holder = spec.holder_identity.clone().unwrap_or_default();
    let lasts = Duration::from_secs(spec.lease_duration_seconds.unwrap_or(0).max(0) as u64);
    if holder != own && !holder.is_empty() && now.since(known.at) < lasts {
        return Ok(false);
    }
    let mut new = (*found).clone();
    let transitions = spec.lease_transitions.unwrap_or(0);
    new.spec = Some(match holder == own {
        true => LeaseSpec {
            acquire_time: spec.acquire_time,
            lease_transitions: Some(transitions),
            ..fresh
        },
        false => LeaseSpec { lease_transitions: Some(transitions.saturating_add(1)), ..fresh },
    });
    let stored = client.update(new).map_err(|e| ("updating", e))?;
    (known.spec, known.at) = (stored.spec.clone(), now);
    Ok(true)
}

/// What a scheduler watches: kinds and their Go types.
const WATCHED: &[(KindId, &str)] = &[
    (Node::ID, "*v1.Node"),
    (Pod::ID, "*v1.Pod"),
    (Namespace::ID, "*v1.Namespace"),
    (PersistentVolume::ID, "*v1.PersistentVolume"),
    (PersistentVolumeClaim::ID, "*v1.PersistentVolumeClaim"),
    (PodDisruptionBudget::ID, "*v1.PodDisruptionBudget"),
    (ReplicaSet::ID, "*v1.ReplicaSet"),
    (ReplicationController::ID, "*v1.ReplicationController"),
    (Service::ID, "*v1.Service"),
    (StatefulSet::ID, "*v1.StatefulSet"),
    (StorageClass::ID, "*v1.StorageClass"),
];

/// Waits until everything that a scheduler watches may be read; logs what may not.
async fn readable(proc: &Proc, client: &Client) {
    let mut wait = Duration::from_secs(1);
    loop {
        let mut all = true;
        for (id, go_type) in WATCHED {
            let kind = client.kind(*id);
            let denied = ["list", "watch"]
                .into_iter()
                .find_map(|verb| client.authorize(&Attributes::of(verb, &kind, "", "")).err());
            let Some(error) = denied else { continue };
            all = false;
            let why = quote(&format!("failed to list {go_type}: {error}"));
            let text = format!(
                "\"Failed to watch\" err={why} logger=\"UnhandledError\" \
                 reflector=\"k8s.io/client-go/informers/factory.go:160\" type=\"{go_type}\""
            );
            klog(proc, 'E', "reflector.go:204", &text).await;
        }
        if all {
            return;
        }
        proc.sleep(wait).await;
        wait = (wait * 2).min(PATIENCE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_those_of_kube_scheduler() {
        let read = |line: &str| {
            let args: Vec<String> = line.split_whitespace().map(String::from).collect();
            options(&args).map(|o| (o.config, o.elect, o.lease_name, o.port))
        };
        let config = |c: &str| Some(c.to_string());
        let cases = [
            ("--config=/a.yaml -v 2", Ok((config("/a.yaml"), None, None, None))),
            ("--config /a.yaml --leader-elect", Ok((config("/a.yaml"), Some(true), None, None))),
            ("--leader-elect=false --secure-port=1", Ok((None, Some(false), None, Some(1)))),
            ("--config", Err("flag needs an argument: --config")),
            ("--colour=red", Err("unknown flag: --colour")),
            ("now", Err("unknown command \"now\" for \"kube-scheduler\"")),
        ];
        for (line, want) in cases {
            assert_eq!(read(line), want.map_err(String::from), "{line}");
        }
    }
}
