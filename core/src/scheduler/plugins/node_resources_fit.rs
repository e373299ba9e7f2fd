//! What a pod asks for must be left on the node; of those where it is, the emptier ones are
//! better.

use std::borrow::Cow;

use crate::scheduler::{
    cache::{NodeInfo, PodInfo},
    framework::{Check, Cx, Event, MAX_SCORE, Plugin, Rejection},
    resources::Resources,
};

pub const PLUGIN: Plugin = Plugin {
    name: "NodeResourcesFit",
    weight: 1,
    check: |_| Ok(Some(Box::new(Fit))),
    helps: |_, pod, event| match event {
        Event::Storage => false,
        // The pod's number counts against the node's room for pods, whatever it asked for.
        Event::PodRemoved(_) => true,
        Event::PodUpdated(new, old) => new.requests != old.requests,
        Event::Node(new, old) => {
            let of = |n: &k8s_openapi::api::core::v1::Node| {
                Resources::of(n.status.as_ref().and_then(|s| s.allocatable.as_ref()))
            };
            let has = of(new);
            old.is_none_or(|old| of(old) != has) && misses(pod, &has, None).is_empty()
        }
        Event::Own(new, old) => new.spec != old.spec,
        Event::PodAdded(_) => false,
    },
};

#[derive(Clone)]
struct Fit;

/// A resource of which there is too little, and whether the whole node has too little.
type Missing = (Cow<'static, str>, bool);

/// What is missing of `has`, where `used` is used already (and so many pods are there).
fn misses(pod: &PodInfo, has: &Resources, used: Option<(&Resources, usize)>) -> Vec<Missing> {
    let mut missing = Vec::new();
    if used.map_or(0, |(_, n)| n) as i64 + 1 > has.pods {
        missing.push((Cow::Borrowed("Too many pods"), has.pods < 1));
    }
    let wants = &pod.requests;
    if wants.is_zero() {
        return missing;
    }
    let nothing = Resources::default();
    let used = used.map_or(&nothing, |(u, _)| u);
    for (name, wants, used, has) in [
        ("Insufficient cpu", wants.cpu, used.cpu, has.cpu),
        ("Insufficient memory", wants.memory, used.memory, has.memory),
        ("Insufficient ephemeral-storage", wants.storage, used.storage, has.storage),
    ] {
        if wants > 0 && wants > has - used {
            missing.push((Cow::Borrowed(name), wants > has));
        }
    }
    for (name, wants) in &wants.scalar {
        let of = |r: &Resources| r.scalar.get(name).copied().unwrap_or(0);
        if *wants > 0 && *wants > of(has) - of(used) {
            missing.push((Cow::Owned(format!("Insufficient {name}")), *wants > of(has)));
        }
    }
    missing
}

impl Check for Fit {
    fn filter(&self, cx: &Cx, node: &NodeInfo) -> Result<(), Rejection> {
        let used = Some((&node.requested, node.pods.len()));
        let missing = misses(cx.pod, &node.allocatable, used);
        if missing.is_empty() {
            return Ok(());
        }
        let resolvable = !missing.iter().any(|(_, whole)| *whole);
        Err(Rejection { reasons: missing.into_iter().map(|(r, _)| r).collect(), resolvable })
    }

    fn prepare_scores(&mut self, _cx: &Cx, _nodes: &[&NodeInfo]) -> bool {
        true
    }

    /// `LeastAllocated`, CPU and memory counting the same.
    fn score(&self, cx: &Cx, node: &NodeInfo) -> i64 {
        let (has, used, wants) = (&node.allocatable, &node.counted, &cx.pod.counted);
        let parts = [(has.cpu, used.cpu + wants.cpu), (has.memory, used.memory + wants.memory)];
        let (mut sum, mut weights) = (0, 0);
        for (has, wanted) in parts.into_iter().filter(|(has, _)| *has > 0) {
            weights += 1;
            if wanted <= has {
                sum += (i128::from(has - wanted) * i128::from(MAX_SCORE) / i128::from(has)) as i64;
            }
        }
        if weights == 0 { 0 } else { sum / weights }
    }

    fn boxed_clone(&self) -> Box<dyn Check> {
        Box::new(self.clone())
    }
}
