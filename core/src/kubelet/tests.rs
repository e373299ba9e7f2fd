//! A kubelet against an API server, with containers that really run, in virtual time.
use std::{collections::BTreeMap, rc::Rc, time::Duration};

use k8s_openapi::api::core::v1::{
    ConfigMap, ContainerStatus, Event, Namespace, Node, Pod, ServiceAccount,
};
use serde_json::{Value, json};

use super::*;
use crate::{
    api::object::from_value,
    apiserver::ApiServer,
    client::{DeleteOptions, EventType, ExecOptions, LogOptions},
    fabric::{
        Fabric,
        http::{HttpResponse, Reply, serve},
    },
    machine::{MachineSpec, MemoryTotal, Proc, Program, Signal, fs::Fs},
    runtime::{EngineConfig, EngineKind, ImageDef, LayerDef, Registries},
    sim::{Either, Time, race},
};

/// `box sleep|polite|exit CODE [MESSAGE]|web|hog|cat FILE|env NAME`
async fn main(proc: Proc) -> i32 {
    let args = proc.args().to_vec();
    let word = |n: usize| args.get(n).cloned().unwrap_or_default();
    match word(1).as_str() {
        "exit" => {
            proc.print(&format!("log {}\n", word(2))).await;
            if args.len() > 3 {
                let _ = proc.write_file("/dev/termination-log", word(3).as_bytes());
            }
            proc.sleep(Duration::from_secs(1)).await;
            word(2).parse().unwrap_or(1)
        }
        "polite" => match race(proc.signal(), proc.sleep(Duration::from_secs(1_000_000))).await {
            Either::Left(Signal::Term) => 0,
            _ => 1,
        },
        "web" => web(proc).await,
        "hog" => {
            proc.process().set_memory(200 << 20);
            proc.sleep(Duration::from_secs(1_000_000)).await;
            0
        }
        "cat" => match proc.read_text(&word(2)) {
            Ok(text) => {
                proc.print(&text).await;
                0
            }
            Err(error) => {
                proc.eprint(&format!("cat: can't open '{}': {error}\n", word(2))).await;
                1
            }
        },
        "env" => {
            proc.print(&format!("{}\n", proc.env(&word(2)).unwrap_or_default())).await;
            proc.sleep(Duration::from_secs(1_000_000)).await;
            0
        }
        _ => {
            proc.sleep(Duration::from_secs(1_000_000)).await;
            0
        }
    }
}

/// Answers 200 on port 80 unless there is a file `/tmp/sick`.
async fn web(proc: Proc) -> i32 {
    let endpoint = proc.machine().get::<Endpoint>().unwrap();
    let listener = endpoint.listen(80).unwrap();
    let (spawner, files) = (proc.clone(), proc.machine().clone());
    let _server = serve(
        listener,
        Rc::new(move |task| spawner.spawn_task(task)),
        Rc::new(move |_, _| {
            let sick = files.files().stat("/tmp/sick", crate::machine::fs::Who::ROOT).is_ok();
            Reply::now(HttpResponse::new(if sick { 500 } else { 200 }, "text/plain", "ok"))
        }),
    );
    match race(proc.signal(), std::future::pending::<()>()).await {
        Either::Left(_) => 0,
        Either::Right(()) => 1,
    }
}

static BOX: Program =
    Program { name: "box", summary: "", run: |p| Box::pin(main(p)), complete: None };
static PAUSE: Program = Program {
    name: "pause",
    summary: "",
    run: |_| Box::pin(async { std::future::pending().await }),
    complete: None,
};

static IMAGE: ImageDef = ImageDef {
    repository: "box",
    tags: &["1", "2"],
    layers: &[LayerDef {
        id: "box",
        arg: "",
        size: 4_000_000,
        created_by: "COPY",
        build: |cx| cx.program("/bin/box", "box"),
    }],
    entrypoint: &["box"],
    cmd: &["sleep"],
    ..ImageDef::EMPTY
};

struct World {
    sim: Sim,
    client: Client,
    machine: Rc<Machine>,
    engine: Engine,
    hub: Rc<Hub>,
    kubelet: Option<Kubelet>,
}

