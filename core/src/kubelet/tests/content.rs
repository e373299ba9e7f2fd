//! Images, probes, environment, files, logs and ports of pods.
use super::*;

#[test]
fn images_that_can_not_be_had_are_waited_for() {
    let world = world();
    world.pod("missing", &[], json!({"image": "box:9"}), json!({}));
    world.pod("bad", &[], json!({"image": "Bad_Image::1"}), json!({}));
    world.pod("never", &[], json!({"image": "no:1", "imagePullPolicy": "Never"}), json!({}));
    world.run(5);
    assert_eq!(world.say("missing"), "Pending false/0 ErrImagePull");
    assert_eq!(world.say("bad"), "Pending false/0 InvalidImageName");
    assert_eq!(world.say("never"), "Pending false/0 ErrImageNeverPull");
    let error = world.logs("missing", LogOptions::default()).unwrap_err();
    assert_eq!(
        error,
        "container \"c\" in pod \"missing\" is waiting to start: image can't be pulled"
    );
    world.run(9);
    world.run(6);
    let waiting = world.container("missing").state.unwrap().waiting.unwrap();
    assert!(matches!(waiting.reason.as_deref(), Some("ImagePullBackOff" | "ErrImagePull")));
    assert_eq!(
        world.events("never"),
        [
            "ErrImageNeverPull Container image \"no:1\" is not present with pull policy of Never",
            "Failed Error: ErrImageNeverPull"
        ]
    );
}

#[test]
fn probes_decide_readiness_and_restarts() {
    let world = world();
    let http = |path: &str| json!({"path": path, "port": 80});
    world.pod(
        "web",
        &["web"],
        json!({
            "readinessProbe": {"httpGet": http("/"), "periodSeconds": 1, "failureThreshold": 1},
            "livenessProbe": {"httpGet": http("/"), "periodSeconds": 2, "failureThreshold": 2},
            "startupProbe": {"exec": {"command": ["box", "cat", "/bin/box"]}, "periodSeconds": 1}
        }),
        json!({"terminationGracePeriodSeconds": 1}),
    );
    world.pod(
        "deaf",
        &["sleep"],
        json!({"readinessProbe": {"tcpSocket": {"port": 81}, "periodSeconds": 1}}),
        json!({}),
    );
    world.run(8);
    assert_eq!(world.say("web"), "Running true/0 running");
    assert_eq!(world.say("deaf"), "Running false/0 running");
    let ip = world.get("deaf").status.clone().unwrap().pod_ip.unwrap();
    let dial =
        format!("Unhealthy Readiness probe failed: dial tcp {ip}:81: connect: connection refused");
    assert!(world.events("deaf").contains(&dial), "{:?}", world.events("deaf"));
    let web = world.engine.containers().into_iter().find(|c| c.name.borrow().contains("_c_web_"));
    let files = web.unwrap().machine.clone();
    files.files().write("/tmp/sick", b"", 0o644, crate::machine::fs::Who::ROOT).unwrap();
    world.run(2);
    assert!(!world.container("web").ready);
    world.run(10);
    assert_eq!(world.say("web"), "Running true/1 running");
    let events = world.events("web");
    for event in [
        "Unhealthy Liveness probe failed: HTTP probe failed with statuscode: 500",
        "Unhealthy Readiness probe failed: HTTP probe failed with statuscode: 500",
        "Killing Container c failed liveness probe, will be restarted",
    ] {
        assert!(events.contains(&event.to_string()), "{events:?}");
    }
}

