//! A player of canned messages instead of an engine, to work on the page alone: `?fixture=practical` plays
//! the beginning of the practical, `?fixture=many` shows 3,000 pods. Only with the feature `fixture`, which no
//! release has. It simulates nothing and is no model of the engine.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo::timers::callback::{Interval, Timeout};
use sandbar_core::session::protocol::{DetailKind, Input, LoadDot, Output, PageAnswer};
use sandbar_core::view::*;

use super::clock::Clock;
use super::engine::Engine;
use super::page::Page;

const START: u64 = 1_795_269_871_000;

struct Player {
    page: Page,
    line: RefCell<String>,
    rows: Cell<u32>,
    current: Cell<usize>,
    hints: Cell<usize>,
    load: RefCell<Option<Interval>>,
    sent: Rc<Cell<u64>>,
}

/// Attaches the player the address asks for, if it asks for one.
pub fn attach(page: &Page) -> bool {
    let search = gloo::utils::window().location().search().unwrap_or_default();
    let Some(which) =
        search.split(['?', '&']).find_map(|p| p.strip_prefix("fixture=").map(str::to_owned))
    else {
        return false;
    };
    let player = Player {
        page: page.clone(),
        line: RefCell::default(),
        rows: Cell::new(0),
        current: Cell::new(0),
        hints: Cell::new(0),
        load: RefCell::default(),
        sent: Rc::default(),
    };
    let clock = Clock { now_ms: START, heard: super::dom::now(), ..Default::default() };
    page.clock_news(clock);
    player.lesson();
    match which.as_str() {
        "running" => player.cluster(3),
        "many" => player.many(3000),
        "some" => player.many(140),
        _ => {}
    }
    page.attach(Box::new(player));
    true
}

fn pod(i: u32, status: &str, node: &str, owner: &str, namespace: &str, name: String) -> Row {
    Row::Pod(PodRow {
        uid: format!("{namespace}-{name}"),
        namespace: namespace.into(),
        name,
        status: status.into(),
        ready: (u32::from(status == "Running"), 1),
        restarts: u32::from(status == "CrashLoopBackOff") * 4,
        node: node.into(),
        ip: format!("10.244.0.{}", i + 3),
        owner: owner.into(),
        created_ms: START - 1000 * u64::from(7 * i + 3),
        images: vec!["trimhall/my-example:latest".into()],
        labels: vec![("app".into(), "hello-node".into())],
    })
}

fn node(name: &str, status: &str) -> Row {
    Row::Node(NodeRow {
        uid: format!("node-{name}"),
        name: name.into(),
        status: status.into(),
        roles: if name.ends_with("01") || name == "minikube" {
            "control-plane".into()
        } else {
            "<none>".into()
        },
        address: "192.168.49.2".into(),
        cpu_milli: (2000, 850),
        memory: (6 << 30, 170 << 20),
    })
}

fn work(uid: &str, kind: &str, name: &str, owner: &str, n: (u32, u32), revision: u32) -> Row {
    Row::Workload(WorkloadRow {
        uid: uid.into(),
        kind: kind.into(),
        resource: format!("{}s.apps", kind.to_lowercase()),
        namespace: "default".into(),
        name: name.into(),
        owner: owner.into(),
        desired: n.1,
        ready: n.0,
        current: n.1,
        revision,
        created_ms: START - 60_000,
    })
}

fn event(i: u32, kind: &str, reason: &str, object: &str, message: &str) -> Row {
    Row::Event(EventRow {
        uid: format!("event-{i}"),
        namespace: "default".into(),
        kind: kind.into(),
        reason: reason.into(),
        object: object.into(),
        message: message.into(),
        count: 1 + i % 3,
        last_ms: START + 1000 * u64::from(i),
    })
}

const NAMES: [&str; 6] = ["7x2kp", "m4nq8", "zz9wd", "c6b7t", "k2l5s", "p8r4v"];

impl Player {
    fn view(&self, rows: Vec<Row>) {
        self.page.receive(Output::View(rows.into_iter().map(ViewChange::Upsert).collect()));
    }

