//! The flags of `docker run` and `docker create`, and the container they describe.

use std::{net::Ipv4Addr, rc::Rc};

use super::{Cx, Error, Flag, Parsed};
use crate::{
    machine::fs::{Fs, Who},
    runtime::{ContainerSpec, Engine, Mount, NetworkMode, PortBinding, RestartPolicy},
};

/// Flags that both have.
pub const FLAGS: &[Flag] = &[
    Flag::str("cpus", "", "How many processors it may use"),
    Flag::bool("detach", false, "Run in the background and print the id").short("d"),
    Flag::str("entrypoint", "", "In place of the image's entrypoint"),
    Flag::array("env", "Set a variable").short("e"),
    Flag::array("env-file", "Set the variables that a file lists"),
    Flag::array("expose", "Ports it listens on (told only)"),
    Flag::str("hostname", "", "Its host name").short("h"),
    Flag::bool("interactive", false, "Keep standard input open").short("i"),
    Flag::array("label", "Set a label").short("l"),
    Flag::str("memory", "", "How much memory it may use").short("m"),
    Flag::str("name", "", "Its name"),
    Flag::str("network", "default", "Its network"),
    Flag::array("publish", "Make a port of it reachable on this machine").short("p"),
    Flag::bool("publish-all", false, "Make all exposed ports reachable, anywhere").short("P"),
    Flag::bool("privileged", false, "Let it do everything"),
    Flag::str("pull", "missing", "When to pull: always, missing, never"),
    Flag::bool("quiet", false, "Don't show how a pull goes").short("q"),
    Flag::bool("read-only", false, "Its root file system can't be written"),
    Flag::str(
        "restart",
        "no",
        "What is done when it exits: no, on-failure[:n], always, unless-stopped",
    ),
    Flag::bool("rm", false, "Remove it when it exits"),
    Flag::bool("tty", false, "Give it a terminal").short("t"),
    Flag::str("user", "", "Who it runs as").short("u"),
    Flag::array("volume", "Mount a path of this machine, or a volume").short("v"),
    Flag::str("workdir", "", "Its working directory").short("w"),
];

fn wrong(flag: &str, value: &str, why: &str) -> Error {
    Error { text: format!("invalid argument \"{value}\" for \"{flag}\" flag: {why}"), code: 125 }
}

/// What the flags say.
pub fn spec(cx: &Cx, engine: &Engine, parsed: &Parsed) -> Result<ContainerSpec, Error> {
    let rest = parsed.args.get(1..).unwrap_or_default();
    let text = |name: &str| Some(parsed.str(name).to_string()).filter(|t| !t.is_empty());
    let interactive = parsed.bool("interactive");
    let mut spec = ContainerSpec {
        name: parsed.str("name").to_string(),
        image_name: parsed.args[0].clone(),
        entrypoint: parsed
            .changed("entrypoint")
            .then(|| text("entrypoint").into_iter().collect::<Vec<_>>()),
        args: (!rest.is_empty()).then(|| rest.to_vec()),
        env: env(cx, parsed)?,
        workdir: text("workdir"),
        user: text("user"),
        hostname: text("hostname"),
        labels: parsed
            .list("label")
            .iter()
            .map(|l| l.split_once('=').unwrap_or((l, "")))
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .collect(),
        tty: parsed.bool("tty"),
        stdin: interactive,
        stdin_once: interactive && !parsed.bool("detach"),
        memory_limit: match parsed.str("memory") {
            "" => None,
            given => Some(bytes(given).ok_or_else(|| {
                wrong("-m, --memory", given, &format!("invalid size: '{given}'"))
            })?),
        },
        cpu_limit: match parsed.str("cpus") {
            "" => None,
            given => Some(given.parse::<f64>().ok().filter(|c| c.is_finite()).map_or_else(
                || {
                    Err(wrong(
                        "--cpus",
                        given,
                        &format!("failed to parse {given} as a rational number"),
                    ))
                },
                |cpus| Ok((cpus * 1000.0) as u64),
            )?),
        },
        network: match parsed.str("network") {
            "default" | "bridge" | "" => NetworkMode::Bridge,
            "host" => NetworkMode::Host,
            "none" => NetworkMode::None,
            other => match other.strip_prefix("container:") {
                Some(name) => NetworkMode::Container(engine.find(name)?.id.clone()),
                None => NetworkMode::Named(other.to_string(), None),
            },
        },
        restart: restart(parsed.str("restart"))?,
        auto_remove: parsed.bool("rm"),
        read_only: parsed.bool("read-only"),
        ..ContainerSpec::default()
    };
    if spec.auto_remove && spec.restart != RestartPolicy::No {
        return Err(Error {
            text: "conflicting options: cannot specify both --restart and --rm".into(),
            code: 125,
        });
    }
    for given in parsed.list("publish") {
        spec.ports.push(port(given)?);
    }
    for given in parsed.list("volume") {
        spec.mounts.push(mount(cx, engine, given)?);
    }
    Ok(spec)
}

fn env(cx: &Cx, parsed: &Parsed) -> Result<Vec<(String, String)>, Error> {
    let mut lines = Vec::new();
    for path in parsed.list("env-file") {
        let text = cx.proc.read_text(path);
        let text = text.map_err(|error| Error {
            text: format!("docker: open {path}: {}", error.to_string().to_lowercase()),
            code: 125,
        })?;
        let kept = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
        lines.extend(kept.map(str::to_string));
    }
    lines.extend(parsed.list("env").iter().cloned());
    let pair = |line: String| match line.split_once('=') {
        Some((k, v)) => Some((k.to_string(), v.to_string())),
        None => cx.proc.env(&line).map(|value| (line, value)),
    };
    Ok(lines.into_iter().filter_map(pair).collect())
}

