//! Tests of machines: processes, signals, pipes, files and terminals together.
use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use super::{
    Command, ExitStatus, Fd, FsError, Machine, MachineSpec, Proc, Program, Signal, SpawnError, Tty,
    fs::{Fs, Who},
    pipe,
};
use crate::sim::{Either, Sim, Time, race};

async fn sleeper(proc: Proc) -> i32 {
    proc.sleep(Duration::from_secs(3600)).await;
    0
}

async fn cat(proc: Proc) -> i32 {
    while let Some(line) = proc.read_line().await {
        proc.print(&format!("{line}\n")).await;
    }
    0
}

async fn yes(proc: Proc) -> i32 {
    loop {
        proc.print("y\n").await;
    }
}

async fn polite(proc: Proc) -> i32 {
    match race(proc.signal(), proc.sleep(Duration::from_secs(100))).await {
        Either::Left(Signal::Term) => 7,
        _ => 1,
    }
}

async fn args(proc: Proc) -> i32 {
    proc.print(&format!("{:?}\n", proc.args())).await;
    0
}

static PROGRAMS: &[Program] = &[
    Program { name: "args", summary: "", run: |p| Box::pin(args(p)), complete: None },
    Program { name: "cat", summary: "", run: |p| Box::pin(cat(p)), complete: None },
    Program { name: "polite", summary: "", run: |p| Box::pin(polite(p)), complete: None },
    Program { name: "sleeper", summary: "", run: |p| Box::pin(sleeper(p)), complete: None },
    Program { name: "yes", summary: "", run: |p| Box::pin(yes(p)), complete: None },
];

fn machine() -> (Sim, Rc<Machine>) {
    let sim = Sim::new(1, Time::from_secs(1_000));
    let fs = Fs::new(sim.now());
    fs.add_basics(sim.now());
    for program in PROGRAMS {
        fs.install(&format!("/bin/{}", program.name), program.name, sim.now()).unwrap();
    }
    let spec = MachineSpec {
        hostname: "box".into(),
        fs,
        env: BTreeMap::new(),
        programs: |name| PROGRAMS.iter().find(|p| p.name == name),
    };
    (sim.clone(), Machine::new(&sim, spec))
}

fn run(sim: &Sim, secs: u64) {
    assert!(sim.advance(sim.now() + Duration::from_secs(secs), 1_000_000).reached);
}

#[test]
fn a_pipe_ends_its_writer_when_nobody_reads() {
    let (sim, machine) = machine();
    let (reader, writer) = pipe();
    let child = machine.spawn(Command::new(["yes"]).stdout(Fd::PipeWriter(writer))).unwrap();
    run(&sim, 1);
    assert_eq!(child.status(), None);
    drop(reader);
    run(&sim, 1);
    assert_eq!(child.status(), Some(ExitStatus::Signal(Signal::Pipe)));
    assert_eq!(child.status().unwrap().code(), 141);
}

#[test]
fn data_flows_through_two_processes_to_the_end() {
    let (sim, machine) = machine();
    let (reader, writer) = pipe();
    let (out, captured) = Fd::capture();
    machine.spawn(Command::new(["sleeper"])).unwrap();
    let first = Command::new(["cat"]).stdin(Fd::bytes("a\nb")).stdout(Fd::PipeWriter(writer));
    machine.spawn(first).unwrap();
    let second = Command::new(["/bin/cat"]).stdin(Fd::PipeReader(reader)).stdout(out);
    let second = machine.spawn(second).unwrap();
    run(&sim, 1);
    assert_eq!(second.status(), Some(ExitStatus::Code(0)));
    assert_eq!(*captured.borrow(), b"a\nb\n");
}

#[test]
fn process_one_ignores_what_it_does_not_handle_and_takes_the_others_with_it() {
    let (sim, machine) = machine();
    let first = machine.spawn(Command::new(["sleeper"])).unwrap();
    let second = machine.spawn(Command::new(["polite"])).unwrap();
    let third = machine.spawn(Command::new(["sleeper"])).unwrap();
    assert_eq!((first.pid(), third.pid()), (1, 3));
    run(&sim, 1);
    for child in [&first, &second] {
        child.kill(Signal::Term);
    }
    machine.process(1).unwrap().signal(Signal::Kill, false);
    run(&sim, 1);
    assert_eq!((first.status(), second.status()), (None, Some(ExitStatus::Code(7))));
    first.kill(Signal::Kill);
    assert_eq!(third.status(), Some(ExitStatus::Signal(Signal::Kill)));
    assert!(machine.processes().is_empty());
    assert_eq!(machine.spawn(Command::new(["cat"])).unwrap().pid(), 1);
}

