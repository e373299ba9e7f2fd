//! What a pod asks for must be left on the node; of those where it is, the emptier ones are
//! better (or the fuller ones, as the scheduler is set up).
//!
//! Models `pkg/scheduler/framework/plugins/noderesources`.

use std::borrow::Cow;

use crate::scheduler::{
    cache::{NodeInfo, PodInfo},
    config::{Args, Scoring, Strategy},
    devices::extended,
    framework::{Check, Cx, Event, MAX_SCORE, Plugin, Point, Rejection, interest},
    resources::Resources,
};

pub const PLUGIN: Plugin = Plugin {
    name: "NodeResourcesFit",
    weight: 1,
    points: &[Point::PreFilter, Point::Filter, Point::PreScore, Point::Score],
    events: interest::NODE | interest::POD_UPDATED | interest::POD_REMOVED | interest::DEVICES,
    check: |_| Ok(Some(Box::new(Fit))),
    helps: |client, pod, event| match event {
        Event::Storage | Event::Claim(..) => false,
        // An extended resource may stand for devices now.
        Event::Devices => pod.requests.scalar.keys().any(|name| Resources::is_extended(name)),
        // The pod's number counts against the node's room for pods, whatever it asked for.
        Event::PodRemoved(_) => true,
        Event::PodUpdated(new, old) => new.requests != old.requests,
        Event::Node(new, old) => {
            let of = |n: &k8s_openapi::api::core::v1::Node| {
                Resources::of(n.status.as_ref().and_then(|s| s.allocatable.as_ref()))
            };
            let has = of(new);
            let devices = |name: &str| extended::class_of(client, name).is_some();
            old.is_none_or(|old| of(old) != has) && misses(pod, &has, None, &devices).is_empty()
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
fn misses(
    pod: &PodInfo,
    has: &Resources,
    used: Option<(&Resources, usize)>,
    ignored: &dyn Fn(&str) -> bool,
) -> Vec<Missing> {
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
        if *wants > 0 && *wants > of(has) - of(used) && !ignored(name) {
            missing.push((Cow::Owned(format!("Insufficient {name}")), *wants > of(has)));
        }
    }
    missing
}

/// Whether the scheduler was told not to look at an extended resource.
fn is_ignored(args: &Args, name: &str) -> bool {
    let group = name.split('/').next().unwrap_or_default();
    Resources::is_extended(name)
        && (args.ignored_resources.iter().any(|r| r == name)
            || args.ignored_groups.iter().any(|g| g == group))
}

/// `LeastAllocated`: what share is free.
fn least(wanted: i64, has: i64) -> i64 {
    if wanted > has { 0 } else { percent(has - wanted, has) }
}

/// `MostAllocated`: what share is taken.
fn most(wanted: i64, has: i64) -> i64 {
    percent(wanted.min(has), has)
}

fn percent(part: i64, of: i64) -> i64 {
    if of == 0 { 0 } else { (i128::from(part) * i128::from(MAX_SCORE) / i128::from(of)) as i64 }
}

/// `RequestedToCapacityRatio`: the height of a line through points at what share is taken.
fn ratio(points: &[(i64, i64)], wanted: i64, has: i64) -> i64 {
    let taken = if has == 0 || wanted > has { 100 } else { percent(wanted, has) };
    let Some(after) = points.iter().position(|(x, _)| taken <= *x) else {
        return points.last().map_or(0, |(_, y)| *y);
    };
    let (x, y) = points[after];
    match after.checked_sub(1).and_then(|before| points.get(before)) {
        Some((x0, y0)) if x > *x0 => y0 + (y - y0) * (taken - x0) / (x - x0),
        _ => y,
    }
}

impl Check for Fit {
    fn filter(&self, cx: &Cx, node: &NodeInfo) -> Result<(), Rejection> {
        let used = Some((&node.requested, node.pods.len()));
        // What stands for devices and is not the node's own is the concern of DynamicResources.
        let devices = |name: &str| {
            !node.allocatable.scalar.contains_key(name)
                && extended::class_of(cx.client, name).is_some()
        };
        let ignored = |name: &str| is_ignored(cx.args, name) || devices(name);
        let missing = misses(cx.pod, &node.allocatable, used, &ignored);
        if missing.is_empty() {
            return Ok(());
        }
        let resolvable = !missing.iter().any(|(_, whole)| *whole);
        Err(Rejection {
            reasons: missing.into_iter().map(|(r, _)| r).collect(),
            resolvable,
            fatal: false,
        })
    }

    fn prepare_scores(&mut self, _cx: &Cx, _nodes: &[&NodeInfo]) -> bool {
        true
    }

    fn score(&self, cx: &Cx, _i: usize, node: &NodeInfo) -> i64 {
        let Scoring { strategy, resources } = &cx.args.fit;
        let (mut sum, mut weights) = (0, 0);
        for (name, weight) in resources {
            let wants = cx.pod.counted.get(name);
            if Resources::is_extended(name) && wants == 0 {
                continue; // what the pod does not ask for does not count
            }
            let has = node.allocatable.get(name);
            if has == 0 {
                continue;
            }
            let wanted = node.counted.get(name).saturating_add(wants);
            let score = match strategy {
                Strategy::Least => least(wanted, has),
                Strategy::Most => most(wanted, has),
                Strategy::Ratio(points) => ratio(points, wanted, has),
            };
            // By points, a resource that scores nothing does not count.
            if score > 0 || !matches!(strategy, Strategy::Ratio(_)) {
                sum += score * weight;
                weights += weight;
            }
        }
        match (weights, strategy) {
            (0, _) => 0,
            (_, Strategy::Ratio(_)) => (sum as f64 / weights as f64).round() as i64,
            _ => sum / weights,
        }
    }

    fn boxed_clone(&self) -> Box<dyn Check> {
        Box::new(self.clone())
    }
}
