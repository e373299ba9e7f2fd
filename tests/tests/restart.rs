//! Whatever part of a cluster is stopped and started again, at whatever step, the cluster settles to
//! the same state: everything that matters is in the API.
//!
//! Every part is restarted at a few steps; `SANDBAR_RESTARTS=1` tries every part at every step.

use sandbar_tests::chaos::{
    cluster::{Cluster, Part},
    restart::{NODES, compare, play, script},
    settled::differences,
};

/// Steps at which each part is restarted, unless all are wanted.
const SAMPLES: usize = 2;

#[test]
fn a_cluster_settles_to_the_same_state_when_a_part_is_restarted_at_any_step() {
    let without = play(None);
    assert!(without.len() > 25, "little is left to compare: {:?}", without.keys());
    let (parts, steps) = (Cluster::new(3, NODES).parts(), script().len());
    let all = std::env::var("SANDBAR_RESTARTS").is_ok();
    let mut wrong = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        // Other steps for each part, so that together they cover the script.
        let sampled = (0..SAMPLES).map(|i| (number * 5 + i * steps / SAMPLES) % steps);
        let steps: Vec<usize> = if all { (0..steps).collect() } else { sampled.collect() };
        for step in steps {
            for text in compare(&without, part, step) {
                println!("{text}");
                wrong.push(text);
            }
        }
        println!("{part:?}: {} of {}, {} differences", number + 1, parts.len(), wrong.len());
    }
    assert!(wrong.is_empty(), "{} differences", wrong.len());
}

/// The comparison sees what a part leaves undone that never comes back.
#[test]
fn a_part_that_stays_away_is_missed() {
    let without = play(None);
    for name in
        ["deployment-controller", "endpointslice-controller", "garbage-collector-controller"]
    {
        let part = Part::Controller(name.into());
        let with = play(Some((&part, 3, false)));
        assert!(!differences(&without, &with).is_empty(), "{name}");
    }
}