    fn cluster(&self, pods: u32) {
        let cluster = ClusterView {
            name: "minikube".into(),
            state: "Running".into(),
            version: "v1.36.2".into(),
            now_ms: START,
        };
        self.page.receive(Output::View(vec![ViewChange::Cluster(cluster)]));
        let mut rows = vec![node("minikube", "Ready")];
        for (i, name) in [
            "coredns-7f9d5c6b8-xk2lp",
            "etcd-minikube",
            "kube-apiserver-minikube",
            "kube-controller-manager-minikube",
            "kube-proxy-4hq2z",
            "kube-scheduler-minikube",
            "storage-provisioner",
        ]
        .iter()
        .enumerate()
        {
            rows.push(pod(i as u32 + 40, "Running", "minikube", "", "kube-system", (*name).into()));
        }
        self.view(rows);
        if pods > 0 {
            self.deploy(pods);
        }
    }

    fn deploy(&self, pods: u32) {
        let mut rows = vec![
            work("d", "Deployment", "hello-node", "", (pods.saturating_sub(1), pods), 1),
            work(
                "r",
                "ReplicaSet",
                "hello-node-6fdcf9c4b7",
                "d",
                (pods.saturating_sub(1), pods),
                1,
            ),
        ];
        let states = [
            "Running",
            "Running",
            "ContainerCreating",
            "CrashLoopBackOff",
            "Terminating",
            "Pending",
        ];
        for i in 0..pods {
            let status = states[i as usize % 6];
            rows.push(pod(
                i,
                status,
                if status == "Pending" { "" } else { "minikube" },
                "r",
                "default",
                format!("hello-node-6fdcf9c4b7-{}", NAMES[i as usize % 6]),
            ));
        }
        rows.push(service("kubernetes", "ClusterIP", "443/TCP", &["192.168.49.2"], 8443));
        rows.push(service(
            "hello-node",
            "NodePort",
            "3000:32201/TCP",
            &["10.244.0.3", "10.244.0.4", "10.244.0.5"],
            3000,
        ));
        for (i, (kind, reason, message)) in [
            ("Normal", "ScalingReplicaSet", "Scaled up replica set hello-node-6fdcf9c4b7 from 0 to 1"),
            ("Normal", "Scheduled", "Successfully assigned default/hello-node-6fdcf9c4b7-7x2kp to minikube"),
            ("Normal", "Pulling", "Pulling image \"trimhall/my-example:latest\""),
            ("Normal", "Pulled", "Successfully pulled image \"trimhall/my-example:latest\" in 3.204s (3.204s including waiting). Image size: 47105013 bytes."),
            ("Normal", "Started", "Container started"),
            ("Warning", "BackOff", "Back-off restarting failed container my-example in pod hello-node-6fdcf9c4b7-c6b7t"),
        ].iter().enumerate() {
            rows.push(event(i as u32, kind, reason, &format!("pod/hello-node-6fdcf9c4b7-{}", NAMES[i % 6]), message));
        }
        self.view(rows);
    }

    fn many(&self, count: u32) {
        self.cluster(0);
        let nodes: Vec<String> = (1..=10).map(|i| format!("node-{i:02}")).collect();
        self.view(
            nodes
                .iter()
                .map(|n| node(n, if n == "node-07" { "NotReady" } else { "Ready" }))
                .collect(),
        );
        self.view(vec![
            work("d", "Deployment", "web", "", (count / 3, count), 1),
            work("r", "ReplicaSet", "web-5d8f7", "d", (count / 3, count), 1),
        ]);
        let page = self.page.clone();
        let at = Cell::new(0u32);
        let tick = Interval::new(16, move || {
            let n = at.get();
            at.set(n + 1);
            let step = 50;
            let mut rows = Vec::new();
            for i in 0..step {
                let k = n * step + i;
                let status = ["Pending", "ContainerCreating", "Running"].get((k / count) as usize);
                let i = k % count;
                if let Some(status) = status {
                    rows.push(pod(
                        i,
                        status,
                        &nodes[i as usize % 10],
                        "r",
                        "default",
                        format!("web-5d8f7-{i:05}"),
                    ));
                }
            }
            page.receive(Output::View(rows.into_iter().map(ViewChange::Upsert).collect()));
        });
        tick.forget();
    }

