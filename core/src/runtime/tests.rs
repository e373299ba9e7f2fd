//! Tests of the engine: containers with real processes, in virtual time.
use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use super::{
    Container, ContainerSpec, Engine, EngineConfig, EngineKind, EventKind, ExecSpec, ImageDef,
    LayerDef, Mount, NetworkMode, PortBinding, Reference, Registries, RestartPolicy, State,
};
use crate::{
    fabric::{Cidr, Fabric},
    machine::{Fd, Machine, MachineSpec, Proc, Program, Signal, fs::Fs},
    sim::{Either, Sim, Time, race},
};

async fn sleeper(proc: Proc) -> i32 {
    proc.sleep(Duration::from_secs(1_000_000)).await;
    0
}

async fn polite(proc: Proc) -> i32 {
    proc.print("up\n").await;
    match race(proc.signal(), proc.sleep(Duration::from_secs(100_000))).await {
        Either::Left(Signal::Term) => {
            proc.sleep(Duration::from_secs(2)).await;
            0
        }
        _ => 1,
    }
}

/// `talk CODE TEXT…`: prints the texts and exits.
async fn talk(proc: Proc) -> i32 {
    let args = proc.args().to_vec();
    proc.print(&format!("{}\n", args[2..].join(" "))).await;
    proc.eprint(&proc.env("WHO").unwrap_or_default()).await;
    args[1].parse().unwrap_or(2)
}

async fn hog(proc: Proc) -> i32 {
    for mib in 1..1000 {
        proc.process().set_memory(mib << 20);
        proc.sleep(Duration::from_secs(1)).await;
    }
    0
}

static PROGRAMS: &[Program] = &[
    Program { name: "hog", summary: "", run: |p| Box::pin(hog(p)), complete: None },
    Program { name: "polite", summary: "", run: |p| Box::pin(polite(p)), complete: None },
    Program { name: "sleeper", summary: "", run: |p| Box::pin(sleeper(p)), complete: None },
    Program { name: "talk", summary: "", run: |p| Box::pin(talk(p)), complete: None },
];

static TEST_IMAGE: ImageDef = ImageDef {
    repository: "test",
    layers: &[LayerDef {
        id: "test",
        arg: "",
        size: 1_000_000,
        created_by: "COPY . .",
        build: |cx| {
            for program in PROGRAMS {
                cx.program(&format!("/bin/{}", program.name), program.name);
            }
            cx.file("/etc/passwd", "root:x:0:0::/root:/bin/sh\nweb:x:33:34::/var/www:/bin/sh\n");
        },
    }],
    cmd: &["sleeper"],
    env: &[("PATH", "/bin"), ("WHO", "image")],
    ..ImageDef::EMPTY
};

fn engine() -> (Sim, Rc<Machine>, Engine) {
    let sim = Sim::new(1, Time::from_secs(1_700_000_000));
    let machine = Machine::new(
        &sim,
        MachineSpec {
            hostname: "node".into(),
            fs: Fs::new(sim.now()),
            env: BTreeMap::new(),
            programs: |_| None,
        },
    );
    let fabric = Fabric::new(&sim);
    machine.set(Rc::new(fabric.host("node")));
    let engine = Engine::start(EngineConfig {
        kind: EngineKind::Docker,
        machine: machine.clone(),
        fabric,
        registries: Registries::new(&[&TEST_IMAGE]),
        programs: |name| PROGRAMS.iter().find(|p| p.name == name),
    });
    assert!(engine.images().preload("test"));
    engine.set_pod_range("10.244.0.0/24".parse::<Cidr>().unwrap());
    (sim, machine, engine)
}

fn spec(name: &str, args: &[&str]) -> ContainerSpec {
    ContainerSpec {
        name: name.into(),
        image_name: "test".into(),
        args: Some(args.iter().map(ToString::to_string).collect()),
        ..Default::default()
    }
}

