//! Jobs in virtual time.

use k8s_openapi::api::core::v1::PodStatus;
use serde_json::{Value, json};

use super::*;
use crate::{
    api::object::from_value,
    client::Subscription,
    controllers::{
        framework::{self, Running},
        testing::{cluster, edit, events, make, pass, set_status},
    },
    sim::Sim,
};

fn once(extra: Value) -> Value {
    let spec = json!({"template": {"spec": {"restartPolicy": "Never",
        "containers": [{"name": "c", "image": "i"}]}}});
    let spec = crate::api::patch::merge(spec, extra);
    json!({"metadata": {"name": "once", "namespace": "default"}, "spec": spec})
}

/// Ends each pod five seconds after it was made with the exit code that `code` tells by its index.
fn ending(client: &Client, code: fn(&str) -> i32) -> Subscription {
    let own = client.clone();
    client.on_change(&[Pod::ID], move |change| {
        if change.op != Op::Added {
            return;
        }
        let (client, pod) = (own.clone(), change.object.clone());
        own.sim().after(Duration::from_secs(5), move || {
            let Some(pod) = pod.downcast::<Pod>() else { return };
            let object: &dyn Object = pod;
            if client.find::<Pod>(object.namespace(), object.name()).is_none() {
                return;
            }
            let index = crate::api::meta::annotation(&pod.metadata, indexes::INDEX);
            let code = code(index.unwrap_or_default());
            let now = client.sim().now().to_timestamp().to_string();
            let status = json!({"phase": if code == 0 { "Succeeded" } else { "Failed" },
                "containerStatuses": [{"name": "c", "image": "i", "imageID": "", "ready": false,
                    "restartCount": 0, "state": {"terminated": {"exitCode": code,
                        "finishedAt": now}}}]});
            set_status::<Pod>(&client, pod, |p| {
                p.status = Some(from_value::<PodStatus>(status).unwrap());
            });
        });
    })
}

fn world(job: Value, code: fn(&str) -> i32) -> (Sim, Client, (Subscription, Running)) {
    let (sim, client) = cluster(1);
    let ending = ending(&client, code);
    let running = framework::start(&client, super::make(&client));
    make::<Job>(&client, job);
    (sim, client, (ending, running))
}

fn status(client: &Client) -> JobStatus {
    client.get::<Job>("default", "once").unwrap().status.clone().unwrap()
}

/// `Complete`, `Failed BackoffLimitExceeded` …; `-` before the end.
fn end(client: &Client) -> String {
    let status = status(client);
    let over = status
        .conditions
        .iter()
        .flatten()
        .find(|c| matches!(c.type_.as_str(), "Complete" | "Failed") && c.status == "True");
    over.map_or("-".into(), |c| match c.type_.as_str() {
        "Failed" => format!("Failed {}", c.reason.clone().unwrap_or_default()),
        _ => "Complete".into(),
    })
}