    fn lesson(&self) {
        let at = self.current.get();
        let step =
            |i: usize, title: &str, text: &str, command: &str, missing: &str, after: &str| {
                StepView {
                    title: title.into(),
                    text: text.into(),
                    command: command.into(),
                    done: i < at,
                    missing: if i < at { String::new() } else { missing.into() },
                    hints: if i == at {
                        ["Look at the prompt on the right.", "The command starts with `minikube`."]
                            .iter()
                            .take(self.hints.get())
                            .map(|s| (*s).into())
                            .collect()
                    } else {
                        vec![]
                    },
                    hints_total: 2,
                    after: after.into(),
                }
            };
        let entry = |id: &str, title: &str, done: usize, all: usize| CatalogueEntry {
            id: id.into(),
            title: title.into(),
            course: "The minikube practical".into(),
            rows: vec!["P4".into()],
            done: (done, all),
        };
        let view = LessonView {
            catalogue: vec![entry("start", "Start a cluster and look around", at, 5), entry("deploy", "Run something", 0, 6), entry("heal", "Break it and watch it heal", 4, 4)],
            id: "start".into(),
            title: "Start a cluster and look around".into(),
            intro: "You have a computer with a terminal. In this lesson you start a **Kubernetes cluster** on it, with one command, and see what it is made of.".into(),
            steps: vec![
                step(0, "Start the cluster", "`minikube` makes a cluster of one node on your computer. Starting takes about half a minute; each line says what is being done.", "minikube start", "No cluster is running.", "The cluster runs: one machine that is both **control plane** and worker."),
                step(1, "See the node", "A *node* is a machine that runs your programs.", "kubectl get nodes", "Waits for the node to be Ready.", "One node, `Ready`."),
                step(2, "Create a deployment", "A deployment keeps a number of equal pods running:\n\n- it makes a **ReplicaSet**,\n- which makes the pods.", "kubectl create deployment hello-node --image=trimhall/my-example:latest", "0 of 1 replicas ready", "A pod went from `Pending` over `ContainerCreating` to `Running`."),
                step(3, "Expose it", "A service gives the pods one address.", "kubectl expose deployment hello-node --type=NodePort --port=3000", "There is no service `hello-node` yet.", ""),
                step(4, "Open it", "Let minikube tell you the address.", "minikube service hello-node", "Nobody has asked the service yet.", ""),
            ],
            current: at,
            setup: Vec::new(),
        };
        self.page.receive(Output::Lesson(Box::new(view)));
    }

    fn say(&self, id: u32, data: &str) {
        self.page.receive(Output::Terminal { id, data: data.replace('\n', "\r\n") });
    }

    fn prompt(&self, id: u32) {
        self.say(id, "\u{1b}[32mlearner@host\u{1b}[0m:\u{1b}[34m~\u{1b}[0m$ ");
    }

