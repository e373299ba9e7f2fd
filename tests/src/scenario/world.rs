//! A cluster for scenarios: API server, controllers, scheduler, three nodes, and a host with a shell
//! and kubectl. Kubelets are stand-ins that run pods at once, as on the cluster that was recorded.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    time::Duration,
};

use sandbar_core::{
    api::{Object, Typed, object::from_value},
    apiserver::ApiServer,
    client::{
        Client, DeleteOptions, EventType, Op, Recorder, Subscription, User, directory::Directory,
    },
    clusters::{MINIKUBE, bootstrap},
    controllers::Manager,
    machine::{Command, Fd, Machine, MachineSpec, fs::Fs},
    programs,
    scheduler::Scheduler,
    session::Session,
    sim::{Sim, Time},
};
use serde_json::{Value, json};

use k8s_openapi::api::{
    coordination::v1::Lease,
    core::v1::{Endpoints, Namespace, Node, Pod, Service, ServiceAccount},
    discovery::v1::EndpointSlice,
};

/// Where the API server answers.
const ADDRESS: &str = "192.168.49.2:8443";

/// When worlds begin, unless something else is said.
const START: u64 = 1_795_000_000;

/// How long a command of the recordings took, about.
const COMMAND: Duration = Duration::from_millis(300);

/// Everything that a scenario is played in.
pub struct World {
    engine: Engine,
    host: Rc<Machine>,
    /// The API server of a world of parts.
    parts: Option<Client>,
}

/// What moves the clock.
enum Engine {
    /// Three nodes whose kubelets are stand-ins.
    Parts(
        Sim,
        #[allow(dead_code, reason = "what runs ends when its handle is dropped")]
        Box<dyn std::any::Any>,
    ),
    /// A whole sandbox with minikube.
    Whole(Box<Session>),
}

/// What a command answered.
pub struct Answer {
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
    /// The exit code.
    pub code: i32,
}

impl World {
    /// A fresh cluster, settled.
    pub fn new() -> World {
        World::begun(Time::from_secs(START))
    }

    /// A fresh cluster, settled, which began at this time.
    pub fn begun(start: Time) -> World {
        let sim = Sim::new(7, start);
        let api = ApiServer::new(&sim);
        let client = Client::system(&api, "kube-controller-manager");
        let stand_ins = vec![accounts(&client), kubelets(&Client::system(&api, "kubelet"))];
        for name in ["default", "kube-node-lease", "kube-public", "kube-system"] {
            make::<Namespace>(&client, json!({"metadata": {"name": name}}));
        }
        for number in 1..=3 {
            let name = format!("node-{number}");
            node(&client, &name);
            sim.spawn(heartbeat(client.clone(), name));
        }
        service(&client);
        let manager = Manager::start(&client);
        let scheduler = Scheduler::start(&Client::system(&api, "kube-scheduler"));
        let directory = Directory::new();
        bootstrap(&Client::system(&api, "apiserver"), &MINIKUBE).expect("the default objects");
        api.add_static_token("secret", admin());
        directory.serve(ADDRESS, &api, admin());
        let host = host(&sim);
        host.set(directory);
        let kept = Box::new((manager, scheduler, stand_ins));
        let mut world = World { engine: Engine::Parts(sim, kept), host, parts: Some(client) };
        world.pass(Duration::from_secs(120));
        // The recordings began in a namespace that was emptied.
        world.run("kubectl delete events --all");
        world
    }

    /// A sandbox in which `minikube start` was typed: real kubelet, containers, network.
    pub fn whole() -> World {
        World::whole_begun(Time::from_secs(START))
    }

    /// A sandbox in which nothing was typed yet.
    pub fn bare() -> World {
        World::host_alone(Time::from_secs(START))
    }

    fn host_alone(start: Time) -> World {
        let session = Session::new(7, start);
        let host = session.host().clone();
        let mut world = World { engine: Engine::Whole(Box::new(session)), host, parts: None };
        world.pass(Duration::from_secs(2));
        let fs = world.host.files().root();
        fs.make_dirs("/play", world.now()).expect("a folder");
        world
    }

