//! Reads scenarios and recordings, plays the one and compares with the other.

use std::{fs, path::Path, time::Duration};

use super::{normal::Rules, world::World};

/// A command of a scenario: what was answered on the real cluster, and here.
pub struct Pair {
    /// `apply command 3`.
    pub name: String,
    /// The real answer, normalised, with the command as its first line.
    pub wanted: String,
    /// Ours.
    pub got: String,
}

/// Plays a scenario file; its recording lies beside it.
pub fn play(path: &Path, rules: &Rules) -> Vec<Pair> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let scenario = fs::read_to_string(path).expect("a scenario");
    let recording = fs::read_to_string(path.with_extension("txt")).expect("its recording");
    let world = if stem.starts_with("live-") { World::whole() } else { World::new() };
    let got = record(world, &scenario);
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

fn commands(text: &str) -> Vec<String> {
    let text = format!("\n{text}");
    text.split("\n$ ").skip(1).map(|part| part.trim().to_owned()).collect()
}

/// What a scenario's commands answer here, in the form of a recording.
pub fn record(mut world: World, scenario: &str) -> String {
    let mut out = Vec::new();
    let mut file: Option<(String, String)> = None;
    for line in scenario.lines() {
        if let Some(text) = line.strip_prefix("| ").or(if line == "|" { Some("") } else { None }) {
            if let Some((_, content)) = &mut file {
                content.push_str(text);
                content.push('\n');
            }
            continue;
        }
        if let Some((name, content)) = file.take() {
            world.file(&name, &content);
        }
        if let Some(name) = line.strip_prefix("file ") {
            file = Some((name.trim().to_owned(), String::new()));
        } else if let Some(seconds) = line.strip_prefix("sleep ") {
            let seconds = seconds.trim().parse().unwrap_or(0.0);
            world.pass(Duration::from_secs_f64(seconds));
        } else if let Some(command) = line.strip_prefix("~ ") {
            let mut done = false;
            for _ in 0..60 {
                if world.run(command).is_some_and(|a| a.code == 0) {
                    done = true;
                    break;
                }
                world.pass(Duration::from_secs(1));
            }
            if !done {
                out.push(format!("~ {command}\n(never succeeded)\n"));
            }
        } else if let Some(command) = line.strip_prefix("$ ") {
            out.push(answer(&mut world, command));
        }
    }
    out.join("\n")
}

fn answer(world: &mut World, command: &str) -> String {
    let Some(answer) = world.run(command) else {
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
