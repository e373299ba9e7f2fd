//! What a StatefulSet's controller does next: makes pods in order, removes them from the end,
//! replaces those of an old template.
//!
//! Models `updateStatefulSet` of `pkg/controller/statefulset/stateful_set_control.go`.

use std::{collections::BTreeMap, ops::Range, rc::Rc};

use k8s_openapi::{
    api::{
        apps::v1::{
            ControllerRevision, RollingUpdateStatefulSetStrategy, StatefulSet, StatefulSetSpec,
            StatefulSetStatus,
        },
        core::v1::{Pod, PodTemplateSpec},
    },
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{Cx, StatefulSets, identity};
use crate::{
    api::{Object, Status, meta::is_deleting},
    controllers::{deployment::scaled, pods, replicaset::non_zero},
};

/// Most pods made in one sync where order does not matter (`MaxBatchSize`).
const BATCH: usize = 500;

/// Whether to go on after a step or to wait for what it began.
#[derive(PartialEq)]
enum Step {
    On,
    Wait,
}

/// The set's pods whose ordinals are wanted. Places without a pod cost nothing, however many.
struct Slots {
    range: Range<i64>,
    pods: BTreeMap<i64, Rc<Pod>>,
}

impl Slots {
    fn missing(&self) -> usize {
        let wanted = usize::try_from(self.range.end - self.range.start).unwrap_or(0);
        wanted.saturating_sub(self.pods.len())
    }
}

fn name(revision: &ControllerRevision) -> &str {
    revision.metadata.name.as_deref().unwrap_or_default()
}

fn rolling(spec: &StatefulSetSpec) -> Option<&RollingUpdateStatefulSetStrategy> {
    spec.update_strategy.as_ref()?.rolling_update.as_ref()
}

fn rolls(spec: &StatefulSetSpec) -> bool {
    spec.update_strategy.as_ref().and_then(|s| s.type_.as_deref()) == Some("RollingUpdate")
}

fn partition(spec: &StatefulSetSpec) -> i64 {
    i64::from(rolling(spec).and_then(|r| r.partition).unwrap_or(0))
}

/// Notes in the status that an update is complete. Models `completeRollingUpdate`.
pub fn complete(set: &StatefulSet, status: &mut StatefulSetStatus) {
    let Some(spec) = set.spec.as_ref().filter(|s| rolls(s)) else { return };
    let wanted = spec.replicas.unwrap_or(1);
    let n = |count: Option<i32>| count.unwrap_or(0);
    if n(status.updated_replicas) == wanted
        && n(status.ready_replicas) == wanted
        && status.replicas == wanted
    {
        status.current_replicas = status.updated_replicas;
        status.current_revision.clone_from(&status.update_revision);
    }
}

impl Cx<'_> {
    fn is_available(&self, now: crate::sim::Time, pod: &Pod) -> bool {
        is_running(pod) && pods::is_available(pod, self.min_ready, now)
    }

    fn status<'p>(
        &self,
        now: crate::sim::Time,
        all: impl Iterator<Item = &'p Rc<Pod>>,
    ) -> StatefulSetStatus {
        let (mut replicas, mut ready, mut available, mut current, mut updated) = (0, 0, 0, 0, 0);
        for pod in all {
            replicas += 1;
            ready += i32::from(is_running(pod));
            available += i32::from(self.is_available(now, pod));
            if !is_deleting(&pod.metadata) {
                current += i32::from(identity::revision(pod) == name(self.current));
                updated += i32::from(identity::revision(pod) == name(self.update));
            }
        }
        let old = self.set.status.as_ref();
        StatefulSetStatus {
            available_replicas: Some(available),
            collision_count: Some(old.and_then(|s| s.collision_count).unwrap_or(0)),
            conditions: old.and_then(|s| s.conditions.clone()),
            current_replicas: non_zero(current),
            current_revision: Some(name(self.current).to_string()),
            observed_generation: self.set.metadata.generation,
            ready_replicas: non_zero(ready),
            replicas,
            update_revision: Some(name(self.update).to_string()),
            updated_replicas: non_zero(updated),
        }
    }
}

fn is_running(pod: &Pod) -> bool {
    pods::phase(pod) == "Running" && pods::is_ready(pod)
}

impl StatefulSets {
    /// Does what comes next. The status tells what was found and done.
    pub(super) fn work(
        &self,
        cx: &Cx,
        spec: &StatefulSetSpec,
        pods: &[Rc<Pod>],
    ) -> (StatefulSetStatus, Result<(), Status>) {
        let now = self.client.sim().now();
        if is_deleting(&cx.set.metadata) {
            return (cx.status(now, pods.iter()), Ok(()));
        }
        let first = identity::start(spec);
        let range = first..first + identity::wanted(spec);
        let mut slots = Slots { range, pods: BTreeMap::new() };
        let mut condemned = Vec::new();
        for pod in pods {
            match identity::ordinal(pod) {
                Some(ordinal) if slots.range.contains(&ordinal) => {
                    slots.pods.insert(ordinal, pod.clone());
                }
                Some(ordinal) => condemned.push((ordinal, pod.clone())),
                None => {}
            }
        }
        condemned.sort_by_key(|(ordinal, _)| -ordinal);
        let done = self.steps(cx, spec, &slots, &condemned);
        // What was made and deleted just now counts already.
        let all = self.client.by_index::<Pod>(self.pods, (cx.set as &dyn Object).uid());
        (cx.status(now, all.iter()), done)
    }

