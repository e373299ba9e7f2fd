//! Replaces pods of an old template, a few nodes at a time.
//!
//! Models `pkg/controller/daemon/update.go` (`rollingUpdate`).

use std::rc::Rc;

use k8s_openapi::{
    api::{
        apps::v1::DaemonSet,
        core::v1::{Node, Pod},
    },
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{ByNode, Cx, DaemonSets, GENERATION_ANNOTATION, GENERATION_LABEL, place};
use crate::{
    api::{
        Object,
        meta::{annotation, is_deleting, label},
    },
    controllers::{deployment::scaled, history, pods},
};

fn limit(ds: &DaemonSet, nodes: i32, surge: bool) -> i32 {
    let strategy = ds.spec.as_ref().and_then(|s| s.update_strategy.as_ref());
    let rolling = strategy.and_then(|s| s.rolling_update.as_ref());
    let value = match surge {
        true => rolling.and_then(|r| r.max_surge.clone()).unwrap_or(IntOrString::Int(0)),
        false => rolling.and_then(|r| r.max_unavailable.clone()).unwrap_or(IntOrString::Int(1)),
    };
    scaled(&value, nodes, true)
}

/// How many nodes may have a second pod meanwhile.
pub fn surge(ds: &DaemonSet, nodes: i32) -> i32 {
    limit(ds, nodes, true)
}

fn rolls(ds: &DaemonSet) -> bool {
    let strategy = ds.spec.as_ref().and_then(|s| s.update_strategy.as_ref());
    strategy.and_then(|s| s.type_.as_deref()).unwrap_or("RollingUpdate") == "RollingUpdate"
}

/// Whether a pod was made from the current template.
pub fn is_current(pod: &Pod, hash: &str, generation: Option<&str>) -> bool {
    label(&pod.metadata, history::HASH_LABEL) == Some(hash)
        || (generation.is_some() && label(&pod.metadata, GENERATION_LABEL) == generation)
}

/// The pod of the current and that of an old template; `None` if there are several of one.
fn split<'a>(cx: &Cx, here: &'a [Rc<Pod>]) -> Option<(Option<&'a Rc<Pod>>, Option<&'a Rc<Pod>>)> {
    let generation = annotation(&cx.ds.metadata, GENERATION_ANNOTATION);
    let alive = here.iter().filter(|p| !is_deleting(&p.metadata));
    let (new, old): (Vec<_>, Vec<_>) = alive.partition(|p| is_current(p, cx.hash, generation));
    (new.len() < 2 && old.len() < 2).then(|| (new.first().copied(), old.first().copied()))
}

impl DaemonSets {
    /// Pods to make (by node) and to delete for an update.
    pub(super) fn update_plan(
        &self,
        cx: &Cx,
        nodes: &[Rc<Node>],
        pods: &ByNode,
    ) -> (Vec<String>, Vec<Rc<Pod>>) {
        if !rolls(cx.ds) {
            return Default::default();
        }
        let desired = nodes.iter().filter(|n| place::fits(cx.ds, n).0).count() as i32;
        let here = |n: &Rc<Node>| pods.get((&**n as &dyn Object).name());
        let all = nodes.iter().filter_map(|n| Some(((&**n as &dyn Object).name(), here(n)?)));
        if surge(cx.ds, desired) > 0 {
            let (make, delete) = self.surge_plan(cx, all, surge(cx.ds, desired));
            return (make, delete);
        }
        let mut room = limit(cx.ds, desired, false);
        let (mut broken, mut candidates) = (Vec::new(), Vec::new());
        for (_, here) in all {
            match split(cx, here) {
                Some((None, Some(old))) if !self.is_available(cx, old) => broken.push(old.clone()),
                Some((None, Some(old))) => candidates.push(old.clone()),
                Some((Some(new), None)) if self.is_available(cx, new) => {}
                // Anything else is a node where something is on its way.
                _ => room -= 1,
            }
        }
        candidates.truncate(room.max(0) as usize);
        broken.extend(candidates);
        (Vec::new(), broken)
    }

    fn surge_plan<'a>(
        &self,
        cx: &Cx,
        nodes: impl Iterator<Item = (&'a str, &'a Vec<Rc<Pod>>)>,
        mut room: i32,
    ) -> (Vec<String>, Vec<Rc<Pod>>) {
        let (mut make, mut candidates, mut delete) = (Vec::new(), Vec::new(), Vec::new());
        for (node, here) in nodes {
            match split(cx, here) {
                None => room -= 1,
                Some((_, None)) => {}
                Some((None, Some(old))) if !self.is_available(cx, old) => make.push(node.into()),
                Some((None, Some(_))) => candidates.push(node.to_string()),
                Some((Some(new), Some(old))) if self.is_available(cx, new) => {
                    delete.push(old.clone());
                }
                Some((Some(_), Some(_))) => room -= 1,
            }
        }
        candidates.truncate(room.max(0) as usize);
        make.extend(candidates);
        (make, delete)
    }

    fn is_available(&self, cx: &Cx, pod: &Pod) -> bool {
        pods::is_available(pod, cx.min_ready, self.client.sim().now())
    }
}
