//! From the starter to the whole engine: the journal is played again, and of what that says only the
//! difference to what was shown already goes to the page.

use std::collections::BTreeMap;

use sandbar_core::session::{Journal, protocol::Output};
use serde::{Deserialize, Serialize};

use crate::protocol::ToEngine;

/// What a starter leaves.
#[derive(Debug, Serialize, Deserialize)]
pub struct Handover {
    /// Its session, if it had one.
    pub session: Option<Left>,
    /// Messages that it could not answer, in order.
    pub messages: Vec<ToEngine>,
}

/// A session that was left.
#[derive(Debug, Serialize, Deserialize)]
pub struct Left {
    /// What was done.
    pub journal: Journal,
    /// The simulated time that was reached, microseconds.
    pub now_us: u64,
    /// Simulated seconds per real second.
    pub speed: u32,
    /// What the page was told.
    pub shown: Vec<Output>,
}

/// Resets a terminal, what scrolled away included (RIS).
const RESET: &str = "\x1bc";

/// What has to be said so that a page that was told `shown` stands as if it had been told `played`.
pub fn difference(shown: &[Output], played: Vec<Output>) -> Vec<Output> {
    let (was, mut others) = screens(shown);
    let (mut is, _) = screens(&played);
    let mut rest = Vec::new();
    for output in played {
        match &output {
            Output::Terminal { id, .. } => {
                // A terminal's whole text comes where its first was.
                let Some(text) = is.remove(id) else { continue };
                let old = was.get(id).map_or("", String::as_str);
                let data = match text.strip_prefix(old) {
                    Some(new) => new.to_string(),
                    None => format!("{RESET}{text}"),
                };
                if !data.is_empty() {
                    rest.push(Output::Terminal { id: *id, data });
                }
            }
            // States are not counted but compared at the end: the last one is what stands.
            Output::TerminalState { .. } => rest.push(output),
            _ => match others.iter().position(|o| **o == output) {
                Some(at) => drop(others.remove(at)),
                None => rest.push(output),
            },
        }
    }
    only_last_states(rest)
}

/// Each terminal's text, and everything else.
fn screens(outputs: &[Output]) -> (BTreeMap<u32, String>, Vec<&Output>) {
    let (mut texts, mut others) = (BTreeMap::<u32, String>::new(), Vec::new());
    for output in outputs {
        match output {
            Output::Terminal { id, data } => texts.entry(*id).or_default().push_str(data),
            other => others.push(other),
        }
    }
    (texts, others)
}

fn only_last_states(outputs: Vec<Output>) -> Vec<Output> {
    let mut last = BTreeMap::new();
    for (at, output) in outputs.iter().enumerate() {
        if let Output::TerminalState { id, .. } = output {
            last.insert(*id, at);
        }
    }
    let stands = |(at, output): &(usize, Output)| match output {
        Output::TerminalState { id, .. } => last.get(id) == Some(at),
        _ => true,
    };
    outputs.into_iter().enumerate().filter(stands).map(|(_, output)| output).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(id: u32, data: &str) -> Output {
        Output::Terminal { id, data: data.into() }
    }

    fn state(running: Option<&str>) -> Output {
        let running = running.map(str::to_owned);
        Output::TerminalState { id: 1, place: "sandbar".into(), running }
    }

    fn notice(text: &str) -> Output {
        Output::Notice { text: text.into() }
    }

    #[test]
    fn only_what_is_new_is_said() {
        for (shown, played, want) in [
            (vec![text(1, "$ ")], vec![text(1, "$ ")], vec![]),
            (
                vec![text(1, "$ "), text(1, "ls")],
                vec![text(1, "$ ls\r\na")],
                vec![text(1, "\r\na")],
            ),
            (
                vec![text(1, "$ ps\r\n7")],
                vec![text(1, "$ ps\r\n8")],
                vec![text(1, "\x1bc$ ps\r\n8")],
            ),
            (
                vec![],
                vec![text(1, "a"), text(2, "b"), text(1, "c")],
                vec![text(1, "ac"), text(2, "b")],
            ),
            (
                vec![state(None)],
                vec![state(None), state(Some("kubectl"))],
                vec![state(Some("kubectl"))],
            ),
            (vec![notice("a")], vec![notice("a"), notice("a")], vec![notice("a")]),
        ] {
            assert_eq!(difference(&shown, played.clone()), want, "{shown:?} {played:?}");
        }
    }
}
