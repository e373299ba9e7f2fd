//! `docker inspect`.

use std::rc::Rc;

use super::{
    ANY, Cx, Error, Flag, Offer, Parsed, Sub,
    ago::stamp,
    doc::{Doc, fields, map},
    ps::{image_name, network_names, state_word},
    template::Template,
};
use crate::runtime::{Container, Engine, Image, NetworkMode, RestartPolicy};

const FLAGS: &[Flag] = &[
    Flag::str("format", "", "A Go template").short("f"),
    Flag::bool("size", false, "Sizes, too").short("s"),
    Flag::str("type", "", "Only things of this type: container, image"),
];

/// `docker inspect`
pub const INSPECT: Sub = Sub {
    name: "inspect",
    usage: "inspect [OPTIONS] NAME|ID [NAME|ID...]",
    short: "Show everything about containers and images",
    flags: FLAGS,
    args: (1, ANY),
    run: |cx, parsed| Box::pin(inspect(cx, parsed, "")),
    complete: Offer::Containers,
    ..Sub::EMPTY
};

/// `docker container inspect`
pub const INSPECT_CONTAINER: Sub = Sub {
    name: "container inspect",
    usage: "container inspect [OPTIONS] CONTAINER [CONTAINER...]",
    short: "Show everything about containers",
    run: |cx, parsed| Box::pin(inspect(cx, parsed, "container")),
    ..INSPECT
};

/// `docker image inspect`
pub const INSPECT_IMAGE: Sub = Sub {
    name: "image inspect",
    usage: "image inspect [OPTIONS] IMAGE [IMAGE...]",
    short: "Show everything about images",
    run: |cx, parsed| Box::pin(inspect(cx, parsed, "image")),
    complete: Offer::Images,
    ..INSPECT
};

async fn inspect(cx: Cx, parsed: Parsed, only: &str) -> Result<(), Error> {
    let engine = cx.engine()?;
    let wanted = match parsed.str("type") {
        "" => only,
        given => given,
    };
    let (mut docs, mut missing) = (Vec::new(), Vec::new());
    for name in &parsed.args {
        let container = engine.find(name).ok().filter(|_| wanted != "image");
        let image = engine.images().find(name).filter(|_| wanted != "container");
        match (container, image) {
            (Some(container), _) => docs.push(of_container(&engine, &container)),
            (None, Some(image)) => docs.push(of_image(&engine, &image)),
            (None, None) => missing.push(match wanted {
                "container" => format!("Error response from daemon: No such container: {name}"),
                "image" => format!("Error response from daemon: No such image: {name}"),
                _ => format!("error: no such object: {name}"),
            }),
        }
    }
    print(&cx, parsed.str("format"), docs).await?;
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Error::new(missing.join("\n"))),
    }
}

/// Prints values as `--format` wants them.
pub async fn print(cx: &Cx, format: &str, docs: Vec<Doc>) -> Result<(), Error> {
    if format.is_empty() || format == "json" {
        let list = Doc::List(docs);
        let text = if format == "json" { list.json() } else { list.pretty() };
        cx.print(&format!("{text}\n")).await;
        return Ok(());
    }
    let template = Template::parse(format).map_err(Error::new)?;
    for doc in &docs {
        let text = template.fill(doc).map_err(Error::new)?;
        cx.print(&format!("{text}\n")).await;
    }
    Ok(())
}

fn of_container(engine: &Engine, c: &Rc<Container>) -> Doc {
    let status = c.status();
    let pid = c.process().map_or(0, |p| i64::from(p.pid()));
    let state = fields! {
        "Status": state_word(c),
        "Running": c.is_running(),
        "Paused": false,
        "Restarting": false,
        "OOMKilled": status.oom_killed,
        "Dead": false,
        "Pid": pid,
        "ExitCode": status.exit_code,
        "Error": status.error.clone(),
        "StartedAt": stamp(status.started),
        "FinishedAt": stamp(status.finished),
    };
    fields! {
        "Id": c.id.clone(),
        "Created": stamp(Some(c.created)),
        "Path": c.argv.first().cloned().unwrap_or_default(),
        "Args": c.argv.iter().skip(1).cloned().collect::<Vec<_>>(),
        "State": state,
        "Image": c.image.id.clone(),
        "Name": format!("/{}", c.name.borrow()),
        "RestartCount": u64::from(status.restarts),
        "Driver": "overlay2",
        "Platform": "linux",
        "HostConfig": host_config(c),
        "Mounts": mounts(c),
        "Config": config(c),
        "NetworkSettings": network(engine, c),
    }
}

fn host_config(c: &Container) -> Doc {
    let (policy, retries) = match c.spec.restart {
        RestartPolicy::No => ("no", 0),
        RestartPolicy::Always => ("always", 0),
        RestartPolicy::UnlessStopped => ("unless-stopped", 0),
        RestartPolicy::OnFailure(n) => ("on-failure", n),
    };
    let mode = match &c.spec.network {
        NetworkMode::Bridge => "bridge".to_string(),
        NetworkMode::Named(name, _) => name.clone(),
        NetworkMode::Host => "host".into(),
        NetworkMode::None | NetworkMode::Pod => "none".into(),
        NetworkMode::Container(id) => format!("container:{id}"),
    };
    let binds: Vec<_> = c
        .spec
        .mounts
        .iter()
        .map(|m| {
            let mode = if m.read_only { ":ro" } else { "" };
            format!("{}:{}{mode}", m.source, m.at)
        })
        .collect();
    fields! {
        "Binds": if binds.is_empty() { Doc::Null } else { Doc::from(binds) },
        "NetworkMode": mode,
        "PortBindings": bindings(&c.spec.ports),
        "RestartPolicy": fields! { "Name": policy, "MaximumRetryCount": u64::from(retries) },
        "AutoRemove": c.spec.auto_remove,
        "Privileged": c.spec.privileged,
        "ReadonlyRootfs": c.spec.read_only,
        "Memory": c.spec.memory_limit.unwrap_or(0),
        "NanoCpus": c.spec.cpu_limit.unwrap_or(0) * 1_000_000,
    }
}