fn launch(engine: &Engine, spec: ContainerSpec) -> Rc<Container> {
    let image = engine.images().find("test").unwrap();
    let container = engine.create(&image, spec).unwrap();
    engine.launch(&container).unwrap();
    container
}

fn run(sim: &Sim, secs: u64) {
    assert!(sim.advance(sim.now() + Duration::from_secs(secs), 1_000_000).reached);
}

fn log(container: &Container) -> String {
    let mut text = Vec::new();
    container.log.read(0, |l| text.extend_from_slice(&l.text));
    String::from_utf8(text).unwrap()
}

#[test]
fn a_container_runs_writes_and_exits_with_its_code() {
    let (sim, _machine, engine) = engine();
    let seen = Rc::new(RefCell::new(Vec::new()));
    let into = seen.clone();
    let _watch = engine.watch(move |kind, c| into.borrow_mut().push((kind, c.short_id().len())));
    let mut spec = spec("one", &["talk", "3", "hello"]);
    spec.env = vec![("WHO".into(), "me".into())];
    let one = launch(&engine, spec);
    run(&sim, 1);
    let status = one.status();
    assert_eq!((status.state, status.exit_code), (State::Exited, 3));
    assert_eq!(log(&one), "hello\nme");
    engine.launch(&one).unwrap();
    run(&sim, 1);
    assert_eq!(log(&one), "hello\nmehello\nme");
    engine.remove(&one, false).unwrap();
    use EventKind::{Create, Destroy, Die, Start};
    let kinds: Vec<_> = seen.borrow().iter().map(|(k, _)| *k).collect();
    assert_eq!(kinds, [Create, Start, Die, Start, Die, Destroy]);
    assert_eq!(engine.find("one").err().unwrap().message, "No such container: one");
}

#[test]
fn stopping_waits_for_the_grace_and_then_kills() {
    let (sim, _machine, engine) = engine();
    for (program, grace, want) in
        [("polite", 10, (0, 2)), ("sleeper", 10, (137, 10)), ("polite", 1, (137, 1))]
    {
        let container = launch(&engine, spec("", &[program]));
        run(&sim, 1);
        let begin = sim.now();
        let (e, c) = (engine.clone(), container.clone());
        sim.spawn(async move { e.stop(&c, Duration::from_secs(grace)).await });
        run(&sim, 60);
        let status = container.status();
        let took = status.finished.unwrap().since(begin).as_secs();
        assert_eq!((status.exit_code, took), want, "{program} {grace}");
    }
}

#[test]
fn too_much_memory_kills() {
    let (sim, _machine, engine) = engine();
    let mut spec = spec("hog", &["hog"]);
    spec.memory_limit = Some(64 << 20);
    let hog = launch(&engine, spec);
    run(&sim, 63);
    assert!(hog.is_running());
    run(&sim, 3);
    let status = hog.status();
    assert_eq!((status.exit_code, status.oom_killed), (137, true));
}

#[test]
fn what_can_not_start_says_so_in_runcs_words() {
    let (_sim, _machine, engine) = engine();
    let image = engine.images().find("test").unwrap();
    let try_run = |args: &[&str]| {
        let container = engine.create(&image, spec("", args)).unwrap();
        let error = engine.launch(&container).unwrap_err();
        assert_eq!(container.status().exit_code, error.code);
        error
    };
    let error = try_run(&["nosuch"]);
    assert!(
        error.message.ends_with("exec: \"nosuch\": executable file not found in $PATH: unknown")
    );
    assert_eq!(error.code, 127);
    let error = try_run(&["/no/such"]);
    assert!(
        error
            .message
            .ends_with("exec: \"/no/such\": stat /no/such: no such file or directory: unknown")
    );
    assert_eq!(try_run(&["/etc"]).code, 126);
}

