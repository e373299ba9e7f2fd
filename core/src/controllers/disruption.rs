//! Works out how many pods of each PodDisruptionBudget may be evicted now.
//!
//! Models `pkg/controller/disruption`.

use std::{rc::Rc, time::Duration};

use k8s_openapi::{
    api::{
        apps::v1::{Deployment, ReplicaSet, StatefulSet},
        core::v1::{Pod, ReplicationController},
        policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec, PodDisruptionBudgetStatus},
    },
    apimachinery::pkg::{
        apis::meta::v1::{Condition, LabelSelector},
        util::intstr::IntOrString,
    },
};

use super::{
    deployment::scaled,
    framework::{Controller, Key, Queue},
    owners, pods,
};
use crate::{
    api::{
        KindId, Object, Status, Typed,
        meta::{controller_of, is_deleting},
        selector::Selector,
    },
    client::{Change, Client, EventType, Op, Recorder},
    sim::Time,
};

/// How long an eviction that was granted may take before it counts as not done (`DeletionTimeout`).
const DELETION_TIMEOUT: Duration = Duration::from_secs(120);

/// The controller.
pub fn make(client: &Client) -> Box<dyn Controller> {
    Box::new(Budgets {
        client: client.clone(),
        events: Recorder::new(client, "controllermanager", ""),
    })
}

struct Budgets {
    client: Client,
    events: Recorder,
}

/// What a budget asks for.
struct Wanted {
    expected: i32,
    healthy: i32,
}

impl Budgets {
    fn selector(budget: &PodDisruptionBudget) -> Option<Selector> {
        let selector = budget.spec.as_ref()?.selector.as_ref()?;
        Selector::from_label_selector(Some(selector)).ok()
    }

    fn pods(&self, budget: &PodDisruptionBudget) -> Vec<Rc<Pod>> {
        let Some(selector) = Self::selector(budget) else { return Vec::new() };
        let mut all = self.client.list::<Pod>(budget.metadata.namespace.as_deref());
        all.retain(|p| selector.matches(p.metadata.labels.as_ref()));
        all
    }

