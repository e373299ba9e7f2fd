//! The example driver of devices: it offers made-up GPUs of its node and tells containers by variables
//! which of them they got.
//!
//! It works as a driver does: it registers with the kubelet by a socket in the node's directory, offers
//! its devices as a resource slice through the API with the token of its pod ([`api`]), and when the
//! kubelet asks, writes into a CDI file what a container is to have of a device ([`prepare`]).
//!
//! Models `kubernetes-sigs/dra-example-driver` v0.2.0 (`cmd/dra-example-kubeletplugin`). Not simulated:
//! its health checks, which need gRPC.

mod api;
mod prepare;

use std::time::Duration;

use serde_json::{Value, json};

use super::super::{ImageDef, LayerDef};
use super::base::DEBIAN_LAYER;
use crate::{
    machine::{Proc, Program, Signal, socket},
    sim::{Time, race},
};
use api::Api;

/// The driver's name.
const DRIVER: &str = "gpu.example.com";
/// How long until slices are published again after a failure; it doubles up to [`LONGEST`].
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// `dra-example-kubeletplugin`
pub const PROGRAM: Program = Program {
    name: "dra-example-kubeletplugin",
    summary: "offers made-up GPUs of its node",
    run: |proc| Box::pin(run(proc)),
    complete: None,
};

pub static IMAGE: ImageDef = ImageDef {
    repository: "registry.k8s.io/dra-example-driver/dra-example-driver",
    tags: &["v0.2.0"],
    layers: &[
        DEBIAN_LAYER,
        LayerDef {
            id: "dra-example-driver",
            arg: "v0.2.0",
            size: 58_400_000,
            created_by: "COPY --from=build /artifacts/dra-example-kubeletplugin /usr/bin/ # buildkit",
            build: |cx| {
                cx.program("/usr/bin/dra-example-kubeletplugin", "dra-example-kubeletplugin");
            },
        },
    ],
    cmd: &["dra-example-kubeletplugin"],
    created: Time::from_secs(1_756_300_000),
    ..ImageDef::EMPTY
};

/// What it was told.
struct Settings {
    node: String,
    cdi: String,
    devices: usize,
    registry: String,
    plugins: String,
}

/// A flag's value, or a variable's, or what it is otherwise.
fn setting(proc: &Proc, flag: &str, variable: &str, default: &str) -> String {
    let args = proc.args();
    let named = format!("--{flag}");
    let given = args.iter().enumerate().find_map(|(i, arg)| match arg.split_once('=') {
        Some((name, value)) if name == named => Some(value.to_string()),
        None if *arg == named => args.get(i + 1).cloned(),
        _ => None,
    });
    given.or_else(|| proc.env(variable)).unwrap_or_else(|| default.to_string())
}

impl Settings {
    fn read(proc: &Proc) -> Result<Self, String> {
        let node = setting(proc, "node-name", "NODE_NAME", "");
        if node.is_empty() {
            return Err("Required flag \"node-name\" not set".into());
        }
        let number = setting(proc, "num-devices", "NUM_DEVICES", "8");
        let devices = number.parse().ok().filter(|n: &usize| *n <= 128).ok_or_else(|| {
            format!(
                "could not parse {number:?} as int value from environment variable \"NUM_DEVICES\""
            )
        })?;
        let path = |flag, variable, default| setting(proc, flag, variable, default);
        Ok(Settings {
            node,
            devices,
            cdi: path("cdi-root", "CDI_ROOT", "/etc/cdi"),
            registry: path(
                "kubelet-registrar-directory-path",
                "KUBELET_REGISTRAR_DIRECTORY_PATH",
                "/var/lib/kubelet/plugins_registry",
            ),
            plugins: path(
                "kubelet-plugins-directory-path",
                "KUBELET_PLUGINS_DIRECTORY_PATH",
                "/var/lib/kubelet/plugins",
            ),
        })
    }
}

/// A line of its log.
async fn log(proc: &Proc, level: char, source: &str, text: &str) {
    let now = proc.sim().now().to_timestamp();
    let stamp = jiff::fmt::strtime::format("%m%d %H:%M:%S%.6f", now).unwrap_or_default();
    proc.eprint(&format!("{level}{stamp} {:>7} {source}] {text}\n", proc.pid())).await;
}

fn make_dirs(proc: &Proc, path: &str) {
    let files = proc.machine().files();
    let mut dir = String::new();
    for part in path.split('/').filter(|p| !p.is_empty()) {
        dir = format!("{dir}/{part}");
        let _ = files.make_dir(&dir, 0o750, proc.who());
    }
}