    fn command(&self, id: u32, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let done = |n: usize| {
            if self.current.get() == n {
                self.current.set(n + 1);
            }
        };
        match words.as_slice() {
            ["minikube", "start", ..] => {
                self.say(id, "😄  minikube v1.38.0 on Debian 12.8\n✨  Automatically selected the docker driver\n📌  Using Docker driver with root privileges\n👍  Starting \"minikube\" primary control-plane node in \"minikube\" cluster\n🐳  Preparing Kubernetes v1.36.2 on Docker 29.1.0 ...\n🔎  Verifying Kubernetes components...\n🏄  Done! kubectl is now configured to use \"minikube\" cluster and \"default\" namespace by default\n");
                self.cluster(0);
                done(0);
            }
            ["kubectl", "get", "nodes"] => {
                self.say(id, "NAME       STATUS   ROLES           AGE   VERSION\nminikube   Ready    control-plane   12s   v1.36.2\n");
                done(1);
            }
            ["kubectl", "create", ..] => {
                self.say(id, "deployment.apps/hello-node created\n");
                self.rows.set(3);
                self.deploy(3);
                done(2);
            }
            ["kubectl", "get", "pods"] => {
                self.say(id, "NAME                          READY   STATUS              RESTARTS   AGE\n");
                for name in NAMES.iter().take(3) {
                    self.say(id, &format!("hello-node-6fdcf9c4b7-{name}   1/1     Running             0          8s\n"));
                }
            }
            ["kubectl", "expose", ..] => done(3),
            ["minikube", "service", ..] => {
                self.say(id, "┌───────────┬────────────┬─────────────┬───────────────────────────┐\n│ NAMESPACE │    NAME    │ TARGET PORT │            URL            │\n├───────────┼────────────┼─────────────┼───────────────────────────┤\n│ default   │ hello-node │ 3000        │ http://192.168.49.2:32201 │\n└───────────┴────────────┴─────────────┴───────────────────────────┘\n🎉  Opening service default/hello-node in default browser...\n");
                self.page.receive(Output::OpenUrl { url: "http://192.168.49.2:32201".into() });
                done(4);
            }
            ["edit", path] => self.page.receive(Output::OpenFile { path: format!("/home/learner/{path}"), text: "apiVersion: v1\nkind: Pod\nmetadata:\n  name: myapp-pod\n  labels:\n    app: myapp\nspec:\n  containers:\n  - name: myapp\n    image: busybox:1.37 # small\n    command: ['sh', '-c', 'echo Hello Kubernetes! && sleep 3600']\n    ports:\n    - containerPort: 80\n".into() }),
            ["watch", ..] | ["sleep", ..] => {
                self.say(id, &format!("\u{1b}[2J\u{1b}[HEvery 2.0s: {}\n\nNo resources found in default namespace.\n", words[1..].join(" ")));
                return self.page.receive(Output::TerminalState { id, place: "host".into(), running: Some(line.into()) });
            }
            ["notice"] => self.page.receive(Output::Notice { text: "The engine stopped (it did not answer for 5 seconds) and was started anew; everything but the last input was played again.".into() }),
            ["roll"] => self.view(vec![service("hello-node", "NodePort", "3000:32201/TCP", &["10.244.0.4", "10.244.0.5", "10.244.0.9"], 3000)]),
            [] => {}
            [other, ..] => self.say(id, &format!("bash: {other}: command not found\n")),
        }
        self.lesson();
        self.prompt(id);
    }

    fn keys(&self, id: u32, data: &str) {
        for c in data.chars() {
            match c {
                '\r' => {
                    self.say(id, "\n");
                    let line = self.line.take();
                    self.command(id, line.trim());
                }
                '\u{3}' => {
                    self.say(id, "^C\n");
                    self.line.take();
                    self.page.receive(Output::TerminalState {
                        id,
                        place: "host".into(),
                        running: None,
                    });
                    self.prompt(id);
                }
                '\u{7f}' if self.line.borrow_mut().pop().is_some() => self.say(id, "\u{8} \u{8}"),
                c if !c.is_control() => {
                    self.line.borrow_mut().push(c);
                    self.say(id, &c.to_string());
                }
                _ => {}
            }
        }
    }

    fn start_load(&self, id: u32, every_ms: u32) {
        let (page, sent) = (self.page.clone(), self.sent.clone());
        *self.load.borrow_mut() = Some(Interval::new(every_ms.max(20), move || {
            let n = sent.get() + 1;
            sent.set(n);
            let by = if n % 37 == 0 {
                String::new()
            } else {
                format!("hello-node-6fdcf9c4b7-{}", NAMES[(n * 7 % 3) as usize])
            };
            let status = if by.is_empty() { 0 } else { 200 };
            let answered = NAMES
                .iter()
                .take(3)
                .map(|x| (format!("hello-node-6fdcf9c4b7-{x}"), n / 3))
                .collect();
            page.receive(Output::Load {
                id,
                recent: vec![LoadDot { by, status, millis: 3 }],
                answered,
                failed: n / 37,
            });
        }));
    }
}

