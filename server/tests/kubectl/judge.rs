//! What the judge compares, and what it lets pass.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use sandbar_tests::scenario::{
    normal::Rules,
    play::{commands, shown},
};

use crate::stage::Pair;

/// Reasons that begin so are about what is not always different.
const BY_CHANCE: &str = "by chance";

/// What came of one comparison.
#[derive(Default)]
pub struct Count {
    pub same: usize,
    pub all: usize,
    /// What differs, by the command's name.
    pub different: BTreeMap<String, String>,
}

impl Count {
    fn add(&mut self, same: bool, name: &str, difference: impl Fn() -> String) {
        self.all += 1;
        if same {
            self.same += 1;
        } else {
            self.different.insert(name.to_owned(), difference());
        }
    }

    fn merge(&mut self, other: Count) {
        self.same += other.same;
        self.all += other.all;
        self.different.extend(other.different);
    }

    /// The first command that differs and is not on the list.
    fn unlisted(&self, listed: &BTreeMap<String, String>) -> Option<&String> {
        self.different.keys().find(|name| !listed.contains_key(*name))
    }
}

#[derive(Default)]
pub struct Counts {
    pub recorded: Count,
    pub equal: Count,
    /// Likewise, in scenarios of our own.
    pub own: Count,
    /// Equal but for times, ids and an order that is the real kubectl's chance.
    pub nearly: BTreeMap<String, String>,
}

impl Counts {
    pub fn merge(&mut self, other: Counts) {
        self.recorded.merge(other.recorded);
        self.equal.merge(other.equal);
        self.own.merge(other.own);
        self.nearly.extend(other.nearly);
    }
}

/// The differences that are known, by the command's name, with their reasons.
pub struct Known {
    pub recorded: BTreeMap<String, String>,
    pub equal: BTreeMap<String, String>,
}

impl Known {
    /// The first command that differs without being known to.
    pub fn surprise<'a>(&self, counts: &'a Counts) -> Option<&'a String> {
        let equal = [&counts.equal, &counts.own];
        let unequal = equal.iter().find_map(|count| count.unlisted(&self.equal));
        counts.recorded.unlisted(&self.recorded).or(unequal)
    }
}

/// Commands of which the real kubectl prints lines in the order of a Go map, which is another one
/// each time: `pkg/cmd/logs/logs.go` (`sequentialConsumeRequest`), `pkg/drain/filters.go` (`errors`, `Warnings`),
/// `pkg/cmd/config/get_clusters.go`, `--list` in `pkg/cmd/label/label.go` and `annotate.go`.
fn has_chance_order(command: &str) -> bool {
    let words: Vec<&str> = command.split_whitespace().collect();
    let Some(at) = words.iter().position(|word| *word == "kubectl") else { return false };
    let has = |wanted: &str| words[at..].contains(&wanted);
    ["logs", "drain", "get-clusters"].iter().any(|verb| has(verb))
        || (has("label") || has("annotate")) && has("--list")
}

/// The text with its lines, the parts of a list within brackets and of a warning sorted.
fn in_order(text: &str) -> String {
    fn sorted(list: &str, between: &str) -> String {
        let mut parts: Vec<&str> = list.split(between).collect();
        parts.sort_unstable();
        parts.join(between)
    }
    let list = |line: &str| {
        if let Some((before, warnings)) = line.split_once("Warning: ") {
            return format!("{before}Warning: {}", sorted(warnings, "; "));
        }
        match (line.find('['), line.rfind(']')) {
            (Some(from), Some(to)) if from < to => {
                let parts = sorted(&line[from + 1..to], ", ");
                format!("{}[{parts}]{}", &line[..from], &line[to + 1..])
            }
            _ => line.to_owned(),
        }
    };
    sorted(&text.lines().map(list).collect::<Vec<_>>().join("\n"), "\n")
}

/// Compares; `recording` is what a real cluster answered, if it was ever asked.
pub fn judge(
    stem: &str,
    pairs: &[Pair],
    recording: Option<&str>,
    rules: &Rules,
    counts: &mut Counts,
) -> (usize, usize) {
    let wanted = recording.map(|text| commands(&rules.normal(text)));
    let equal = if wanted.is_some() { &mut counts.equal } else { &mut counts.own };
    let before = (counts.recorded.same, equal.same);
    for (index, pair) in pairs.iter().enumerate() {
        let name = format!("{stem} command {}", index + 1);
        let (real, ours) =
            (shown(&pair.command, pair.real.as_ref()), shown(&pair.command, pair.ours.as_ref()));
        let normal = |text: &str| commands(&rules.normal(text)).concat();
        let same = |one: &str, other: &str| {
            one == other || has_chance_order(&pair.command) && in_order(one) == in_order(other)
        };
        let got = normal(&real);
        if let Some(wanted) = &wanted {
            let want = wanted.get(index).cloned().unwrap_or_default();
            let text = || format!("--- recorded\n{want}\n+++ real kubectl here\n{got}");
            counts.recorded.add(same(&got, &want), &name, text);
        }
        let text = || format!("--- real kubectl\n{real}\n+++ ours\n{ours}");
        let agree = real == ours || same(&got, &normal(&ours));
        equal.add(agree, &name, text);
        if agree && real != ours {
            counts.nearly.insert(name.clone(), text());
        }
    }
    (counts.recorded.same - before.0, equal.same - before.1)
}

pub fn listed(path: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .filter_map(|line| line.split_once(": "))
        .map(|(name, reason)| (name.to_owned(), reason.to_owned()))
        .collect()
}

/// Differences that no line explains, and lines that explain nothing.
pub fn complaints(
    counts: &[&Count],
    listed: &BTreeMap<String, String>,
    path: &Path,
    played: &BTreeSet<String>,
) -> Vec<String> {
    let mut found = Vec::new();
    let different = |name: &str| counts.iter().any(|count| count.different.contains_key(name));
    for (name, text) in counts.iter().flat_map(|count| &count.different) {
        if !listed.contains_key(name) {
            found.push(format!("== {name}\n{text}"));
        }
    }
    for (name, reason) in listed {
        if reason.starts_with(BY_CHANCE) {
            continue;
        }
        let stem = name.split(" command ").next().unwrap_or_default();
        if played.contains(stem) && !different(name) {
            found.push(format!("{name} is the same now: strike it from {}", path.display()));
        }
    }
    found
}
