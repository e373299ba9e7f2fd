//! The same operations with and without a part that is stopped and started in the middle: what is left
//! when everything has settled must be the same.

use std::{collections::BTreeMap, time::Duration};

use sandbar_core::client::Propagation;

use super::{
    cluster::{Cluster, Part},
    ops::{
        Op, Sort,
        crowd::Crowd,
        order::{self, Order},
        storage::{Class, Storage},
        timed::{Rule, Timed},
    },
    run::heal,
    settled::{differences, state},
};

/// Nodes of these clusters.
pub const NODES: usize = 3;
/// How long the part stays away: long enough that others go on without it, and that a node is not
/// given up yet.
const AWAY: Duration = Duration::from_secs(7);
/// How long everything has to settle.
const SETTLING: Duration = Duration::from_secs(600);

/// What is done: a bit of everything whose outcome does not depend on when it is done.
pub fn script() -> Vec<Op> {
    vec![
        Op::Create(Sort::Deployment, 0, 3),
        Op::Service(0, false),
        Op::Create(Sort::StatefulSet, 0, 3),
        Op::Create(Sort::DaemonSet, 0, 0),
        Op::Create(Sort::Job, 0, 2),
        Op::Budget(0, Some(1)),
        Op::Wait(3_000),
        Op::Image(Sort::Deployment, 0, 1),
        Op::Scale(Sort::StatefulSet, 0, 1),
        Op::Create(Sort::ReplicaSet, 1, 2),
        Op::Service(1, true),
        Op::Scale(Sort::Deployment, 0, 5),
        Op::Image(Sort::DaemonSet, 0, 1),
        Op::Quota(Some(40)),
        Op::Create(Sort::Deployment, 2, 2),
        Op::Wait(3_000),
        Op::Delete(Sort::Deployment, 2, Propagation::Foreground),
        Op::Delete(Sort::ReplicaSet, 1, Propagation::Background),
        Op::DeleteService(1),
        Op::Image(Sort::StatefulSet, 0, 1),
        Op::Create(Sort::Job, 1, 0),
        Op::NodeLabel(0),
        Op::Create(Sort::DaemonSet, 1, 0),
        Op::Scale(Sort::Deployment, 0, 2),
        Op::Storage(Storage::Claim(0, Class::Standard)),
        Op::Storage(Storage::Claim(1, Class::Disk)),
        Op::Storage(Storage::User(1)),
        Op::Storage(Storage::Set(0, 2, true, true)),
        Op::Crowd(Crowd::Autoscaler(0, 1, 4)),
        Op::Crowd(Crowd::Load(0, 900)),
        Op::Storage(Storage::Pair(0)),
        Op::Crowd(Crowd::Bulky(0, 6)),
        Op::Crowd(Crowd::Urgent(0, 3)),
        Op::Order(Order::Space),
        Op::Timed(Timed::Job(0, Rule::PerIndex)),
        Op::Order(Order::Definition),
        Op::Order(Order::Custom(0)),
        Op::Order(Order::Service(0, order::Sort::Headless)),
        Op::Wait(20_000),
        // Only what is bound can grow.
        Op::Storage(Storage::Grow(1, 2)),
        Op::Storage(Storage::ScaleSet(0, 1)),
        Op::Order(Order::DeleteSpace),
        Op::Storage(Storage::DeleteClaim(0)),
        Op::Crowd(Crowd::Port(0, 2)),
        Op::Order(Order::DeleteCustom(0, false)),
        Op::Order(Order::DeleteDefinition),
        Op::Wait(20_000),
    ]
}

/// Plays the script; `restart`: a part that is stopped after the operation of this number, and
/// whether it comes back.
pub fn play(restart: Option<(&Part, usize, bool)>) -> BTreeMap<String, Vec<String>> {
    let mut cluster = Cluster::new(3, NODES);
    for (number, op) in script().iter().enumerate() {
        op.run(&mut cluster);
        if let Some((part, at, back)) = restart
            && at == number
        {
            cluster.stop(part);
            cluster.pass(AWAY);
            if back {
                cluster.start(part);
            }
        } else {
            cluster.pass(Duration::from_millis(400));
        }
    }
    cluster.pass(Duration::from_secs(60));
    heal(&mut cluster);
    if let Some((part, _, false)) = restart {
        cluster.stop(part);
    }
    cluster.pass(SETTLING);
    state(&cluster)
}

/// Where a run with a restart ends otherwise than one without.
pub fn compare(without: &BTreeMap<String, Vec<String>>, part: &Part, at: usize) -> Vec<String> {
    let with = play(Some((part, at, true)));
    let found = differences(without, &with);
    found.into_iter().map(|text| format!("{part:?} after operation {at}: {text}")).collect()
}