#[test]
fn environment_and_files_come_from_objects_and_follow_them() {
    let world = world();
    let map: ConfigMap = from_value(json!({
        "metadata": {"name": "conf", "namespace": "default"}, "data": {"COLOR": "blue"}
    }))
    .unwrap();
    let volume = json!({
        "volumes": [
            {"name": "v", "configMap": {"name": "conf"}},
            {"name": "d", "downwardAPI": {"items": [
                {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
            {"name": "e", "emptyDir": {}}
        ]
    });
    let container = json!({
        "env": [
            {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "conf", "key": "COLOR"}}},
            {"name": "ALL", "value": "$(C) of $(POD) on $(NODE)"},
            {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "NODE", "value": "x"}
        ],
        "volumeMounts": [{"name": "v", "mountPath": "/conf"}, {"name": "d", "mountPath": "/down"}]
    });
    world.pod("env", &["env", "ALL"], container, volume.clone());
    let missing = json!({"env": [
        {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "nope", "key": "COLOR"}}}]});
    world.pod("missing", &["sleep"], missing, json!({}));
    world.run(3);
    assert_eq!(world.say("missing"), "Pending false/0 CreateContainerConfigError");
    let why = world.container("missing").state.unwrap().waiting.unwrap().message.unwrap();
    assert_eq!(why, "configmap \"nope\" not found");
    assert_eq!(world.say("env"), "Pending false/0 ContainerCreating");
    let failed =
        "FailedMount MountVolume.SetUp failed for volume \"v\" : configmap \"conf\" not found";
    assert!(world.events("env").contains(&failed.to_string()));
    world.client.create(map).unwrap();
    world.run(12);
    assert_eq!(world.say("env"), "Running true/0 running");
    let log = world.logs("env", LogOptions::default()).unwrap();
    assert_eq!(log, "blue of $(POD) on $(NODE)\n");
    assert_eq!(world.exec("env", &["box", "cat", "/conf/COLOR"]), ("blue".into(), 0));
    assert_eq!(world.exec("env", &["box", "cat", "/down/labels"]), ("app=\"env\"".into(), 0));
    let hosts = world.exec("env", &["box", "cat", "/etc/hosts"]).0;
    assert!(hosts.starts_with("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n"));
    assert!(hosts.ends_with("\tenv\n"), "{hosts}");
    assert_eq!(
        world.exec("env", &["box", "cat", "/etc/resolv.conf"]).0,
        "nameserver 10.96.0.10\nsearch default.svc.cluster.local svc.cluster.local cluster.local\n\
         options ndots:5\n"
    );
    let mut map = (*world.client.get::<ConfigMap>("default", "conf").unwrap()).clone();
    map.data = Some([("COLOR".to_string(), "red".to_string())].into());
    world.client.update(map).unwrap();
    world.run(5);
    assert_eq!(world.exec("env", &["box", "cat", "/conf/COLOR"]).0, "blue");
    world.run(90);
    assert_eq!(world.exec("env", &["box", "cat", "/conf/COLOR"]).0, "red");
    let (text, code) = world.exec("env", &["nope"]);
    assert!(text.contains("exec: \"nope\": executable file not found in $PATH"), "{text}");
    assert_eq!(code, 127);
}

#[test]
fn logs_can_be_followed_and_ports_forwarded() {
    let world = world();
    world.pod("web", &["web"], json!({"ports": [{"containerPort": 80}]}), json!({}));
    world.pod("talk", &["exit", "0"], json!({}), json!({"restartPolicy": "Never"}));
    let follow = LogOptions { follow: true, ..Default::default() };
    world.run(1);
    assert_eq!(
        world.logs("web", LogOptions::default()).unwrap_err(),
        "container \"c\" in pod \"web\" is waiting to start: ContainerCreating"
    );
    world.run(6);
    let mut stream = world.client.logs("default", "talk", &follow).unwrap();
    world.run(1);
    assert_eq!(stream.try_recv().unwrap(), b"log 0\n");
    let ended = Rc::new(Cell::new(false));
    let into = ended.clone();
    world.sim.spawn(async move {
        assert!(stream.recv().await.is_none());
        into.set(true);
    });
    world.run(1);
    assert!(ended.get(), "a log ends with its container");
    let refused = world.client.port_forward("default", "web", 81).err().unwrap().message;
    assert!(refused.contains("dial tcp4 127.0.0.1:81: connect: connection refused"), "{refused}");
    let mut ports = world.client.port_forward("default", "web", 80).unwrap();
    ports.to.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_vec());
    world.run(1);
    let mut answer = Vec::new();
    while let Some(bytes) = ports.from.try_recv() {
        answer.extend(bytes);
    }
    assert!(String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 200 OK"));
    let wrong = LogOptions { container: Some("x".into()), ..Default::default() };
    assert_eq!(world.logs("web", wrong).unwrap_err(), "container x is not valid for pod web");
}
