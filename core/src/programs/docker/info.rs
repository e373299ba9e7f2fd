//! `docker version`, `info`, `port`, `system df`.

use super::{
    Cx, Error, Flag, Offer, Parsed, Sub,
    ago::{binary, size},
    doc::{Doc, fields},
    filter::{Columns, rows},
    template::Template,
    version,
};
use crate::machine::{KERNEL, MemoryTotal};

/// The build that `--version` tells.
pub const BUILD: &str = "e180ab8";
const API: &str = "1.51";

/// `docker version`
pub const VERSION: Sub = Sub {
    name: "version",
    usage: "version [OPTIONS]",
    short: "Show versions",
    flags: &[Flag::str("format", "", "A Go template, or 'json'").short("f")],
    run: |cx, parsed| Box::pin(show_version(cx, parsed)),
    common: true,
    ..Sub::EMPTY
};

/// `docker info`
pub const INFO: Sub = Sub {
    name: "info",
    usage: "info [OPTIONS]",
    short: "Show what the engine is and has",
    flags: &[Flag::str("format", "", "A Go template, or 'json'").short("f")],
    run: |cx, parsed| Box::pin(info(cx, parsed)),
    common: true,
    ..Sub::EMPTY
};

/// `docker port`
pub const PORT: Sub = Sub {
    name: "port",
    usage: "port CONTAINER [PRIVATE_PORT[/PROTO]]",
    short: "Show the ports of this machine that lead to a container",
    args: (1, 2),
    run: |cx, parsed| Box::pin(port(cx, parsed)),
    complete: Offer::Running,
    ..Sub::EMPTY
};

/// `docker system df`
pub const DF: Sub = Sub {
    name: "system df",
    usage: "system df [OPTIONS]",
    short: "Show how much disk is used",
    flags: &[Flag::str("format", "", "A Go template, 'table TEMPLATE', or 'json'")],
    run: |cx, parsed| Box::pin(df(cx, parsed)),
    ..Sub::EMPTY
};

async fn show(cx: &Cx, format: &str, doc: &Doc) -> Result<bool, Error> {
    match format {
        "" => Ok(false),
        "json" => {
            cx.print(&format!("{}\n", doc.json())).await;
            Ok(true)
        }
        template => {
            let text = Template::parse(template).and_then(|t| t.fill(doc)).map_err(Error::new)?;
            cx.print(&format!("{text}\n")).await;
            Ok(true)
        }
    }
}

async fn show_version(cx: Cx, parsed: Parsed) -> Result<(), Error> {
    let engine = cx.engine();
    let side = fields! {
        "Version": version(), "ApiVersion": API, "GitCommit": BUILD, "Os": "linux", "Arch": "amd64",
    };
    let doc = fields! {
        "Client": side.clone(),
        "Server": if engine.is_ok() { side } else { Doc::Null },
    };
    if show(&cx, parsed.str("format"), &doc).await? {
        return Ok(());
    }
    let mut text = format!(
        "Client:\n Version:           {0}\n API version:       {API}\n Git commit:        {BUILD}\n \
         OS/Arch:           linux/amd64\n Context:           default\n",
        version()
    );
    if engine.is_ok() {
        text.push_str(&format!(
            "\nServer:\n Engine:\n  Version:          {0}\n  API version:      {API} (minimum \
             version 1.24)\n  Git commit:       {BUILD}\n  OS/Arch:          linux/amd64\n",
            version()
        ));
    }
    cx.print(&text).await;
    engine.map(drop)
}