fn world() -> World {
    let sim = Sim::new(7, Time::from_secs(1_700_000_000));
    let api = ApiServer::new(&sim);
    let client = Client::system(&api, "node:node-1");
    for name in ["default", "kube-system", "kube-node-lease"] {
        let ns: Namespace = from_value(json!({"metadata": {"name": name}})).unwrap();
        client.create(ns).unwrap();
        let meta = |n: &str| json!({"metadata": {"name": n, "namespace": name}});
        client.create(from_value::<ServiceAccount>(meta("default")).unwrap()).unwrap();
        let mut ca = meta("kube-root-ca.crt");
        ca["data"] = json!({"ca.crt": "-----BEGIN CERTIFICATE-----"});
        client.create(from_value::<ConfigMap>(ca).unwrap()).unwrap();
    }
    let fabric = Fabric::new(&sim);
    let machine = Machine::new(
        &sim,
        MachineSpec {
            hostname: "node-1".into(),
            fs: Fs::new(sim.now()),
            env: BTreeMap::new(),
            programs: |_| None,
        },
    );
    let endpoint = fabric.host("node-1");
    let wire = fabric.network("192.168.49.0/24".parse().unwrap());
    endpoint.site().join(&wire, "192.168.49.2".parse().unwrap(), true);
    machine.set(Rc::new(endpoint));
    machine.set(Rc::new(MemoryTotal(8 << 30)));
    let engine = Engine::start(EngineConfig {
        kind: EngineKind::Docker,
        machine: machine.clone(),
        fabric,
        registries: Registries::new(&[&IMAGE]),
        programs: |name| [&BOX, &PAUSE].into_iter().find(|p| p.name == name),
    });
    let hub = Hub::new(&client);
    let mut world = World { sim, client, machine, engine, hub, kubelet: None };
    world.start_kubelet(Vec::new());
    world
}

impl World {
    fn start_kubelet(&mut self, static_pods: Vec<Pod>) {
        self.kubelet = Some(Kubelet::start(KubeletConfig {
            client: self.client.clone(),
            hub: self.hub.clone(),
            node_name: "node-1".into(),
            machine: self.machine.clone(),
            engine: self.engine.clone(),
            pod_cidr: Some("10.244.0.0/24".parse().unwrap()),
            capacity: Capacity::default(),
            labels: BTreeMap::new(),
            taints: Vec::new(),
            static_pods,
            cluster_dns: Some("10.96.0.10".parse().unwrap()),
            cluster_domain: "cluster.local".into(),
            os_image: "Test".into(),
            version: "v1.36.2".into(),
        }));
    }

    fn run(&self, secs: u64) {
        assert!(self.sim.advance(self.sim.now() + Duration::from_secs(secs), 10_000_000).reached);
    }

    /// Creates a pod with one container `c`; `spec` is merged into the pod's, `container` into its.
    fn pod(&self, name: &str, args: &[&str], container: Value, spec: Value) {
        let mut c = json!({"name": "c", "image": "box:1", "args": args});
        merge(&mut c, container);
        let mut s = json!({"nodeName": "node-1", "containers": [c]});
        merge(&mut s, spec);
        let pod: Pod = from_value(json!({
            "metadata": {"name": name, "namespace": "default", "labels": {"app": name}}, "spec": s
        }))
        .unwrap();
        self.client.create(pod).unwrap();
    }

    fn get(&self, name: &str) -> Rc<Pod> {
        self.client.get::<Pod>("default", name).unwrap()
    }

    fn container(&self, name: &str) -> ContainerStatus {
        let pod = self.get(name);
        let status = pod.status.as_ref().unwrap();
        status.container_statuses.as_ref().unwrap()[0].clone()
    }

    /// `phase ready/restarts state`
    fn say(&self, name: &str) -> String {
        let phase =
            self.get(name).status.as_ref().and_then(|s| s.phase.clone()).unwrap_or_default();
        let c = self.container(name);
        let state = c.state.unwrap_or_default();
        let state = match (state.running, state.terminated, state.waiting) {
            (Some(_), ..) => "running".to_string(),
            (_, Some(t), _) => format!("{} {}", t.reason.unwrap_or_default(), t.exit_code),
            (.., Some(w)) => w.reason.unwrap_or_default(),
            _ => "nothing".into(),
        };
        format!("{phase} {}/{} {state}", c.ready, c.restart_count)
    }

