//! A pod's turn: finding it a node, keeping the node for it while its volumes are made, binding it.
//!
//! Models `ScheduleOne`, `bindingCycle` and `handleBindingCycleError` of `schedule_one.go`.

use std::rc::Rc;

use k8s_openapi::api::core::v1::Pod;

use super::{
    Inner,
    cache::PodInfo,
    config::Profile,
    cycle::{Cycle, Failure},
    decisions::{Decision, Outcome, Verdict, Victim},
    framework::Event,
    plugins::{self, dynamic_resources, volume_binding},
    preemption::{self, Refusal},
    queue::{self, Waiting},
};
use crate::{
    api::{Status, pods},
    sim::Time,
};

/// A pod that has its node and waits for something before it is bound.
pub(super) struct Reserved {
    waiting: Waiting,
    node: Rc<str>,
    /// When that has taken too long.
    pub until: Time,
}

/// What becomes of a pod's prospect of a node.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Prospect<'a> {
    /// It stays as it is.
    Keep,
    /// The pod has none any more.
    Clear,
    /// This node.
    Set(&'a str),
}

impl Inner {
    /// Gives the next pod its turn.
    pub(super) fn schedule_one(&self) {
        let now = self.client.sim().now();
        let Some(waiting) = self.queue.borrow_mut().pop(now) else { return };
        let cause = waiting.info.cause.get();
        self.client.sim().under(cause, || self.try_pod(waiting, now));
    }

    fn try_pod(&self, waiting: Waiting, now: Time) {
        let pod = waiting.info.clone();
        let Some(profile) = self.profile(&pod.pod) else { return };
        let mut decision = Decision {
            at: now,
            scheduler: profile.name.to_string(),
            uid: pod.uid().to_string(),
            attempt: waiting.attempts,
            ..Default::default()
        };
        match self.find_node(profile, &pod, &mut decision) {
            Ok(node) => self.found(profile, waiting, &node, &mut decision),
            Err(failure) => self.failed(waiting, failure, &mut decision),
        }
        self.decisions.put(queue::key(&pod), decision);
    }

    fn found(&self, profile: &Profile, waiting: Waiting, node: &Rc<str>, decision: &mut Decision) {
        decision.node = Some(node.to_string());
        let pod = waiting.info.clone();
        let done = self.prepare(profile, &pod, node).and_then(|ready| {
            if ready {
                self.bind(&pod, node)?;
            }
            Ok(ready)
        });
        match done {
            Ok(true) => decision.outcome = Outcome::Bound,
            Ok(false) => {
                decision.outcome = Outcome::WaitsForVolumes;
                let until = self.client.sim().now() + profile.args.bind_timeout;
                self.reserve(Reserved { waiting, node: node.clone(), until });
            }
            Err(error) => {
                decision.outcome = Outcome::Failed;
                self.release(profile, &pod);
                decision.message = self.went_wrong(waiting, &error.to_string()).unwrap_or_default();
            }
        }
    }

    /// What has to be there before a pod is bound (`PreBind`): whether it is.
    fn prepare(&self, profile: &Profile, pod: &Rc<PodInfo>, node: &str) -> Result<bool, Status> {
        let devices = self.prepare_devices(profile, pod, node)?;
        let volumes = match Profile::uses(&profile.pre_binds, volume_binding::NAME) {
            true => volume_binding::prepare(&self.client, pod, node)?,
            false => true,
        };
        Ok(devices && volumes)
    }

    fn prepare_devices(
        &self,
        profile: &Profile,
        pod: &Rc<PodInfo>,
        node: &str,
    ) -> Result<bool, Status> {
        let cache = self.cache.borrow();
        let Some(node) = cache.node(node) else { return Ok(true) };
        if !Profile::uses(&profile.pre_binds, plugins::CLAIMS) {
            return Ok(true);
        }
        dynamic_resources::prepare(&self.client, pod, node).map_err(|why| {
            Status::internal(format!("running PreBind plugin \"DynamicResources\": {why}"))
        })
    }

    /// A pod that has got no node gives back what was kept for it (`Unreserve`).
    fn release(&self, profile: &Profile, pod: &PodInfo) {
        if Profile::uses(&profile.pre_binds, plugins::CLAIMS) {
            dynamic_resources::release(&self.client, pod);
        }
    }

    /// The pod's room is taken from now on, though it is not on its node yet.
    fn reserve(&self, reserved: Reserved) {
        let mut assumed = (*reserved.waiting.info.pod).clone();
        assumed.spec.get_or_insert_default().node_name = Some(reserved.node.to_string());
        let info = Rc::new(PodInfo::new(&Rc::new(assumed)));
        let uid: Rc<str> = info.uid().into();
        self.nominated.borrow_mut().set(&info, None);
        self.cache.borrow_mut().set_pod(info);
        let pod = reserved.waiting.info.clone();
        let node = reserved.node.clone();
        self.reserved.borrow_mut().insert(uid, reserved);
        // Others (who add nodes where pods wait) shall know that it has its node.
        self.reporter(&pod).set_prospect(&pod, &node);
    }