    /// The same, begun at this time.
    pub fn whole_begun(start: Time) -> World {
        let mut world = World::host_alone(start);
        let start = world.run("minikube start");
        assert!(start.as_ref().is_some_and(|a| a.code == 0), "{:?}", start.map(|a| a.out + &a.err));
        world.pass(Duration::from_secs(60));
        // Some scenarios choose their node by its label.
        world.run("kubectl label node minikube kubernetes.io/hostname=node-1 --overwrite");
        // The recordings' node had its images already.
        for image in ["busybox:1.36", "web-example:1.25", "web-example:1.26"] {
            let pulled = world.run(&format!("minikube ssh -- docker pull {image}"));
            assert!(pulled.as_ref().is_some_and(|a| a.code == 0), "{}", pulled.unwrap().out);
        }
        world
    }

    /// A client of its API server, if that answers.
    pub fn client(&self) -> Option<Client> {
        match &self.engine {
            Engine::Parts(..) => self.parts.clone(),
            Engine::Whole(session) => Some(session.cluster()?.viewer()),
        }
    }

    /// The host on which commands are run.
    pub fn host(&self) -> &Rc<Machine> {
        &self.host
    }

    /// The API answers at this address too, to who shows this token, and the host's kubeconfig is
    /// this one.
    pub fn reach_at(&self, address: &str, token: &str, kubeconfig: &str) {
        if let (Some(directory), Some(client)) = (self.host.get::<Directory>(), self.client()) {
            directory.serve_as(address, &client, admin(), token);
        }
        let files = self.host.files();
        let root = sandbar_core::machine::fs::Who::ROOT;
        files
            .write("/root/.kube/config", kubeconfig.as_bytes(), 0o644, root)
            .expect("a kubeconfig");
    }

    /// The simulated time.
    pub fn now(&self) -> Time {
        match &self.engine {
            Engine::Parts(sim, _) => sim.now(),
            Engine::Whole(session) => session.now(),
        }
    }

    /// Lets time pass until `until`, for a bounded number of steps; whether it got there.
    pub fn advance(&mut self, until: Time) -> bool {
        match &mut self.engine {
            Engine::Parts(sim, _) => sim.advance(until, 100_000).reached,
            Engine::Whole(session) => {
                let reached = session.advance(until, 100_000).reached;
                session.take_outputs();
                reached
            }
        }
    }

    /// When something happens next.
    pub fn next_due(&self) -> Option<Time> {
        match &self.engine {
            Engine::Parts(sim, _) => sim.next_due(),
            Engine::Whole(session) => session.next_due(),
        }
    }

    /// Lets simulated time pass.
    pub fn pass(&mut self, time: Duration) {
        let until = self.now() + time;
        while !self.advance(until) {}
    }

    /// Runs a command line as `bash -c` does, in the scenario's folder; `None` if it does not end
    /// within three minutes.
    pub fn run(&mut self, line: &str) -> Option<Answer> {
        let (out, out_text) = Fd::capture();
        let (err, err_text) = Fd::capture();
        let mut command = Command::new(["bash", "-c", line]).stdout(out).stderr(err).cwd("/play");
        command.stdin = Some(Fd::Null);
        command.env = Some(Rc::new(environment()));
        let child = self.host.spawn(command).ok()?;
        let end = self.now() + Duration::from_secs(180);
        while child.status().is_none() && self.now() < end {
            let step = self.next_due().unwrap_or(end).min(end);
            self.advance(step);
        }
        let code = child.status()?.code();
        self.pass(COMMAND);
        if let Engine::Whole(session) = &self.engine {
            let broken = crate::driver::broken(session);
            assert!(broken.is_empty(), "after `{line}`: {}", broken.join("\n"));
        }
        let text =
            |bytes: &Rc<RefCell<Vec<u8>>>| String::from_utf8_lossy(&bytes.borrow()).into_owned();
        Some(Answer { out: text(&out_text), err: text(&err_text), code })
    }