    /// How many pods a pod's controller wants, and the controller's uid; `None` without one.
    fn scale(&self, pod: &Pod) -> Result<Option<(String, i32)>, String> {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let Some(owner) = controller_of(&pod.metadata) else { return Ok(None) };
        let client = &self.client;
        let found = match owner.kind.as_str() {
            "ReplicaSet" => owners::controller::<ReplicaSet>(client, &pod.metadata).map(|rs| {
                let own = rs.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1);
                match owners::controller::<Deployment>(client, &rs.metadata) {
                    Some(d) => {
                        let wanted = d.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1);
                        ((&*d as &dyn Object).uid().to_string(), wanted)
                    }
                    None => (owner.uid.clone(), own),
                }
            }),
            "ReplicationController" => {
                let rc = owners::controller::<ReplicationController>(client, &pod.metadata);
                let wanted = |rc: Rc<ReplicationController>| rc.spec.as_ref()?.replicas;
                rc.map(|rc| (owner.uid.clone(), wanted(rc).unwrap_or(1)))
            }
            "StatefulSet" => {
                let set = owners::controller::<StatefulSet>(client, &pod.metadata);
                let wanted = |set: Rc<StatefulSet>| set.spec.as_ref()?.replicas;
                set.map(|set| (owner.uid.clone(), wanted(set).unwrap_or(1)))
            }
            _ => None,
        };
        found.map(Some).ok_or_else(|| format!("found no controllers for pod {name:?}"))
    }

    fn expected(&self, budget: &PodDisruptionBudget, pods: &[Rc<Pod>]) -> Result<i32, String> {
        let mut scales = std::collections::BTreeMap::new();
        let mut unmanaged = false;
        for pod in pods {
            match self.scale(pod)? {
                Some((uid, wanted)) => drop(scales.insert(uid, wanted)),
                None => unmanaged = true,
            }
        }
        if unmanaged {
            let selector = budget.spec.as_ref().and_then(|s| s.selector.as_ref());
            let text = format!(
                "Pods selected by this PodDisruptionBudget (selector: {}) were found to be \
                 unmanaged. As a result, the status of the PDB cannot be calculated correctly, \
                 which may result in undefined behavior. To account for these pods please set \
                 \".spec.minAvailable\" field of the PDB to an integer value.",
                go_selector(selector)
            );
            self.events.event(budget, EventType::Warning, "UnmanagedPods", &text);
        }
        Ok(scales.values().fold(0, |sum: i32, n| sum.saturating_add(*n)))
    }

    fn wanted(
        &self,
        budget: &PodDisruptionBudget,
        spec: &PodDisruptionBudgetSpec,
        pods: &[Rc<Pod>],
    ) -> Result<Wanted, String> {
        if let Some(most) = &spec.max_unavailable {
            let expected = self.expected(budget, pods)?;
            let healthy = (expected - scaled(most, expected, true)).max(0);
            return Ok(Wanted { expected, healthy });
        }
        let count = i32::try_from(pods.len()).unwrap_or(i32::MAX);
        match &spec.min_available {
            Some(IntOrString::Int(least)) => Ok(Wanted { expected: count, healthy: *least }),
            Some(least) => {
                let expected = self.expected(budget, pods)?;
                Ok(Wanted { expected, healthy: scaled(least, expected, true) })
            }
            None => Ok(Wanted { expected: count, healthy: 0 }),
        }
    }

    /// The pods whose eviction was granted and is not done yet, and when to look again.
    fn disrupted(
        &self,
        budget: &PodDisruptionBudget,
        pods: &[Rc<Pod>],
        now: Time,
    ) -> (PodDisruptionBudgetStatus, Option<Duration>) {
        let mut status = budget.status.clone().unwrap_or_default();
        let mut recheck: Option<Duration> = None;
        if let Some(granted) = &mut status.disrupted_pods {
            granted.retain(|name, since| {
                let pod = pods.iter().find(|p| p.metadata.name.as_ref() == Some(name));
                let due = Time::from(&*since) + DELETION_TIMEOUT;
                if pod.is_none_or(|p| is_deleting(&p.metadata)) || due <= now {
                    return false;
                }
                let left = due.since(now);
                recheck = Some(recheck.map_or(left, |r| r.min(left)));
                true
            });
            if granted.is_empty() {
                status.disrupted_pods = None;
            }
        }
        (status, recheck)
    }

    fn fail(&self, budget: &PodDisruptionBudget, why: &str, now: Time) -> Result<(), Status> {
        let text = format!("Failed to calculate the number of expected pods: {why}");
        let reason = "CalculateExpectedPodCountFailed";
        self.events.event(budget, EventType::Warning, reason, &text);
        let mut status = budget.status.clone().unwrap_or_default();
        status.disruptions_allowed = Some(0);
        set_condition(budget, &mut status, "SyncFailed", why, now);
        self.write(budget, status)
    }

    fn write(
        &self,
        budget: &PodDisruptionBudget,
        status: PodDisruptionBudgetStatus,
    ) -> Result<(), Status> {
        if budget.status.as_ref() == Some(&status) {
            return Ok(());
        }
        let mut new = budget.clone();
        new.status = Some(status);
        self.client.update_status(new).map(|_| ())
    }
}

/// A selector as Go prints it.
fn go_selector(selector: Option<&LabelSelector>) -> String {
    let Some(selector) = selector else { return "nil".into() };
    let labels = selector.match_labels.iter().flatten().map(|(k, v)| format!("{k}: {v},"));
    let terms = selector.match_expressions.iter().flatten().map(|term| {
        let values = term.values.as_deref().unwrap_or_default().join(" ");
        format!("{{{} {} [{values}]}},", term.key, term.operator)
    });
    format!(
        "&LabelSelector{{MatchLabels:map[string]string{{{}}},MatchExpressions:\
         []LabelSelectorRequirement{{{}}},}}",
        labels.collect::<String>(),
        terms.collect::<String>()
    )
}

fn set_condition(
    budget: &PodDisruptionBudget,
    status: &mut PodDisruptionBudgetStatus,
    reason: &str,
    message: &str,
    now: Time,
) {
    let value = if status.disruptions_allowed.unwrap_or(0) > 0 { "True" } else { "False" };
    let old = status.conditions.iter().flatten().find(|c| c.type_ == "DisruptionAllowed");
    let since = old.filter(|c| c.status == value).map(|c| c.last_transition_time.clone());
    let condition = Condition {
        type_: "DisruptionAllowed".into(),
        status: value.into(),
        reason: reason.into(),
        message: message.into(),
        observed_generation: budget.metadata.generation,
        last_transition_time: since.unwrap_or_else(|| now.to_meta()),
    };
    let conditions = status.conditions.get_or_insert_default();
    conditions.retain(|c| c.type_ != "DisruptionAllowed");
    conditions.push(condition);
}

