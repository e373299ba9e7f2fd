//! Random clusters under random operations: the checkers' promises hold after every step, and what is
//! wanted comes about in the end. A failure names its seed and the shortest run that shows it.
//!
//! `SANDBAR_CHAOS=N` plays N seeds instead of the few that fit into a minute; `SANDBAR_SEED=S` begins
//! with seed S.

use std::time::Duration;

use k8s_openapi::api::{
    autoscaling::v2::HorizontalPodAutoscaler,
    batch::v1::Job,
    core::v1::{PersistentVolumeClaim, Pod},
};
use sandbar_core::api::{Object, pods, volumes::claim_phase};
use sandbar_tests::chaos::{
    cluster::Cluster,
    ops::{
        Op, Sort,
        crowd::Crowd,
        order::{self, Order},
        storage::{Class, Storage},
        timed::{Overlap, Rule, Timed},
    },
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

/// Of every sort of operation one, each of which must come to something.
#[test]
fn volumes_clocks_and_crowds_really_work() {
    let mut cluster = Cluster::new(7, 3);
    for op in [
        Op::Create(Sort::Deployment, 0, 1),
        Op::Storage(Storage::Claim(0, Class::Standard)),
        Op::Storage(Storage::Claim(1, Class::Disk)),
        Op::Storage(Storage::Claim(2, Class::OnePod)),
        Op::Storage(Storage::User(1)),
        Op::Storage(Storage::User(2)),
        Op::Storage(Storage::ByHand(0)),
        Op::Storage(Storage::Pair(0)),
        Op::Storage(Storage::Set(0, 2, true, true)),
        Op::Timed(Timed::Cron(0, Overlap::Forbid, 5)),
        Op::Timed(Timed::Job(0, Rule::PerIndex)),
        Op::Timed(Timed::Job(1, Rule::Success)),
        Op::Timed(Timed::Job(2, Rule::PodFailure)),
        Op::Crowd(Crowd::Autoscaler(0, 2, 4)),
        Op::Crowd(Crowd::Load(0, 1_500)),
        Op::Crowd(Crowd::Bulky(0, 2)),
        Op::Crowd(Crowd::Urgent(0, 1)),
        Op::Crowd(Crowd::Port(0, 3)),
        Op::Order(Order::Service(0, order::Sort::Headless)),
        Op::Order(Order::Space),
        Op::Order(Order::Definition),
        Op::Order(Order::Custom(0)),
    ] {
        assert!(op.run(&mut cluster).is_empty());
        cluster.pass(Duration::from_secs(1));
        assert_eq!(cluster.broken(), Vec::<String>::new(), "after {op:?}");
    }
    cluster.pass(Duration::from_secs(240));
    let claims = cluster.admin.list::<PersistentVolumeClaim>(None);
    assert_eq!(claims.len(), 3 + 1 + 2 + 2 + 1);
    for claim in &claims {
        assert_eq!(claim_phase(claim), "Bound", "{}", (&**claim as &dyn Object).name());
    }
    let all = cluster.admin.list::<Pod>(None);
    let ready = |begin: &str| {
        let counts = |pod: &&std::rc::Rc<Pod>| {
            (&***pod as &dyn Object).name().starts_with(begin) && pods::is_ready(pod)
        };
        all.iter().filter(counts).count()
    };
    for (begin, want) in [
        ("deploy-0-", 4),
        ("user-", 2),
        ("pair-0", 1),
        ("data-0-", 2),
        ("bulky-0-", 2),
        ("urgent-0-", 1),
        ("port-0-", 3),
        ("inner-", 3),
    ] {
        assert_eq!(ready(begin), want, "{begin}");
    }
    let jobs = cluster.admin.list::<Job>(None);
    let done = jobs.iter().filter(|job| {
        let conditions = job.status.as_ref().and_then(|s| s.conditions.as_ref());
        conditions.into_iter().flatten().any(|c| matches!(&*c.type_, "Complete" | "Failed"))
    });
    assert!(done.count() >= 3, "{jobs:?}");
    let scaler = cluster.admin.get::<HorizontalPodAutoscaler>("default", "hpa-0").expect("made");
    assert_eq!(scaler.status.as_ref().map(|s| s.desired_replicas), Some(4));
}
