//! `kubectl port-forward`. Models `k8s.io/kubectl/pkg/cmd/portforward`.

use std::rc::Rc;

use k8s_openapi::{
    api::core::v1::{Pod, Service},
    apimachinery::pkg::util::intstr::IntOrString,
};

use crate::{
    fabric::{Endpoint, Frame},
    programs::kubectl::{
        Conn, Cx, Error,
        flags::{Command, Complete, Flag, Parsed},
        pods, resources,
    },
};

/// `kubectl port-forward`
pub static COMMAND: Command = Command {
    name: "port-forward",
    usage: "port-forward TYPE/NAME [options] [LOCAL_PORT:]REMOTE_PORT [...[LOCAL_PORT_N:]REMOTE_PORT_N]",
    short: "Make ports of a pod ports of this machine",
    long: "Make ports of a pod ports of this machine, until it is interrupted.\n\nOf a workload or \
           service one pod is chosen, and kept.",
    examples: "# http://localhost:8080 is port 80 of the pod\nkubectl port-forward pod/web 8080:80\n\n\
               # Of a service's pod\nkubectl port-forward service/web 8080:80",
    flags: &[&[
        Flag::slice("address", "The addresses to listen on; only localhost is simulated."),
        Flag::duration("pod-running-timeout", "1m0s", "How long to wait for a pod."),
    ]],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    complete: Complete::FirstPod,
    ..Command::EMPTY
};

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    if p.args.len() < 2 {
        let text = "TYPE/NAME and list of ports are required for port-forward";
        return Err(Error::usage(&p.path, text));
    }
    if p.list("address").iter().any(|a| a != "localhost" && a != "127.0.0.1") {
        return Err(Error::plain("only --address=localhost is simulated in this sandbox"));
    }
    let conn = cx.connect(&p, 0)?;
    let target = &p.args[0];
    let (pod, _) = pods::resolve(&cx, &conn, target, p.duration("pod-running-timeout")).await?;
    let service = service(&conn, target)?;
    let mut pairs = Vec::new();
    for spec in &p.args[1..] {
        pairs.push(ports(spec, &pod, service.as_deref())?);
    }
    let phase = pods::phase(&pod);
    if phase != "Running" {
        return Err(Error::plain(format!(
            "unable to forward port because pod is not running. Current status={phase}"
        )));
    }
    let Some(endpoint) = cx.proc.machine().get::<Endpoint>() else {
        return Err(Error::plain("this machine has no network"));
    };
    forward(&cx, &conn, &pod, &endpoint, pairs).await
}

/// The service that was named, if it was one.
fn service(conn: &Conn, target: &str) -> Result<Option<Rc<Service>>, Error> {
    let Some((kind, name)) = target.split_once('/') else { return Ok(None) };
    if resources::kind_for(conn, kind)?.kind != "Service" {
        return Ok(None);
    }
    Ok(Some(conn.client.get::<Service>(&conn.namespace, name)?))
}

/// Local and remote port of `8080:80`, `:80`, `80`; a service's port is turned into the pod's.
fn ports(spec: &str, pod: &Pod, service: Option<&Service>) -> Result<(u16, u16), Error> {
    let wrong = || Error::plain(format!("invalid port format '{spec}'"));
    let (local, remote) = match spec.split(':').collect::<Vec<_>>().as_slice() {
        [one] => (*one, *one),
        [local, remote] => (*local, *remote),
        _ => return Err(wrong()),
    };
    let remote = match service {
        Some(service) => through(service, pod, remote)?,
        None => named(pod, remote).or_else(|| remote.parse().ok()).ok_or_else(|| {
            let text = crate::api::gofmt::quote(remote);
            Error::plain(format!(
                "error parsing remote port '{remote}': strconv.ParseUint: parsing {text}: invalid \
                 syntax"
            ))
        })?,
    };
    if remote == 0 {
        return Err(Error::plain("remote port must be > 0"));
    }
    let local = match local {
        "" => 0,
        text => text.parse().ok().or_else(|| named(pod, text)).ok_or_else(|| {
            let quoted = crate::api::gofmt::quote(text);
            Error::plain(format!(
                "error parsing local port '{text}': strconv.ParseUint: parsing {quoted}: invalid \
                 syntax"
            ))
        })?,
    };
    Ok((local, remote))
}