    fn events(&self, name: &str) -> Vec<String> {
        let mut all: Vec<_> = self
            .client
            .list::<Event>(None)
            .into_iter()
            .filter(|e| e.involved_object.name.as_deref() == Some(name))
            .collect();
        all.sort_by_key(|e| (e.first_timestamp.clone().map(|t| t.0), e.metadata.name.clone()));
        all.iter()
            .map(|e| {
                let text = |t: &Option<String>| t.clone().unwrap_or_default();
                format!("{} {}", text(&e.reason), text(&e.message))
            })
            .collect()
    }

    fn logs(&self, name: &str, options: LogOptions) -> Result<String, String> {
        let mut stream = self.client.logs("default", name, &options).map_err(|e| e.message)?;
        let mut out = Vec::new();
        while let Some(bytes) = stream.try_recv() {
            out.extend(bytes);
        }
        Ok(String::from_utf8(out).unwrap())
    }

    fn exec(&self, name: &str, command: &[&str]) -> (String, i32) {
        let command = command.iter().map(ToString::to_string).collect();
        let options = ExecOptions { command, ..Default::default() };
        let mut streams = self.client.exec("default", name, &options).unwrap();
        self.run(1);
        let mut out = Vec::new();
        while let Some((_, bytes)) = streams.output.try_recv() {
            out.extend(bytes);
        }
        (String::from_utf8(out).unwrap(), streams.exit.try_recv().unwrap_or(-1))
    }
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

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
fn a_removed_container_is_replaced_and_a_lost_sandbox_too() {
    let world = world();
    world.pod("web", &["polite"], json!({}), json!({}));
    world.run(6);
    let find = |part: &str| {
        world.engine.containers().into_iter().find(|c| c.name.borrow().contains(part)).unwrap()
    };
    world.engine.remove(&find("k8s_c_"), true).unwrap();
    world.run(5);
    assert_eq!(world.say("web"), "Running true/1 running");
    world.engine.remove(&find("k8s_POD_"), true).unwrap();
    world.run(6);
    assert_eq!(world.say("web"), "Running true/2 running");
    assert_eq!(world.get("web").status.clone().unwrap().pod_ip.as_deref(), Some("10.244.0.3"));
}

#[test]
fn a_killed_kubelet_leaves_containers_and_the_next_one_takes_them_over() {
    let mut world = world();
    world.pod("web", &["polite"], json!({}), json!({}));
    world.run(6);
    let before = world.container("web").container_id;
    world.kubelet = None;
    world.run(100);
    assert_eq!(world.say("web"), "Running true/0 running");
    assert!(world.logs("web", LogOptions::default()).is_err());
    world.start_kubelet(Vec::new());
    world.run(10);
    assert_eq!(world.container("web").container_id, before);
    world.client.delete::<Pod>("default", "web", &DeleteOptions::default()).unwrap();
    world.run(5);
    assert!(world.client.find::<Pod>("default", "web").is_none());
    assert!(world.engine.containers().is_empty());
}

#[test]
fn a_machine_that_was_off_makes_new_sandboxes() {
    let mut world = world();
    world.pod("web", &["polite"], json!({}), json!({}));
    world.run(6);
    world.kubelet = None;
    world.engine.halt();
    world.run(30);
    world.engine.resume();
    world.start_kubelet(Vec::new());
    world.run(8);
    assert_eq!(world.say("web"), "Running true/1 running");
    let changed = "SandboxChanged Pod sandbox changed, it will be killed and re-created.";
    assert!(world.events("web").contains(&changed.to_string()), "{:?}", world.events("web"));
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
fn static_pods_run_and_have_mirrors() {
    let mut world = world();
    world.kubelet = None;
    let pod: Pod = from_value(json!({
        "metadata": {"name": "etcd", "namespace": "kube-system"},
        "spec": {"hostNetwork": true, "containers": [{"name": "etcd", "image": "box:1"}]}
    }))
    .unwrap();
    world.start_kubelet(vec![pod]);
    world.run(6);
    let mirror = world.client.get::<Pod>("kube-system", "etcd-node-1").unwrap();
    let status = mirror.status.as_ref().unwrap();
    assert_eq!(status.phase.as_deref(), Some("Running"));
    assert_eq!(status.pod_ip.as_deref(), Some("192.168.49.2"));
    assert!(
        mirror.metadata.annotations.as_ref().unwrap().contains_key("kubernetes.io/config.mirror")
    );
    world.client.delete::<Pod>("kube-system", "etcd-node-1", &DeleteOptions::default()).unwrap();
    world.run(6);
    let again = world.client.get::<Pod>("kube-system", "etcd-node-1").unwrap();
    assert_ne!(again.metadata.uid, mirror.metadata.uid);
    assert_eq!(world.engine.containers().len(), 2, "the containers did not care");
}

#[test]
fn the_node_registers_and_keeps_its_lease() {
    let world = world();
    world.run(5);
    let node = world.client.get::<Node>("", "node-1").unwrap();
    let status = node.status.as_ref().unwrap();
    let ready = status.conditions.iter().flatten().find(|c| c.type_ == "Ready").unwrap();
    assert_eq!(ready.status, "True");
    let info = status.node_info.as_ref().unwrap();
    assert_eq!(info.container_runtime_version, "docker://28.5.1");
    let lease = || {
        let lease = world
            .client
            .get::<k8s_openapi::api::coordination::v1::Lease>("kube-node-lease", "node-1")
            .unwrap();
        lease.spec.as_ref().unwrap().renew_time.clone().unwrap().0
    };
    let before = lease();
    world.run(11);
    assert!(lease() > before);
    assert!(
        world.events("node-1").contains(&"NodeReady Node node-1 status is now: NodeReady".into())
    );
    let _ = EventType::Normal;
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

/// What a pod costs: writes to the API server and steps of the event loop, and that cost per pod does
/// not grow with their number.
#[test]
fn many_pods_on_many_nodes_cost_little_each() {
    let cost = |nodes: usize, pods: usize| {
        let world = world();
        let mut kubelets = Vec::new();
        let fabric = Fabric::new(&world.sim);
        let wire = fabric.network("192.168.0.0/16".parse().unwrap());
        for n in 0..nodes {
            let name = format!("n{n}");
            let machine = Machine::new(
                &world.sim,
                MachineSpec {
                    hostname: name.clone(),
                    fs: Fs::new(world.sim.now()),
                    env: BTreeMap::new(),
                    programs: |_| None,
                },
            );
            let endpoint = fabric.host(&name);
            let address = format!("192.168.1.{}", n + 2).parse().unwrap();
            endpoint.site().join(&wire, address, true);
            machine.set(Rc::new(endpoint));
            let engine = Engine::start(EngineConfig {
                kind: EngineKind::Docker,
                machine: machine.clone(),
                fabric: fabric.clone(),
                registries: Registries::new(&[&IMAGE]),
                programs: |name| [&BOX, &PAUSE].into_iter().find(|p| p.name == name),
            });
            engine.images().preload("box:1");
            kubelets.push(Kubelet::start(KubeletConfig {
                client: world.client.clone(),
                hub: world.hub.clone(),
                node_name: name,
                machine,
                engine,
                pod_cidr: Some(format!("10.{}.0.0/16", n + 1).parse().unwrap()),
                capacity: Capacity { cpus: 64, memory: 256 << 30, storage: 1 << 40, pods: 2_000 },
                labels: BTreeMap::new(),
                taints: Vec::new(),
                static_pods: Vec::new(),
                cluster_dns: None,
                cluster_domain: "cluster.local".into(),
                os_image: "Test".into(),
                version: "v1.36.2".into(),
            }));
        }
        world.run(5);
        let (writes, steps) = (world.client.revision(), world.sim.steps());
        for p in 0..pods {
            let node = json!({"nodeName": format!("n{}", p % nodes)});
            world.pod(&format!("p{p}"), &["sleep"], json!({}), node);
        }
        world.run(5);
        for p in 0..pods {
            assert_eq!(world.say(&format!("p{p}")), "Running true/0 running");
        }
        let writes = (world.client.revision() - writes) as f64 / pods as f64;
        let steps = (world.sim.steps() - steps) as f64 / pods as f64;
        (writes, steps)
    };
    let (writes, steps) = cost(10, 100);
    assert!(writes < 7.0, "{writes} writes"); // creation, two statuses, three events
    assert!(steps < 40.0, "{steps} steps");
    let (more_writes, more_steps) = cost(10, 1_000);
    assert!(more_writes <= writes && more_steps <= steps + 1.0, "{more_writes} {more_steps}");
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