impl Controller for Budgets {
    fn name(&self) -> &'static str {
        "disruption-controller"
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![
            PodDisruptionBudget::ID,
            Pod::ID,
            Deployment::ID,
            ReplicaSet::ID,
            StatefulSet::ID,
            ReplicationController::ID,
        ]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        let object = &*change.object;
        if change.kind == PodDisruptionBudget::ID {
            if change.op != Op::Deleted {
                queue.add_name(object.namespace(), object.name());
            }
            return;
        }
        let budgets = self.client.list::<PodDisruptionBudget>(Some(object.namespace()));
        let Some(pod) = object.downcast::<Pod>() else {
            // How many a workload wants is part of its spec.
            let old = change.old.as_ref();
            let same = old.is_some_and(|o| o.metadata().generation == object.metadata().generation);
            for budget in budgets.iter().filter(|_| !same) {
                queue.add_name(object.namespace(), (&**budget as &dyn Object).name());
            }
            return;
        };
        let labels = [Some(pod), change.old.as_ref().and_then(|o| o.downcast::<Pod>())];
        for budget in budgets {
            let Some(selector) = Self::selector(&budget) else { continue };
            let mut all = labels.iter().flatten();
            if all.any(|p| selector.matches(p.metadata.labels.as_ref())) {
                queue.add_name(object.namespace(), (&*budget as &dyn Object).name());
            }
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        let Some(budget) = self.client.find::<PodDisruptionBudget>(&key.0, &key.1) else {
            return Ok(None);
        };
        let Some(spec) = &budget.spec else { return Ok(None) };
        let now = self.client.sim().now();
        let pods = self.pods(&budget);
        if pods.is_empty() {
            self.events.event(&*budget, EventType::Normal, "NoPods", "No matching pods found");
        }
        let wanted = match self.wanted(&budget, spec, &pods) {
            Ok(wanted) => wanted,
            Err(why) => return self.fail(&budget, &why, now).map(|()| None),
        };
        let (mut status, recheck) = self.disrupted(&budget, &pods, now);
        let granted = status.disrupted_pods.clone().unwrap_or_default();
        let is_healthy = |pod: &&Rc<Pod>| {
            let name = pod.metadata.name.as_deref().unwrap_or_default();
            pods::is_ready(pod) && !is_deleting(&pod.metadata) && !granted.contains_key(name)
        };
        let healthy = pods.iter().filter(is_healthy).count() as i32;
        let allowed = if wanted.expected <= 0 { 0 } else { (healthy - wanted.healthy).max(0) };
        status.current_healthy = Some(healthy);
        status.desired_healthy = Some(wanted.healthy);
        status.expected_pods = Some(wanted.expected);
        status.disruptions_allowed = Some(allowed);
        status.observed_generation = budget.metadata.generation;
        let reason = if allowed > 0 { "SufficientPods" } else { "InsufficientPods" };
        set_condition(&budget, &mut status, reason, "", now);
        self.write(&budget, status)?;
        Ok(recheck)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        client::DeleteOptions,
        controllers::{
            framework,
            testing::{cluster, kubelets, make, pass},
        },
    };

    #[test]
    fn evictions_go_as_far_as_the_budget() {
        let (sim, client) = cluster(1);
        let _kubelets = kubelets(&client, Some(Duration::from_secs(1)));
        let makers = [super::make, crate::controllers::replicaset::make];
        let _running: Vec<_> =
            makers.iter().map(|make| framework::start(&client, make(&client))).collect();
        make::<ReplicaSet>(
            &client,
            json!({"metadata": {"name": "web", "namespace": "default"}, "spec": {"replicas": 3,
                "selector": {"matchLabels": {"app": "web"}}, "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{"name": "c", "image": "i"}]}}}}),
        );
        make::<PodDisruptionBudget>(
            &client,
            json!({"metadata": {"name": "web", "namespace": "default"}, "spec":
                {"maxUnavailable": "34%", "selector": {"matchLabels": {"app": "web"}}}}),
        );
        pass(&sim, 3.0);
        let status = || {
            let budget = client.get::<PodDisruptionBudget>("default", "web").unwrap();
            let s = budget.status.clone().unwrap();
            (s.expected_pods, s.current_healthy, s.desired_healthy, s.disruptions_allowed)
        };
        assert_eq!(status(), (Some(3), Some(3), Some(1), Some(2)));
        let pods = client.list::<Pod>(None);
        let evict = |i: usize| {
            let name = (&*pods[i] as &dyn Object).name();
            client.evict("default", name, &DeleteOptions::default())
        };
        evict(0).unwrap();
        evict(1).unwrap();
        let refused = evict(2).unwrap_err();
        assert_eq!((refused.code, refused.reason), (429, "TooManyRequests"));
        let want = "Cannot evict pod as it would violate the pod's disruption budget.";
        assert_eq!(refused.message, want);
        pass(&sim, 5.0);
        assert_eq!(status().3, Some(2), "new pods are ready");
    }
}
