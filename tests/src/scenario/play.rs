//! Reads scenarios and recordings, plays the one and compares with the other.

use std::{fs, path::Path, time::Duration};

use super::{
    normal::Rules,
    world::{Answer, World},
};

/// A command of a scenario: what was answered on the real cluster, and here.
pub struct Pair {
    /// `apply command 3`.
    pub name: String,
    /// The real answer, normalised, with the command as its first line.
    pub wanted: String,
    /// Ours.
    pub got: String,
}

/// Scenarios that need kubelets which pull and probe.
const WHOLE: &[&str] = &["image-pull-policies", "probes"];

/// Whether a scenario is played on a whole minikube.
pub fn is_whole(stem: &str) -> bool {
    stem.starts_with("live-") || WHOLE.contains(&stem)
}

/// Whether a scenario begins with nothing but the learner's host: it starts its cluster itself.
pub fn is_bare(stem: &str) -> bool {
    stem.starts_with("bare-") || stem.starts_with("exercise-")
}

/// What a scenario's commands answer here, in a world of the kind that it needs.
pub fn answers(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let scenario = fs::read_to_string(path).expect("a scenario");
    let world = match (is_whole(&stem), is_bare(&stem)) {
        (true, _) => World::whole(),
        (_, true) => World::bare(),
        _ => World::new(),
    };
    record(world, &scenario)
}

/// Plays a scenario file; its recording lies beside it.
pub fn play(path: &Path, rules: &Rules) -> Vec<Pair> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let recording = fs::read_to_string(path.with_extension("txt")).expect("its recording");
    let got = answers(path);
    let (wanted, got) = (commands(&rules.normal(&recording)), commands(&rules.normal(&got)));
    let count = wanted.len().max(got.len());
    let missing = || "(missing)".to_owned();
    (0..count)
        .map(|i| Pair {
            name: format!("{stem} command {}", i + 1),
            wanted: wanted.get(i).cloned().unwrap_or_else(missing),
            got: got.get(i).cloned().unwrap_or_else(missing),
        })
        .collect()
}

/// The commands of a recording, each with its answer.
pub fn commands(text: &str) -> Vec<String> {
    let text = format!("\n{text}");
    text.split("\n$ ").skip(1).map(|part| part.trim().to_owned()).collect()
}

/// A line of a scenario.
pub enum Step {
    /// A file is written.
    File {
        /// Its name, in the scenario's folder.
        name: String,
        /// What is in it.
        text: String,
    },
    /// Time passes.
    Sleep(Duration),
    /// A command that is tried again until it succeeds; what it says is not compared.
    Until(String),
    /// A command whose answer is compared.
    Command(String),
}

/// A scenario, read.
pub fn steps(scenario: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    for line in scenario.lines() {
        if let Some(more) = line.strip_prefix("| ").or(if line == "|" { Some("") } else { None }) {
            if let Some(Step::File { text, .. }) = steps.last_mut() {
                text.push_str(more);
                text.push('\n');
            }
        } else if let Some(name) = line.strip_prefix("file ") {
            steps.push(Step::File { name: name.trim().to_owned(), text: String::new() });
        } else if let Some(seconds) = line.strip_prefix("sleep ") {
            let seconds = seconds.trim().parse().unwrap_or(0.0);
            steps.push(Step::Sleep(Duration::from_secs_f64(seconds)));
        } else if let Some(command) = line.strip_prefix("~ ") {
            steps.push(Step::Until(command.to_owned()));
        } else if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step::Command(command.to_owned()));
        }
    }
    steps
}

/// How often a set-up command is tried, a second apart.
pub const TRIES: usize = 60;

/// What a scenario's commands answer here, in the form of a recording.
pub fn record(mut world: World, scenario: &str) -> String {
    let mut out = Vec::new();
    for step in steps(scenario) {
        match step {
            Step::File { name, text } => world.file(&name, &text),
            Step::Sleep(time) => world.pass(time),
            Step::Until(command) => {
                let done = (0..TRIES).any(|_| {
                    let done = world.run(&command).is_some_and(|a| a.code == 0);
                    if !done {
                        world.pass(Duration::from_secs(1));
                    }
                    done
                });
                if !done {
                    out.push(format!("~ {command}\n(never succeeded)\n"));
                }
            }
            Step::Command(command) => {
                let answer = world.run(&command);
                out.push(shown(&command, answer.as_ref()));
            }
        }
    }
    out.join("\n")
}

/// A command and its answer in the form of a recording; `None` where it did not end.
pub fn shown(command: &str, answer: Option<&Answer>) -> String {
    let Some(answer) = answer else {
        return format!("$ {command}\n(does not end)\n");
    };
    let mut text = format!("$ {command}\n{}", answer.out);
    for line in answer.err.lines() {
        text.push_str(&format!("! {line}\n"));
    }
    if answer.code != 0 {
        text.push_str(&format!("(exit {})\n", answer.code));
    }
    text
}