    /// Volumes changed: binds those that have theirs now.
    pub(super) fn try_reserved(&self) {
        let uids: Vec<Rc<str>> = self.reserved.borrow().keys().cloned().collect();
        for uid in uids {
            let known = self.reserved.borrow();
            let Some((pod, node)) =
                known.get(&uid).map(|r| (r.waiting.info.clone(), r.node.clone()))
            else {
                continue;
            };
            drop(known);
            let Some(profile) = self.profile(&pod.pod) else { continue };
            let bound = match self.prepare(profile, &pod, &node) {
                Ok(false) => continue,
                Ok(true) => self.bind(&pod, &node),
                Err(error) => Err(error),
            };
            let Some(reserved) = self.reserved.borrow_mut().remove(&uid) else { continue };
            if let Err(error) = bound {
                self.unreserve(reserved, &error.to_string());
            }
        }
    }

    /// Gives up on pods whose volumes did not come in time.
    pub(super) fn give_up_reserved(&self) {
        let now = self.client.sim().now();
        let late: Vec<Rc<str>> = {
            let reserved = self.reserved.borrow();
            reserved.iter().filter(|(_, r)| r.until <= now).map(|(uid, _)| uid.clone()).collect()
        };
        for uid in late {
            let Some(reserved) = self.reserved.borrow_mut().remove(&uid) else { continue };
            let pod = &reserved.waiting.info;
            let volumes = volume_binding::prepare(&self.client, pod, &reserved.node);
            let why = match volumes {
                Ok(true) => "running PreBind plugin \"DynamicResources\": device binding timeout",
                _ => {
                    "running PreBind plugin \"VolumeBinding\": binding volumes: context deadline \
                     exceeded"
                }
            };
            self.unreserve(reserved, why);
        }
    }

    fn unreserve(&self, reserved: Reserved, why: &str) {
        let forgotten = self.cache.borrow_mut().remove_pod(reserved.waiting.info.uid());
        if let Some(info) = forgotten {
            self.move_pods(Event::PodRemoved(&info));
        }
        if let Some(profile) = self.profile(&reserved.waiting.info.pod) {
            self.release(profile, &reserved.waiting.info);
        }
        self.went_wrong(reserved.waiting, why);
    }

    /// Something went wrong that has nothing to do with the pod. The text that was told.
    fn went_wrong(&self, waiting: Waiting, why: &str) -> Option<String> {
        let pod = waiting.info.clone();
        let found = self.client.find::<Pod>(pod.namespace(), pod.name())?;
        if !pods::node_name(&found).is_empty() {
            return None; // somebody else was quicker
        }
        let now = self.client.sim().now();
        self.reporter(&pod).failed(&pod, why, "SchedulerError", Prospect::Clear);
        self.queue.borrow_mut().retry(waiting, now);
        Some(why.to_string())
    }

    fn bind(&self, pod: &Rc<PodInfo>, node: &str) -> Result<(), Status> {
        self.client.bind(pod.namespace(), pod.name(), node).map_err(|mut error| {
            let text = format!("running Bind plugin \"DefaultBinder\": {error}");
            error.message = text;
            error
        })?;
        self.nominated.borrow_mut().set(pod, None);
        // The next pod must see this one in its place before the change comes round.
        if let Some(placed) = self.client.find::<Pod>(pod.namespace(), pod.name()) {
            self.cache.borrow_mut().set_pod(Rc::new(pod.updated_placed(&placed)));
        }
        self.reporter(pod).bound(pod, node);
        Ok(())
    }

    fn find_node(
        &self,
        profile: &Profile,
        pod: &Rc<PodInfo>,
        decision: &mut Decision,
    ) -> Result<Rc<str>, Failure> {
        self.cache.borrow_mut().refresh();
        let (cache, nominated) = (self.cache.borrow(), self.nominated.borrow());
        let order = cache.order();
        decision.all = order.len();
        if order.is_empty() {
            return Err(Failure::default());
        }
        let cycle =
            Cycle { client: &self.client, cache: &cache, nominated: &nominated, profile, pod };
        let mut start = self.start.get();
        let (checks, nodes, mut failure) = match cycle.checks() {
            Ok(checks) => {
                let (nodes, failure) = cycle.feasible(&checks, &order, &mut start);
                (Some(checks), nodes, failure)
            }
            Err(before) => {
                let all = order.len();
                let reasons = before.1.reasons.iter().map(ToString::to_string).collect();
                decision.refused = Some((before.0, reasons));
                (None, Vec::new(), Failure { all, before: Some(before), ..Default::default() })
            }
        };
        self.start.set(start);
        (decision.looked_at, decision.feasible) = (failure.looked_at, nodes.len());
        for (place, (plugin, rejection)) in failure.nodes.iter().take(decision.room()) {
            let Some(node) = cache.at(*place) else { continue };
            decision.note(&node.name, || Verdict::Rejected {
                plugin,
                reasons: rejection.reasons.iter().map(ToString::to_string).collect(),
                resolvable: rejection.resolvable,
            });
        }
        if let (Some(checks), false) = (checks, nodes.is_empty()) {
            let chosen = cycle.choose(checks, &nodes, decision);
            return chosen.ok_or(failure);
        }
        if failure.error.is_some() {
            return Err(failure);
        }
        let found = self.make_room(&cycle, &mut failure);
        drop((cache, nominated));
        if let Some(candidate) = found {
            decision.nominated = Some(candidate.node.to_string());
            decision.victims = candidate.victims.iter().map(victim).collect();
            self.preempt(pod, &candidate);
        }
        Err(failure)
    }

