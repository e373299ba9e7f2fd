//! Nodes whose CPU and memory are used in like proportion are better.

use crate::scheduler::{
    cache::NodeInfo,
    framework::{Check, Cx, MAX_SCORE, Plugin},
};

pub const PLUGIN: Plugin = Plugin {
    name: "NodeResourcesBalancedAllocation",
    weight: 1,
    check: |_| Ok(Some(Box::new(Balanced))),
    helps: |_, _, _| false,
};

#[derive(Clone)]
struct Balanced;

impl Check for Balanced {
    /// A pod that asks for nothing changes no balance.
    fn prepare_scores(&mut self, cx: &Cx, _nodes: &[&NodeInfo]) -> bool {
        cx.pod.requests.cpu > 0 || cx.pod.requests.memory > 0
    }

    fn score(&self, cx: &Cx, node: &NodeInfo) -> i64 {
        let (has, used, wants) = (&node.allocatable, &node.requested, &cx.pod.requests);
        let fraction = |has: i64, wanted: i64| (wanted as f64 / has as f64).min(1.0);
        let fractions: Vec<f64> =
            [(has.cpu, used.cpu + wants.cpu), (has.memory, used.memory + wants.memory)]
                .into_iter()
                .filter(|(has, _)| *has > 0)
                .map(|(has, wanted)| fraction(has, wanted))
                .collect();
        // The standard deviation of two numbers is half their difference.
        let deviation = match fractions.as_slice() {
            [a, b] => (a - b).abs() / 2.0,
            _ => 0.0,
        };
        ((1.0 - deviation) * MAX_SCORE as f64) as i64
    }

    fn boxed_clone(&self) -> Box<dyn Check> {
        Box::new(self.clone())
    }
}
