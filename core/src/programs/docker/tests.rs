//! `docker` typed into a shell, against an engine with the registries' real images.
use std::{collections::BTreeMap, rc::Rc, time::Duration};

use expect_test::{Expect, expect};

use crate::{
    fabric::Fabric,
    machine::{Command, Fd, Machine, MachineSpec, Program, Tty, fs::Fs},
    runtime::{Engine, EngineConfig, EngineKind, Registries, images},
    sim::{Sim, Time},
};

fn program(name: &str) -> Option<&'static Program> {
    crate::programs::find(name).or_else(|| images::program(name))
}

fn machine() -> (Sim, Rc<Machine>) {
    let sim = Sim::new(3, Time::from_secs(1_795_000_000));
    let fs = Fs::new(sim.now());
    fs.add_basics(sim.now());
    for name in ["sh", "docker", "cat", "grep", "sleep", "head", "cut", "hostname", "wc", "ls"] {
        let program = if name == "sh" { "dash" } else { name };
        let _ = fs.install(&format!("/bin/{name}"), program, sim.now());
    }
    let spec = MachineSpec { hostname: "host".into(), fs, env: BTreeMap::new(), programs: program };
    let machine = Machine::new(&sim, spec);
    let fabric = Fabric::new(&sim);
    machine.set(Rc::new(fabric.host("host")));
    Engine::start(EngineConfig {
        kind: EngineKind::Docker,
        machine: machine.clone(),
        fabric,
        registries: Registries::new(images::IMAGES),
        programs: program,
    });
    let init = machine.spawn(Command::new(["sleep", "1000000"])).unwrap();
    assert_eq!(init.pid(), 1);
    (sim, machine)
}

fn play(script: &str) -> String {
    let (sim, machine) = machine();
    let (out, text) = Fd::capture();
    let command = Command::new(["sh", "-c", script]).stdout(out.clone()).stderr(out);
    let child = machine.spawn(command).unwrap();
    sim.advance(sim.now() + Duration::from_secs(600), 10_000_000);
    let mut text = String::from_utf8(text.take()).unwrap();
    match child.status() {
        None => text.push_str("(does not end)\n"),
        Some(status) if status.code() != 0 => text.push_str(&format!("(exit {})\n", status.code())),
        Some(_) => {}
    }
    text
}

fn check(script: &str, want: Expect) {
    want.assert_eq(&play(script));
}

#[test]
fn tables_are_sorted_and_complete() {
    assert!(super::SUBS.is_sorted_by(|a, b| a.name < b.name));
    assert!(super::GROUPED.is_sorted_by(|a, b| (a.0, a.1) < (b.0, b.1)));
    for sub in super::SUBS.iter().chain(super::GROUPED.iter().map(|(.., sub)| sub)) {
        assert!(sub.usage.starts_with(sub.name), "{}", sub.name);
        assert!(!sub.short.is_empty());
        assert!(super::help::of(sub).starts_with("Usage:  docker "));
    }
}

