//! The learner's own host: its files, its user, its programs.

use std::{collections::BTreeMap, rc::Rc};

use crate::{
    machine::{
        Command, Env, Machine, MachineSpec,
        fs::{Fs, Who},
    },
    programs::PROGRAMS,
    shell::terminal::Login,
    sim::{Sim, Time},
};

/// The host's name.
pub const HOSTNAME: &str = "sandbar";
/// The learner's home.
pub const HOME: &str = "/home/learner";
/// The learner.
pub const LEARNER: Who = Who { uid: 1000, gid: 1000 };

/// Programs of container images only; the host has no business with them.
const NOT_HERE: &[&str] = &["ash", "busybox"];
/// Programs that are installed by hand on a host like this one.
const LOCAL: &[&str] = &["docker", "helm", "kubectl", "minikube"];

/// Builds the host and starts its first process.
pub fn build(sim: &Sim) -> Rc<Machine> {
    let fs = Fs::new(sim.now());
    // Nothing here can fail: the tree is new, and all its directories are made on the way.
    let _ = files(&fs, sim.now());
    let env = BTreeMap::from([("PATH".to_string(), PATH.to_string())]);
    let spec = MachineSpec { hostname: HOSTNAME.into(), fs, env, programs: super::find_program };
    let machine = Machine::new(sim, spec);
    let _ = machine.spawn(Command::new(["/sbin/init"]));
    machine
}

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

fn files(fs: &Rc<Fs>, now: Time) -> Result<(), crate::machine::FsError> {
    for dir in ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/var/log", "/var/tmp", "/opt", "/mnt"] {
        fs.make_dirs(dir, now)?;
    }
    fs.link("/bin", "usr/bin", now)?;
    fs.link("/sbin", "usr/sbin", now)?;
    fs.add_basics(now);
    for program in PROGRAMS.iter().filter(|p| !NOT_HERE.contains(&p.name)) {
        let dir = match program.name {
            "init" => "/usr/sbin",
            name if LOCAL.contains(&name) => "/usr/local/bin",
            _ => "/usr/bin",
        };
        fs.install(&format!("{dir}/{}", program.name), program.name, now)?;
    }
    for (path, target) in
        [("/usr/bin/sh", "dash"), ("/usr/bin/code", "edit"), ("/usr/bin/vim", "vi")]
    {
        fs.link(path, target, now)?;
    }
    for (path, text) in [
        ("/etc/hostname", "sandbar\n"),
        (
            "/etc/hosts",
            "127.0.0.1\tlocalhost\n127.0.1.1\tsandbar\n\n::1\tip6-localhost ip6-loopback\n",
        ),
        (
            "/etc/passwd",
            "root:x:0:0:root:/root:/bin/bash\n\
             nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n\
             learner:x:1000:1000:Learner:/home/learner:/bin/bash\n",
        ),
        ("/etc/group", "root:x:0:\ndocker:x:999:learner\nnogroup:x:65534:\nlearner:x:1000:\n"),
        ("/etc/os-release", "PRETTY_NAME=\"Sandbar (simulated)\"\nNAME=\"Sandbar\"\nID=sandbar\n"),
        ("/root/.bashrc", "alias ll='ls -l'\n"),
        ("/home/learner/.bashrc", "alias ll='ls -alF'\nalias la='ls -A'\nalias k=kubectl\n"),
    ] {
        fs.write(path, text, now)?;
    }
    fs.update("/root", |node| node.mode = 0o700)?;
    for path in [HOME, "/home/learner/.bashrc"] {
        fs.update(path, |node| (node.uid, node.gid) = (LEARNER.uid, LEARNER.gid))?;
    }
    Ok(())
}

/// How a window on the host begins.
pub fn login() -> Login {
    let env: BTreeMap<String, String> = [
        ("HOME", HOME),
        ("USER", "learner"),
        ("LOGNAME", "learner"),
        ("SHELL", "/bin/bash"),
        ("TERM", "xterm-256color"),
        ("LANG", "C.UTF-8"),
        ("PATH", PATH),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_string(), value.to_string()))
    .collect();
    Login { argv: vec!["bash".into()], env: Env::new(env), cwd: HOME.into(), who: LEARNER }
}
