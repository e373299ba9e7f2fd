//! `kubectl describe networkpolicy`. Models `describeNetworkPolicy`.

use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort};

use super::{
    Cx, Writer,
    common::{self, text},
};
use crate::api::Object;

/// See the module.
pub fn describe(_: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(policy) = object.downcast::<NetworkPolicy>() else { return };
    common::name(object, w);
    let created = policy.metadata.creation_timestamp.as_ref().map(|t| t.0);
    let created = created.map(|t| jiff::fmt::strtime::format("%Y-%m-%d %H:%M:%S +0000 UTC", t));
    let created = created.and_then(Result::ok).unwrap_or_default();
    w.put(0, format_args!("Created on:\t{created}\n"));
    common::labels_and_annotations(&policy.metadata, w);
    let none = Default::default();
    let spec = policy.spec.as_ref().unwrap_or(&none);
    w.put(0, "Spec:\n");
    w.put(1, "PodSelector: ");
    match common::selector(spec.pod_selector.as_ref()).as_str() {
        "<none>" => {
            w.put(2, "<none> (Allowing the specific traffic to all pods in this namespace)\n");
        }
        selector => w.put(2, format_args!("{selector}\n")),
    }
    let types = spec.policy_types.as_deref().unwrap_or_default();
    let has = |kind: &str| types.iter().any(|t| t == kind);
    if has("Ingress") {
        w.put(1, "Allowing ingress traffic:\n");
        let rules = spec.ingress.iter().flatten();
        let rules: Vec<_> = rules.map(|r| (r.ports.as_deref(), r.from.as_deref())).collect();
        traffic(&rules, ("ingress", "From", "source"), w);
    } else {
        w.put(1, "Not affecting ingress traffic\n");
    }
    if has("Egress") {
        w.put(1, "Allowing egress traffic:\n");
        let rules = spec.egress.iter().flatten();
        let rules: Vec<_> = rules.map(|r| (r.ports.as_deref(), r.to.as_deref())).collect();
        traffic(&rules, ("egress", "To", "destination"), w);
    } else {
        w.put(1, "Not affecting egress traffic\n");
    }
    w.put(1, format_args!("Policy Types: {}\n", types.join(", ")));
}

type Rule<'a> = (Option<&'a [NetworkPolicyPort]>, Option<&'a [NetworkPolicyPeer]>);

fn traffic(rules: &[Rule], (direction, word, end): (&str, &str, &str), w: &mut Writer) {
    if rules.is_empty() {
        let text = format!("<none> (Selected pods are isolated for {direction} connectivity)");
        w.put(2, format_args!("{text}\n"));
    }
    for (i, (ports, peers)) in rules.iter().enumerate() {
        if i > 0 {
            w.put(2, "----------\n");
        }
        let ports = ports.unwrap_or_default();
        if ports.is_empty() {
            w.put(2, "To Port: <any> (traffic allowed to all ports)\n");
        }
        for port in ports {
            let protocol = common::or(text(&port.protocol).to_string(), "TCP");
            let number = port.port.as_ref();
            let number = number.map_or("<nil>".to_string(), |p| common::int_or_string(Some(p)));
            match port.end_port {
                None => w.put(2, format_args!("To Port: {number}/{protocol}\n")),
                Some(end) => w.put(2, format_args!("To Port Range: {number}-{end}/{protocol}\n")),
            }
        }
        let peers = peers.unwrap_or_default();
        if peers.is_empty() {
            w.put(2, format_args!("{word}: <any> (traffic not restricted by {end})\n"));
        }
        for peer in peers {
            w.put(2, format_args!("{word}:\n"));
            for (title, selector) in [
                ("NamespaceSelector", &peer.namespace_selector),
                ("PodSelector", &peer.pod_selector),
            ] {
                if let Some(selector) = selector {
                    w.put(3, format_args!("{title}: {}\n", common::selector(Some(selector))));
                }
            }
            if let Some(block) = &peer.ip_block {
                w.put(3, "IPBlock:\n");
                w.put(4, format_args!("CIDR: {}\n", block.cidr));
                let except = block.except.clone().unwrap_or_default().join(", ");
                w.put(4, format_args!("Except: {except}\n"));
            }
        }
    }
}
