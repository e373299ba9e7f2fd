//! Which command a line means, as `cobra.Command.Find` decides it.

use super::{Command, Flag};

/// A command with its way from the root.
pub struct Found {
    /// From the root to the command.
    pub way: Vec<&'static Command>,
    /// The arguments without the names on the way.
    pub args: Vec<String>,
}

impl Found {
    /// The command itself.
    pub fn command(&self) -> &'static Command {
        self.way.last().copied().unwrap_or(&Command::EMPTY)
    }

    /// `kubectl rollout undo`.
    pub fn path(&self) -> String {
        self.way.iter().map(|c| c.name).collect::<Vec<_>>().join(" ")
    }
}

/// Finds the command. Only an unknown verb directly below the root is an error.
pub fn find(
    root: &'static Command,
    global: &[&'static [Flag]],
    args: &[String],
) -> Result<Found, String> {
    let mut found = Found { way: vec![root], args: args.to_vec() };
    loop {
        let here = found.command();
        let lookup = |name: &str| {
            let own = here.own_flags().find(|f| f.name == name);
            own.or_else(|| global.iter().flat_map(|g| g.iter()).find(|f| f.name == name))
        };
        let by_letter = |letter: &str| {
            let own = here.own_flags().find(|f| f.short == letter);
            own.or_else(|| global.iter().flat_map(|g| g.iter()).find(|f| f.short == letter))
        };
        let takes_value = |arg: &str| match arg.strip_prefix("--") {
            Some(_) if arg.contains('=') => false,
            Some(long) => lookup(long).is_none_or(|f| f.bare.is_empty()),
            None => {
                arg.len() == 2
                    && arg.starts_with('-')
                    && by_letter(&arg[1..]).is_none_or(|f| f.bare.is_empty())
            }
        };
        let Some(at) = first_word(&found.args, takes_value) else { return Ok(found) };
        let word = found.args[at].clone();
        match here.subcommand(&word) {
            Some(next) => {
                found.args.remove(at);
                found.way.push(next);
            }
            None if found.way.len() == 1 => {
                let suggestions = suggestions(here, &word);
                return Err(format!(
                    "unknown command {} for \"{}\"{suggestions}",
                    crate::api::gofmt::quote(&word),
                    here.name
                ));
            }
            None => return Ok(found),
        }
    }
}

/// Where the first argument is that is neither a flag nor a flag's value.
fn first_word(args: &[String], takes_value: impl Fn(&str) -> bool) -> Option<usize> {
    let mut at = 0;
    while at < args.len() {
        let arg = &args[at];
        if arg == "--" {
            return None;
        }
        if arg.starts_with('-') {
            at += if takes_value(arg) { 2 } else { 1 };
        } else if arg.is_empty() {
            at += 1;
        } else {
            return Some(at);
        }
    }
    None
}

fn suggestions(command: &Command, typed: &str) -> String {
    let lower = typed.to_lowercase();
    let near: Vec<String> = command
        .subcommands
        .iter()
        .filter(|c| !c.hidden)
        .filter(|c| c.name.starts_with(&lower) || distance(&lower, c.name) <= 2)
        .map(|c| format!("\t{}\n", c.name))
        .collect();
    if near.is_empty() {
        String::new()
    } else {
        format!("\n\nDid you mean this?\n{}", near.concat())
    }
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let cost = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
