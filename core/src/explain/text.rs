//! The answers as text, readable in 80 columns.

use crate::view::{NodeVerdict, Placement, Score, Step, Trace, Why};

/// The narrowest that lines are made for.
const WIDTH: usize = 80;
/// Levels of a tree that are drawn further and further to the right.
const LEVELS: usize = 24;

/// A time of day, `14:02:11.150`, from milliseconds since the Unix epoch.
pub fn clock(at_ms: u64) -> String {
    let (seconds, millis) = (at_ms / 1_000, at_ms % 1_000);
    let (hours, minutes) = (seconds / 3_600 % 24, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{millis:03}", seconds % 60)
}

/// Adds words, each line begun with `indent` and at most `width` wide where words allow it.
fn wrap(out: &mut String, indent: usize, text: &str, width: usize) {
    let mut line = String::new();
    for word in text.split_whitespace() {
        let long = indent + line.chars().count() + 1 + word.chars().count() > width;
        if long && !line.is_empty() {
            out.push_str(&format!("{:indent$}{line}\n", ""));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        out.push_str(&format!("{:indent$}{line}\n", ""));
    }
}

fn cut(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_string();
    }
    let mut short: String = line.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// `sandbar why`, for a terminal of this width.
pub fn why(why: &Why, width: usize) -> String {
    let width = width.max(WIDTH);
    let mut out = why.object.clone();
    if !why.namespace.is_empty() {
        out.push_str(&format!(" in {}", why.namespace));
    }
    out.push('\n');
    wrap(&mut out, 2, &why.summary, width);
    if !why.owners.is_empty() {
        wrap(&mut out, 2, &format!("Wanted by {}.", why.owners.join(", for ")), width);
    }
    if !why.reasons.is_empty() {
        out.push_str("\nWhat holds it back:\n");
        for reason in &why.reasons {
            let (about, word) = (&reason.about, &reason.reason);
            wrap(&mut out, 2, &format!("{about}: {word}"), width);
            wrap(&mut out, 4, &reason.message, width);
        }
    }
    if let Some(placement) = &why.placement {
        decision(&mut out, placement, width);
    }
    for before in why.earlier.iter().rev() {
        earlier(&mut out, before, width);
    }
    if !why.warnings.is_empty() {
        out.push_str("\nWarnings:\n");
        for w in &why.warnings {
            let times = if w.count > 1 { format!(" (x{})", w.count) } else { String::new() };
            let line = format!("{}  {} {}{times}", clock(w.at_ms), w.object, w.reason);
            wrap(&mut out, 2, &line, width);
            wrap(&mut out, 4, &w.message, width);
        }
    }
    out
}

fn decision(out: &mut String, placement: &Placement, width: usize) {
    let end = match placement.node.as_str() {
        "" => "found no node".to_string(),
        node => format!("chose {node}"),
    };
    let (at, attempt) = (clock(placement.at_ms), placement.attempt);
    let again = if attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
    out.push_str(&format!("\n{} looked at {at}{again} and {end}:\n", placement.scheduler));
    let (all, looked, feasible) = placement.counts;
    if looked < all && placement.refused.is_none() {
        wrap(out, 2, &format!("It looked at {looked} of {all} nodes; {feasible} fit."), width);
    }
    if let Some((plugin, reasons)) = &placement.refused {
        wrap(out, 2, &format!("{plugin} refused all nodes: {}", reasons.join(", ")), width);
    }
    let longest = placement.nodes.iter().map(|n| n.node.chars().count()).max().unwrap_or(0).min(40);
    for node in &placement.nodes {
        let mark = if node.node == placement.node { '*' } else { ' ' };
        let head = format!("{mark} {:longest$}  ", node.node);
        let (indent, mut text) = (head.chars().count(), String::new());
        wrap(&mut text, indent, &verdict(node), width);
        out.push_str(&head);
        out.push_str(text.get(indent..).unwrap_or("\n"));
    }
    victims(out, placement, width);
}

/// An earlier attempt in a few lines.
fn earlier(out: &mut String, placement: &Placement, width: usize) {
    let at = clock(placement.at_ms);
    out.push_str(&format!("\nBefore, at {at} (attempt {}):\n", placement.attempt));
    wrap(out, 2, &placement.message, width);
    victims(out, placement, width);
}

fn victims(out: &mut String, placement: &Placement, width: usize) {
    if !placement.victims.is_empty() {
        let (node, victims) = (&placement.nominated, placement.victims.join(", "));
        wrap(out, 2, &format!("To make room on {node} these had to go: {victims}."), width);
    }
}

fn verdict(node: &NodeVerdict) -> String {
    if !node.rejected_by.is_empty() {
        return format!("{}: {}", node.rejected_by, node.reasons.join(", "));
    }
    let part = |s: &Score| match s.weight {
        1 => format!("{} {}", s.plugin, s.score),
        weight => format!("{} {}×{weight}", s.plugin, s.score),
    };
    let parts: Vec<String> = node.scores.iter().map(part).collect();
    match node.total {
        Some(total) => format!("{total} = {}", parts.join(" + ")),
        None => "fits; no other was compared".to_string(),
    }
}

/// `sandbar trace`, for a terminal of this width.
pub fn trace(trace: &Trace, width: usize) -> String {
    let width = width.max(WIDTH);
    let mut out = String::new();
    if trace.forgotten {
        out.push_str("(what it began with is too long ago to be remembered)\n");
    }
    for root in &trace.roots {
        step(&mut out, root, "", "", width);
    }
    out
}

/// A step and what followed. `lead` is drawn before it, `under` before what followed.
fn step(out: &mut String, it: &Step, lead: &str, under: &str, width: usize) {
    let line = match it.sort.as_str() {
        "more" => format!("{:12}  {lead}… {}", "", it.what),
        "command" => format!("{}  {lead}$ {}  ({})", clock(it.at_ms), it.what, it.by),
        _ if it.by.is_empty() => format!("{}  {lead}{}", clock(it.at_ms), it.what),
        _ => format!("{}  {lead}{}  ({})", clock(it.at_ms), it.what, it.by),
    };
    out.push_str(&cut(&line, width));
    out.push('\n');
    for (i, next) in it.then.iter().enumerate() {
        let last = i + 1 == it.then.len();
        let (branch, below) = if last { ("└ ", "  ") } else { ("├ ", "│ ") };
        let deep = under.chars().count() >= LEVELS * 2;
        let (lead, under) = match deep {
            true => (format!("{under}> "), under.to_string()),
            false => (format!("{under}{branch}"), format!("{under}{below}")),
        };
        step(out, next, &lead, &under, width);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn write(what: &str, by: &str, then: Vec<Step>) -> Step {
        let (sort, what, by) = ("write".into(), what.into(), by.into());
        Step { at_ms: 3_723_004, sort, what, by, revision: 7, then }
    }

    #[test]
    fn a_tree_is_drawn_in_80_columns() {
        let pods = vec![
            write("pod/web-1 created", "replicaset-controller", Vec::new()),
            write("pod/web-2 created", "replicaset-controller", Vec::new()),
        ];
        let set = write("replicaset/web created", "deployment-controller", pods);
        let command = Step {
            sort: "command".into(),
            what: "kubectl create deployment web --image=nginx:1.25 --replicas=2 -n some-place"
                .into(),
            by: "pts/1 on laptop".into(),
            then: vec![set],
            ..Step::default()
        };
        let answer = Trace { roots: vec![command], ..Trace::default() };
        expect![[r#"
            00:00:00.000  $ kubectl create deployment web --image=nginx:1.25 --replicas=2 -…
            01:02:03.004  └ replicaset/web created  (deployment-controller)
            01:02:03.004    ├ pod/web-1 created  (replicaset-controller)
            01:02:03.004    └ pod/web-2 created  (replicaset-controller)
        "#]]
        .assert_eq(&trace(&answer, 0));
    }

    #[test]
    fn a_decision_is_a_table_of_nodes() {
        let score = |plugin: &str, score: i64, weight: i64| Score {
            plugin: plugin.into(),
            raw: 7,
            score,
            weight,
        };
        let scored = NodeVerdict {
            node: "node-2".into(),
            total: Some(130),
            scores: vec![score("NodeResourcesFit", 90, 1), score("TaintToleration", 20, 2)],
            ..NodeVerdict::default()
        };
        let rejected = NodeVerdict {
            node: "node-1".into(),
            rejected_by: "TaintToleration".into(),
            reasons: vec!["node(s) had untolerated taint(s)".into()],
            ..NodeVerdict::default()
        };
        let answer = Why {
            object: "pod/web".into(),
            namespace: "default".into(),
            summary: "It runs.".into(),
            placement: Some(Placement {
                scheduler: "default-scheduler".into(),
                attempt: 2,
                node: "node-2".into(),
                nodes: vec![rejected, scored],
                ..Placement::default()
            }),
            ..Why::default()
        };
        expect![[r#"
            pod/web in default
              It runs.

            default-scheduler looked at 00:00:00.000, attempt 2 and chose node-2:
              node-1  TaintToleration: node(s) had untolerated taint(s)
            * node-2  130 = NodeResourcesFit 90 + TaintToleration 20×2
        "#]]
        .assert_eq(&why(&answer, 0));
    }
}
