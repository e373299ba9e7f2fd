//! Plays operations and asks the checkers after each; what fails is made shorter.

use std::time::Duration;

use k8s_openapi::api::{
    apps::v1::ReplicaSet,
    core::v1::{Pod, PodSpec, ResourceQuota},
};
use sandbar_core::{
    api::{Object, Typed, meta, pods},
    checkers::{SETTLED, SOON, violations},
    client::DeleteOptions,
    explain,
};

use super::{
    Chance,
    cluster::Cluster,
    ops::{NAMES, Op, PLACE, Sort, cordon, crowd, order, storage, timed, untaint},
};

/// Real time between two operations is what people take; here it is short.
const BETWEEN: Duration = Duration::from_millis(400);
/// How long a cluster that is left alone may take to settle: twice the longest back-off of
/// controllers, 1000 seconds.
const SETTLING: Duration = Duration::from_secs(2_000);

/// At its end nothing happens any more for so long.
const REST: Duration = Duration::from_secs(300);

/// What went wrong, and after which operation (counted from 0; all of them: while settling).
#[derive(Clone, Debug)]
pub struct Failure {
    /// The operation.
    pub after: usize,
    /// Broken promises in words.
    pub broken: Vec<String>,
}

/// Operations drawn from a seed.
pub fn draw(seed: u64, count: usize, nodes: usize) -> Vec<Op> {
    let mut chance = Chance::new(seed);
    (0..count).map(|_| Op::draw(&mut chance, nodes)).collect()
}

/// Plays operations on a fresh cluster. `None`: every promise was kept.
pub fn play(seed: u64, nodes: usize, ops: &[Op]) -> Option<Failure> {
    let mut cluster = Cluster::new(seed, nodes);
    for (after, op) in ops.iter().enumerate() {
        let mut broken = op.run(&mut cluster);
        cluster.pass(BETWEEN);
        broken.extend(cluster.broken());
        if !broken.is_empty() {
            return Some(Failure { after, broken });
        }
    }
    heal(&mut cluster);
    let after = ops.len();
    for passed in 0..SETTLING.as_secs() / 30 {
        if passed + REST.as_secs() / 30 == SETTLING.as_secs() / 30 {
            cluster.writes();
        }
        cluster.pass(Duration::from_secs(30));
        let broken = cluster.broken();
        if !broken.is_empty() {
            return Some(Failure { after, broken });
        }
    }
    let mut broken = violations(SETTLED, &cluster.seen());
    broken.extend(violations(SOON, &cluster.seen()));
    broken.extend(restless(&cluster));
    if broken.is_empty() {
        return None;
    }
    broken.extend(held(&cluster));
    Some(Failure { after, broken })
}

/// Objects that are written although nothing happens: leases are renewed every 10 seconds, nodes
/// report every 5 minutes, and autoscalers measure every 15 seconds.
fn restless(cluster: &Cluster) -> Vec<String> {
    let most = |key: &str| match key.split(' ').next() {
        Some("lease") => 36,
        Some("horizontalpodautoscaler") => 24,
        _ => 2,
    };
    let writes = cluster.writes().into_iter();
    let many = writes.filter(|(key, count)| *count > most(key));
    many.map(|(key, count)| format!("{key} was written {count} times within {REST:?}")).collect()
}

/// Why pods that have not ended are not ready.
fn held(cluster: &Cluster) -> Vec<String> {
    let mut all = cluster.admin.list::<Pod>(Some(PLACE));
    all.retain(|pod| !pods::is_terminal(pod) && !pods::is_ready(pod));
    let why = |pod: &std::rc::Rc<Pod>| {
        let name = (&**pod as &dyn Object).name();
        let kind = cluster.admin.kind(Pod::ID);
        let why = explain::why(&cluster.admin, &kind, PLACE, name).ok()?;
        Some(explain::text::why(&why, 100))
    };
    all.iter().filter_map(why).collect()
}

