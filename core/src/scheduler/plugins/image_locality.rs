//! Nodes that have the pod's images already are better, the more so the larger those are.
//!
//! Models `pkg/scheduler/framework/plugins/imagelocality`.

use crate::scheduler::{
    cache::NodeInfo,
    framework::{Check, Cx, MAX_SCORE, Plugin, Point},
};

pub const PLUGIN: Plugin = Plugin {
    weight: 1,
    check: |_| Ok(Some(Box::<Images>::default())),
    ..Plugin::silent("ImageLocality", &[Point::Score])
};

const MB: i64 = 1024 * 1024;
/// Images smaller than this in all do not count (`minThreshold`).
const SMALLEST: i64 = 23 * MB;
/// A container's images larger than this count no more (`maxContainerThreshold`).
const LARGEST: i64 = 1000 * MB;

#[derive(Clone, Default)]
struct Images {
    /// How many images the pod has (volumes of images count, too).
    count: i64,
    /// Those that some node has, and the share of the nodes that have them.
    wanted: Vec<(String, f64)>,
}

/// As the node lists it: `nginx` is `nginx:latest`.
fn normalized(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    if last.contains([':', '@']) { image.to_string() } else { format!("{image}:latest") }
}

impl Check for Images {
    fn prepare_scores(&mut self, cx: &Cx, _nodes: &[&NodeInfo]) -> bool {
        let Some(spec) = &cx.pod.pod.spec else { return true };
        let init = spec.init_containers.as_deref().unwrap_or_default();
        let containers = spec.containers.iter().chain(init);
        let volumes = spec.volumes.iter().flatten();
        let of_volumes = volumes.filter_map(|v| v.image.as_ref()?.reference.as_deref());
        let all = containers.map(|c| c.image.as_deref().unwrap_or_default()).chain(of_volumes);
        let total = cx.cache.len().max(1) as f64;
        for name in all.map(normalized) {
            self.count += 1;
            // An image that few nodes have counts less, so that not all pods go to those.
            let have = cx.cache.images.get(&name).copied().unwrap_or(0);
            if have > 0 {
                self.wanted.push((name, have as f64 / total));
            }
        }
        true
    }

    fn score(&self, _cx: &Cx, _i: usize, node: &NodeInfo) -> i64 {
        let size = |(name, share): &(String, f64)| {
            node.images.get(name).map_or(0, |size| (*size as f64 * share) as i64)
        };
        let sum: i64 = self.wanted.iter().map(size).sum();
        let most = LARGEST * self.count;
        let counted = sum.clamp(SMALLEST, most.max(SMALLEST));
        if most <= SMALLEST { 0 } else { MAX_SCORE * (counted - SMALLEST) / (most - SMALLEST) }
    }

    fn boxed_clone(&self) -> Box<dyn Check> {
        Box::new(self.clone())
    }
}