#[test]
fn jobs_end_as_their_pods_and_limits_say() {
    let always_1: fn(&str) -> i32 = |_| 1;
    let always_0: fn(&str) -> i32 = |_| 0;
    let odd_fail: fn(&str) -> i32 = |i| i.parse::<i32>().map_or(1, |i| i % 2);
    let rule = |action: &str| {
        json!({"podFailurePolicy": {"rules": [{"action": action,
            "onExitCodes": {"operator": "In", "values": [1]}}]}})
    };
    let merge = crate::api::patch::merge;
    for (name, extra, code, seconds, want, counts) in [
        ("one", json!({}), always_0, 6.0, "Complete", (1, 0)),
        ("five", json!({"completions": 5, "parallelism": 2}), always_0, 16.0, "Complete", (5, 0)),
        ("queue", json!({"parallelism": 3}), always_0, 6.0, "Complete", (3, 0)),
        (
            "no luck",
            json!({"backoffLimit": 2}),
            always_1,
            60.0,
            "Failed BackoffLimitExceeded",
            (0, 3),
        ),
        (
            "slow",
            json!({"activeDeadlineSeconds": 3}),
            always_0,
            4.0,
            "Failed DeadlineExceeded",
            (0, 1),
        ),
        (
            "indexed",
            json!({"completions": 3, "completionMode": "Indexed", "parallelism": 3}),
            always_0,
            6.0,
            "Complete",
            (3, 0),
        ),
        (
            "each its own",
            json!({"completions": 4, "completionMode": "Indexed", "parallelism": 4,
            "backoffLimitPerIndex": 1}),
            odd_fail,
            30.0,
            "Failed FailedIndexes",
            (2, 4),
        ),
        (
            "too many",
            json!({"completions": 4, "completionMode": "Indexed", "parallelism": 4,
            "backoffLimitPerIndex": 0, "maxFailedIndexes": 1}),
            odd_fail,
            30.0,
            "Failed MaxFailedIndexesExceeded",
            (2, 2),
        ),
        (
            "enough",
            json!({"completions": 4, "completionMode": "Indexed", "parallelism": 4,
            "successPolicy": {"rules": [{"succeededIndexes": "0,2"}]}}),
            odd_fail,
            30.0,
            "Complete",
            (2, 2),
        ),
        ("at once", rule("FailJob"), always_1, 6.0, "Failed PodFailurePolicy", (0, 1)),
        ("ignored", merge(rule("Ignore"), json!({"backoffLimit": 0})), always_1, 30.0, "-", (0, 0)),
    ] {
        let (sim, client, _running) = world(once(extra), code);
        pass(&sim, seconds);
        assert_eq!(end(&client), want, "{name}: {:#?}", status(&client));
        let status = status(&client);
        let have = (status.succeeded.unwrap_or(0), status.failed.unwrap_or(0));
        assert_eq!(have, counts, "{name}");
        let tracked = client.list::<Pod>(None).iter().filter(|p| pods::is_tracked(p)).count();
        assert_eq!(tracked, if want == "-" { status.active.unwrap_or(0) as usize } else { 0 });
    }
}

#[test]
fn failures_are_waited_after_longer_each_time() {
    let (sim, client, _running) = world(once(json!({})), |_| 1);
    let mut seen = Vec::new();
    for second in 0..120 {
        if client.count::<Pod>() > seen.len() {
            seen.push(second);
        }
        pass(&sim, 1.0);
    }
    // 5 s to fail and 10, 20, 40 s of patience; looked at once a second.
    assert_eq!(seen, [1, 16, 41, 86]);
}

#[test]
fn a_suspended_job_runs_later_and_a_deleted_one_leaves_nothing_behind() {
    let (sim, client, _running) = world(once(json!({"suspend": true, "parallelism": 2})), |_| 0);
    pass(&sim, 3.0);
    assert_eq!(client.count::<Pod>(), 0);
    assert!(finish::has_condition(&status(&client), "Suspended"));
    let suspend = |value: bool| {
        edit::<Job>(&client, "default", "once", |job| {
            job.spec.get_or_insert_default().suspend = Some(value);
        });
    };
    suspend(false);
    pass(&sim, 1.0);
    assert_eq!((client.count::<Pod>(), status(&client).active), (2, Some(2)));
    let told = events(&client, "Job");
    for want in ["Suspended Job suspended", "Resumed Job resumed"] {
        assert!(told.iter().any(|e| e == want), "{told:#?}");
    }
    let options = crate::client::DeleteOptions::default();
    client.delete::<Job>("default", "once", &options).unwrap();
    for pod in client.list::<Pod>(None) {
        client.delete::<Pod>("default", (&*pod as &dyn Object).name(), &options).unwrap();
    }
    pass(&sim, 1.0);
    assert_eq!(client.count::<Pod>(), 0);
}

#[test]
fn a_restart_at_any_time_counts_each_pod_once() {
    for cut in [0, 2, 1_000, 5_001, 5_004, 10_003] {
        let (sim, client, (_ending, first)) =
            world(once(json!({"completions": 20, "parallelism": 10})), |_| 0);
        pass(&sim, f64::from(cut) / 1000.0);
        drop(first);
        pass(&sim, 0.5);
        let _second = framework::start(&client, super::make(&client));
        pass(&sim, 15.0);
        assert_eq!(end(&client), "Complete", "cut after {cut} ms");
        assert_eq!(status(&client).succeeded, Some(20), "cut after {cut} ms");
    }
}
