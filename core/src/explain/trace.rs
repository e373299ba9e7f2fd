//! What led to an object, and what it led to: a tree from commands down to containers.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    called, change,
    graph::{Graph, command_line},
};
use crate::{
    api::{Kind, KindId},
    client::Client,
    sim::trace::{Did, Fact, Process},
    view::{Step, Trace},
};

/// The most steps of an answer.
const STEPS: usize = 1_000;
/// The deepest an answer goes, whatever is asked for.
const DEPTH: usize = 40;
/// The longest way back to a beginning.
const WAY: usize = 60;
/// Steps of one sort below the same step that are told one by one; of more, only the first few.
const ALIKE: usize = 6;
/// How many of them are told then.
const FIRST: usize = 3;

/// What led to an object and what it led to, at most `depth` steps below its own writes. `all`: mere
/// changes of status too, and every step one by one. `None`: nothing is remembered of it.
pub fn trace(
    client: &Client,
    kind: &Kind,
    (namespace, name): (&str, &str),
    depth: Option<usize>,
    all: bool,
) -> Option<Trace> {
    let graph = Graph::of(client);
    let telling = if all { vec![true; graph.records.len()] } else { graph.telling() };
    let about = graph.about(kind.id, namespace, name);
    let mut own: BTreeSet<usize> = about.iter().copied().filter(|p| telling[*p]).collect();
    if own.is_empty() {
        own.extend(about.first());
    }
    let mut tree = Tree {
        client,
        graph: &graph,
        telling,
        own,
        way: BTreeSet::new(),
        namespace,
        depth: depth.unwrap_or(DEPTH).min(DEPTH),
        all,
        left: STEPS,
    };
    let (roots, forgotten) = tree.roots();
    if roots.is_empty() {
        return None;
    }
    Some(Trace {
        object: called(kind, name),
        namespace: namespace.to_string(),
        roots: roots.into_iter().map(|root| tree.step(root, None)).collect(),
        forgotten,
    })
}

struct Tree<'a> {
    client: &'a Client,
    graph: &'a Graph,
    telling: Vec<bool>,
    /// The object's own writes.
    own: BTreeSet<usize>,
    /// What lies between those and the beginnings.
    way: BTreeSet<usize>,
    namespace: &'a str,
    depth: usize,
    all: bool,
    left: usize,
}