#[test]
fn commands_are_found_as_files_and_scripts() {
    let (sim, machine) = machine();
    let fs = machine.files().root();
    let script = b"#!/bin/args -x\nanything".to_vec();
    fs.write_shared("/bin/script", Rc::new(script), 0o755, sim.now()).unwrap();
    fs.write_shared("/bin/plain", Rc::new(b"echo".to_vec()), 0o755, sim.now()).unwrap();
    fs.write("/bin/data", "x", sim.now()).unwrap();
    let fails = |name: &str| machine.spawn(Command::new([name])).err().unwrap();
    assert_eq!(fails("nothing"), SpawnError::NotOnPath);
    assert_eq!(fails("/bin/nothing"), SpawnError::File(FsError::NotFound));
    assert_eq!(fails("data"), SpawnError::File(FsError::Access));
    assert_eq!(fails("plain"), SpawnError::Format { path: "/bin/plain".into() });
    let (out, captured) = Fd::capture();
    machine.spawn(Command::new(["script", "a"]).stdout(out)).unwrap();
    run(&sim, 1);
    let text = String::from_utf8(captured.take()).unwrap();
    assert_eq!(text, "[\"/bin/args\", \"-x\", \"/bin/script\", \"a\"]\n");
}

#[test]
fn copies_of_a_tree_share_until_written_and_mounts_hide_what_is_below() {
    let (sim, machine) = machine();
    let (files, root, now) = (machine.files(), Who::ROOT, sim.now());
    let copy = files.root().copy();
    files.write("/tmp/a", b"1", 0o644, root).unwrap();
    assert_eq!(copy.get("/tmp/a").err(), Some(FsError::NotFound));
    let volume = Fs::new(now);
    volume.write("/sub/f", "volume", now).unwrap();
    files.mount("/mnt/v", volume.clone(), "/sub", false);
    files.mount("/etc/one", volume.clone(), "/sub/f", true);
    assert_eq!(*files.read("/mnt/v/f", root).unwrap(), b"volume");
    assert_eq!(files.write("/etc/one", b"", 0o644, root), Err(FsError::ReadOnly));
    files.write("/mnt/v/g", b"new", 0o644, root).unwrap();
    assert!(volume.get("/sub/g").is_ok());
    assert_eq!(files.rename("/mnt/v/g", "/tmp/g", root), Err(FsError::CrossDevice));
    assert_eq!(files.remove("/etc/one", root), Err(FsError::Busy));
    files.symlink("/tmp/l", "../mnt/v/../v/f", root).unwrap();
    assert_eq!(files.real_path("/tmp/l", root).unwrap(), "/mnt/v/f");
    files.symlink("/tmp/loop", "loop", root).unwrap();
    assert_eq!(files.stat("/tmp/loop", root).err(), Some(FsError::Loop));
    assert_eq!(files.write("/root.txt", b"", 0o644, Who { uid: 5, gid: 5 }), Err(FsError::Access));
    assert!(files.list("/proc", root).is_ok());
}

#[test]
fn a_terminal_edits_lines_and_interrupts() {
    let (sim, machine) = machine();
    let screen = Rc::new(RefCell::new(Vec::new()));
    let into = screen.clone();
    let tty = Tty::new("pts/0", 80, 24, Rc::new(move |b| into.borrow_mut().extend_from_slice(b)));
    machine.spawn(Command::new(["sleeper"])).unwrap();
    let fd = || Fd::Tty(tty.clone());
    let command = Command::new(["cat"]).stdin(fd()).stdout(fd()).stderr(fd());
    let child = machine.spawn(command).unwrap();
    tty.input("axé\x7f\x7fb\r".as_bytes());
    run(&sim, 1);
    tty.input(b"half\x03");
    run(&sim, 1);
    assert_eq!(child.status(), Some(ExitStatus::Signal(Signal::Int)));
    let text = String::from_utf8(screen.take()).unwrap();
    assert_eq!(text, "axé\x08 \x08\x08 \x08b\r\nab\r\nhalf^C");
}

#[test]
fn a_thousand_idle_processes_take_no_steps() {
    let (sim, machine) = machine();
    for _ in 0..1_000 {
        machine.spawn(Command::new(["polite"])).unwrap();
    }
    run(&sim, 1);
    let before = sim.steps();
    run(&sim, 50);
    assert_eq!(sim.steps(), before);
    assert_eq!(machine.processes().len(), 1_000);
}
