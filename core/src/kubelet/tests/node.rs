//! Nodes: kubelets that go and come, machines that were off, static pods, many pods.
use super::*;

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

/// Idle clusters do little but probe: a probe over HTTP is a turn or two of the event loop.
#[test]
fn a_probe_costs_next_to_nothing() {
    let world = world();
    let probe = json!({"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1});
    for n in 0..10 {
        world.pod(&format!("w{n}"), &["web"], json!({"readinessProbe": probe}), json!({}));
    }
    world.run(10);
    assert_eq!(world.say("w0"), "Running true/0 running");
    let (steps, writes) = (world.sim.steps(), world.client.revision());
    world.run(100);
    let steps = (world.sim.steps() - steps) as f64 / 1_000.0;
    assert!(steps < 5.0, "{steps} steps a probe");
    assert!(world.client.revision() - writes < 20, "an idle cluster writes only its leases");
}
