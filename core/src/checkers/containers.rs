//! A container runs exactly while its first process does, and only with its pod's sandbox.

use super::Seen;

/// Containers of which the runtime says what is not so.
pub fn check(seen: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    for (node, engine) in seen.engines {
        for container in engine.containers() {
            let says = container.is_running();
            let process = container.process().is_some_and(|child| child.status().is_none());
            if says != process {
                wrong.push(format!(
                    "{} on {node}: it is said to run: {says}, its process runs: {process}",
                    container.spec.name
                ));
            }
        }
    }
    wrong
}
