//! A kubelet against an API server, with containers that really run, in virtual time.
use std::{collections::BTreeMap, rc::Rc, time::Duration};

use k8s_openapi::api::core::v1::{
    ConfigMap, ContainerStatus, Event, Namespace, Node, Pod, ServiceAccount,
};
use serde_json::{Value, json};

mod content;
mod life;
mod node;

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
    /// The kubelet's own door, through which it may not do all that the tests do.
    own: Client,
    machine: Rc<Machine>,
    engine: Engine,
    hub: Rc<Hub>,
    kubelet: Option<Kubelet>,
}

fn world() -> World {
    let sim = Sim::new(7, Time::from_secs(1_700_000_000));
    let api = ApiServer::new(&sim);
    let client = Client::system(&api, "test");
    let own = Client::system(&api, "node:node-1");
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
    let hub = Hub::new(&own);
    let mut world = World { sim, client, own, machine, engine, hub, kubelet: None };
    world.start_kubelet(Vec::new());
    world
}

impl World {
    fn start_kubelet(&mut self, static_pods: Vec<Pod>) {
        self.kubelet = Some(Kubelet::start(KubeletConfig {
            client: self.own.clone(),
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
