//! There are as many pods as are wanted, and status says so. For clusters in which nothing stands in
//! the way: no quota, room for all, every node up.

use k8s_openapi::api::{
    apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet},
    batch::v1::Job,
    core::v1::{Node, Pod},
};

use super::Seen;
use crate::api::{Object, meta, pods};

/// Workloads with other pods than they want.
pub fn check(seen: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    sets(seen, &mut wrong);
    deployments(seen, &mut wrong);
    stateful(seen, &mut wrong);
    daemons(seen, &mut wrong);
    jobs(seen, &mut wrong);
    wrong
}

/// An object's active pods: how many, and how many of them are ready.
fn active(seen: &Seen, owner: &dyn Object) -> (i32, i32) {
    let all = seen.client.list::<Pod>(Some(owner.namespace()));
    let own = all.iter().filter(|pod| {
        let controller = meta::controller_of(&pod.metadata);
        controller.is_some_and(|c| c.uid == owner.uid()) && pods::is_active(pod)
    });
    let (mut count, mut ready) = (0, 0);
    for pod in own {
        count += 1;
        ready += i32::from(pods::is_ready(pod));
    }
    (count, ready)
}

fn compare(wrong: &mut Vec<String>, kind: &str, object: &dyn Object, have: (i32, i32), want: i32) {
    if object.metadata().deletion_timestamp.is_some() {
        return;
    }
    let (ns, name) = (object.namespace(), object.name());
    if have.0 != want {
        wrong.push(format!("{kind} {ns}/{name} has {} of {want} pods", have.0));
    } else if have.1 != want {
        wrong.push(format!("{kind} {ns}/{name} has {} of {want} pods ready", have.1));
    }
}

fn said(wrong: &mut Vec<String>, kind: &str, object: &dyn Object, says: Option<i32>, is: i32) {
    let says = says.unwrap_or(0);
    if says != is && object.metadata().deletion_timestamp.is_none() {
        let (ns, name) = (object.namespace(), object.name());
        wrong.push(format!("{kind} {ns}/{name} says {says} pods are ready, and {is} are"));
    }
}

fn sets(seen: &Seen, wrong: &mut Vec<String>) {
    for set in seen.client.list::<ReplicaSet>(None) {
        let want = set.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1);
        let have = active(seen, &*set);
        compare(wrong, "replicaset", &*set, have, want);
        said(
            wrong,
            "replicaset",
            &*set,
            set.status.as_ref().and_then(|s| s.ready_replicas),
            have.1,
        );
    }
}

fn deployments(seen: &Seen, wrong: &mut Vec<String>) {
    for deployment in seen.client.list::<Deployment>(None) {
        let object: &dyn Object = &*deployment;
        let Some(spec) = &deployment.spec else { continue };
        if spec.paused == Some(true) {
            continue;
        }
        let sets = seen.client.list::<ReplicaSet>(Some(object.namespace()));
        let own = sets.iter().filter(|set| {
            meta::controller_of(&set.metadata).is_some_and(|c| c.uid == object.uid())
        });
        let wanted: Vec<i32> = own
            .filter_map(|set| set.spec.as_ref()?.replicas)
            .filter(|replicas| *replicas != 0)
            .collect();
        let want = spec.replicas.unwrap_or(1);
        if wanted.iter().sum::<i32>() != want || wanted.len() > 1 {
            let (ns, name) = (object.namespace(), object.name());
            wrong.push(format!(
                "deployment {ns}/{name} wants {want} pods, and its sets want {wanted:?}"
            ));
        }
        let status = deployment.status.clone().unwrap_or_default();
        said(wrong, "deployment", object, status.available_replicas, want);
        if status.observed_generation != object.metadata().generation {
            wrong.push(format!("deployment {} was not looked at", object.name()));
        }
    }
}

fn stateful(seen: &Seen, wrong: &mut Vec<String>) {
    for set in seen.client.list::<StatefulSet>(None) {
        let want = set.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1);
        let have = active(seen, &*set);
        compare(wrong, "statefulset", &*set, have, want);
        said(
            wrong,
            "statefulset",
            &*set,
            set.status.as_ref().and_then(|s| s.ready_replicas),
            have.1,
        );
    }
}

/// One pod on every node that is not cordoned off by a selector: the clusters of these tests have no
/// taints but those that daemon pods tolerate.
fn daemons(seen: &Seen, wrong: &mut Vec<String>) {
    let nodes = seen.client.list::<Node>(None);
    for set in seen.client.list::<DaemonSet>(None) {
        let template = set.spec.as_ref().and_then(|s| s.template.spec.as_ref());
        let selector = template.and_then(|s| s.node_selector.clone()).unwrap_or_default();
        let fits = |node: &&std::rc::Rc<Node>| {
            let labels = node.metadata.labels.clone().unwrap_or_default();
            selector.iter().all(|(key, value)| labels.get(key) == Some(value))
        };
        let want = nodes.iter().filter(fits).count() as i32;
        compare(wrong, "daemonset", &*set, active(seen, &*set), want);
    }
}

fn jobs(seen: &Seen, wrong: &mut Vec<String>) {
    for job in seen.client.list::<Job>(None) {
        let object: &dyn Object = &*job;
        let Some(spec) = &job.spec else { continue };
        let status = job.status.clone().unwrap_or_default();
        let over = status
            .conditions
            .iter()
            .flatten()
            .any(|c| matches!(c.type_.as_str(), "Complete" | "Failed") && c.status == "True");
        let (running, _) = active(seen, object);
        let (ns, name) = (object.namespace(), object.name());
        if over && running > 0 {
            wrong.push(format!("job {ns}/{name} is over and has {running} pods"));
        }
        let most = spec.parallelism.unwrap_or(1);
        let waits = spec.suspend == Some(true) || most == 0 || meta::is_deleting(&job.metadata);
        if !over && !waits && running == 0 {
            wrong.push(format!("job {ns}/{name} is not over and has no pods"));
        }
        if spec.suspend == Some(true) && running > 0 {
            wrong.push(format!("job {ns}/{name} is suspended and has {running} pods"));
        }
        if running > most {
            wrong.push(format!("job {ns}/{name} runs {running} pods of at most {most}"));
        }
        if status.active.unwrap_or(0) != running {
            let says = status.active.unwrap_or(0);
            wrong.push(format!("job {ns}/{name} says {says} pods are active, and {running} are"));
        }
    }
}