fn bindings(ports: &[crate::runtime::PortBinding]) -> Doc {
    Doc::Map(
        ports
            .iter()
            .map(|p| {
                let proto = if p.udp { "udp" } else { "tcp" };
                let ip = p.host_ip.map(|ip| ip.to_string()).unwrap_or_default();
                let binding = fields! { "HostIp": ip, "HostPort": p.host_port.to_string() };
                (format!("{}/{proto}", p.port), Doc::List(vec![binding]))
            })
            .collect(),
    )
}

fn mounts(c: &Container) -> Doc {
    let list = c.spec.mounts.iter().map(|m| match m.volume {
        true => fields! {
            "Type": "volume",
            "Name": m.source.clone(),
            "Source": format!("/var/lib/docker/volumes/{}/_data", m.source),
            "Destination": m.at.clone(),
            "Driver": "local",
            "Mode": "z",
            "RW": !m.read_only,
            "Propagation": "",
        },
        false => fields! {
            "Type": "bind",
            "Source": m.source.clone(),
            "Destination": m.at.clone(),
            "Mode": if m.read_only { "ro" } else { "" },
            "RW": !m.read_only,
            "Propagation": "rprivate",
        },
    });
    Doc::List(list.collect())
}

fn config(c: &Container) -> Doc {
    let env: Vec<_> = c.machine.env().iter().map(|(k, v)| format!("{k}={v}")).collect();
    let exposed: Vec<_> =
        c.image.config.exposed.iter().map(|p| (p.clone(), Doc::Map(Vec::new()))).collect();
    let list = |words: &Option<Vec<String>>, default: &[String]| match words {
        Some(words) => Doc::from(words.clone()),
        None if default.is_empty() => Doc::Null,
        None => Doc::from(default.to_vec()),
    };
    let image = &c.image.config;
    fields! {
        "Hostname": c.machine.hostname(),
        "User": c.spec.user.clone().unwrap_or_else(|| image.user.clone()),
        "AttachStdin": c.spec.stdin_once,
        "Tty": c.spec.tty,
        "OpenStdin": c.spec.stdin,
        "ExposedPorts": Doc::Map(exposed),
        "Env": env,
        "Cmd": list(&c.spec.args, &image.cmd),
        "Image": image_name(c),
        "WorkingDir": c.spec.workdir.clone().unwrap_or_else(|| image.workdir.clone()),
        "Entrypoint": list(&c.spec.entrypoint, &image.entrypoint),
        "Labels": map(c.labels()),
        "StopSignal": format!("SIG{}", image.stop_signal.name()),
    }
}

fn network(engine: &Engine, c: &Container) -> Doc {
    let own = !matches!(c.spec.network, NetworkMode::Container(_) | NetworkMode::Host);
    let address = c.address().filter(|_| own).map(|a| a.to_string()).unwrap_or_default();
    let networks: Vec<_> = network_names(c)
        .into_iter()
        .map(|name| {
            let network = engine.networks().get(&name);
            let gateway =
                network.as_ref().and_then(|n| n.range.nth(1)).filter(|_| !address.is_empty());
            let doc = fields! {
                "NetworkID": network.as_ref().map(|n| n.id.clone()).unwrap_or_default(),
                "Gateway": gateway.map(|g| g.to_string()).unwrap_or_default(),
                "IPAddress": if network.is_some() { address.clone() } else { String::new() },
                "IPPrefixLen": network.as_ref().map_or(0, |n| i64::from(n.range.prefix())),
            };
            (name, doc)
        })
        .collect();
    let bridged = c.spec.network == NetworkMode::Bridge;
    fields! {
        "Ports": bindings(&c.ports()),
        "Gateway": if bridged && !address.is_empty() { "172.17.0.1" } else { "" },
        "IPAddress": if bridged { address } else { String::new() },
        "Networks": Doc::Map(networks),
    }
}

fn of_image(engine: &Engine, image: &Rc<Image>) -> Doc {
    let row = engine.images().list().into_iter().find(|r| r.image.id == image.id);
    let (tags, digests) = row.map_or((Vec::new(), Vec::new()), |r| (r.tags, r.digests));
    let config = &image.config;
    let exposed: Vec<_> =
        config.exposed.iter().map(|p| (p.clone(), Doc::Map(Vec::new()))).collect();
    let list = |words: &[String]| match words.is_empty() {
        true => Doc::Null,
        false => Doc::from(words.to_vec()),
    };
    fields! {
        "Id": image.id.clone(),
        "RepoTags": tags,
        "RepoDigests": digests,
        "Created": stamp(Some(image.created)),
        "Config": fields! {
            "User": config.user.clone(),
            "ExposedPorts": Doc::Map(exposed),
            "Env": config.env.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>(),
            "Cmd": list(&config.cmd),
            "WorkingDir": config.workdir.clone(),
            "Entrypoint": list(&config.entrypoint),
            "Labels": map(config.labels.clone()),
            "StopSignal": format!("SIG{}", config.stop_signal.name()),
        },
        "Architecture": "amd64",
        "Os": "linux",
        "Size": image.size(),
        "RootFS": fields! {
            "Type": "layers",
            "Layers": image.layers.iter().map(|l| l.digest.to_string()).collect::<Vec<_>>(),
        },
    }
}
