//! Nodes whose resources would be used in more even proportion with the pod are better.
//!
//! Models `pkg/scheduler/framework/plugins/noderesources/balanced_allocation.go`, which since 1.36
//! judges the change and not the state.

use crate::scheduler::{
    cache::NodeInfo,
    framework::{Check, Cx, MAX_SCORE, Plugin, Point},
    resources::Resources,
};

pub const PLUGIN: Plugin = Plugin {
    weight: 1,
    check: |_| Ok(Some(Box::new(Balanced))),
    ..Plugin::silent("NodeResourcesBalancedAllocation", &[Point::PreScore, Point::Score])
};

#[derive(Clone)]
struct Balanced;

/// 100 where all resources are used in the same proportion.
fn balance(fractions: &[f64]) -> i64 {
    let n = fractions.len() as f64;
    let deviation = match fractions {
        [] | [_] => 0.0,
        // The standard deviation of two numbers is half their difference.
        [a, b] => ((a - b) / 2.0).abs(),
        more => {
            let mean = more.iter().sum::<f64>() / n;
            (more.iter().map(|f| (f - mean) * (f - mean)).sum::<f64>() / n).sqrt()
        }
    };
    ((1.0 - deviation) * MAX_SCORE as f64) as i64
}

impl Check for Balanced {
    /// A pod that asks for nothing changes no balance.
    fn prepare_scores(&mut self, cx: &Cx, _nodes: &[&NodeInfo]) -> bool {
        cx.args.balanced.iter().any(|name| cx.pod.requests.get(name) > 0)
    }

    fn score(&self, cx: &Cx, _i: usize, node: &NodeInfo) -> i64 {
        let wants = &cx.pod.requests;
        let fractions = |with: Option<&Resources>| -> Vec<f64> {
            let names = cx.args.balanced.iter();
            // An extended resource that the pod does not ask for does not count.
            let counts = |name: &&String| !Resources::is_extended(name) || wants.get(name) > 0;
            let known = names.filter(counts).filter(|name| node.allocatable.get(name) > 0);
            known
                .map(|name| {
                    let used = node.requested.get(name) + with.map_or(0, |pod| pod.get(name));
                    (used as f64 / node.allocatable.get(name) as f64).min(1.0)
                })
                .collect()
        };
        let (with, without) = (balance(&fractions(Some(wants))), balance(&fractions(None)));
        MAX_SCORE / 2 + (MAX_SCORE / 2 + with - without) / 2
    }

    fn boxed_clone(&self) -> Box<dyn Check> {
        Box::new(self.clone())
    }
}
