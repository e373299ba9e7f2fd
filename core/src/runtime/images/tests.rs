//! Tests of the images: what their containers serve, log and do when signalled.

use std::{cell::RefCell, collections::BTreeSet, rc::Rc, time::Duration};

use super::{IMAGES, PROGRAMS, leak::Leak, program};
use crate::{
    fabric::{
        Endpoint, Fabric, Frame,
        http::{HttpAnswer, HttpError, HttpOptions, http_get},
    },
    machine::{
        Child, Command, ExitStatus, Fd, Machine, MachineSpec, Program, Signal,
        fs::{Kind, Node, Who, program_name},
    },
    programs,
    runtime::Reference,
    sim::{Sim, Time},
};

fn find(name: &str) -> Option<&'static Program> {
    program(name).or_else(|| programs::find(name))
}

/// A container of an image, without an engine.
struct Box {
    sim: Sim,
    machine: Rc<Machine>,
    first: Child,
    out: Rc<RefCell<Vec<u8>>>,
    outside: Endpoint,
}

fn start(image: &str, env: &[(&str, &str)]) -> Box {
    let wanted = Reference::parse(image).unwrap();
    let mut found = IMAGES.iter().filter(|def| def.references().any(|r| r == wanted));
    let image = found.next().expect("no such image").image();
    let sim = Sim::new(1, Time::from_secs(1_790_000_000));
    let mut vars: Vec<(String, String)> = image.config.env.clone();
    vars.extend(env.iter().map(|(k, v)| (k.to_string(), v.to_string())));
    let machine = Machine::new(
        &sim,
        MachineSpec {
            hostname: "web-1".into(),
            fs: image.files(),
            env: vars.into_iter().collect(),
            programs: find,
        },
    );
    let fabric = Fabric::new(&sim);
    let outside = fabric.host("node");
    outside.site().add_subnet("10.244.0.0/24".parse().unwrap());
    let inside = fabric.pod(outside.site(), "web-1", [10, 244, 0, 5].into());
    machine.set(Rc::new(inside));
    let (stdout, out) = Fd::capture();
    let argv = [image.config.entrypoint.clone(), image.config.cmd.clone()].concat();
    let mut command = Command::new(argv).stdout(stdout.clone()).stderr(stdout);
    if !image.config.workdir.is_empty() {
        command = command.cwd(image.config.workdir.clone());
    }
    let first = machine.spawn(command).unwrap();
    let started = Box { sim, machine, first, out, outside };
    started.pass(2_000);
    started
}

impl Box {
    fn pass(&self, millis: u64) {
        self.sim.advance(self.sim.now() + Duration::from_millis(millis), 1_000_000);
    }

    fn run<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> T {
        let out = Rc::new(RefCell::new(None));
        let into = out.clone();
        let task = self.sim.spawn(async move {
            let value = future.await;
            *into.borrow_mut() = Some(value);
        });
        while !task.is_finished() {
            let due = self.sim.next_due().expect("nothing will ever happen");
            self.sim.advance(due, 1);
        }
        let got = out.borrow_mut().take();
        got.unwrap()
    }

    fn ask(&self, url: &str) -> Result<HttpAnswer, HttpError> {
        let (from, url) = (self.outside.clone(), format!("http://10.244.0.5{url}"));
        let timeout = Some(Duration::from_secs(1));
        let options = HttpOptions { timeout, ..HttpOptions::default() };
        let got = self.run(async move { http_get(&from, &url, &options).await });
        self.pass(1);
        got
    }

    fn get(&self, url: &str) -> (u16, String) {
        let response = self.ask(url).unwrap().response;
        (response.status, String::from_utf8_lossy(&response.body).into_owned())
    }

    fn log(&self) -> String {
        String::from_utf8(self.out.take()).unwrap()
    }

    fn remove(&self, path: &str) {
        self.machine.files().remove(path, Who::ROOT).unwrap();
    }
}

#[test]
fn every_image_can_start() {
    assert!(PROGRAMS.is_sorted_by(|a, b| a.name < b.name), "the table is not sorted");
    let mut names = BTreeSet::new();
    for def in IMAGES {
        let image = def.image();
        assert!(def.references().count() == def.tags.len(), "{}: a name is wrong", def.repository);
        for reference in def.references() {
            assert!(names.insert(reference.familiar()), "{reference:?} twice");
        }
        assert!(image.size() > 1_000, "{}", def.repository);
        let files = image.files();
        let argv = [image.config.entrypoint.clone(), image.config.cmd.clone()].concat();
        if argv.is_empty() {
            continue; // started with a command only
        }
        let path = image.config.env.iter().find(|(k, _)| k == "PATH").map(|(_, v)| v.clone());
        let path = path.unwrap_or_default();
        let found = path.split(':').chain([""]).any(|dir| {
            let node = files.get(&format!("{dir}/{}", argv[0].trim_start_matches('/')));
            node.is_ok_and(|node| match &node.kind {
                Kind::File(content) => {
                    program_name(content).is_some() || content.starts_with(b"#!/bin/sh\n")
                }
                _ => false,
            })
        });
        assert!(found, "{}: {argv:?} is not there", def.repository);
    }
    for name in ["nginx:1.7.9", "nginx:1.8", "nginx", "busybox", "trimhall/my-example:latest"] {
        assert!(names.contains(&Reference::parse(name).unwrap().familiar()), "{name}");
    }
}