async fn info(cx: Cx, parsed: Parsed) -> Result<(), Error> {
    let engine = cx.engine()?;
    let all = engine.containers();
    let running = all.iter().filter(|c| c.is_running()).count();
    let images = engine.images().list().len();
    let machine = cx.proc.machine();
    let memory = machine.get::<MemoryTotal>().map_or(8 << 30, |m| m.0);
    let name = machine.hostname();
    let doc = fields! {
        "Containers": all.len() as u64,
        "ContainersRunning": running as u64,
        "ContainersPaused": 0_u64,
        "ContainersStopped": (all.len() - running) as u64,
        "Images": images as u64,
        "Driver": "overlay2",
        "CgroupDriver": "systemd",
        "KernelVersion": KERNEL,
        "OSType": "linux",
        "Architecture": "x86_64",
        "MemTotal": memory,
        "Name": name.clone(),
        "ServerVersion": version(),
    };
    if show(&cx, parsed.str("format"), &doc).await? {
        return Ok(());
    }
    cx.print(&format!(
        "Client:\n Version:    {0}\n Context:    default\n\nServer:\n Containers: {1}\n  Running: \
         {running}\n  Paused: 0\n  Stopped: {2}\n Images: {images}\n Server Version: {0}\n Storage \
         Driver: overlay2\n Logging Driver: json-file\n Cgroup Driver: systemd\n Cgroup Version: \
         2\n Kernel Version: {KERNEL}\n OSType: linux\n Architecture: x86_64\n Total Memory: {3}\n \
         Name: {name}\n Docker Root Dir: /var/lib/docker\n",
        version(),
        all.len(),
        all.len() - running,
        binary(memory)
    ))
    .await;
    Ok(())
}

async fn port(cx: Cx, parsed: Parsed) -> Result<(), Error> {
    let engine = cx.engine()?;
    let container = engine.find(&parsed.args[0])?;
    let wanted = parsed.args.get(1).map(|w| w.split_once('/').unwrap_or((w, "tcp")));
    let mut found = false;
    for p in container.ports() {
        let proto = if p.udp { "udp" } else { "tcp" };
        let ip = p.host_ip.map_or("0.0.0.0".to_string(), |ip| ip.to_string());
        let line = match wanted {
            None => format!("{}/{proto} -> {ip}:{}\n", p.port, p.host_port),
            Some((port, of)) if port == p.port.to_string() && of == proto => {
                format!("{ip}:{}\n", p.host_port)
            }
            Some(_) => continue,
        };
        found = true;
        cx.print(&line).await;
    }
    match wanted {
        Some((port, proto)) if !found => Err(Error::new(format!(
            "Error: No public port '{port}/{proto}' published for {}",
            parsed.args[0]
        ))),
        _ => Ok(()),
    }
}

async fn df(cx: Cx, parsed: Parsed) -> Result<(), Error> {
    const COLUMNS: Columns = &[
        ("TYPE", "Type"),
        ("TOTAL", "TotalCount"),
        ("ACTIVE", "Active"),
        ("SIZE", "Size"),
        ("RECLAIMABLE", "Reclaimable"),
    ];
    let engine = cx.engine()?;
    let containers = engine.containers();
    let images = engine.images().list();
    let (mut layers, mut used) =
        (std::collections::BTreeMap::new(), std::collections::BTreeSet::new());
    for row in &images {
        for layer in &row.image.layers {
            layers.insert(layer.digest.clone(), layer.size);
            if containers.iter().any(|c| c.image.id == row.image.id) {
                used.insert(layer.digest.clone());
            }
        }
    }
    let total: u64 = layers.values().sum();
    let free: u64 = layers.iter().filter(|(d, _)| !used.contains(*d)).map(|(_, s)| s).sum();
    let active = images.iter().filter(|r| containers.iter().any(|c| c.image.id == r.image.id));
    let percent = |part: u64| (part * 100).checked_div(total).unwrap_or(0);
    let running = containers.iter().filter(|c| c.is_running()).count();
    let volumes = super::run_flags::Volumes::of(cx.proc.machine()).names();
    let row = |kind: &str, count: usize, active: usize, size: String, free: String| {
        fields! {
            "Active": active.to_string(), "Reclaimable": free, "Size": size,
            "TotalCount": count.to_string(), "Type": kind,
        }
    };
    let docs = [
        row(
            "Images",
            images.len(),
            active.count(),
            size(total),
            format!("{} ({}%)", size(free), percent(free)),
        ),
        row("Containers", containers.len(), running, "0B".into(), "0B".into()),
        row("Local Volumes", volumes.len(), volumes.len(), "0B".into(), "0B".into()),
        row("Build Cache", 0, 0, "0B".into(), "0B".into()),
    ];
    cx.print(&rows(parsed.str("format"), COLUMNS, COLUMNS, &docs)?).await;
    Ok(())
}
