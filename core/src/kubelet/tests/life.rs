//! Pods begin, end, are restarted, complete and are deleted.
use super::*;

#[test]
fn a_pod_runs_and_is_deleted_gracefully() {
    let world = world();
    world.pod("web", &["polite"], json!({}), json!({}));
    world.run(1);
    assert_eq!(world.say("web"), "Pending false/0 ContainerCreating");
    world.run(5);
    assert_eq!(world.say("web"), "Running true/0 running");
    let pod = world.get("web");
    let status = pod.status.as_ref().unwrap();
    assert_eq!(status.pod_ip.as_deref(), Some("10.244.0.2"));
    assert_eq!(status.host_ip.as_deref(), Some("192.168.49.2"));
    let conditions: Vec<_> =
        status.conditions.iter().flatten().map(|c| format!("{}={}", c.type_, c.status)).collect();
    assert_eq!(
        conditions.join(" "),
        "PodReadyToStartContainers=True Initialized=True Ready=True ContainersReady=True \
         PodScheduled=True"
    );
    let c = world.container("web");
    assert!(c.container_id.unwrap().starts_with("docker://"));
    assert!(c.image_id.starts_with("docker-pullable://box@sha256:"), "{}", c.image_id);
    let mut names: Vec<_> =
        world.engine.containers().iter().map(|c| c.name.borrow().clone()).collect();
    names.sort();
    let uid = pod.metadata.uid.clone().unwrap();
    assert_eq!(
        names,
        [format!("k8s_POD_web_default_{uid}_0"), format!("k8s_c_web_default_{uid}_0")]
    );
    let events = world.events("web");
    assert_eq!(events[0], "Pulling Pulling image \"box:1\"");
    assert!(events[1].starts_with("Pulled Successfully pulled image \"box:1\" in "));
    assert!(events[1].ends_with("Image size: 4000000 bytes."));
    assert_eq!(events[2..], ["Created Container created", "Started Container started"]);
    world.client.delete::<Pod>("default", "web", &DeleteOptions::default()).unwrap();
    world.run(3);
    assert!(world.client.find::<Pod>("default", "web").is_none());
    assert!(world.engine.containers().is_empty());
    assert!(world.events("web").contains(&"Killing Stopping container c".to_string()));
}

#[test]
fn what_ignores_sigterm_is_killed_after_its_grace() {
    let world = world();
    world.pod("deaf", &["sleep"], json!({}), json!({"terminationGracePeriodSeconds": 10}));
    world.run(6);
    world.client.delete::<Pod>("default", "deaf", &DeleteOptions::default()).unwrap();
    world.run(9);
    assert_eq!(world.say("deaf"), "Running true/0 running");
    world.run(3);
    assert!(world.client.find::<Pod>("default", "deaf").is_none());
}

#[test]
fn what_fails_is_restarted_with_growing_pauses() {
    let world = world();
    world.pod("crash", &["exit", "3", "why"], json!({}), json!({}));
    let (mut starts, mut seen) = (Vec::new(), std::collections::BTreeSet::new());
    for second in 0..400 {
        world.run(1);
        seen.insert(world.say("crash").split(' ').skip(2).collect::<Vec<_>>().join(" "));
        let count = world.container("crash").restart_count;
        if starts.last().is_none_or(|(n, _)| *n != count) {
            starts.push((count, second));
        }
    }
    let gaps: Vec<_> = starts.windows(2).skip(1).map(|w| w[1].1 - w[0].1).collect();
    assert_eq!(gaps.len(), 5, "{starts:?}");
    for (gap, want) in gaps.iter().zip([10, 20, 40, 80, 160]) {
        assert!((want..want + want / 5 + 6).contains(gap), "{gaps:?}");
    }
    let seen: Vec<_> = seen.into_iter().collect();
    assert_eq!(seen, ["ContainerCreating", "CrashLoopBackOff", "Error 3", "running"]);
    let last = world.container("crash").last_state.unwrap().terminated.unwrap();
    assert_eq!((last.exit_code, last.message.as_deref()), (3, Some("why")));
    let uid = world.get("crash").metadata.uid.clone().unwrap();
    let back =
        format!("BackOff Back-off restarting failed container c in pod crash_default({uid})");
    assert!(world.events("crash").contains(&back));
    let previous = LogOptions { previous: true, ..Default::default() };
    assert_eq!(world.logs("crash", previous).unwrap(), "log 3\n");
}

#[test]
fn jobs_complete_or_fail() {
    let world = world();
    world.pod("done", &["exit", "0"], json!({}), json!({"restartPolicy": "Never"}));
    world.pod("failed", &["exit", "4", "why"], json!({}), json!({"restartPolicy": "Never"}));
    world.run(10);
    assert_eq!(world.say("done"), "Succeeded false/0 Completed 0");
    assert_eq!(world.say("failed"), "Failed false/0 Error 4");
    let pod = world.get("done");
    let conditions: Vec<_> = pod
        .status
        .iter()
        .flat_map(|s| s.conditions.iter().flatten())
        .map(|c| format!("{}={} {}", c.type_, c.status, c.reason.clone().unwrap_or_default()))
        .collect();
    assert_eq!(
        conditions,
        [
            "PodReadyToStartContainers=False ",
            "Initialized=True PodCompleted",
            "Ready=False PodCompleted",
            "ContainersReady=False PodCompleted",
            "PodScheduled=True "
        ]
    );
    assert_eq!(world.logs("done", LogOptions::default()).unwrap(), "log 0\n");
}