/// Takes away what stands in the way of what is wanted.
pub fn heal(cluster: &mut Cluster) {
    for part in cluster.parts() {
        cluster.start(&part);
    }
    for number in 0..cluster.size() {
        cordon(cluster, number, false);
        untaint(cluster, number);
    }
    // Images that there are.
    for sort in [Sort::Deployment, Sort::StatefulSet, Sort::DaemonSet, Sort::ReplicaSet] {
        for number in 0..NAMES {
            Op::Image(sort, number, 0).run(cluster);
        }
    }
    timed::heal(cluster);
    order::heal(cluster);
    crowd::heal(cluster);
    stuck(cluster);
    // A stateful set can't replace a pod that it lost while the pod has the name.
    for pod in cluster.admin.list::<Pod>(Some(PLACE)) {
        if meta::label(&pod.metadata, "app") == Some("lost") {
            let name = (&*pod as &dyn Object).name();
            let _ = cluster.admin.delete::<Pod>(PLACE, name, &DeleteOptions::default());
        }
    }
    let options = DeleteOptions::default();
    let _ = cluster.admin.delete::<ResourceQuota>(PLACE, "quota", &options);
    // What is on its way out goes first.
    cluster.pass(Duration::from_secs(60));
    storage::heal(cluster);
}

/// What a controller does not replace although it will never run: upstream waits for people here.
fn stuck(cluster: &Cluster) {
    for set in cluster.admin.list::<ReplicaSet>(Some(PLACE)) {
        let template = set.spec.as_ref().and_then(|s| s.template.as_ref()?.spec.clone());
        let orphan = meta::controller_of(&set.metadata).is_none();
        if orphan && template.is_some_and(|spec| lost_image(&spec)) {
            let name = (&*set as &dyn Object).name();
            let _ = cluster.admin.delete::<ReplicaSet>(PLACE, name, &DeleteOptions::default());
        }
    }
    for pod in cluster.admin.list::<Pod>(Some(PLACE)) {
        let kind = meta::controller_of(&pod.metadata).map_or("", |owner| owner.kind.as_str());
        let waits = pod.spec.as_ref().is_some_and(lost_image);
        if waits && matches!(kind, "StatefulSet" | "ReplicaSet") {
            let name = (&*pod as &dyn Object).name();
            let _ = cluster.admin.delete::<Pod>(PLACE, name, &DeleteOptions::default());
        }
    }
}

/// Whether pods of this kind wait for an image that there is not.
fn lost_image(spec: &PodSpec) -> bool {
    spec.containers.iter().any(|c| c.image.as_deref().is_some_and(|i| i.ends_with("1.27")))
}

/// The shortest list of operations that still fails, found by leaving out ever smaller parts.
pub fn shrink(seed: u64, nodes: usize, ops: &[Op], first: Failure) -> (Vec<Op>, Failure) {
    let (mut ops, mut failure) = (ops[..ops.len().min(first.after + 1)].to_vec(), first);
    let mut part = ops.len() / 2;
    while part > 0 {
        let mut at = 0;
        while at < ops.len() {
            let mut fewer = ops.clone();
            fewer.drain(at..(at + part).min(fewer.len()));
            match play(seed, nodes, &fewer) {
                Some(found) => {
                    fewer.truncate(found.after + 1);
                    (ops, failure) = (fewer, found);
                }
                None => at += part,
            }
        }
        part /= 2;
    }
    (ops, failure)
}

/// Plays a random run; an error tells the seed, the shortest run that fails, and what is broken.
pub fn check(seed: u64, nodes: usize, count: usize) -> Result<(), String> {
    let ops = draw(seed, count, nodes);
    let Some(failure) = play(seed, nodes, &ops) else { return Ok(()) };
    let (ops, failure) = shrink(seed, nodes, &ops, failure);
    let list: Vec<String> = ops.iter().map(|op| format!("  {op:?}")).collect();
    Err(format!(
        "seed {seed}, {nodes} nodes: after\n{}\n{}",
        list.join("\n"),
        failure.broken.join("\n")
    ))
}