#[test]
fn containers_share_a_sandboxs_network_and_volumes() {
    let (sim, _machine, engine) = engine();
    let mut sandbox = spec("pause", &["sleeper"]);
    sandbox.network = NetworkMode::Pod;
    sandbox.hostname = Some("pod-1".into());
    let sandbox = launch(&engine, sandbox);
    assert_eq!(sandbox.address().unwrap().to_string(), "10.244.0.2");
    let volume = Fs::new(sim.now());
    let mut parts = Vec::new();
    for name in ["a", "b"] {
        let mut part = spec(name, &["sleeper"]);
        part.network = NetworkMode::Container(sandbox.id.clone());
        part.mounts = vec![Mount {
            at: "/data".into(),
            fs: volume.clone(),
            sub: String::new(),
            read_only: name == "b",
            source: "/var/lib/x".into(),
            volume: false,
        }];
        parts.push(launch(&engine, part));
    }
    let write = |c: &Rc<Container>| {
        c.machine.files().write("/data/f", b"x", 0o644, crate::machine::fs::Who::ROOT)
    };
    assert!(write(&parts[0]).is_ok() && write(&parts[1]).is_err());
    assert!(parts[0].endpoint().unwrap().same_as(&parts[1].endpoint().unwrap()));
    engine.remove(&sandbox, true).unwrap();
    let mut next = spec("next", &["sleeper"]);
    next.network = NetworkMode::Pod;
    assert_eq!(launch(&engine, next).address().unwrap().to_string(), "10.244.0.3");
}

#[test]
fn exec_joins_and_ends_with_the_container() {
    let (sim, _machine, engine) = engine();
    let container = launch(&engine, spec("box", &["sleeper"]));
    let (out, text) = Fd::capture();
    let words = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    let exec = ExecSpec {
        argv: words(&["talk", "5", "in"]),
        fds: Some([Fd::Null, out.clone(), out]),
        ..Default::default()
    };
    let child = engine.exec(&container, exec).unwrap();
    run(&sim, 1);
    assert_eq!(child.status().unwrap().code(), 5);
    assert_eq!(String::from_utf8(text.take()).unwrap(), "in\nimage");
    let missing = ExecSpec { argv: words(&["nope"]), ..Default::default() };
    assert_eq!(
        engine.exec(&container, missing).err().unwrap().message,
        "OCI runtime exec failed: exec failed: unable to start container process: exec: \"nope\": \
         executable file not found in $PATH: unknown"
    );
    let sleeper = ExecSpec { argv: words(&["sleeper"]), ..Default::default() };
    let child = engine.exec(&container, sleeper).unwrap();
    engine.remove(&container, true).unwrap();
    assert_eq!(child.status().unwrap().code(), 137);
}

#[test]
fn restart_policies_ports_and_names() {
    let (sim, _machine, engine) = engine();
    let mut again = spec("again", &["talk", "1", "x"]);
    again.restart = RestartPolicy::OnFailure(3);
    let again = launch(&engine, again);
    run(&sim, 30);
    assert_eq!((again.status().restarts, again.is_running()), (3, false));
    let mut web = spec("web", &["sleeper"]);
    web.ports = vec![PortBinding { host_ip: None, host_port: 8080, port: 80, udp: false }];
    let first = launch(&engine, web.clone());
    assert_eq!(first.address().unwrap().to_string(), "172.17.0.2");
    let image = engine.images().find("test").unwrap();
    let taken = engine.create(&image, web.clone()).err().unwrap();
    assert!(taken.message.starts_with("Conflict. The container name \"/web\" is already in use"));
    web.name = String::new();
    let second = engine.create(&image, web).unwrap();
    let error = engine.launch(&second).unwrap_err();
    assert!(error.message.ends_with("Bind for 0.0.0.0:8080 failed: port is already allocated"));
    engine.remove(&first, true).unwrap();
    engine.launch(&second).unwrap();
    let reference = Reference::parse("mine:1").unwrap();
    engine.images().add(&reference, &image);
    assert!(engine.images().find("mine:1").is_some());
    engine.halt();
    assert!(!second.is_running());
}
