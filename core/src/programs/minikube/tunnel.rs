//! `minikube tunnel`: gives services of type LoadBalancer an address for as long as it runs.
//!
//! It adds a route from the host to the cluster's service addresses, through the control plane's
//! node, and tells each such service its own cluster address as the load balancer's. Ctrl-C takes
//! both away. Models `pkg/minikube/tunnel`.

use std::{cell::Cell, rc::Rc, time::Duration};

use k8s_openapi::api::core::v1::{LoadBalancerIngress, LoadBalancerStatus, Service, ServiceStatus};

use super::{Command, NETWORK, Outcome, PROFILE, node, style};
use crate::{
    api::Object,
    client::Client,
    clusters::Cluster,
    fabric::{Cidr, Endpoint, Site},
    machine::{Proc, Signal},
    programs::kubectl::flags::{Flag, Parsed},
    sim::{Either, race},
};

pub(super) const COMMAND: Command = Command {
    name: "tunnel",
    group: NETWORK,
    short: "Give services of type LoadBalancer an address, until Ctrl-C.",
    usage: "tunnel [flags]",
    flags: &[Flag::bool("cleanup", true, "Remove what a tunnel that was killed left.").short("c")],
    run,
};

/// The range of the cluster's service addresses.
const RANGE: &str = "10.96.0.0/12";
/// How often the cluster and its services are looked at (`stateCheckInterval`).
const CHECK: Duration = Duration::from_secs(5);

/// Whether a tunnel runs; hangs on the host.
#[derive(Default)]
struct Lock(Cell<bool>);

/// Holds the lock until its process is gone, however it ends.
struct Held(Rc<Lock>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.0.set(false);
    }
}

fn run(proc: Proc, _: Parsed) -> Outcome {
    Box::pin(async move {
        let cluster = match node::healthy(&proc).await {
            Ok((cluster, _)) => cluster,
            Err(code) => return code,
        };
        let lock = proc.machine().get::<Lock>().unwrap_or_else(|| {
            let lock = Rc::new(Lock::default());
            proc.machine().set(lock.clone());
            lock
        });
        if lock.0.replace(true) {
            let text = "Another tunnel process is already running, terminate the existing instance \
                        to start a new one";
            return style::exit(&proc, "TUNNEL_ALREADY_RUNNING", text, 111).await;
        }
        let _held = Held(lock);
        let (Ok(range), Some(host)) = (RANGE.parse::<Cidr>(), proc.machine().get::<Endpoint>())
        else {
            let text = "error starting tunnel: the host has no network";
            return style::exit(&proc, "SVC_TUNNEL_START", text, 110).await;
        };
        serve(&proc, &cluster, host.site(), range).await
    })
}

/// Looks and mends until it is told to end or the cluster is gone.
async fn serve(proc: &Proc, cluster: &Rc<Cluster>, host: &Site, range: Cidr) -> i32 {
    let mut reported = None;
    loop {
        match race(proc.signal(), proc.sim().sleep(CHECK)).await {
            Either::Left(Signal::Int) => break,
            // As a program that is killed: what it made stays until the next tunnel.
            Either::Left(signal) => return 128 + signal.number(),
            Either::Right(()) => {}
        }
        let client = node::client(proc, cluster);
        let gateway = cluster.nodes().first().and_then(|n| n.endpoint());
        let (Some(client), Some(gateway)) = (client, gateway) else {
            host.remove_route(range);
            report(proc, cluster, "Stopped", &[]).await;
            return 0;
        };
        host.add_route(range, gateway.site());
        let names = balance(&client, |address| {
            let own = LoadBalancerIngress { ip: Some(address.into()), ..Default::default() };
            Some(vec![own])
        });
        if reported.as_ref() != Some(&names) {
            report(proc, cluster, "Running", &names).await;
            reported = Some(names);
        }
    }
    host.remove_route(range);
    if let Some(client) = node::client(proc, cluster) {
        balance(&client, |_| None);
    }
    0
}

/// Gives every service of type LoadBalancer the addresses that `wanted` makes of its cluster
/// address. The names of those services.
fn balance(
    client: &Client,
    wanted: impl Fn(&str) -> Option<Vec<LoadBalancerIngress>>,
) -> Vec<String> {
    let mut names = Vec::new();
    for service in client.list::<Service>(None) {
        let Some(spec) = &service.spec else { continue };
        if spec.type_.as_deref() != Some("LoadBalancer") {
            continue;
        }
        names.push((&*service as &dyn Object).name().to_string());
        let Some(address) = spec.cluster_ip.as_deref().filter(|a| !a.is_empty()) else { continue };
        let status = service.status.as_ref().and_then(|s| s.load_balancer.as_ref());
        let ingress = wanted(address);
        let addresses = |list: &Option<Vec<LoadBalancerIngress>>| {
            list.iter().flatten().map(|i| i.ip.clone()).collect::<Vec<_>>()
        };
        if addresses(&status.and_then(|s| s.ingress.clone())) == addresses(&ingress) {
            continue;
        }
        let mut new = (*service).clone();
        let conditions = new.status.take().and_then(|s| s.conditions);
        let load_balancer = Some(LoadBalancerStatus { ingress });
        new.status = Some(ServiceStatus { conditions, load_balancer });
        // A service that changed meanwhile has its turn at the next look.
        let _ = client.update_status(new);
    }
    names
}

async fn report(proc: &Proc, cluster: &Cluster, state: &str, services: &[String]) {
    let gateway = cluster.nodes().first().map(|n| n.address.to_string()).unwrap_or_default();
    proc.print(&format!(
        "Status:\t\n\tmachine: {PROFILE}\n\tpid: {}\n\troute: {RANGE} -> {gateway}\n\tminikube: \
         {state}\n\tservices: [{}]\n    errors: \n\t\tminikube: no errors\n\t\trouter: no \
         errors\n\t\tloadbalancer emulator: no errors\n",
        proc.pid(),
        services.join(", ")
    ))
    .await;
}
