//! What containers are to have of the devices of a claim, as CDI files.
//!
//! Models `state.go` and `cdi.go`.

use serde_json::{Map, Value, json};

use super::{Api, DRIVER, Settings, log};
use crate::{api::yaml, machine::Proc};

const KIND: &str = "k8s.gpu.example.com/gpu";
const GROUP: &str = "gpu.resource.example.com/v1alpha1";

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    value.pointer(path).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn file(settings: &Settings, name: &str) -> String {
    format!("{}/k8s.gpu.example.com-gpu_{name}.yaml", settings.cdi)
}

fn write(proc: &Proc, path: &str, devices: Vec<Value>) -> Result<(), String> {
    let spec = json!({"cdiVersion": "0.3.0", "kind": KIND, "devices": devices});
    let content = format!("---\n{}", yaml::to_string(&spec));
    let done = proc.machine().files().write(path, content.as_bytes(), 0o644, proc.who());
    done.map_err(|why| format!("unable to create CDI spec file for claim: {why}"))
}

/// What every container with a device of the node has.
pub fn write_common(proc: &Proc, settings: &Settings) {
    let env = json!([
        format!("KUBERNETES_NODE_NAME={}", settings.node),
        format!("DRA_RESOURCE_DRIVER_NAME={DRIVER}"),
    ]);
    let device = json!({"name": "common", "containerEdits": {"env": env}});
    let _ = write(proc, &file(settings, "common"), vec![device]);
}

/// Prepares claims: an answer a claim, by its uid.
pub async fn all(
    proc: &Proc,
    settings: &Settings,
    api: &Api<'_>,
    body: &Value,
) -> Result<Value, String> {
    let claims = list(body, "/claims");
    let number = claims.len();
    let said = format!("PrepareResourceClaims is called: number of claims: {number}");
    log(proc, 'I', "driver.go:107", &said).await;
    let mut answers = Map::new();
    for claim in claims {
        let (namespace, name, uid) =
            (text(claim, "namespace"), text(claim, "name"), text(claim, "uid"));
        let path = format!("/apis/resource.k8s.io/v1/namespaces/{namespace}/resourceclaims/{name}");
        let claim = api.get(&path).await.and_then(|claim| match claim.pointer("/metadata/uid") {
            Some(own) if own == uid => Ok(claim),
            _ => Err(format!("claim {namespace}/{name} got replaced")),
        });
        let prepared = claim.and_then(|claim| one(proc, settings, &claim, uid));
        let answer = match prepared {
            Ok(devices) => {
                let shown: Vec<String> = devices.iter().map(shown).collect();
                let said = format!(
                    "Returning newly prepared devices for claim '{uid}': [{}]",
                    shown.join(" ")
                );
                log(proc, 'I', "driver.go:134", &said).await;
                json!({"devices": devices})
            }
            Err(why) => json!({
                "error": format!("error preparing devices for claim {uid}: prepare failed: {why}")
            }),
        };
        answers.insert(uid.to_string(), answer);
    }
    Ok(json!({"claims": answers}))
}

/// `{[request] pool device [ids]}`
fn shown(device: &Value) -> String {
    let words = |name: &str| {
        let all = list(device, name).iter().filter_map(Value::as_str);
        all.collect::<Vec<_>>().join(" ")
    };
    format!(
        "{{[{}] {} {} [{}]}}",
        words("/requestNames"),
        text(device, "poolName"),
        text(device, "deviceName"),
        words("/cdiDeviceIDs")
    )
}

fn one(proc: &Proc, settings: &Settings, claim: &Value, uid: &str) -> Result<Vec<Value>, String> {
    let configs = list(claim, "/status/allocation/devices/config");
    let (mut specs, mut devices) = (Vec::new(), Vec::new());
    let results = list(claim, "/status/allocation/devices/results");
    for result in results.iter().filter(|r| text(r, "driver") == DRIVER) {
        let name = text(result, "device");
        let number = name.strip_prefix("gpu-").and_then(|n| n.parse::<usize>().ok());
        let Some(number) = number.filter(|n| *n < settings.devices) else {
            return Err(format!("requested GPU is not allocatable: {name}"));
        };
        let mut env = vec![
            format!("GPU_DEVICE_{number}_RESOURCE_CLAIM={uid}"),
            format!("GPU_DEVICE_{number}={name}"),
        ];
        env.extend(sharing(configs, text(result, "request"), number)?);
        let id = format!("{uid}-{name}");
        specs.push(json!({"name": id, "containerEdits": {"env": env}}));
        devices.push(json!({
            "requestNames": [text(result, "request")],
            "poolName": text(result, "pool"),
            "deviceName": name,
            "cdiDeviceIDs": [format!("{KIND}=common"), format!("{KIND}={id}")],
        }));
    }
    write(proc, &file(settings, uid), specs)?;
    Ok(devices)
}

/// Variables that say how a device is shared, by the last setting for its request; those of claims
/// go over those of classes.
fn sharing(configs: &[Value], request: &str, number: usize) -> Result<Vec<String>, String> {
    let about = |config: &&Value| {
        let requests = list(config, "/requests");
        let own = config.pointer("/opaque/driver").is_some_and(|d| d == DRIVER);
        own && (requests.is_empty() || requests.iter().any(|r| r == request))
    };
    let of = |source: &str| {
        let mut from = configs.iter().rev().filter(|c| text(c, "source") == source);
        from.find(about)
    };
    let config = of("FromClaim").or_else(|| of("FromClass"));
    let given = config.and_then(|c| c.pointer("/opaque/parameters")).cloned().unwrap_or_default();
    if !given.is_null()
        && (text(&given, "kind"), text(&given, "apiVersion")) != ("GpuConfig", GROUP)
    {
        return Err(format!(
            "error getting opaque device configs: error decoding config parameters: no kind {:?} is \
             registered for version {:?}",
            text(&given, "kind"),
            text(&given, "apiVersion")
        ));
    }
    let sharing = given.get("sharing").cloned().unwrap_or_default();
    let field = |path: &str, default: &str| match sharing.pointer(path) {
        Some(Value::String(word)) => word.clone(),
        Some(Value::Number(n)) => n.to_string(),
        _ => default.to_string(),
    };
    let strategy = field("/strategy", "TimeSlicing");
    let more = match strategy.as_str() {
        "TimeSlicing" => {
            format!("TIMESLICE_INTERVAL={}", field("/timeSlicingConfig/interval", "Default"))
        }
        "SpacePartitioning" => {
            let count = field("/spacePartitioningConfig/partitionCount", "1");
            format!("PARTITION_COUNT={count}")
        }
        other => {
            return Err(format!(
                "error validating GPU config: unknown GPU sharing strategy: {other}"
            ));
        }
    };
    Ok(vec![
        format!("GPU_DEVICE_{number}_SHARING_STRATEGY={strategy}"),
        format!("GPU_DEVICE_{number}_{more}"),
    ])
}

/// Removes what was prepared for claims.
pub async fn undo(proc: &Proc, settings: &Settings, body: &Value) -> Result<Value, String> {
    let claims = list(body, "/claims");
    let number = claims.len();
    let said = format!("UnprepareResourceClaims is called: number of claims: {number}");
    log(proc, 'I', "driver.go:139", &said).await;
    let mut answers = Map::new();
    for claim in claims {
        let uid = text(claim, "uid");
        let _ = proc.machine().files().remove(&file(settings, uid), proc.who());
        answers.insert(uid.to_string(), json!({}));
    }
    Ok(json!({"claims": answers}))
}