async fn run(proc: Proc) -> i32 {
    proc.process().set_memory(22 << 20);
    let settings = match Settings::read(&proc) {
        Ok(settings) => settings,
        Err(why) => {
            proc.eprint(&format!("Error: {why}\n")).await;
            return 1;
        }
    };
    let api = match Api::of(&proc) {
        Ok(api) => api,
        Err(why) => {
            proc.eprint(&format!("Error: create client: {why}\n")).await;
            return 1;
        }
    };
    let own = format!("{}/{DRIVER}", settings.plugins);
    [own.as_str(), &settings.registry, &settings.cdi].iter().for_each(|dir| make_dirs(&proc, dir));
    prepare::write_common(&proc, &settings);
    let endpoint = format!("{own}/dra.sock");
    let registrar = format!("{}/{DRIVER}-reg.sock", settings.registry);
    let files = proc.machine().files();
    let mut calls = match socket::listen(files, &[&endpoint, &registrar], proc.who()) {
        Ok(calls) => calls,
        Err(why) => {
            let text = format!("Error: start DRA plugin: listen: listen unix {endpoint}: {why}\n");
            proc.eprint(&text).await;
            return 1;
        }
    };
    let asked_to_end =
        async { while !matches!(proc.signal().await, Signal::Term | Signal::Int) {} };
    let answer = async {
        while let Some(call) = calls.recv().await {
            let result = match call.method.as_str() {
                "GetInfo" => Ok(json!({"type": "DRAPlugin", "name": DRIVER,
                    "endpoint": endpoint, "supportedVersions": ["v1.DRAPlugin"]})),
                "NodePrepareResources" => prepare::all(&proc, &settings, &api, &call.body).await,
                "NodeUnprepareResources" => prepare::undo(&proc, &settings, &call.body).await,
                other => Err(format!("unknown method {other}")),
            };
            call.answer(result);
        }
    };
    let publish = async {
        let mut pause = PAUSE;
        while let Err(why) = publish(&settings, &api).await {
            log(
                &proc,
                'E',
                "resourceslicecontroller.go:544",
                &format!("\"processing ResourceSlice objects\" err={why:?}"),
            )
            .await;
            proc.sleep(pause).await;
            pause = (pause * 2).min(LONGEST);
        }
        std::future::pending::<()>().await;
    };
    race(asked_to_end, race(answer, publish)).await;
    0
}

/// The made-up devices of a node.
fn devices(settings: &Settings) -> Value {
    let device = |i: usize| {
        json!({
            "name": format!("gpu-{i}"),
            "attributes": {
                "driverVersion": {"version": "1.0.0"},
                "index": {"int": i},
                "model": {"string": "LATEST-GPU-MODEL"},
                "uuid": {"string": uuid(&settings.node, i)},
            },
            "capacity": {"memory": {"value": "80Gi"}},
        })
    };
    (0..settings.devices).map(device).collect()
}

/// Made of the node's name, so that it stays the same.
fn uuid(node: &str, device: usize) -> String {
    let mut state: u64 = 0xcbf2_9ce4_8422_2325;
    let mut next = |byte: u8| {
        state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        state
    };
    node.bytes().chain(device.to_le_bytes()).for_each(|byte| {
        next(byte);
    });
    let (a, b) = (next(1), next(2));
    let (c, d) = (a >> 32, a & 0xffff_ffff);
    format!(
        "gpu-{c:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        d >> 16,
        d & 0xffff,
        b >> 48,
        b & 0xffff_ffff_ffff
    )
}

/// Sees to it that the node's slice says what there is.
async fn publish(settings: &Settings, api: &Api<'_>) -> Result<(), String> {
    const SLICES: &str = "/apis/resource.k8s.io/v1/resourceslices";
    let node = &settings.node;
    let owner = api.get(&format!("/api/v1/nodes/{node}")).await?;
    let only = format!("fieldSelector=spec.driver%3D{DRIVER}%2Cspec.nodeName%3D{node}");
    let known = api.get(&format!("{SLICES}?{only}")).await?;
    let mut known = known["items"].as_array().cloned().unwrap_or_default().into_iter();
    let devices = devices(settings);
    let slice = |generation: i64| {
        json!({"driver": DRIVER, "nodeName": node, "devices": devices,
            "pool": {"name": node, "generation": generation, "resourceSliceCount": 1}})
    };
    match known.next() {
        Some(mut old) if old["spec"]["devices"] != devices => {
            let generation = old["spec"]["pool"]["generation"].as_i64().unwrap_or(1);
            old["spec"] = slice(generation + 1);
            let name = old["metadata"]["name"].as_str().unwrap_or_default().to_string();
            api.send("PUT", &format!("{SLICES}/{name}"), &old).await?;
        }
        Some(_) => {}
        None => {
            let owner = json!([{"apiVersion": "v1", "kind": "Node", "name": node,
                "uid": owner["metadata"]["uid"], "controller": true}]);
            let object = json!({"apiVersion": "resource.k8s.io/v1", "kind": "ResourceSlice",
                "metadata": {"generateName": format!("{node}-{DRIVER}-"), "ownerReferences": owner},
                "spec": slice(1)});
            api.send("POST", SLICES, &object).await?;
        }
    }
    for extra in known {
        let name = extra["metadata"]["name"].as_str().unwrap_or_default().to_string();
        api.send("DELETE", &format!("{SLICES}/{name}"), &Value::Null).await?;
    }
    Ok(())
}