#[test]
fn memory_over_the_limit_ends_in_oomkilled() {
    let world = world();
    let limits = json!({"resources": {"limits": {"memory": "64Mi"}}});
    world.pod("hog", &["hog"], limits, json!({"restartPolicy": "Never"}));
    world.run(6);
    assert_eq!(world.say("hog"), "Failed false/0 OOMKilled 137");
}

#[test]
fn init_containers_and_sidecars_run_in_order() {
    let world = world();
    let init = json!({"initContainers": [
        {"name": "first", "image": "box:1", "args": ["exit", "0"]},
        {"name": "side", "image": "box:1", "args": ["polite"], "restartPolicy": "Always"}
    ], "restartPolicy": "Never"});
    world.pod("app", &["exit", "0"], json!({}), init);
    world.run(2);
    let phase = |name: &str| world.get(name).status.clone().unwrap().phase.unwrap();
    assert_eq!(phase("app"), "Pending");
    assert_eq!(world.say("app"), "Pending false/0 PodInitializing");
    world.run(12);
    assert_eq!(world.say("app"), "Succeeded false/0 Completed 0");
    assert!(world.engine.containers().iter().all(|c| !c.is_running()));
}

#[test]
fn hooks_run_before_the_signal_and_within_the_grace() {
    let world = world();
    let hooks = json!({"lifecycle": {
        "postStart": {"exec": {"command": ["box", "cat", "/bin/box"]}},
        "preStop": {"sleep": {"seconds": 5}}
    }});
    world.pod("web", &["polite"], hooks, json!({}));
    let fails = json!({"lifecycle": {"postStart": {"exec": {"command": ["box", "cat", "/no"]}}}});
    world.pod("bad", &["polite"], fails, json!({}));
    world.run(8);
    assert_eq!(world.say("web"), "Running true/0 running");
    let events = world.events("bad");
    assert!(events.contains(&"FailedPostStartHook PostStartHook failed".to_string()), "{events:?}");
    world.client.delete::<Pod>("default", "web", &DeleteOptions::default()).unwrap();
    world.run(4);
    assert!(world.client.find::<Pod>("default", "web").is_some());
    world.run(4);
    assert!(world.client.find::<Pod>("default", "web").is_none());
}

#[test]
fn what_does_not_fit_is_rejected_and_deadlines_end_pods() {
    let world = world();
    let much = json!({"resources": {"requests": {"cpu": "64"}}});
    world.pod("big", &["sleep"], much, json!({}));
    world.pod("late", &["polite"], json!({}), json!({"activeDeadlineSeconds": 10}));
    world.run(8);
    let status = world.get("big").status.clone().unwrap();
    assert_eq!(
        (status.phase.as_deref(), status.reason.as_deref()),
        (Some("Failed"), Some("OutOfcpu"))
    );
    assert_eq!(world.get("late").status.clone().unwrap().phase.as_deref(), Some("Running"));
    world.run(8);
    let status = world.get("late").status.clone().unwrap();
    assert_eq!(status.reason.as_deref(), Some("DeadlineExceeded"));
    assert!(world.engine.containers().iter().all(|c| !c.is_running()));
}

#[test]
fn what_the_scheduler_would_not_have_put_here_is_rejected() {
    let world = world();
    let port = json!({"ports": [{"containerPort": 80, "hostPort": 8080}]});
    world.pod("first", &["polite"], port.clone(), json!({}));
    world.run(8);
    world.pod("second", &["polite"], port, json!({}));
    world.pod("picky", &["polite"], json!({}), json!({"nodeSelector": {"disk": "ssd"}}));
    let sysctls =
        |name: &str| json!({"securityContext": {"sysctls": [{"name": name, "value": "1"}]}});
    world.pod("tuner", &["polite"], json!({}), sysctls("kernel.msgmax"));
    world.pod("safe", &["polite"], json!({}), sysctls("net/ipv4/tcp_syncookies"));
    world.pod("other", &["polite"], json!({}), json!({"os": {"name": "windows"}}));
    world.run(8);
    let told = |name: &str| {
        let status = world.get(name).status.clone().unwrap();
        (
            status.phase.unwrap(),
            status.reason.unwrap_or_default(),
            status.message.unwrap_or_default(),
        )
    };
    assert_eq!(told("first").0, "Running");
    let failed = |reason: &str, message: &str| {
        ("Failed".to_string(), reason.to_string(), format!("Pod was rejected: {message}"))
    };
    assert_eq!(
        told("second"),
        failed(
            "NodePorts",
            "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"
        )
    );
    let why = "forbidden sysctl: \"kernel.msgmax\" not allowlisted";
    assert_eq!(told("tuner"), failed("SysctlForbidden", why));
    assert_eq!(told("safe").0, "Running");
    assert_eq!(told("other").1, "PodOSNotSupported");
    assert_eq!(
        told("picky"),
        failed(
            "NodeAffinity",
            "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"
        )
    );
}

#[test]
fn a_status_that_someone_overwrote_is_written_again_at_the_next_comparison() {
    let world = world();
    world.pod("web", &["polite"], json!({}), json!({}));
    world.run(8);
    let ready = |value: Option<&str>| {
        let mut pod = (*world.get("web")).clone();
        let status = pod.status.get_or_insert_default();
        let mut all = status.conditions.get_or_insert_default().iter_mut();
        let ready = all.find(|c| c.type_ == "Ready").unwrap();
        let was = ready.status.clone();
        if let Some(value) = value {
            ready.status = value.to_string();
            world.client.update_status(pod).unwrap();
        }
        was
    };
    assert_eq!(ready(Some("False")), "True");
    // The comparison is made every ten seconds.
    let back = (1..=11).find(|_| {
        world.run(1);
        ready(None) == "True"
    });
    assert!(back.is_some(), "{back:?}");
}