    fn steps(
        &self,
        cx: &Cx,
        spec: &StatefulSetSpec,
        slots: &Slots,
        condemned: &[(i64, Rc<Pod>)],
    ) -> Result<(), Status> {
        let monotonic = spec.pod_management_policy.as_deref() != Some("Parallel");
        let now = self.client.sim().now();
        let unavailable = |pod: &Rc<Pod>| !cx.is_available(now, pod) || is_deleting(&pod.metadata);
        let first_unhealthy = slots
            .range
            .clone()
            .find(|ordinal| slots.pods.get(ordinal).is_none_or(unavailable))
            .or_else(|| condemned.iter().rev().find(|(_, p)| unavailable(p)).map(|(o, _)| *o));
        let templates = (identity::template(cx.current), identity::template(cx.update));
        let (Some(current), Some(update)) = templates else {
            return Err(Status::internal("a revision of the set holds no template"));
        };
        let mut failure = None;
        let mut made = 0;
        for ordinal in slots.range.clone() {
            if made == BATCH {
                return Err(Status::internal("the rest of the pods comes with the next sync"));
            }
            let slot = (ordinal, slots.pods.get(&ordinal));
            made += usize::from(slot.1.is_none());
            match self.replica(cx, spec, slot, (&current, &update), monotonic) {
                Ok(Step::Wait) if monotonic => return Ok(()),
                Ok(_) => {}
                Err(error) if monotonic => return Err(error),
                Err(error) => {
                    // One that can't be made is not tried five hundred times.
                    failure.get_or_insert(error);
                    break;
                }
            }
        }
        if let Some(error) = failure {
            return Err(error);
        }
        for (ordinal, pod) in condemned {
            self.correct_claim_owners(cx.set, *ordinal, Some(pod))?;
        }
        for (ordinal, pod) in condemned {
            let going = is_deleting(&pod.metadata);
            if going && !monotonic {
                continue;
            }
            if going || (monotonic && unavailable(pod) && Some(*ordinal) != first_unhealthy) {
                return Ok(());
            }
            self.delete_pod(cx.set, pod)?;
            if monotonic {
                return Ok(());
            }
        }
        if !rolls(spec) {
            return Ok(());
        }
        self.roll(cx, spec, slots)
    }

    /// Brings one place among the replicas closer to what it should be.
    fn replica(
        &self,
        cx: &Cx,
        spec: &StatefulSetSpec,
        (ordinal, pod): (i64, Option<&Rc<Pod>>),
        templates: (&PodTemplateSpec, &PodTemplateSpec),
        monotonic: bool,
    ) -> Result<Step, Status> {
        let now = self.client.sim().now();
        let Some(pod) = pod else {
            if self.claim_is_stale(cx.set, ordinal) {
                return Ok(Step::Wait);
            }
            let old = rolls(spec)
                && match rolling(spec) {
                    Some(_) => ordinal < identity::start(spec) + partition(spec),
                    None => false,
                };
            let (template, revision) =
                if old { (templates.0, cx.current) } else { (templates.1, cx.update) };
            let kinds = self.client.kinds();
            let pod = identity::pod(&kinds, cx.set, template, name(revision), ordinal);
            drop(kinds);
            self.create_pod(cx.set, ordinal, pod)?;
            self.correct_claim_owners(cx.set, ordinal, None)?;
            return Ok(Step::Wait);
        };
        if pods::is_terminal(pod) {
            if !is_deleting(&pod.metadata) {
                self.delete_pod(cx.set, pod)?;
            }
            return Ok(Step::Wait);
        }
        if pods::phase(pod) == "Pending" && !is_deleting(&pod.metadata) {
            self.create_claims(cx.set, ordinal, (&**pod as &dyn Object).name())?;
        }
        if monotonic && (is_deleting(&pod.metadata) || !cx.is_available(now, pod)) {
            return Ok(Step::Wait);
        }
        self.correct_claim_owners(cx.set, ordinal, Some(pod))?;
        let same = identity::identity_matches(cx.set, ordinal, pod)
            && identity::storage_matches(cx.set, ordinal, pod);
        if !same {
            let mut new = (**pod).clone();
            identity::correct_identity(cx.set, ordinal, &mut new);
            let done = self.client.update(new).map(|_| ());
            self.tell(cx.set, "Update", (&**pod as &dyn Object).name(), &done);
            done?;
        }
        Ok(Step::On)
    }

    /// Takes away pods of an old template, from the end; they come back from the new one.
    fn roll(&self, cx: &Cx, spec: &StatefulSetSpec, slots: &Slots) -> Result<(), Status> {
        let now = self.client.sim().now();
        let lowest = slots.range.start + partition(spec);
        let unavailable = |pod: &Rc<Pod>| !cx.is_available(now, pod) || is_deleting(&pod.metadata);
        let is_old = |pod: &Rc<Pod>| {
            identity::revision(pod) != name(cx.update) && !is_deleting(&pod.metadata)
        };
        let Some(most) = rolling(spec).and_then(|r| r.max_unavailable.as_ref()) else {
            if slots.missing() > 0 {
                return Ok(());
            }
            for (_, pod) in slots.pods.range(lowest..).rev() {
                if is_old(pod) {
                    return self.delete_pod(cx.set, pod);
                }
                if unavailable(pod) {
                    return Ok(());
                }
            }
            return Ok(());
        };
        let down = slots.missing() + slots.pods.values().filter(|p| unavailable(p)).count();
        let mut room = limit(most, spec.replicas.unwrap_or(1)).saturating_sub(down);
        for (_, pod) in slots.pods.range(lowest..).rev().filter(|(_, p)| is_old(p)) {
            if room == 0 {
                break;
            }
            room -= 1;
            self.delete_pod(cx.set, pod)?;
        }
        Ok(())
    }
}

/// At least one pod may be away.
fn limit(most: &IntOrString, replicas: i32) -> usize {
    usize::try_from(scaled(most, replicas, false)).unwrap_or(0).max(1)
}
