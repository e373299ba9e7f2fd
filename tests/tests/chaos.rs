//! Random clusters under random operations: the checkers' promises hold after every step, and what is
//! wanted comes about in the end. A failure names its seed and the shortest run that shows it.
//!
//! `SANDBAR_CHAOS=N` plays N seeds instead of the few that fit into a minute; `SANDBAR_SEED=S` begins
//! with seed S.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use sandbar_core::api::pods;
use sandbar_tests::chaos::{
    cluster::Cluster,
    ops::{Op, Sort},
    run,
};

/// Seeds that are always played, about half a second each.
const SEEDS: u64 = 40;
/// Operations of each.
const OPS: usize = 40;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn promises_hold_under_random_operations() {
    let (first, count) = (number("SANDBAR_SEED").unwrap_or(1), number("SANDBAR_CHAOS"));
    let mut wrong = Vec::new();
    for seed in first..first + count.unwrap_or(SEEDS) {
        let nodes = 1 + (seed % 4) as usize;
        if let Err(error) = run::check(seed, nodes, OPS) {
            println!("{error}\n");
            wrong.push(error);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// What never runs can break no promise.
#[test]
fn pods_of_these_clusters_really_run() {
    let mut cluster = Cluster::new(5, 3);
    for op in [
        Op::Create(Sort::Deployment, 0, 4),
        Op::Create(Sort::DaemonSet, 0, 0),
        Op::Create(Sort::StatefulSet, 0, 2),
        Op::Create(Sort::Job, 0, 1),
        Op::Service(0, false),
    ] {
        assert!(op.run(&mut cluster).is_empty());
    }
    cluster.pass(Duration::from_secs(30));
    let all = cluster.admin.list::<Pod>(None);
    assert_eq!(all.iter().filter(|pod| pods::is_ready(pod)).count(), 4 + 3 + 2);
    assert_eq!(all.iter().filter(|pod| pods::phase(pod) == "Succeeded").count(), 2);
    let running =
        |node: usize| cluster.engine(node).containers().iter().filter(|c| c.is_running()).count();
    // Each with its sandbox.
    assert_eq!((0..3).map(running).sum::<usize>(), 2 * (4 + 3 + 2));
}
