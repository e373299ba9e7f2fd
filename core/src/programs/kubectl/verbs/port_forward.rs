//! `kubectl port-forward`. Models `k8s.io/kubectl/pkg/cmd/portforward`.

use std::{net::Ipv4Addr, rc::Rc};

use k8s_openapi::{
    api::core::v1::{Pod, Service},
    apimachinery::pkg::util::intstr::IntOrString,
};

use crate::{
    fabric::{Endpoint, Frame},
    machine::{ExitStatus, Signal},
    programs::kubectl::{
        Conn, Cx, Error,
        flags::{Command, Complete, Flag, Parsed},
        pods, resources,
    },
    sim::{Either, race},
};

/// `kubectl port-forward`
pub static COMMAND: Command = Command {
    name: "port-forward",
    usage: "port-forward TYPE/NAME [options] [LOCAL_PORT:]REMOTE_PORT [...[LOCAL_PORT_N:]REMOTE_PORT_N]",
    short: "Make ports of a pod ports of this machine",
    long: "Make ports of a pod ports of this machine, until it is interrupted.\n\nOf a workload or \
           service one pod is chosen, and kept.",
    examples: "# http://localhost:8080 is port 80 of the pod\nkubectl port-forward pod/web 8080:80\n\n\
               # Of a service's pod, by the port's name\nkubectl port-forward service/web 8443:https\n\n\
               # Also for other machines\n\
               kubectl port-forward --address 0.0.0.0 pod/web 8080:80\n\n\
               # On a port that is free here\nkubectl port-forward pod/web :80",
    flags: &[&[
        Flag::slice(
            "address",
            "The addresses to listen on: localhost, or addresses of this machine.",
        )
        .default("[localhost]"),
        Flag::duration("pod-running-timeout", "1m0s", "How long to wait for a pod."),
    ]],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    complete: Complete::FirstPod,
    ..Command::EMPTY
};

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    let [target, specs @ ..] = p.args.as_slice() else { return Err(usage(&p)) };
    if specs.is_empty() {
        return Err(usage(&p));
    }
    let conn = cx.connect(&p, 0)?;
    let (pod, _) = pods::resolve(&cx, &conn, target, p.duration("pod-running-timeout")).await?;
    let service = service(&conn, target)?;
    let mut pairs = Vec::new();
    for spec in specs {
        pairs.push(pair(spec, &pod, service.as_deref())?);
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
    let addresses = addresses(&p, &endpoint)?;
    let forward = forward(&cx, &conn, &pod, &endpoint, (pairs, addresses));
    match race(forward, cx.proc.signal()).await {
        Either::Left(result) => result,
        // Interrupting it is how it is meant to end.
        Either::Right(Signal::Int) => Ok(()),
        Either::Right(other) => {
            cx.proc.process().end(ExitStatus::Signal(other));
            std::future::pending().await
        }
    }
}

fn usage(p: &Parsed) -> Error {
    Error::usage(&p.path, "TYPE/NAME and list of ports are required for port-forward")
}

/// The service that was named, if it was one.
fn service(conn: &Conn, target: &str) -> Result<Option<Rc<Service>>, Error> {
    let Some((kind, name)) = target.split_once('/') else { return Ok(None) };
    if resources::kind_for(conn, kind)?.kind != "Service" {
        return Ok(None);
    }
    Ok(Some(conn.client.get::<Service>(&conn.namespace, name)?))
}

/// Addresses as they are printed, with whether only this machine gets there, and foreign ones.
type Addresses = (Vec<(String, bool)>, Vec<String>);

/// Where to listen: what is printed, and whether only processes of this machine get there.
/// Then the addresses of other machines, where nothing can listen.
fn addresses(p: &Parsed, endpoint: &Endpoint) -> Result<Addresses, Error> {
    let given = p.list("address").to_vec();
    let given = if given.is_empty() { vec!["localhost".to_owned()] } else { given };
    let (mut out, mut foreign) = (Vec::new(), Vec::new());
    for address in given {
        match address.as_str() {
            "localhost" => {
                out.push(("127.0.0.1".to_owned(), true));
                out.push(("[::1]".to_owned(), true));
            }
            "0.0.0.0" => out.push((address, false)),
            "::" | "::1" => out.push((format!("[{address}]"), address == "::1")),
            other => match other.parse::<Ipv4Addr>() {
                Ok(ip) if ip.is_loopback() => out.push((address, true)),
                Ok(ip) if endpoint.is_own(ip) => out.push((address, false)),
                Ok(_) => foreign.push(address),
                Err(_) => return Err(Error::plain(format!("{other} is not a valid IP"))),
            },
        }
    }
    Ok((out, foreign))
}

/// Local and remote port of `8080:80`, `:80`, `80`; a service's port is turned into the pod's.
fn pair(spec: &str, pod: &Pod, service: Option<&Service>) -> Result<(u16, u16), Error> {
    let (local, remote) = match spec.split(':').collect::<Vec<_>>().as_slice() {
        [one] => (*one, *one),
        [local, remote] => (*local, *remote),
        _ => return Err(Error::plain(format!("invalid port format '{spec}'"))),
    };
    if remote.is_empty() && service.is_none() {
        return Err(Error::plain("remote port cannot be empty"));
    }
    let both = local == remote;
    let (local_text, remote) = match service {
        Some(service) => {
            let number = service_port(service, remote)?;
            let local = if both { number.to_string() } else { local.to_owned() };
            (local, through(service, pod, number)?)
        }
        None => {
            let number = match remote.parse::<i64>() {
                Ok(_) => number(remote, if both { "local" } else { "remote" })?,
                Err(_) => named(pod, remote).ok_or_else(|| no_name(pod, remote))?,
            };
            let local = if both { number.to_string() } else { local.to_owned() };
            (local, number)
        }
    };
    if speaks_udp_only(pod, service, remote) {
        return Err(Error::plain(format!("UDP protocol is not supported for {remote}")));
    }
    if remote == 0 {
        return Err(Error::plain("remote port must be > 0"));
    }
    let local = match local_text.as_str() {
        "" => 0,
        text => number(text, "local")?,
    };
    Ok((local, remote))
}

