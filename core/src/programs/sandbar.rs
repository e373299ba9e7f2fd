//! `sandbar`: what no real cluster can do. So far: breaking things on purpose.

use crate::{
    clusters::Faults,
    machine::{CompleteCx, Proc, Program},
    session::protocol::Fault,
};

/// The program.
pub static PROGRAM: Program = Program {
    name: "sandbar",
    summary: "break things on purpose",
    run: |proc| Box::pin(main(proc)),
    complete: Some(complete),
};

const HELP: &str = "\
sandbar breaks things on purpose, to see how Kubernetes repairs them.

Usage:
  sandbar fault leak pod/NAME [-n NAMESPACE]        the pod's container leaks memory and turns slow
  sandbar fault kill pod/NAME [-n NAMESPACE] [-c C] the container's first process gets SIGKILL
  sandbar fault kubelet-stop NODE                   the node's kubelet dies and stays dead
  sandbar fault kubelet-start NODE                  the node's kubelet is started again
";

const FAULTS: &[&str] = &["kill", "kubelet-start", "kubelet-stop", "leak"];

async fn main(proc: Proc) -> i32 {
    let args: Vec<&str> = proc.args()[1..].iter().map(String::as_str).collect();
    let fault = match args.as_slice() {
        [] | ["help" | "-h" | "--help", ..] => {
            proc.print(HELP).await;
            return 0;
        }
        ["fault", kind, rest @ ..] => parse(kind, rest),
        [other, ..] => Err(format!("there is no command {other:?}; see sandbar --help")),
    };
    let done = fault.and_then(|fault| match proc.machine().get::<Faults>() {
        Some(faults) => (faults.0)(fault),
        None => Err("sandbar works on your own machine only".into()),
    });
    if let Err(error) = done {
        proc.eprint(&format!("sandbar: {error}\n")).await;
        return 1;
    }
    0
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

fn complete(cx: &CompleteCx) -> Vec<String> {
    match cx.words.len() {
        0..=2 => vec!["fault".into(), "help".into()],
        3 => FAULTS.iter().map(|f| f.to_string()).collect(),
        _ => Vec::new(),
    }
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