    /// Writes a file of the scenario.
    pub fn file(&self, name: &str, text: &str) {
        let path = format!("/play/{name}");
        if let Some((folder, _)) = path.rsplit_once('/') {
            let fs = self.host.files().root();
            let _ = fs.make_dirs(folder, self.now());
        }
        let root = sandbar_core::machine::fs::Who::ROOT;
        self.host.files().write(&path, text.as_bytes(), 0o644, root).expect("a file is written");
    }
}

impl Default for World {
    fn default() -> Self {
        World::new()
    }
}

fn admin() -> User {
    User::new("minikube-user", ["system:masters"])
}

fn make<T: Typed>(client: &Client, value: Value) {
    client.create(from_value::<T>(value).expect("an object")).expect("created");
}

fn host(sim: &Sim) -> Rc<Machine> {
    let fs = Fs::new(sim.now());
    let now = sim.now();
    for folder in ["/usr/bin", "/play", "/root/.kube"] {
        fs.make_dirs(folder, now).expect("a folder");
    }
    fs.link("/bin", "usr/bin", now).expect("a link");
    fs.add_basics(now);
    for program in programs::PROGRAMS {
        fs.install(&format!("/usr/bin/{}", program.name), program.name, now).expect("installed");
    }
    let _ = fs.link("/usr/bin/sh", "dash", now);
    let config = format!(
        "apiVersion: v1\nclusters:\n- cluster:\n    server: https://{ADDRESS}\n  name: minikube\n\
         contexts:\n- context:\n    cluster: minikube\n    user: minikube\n  name: minikube\n\
         current-context: minikube\nkind: Config\nusers:\n- name: minikube\n  user:\n    \
         token: secret\n"
    );
    fs.write("/root/.kube/config", config, now).expect("a kubeconfig");
    let env = environment();
    let spec = MachineSpec { hostname: "host".into(), fs, env, programs: programs::find };
    let machine = Machine::new(sim, spec);
    // The first process of a machine must not end.
    let _ = machine.spawn(Command::new(["sleep", "1000000000"]));
    machine
}

fn environment() -> BTreeMap<String, String> {
    let path = "/usr/local/bin:/usr/bin:/usr/sbin";
    [("HOME", "/root"), ("PATH", path), ("TZ", "UTC"), ("TMPDIR", ".")]
        .into_iter()
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect()
}

fn node(client: &Client, name: &str) {
    let room = json!({"cpu": "8", "memory": "16Gi", "pods": "110", "ephemeral-storage": "100Gi"});
    let now = client.sim().now().to_timestamp().to_string();
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({"type": kind, "status": status, "reason": reason, "message": message,
            "lastHeartbeatTime": now, "lastTransitionTime": now})
    };
    let number = name.trim_start_matches("node-");
    make::<Node>(
        client,
        json!({
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}},
            "status": {
                "allocatable": room, "capacity": room,
                "addresses": [{"type": "InternalIP", "address": format!("192.0.2.{number}")},
                    {"type": "Hostname", "address": name}],
                "conditions": [
                    condition("MemoryPressure", "False", "KubeletHasSufficientMemory",
                        "kubelet has sufficient memory available"),
                    condition("DiskPressure", "False", "KubeletHasNoDiskPressure",
                        "kubelet has no disk pressure"),
                    condition("PIDPressure", "False", "KubeletHasSufficientPID",
                        "kubelet has sufficient PID available"),
                    condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
                ],
                "nodeInfo": {"kubeletVersion": "v1.36.2", "architecture": "amd64",
                    "operatingSystem": "linux", "osImage": "Linux", "kernelVersion": "6.1",
                    "machineID": "m", "systemUUID": "s", "bootID": "b", "kubeProxyVersion": "",
                    "containerRuntimeVersion": "containerd://2.1.0"},
            },
        }),
    );
}