fn number(text: &str, which: &str) -> Result<u16, Error> {
    text.parse::<u16>().map_err(|e| {
        let why = match e.kind() {
            std::num::IntErrorKind::PosOverflow => "value out of range",
            _ => "invalid syntax",
        };
        let quoted = crate::api::gofmt::quote(text);
        Error::plain(format!(
            "error parsing {which} port '{text}': strconv.ParseUint: parsing {quoted}: {why}"
        ))
    })
}

fn no_name(pod: &Pod, port: &str) -> Error {
    Error::plain(format!("Pod '{}' does not have a named port '{port}'", pods::name(pod)))
}

fn named(pod: &Pod, name: &str) -> Option<u16> {
    let containers = pod.spec.as_ref().map(|s| &s.containers)?;
    let mut ports = containers.iter().flat_map(|c| c.ports.iter().flatten());
    let port = ports.find(|p| p.name.as_deref() == Some(name))?;
    u16::try_from(port.container_port).ok()
}

/// A service's port by number or name.
fn service_port(service: &Service, port: &str) -> Result<i32, Error> {
    if let Ok(number) = port.parse() {
        return Ok(number);
    }
    let mut ports = service.spec.iter().flat_map(|s| s.ports.iter().flatten());
    ports.find(|p| p.name.as_deref() == Some(port)).map(|p| p.port).ok_or_else(|| {
        let name = service.metadata.name.as_deref().unwrap_or("");
        Error::plain(format!("Service '{name}' does not have a named port '{port}'"))
    })
}

/// Whether a port is one of UDP and not of TCP too.
fn speaks_udp_only(pod: &Pod, service: Option<&Service>, port: u16) -> bool {
    let mut protocols: Vec<String> = Vec::new();
    let mut add = |number: i32, protocol: &Option<String>| {
        if number == i32::from(port) {
            protocols.push(protocol.clone().unwrap_or_else(|| "TCP".into()));
        }
    };
    match service.and_then(|s| s.spec.as_ref()) {
        Some(spec) => spec.ports.iter().flatten().for_each(|p| add(p.port, &p.protocol)),
        None => {
            let containers = pod.spec.iter().flat_map(|s| &s.containers);
            let ports = containers.flat_map(|c| c.ports.iter().flatten());
            ports.for_each(|p| add(p.container_port, &p.protocol));
        }
    }
    protocols.iter().any(|p| p == "UDP") && !protocols.iter().any(|p| p == "TCP")
}

/// The pod's port behind a service's.
fn through(service: &Service, pod: &Pod, port: i32) -> Result<u16, Error> {
    let spec = service.spec.as_ref();
    let ports = spec.and_then(|s| s.ports.as_deref()).unwrap_or_default();
    let found = ports.iter().find(|p| p.port == port).ok_or_else(|| {
        let name = service.metadata.name.as_deref().unwrap_or("");
        Error::plain(format!("Service {name} does not have a service port {port}"))
    })?;
    let headless = spec.and_then(|s| s.cluster_ip.as_deref()) == Some("None");
    let own = u16::try_from(found.port).unwrap_or(0);
    match &found.target_port {
        _ if headless => Ok(own),
        Some(IntOrString::Int(n)) if *n != 0 => Ok(u16::try_from(*n).unwrap_or(0)),
        Some(IntOrString::String(name)) => named(pod, name).ok_or_else(|| no_name(pod, name)),
        _ => Ok(own),
    }
}

async fn forward(
    cx: &Cx,
    conn: &Conn,
    pod: &Pod,
    endpoint: &Endpoint,
    (pairs, (addresses, foreign)): (Vec<(u16, u16)>, Addresses),
) -> Result<(), Error> {
    let (lost, mut ended) = crate::sim::channel::<String>();
    let mut any = false;
    let loopback_only = addresses.iter().all(|(_, only)| *only);
    for (local, remote) in &pairs {
        let local = if *local == 0 { endpoint.free_port() } else { *local };
        let listener = match addresses.is_empty() {
            true => Err(()),
            false => endpoint.listen_on(local, loopback_only).map_err(|_| ()),
        };
        let Ok(listener) = listener else {
            let error = |(address, _): &(String, bool)| {
                let version = if address.starts_with('[') { "tcp6" } else { "tcp4" };
                format!(
                    "unable to create listener: Error listen {version} {address}:{local}: bind: \
                     address already in use"
                )
            };
            let elsewhere = |address: &String| {
                format!(
                    "unable to create listener: Error listen tcp4 {address}:{local}: bind: cannot \
                     assign requested address"
                )
            };
            let all: Vec<String> =
                addresses.iter().map(error).chain(foreign.iter().map(elsewhere)).collect();
            cx.err(&format!(
                "Unable to listen on port {local}: Listeners failed to create with the following \
                 errors: [{}]\n",
                all.join(" ")
            ))
            .await;
            continue;
        };
        any = true;
        for (address, _) in &addresses {
            cx.out(&format!("Forwarding from {address}:{local} -> {remote}\n")).await;
        }
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