    /// Asks those who may do something for a pod that fits nowhere (`PostFilter`).
    fn make_room(&self, cycle: &Cycle, failure: &mut Failure) -> Option<preemption::Candidate> {
        let mut said = Vec::new();
        let with = &cycle.profile.post_filters;
        if Profile::uses(with, plugins::CLAIMS) {
            // That plugin finds nothing that it noted where another refused the pod before.
            if failure.before.as_ref().is_some_and(|(plugin, _)| *plugin != plugins::CLAIMS) {
                failure.after = "not found".into();
                failure.prospect_lost = false;
                return None;
            }
            match dynamic_resources::give_back(&cycle.cx(), failure) {
                Ok(text) => said.push(text.to_string()),
                Err(why) => {
                    failure.after = why.to_string();
                    failure.prospect_lost = false;
                    return None;
                }
            }
        }
        if !Profile::uses(with, plugins::PREEMPTION) {
            failure.prospect_lost = said.is_empty();
            failure.after = said.join(", ");
            return None;
        }
        let checks = cycle.checks().ok();
        match preemption::find(cycle, checks.as_ref(), failure) {
            Ok(candidate) => return Some(candidate),
            Err(Refusal::NotEligible(why)) => said.push(format!("preemption: {why}")),
            Err(Refusal::Useless(why)) => {
                said.push(format!("preemption: {why}"));
                failure.prospect_lost = true;
            }
        }
        failure.after = said.join(", ");
        None
    }

    fn failed(&self, waiting: Waiting, failure: Failure, decision: &mut Decision) {
        if let Some(why) = &failure.error {
            decision.outcome = Outcome::Failed;
            decision.message = self.went_wrong(waiting, why).unwrap_or_default();
            return;
        }
        let now = self.client.sim().now();
        let text = if failure.all == 0 {
            "no nodes available to schedule pods".to_string()
        } else {
            failure.message()
        };
        decision.message.clone_from(&text);
        let pod = waiting.info.clone();
        self.queue.borrow_mut().fail(waiting, failure.rejectors(), now);
        let prospect = match &decision.nominated {
            Some(node) => Prospect::Set(node),
            None if failure.prospect_lost || failure.all == 0 => {
                self.nominated.borrow_mut().set(&pod, None);
                Prospect::Clear
            }
            None => Prospect::Keep,
        };
        self.reporter(&pod).failed(&pod, &text, "Unschedulable", prospect);
    }

    /// Sends the victims away and notes the pod's prospect.
    fn preempt(&self, pod: &Rc<PodInfo>, candidate: &preemption::Candidate) {
        let reporter = self.reporter(pod);
        // Lesser pods with a prospect of the node look elsewhere.
        let lesser: Vec<_> = {
            let nominated = self.nominated.borrow();
            let there = nominated.on(&candidate.node);
            there.filter(|p| p.priority() < pod.priority()).cloned().collect()
        };
        for other in lesser {
            self.nominated.borrow_mut().set(&other, None);
            self.reporter(&other).set_prospect(&other, "");
        }
        for (victim, _) in &candidate.victims {
            let reserved = self.reserved.borrow_mut().remove(victim.uid());
            if let Some(reserved) = reserved {
                // It was not on the node yet: it just does not get there.
                self.unreserve(reserved, "preempted");
                reporter.preempted(victim, pod, &candidate.node);
            } else if victim.pod.metadata.deletion_timestamp.is_none() {
                reporter.send_away(victim, pod, &candidate.node);
            }
        }
        self.nominated.borrow_mut().set(pod, Some(&candidate.node));
    }
}

fn victim((pod, breaks_budget): &(Rc<PodInfo>, bool)) -> Victim {
    Victim {
        namespace: pod.namespace().to_string(),
        name: pod.name().to_string(),
        priority: pod.priority(),
        breaks_budget: *breaks_budget,
    }
}