/// A node's lease, renewed as kubelets do.
async fn heartbeat(client: Client, node: String) {
    loop {
        let now = client.sim().now().to_micro();
        let mut lease = client.find::<Lease>("kube-node-lease", &node).map_or_else(
            || {
                from_value(json!({"metadata": {"name": node, "namespace": "kube-node-lease"},
                "spec": {"holderIdentity": node, "leaseDurationSeconds": 40}}))
                .expect("a lease")
            },
            |lease: Rc<Lease>| (*lease).clone(),
        );
        lease.spec.get_or_insert_default().renew_time = Some(now);
        let _ = match lease.metadata.resource_version {
            Some(_) => client.update(lease),
            None => client.create(lease),
        };
        client.sim().sleep(Duration::from_secs(10)).await;
    }
}

fn service(client: &Client) {
    let _ = client.create(
        from_value::<Service>(json!({
            "metadata": {"name": "kubernetes", "namespace": "default",
                "labels": {"component": "apiserver", "provider": "kubernetes"}},
            "spec": {"clusterIP": "10.96.0.1", "ports": [{"name": "https", "port": 443,
                "protocol": "TCP", "targetPort": 6443}]},
        }))
        .expect("a service"),
    );
    let _ = client.create(
        from_value::<Endpoints>(json!({
            "metadata": {"name": "kubernetes", "namespace": "default",
                "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
            "subsets": [{"addresses": [{"ip": "192.168.49.2"}],
                "ports": [{"name": "https", "port": 6443, "protocol": "TCP"}]}],
        }))
        .expect("endpoints"),
    );
    let _ = client.create(
        from_value::<EndpointSlice>(json!({
            "metadata": {"name": "kubernetes", "namespace": "default",
                "labels": {"kubernetes.io/service-name": "kubernetes"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["192.168.49.2"], "conditions": {"ready": true}}],
            "ports": [{"name": "https", "port": 6443, "protocol": "TCP"}],
        }))
        .expect("a slice"),
    );
}

/// Stands in for the service account controller: every namespace has an account `default` and the
/// config map of the cluster's certificate.
fn accounts(client: &Client) -> Subscription {
    let own = client.clone();
    client.on_change(&[Namespace::ID], move |change| {
        if change.op != Op::Added {
            return;
        }
        let name = change.object.name().to_owned();
        let account = json!({"metadata": {"name": "default", "namespace": name}});
        let _ = own.create(from_value::<ServiceAccount>(account).expect("an account"));
        let map = json!({"metadata": {"name": "kube-root-ca.crt", "namespace": name},
            "data": {"ca.crt": "-----BEGIN CERTIFICATE-----\n"}});
        let map = from_value::<k8s_openapi::api::core::v1::ConfigMap>(map).expect("a config map");
        let _ = own.create(map);
    })
}

/// Stands in for kubelets over a runtime in which everything works at once.
fn kubelets(client: &Client) -> Subscription {
    let own = client.clone();
    client.on_change(&[Pod::ID], move |change| {
        let (ns, name) = (change.object.namespace().to_owned(), change.object.name().to_owned());
        let Some(pod) = change.object.downcast::<Pod>() else { return };
        if change.op == Op::Deleted {
            return;
        }
        let client = own.clone();
        if pod.metadata.deletion_timestamp.is_some() {
            let recorder = Recorder::new(&client, "kubelet", "node");
            for container in pod.spec.iter().flat_map(|s| &s.containers) {
                let place = format!("spec.containers{{{}}}", container.name);
                let text = format!("Stopping container {}", container.name);
                recorder.event_at(pod, &place, EventType::Normal, "Killing", &text);
            }
            own.sim().after(Duration::from_millis(700), move || {
                let now = DeleteOptions { grace_seconds: Some(0), ..Default::default() };
                let _ = client.delete::<Pod>(&ns, &name, &now);
            });
            return;
        }
        let assigned = pod.spec.as_ref().is_some_and(|s| s.node_name.is_some());
        let status = pod.status.clone().unwrap_or_default();
        let running = status.phase.as_deref() == Some("Running");
        let images: Vec<Option<String>> =
            pod.spec.iter().flat_map(|s| &s.containers).map(|c| c.image.clone()).collect();
        let shown: Vec<Option<String>> =
            status.container_statuses.iter().flatten().map(|c| Some(c.image.clone())).collect();
        if assigned && (!running || images != shown) {
            own.sim().after(Duration::from_millis(80), move || run(&client, &ns, &name));
        }
    })
}

/// Events as the kubelet tells them of a pod that starts without trouble.
fn tell(client: &Client, pod: &Pod) {
    let recorder = Recorder::new(client, "kubelet", "node");
    for container in pod.spec.iter().flat_map(|s| &s.containers) {
        let (place, image) = (
            format!("spec.containers{{{}}}", container.name),
            container.image.clone().unwrap_or_default(),
        );
        // One after the other, as they come in reality: their names keep that order.
        let later = Cell::new(0);
        let say = |reason: &'static str, text: &str| {
            later.set(later.get() + 1);
            let (recorder, pod, place) = (recorder.clone(), pod.clone(), place.clone());
            let text = text.to_owned();
            client.sim().after(Duration::from_millis(later.get()), move || {
                recorder.event_at(&pod, &place, EventType::Normal, reason, &text);
            });
        };
        if container.image_pull_policy.as_deref() == Some("Always") {
            say("Pulling", &format!("Pulling image \"{image}\""));
            say(
                "Pulled",
                &format!(
                    "Successfully pulled image \"{image}\" in 2ms (2ms including waiting). Image \
                     size: 0 bytes."
                ),
            );
        } else {
            let text = "already present on machine and can be accessed by the pod";
            say("Pulled", &format!("Container image \"{image}\" {text}"));
        }
        say("Created", "Container created");
        say("Started", "Container started");
    }
}

