//! What the scheduler tells about pods: events, conditions, prospects.

use std::rc::Rc;

use k8s_openapi::api::core::v1::{Pod, PodCondition, PodStatus};

use super::{Inner, cache::PodInfo, place::Prospect};
use crate::client::{Client, DeleteOptions, EventType, ModernRecorder};

/// Longest text of an event; what is longer is cut (`validation.NoteLengthLimit`).
const LONGEST: usize = 1024;

/// Speaks for one profile.
pub(super) struct Reporter {
    client: Client,
    events: ModernRecorder,
    name: Rc<str>,
}

impl Inner {
    /// Who speaks about a pod.
    pub(super) fn reporter(&self, pod: &PodInfo) -> &Reporter {
        let name = self.profile(&pod.pod).map(|p| &p.name);
        let found = name.and_then(|name| self.reporters.get(name));
        // Pods of no profile are not scheduled, so nothing is said about them.
        found.or_else(|| self.reporters.values().next()).expect("a profile at least")
    }
}

impl Reporter {
    /// For a profile.
    pub fn new(client: &Client, profile: &str) -> Self {
        let events = ModernRecorder::new(client, profile, profile);
        Reporter { client: client.clone(), events, name: profile.into() }
    }

    /// The pod was bound.
    pub fn bound(&self, pod: &PodInfo, node: &str) {
        let text = format!("Successfully assigned {}/{} to {node}", pod.namespace(), pod.name());
        self.events.event(&*pod.pod, EventType::Normal, "Scheduled", "Binding", &text);
    }

    /// Event and condition of a pod that found no node.
    pub fn failed(&self, pod: &PodInfo, text: &str, reason: &str, prospect: Prospect) {
        let note = cut(text);
        self.events.event(&*pod.pod, EventType::Warning, "FailedScheduling", "Scheduling", &note);
        self.change(pod, |status, condition| {
            let condition = PodCondition {
                type_: "PodScheduled".into(),
                status: "False".into(),
                reason: Some(reason.to_string()),
                message: Some(text.to_string()),
                ..condition
            };
            set_condition(status.conditions.get_or_insert_default(), condition);
            match prospect {
                Prospect::Keep => {}
                Prospect::Clear => status.nominated_node_name = None,
                Prospect::Set(node) => status.nominated_node_name = Some(node.to_string()),
            }
        });
    }

    /// The pod has a prospect of a node (empty: of none).
    pub fn set_prospect(&self, pod: &PodInfo, node: &str) {
        let node = Some(node.to_string()).filter(|n| !n.is_empty());
        self.change(pod, |status, _| status.nominated_node_name = node);
    }

    /// A victim has gone, or is on its way.
    pub fn preempted(&self, victim: &PodInfo, by: &PodInfo, node: &str) {
        let text = format!("Preempted by pod {} on node {node}", by.uid());
        self.events.event(&*victim.pod, EventType::Normal, "Preempted", "Preempting", &text);
    }

    /// Sends a victim away.
    pub fn send_away(&self, victim: &PodInfo, by: &PodInfo, node: &str) {
        let name = &self.name;
        self.change(victim, |status, condition| {
            let text = format!("{name}: preempting to accommodate a higher priority pod");
            let condition = PodCondition {
                type_: "DisruptionTarget".into(),
                status: "True".into(),
                reason: Some("PreemptionByScheduler".into()),
                message: Some(text),
                ..condition
            };
            set_condition(status.conditions.get_or_insert_default(), condition);
        });
        let options = DeleteOptions::default();
        let _ = self.client.delete::<Pod>(victim.namespace(), victim.name(), &options);
        self.preempted(victim, by, node);
    }

    /// Changes a pod's status. What can't be written now is told again with the next attempt.
    fn change(&self, pod: &PodInfo, change: impl FnOnce(&mut PodStatus, PodCondition)) {
        let Some(stored) = self.client.find::<Pod>(pod.namespace(), pod.name()) else { return };
        let mut new = (*stored).clone();
        let condition = PodCondition {
            last_transition_time: Some(self.client.sim().now().to_meta()),
            observed_generation: new.metadata.generation,
            ..Default::default()
        };
        change(new.status.get_or_insert_default(), condition);
        if new != *stored {
            let _ = self.client.update_status(new);
        }
    }
}

fn cut(text: &str) -> String {
    const MORE: &str = " ...";
    if text.len() <= LONGEST {
        return text.to_string();
    }
    let mut end = LONGEST - MORE.len();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{MORE}", &text[..end])
}

/// Sets a condition; its time of transition stays if its status does.
fn set_condition(conditions: &mut Vec<PodCondition>, mut new: PodCondition) {
    match conditions.iter_mut().find(|c| c.type_ == new.type_) {
        Some(old) => {
            if old.status == new.status {
                new.last_transition_time.clone_from(&old.last_transition_time);
            }
            *old = new;
        }
        None => conditions.push(new),
    }
}