fn named(pod: &Pod, name: &str) -> Option<u16> {
    let containers = pod.spec.as_ref().map(|s| &s.containers)?;
    let mut ports = containers.iter().flat_map(|c| c.ports.iter().flatten());
    let port = ports.find(|p| p.name.as_deref() == Some(name))?;
    u16::try_from(port.container_port).ok()
}

fn through(service: &Service, pod: &Pod, port: &str) -> Result<u16, Error> {
    let ports = service.spec.as_ref().and_then(|s| s.ports.as_deref()).unwrap_or_default();
    let found = ports
        .iter()
        .find(|p| p.name.as_deref() == Some(port) || port.parse() == Ok(p.port))
        .ok_or_else(|| {
            let name = service.metadata.name.as_deref().unwrap_or("");
            Error::plain(format!("Service {name} does not have a service port {port}"))
        })?;
    let target = match &found.target_port {
        Some(IntOrString::Int(n)) if *n != 0 => u16::try_from(*n).ok(),
        Some(IntOrString::String(name)) => named(pod, name),
        _ => u16::try_from(found.port).ok(),
    };
    target.ok_or_else(|| {
        Error::plain(format!("Pod '{}' does not have a named port", pods::name(pod)))
    })
}

async fn forward(
    cx: &Cx,
    conn: &Conn,
    pod: &Pod,
    endpoint: &Endpoint,
    pairs: Vec<(u16, u16)>,
) -> Result<(), Error> {
    let (lost, mut ended) = crate::sim::channel::<String>();
    let mut any = false;
    for (local, remote) in &pairs {
        let local = if *local == 0 { endpoint.free_port() } else { *local };
        let Ok(listener) = endpoint.listen_on(local, true) else {
            cx.err(&format!(
                "Unable to listen on port {local}: Listeners failed to create with the following \
                 errors: [unable to create listener: Error listen tcp4 127.0.0.1:{local}: bind: \
                 address already in use unable to create listener: Error listen tcp6 \
                 [::1]:{local}: bind: address already in use]\n"
            ))
            .await;
            continue;
        };
        any = true;
        cx.out(&format!(
            "Forwarding from 127.0.0.1:{local} -> {remote}\nForwarding from [::1]:{local} -> {remote}\n"
        ))
        .await;
        let (cx, conn, remote, lost) = (cx.clone(), conn.clone(), *remote, lost.clone());
        let (namespace, name) = (pods::namespace(pod).to_owned(), pods::name(pod).to_owned());
        let proc = cx.proc.clone();
        proc.spawn_task(async move {
            loop {
                let accepted = listener.accept().await;
                cx.out(&format!("Handling connection for {local}\n")).await;
                match conn.client.port_forward(&namespace, &name, remote) {
                    Ok(streams) => pump(&cx, accepted, streams),
                    Err(e) => {
                        accepted.reset();
                        lost.send(format!(
                            "an error occurred forwarding {local} -> {remote}: {}",
                            e.message
                        ));
                    }
                }
            }
        });
    }
    if !any {
        let all: Vec<String> = pairs.iter().map(|(l, r)| format!("{{{l} {r}}}")).collect();
        return Err(Error::plain(format!(
            "unable to listen on any of the requested ports: [{}]",
            all.join(" ")
        )));
    }
    let Some(why) = ended.recv().await else { return Ok(()) };
    let text = format!("\"Unhandled Error\" err={}", crate::api::gofmt::quote(&why));
    cx.err(&cx.klog('E', "portforward.go:424", &text)).await;
    Err(Error::plain("lost connection to pod"))
}

/// Passes data both ways until either side is done.
fn pump(cx: &Cx, accepted: crate::fabric::Conn, streams: crate::client::PortStreams) {
    let accepted = Rc::new(accepted);
    let crate::client::PortStreams { to, mut from } = streams;
    let inward = accepted.clone();
    cx.proc.spawn_task(async move {
        while let Ok(Some(frame)) = inward.recv().await {
            to.send(frame.into_bytes());
        }
    });
    cx.proc.spawn_task(async move {
        while let Some(bytes) = from.recv().await {
            if accepted.send(Frame::Data(bytes)).is_err() {
                return;
            }
        }
        accepted.close();
    });
}