fn run(client: &Client, ns: &str, name: &str) {
    let Some(pod) = client.find::<Pod>(ns, name) else { return };
    tell(client, &pod);
    let now = client.sim().now().to_meta();
    let now = serde_json::to_value(&now).unwrap_or_default();
    let object: &dyn Object = &*pod;
    let mut value = object.to_value();
    let node =
        value["spec"]["nodeName"].as_str().unwrap_or("").trim_start_matches("node-").to_owned();
    let uid = value["metadata"]["uid"].as_str().unwrap_or("").to_owned();
    let statuses: Vec<Value> = value["spec"]["containers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|c| {
            let own = c["name"].as_str().unwrap_or("");
            json!({"name": own, "image": c["image"], "imageID": c["image"], "ready": true,
                "started": true, "restartCount": 0, "lastState": {}, "resources": {},
                "containerID": format!("containerd://{own}{uid}"),
                "state": {"running": {"startedAt": now}}})
        })
        .collect();
    let generation = value["metadata"]["generation"].clone();
    let conditions: Vec<Value> =
        ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"]
            .into_iter()
            .map(|kind| {
                json!({"type": kind, "status": "True", "observedGeneration": generation,
                    "lastProbeTime": null, "lastTransitionTime": now})
            })
            .collect();
    let address = json!([{"ip": "192.168.192.168"}]);
    let host = format!("192.0.2.{node}");
    let old = value["status"].clone();
    value["status"] = json!({"phase": "Running", "conditions": conditions,
        "containerStatuses": statuses, "hostIP": host, "hostIPs": [{"ip": host}],
        "podIP": "192.168.192.168", "podIPs": address, "observedGeneration": generation,
        "startTime": if old["startTime"].is_null() { now } else { old["startTime"].clone() },
        "qosClass": old["qosClass"], "resources": {}});
    if let Ok(pod) = from_value::<Pod>(value) {
        let _ = client.update_status(pod);
    }
}