fn service(name: &str, kind: &str, ports: &str, ips: &[&str], port: u16) -> Row {
    Row::Service(ServiceRow {
        uid: format!("s-{name}"),
        namespace: "default".into(),
        name: name.into(),
        kind: kind.into(),
        cluster_ip: "10.98.114.7".into(),
        external_ip: "<none>".into(),
        ports: ports.into(),
        selector: if name == "kubernetes" { vec![] } else { vec![("app".into(), name.into())] },
        urls: if kind == "NodePort" { vec!["http://192.168.49.2:32201".into()] } else { vec![] },
        routes: ips
            .iter()
            .enumerate()
            .map(|(i, ip)| RouteRow {
                ip: (*ip).into(),
                port,
                pod: if name == "kubernetes" {
                    String::new()
                } else {
                    format!("hello-node-6fdcf9c4b7-{}", NAMES[i])
                },
                state: if i == 2 {
                    "not ready".into()
                } else if i == 1 {
                    "terminating".into()
                } else {
                    "ready".into()
                },
                requests: 120 * i as u64,
                open: i as u32,
            })
            .collect(),
    })
}

impl Engine for Player {
    fn send(&self, input: Input) {
        match input {
            Input::TerminalOpen { id, .. } => {
                self.page.receive(Output::TerminalState {
                    id,
                    place: "host".into(),
                    running: None,
                });
                self.prompt(id);
            }
            Input::TerminalKeys { id, data } => self.keys(id, &data),
            Input::Browse { request, url } => {
                let page = self.page.clone();
                Timeout::new(300, move || {
                    let body = format!("<h1>Hello</h1><p>answered by <b>hello-node-6fdcf9c4b7-{}</b></p><script>document.body.innerHTML='scripts run'</script>", NAMES[request as usize % 3]);
                    let answer = PageAnswer { status: 200, content_type: "text/html".into(), body, answered_by: format!("hello-node-6fdcf9c4b7-{}", NAMES[request as usize % 3]), millis: 3, url };
                    page.receive(Output::Page { request, answer });
                }).forget();
            }
            Input::LoadStart { id, every_ms, .. } => self.start_load(id, every_ms),
            Input::LoadStop { .. } => drop(self.load.take()),
            Input::LessonHint { .. } => {
                self.hints.set(self.hints.get() + 1);
                self.lesson();
            }
            Input::LessonGoto { step } => {
                self.current.set(step);
                self.lesson();
            }
            Input::Why { request, .. } => {
                let answer = Err("nothing is remembered here".to_owned());
                self.page.receive(Output::Why { request, answer });
            }
            Input::Trace { request, .. } => {
                let answer = Err("nothing is remembered here".to_owned());
                self.page.receive(Output::Trace { request, answer });
            }
            Input::Detail { request, object, what } => {
                let text = match what {
                    DetailKind::Describe => format!(
                        "Name:             {}\nNamespace:        {}\nPriority:         0\nService Account:  default\nNode:             minikube/192.168.49.2\nStart Time:       Sat, 21 Nov 2026 12:04:31 +0000\nLabels:           app=hello-node\n                  pod-template-hash=6fdcf9c4b7\nAnnotations:      <none>\nStatus:           Running\nIP:               10.244.0.3\n",
                        object.name, object.namespace
                    ),
                    _ => String::new(),
                };
                self.page.receive(Output::Detail { request, text: Ok(text) });
            }
            _ => {}
        }
    }

    fn pace(&self, _speed: u32) {}

    fn next_event(&self) {
        let clock = *self.page.clock.borrow();
        self.page.clock_news(Clock { now_ms: clock.now_ms + 2000, ..clock });
    }
}