fn restart(given: &str) -> Result<RestartPolicy, Error> {
    let (name, count) = given.split_once(':').unwrap_or((given, "0"));
    match (name, count.parse()) {
        ("" | "no", _) => Ok(RestartPolicy::No),
        ("always", _) => Ok(RestartPolicy::Always),
        ("unless-stopped", _) => Ok(RestartPolicy::UnlessStopped),
        ("on-failure", Ok(count)) => Ok(RestartPolicy::OnFailure(count)),
        ("on-failure", Err(_)) => Err(Error {
            text: "docker: invalid restart policy format: maximum retry count must be an integer"
                .into(),
            code: 125,
        }),
        _ => Err(Error {
            text: format!(
                "docker: Error response from daemon: invalid restart policy: unknown policy \
                 '{name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
            ),
            code: 125,
        }),
    }
}

/// `[ip:][port:]port[/proto]`
fn port(given: &str) -> Result<PortBinding, Error> {
    let bad = |port: &str| wrong("-p, --publish", given, &format!("invalid containerPort: {port}"));
    let (ports, proto) = given.rsplit_once('/').unwrap_or((given, "tcp"));
    if !matches!(proto, "tcp" | "udp") {
        return Err(wrong("-p, --publish", given, &format!("invalid proto: {proto}")));
    }
    let mut parts: Vec<&str> = ports.split(':').collect();
    let inner = parts.pop().unwrap_or_default();
    let port = inner.parse().ok().filter(|p| *p > 0).ok_or_else(|| bad(inner))?;
    let host = parts.pop().unwrap_or_default();
    let host_port = match host {
        "" => 0,
        text => text
            .parse()
            .map_err(|_| wrong("-p, --publish", given, &format!("invalid hostPort: {text}")))?,
    };
    let host_ip = match parts.pop() {
        None | Some("" | "0.0.0.0") => None,
        Some(ip) => Some(
            ip.parse::<Ipv4Addr>()
                .map_err(|_| wrong("-p, --publish", given, &format!("invalid IP address: {ip}")))?,
        ),
    };
    Ok(PortBinding { host_ip, host_port, port, udp: proto == "udp" })
}

/// Named volumes of an engine, hung on its machine.
#[derive(Default)]
pub struct Volumes(std::cell::RefCell<std::collections::BTreeMap<String, Rc<Fs>>>);

impl Volumes {
    /// The volumes of a machine's engine.
    pub fn of(machine: &Rc<crate::machine::Machine>) -> Rc<Volumes> {
        machine.get::<Volumes>().unwrap_or_else(|| {
            let volumes = Rc::new(Volumes::default());
            machine.set(volumes.clone());
            volumes
        })
    }

    /// A volume, made if it is not there.
    pub fn get(&self, name: &str, now: crate::sim::Time) -> Rc<Fs> {
        let mut volumes = self.0.borrow_mut();
        volumes.entry(name.to_string()).or_insert_with(|| Fs::new(now)).clone()
    }

    /// Their names, sorted.
    pub fn names(&self) -> Vec<String> {
        self.0.borrow().keys().cloned().collect()
    }
}

fn mount(cx: &Cx, engine: &Engine, given: &str) -> Result<Mount, Error> {
    let parts: Vec<&str> = given.split(':').collect();
    let (source, at, options) = match parts.as_slice() {
        [at] => (None, *at, ""),
        [source, at] => (Some(*source), *at, ""),
        [source, at, options] => (Some(*source), *at, *options),
        _ => {
            let text = format!(
                "docker: Error response from daemon: invalid volume specification: '{given}'"
            );
            return Err(Error { text, code: 125 });
        }
    };
    if !at.starts_with('/') {
        let text = format!(
            "docker: Error response from daemon: invalid volume specification: '{given}': invalid \
             mount config for type \"volume\": invalid mount path: '{at}' mount path must be \
             absolute"
        );
        return Err(Error { text, code: 125 });
    }
    let read_only = options.split(',').any(|o| o == "ro");
    let now = cx.proc.sim().now();
    let machine = cx.proc.machine();
    let of_machine = source.filter(|s| s.starts_with(['/', '.', '~']));
    if let Some(path) = of_machine {
        let path = cx.proc.resolve(path);
        let files = machine.files();
        if files.stat(&path, Who::ROOT).is_err() {
            let mut dir = String::new();
            for part in path.split('/').filter(|p| !p.is_empty()) {
                dir = format!("{dir}/{part}");
                let _ = files.make_dir(&dir, 0o755, Who::ROOT);
            }
        }
        let (place, _) = files.locate(&path, true, Who::ROOT).map_err(|error| Error {
            text: format!("docker: Error response from daemon: {path}: {error}"),
            code: 125,
        })?;
        let read_only = read_only || place.read_only;
        return Ok(Mount {
            at: at.into(),
            fs: place.fs,
            sub: place.path,
            read_only,
            source: path,
            volume: false,
        });
    }
    let name = match source {
        Some(name) => name.to_string(),
        None => crate::runtime::digest::random64(engine.sim()),
    };
    let fs = Volumes::of(machine).get(&name, now);
    Ok(Mount { at: at.into(), fs, sub: String::new(), read_only, source: name, volume: true })
}

/// `512m`, `1g`
fn bytes(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let number = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &lower[number.len()..] {
        "" | "b" => 1.0,
        "k" | "kb" | "kib" => 1024.0,
        "m" | "mb" | "mib" => 1024.0 * 1024.0,
        "g" | "gb" | "gib" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    number.parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0).map(|n| (n * factor) as u64)
}
