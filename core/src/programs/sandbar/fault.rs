//! `sandbar fault`: breaks things on purpose, in processes and services, never in API objects.

use crate::{clusters::Faults, machine::Proc, session::protocol::Fault};

const FAULTS: &[&str] = &["kill", "kubelet-start", "kubelet-stop", "leak"];

/// Runs `sandbar fault ARGS`.
pub async fn run(proc: &Proc, args: &[String]) -> i32 {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let fault = match args.as_slice() {
        [] => Err("fault wants to know which; see sandbar --help".to_string()),
        [kind, rest @ ..] => parse(kind, rest),
    };
    let done = fault.and_then(|fault| match proc.machine().get::<Faults>() {
        Some(faults) => (faults.0)(fault),
        None => Err("sandbar breaks things on your own machine only".into()),
    });
    match done {
        Ok(()) => 0,
        Err(error) => {
            proc.eprint(&format!("sandbar: {error}\n")).await;
            1
        }
    }
}

/// What Tab offers after `sandbar fault`.
pub fn complete(words: &[String]) -> Vec<String> {
    match words.len() {
        0 | 1 => FAULTS.iter().map(|f| f.to_string()).collect(),
        _ => Vec::new(),
    }
}

fn parse(kind: &str, rest: &[&str]) -> Result<Fault, String> {
    let (mut target, mut namespace, mut container) = (None, "default", "");
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        match *word {
            "-n" | "--namespace" => namespace = words.next().ok_or("-n wants a namespace")?,
            "-c" | "--container" => container = words.next().ok_or("-c wants a container")?,
            flag if flag.starts_with('-') => return Err(format!("unknown flag {flag}")),
            word if target.is_none() => target = Some(word),
            word => return Err(format!("one thing at a time: {word:?} is too much")),
        }
    }
    let target = target.ok_or_else(|| format!("fault {kind} wants to know where"))?;
    let pod = || {
        let name = target.strip_prefix("pod/").or_else(|| target.strip_prefix("pods/"));
        name.unwrap_or(target).to_string()
    };
    let node = || target.strip_prefix("node/").unwrap_or(target).to_string();
    Ok(match kind {
        "leak" => Fault::ContainerLeak { namespace: namespace.into(), pod: pod() },
        "kill" => Fault::ContainerKill {
            namespace: namespace.into(),
            pod: pod(),
            container: container.into(),
        },
        "kubelet-stop" => Fault::KubeletStop { node: node() },
        "kubelet-start" => Fault::KubeletStart { node: node() },
        other => return Err(format!("there is no fault {other:?}; see sandbar --help")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read() {
        let leak = parse("leak", &["pod/web-1", "-n", "dev"]).unwrap();
        assert_eq!(leak, Fault::ContainerLeak { namespace: "dev".into(), pod: "web-1".into() });
        assert!(parse("leak", &[]).is_err());
        assert!(parse("melt", &["x"]).is_err());
        assert!(parse("leak", &["a", "b"]).is_err());
    }
}
