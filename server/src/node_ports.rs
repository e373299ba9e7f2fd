//! `--node-ports`: ports of services on 127.0.0.1 of the host.
//!
//! Looks at services once a second of real time, listens on each node port and load balancer port,
//! and carries connections to a pod behind the service (chosen as the proxy subresource does).

use std::{collections::BTreeMap, net::Ipv4Addr, time::Duration};

use k8s_openapi::api::{core::v1::Service, discovery::v1::EndpointSlice};
use sandbar_core::{apiserver::connect::PortStreams, client::Client, sim::Sim};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

use crate::{
    engine::Engine,
    wire::{Dialled, connected},
};

/// Namespace, name and port name of what stands behind a port.
type Behind = (String, String, String);

/// Serves until the engine ends.
pub async fn serve(engine: Engine) {
    let mut open: BTreeMap<u16, (Behind, JoinHandle<()>)> = BTreeMap::new();
    loop {
        let (to, from) = oneshot::channel();
        engine.send(move |state| {
            let _ = to.send(state.world.client().map(|client| wanted(&client))); // ended: nobody cares
        });
        let Ok(wanted) = from.await else { return };
        let wanted = wanted.unwrap_or_default();
        open.retain(|port, (behind, task)| {
            let stays = wanted.get(port) == Some(behind) && !task.is_finished();
            if !stays {
                task.abort();
            }
            stays
        });
        for (port, behind) in wanted {
            if let std::collections::btree_map::Entry::Vacant(entry) = open.entry(port) {
                if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
                    let task = tokio::spawn(listen(listener, behind.clone(), engine.clone()));
                    entry.insert((behind, task));
                }
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Ports that services want to be reached at.
fn wanted(client: &Client) -> BTreeMap<u16, Behind> {
    let mut found = BTreeMap::new();
    for service in client.list::<Service>(None) {
        let Some(spec) = &service.spec else { continue };
        let balanced = spec.type_.as_deref() == Some("LoadBalancer");
        for port in spec.ports.iter().flatten() {
            if port.protocol.as_deref().is_some_and(|p| p != "TCP") {
                continue;
            }
            let meta = &service.metadata;
            let behind = (
                meta.namespace.clone().unwrap_or_default(),
                meta.name.clone().unwrap_or_default(),
                port.name.clone().unwrap_or_default(),
            );
            let numbers = [port.node_port, Some(port.port).filter(|_| balanced)];
            for number in numbers.into_iter().flatten().filter_map(|n| u16::try_from(n).ok()) {
                found.entry(number).or_insert_with(|| behind.clone());
            }
        }
    }
    found
}

/// A pod behind a service and its port.
fn choose(client: &Client, (namespace, name, port): &Behind) -> Option<(String, u16)> {
    let mut found = Vec::new();
    for slice in client.list::<EndpointSlice>(Some(namespace)) {
        let labels = slice.metadata.labels.iter().flatten();
        let mut labels = labels.filter(|(key, _)| *key == "kubernetes.io/service-name");
        if labels.next().is_none_or(|(_, value)| value != name) {
            continue;
        }
        let mut ports = slice.ports.iter().flatten();
        let number = ports.find(|p| p.name.clone().unwrap_or_default() == *port);
        let Some(number) = number.and_then(|p| u16::try_from(p.port?).ok()) else { continue };
        for endpoint in slice.endpoints.iter().flatten() {
            let ready = endpoint.conditions.as_ref().is_none_or(|c| c.ready != Some(false));
            if let (true, Some(pod)) =
                (ready, endpoint.target_ref.as_ref().and_then(|r| r.name.clone()))
            {
                found.push((pod, number));
            }
        }
    }
    if found.is_empty() {
        return None;
    }
    let at = client.sim().random(found.len() as u64) as usize;
    Some(found.swap_remove(at))
}

async fn listen(listener: TcpListener, behind: Behind, engine: Engine) {
    while let Ok((stream, _)) = listener.accept().await {
        let (to, from) = oneshot::channel();
        let (behind, own) = (behind.clone(), engine.clone());
        engine.send(move |state| {
            let dialled = state.world.client().and_then(|client| {
                let (pod, port) = choose(&client, &behind)?;
                let streams = client.port_forward(&behind.0, &pod, port).ok()?;
                Some(dial(client.sim(), streams, &own))
            });
            let _ = to.send(dialled); // the client may be gone
        });
        if let Ok(Some(dialled)) = from.await {
            tokio::spawn(carry(stream, dialled, engine.clone()));
        }
    }
}

fn dial(sim: &Sim, streams: PortStreams, engine: &Engine) -> Dialled {
    connected(sim, streams, engine)
}

async fn carry(stream: TcpStream, dialled: Dialled, engine: Engine) {
    let (mut reader, mut writer) = stream.into_split();
    let Dialled { to, mut from } = dialled;
    let incoming = tokio::spawn(async move {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(count) = reader.read(&mut buffer).await {
            let bytes = buffer.get(..count).unwrap_or_default();
            if count == 0 || to.send(bytes.to_vec()).is_err() {
                break;
            }
            engine.nudge();
        }
        drop(to);
        engine.nudge();
    });
    while let Some(bytes) = from.next().await {
        if writer.write_all(&bytes).await.is_err() {
            break;
        }
    }
    let _ = writer.shutdown().await; // the client may have closed first
    incoming.abort();
}
