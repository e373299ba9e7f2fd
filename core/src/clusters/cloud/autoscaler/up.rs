//! More machines for pods that wait for room.
//!
//! Models `core/scaleup` with one group, which leaves nothing to choose for an expander.

use std::rc::Rc;

use k8s_openapi::api::core::v1::Pod;

use super::{Autoscaler, Room, View, is_leaving};
use crate::{
    api::{Object, Status},
    clusters::cloud::{Cloud, GROUP},
};

impl Autoscaler {
    /// Asks for as many machines as the waiting pods need. Whether it asked for any.
    pub(super) fn grow(&self, cloud: &Rc<Cloud>, view: &View) -> Result<bool, Status> {
        let template = self.template(view);
        let blank = || Room { node: template.node.clone(), free: template.free.clone() };
        let mut rooms: Vec<Room> = (0..view.upcoming).map(|_| blank()).collect();
        // Nodes that are there may have room that the scheduler is about to use.
        let mut present: Vec<Room> = view
            .rooms
            .iter()
            .filter(|r| !is_leaving(&r.node))
            .map(|r| Room { node: r.node.clone(), free: r.free.clone() })
            .collect();
        let (mut helped, mut added): (Vec<Rc<Pod>>, Vec<Room>) = Default::default();
        let mut refused = std::collections::BTreeMap::new();
        let have = cloud.machines().len();
        let most = (cloud.bounds.max as usize).saturating_sub(have);
        for pod in &view.waiting {
            if let Some(room) = rooms.iter_mut().chain(&mut present).find(|r| r.takes(pod)) {
                room.put(pod);
                continue;
            }
            if let Some(room) = added.iter_mut().find(|r| r.takes(pod)) {
                room.put(pod);
                helped.push(pod.clone());
                continue;
            }
            let why = self.why_not(pod, &template);
            match why {
                None if added.len() < most => {
                    let mut room = blank();
                    room.put(pod);
                    added.push(room);
                    helped.push(pod.clone());
                }
                None => self.refuse(pod, "1 max node group size reached", &mut refused),
                Some(why) => self.refuse(pod, &why, &mut refused),
            }
        }
        *self.refused.borrow_mut() = refused;
        if added.is_empty() {
            return Ok(false);
        }
        let (to, max) = (have + added.len(), cloud.bounds.max);
        let change = format!("{to} instead of {have} (max: {max})");
        self.announce(
            "ScaledUpGroup",
            &format!("Scale-up: setting group {GROUP} size to {change}"),
        );
        for _ in &added {
            cloud.add_machine();
        }
        self.announce("ScaledUpGroup", &format!("Scale-up: group {GROUP} size set to {change}"));
        self.grown.set(Some(self.now()));
        for pod in helped {
            let text = format!("pod triggered scale-up: [{{{GROUP} {have}->{to} (max: {max})}}]");
            self.tell(&*pod, "TriggeredScaleUp", &text);
        }
        Ok(true)
    }

    /// Why a new machine would be of no use to a pod.
    fn why_not(&self, pod: &Pod, template: &Room) -> Option<String> {
        let lacking = template.misfit(pod);
        if let Some(first) = lacking.first() {
            return Some(format!("1 {first}"));
        }
        let spec = pod.spec.as_ref()?;
        if !crate::api::scheduling::selects(spec, &template.node) {
            return Some("1 node(s) didn't match Pod's node affinity/selector".into());
        }
        None
    }

    /// Says once of each pod, and again when the reason is another, that no machine comes for it.
    fn refuse(
        &self,
        pod: &Rc<Pod>,
        why: &str,
        refused: &mut std::collections::BTreeMap<String, String>,
    ) {
        let uid = (&**pod as &dyn Object).uid().to_string();
        if self.refused.borrow().get(&uid).map(String::as_str) != Some(why) {
            let text = format!("pod didn't trigger scale-up: {why}");
            self.tell(&**pod, "NotTriggerScaleUp", &text);
        }
        refused.insert(uid, why.to_string());
    }
}