/// A file that names a program nobody has would be there and could not be run.
#[test]
fn every_program_in_an_image_exists() {
    fn look(node: &Node, path: &str, wrong: &mut BTreeSet<String>) {
        match &node.kind {
            Kind::Dir(entries) => {
                entries.iter().for_each(|(name, n)| look(n, &format!("{path}/{name}"), wrong));
            }
            Kind::File(content) => {
                if let Some(name) = program_name(content)
                    && crate::session::find_program(name).is_none()
                {
                    wrong.insert(format!("{path}: {name}"));
                }
            }
            _ => {}
        }
    }
    let mut wrong = BTreeSet::new();
    for def in IMAGES {
        look(&def.image().files().root(), "", &mut wrong);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nginx_serves_its_files_and_logs() {
    let c = start("nginx:1.25", &[]);
    let log = c.log();
    assert!(log.starts_with("/docker-entrypoint.sh: /docker-entrypoint.d/ is not empty"), "{log}");
    assert!(log.contains("ready for start up\n2026/09/21 14:"), "{log}");
    assert!(log.contains("[notice] 1#1: nginx/1.25.5\n") && log.contains("start worker process "));
    let (status, body) = c.get("/");
    assert!(status == 200 && body.contains("<title>Welcome to nginx!</title>"));
    assert_eq!(
        c.log(),
        "10.244.0.1 - - [21/Sep/2026:14:13:22 +0000] \"GET / HTTP/1.1\" 200 615 \"-\" \"-\" \"-\"\n"
            .replace("14:13:22", &c.sim.now().to_timestamp().strftime("%H:%M:%S").to_string())
            .replace("615", &body.len().to_string())
    );
    assert!(c.get("/none").1.contains("404 Not Found"));
    let log = c.log();
    assert!(
        log.contains("open() \"/usr/share/nginx/html/none\" failed (2: No such file or directory)"),
        "{log}"
    );
    let files = c.machine.files();
    files.write("/usr/share/nginx/html/index.html", b"mine", 0o644, Who::ROOT).unwrap();
    assert_eq!(c.get("/"), (200, "mine".into()));
    c.remove("/usr/share/nginx/html/index.html");
    assert_eq!(c.get("/").0, 403);
    files
        .write(
            "/etc/nginx/conf.d/default.conf",
            b"server { listen 80; location /hi { return 200 'hi $hostname\n'; } location /p/ { \
              proxy_pass http://127.0.0.1/hi; } }",
            0o644,
            Who::ROOT,
        )
        .unwrap();
    c.first.kill(Signal::Hup);
    c.pass(10);
    assert_eq!(c.get("/hi"), (200, "hi web-1\n".into()));
    assert_eq!(c.get("/p/"), (200, "hi web-1\n".into()));
}

#[test]
fn nginx_quits_gently_and_my_example_does_not_hear() {
    let c = start("nginx", &[]);
    c.first.kill(Signal::Quit);
    c.pass(50);
    assert_eq!(c.first.status(), Some(ExitStatus::Code(0)));
    assert!(c.log().ends_with("exit\n"));
    assert!(c.ask("/").is_err());
    let c = start("trimhall/my-example", &[]);
    assert_eq!(c.log(), "Example app listening on port 3000\n");
    c.first.kill(Signal::Term);
    c.pass(29_000);
    assert!(c.get(":3000/").1.contains("<b>web-1</b>"));
    c.first.kill(Signal::Kill);
    c.pass(1);
    assert!(matches!(c.ask(":3000/"), Err(HttpError::Connect(..))));
    assert_eq!(c.first.status().map(ExitStatus::code), Some(137));
}

#[test]
fn applications_crash_where_they_say_so() {
    let c = start("trueberryless/kub-first-app:v2", &[]);
    assert!(c.get(":8080/").1.contains("version 2"));
    assert_eq!(c.get(":8080/nope").0, 404);
    assert!(c.ask(":8080/error").is_err());
    assert_eq!(c.first.status(), Some(ExitStatus::Code(1)));
}

#[test]
fn small_servers_and_stores() {
    let c = start("web-example:1.25", &[]);
    assert_eq!(c.get("/"), (200, "<h1>hello</h1>\n".into()));
    assert_eq!(c.get("/healthz"), (200, "ok\n".into()));
    assert_eq!(c.get("/none").0, 404);
    let c = start("httpd", &[]);
    assert!(c.get("/").1.contains("It works!"));
    c.first.kill(Signal::Winch);
    c.pass(10);
    assert_eq!(c.first.status(), Some(ExitStatus::Code(0)));
    let c = start("vergeops/versioned-nginx:2.0", &[]);
    assert!(c.get("/").1.contains("Version 2.0"));
    let c = start(
        "mongo",
        &[("MONGO_INITDB_ROOT_USERNAME", "root"), ("MONGO_INITDB_ROOT_PASSWORD", "x")],
    );
    assert!(c.log().contains("\"user\":\"root\""));
    let c = start("hello-world", &[]);
    assert!(c.log().contains("Hello from Docker!"));
    let c = start("redis", &[]);
    let (from, to) = (c.outside.clone(), "10.244.0.5:6379".parse().unwrap());
    let got = c.run(async move {
        let conn = from.connect(to).await.unwrap();
        let _ =
            conn.send(Frame::Data(b"SET a 1\r\n*2\r\n$4\r\nINCR\r\n$1\r\na\r\nQUIT\r\n".to_vec()));
        let mut all = Vec::new();
        while let Ok(Some(bytes)) = conn.recv_bytes().await {
            all.extend(bytes);
        }
        String::from_utf8(all).unwrap()
    });
    assert_eq!(got, "+OK\r\n:2\r\n+OK\r\n");
}

#[test]
fn a_leak_makes_answers_slower_until_there_are_none() {
    let c = start("trimhall/my-example", &[]);
    let (memory, took) = (c.machine.memory(), |c: &Box| {
        let began = c.sim.now();
        let got = c.ask(":3000/");
        (got.is_ok(), c.sim.now().since(began))
    });
    assert!(took(&c).1 < Duration::from_millis(5));
    Leak::start(&c.machine);
    c.pass(8_000);
    let (ok, slower) = took(&c);
    assert!(ok && slower > Duration::from_millis(50), "{slower:?}");
    c.pass(20_000);
    assert!(!took(&c).0);
    assert!(c.machine.memory() > memory + (200 << 20));
}

#[test]
fn tools_do_what_their_names_say() {
    let c = start("traefik/whoami", &[]);
    assert!(c.log().ends_with("Starting up on port 80\n"));
    let (status, body) = c.get("/a?b=c");
    assert!(
        body.starts_with("Hostname: web-1\nIP: 127.0.0.1\nIP: ::1\nIP: 10.244.0.5\n"),
        "{body}"
    );
    assert!(status == 200 && body.contains("\nGET /a?b=c HTTP/1.1\nHost: 10.244.0.5\n"), "{body}");
    let c = start("registry.k8s.io/echoserver:1.10", &[("POD_NAME", "web-1")]);
    let body = c.get(":8080/x?y=z").1;
    assert!(
        body.contains("\tpod name:\tweb-1\n") && body.contains("\tclient_address=10.244.0.1\n")
    );
    assert!(
        body.contains("\tquery=y=z\n") && body.contains("\trequest_uri=http://10.244.0.5:8080/x\n")
    );
    assert_eq!(start("registry.k8s.io/goproxy:0.1", &[]).get(":8080/").0, 500);
}

#[test]
fn stress_uses_what_it_is_told_to() {
    let run = |image: &str, argv: &[&str]| {
        let c = start(image, &[]);
        let (stdout, out) = Fd::capture();
        let command = Command::new(argv.iter().map(ToString::to_string).collect::<Vec<_>>());
        let child = c.machine.spawn(command.stdout(stdout.clone()).stderr(stdout)).unwrap();
        let cpu = c.machine.cpu_micros();
        c.pass(10_000);
        let said = String::from_utf8(out.borrow().clone()).unwrap();
        (said, c.machine.memory() >> 20, (c.machine.cpu_micros() - cpu) / 1_000_000, child)
    };
    let (said, memory, cpu, _c) =
        run("polinux/stress", &["stress", "--vm", "1", "--vm-bytes", "150M", "--vm-hang", "1"]);
    assert!(said.ends_with("dispatching hogs: 0 cpu, 0 io, 1 vm, 0 hdd\n"), "{said}");
    assert!((150..160).contains(&memory) && cpu == 0, "{memory} MiB, {cpu} s");
    let (said, _, cpu, child) = run("polinux/stress", &["stress", "-c", "2", "-t", "3s"]);
    assert!(said.ends_with("successful run completed in 3s\n") && cpu == 6, "{said} {cpu}");
    assert_eq!(child.status(), Some(ExitStatus::Code(0)));
    for (argv, want) in [
        (&["stress", "--cpu", "x"][..], "unrecognized value: x"),
        (&["stress", "--vm"], "missing argument: --vm"),
        (&["stress", "--what"], "unrecognized option: --what"),
        (&["stress", "--vm", "18446744073709551615"], "too many workers"),
        (&["stress", "-i", "1"], "work on disks is not simulated in this sandbox"),
    ] {
        let (said, _, _, child) = run("polinux/stress", argv);
        assert!(said.ends_with(&format!("{want}\n")), "{said}");
        assert_eq!(child.status(), Some(ExitStatus::Code(1)));
    }
    let argv = ["/stress", "-cpus", "2", "-mem-total", "100Mi", "-mem-alloc-size=10Mi"];
    let (said, memory, cpu, _c) = run("vish/stress", &argv);
    assert!(said.contains("Spawning a thread") && said.ends_with("Allocated \"100Mi\" memory\n"));
    assert!(memory > 100 && cpu == 20, "{memory} MiB, {cpu} s");
}
