//! `/proc`: a tree that is made from the process table when it is looked at.

use std::{collections::BTreeMap, rc::Rc};

use super::{
    Machine, Process,
    fs::{Entries, Kind, Node},
};
use crate::sim::Time;

/// Puts `/proc` into a machine's files.
pub(super) fn mount(machine: &Rc<Machine>) {
    let weak = Rc::downgrade(machine);
    machine.files().mount_synthetic(
        "/proc",
        Rc::new(move || match weak.upgrade() {
            Some(machine) => tree(&machine),
            None => node(Kind::Dir(BTreeMap::new()), Time::default()),
        }),
    );
}

fn node(kind: Kind, now: Time) -> Rc<Node> {
    let mode = match kind {
        Kind::Dir(_) => 0o555,
        Kind::Link(_) => 0o777,
        _ => 0o444,
    };
    Rc::new(Node { mode, uid: 0, gid: 0, mtime: now, ino: 1, kind })
}

fn tree(machine: &Machine) -> Rc<Node> {
    let now = machine.sim().now();
    let uptime = now.since(machine.started()).as_secs_f64();
    let total_kib = machine.get::<MemoryTotal>().map_or(8 << 20, |m| m.0 / 1024);
    let used_kib = machine.memory() / 1024;
    let mounts = machine.files().mount_points();
    let mounts: String = mounts
        .iter()
        .map(|(at, read_only)| {
            let (kind, flags) = match (at.as_str(), read_only) {
                ("/proc", _) => ("proc", "rw,nosuid,nodev,noexec,relatime"),
                (_, true) => ("overlay", "ro,relatime"),
                _ => ("overlay", "rw,relatime"),
            };
            format!("{kind} {at} {kind} {flags} 0 0\n")
        })
        .collect();
    let files = [
        ("cpuinfo", "processor\t: 0\nmodel name\t: simulated\n\n".to_string()),
        (
            "meminfo",
            format!(
                "MemTotal:       {total_kib:>8} kB\nMemFree:        {0:>8} kB\nMemAvailable:   {0:>8} kB\n",
                total_kib.saturating_sub(used_kib)
            ),
        ),
        ("uptime", format!("{uptime:.2} {uptime:.2}\n")),
        ("loadavg", "0.00 0.00 0.00 1/1 1\n".to_string()),
        ("version", format!("Linux version {KERNEL} (simulated)\n")),
        ("mounts", mounts),
    ];
    let mut root: Entries = files
        .into_iter()
        .map(|(name, text)| (Rc::from(name), node(Kind::File(Rc::new(text.into())), now)))
        .collect();
    let hostname = format!("{}\n", machine.hostname());
    let kernel = [("hostname", hostname), ("osrelease", format!("{KERNEL}\n"))];
    let kernel = kernel
        .into_iter()
        .map(|(name, text)| (Rc::from(name), node(Kind::File(Rc::new(text.into())), now)))
        .collect();
    let sys = Entries::from([(Rc::from("kernel"), node(Kind::Dir(kernel), now))]);
    root.insert("sys".into(), node(Kind::Dir(sys), now));
    for process in machine.processes() {
        root.insert(process.pid.to_string().into(), process_dir(&process));
    }
    node(Kind::Dir(root), now)
}

/// What `uname -r` says everywhere.
pub const KERNEL: &str = "6.8.0-sandbar";

/// How much memory a machine has, in bytes; hung on a [`Machine`] by whoever builds it.
pub struct MemoryTotal(pub u64);

fn process_dir(process: &Process) -> Rc<Node> {
    let nul = |parts: &mut dyn Iterator<Item = String>| {
        parts.flat_map(|part| [part.into_bytes(), vec![0]].concat()).collect::<Vec<u8>>()
    };
    let who = process.who.get();
    let uid = who.uid;
    let status = format!(
        "Name:\t{}\nState:\tS (sleeping)\nPid:\t{}\nPPid:\t{}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n\
         VmRSS:\t{:>8} kB\n",
        process.comm(),
        process.pid,
        process.parent.get(),
        process.memory() / 1024,
    );
    let stat = format!(
        "{} ({}) S {} {} 0 0 -1 0 0 0 0 0 {} 0 0 0 20 0 1 0 0 0 0\n",
        process.pid,
        process.comm(),
        process.parent.get(),
        process.group.get(),
        process.cpu_micros() / 10_000,
    );
    let files = [
        ("cmdline", nul(&mut process.args().iter().cloned())),
        ("comm", format!("{}\n", process.comm()).into_bytes()),
        ("environ", nul(&mut process.env().iter().map(|(k, v)| format!("{k}={v}")))),
        ("stat", stat.into_bytes()),
        ("status", status.into_bytes()),
    ];
    let start = process.start;
    let mut dir: Entries = files
        .into_iter()
        .map(|(name, text)| (Rc::from(name), node(Kind::File(Rc::new(text)), start)))
        .collect();
    dir.insert("cwd".into(), node(Kind::Link(process.cwd()), start));
    node(Kind::Dir(dir), start)
}
