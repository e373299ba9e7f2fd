//! Keeps cluster roles that are sums of others (`admin`, `edit`, `view` …) equal to their sum.
//!
//! Models `pkg/controller/clusterroleaggregation`.

use std::time::Duration;

use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule};

use super::framework::{Controller, Key, Queue};
use crate::{
    api::{KindId, Object, Status, Typed, selector::Selector},
    client::{Change, Client, IndexId, Op},
};

/// The value under which the index finds roles that are sums.
const SUM: &str = "sum";

/// The cluster role aggregation controller.
pub fn make(client: &Client) -> Box<dyn Controller> {
    Box::new(Aggregation { sums: client.index::<ClusterRole>(is_sum), client: client.clone() })
}

struct Aggregation {
    client: Client,
    sums: IndexId,
}

fn is_sum(object: &dyn Object) -> Vec<String> {
    let rule = object.downcast::<ClusterRole>().and_then(|r| r.aggregation_rule.as_ref());
    rule.map(|_| SUM.to_string()).into_iter().collect()
}

impl Aggregation {
    /// The rules that a role is the sum of, each once.
    fn sum(&self, role: &ClusterRole) -> Vec<PolicyRule> {
        let rule = role.aggregation_rule.as_ref();
        let selectors = rule.and_then(|r| r.cluster_role_selectors.as_deref());
        let mut rules: Vec<PolicyRule> = Vec::new();
        for selector in selectors.unwrap_or_default() {
            let Ok(selector) = Selector::from_label_selector(Some(selector)) else { continue };
            for other in self.client.list::<ClusterRole>(None) {
                let own = other.metadata.name == role.metadata.name;
                if own || !selector.matches(other.metadata.labels.as_ref()) {
                    continue;
                }
                for rule in other.rules.iter().flatten() {
                    if !rules.contains(rule) {
                        rules.push(rule.clone());
                    }
                }
            }
        }
        rules
    }
}

impl Controller for Aggregation {
    fn name(&self) -> &'static str {
        "clusterrole-aggregation-controller"
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![ClusterRole::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        if change.op != Op::Deleted && change.object.downcast::<ClusterRole>().is_none() {
            return;
        }
        for role in self.client.by_index::<ClusterRole>(self.sums, SUM) {
            queue.add_name("", role.metadata.name.as_deref().unwrap_or_default());
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        let Some(role) = self.client.find::<ClusterRole>("", &key.1) else { return Ok(None) };
        if role.aggregation_rule.is_none() {
            return Ok(None);
        }
        let rules = self.sum(&role);
        if role.rules.as_deref().unwrap_or_default() == rules {
            return Ok(None);
        }
        let mut new = (*role).clone();
        new.rules = Some(rules);
        self.client.update(new).map(|_| None)
    }
}
