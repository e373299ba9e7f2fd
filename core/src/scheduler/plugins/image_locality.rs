//! Nodes that have the pod's images already are better, the more so the larger those are.

use crate::scheduler::{
    cache::NodeInfo,
    framework::{Check, Cx, MAX_SCORE, Plugin},
};

pub const PLUGIN: Plugin = Plugin {
    name: "ImageLocality",
    weight: 1,
    check: |_| Ok(Some(Box::new(Images))),
    helps: |_, _, _| false,
};

const MB: i64 = 1024 * 1024;
/// Images smaller than this in all do not count (`minThreshold`).
const SMALLEST: i64 = 23 * MB;
/// A container's images larger than this count no more (`maxContainerThreshold`).
const LARGEST: i64 = 1000 * MB;

#[derive(Clone)]
struct Images;

/// As the node lists it: `nginx` is `nginx:latest`.
fn normalized(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    if last.contains([':', '@']) { image.to_string() } else { format!("{image}:latest") }
}

impl Check for Images {
    fn prepare_scores(&mut self, _cx: &Cx, _nodes: &[&NodeInfo]) -> bool {
        true
    }

    fn score(&self, cx: &Cx, node: &NodeInfo) -> i64 {
        let Some(spec) = &cx.pod.pod.spec else { return 0 };
        let init = spec.init_containers.as_deref().unwrap_or_default();
        let containers = spec.containers.iter().chain(init);
        let total = cx.cache.len().max(1) as f64;
        let (mut sum, mut count) = (0, 0);
        for container in containers {
            count += 1;
            let name = normalized(container.image.as_deref().unwrap_or_default());
            let Some(size) = node.images.get(&name) else { continue };
            // An image that few nodes have counts less, so that not all pods go to those.
            let have = cx.cache.images.get(&name).copied().unwrap_or(0) as f64;
            sum += (*size as f64 * (have / total)) as i64;
        }
        let most = LARGEST * count;
        let counted = sum.clamp(SMALLEST, most.max(SMALLEST));
        if most <= SMALLEST { 0 } else { MAX_SCORE * (counted - SMALLEST) / (most - SMALLEST) }
    }

    fn boxed_clone(&self) -> Box<dyn Check> {
        Box::new(self.clone())
    }
}
