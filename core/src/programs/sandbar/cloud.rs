//! `sandbar cloud`: a cluster at a provider, as `gcloud`, `eksctl` or `az` would make one.
//!
//! The provider is nobody's: its tool is this one. What it makes is a Kubernetes like any other,
//! reached by kubectl through a context of its own.

use std::{rc::Rc, time::Duration};

use serde_json::json;

use crate::{
    api::base64,
    client::directory::Directory,
    clusters::cloud::{Account, Bounds, Cloud, MACHINE_TYPE, MOST, NAME, REGION},
    machine::Proc,
    programs::kubectl::kubeconfig::{CLUSTERS, CONTEXTS, Files, USERS},
    sim::{Either, race},
};

/// How long the control plane is waited for, and then the nodes.
const PATIENCE: Duration = Duration::from_secs(300);

/// Runs `sandbar cloud ARGS`.
pub async fn run(proc: &Proc, args: &[String]) -> i32 {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args.as_slice() {
        ["create", rest @ ..] => create(proc, rest).await,
        ["status"] => status(proc).await,
        ["delete"] => delete(proc).await,
        _ => Err("cloud wants one of create, status, delete; see sandbar --help".into()),
    };
    if let Err(error) = done {
        proc.eprint(&format!("sandbar: {error}\n")).await;
        return 1;
    }
    0
}

fn number(text: Option<&&str>, flag: &str) -> Result<u32, String> {
    let number = text.and_then(|t| t.parse().ok()).filter(|n| (1..=MOST).contains(n));
    number.ok_or_else(|| format!("{flag} wants a number from 1 to {MOST}"))
}

fn options(args: &[&str]) -> Result<(u32, Bounds), String> {
    let (mut nodes, mut max) = (2, None);
    let mut words = args.iter();
    while let Some(word) = words.next() {
        match *word {
            "--nodes" => nodes = number(words.next(), "--nodes")?,
            "--max" => max = Some(number(words.next(), "--max")?),
            other => return Err(format!("cloud create does not know {other:?}")),
        }
    }
    let max = max.unwrap_or((nodes + 3).min(MOST));
    if max < nodes {
        return Err(format!("--max {max} is less than --nodes {nodes}"));
    }
    Ok((nodes, Bounds { min: nodes, max }))
}

async fn create(proc: &Proc, args: &[&str]) -> Result<(), String> {
    let (nodes, bounds) = options(args)?;
    let account = Account::of(proc.machine());
    if account.0.borrow().is_some() {
        return Err(format!("there is a cluster {NAME:?} already; see sandbar cloud delete"));
    }
    proc.print(&format!("Creating cluster {NAME:?} in {REGION}: the control plane ...\n")).await;
    let cloud = Cloud::create(proc.machine(), bounds)?;
    *account.0.borrow_mut() = Some(cloud.clone());
    let directory = proc.machine().get::<Directory>().ok_or("the host has no directory")?;
    let server = cloud.cluster.server();
    let client = async {
        loop {
            if let Some(client) = directory.connect(&server, "sandbar") {
                return client;
            }
            proc.sleep(Duration::from_millis(500)).await;
        }
    };
    let Either::Left(client) = race(client, proc.sim().sleep(PATIENCE)).await else {
        return Err("the control plane does not answer".into());
    };
    cloud.cluster.install(Some(client))?;
    configure(proc, &cloud)?;
    let text = format!("{nodes} machines of type {MACHINE_TYPE}, up to {}", bounds.max);
    proc.print(&format!("Creating {text} ...\n")).await;
    for _ in 0..nodes {
        cloud.add_machine();
    }
    let there = async {
        while cloud.cluster.nodes().len() <= nodes as usize {
            proc.sleep(Duration::from_secs(1)).await;
        }
        cloud.cluster.settled().await;
    };
    if let Either::Right(()) = race(there, proc.sim().sleep(PATIENCE)).await {
        return Err("the nodes do not come up; see kubectl get nodes".into());
    }
    proc.print(&format!("Done. kubectl's context is {NAME:?} now.\n")).await;
    Ok(())
}

/// Enters the cluster into the kubeconfig and makes its context the current one.
fn configure(proc: &Proc, cloud: &Rc<Cloud>) -> Result<(), String> {
    let (certificate, key) = cloud.cluster.admin_certificate();
    let encode = |text: &str| base64::encode(text.as_bytes());
    let files = Files::of(proc, &Default::default());
    let old = files.load(proc, false).map_err(|e| format!("{e:?}"))?;
    let mut new = old.clone();
    let server = format!("https://{}", cloud.cluster.server());
    let authority = encode(&cloud.cluster.authority());
    let cluster = json!({"certificate-authority-data": authority, "server": server});
    new.sections[CLUSTERS].insert(NAME.into(), cluster);
    new.sections[CONTEXTS].insert(NAME.into(), json!({"cluster": NAME, "user": NAME}));
    let user = json!({
        "client-certificate-data": encode(&certificate), "client-key-data": encode(&key),
    });
    new.sections[USERS].insert(NAME.into(), user);
    new.current_context = NAME.into();
    if let Some((dir, _)) = files.default_file().rsplit_once('/') {
        if !proc.is_dir(dir) {
            proc.make_dir(dir).map_err(|e| e.to_string())?;
        }
    }
    files.save(proc, &old, &new).map_err(|e| format!("{e:?}"))
}

fn cloud(proc: &Proc) -> Result<Rc<Cloud>, String> {
    let account = Account::of(proc.machine());
    let cloud = account.0.borrow().clone();
    cloud.ok_or_else(|| "there is no cluster; see sandbar cloud create".into())
}

async fn status(proc: &Proc) -> Result<(), String> {
    let cloud = cloud(proc)?;
    let mut text =
        format!("{:<14} {:<11} {:<13} {:<15} STATE\n", "MACHINE", "ZONE", "ADDRESS", "EXTERNAL");
    for name in cloud.machines() {
        let Some(machine) = cloud.instance(&name) else { continue };
        let state = if cloud.cluster.node(&name).is_some() { "running" } else { "booting" };
        let (internal, external) = (machine.internal.to_string(), machine.external.to_string());
        text += &format!("{name:<14} {:<11} {internal:<13} {external:<15} {state}\n", machine.zone);
    }
    proc.print(&text).await;
    Ok(())
}

async fn delete(proc: &Proc) -> Result<(), String> {
    let cloud = cloud(proc)?;
    proc.print(&format!("Deleting cluster {NAME:?} ...\n")).await;
    proc.sleep(Duration::from_secs(5)).await;
    cloud.delete(proc.machine());
    Account::of(proc.machine()).0.borrow_mut().take();
    let files = Files::of(proc, &Default::default());
    let old = files.load(proc, false).map_err(|e| format!("{e:?}"))?;
    let mut new = old.clone();
    for section in [CLUSTERS, CONTEXTS, USERS] {
        new.sections[section].remove(NAME);
    }
    if new.current_context == NAME {
        new.current_context.clear();
    }
    files.save(proc, &old, &new).map_err(|e| format!("{e:?}"))?;
    proc.print("Done.\n").await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        for (args, want) in [
            (&[][..], Ok((2, Bounds { min: 2, max: 5 }))),
            (&["--nodes", "3", "--max", "9"][..], Ok((3, Bounds { min: 3, max: 9 }))),
            (&["--nodes", "3", "--max", "2"][..], Err(())),
            (&["--nodes", "0"][..], Err(())),
            (&["--zone"][..], Err(())),
        ] {
            assert_eq!(options(args).map_err(|_| ()), want, "{args:?}");
        }
    }
}
