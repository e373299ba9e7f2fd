//! kubectl's words as shapes and tones. A tone is never told by colour alone: each has a shape of its own.

use yew::prelude::*;

/// What a status means for the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tone {
    /// Something is wrong: a triangle.
    Bad,
    /// On its way: a ring with a half filled.
    Wait,
    /// On its way out: a ring with a bar.
    End,
    /// Not known: a dashed ring.
    Unknown,
    /// Running, but not ready: a ring with a dot.
    Unready,
    /// As wanted: a disc.
    Good,
    /// Ended as it should: a square with a tick.
    Done,
}

impl Tone {
    /// All of them.
    pub const ALL: [Tone; 7] =
        [Tone::Bad, Tone::Wait, Tone::End, Tone::Unknown, Tone::Unready, Tone::Good, Tone::Done];

    /// The name of its shape and of its colour.
    pub fn name(self) -> &'static str {
        match self {
            Tone::Bad => "bad",
            Tone::Wait => "wait",
            Tone::End => "end",
            Tone::Unknown => "unknown",
            Tone::Unready => "unready",
            Tone::Good => "good",
            Tone::Done => "done",
        }
    }
}

/// The tone of a pod's STATUS with its READY.
pub fn of_pod(status: &str, ready: (u32, u32)) -> Tone {
    match status {
        "Running" if ready.0 < ready.1 => Tone::Unready,
        "Running" => Tone::Good,
        "Completed" | "Succeeded" => Tone::Done,
        "Terminating" => Tone::End,
        "Unknown" | "NodeLost" => Tone::Unknown,
        "Pending" | "ContainerCreating" | "PodInitializing" => Tone::Wait,
        _ if is_bad(status) => Tone::Bad,
        _ => Tone::Wait,
    }
}

fn is_bad(status: &str) -> bool {
    [
        "Err",
        "BackOff",
        "Error",
        "OOMKilled",
        "Failed",
        "Evicted",
        "Invalid",
        "Cannot",
        "Signal",
        "ExitCode",
        "Dead",
        "Never",
    ]
    .iter()
    .any(|word| status.contains(word))
}

/// The tone of a node's STATUS.
pub fn of_node(status: &str) -> Tone {
    match status {
        "Ready" => Tone::Good,
        s if s.starts_with("Ready") => Tone::Unready,
        s if s.starts_with("NotReady") => Tone::Bad,
        _ => Tone::Unknown,
    }
}

/// The tone of a workload's counts.
pub fn of_counts(ready: u32, desired: u32) -> Tone {
    if ready >= desired { Tone::Good } else { Tone::Wait }
}

/// The tone of a route's state.
pub fn of_route(state: &str) -> Tone {
    match state {
        "ready" => Tone::Good,
        "terminating" | "deleted" => Tone::End,
        _ => Tone::Unready,
    }
}

/// A tone's shape; the word stands beside it.
pub fn shape(tone: Tone) -> Html {
    html! {
        <svg class={classes!("shape", tone.name())} viewBox="0 0 12 12" aria-hidden="true"><use href={format!("#s-{}", tone.name())}/></svg>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubectls_words_have_their_tone() {
        for (status, tone) in [
            ("Running", Tone::Good),
            ("Pending", Tone::Wait),
            ("Init:0/1", Tone::Wait),
            ("Init:CrashLoopBackOff", Tone::Bad),
            ("ErrImagePull", Tone::Bad),
            ("CreateContainerConfigError", Tone::Bad),
            ("Completed", Tone::Done),
            ("Terminating", Tone::End),
        ] {
            assert_eq!(of_pod(status, (1, 1)), tone, "{status}");
        }
        assert_eq!(of_pod("Running", (0, 1)), Tone::Unready);
    }
}
