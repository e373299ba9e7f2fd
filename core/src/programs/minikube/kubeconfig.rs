//! minikube's entries in the kubeconfig. Models `pkg/minikube/kubeconfig`.

use serde_json::{Value, json};

use super::{PROFILE, VERSION};
use crate::{
    clusters::Cluster,
    machine::Proc,
    programs::kubectl::kubeconfig::{CLUSTERS, CONTEXTS, Config, Files, USERS},
};

fn files(proc: &Proc) -> Files {
    Files::of(proc, &Default::default())
}

/// Writes the entries and makes the context the current one.
pub fn add(proc: &Proc, server: &str) -> Result<(), String> {
    let home = proc.env("HOME").unwrap_or_else(|| "/root".into());
    let profile = format!("{home}/.minikube/profiles/{PROFILE}");
    let now = proc.sim().now().to_timestamp();
    let stamp = jiff::fmt::strtime::format("%a, %d %b %Y %H:%M:%S UTC", now).unwrap_or_default();
    let extension = |name: &str| {
        json!([{
            "extension": {
                "last-update": stamp, "provider": "minikube.sigs.k8s.io", "version": VERSION,
            },
            "name": name,
        }])
    };
    change(proc, |config| {
        config.sections[CLUSTERS].insert(
            PROFILE.into(),
            json!({
                "certificate-authority": format!("{home}/.minikube/ca.crt"),
                "extensions": extension("cluster_info"),
                "server": server,
            }),
        );
        config.sections[CONTEXTS].insert(
            PROFILE.into(),
            json!({
                "cluster": PROFILE,
                "extensions": extension("context_info"),
                "namespace": "default",
                "user": PROFILE,
            }),
        );
        config.sections[USERS].insert(
            PROFILE.into(),
            json!({
                "client-certificate": format!("{profile}/client.crt"),
                "client-key": format!("{profile}/client.key"),
            }),
        );
        config.current_context = PROFILE.into();
    })
}

/// Writes the certificates that the entries name: the authority's, and the administrator's with its
/// key.
pub fn write_certificates(proc: &Proc, cluster: &Cluster) -> Result<(), String> {
    let home = proc.env("HOME").unwrap_or_else(|| "/root".into());
    let profile = format!("{home}/.minikube/profiles/{PROFILE}");
    let (certificate, key) = cluster.admin_certificate();
    let files = [
        (format!("{home}/.minikube/ca.crt"), cluster.authority()),
        (format!("{profile}/client.crt"), certificate),
        (format!("{profile}/client.key"), key),
    ];
    for (path, text) in files {
        proc.write_file(&path, text.as_bytes()).map_err(|e| format!("{path}: {e}"))?;
    }
    Ok(())
}

/// Takes the entries out again.
pub fn remove(proc: &Proc) -> Result<(), String> {
    change(proc, |config| {
        for section in [CLUSTERS, CONTEXTS, USERS] {
            config.sections[section].remove(PROFILE);
        }
        if config.current_context == PROFILE {
            config.current_context.clear();
        }
    })
}

/// Whether kubectl would find the cluster.
pub fn is_configured(proc: &Proc) -> bool {
    let config = files(proc).load(proc, false).unwrap_or_default();
    config.sections[CLUSTERS]
        .get(PROFILE)
        .is_some_and(|c| c.get("server").is_some_and(Value::is_string))
}

fn change(proc: &Proc, f: impl FnOnce(&mut Config)) -> Result<(), String> {
    let files = files(proc);
    let old = files.load(proc, false).map_err(|e| format!("{e:?}"))?;
    let mut new = old.clone();
    f(&mut new);
    if let Some((dir, _)) = files.default_file().rsplit_once('/') {
        if !proc.is_dir(dir) {
            proc.make_dir(dir).map_err(|e| e.to_string())?;
        }
    }
    files.save(proc, &old, &new).map_err(|e| format!("{e:?}"))
}