#[test]
fn hello_world() {
    check(
        "docker run hello-world | head -4; docker ps; docker ps -a | cut -c16-110",
        expect![[r#"
            Unable to find image 'hello-world:latest' locally
            latest: Pulling from library/hello-world
            74498dbce193: Pulling fs layer
            74498dbce193: Download complete
            74498dbce193: Pull complete
            Digest: sha256:18e06371c0486f87e3ed10cd2042a0ed34a8fedbf074ea4847190c17b99cc50a
            Status: Downloaded newer image for hello-world:latest

            Hello from Docker!
            This message shows that your installation works.

            CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     NAMES
            IMAGE         COMMAND    CREATED                  STATUS                              PORTS    
            hello-world   "/hello"   Less than a second ago   Exited (0) Less than a second ago            
        "#]],
    );
}

#[test]
fn a_container_from_run_to_rm() {
    check(
        "docker pull -q nginx:1.25; docker run -d --name web -p 8080:80 nginx:1.25 | wc -c; sleep 5
         docker ps --format '{{.Names}} {{.Image}} {{.Status}} {{.Ports}}'
         docker exec web hostname | wc -c; docker exec web sh -c 'exit 3'; echo $?
         docker exec web nosuch; echo $?; docker rm web; docker stop web; docker ps -q | wc -l
         docker inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.Config.StopSignal}}' web
         docker start web; docker restart web; docker port web
         docker kill web; docker rm -f web; docker rm web; echo $?",
        expect![[r#"
            docker.io/library/nginx:1.25
            65
            web nginx:1.25 Up 5 seconds 0.0.0.0:8080->80/tcp
            13
            3
            OCI runtime exec failed: exec failed: unable to start container process: exec: "nosuch": executable file not found in $PATH: unknown
            127
            Error response from daemon: cannot remove container "web": container is running: stop the container before removing or force remove
            web
            0
            exited 0 SIGQUIT
            web
            web
            80/tcp -> 0.0.0.0:8080
            web
            web
            Error response from daemon: No such container: web
            1
        "#]],
    );
}

#[test]
fn what_is_wrong_is_told_in_dockers_words() {
    check(
        "docker foo; docker rm; docker ps --nope; docker run nosuch/image; echo $?
         docker pull nginx:nosuch; docker run BAD; docker logs nope; docker build .
         docker run --rm busybox nosuch; echo $?; docker run -it busybox; docker inspect nope",
        expect![[r#"
            docker: unknown command: docker foo

            Run 'docker --help' for more information
            docker: 'docker rm' requires at least 1 argument

            Usage:  docker rm [OPTIONS] CONTAINER [CONTAINER...]

            Run 'docker rm --help' for more information
            unknown flag: --nope

            Usage:  docker ps [OPTIONS]

            Run 'docker ps --help' for more information
            Unable to find image 'nosuch/image:latest' locally
            docker: Error response from daemon: pull access denied for nosuch/image, repository does not exist or may require 'docker login': denied: requested access to the resource is denied

            Run 'docker run --help' for more information
            125
            Error response from daemon: manifest for nginx:nosuch not found: manifest unknown: manifest unknown
            docker: invalid reference format: repository name (library/BAD) must be lowercase

            Run 'docker run --help' for more information
            Error response from daemon: No such container: nope
            docker build is not simulated in this sandbox.
            Unable to find image 'busybox:latest' locally
            latest: Pulling from library/busybox
            a5cbda684d79: Pulling fs layer
            a5cbda684d79: Download complete
            a5cbda684d79: Pull complete
            Digest: sha256:45c239b57f42930f45139a3155140ca2dea6da33326607a58b80b473dec169b7
            Status: Downloaded newer image for busybox:latest
            docker: Error response from daemon: failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: "nosuch": executable file not found in $PATH: unknown

            Run 'docker run --help' for more information
            127
            the input device is not a TTY
            []
            error: no such object: nope
            (exit 1)
        "#]],
    );
}

#[test]
fn images_are_listed_tagged_and_removed() {
    check(
        "docker pull busybox:1.36 | cut -c1-60; docker images --format '{{.Repository}}:{{.Tag}} {{.Size}}'
         docker tag busybox:1.36 me/box:1; docker push -q me/box:1; docker rmi busybox:1.36
         docker run --name x me/box:1 echo hi; docker rmi me/box:1 | cut -c1-40; docker rm x
         docker rmi me/box:1 | cut -c1-30; docker images; docker run --rm me/box:1 echo again 2>/dev/null",
        expect![[r#"
            1.36: Pulling from library/busybox
            a5cbda684d79: Pulling fs layer
            a5cbda684d79: Download complete
            a5cbda684d79: Pull complete
            Digest: sha256:45c239b57f42930f45139a3155140ca2dea6da3332660
            Status: Downloaded newer image for busybox:1.36
            docker.io/library/busybox:1.36
            busybox:1.36 4.26MB
            docker.io/me/box:1
            Untagged: busybox:1.36
            hi
            Error response from daemon: conflict: unable to remove repository reference "me/box:1" (must force) - container 64cb93cac2fc is using its referenced image 3bf086660241
            x
            Untagged: me/box:1
            Untagged: busybox@sha256:45c23
            Deleted: sha256:3bf086660241e0
            Deleted: sha256:a5cbda684d796a
            REPOSITORY   TAG       IMAGE ID   CREATED   SIZE
            again
        "#]],
    );
}

#[test]
fn output_input_and_files() {
    check(
        "docker pull -q busybox >/dev/null
         echo one | docker run -i --rm busybox cat; echo two | docker run -i --rm busybox wc -c
         docker run --rm -e A=1 -w /tmp busybox sh -c 'echo $A; pwd; echo err >&2; exit 7'; echo $?
         docker run -d --name c busybox sh -c 'for i in 1 2 3; do echo line $i; done; sleep 1000' >/dev/null
         sleep 1; docker logs c; docker logs -n 1 c; echo data > /tmp/f; docker cp /tmp/f c:/tmp/g
         docker exec c cat /tmp/g; docker exec c sh -c 'echo back > /tmp/h'; docker cp c:/tmp/h /tmp/h 2>/dev/null; cat /tmp/h
         echo hi | docker exec -i c cat; docker exec -e X=y -w /bin c sh -c 'echo $X; pwd'
         docker top c | cut -c1-20 | head -1; docker stats --no-stream --format '{{.Name}} {{.PIDs}}'
         docker rm -f c; docker network ls --format '{{.Name}} {{.Driver}}'; docker volume ls",
        expect![[r#"
            one
            4
            1
            /tmp
            err
            7
            line 1
            line 2
            line 3
            line 3
            Successfully copied 2.048kB to c:/tmp/g
            data
            back
            hi
            y
            /bin
            UID                 
            c 1
            c
            bridge bridge
            host host
            none null
            DRIVER    VOLUME NAME
        "#]],
    );
}

#[test]
fn a_shell_in_a_container_on_a_terminal() {
    let (sim, machine) = machine();
    let screen = Rc::new(std::cell::RefCell::new(Vec::new()));
    let into = screen.clone();
    let tty = Tty::new("pts/0", 80, 24, Rc::new(move |b| into.borrow_mut().extend_from_slice(b)));
    let fd = || Fd::Tty(tty.clone());
    let command = Command::new(["docker", "run", "-it", "--rm", "--name", "box", "busybox", "sh"]);
    let child = machine.spawn(command.stdin(fd()).stdout(fd()).stderr(fd())).unwrap();
    let run = |secs| sim.advance(sim.now() + Duration::from_secs(secs), 1_000_000);
    run(10);
    for line in ["echo a$((1+1))\r", "exit 4\r"] {
        tty.input(line.as_bytes());
        run(2);
    }
    assert_eq!(child.status().map(|s| s.code()), Some(4));
    let text = String::from_utf8_lossy(&screen.borrow()).into_owned();
    assert!(
        text.contains("busybox: Pull") || text.contains("Pulling from library/busybox"),
        "{text}"
    );
    assert!(text.contains("a2\r\n"), "{text}");
    let engine = Engine::of(&machine).unwrap();
    assert!(engine.containers().is_empty());
}
