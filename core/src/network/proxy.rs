//! kube-proxy: a node's rules for services.
//!
//! Models `pkg/proxy/iptables`: cluster addresses, node ports and external addresses lead to an
//! endpoint chosen by chance; a service without endpoints refuses; traffic policies keep connections
//! on the node.

use std::{cell::RefCell, rc::Rc};

use super::services::{Place, PortRules, Services, Table};
use crate::{
    client::Client,
    fabric::{Endpoint, Flow, Origin, Rule, Site, Target, Verdict},
    sim::Sim,
};

/// The name of the rules on the node's site, after those of published ports.
const RULE: &str = "20-services";

/// A node's kube-proxy. When it is dropped the rules stay as they are, as a kernel's do, until
/// another one is started.
pub struct Proxy {
    rules: Rc<NodeRules>,
}

impl Proxy {
    /// Starts the proxy of a node, whose own endpoint this is.
    pub fn start(client: &Client, host: &Endpoint, node: &str) -> Proxy {
        let services = Services::of(client);
        let rules = Rc::new(NodeRules {
            sim: services.sim().clone(),
            node: node.to_string(),
            site: host.site().downgrade(),
            source: RefCell::new(Source::Live(services)),
        });
        host.site().set_rule(RULE, Some(rules.clone()));
        Proxy { rules }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let frozen = match &*self.rules.source.borrow() {
            Source::Live(services) => services.snapshot(),
            Source::Frozen(_) => return,
        };
        *self.rules.source.borrow_mut() = Source::Frozen(frozen);
    }
}

enum Source {
    /// Kept up to date.
    Live(Rc<Services>),
    /// As it was when the proxy went.
    Frozen(Table),
}

struct NodeRules {
    sim: Sim,
    node: String,
    site: crate::fabric::WeakSite,
    source: RefCell<Source>,
}

impl Rule for NodeRules {
    fn verdict(&self, flow: &Flow) -> Verdict {
        match &*self.source.borrow() {
            Source::Live(services) => {
                services.with(|table| self.ask(table, flow, &|| services.zone_of(&self.node)))
            }
            Source::Frozen(table) => self.ask(table, flow, &|| None),
        }
    }
}

impl NodeRules {
    fn ask(&self, table: &Table, flow: &Flow, zone: &dyn Fn() -> Option<String>) -> Verdict {
        if let Some(rules) = table.cluster(flow.to, flow.proto) {
            let masquerade = flow.origin == Origin::Outside;
            return self.send(rules, flow, rules.internal_local, masquerade, zone);
        }
        let is_own = |site: Site| site.is_own(*flow.to.ip());
        let external = table.external(flow.to, flow.proto).or_else(|| {
            let rules = table.node_port(flow.to.port(), flow.proto)?;
            self.site.upgrade().is_some_and(is_own).then_some(rules)
        });
        let Some(rules) = external else { return Verdict::Pass };
        // What comes from the cluster itself is treated as if the policy were Cluster.
        let local = rules.external_local && flow.origin == Origin::Outside;
        self.send(rules, flow, local, !local, zone)
    }

    fn send(
        &self,
        rules: &PortRules,
        flow: &Flow,
        local: bool,
        masquerade: bool,
        zone: &dyn Fn() -> Option<String>,
    ) -> Verdict {
        let zone = if rules.is_hinted() { zone() } else { None };
        let place = match local {
            true => Place::On(&self.node),
            false => rules.near(&self.node, zone.as_deref()),
        };
        match rules.choose(&self.sim, flow.from, place) {
            Some(backend) => Verdict::Redirect(Target {
                to: backend.to,
                tally: Some(backend.tally.clone()),
                // A pod that reaches itself through its service must see someone else.
                masquerade: masquerade || *backend.to.ip() == flow.from,
            }),
            // There are some, but not on this node.
            None if rules.has_any() => Verdict::Drop,
            None => Verdict::Reject,
        }
    }
}
