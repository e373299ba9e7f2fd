//! The cluster's name server: what CoreDNS does, at a pod's port 53.

use std::{net::Ipv4Addr, rc::Rc, time::Duration};

use super::Zone;
use crate::{
    client::Client,
    fabric::{
        AddrInUse, Endpoint,
        dns::{Answer, Code, Question},
    },
    sim::{Sim, TaskHandle},
};

/// Finding an answer in memory.
const WORK: Duration = Duration::from_micros(150);

/// A name server that runs; it stops when this is dropped.
pub struct Dns {
    sim: Sim,
    task: TaskHandle,
}

impl Dns {
    /// Answers for a cluster's names at an endpoint. `hosts` are names beside the cluster's own.
    ///
    /// # Errors
    /// Where port 53 is taken.
    pub fn start(
        client: &Client,
        endpoint: &Endpoint,
        hosts: Vec<(String, Ipv4Addr)>,
    ) -> Result<Dns, AddrInUse> {
        let socket = endpoint.listen_datagrams(53)?;
        let zone = Zone::new(client, "cluster.local", hosts);
        let task = client.sim().spawn(async move {
            loop {
                let datagram = socket.recv().await;
                let question = datagram.message.clone().downcast::<Question>();
                let answer = match question {
                    Ok(question) => zone.answer(&question),
                    Err(_) => Answer { code: Code::Refused, records: Vec::new() },
                };
                datagram.answer(WORK, Rc::new(answer));
            }
        });
        Ok(Dns { sim: client.sim().clone(), task })
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.sim.kill(&self.task);
    }
}