impl Tree<'_> {
    /// The beginnings, and whether one is forgotten.
    fn roots(&mut self) -> (BTreeSet<usize>, bool) {
        let (mut roots, mut forgotten) = (BTreeSet::new(), false);
        for place in self.own.clone() {
            let (mut here, mut steps) = (place, 0);
            loop {
                self.way.insert(here);
                steps += 1;
                match self.graph.before(here) {
                    Some(_) if steps > WAY => {
                        forgotten = true;
                        break;
                    }
                    Some(before) if self.is_part(here, before) => here = before,
                    None if !self.graph.records[here].because.is_none() => {
                        forgotten = true;
                        break;
                    }
                    _ => break,
                }
            }
            roots.insert(here);
        }
        (roots, forgotten)
    }

    /// Whether what led to a step is part of its story. A command's is, and the script that ran
    /// it; not the shell into which it was typed, nor how the component that acted came to run.
    fn is_part(&self, here: usize, before: usize) -> bool {
        match (&self.graph.records[here].fact, &self.graph.records[before].fact) {
            (Fact::Process(_), Fact::Process(before)) => !is_shell(before),
            (Fact::Process(_), Fact::Outside(_)) => true,
            (Fact::Process(_), _) => false,
            _ => true,
        }
    }

    /// A step with what followed from it; `below` counts the steps since the object's own write.
    fn step(&mut self, place: usize, below: Option<usize>) -> Step {
        self.left = self.left.saturating_sub(1);
        let below = match below {
            Some(below) => Some(below + 1),
            None => self.own.contains(&place).then_some(0),
        };
        let mut step = self.told(place);
        let next: Vec<usize> = self.graph.then[place]
            .iter()
            .copied()
            .filter(|next| match below {
                Some(_) => self.telling[*next] && !self.is_other_command(*next),
                None => self.way.contains(next),
            })
            .collect();
        if below.is_some_and(|below| below >= self.depth) || self.left == 0 {
            if !next.is_empty() {
                step.then.push(more(next.len(), "not shown"));
            }
            return step;
        }
        self.follow(&mut step, next, below);
        step
    }

    /// Adds what followed; of many steps of one sort only the first few.
    fn follow(&mut self, step: &mut Step, next: Vec<usize>, below: Option<usize>) {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for place in &next {
            *counts.entry(self.sort_of(*place)).or_default() += 1;
        }
        let mut told: BTreeMap<String, usize> = BTreeMap::new();
        for place in next {
            let sort = self.sort_of(place);
            let told = told.entry(sort.clone()).or_default();
            let count = counts.get(&sort).copied().unwrap_or_default();
            let abridged = count > ALIKE && !self.all && !self.own.contains(&place);
            if (abridged && *told >= FIRST) || self.left == 0 {
                continue;
            }
            *told += 1;
            let last = abridged && *told == FIRST;
            let child = self.step(place, below);
            step.then.push(child);
            if last {
                step.then.push(more(count - FIRST, &sort));
            }
        }
    }

    /// Commands that a process started are their own stories.
    fn is_other_command(&self, place: usize) -> bool {
        matches!(self.graph.records[place].fact, Fact::Process(_))
    }

    /// What is alike in many steps: `pod created by replicaset-controller`.
    fn sort_of(&self, place: usize) -> String {
        match &self.graph.records[place].fact {
            Fact::Write(w) => {
                let kind = self.client.kind(KindId(w.kind));
                format!("{} {} by {}", kind.singular, did(w.did), w.by)
            }
            Fact::Container(c) => format!("container {} {}", c.container, c.what),
            Fact::Process(_) => "command".into(),
            Fact::Outside(_) => "request".into(),
        }
    }

    fn told(&self, place: usize) -> Step {
        let record = &self.graph.records[place];
        let at_ms = record.at.as_millis();
        let (sort, what, by, revision) = match &record.fact {
            Fact::Process(p) => ("command", command_line(p), place_of(p), 0),
            Fact::Outside(text) => ("outside", text.to_string(), String::new(), 0),
            Fact::Write(w)
                if self.client.may_get(KindId(w.kind), &w.namespace, &w.name).is_err() =>
            {
                ("write", "an object that you may not see".into(), String::new(), w.revision)
            }
            Fact::Write(w) => {
                let kind = self.client.kind(KindId(w.kind));
                let mut what = called(&kind, &w.name);
                if &*w.namespace != self.namespace && !w.namespace.is_empty() {
                    what.push_str(&format!(" in {}", w.namespace));
                }
                what.push_str(&format!(" {}", did(w.did)));
                if matches!(w.did, Did::Changed | Did::Bound) {
                    let change = change::change(self.client, w, self.graph.write_before(place));
                    let colon = if w.did == Did::Bound || change.is_empty() { "" } else { ":" };
                    what = format!("{what}{colon} {change}").trim_end().to_string();
                }
                ("write", what, w.by.to_string(), w.revision)
            }
            Fact::Container(c) => {
                let mut what = format!("container {} {}", c.container, c.what);
                if let Some(code) = c.exit_code {
                    what.push_str(&format!(" with code {code}"));
                }
                // Only a kubelet has pods' containers made and removed; they end by themselves.
                let by = match c.exit_code {
                    Some(_) => format!("on {}", c.machine),
                    None => format!("kubelet on {}", c.machine),
                };
                ("container", what, by, 0)
            }
        };
        Step { at_ms, sort: sort.into(), what, by, revision, then: Vec::new() }
    }
}

fn more(count: usize, what: &str) -> Step {
    let what = format!("{count} more: {what}");
    Step { sort: "more".into(), what, ..Step::default() }
}

fn did(did: Did) -> &'static str {
    match did {
        Did::Created => "created",
        Did::Changed => "changed",
        Did::Bound => "bound to",
        Did::Status => "status",
        Did::DeletionBegan => "begins to be deleted",
        Did::Deleted => "deleted",
    }
}

/// Whether a process is a shell that people type into (or that was handed one line).
fn is_shell(process: &Process) -> bool {
    let name = process.argv.first().map_or("", |a| a.rsplit('/').next().unwrap_or(a));
    let shell = matches!(name.trim_start_matches('-'), "bash" | "dash" | "sh");
    shell && process.argv.get(1).is_none_or(|first| first.starts_with('-'))
}

fn place_of(process: &Process) -> String {
    match process.terminal.as_str() {
        "" => process.machine.clone(),
        terminal => format!("{terminal} on {}", process.machine),
    }
}
