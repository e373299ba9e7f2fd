//! Ranges of service addresses become ready, and stay while addresses of theirs are in use.
//!
//! Models `pkg/controller/servicecidrs`.

use std::{net::Ipv4Addr, time::Duration};

use k8s_openapi::{
    api::networking::v1::{IPAddress, ServiceCIDR},
    apimachinery::pkg::apis::meta::v1::Condition,
};

use super::framework::{Controller, Key, Queue};
use crate::{
    api::{KindId, Object, Status, Typed, cidr::Cidr, meta::is_deleting},
    client::{Change, Client},
};

const FINALIZER: &str = "networking.k8s.io/service-cidr-finalizer";
/// From a deletion until the range may go: addresses that are being given out show up before.
const GRACE: Duration = Duration::from_secs(10);

/// The controller.
pub fn make(client: &Client) -> Box<dyn Controller> {
    Box::new(Ranges { client: client.clone() })
}

struct Ranges {
    client: Client,
}

fn ranges(cidr: &ServiceCIDR) -> Vec<Cidr> {
    let all = cidr.spec.as_ref().and_then(|s| s.cidrs.as_deref()).unwrap_or_default();
    all.iter().filter_map(|text| text.parse().ok()).collect()
}

impl Ranges {
    fn set_ready(&self, cidr: &ServiceCIDR, ready: bool, reason: &str, message: &str) {
        let status = if ready { "True" } else { "False" };
        let old = cidr.status.as_ref().and_then(|s| s.conditions.as_deref()).unwrap_or_default();
        let same = |c: &Condition| c.type_ == "Ready" && c.status == status && c.reason == reason;
        if old.iter().any(same) {
            return;
        }
        let mut new = cidr.clone();
        let conditions = new.status.get_or_insert_default().conditions.get_or_insert_default();
        conditions.retain(|c| c.type_ != "Ready");
        conditions.push(Condition {
            type_: "Ready".into(),
            status: status.into(),
            reason: reason.into(),
            message: message.into(),
            last_transition_time: self.client.sim().now().to_meta(),
            observed_generation: None,
        });
        let _ = self.client.update_status(new); // a change meanwhile brings it here again
    }

    /// Whether addresses are in use that only this range covers.
    fn is_needed(&self, cidr: &ServiceCIDR) -> bool {
        let own = ranges(cidr);
        let others: Vec<Cidr> = self
            .client
            .list::<ServiceCIDR>(None)
            .iter()
            .filter(|o| o.metadata.uid != cidr.metadata.uid && !is_deleting(&o.metadata))
            .flat_map(|o| ranges(o))
            .collect();
        let within = |all: &[Cidr], ip: Ipv4Addr| all.iter().any(|c| c.contains(ip));
        self.client.list::<IPAddress>(None).iter().any(|address| {
            let object: &dyn Object = &**address;
            let ip = object.name().parse::<Ipv4Addr>();
            ip.is_ok_and(|ip| within(&own, ip) && !within(&others, ip))
        })
    }
}

impl Controller for Ranges {
    fn name(&self) -> &'static str {
        "service-cidr-controller"
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![ServiceCIDR::ID, IPAddress::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        if change.kind == ServiceCIDR::ID {
            queue.add(("".into(), change.object.name().into()));
        } else if change.op == crate::client::Op::Deleted {
            // The last address of a range that is to go.
            for cidr in self.client.list::<ServiceCIDR>(None) {
                if is_deleting(&cidr.metadata) {
                    queue.add(("".into(), (&*cidr as &dyn Object).name().into()));
                }
            }
        }
    }

    fn reconcile(&self, key: &Key, _: &Queue) -> Result<Option<Duration>, Status> {
        let Some(cidr) = self.client.find::<ServiceCIDR>("", &key.1) else { return Ok(None) };
        let held = cidr.metadata.finalizers.iter().flatten().any(|f| f == FINALIZER);
        if !is_deleting(&cidr.metadata) {
            if !held {
                let mut new = (*cidr).clone();
                new.metadata.finalizers.get_or_insert_default().push(FINALIZER.into());
                self.client.update(new)?;
                return Ok(None);
            }
            self.set_ready(&cidr, true, "", "Kubernetes Service CIDR is ready");
            return Ok(None);
        }
        if !held {
            return Ok(None);
        }
        if self.is_needed(&cidr) {
            let text = "There are still IPAddresses referencing the ServiceCIDR, please remove \
                        them or create a new ServiceCIDR";
            self.set_ready(&cidr, false, "Terminating", text);
            return Ok(None);
        }
        let now = self.client.sim().now();
        let begun = cidr.metadata.deletion_timestamp.as_ref().map(crate::sim::Time::from);
        let waited = begun.map_or(GRACE, |begun| now.since(begun));
        if waited < GRACE {
            return Ok(Some(GRACE - waited));
        }
        let mut new = (*cidr).clone();
        new.metadata.finalizers.get_or_insert_default().retain(|f| f != FINALIZER);
        self.client.update(new)?;
        Ok(None)
    }
}
