//! What the drawer shows of an object, by the sort of answer: kubectl's text as it is, tables so that long
//! cells wrap, and why and what led to it from the engine's own data.

use std::rc::Rc;

use sandbar_core::session::protocol::DetailKind;
use sandbar_core::view::{NodeVerdict, Placement, Step, Trace, Why};
use yew::prelude::*;

use super::status::{Tone, shape};
use crate::app::clock::time_of_day;
use crate::app::topics::use_page;

/// Levels of a trace that are drawn further and further to the right.
const LEVELS: usize = 10;

/// An answer of the engine.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// What kubectl prints.
    Text(Rc<str>),
    /// Why it is as it is.
    Why(Rc<Why>),
    /// What led to it and what it led to.
    Trace(Rc<Trace>),
}

/// The answer, drawn.
pub fn draw(kind: DetailKind, answer: &Answer) -> Html {
    match answer {
        Answer::Text(text) if text.trim().is_empty() => {
            let words = match kind {
                DetailKind::Logs => "It has written nothing to its log yet.",
                _ => "Nothing here.",
            };
            html! { <div class="drawer-text"><p class="none">{ words }</p></div> }
        }
        Answer::Text(text) => match kind {
            DetailKind::Events => match table(text) {
                Some(rows) => events(&rows),
                // kubectl says in a sentence that there are none.
                None => html! { <div class="drawer-text"><p class="none">{ &**text }</p></div> },
            },
            _ => html! { <pre class="drawer-text" tabindex="0">{ &**text }</pre> },
        },
        Answer::Why(why) => self::why(why),
        Answer::Trace(trace) => self::trace(trace),
    }
}

/// The rows of a table as kubectl prints it, its head first: columns begin where the head's words do. `None`
/// if it is no table.
fn table(text: &str) -> Option<Vec<Vec<String>>> {
    let head: Vec<char> = text.lines().next()?.chars().collect();
    let gap = |i: usize| i == 0 || (i > 1 && head[i - 1] == ' ' && head[i - 2] == ' ');
    let starts: Vec<usize> = (0..head.len()).filter(|&i| head[i] != ' ' && gap(i)).collect();
    if starts.len() < 3 {
        return None;
    }
    let row = |line: &str| {
        let line: Vec<char> = line.chars().collect();
        let ends = starts.iter().skip(1).copied().chain([usize::MAX]);
        let cell = |(&start, end): (&usize, usize)| {
            let cell = line.get(start.min(line.len())..end.min(line.len())).unwrap_or_default();
            cell.iter().collect::<String>().trim().to_owned()
        };
        starts.iter().zip(ends).map(cell).collect()
    };
    Some(text.lines().map(row).collect())
}

/// Events as kubectl lists them, the message below the rest where there is little room.
fn events(rows: &[Vec<String>]) -> Html {
    let cell = |row: &[String], i: usize| row.get(i).cloned().unwrap_or_default();
    html! {
        <ol class="drawer-text drawer-events" tabindex="0">
            { for rows.iter().skip(1).map(|row| {
                let bad = cell(row, 1) == "Warning";
                html! {
                    <li class={classes!(bad.then_some("bad"))}>
                        <span class="num muted age">{ cell(row, 0) }</span>
                        <span class="reason">
                            if bad { { shape(Tone::Bad) }<span class="sr">{ "Warning" }</span> }
                            <b>{ cell(row, 2) }</b>
                        </span>
                        <span class="message">{ cell(row, 4) }</span>
                    </li>
                }
            }) }
        </ol>
    }
}

/// `12:04:31.150`.
fn moment(ms: u64) -> String {
    format!("{}.{:03}", time_of_day(ms), ms % 1000)
}

#[derive(Properties, PartialEq)]
struct NamedProps {
    /// `pod/web-1`, or `default/web-1` of a pod.
    name: AttrValue,
}

/// An object's name: a link to its details while it is there.
#[function_component]
fn Named(props: &NamedProps) -> Html {
    let page = use_page();
    let found = page.cluster.borrow().lookup(&props.name);
    match found {
        Some(object) => {
            let onclick = move |_: MouseEvent| page.open_detail(object.clone());
            html! { <button class="link mono" {onclick}>{ &props.name }</button> }
        }
        None => html! { <span class="mono">{ &props.name }</span> },
    }
}

fn why(why: &Why) -> Html {
    let about = |name: &str| html! { <Named name={name.to_owned()}/> };
    html! {
        <div class="drawer-text explained" tabindex="0">
            <p class="lead">{ &why.summary }</p>
            if !why.owners.is_empty() {
                <p class="muted">{ "Wanted by " }{ for why.owners.iter().enumerate().map(|(i, owner)| html! {
                    <>{ if i > 0 { ", for " } else { "" } }{ about(owner) }</>
                }) }{ "." }</p>
            }
            if !why.reasons.is_empty() {
                <h3>{ "What holds it back" }</h3>
                <ul>{ for why.reasons.iter().map(|reason| html! {
                    <li class="bad">{ shape(Tone::Bad) }<div>
                        <span class="muted">{ &reason.about }</span>{ " " }<b>{ &reason.reason }</b>
                        <p>{ &reason.message }</p>
                    </div></li>
                }) }</ul>
            }
            if let Some(placement) = &why.placement { { decision(placement) } }
            if !why.earlier.is_empty() {
                <details>
                    <summary>{ format!("Earlier looks ({})", why.earlier.len()) }</summary>
                    <ul>{ for why.earlier.iter().rev().map(|before| html! {
                        <li><time class="num muted">{ moment(before.at_ms) }</time><div><p>{ &before.message }</p>{ victims(before) }</div></li>
                    }) }</ul>
                </details>
            }
            if !why.warnings.is_empty() {
                <h3>{ "Warnings" }</h3>
                <ul>{ for why.warnings.iter().map(|w| html! {
                    <li><time class="num muted">{ moment(w.at_ms) }</time><div>
                        <b>{ &w.reason }</b>{ " " }<span class="muted">{ &w.object }{ if w.count > 1 { format!(" ×{}", w.count) } else { String::new() } }</span>
                        <p>{ &w.message }</p>
                    </div></li>
                }) }</ul>
            }
        </div>
    }
}

fn decision(placement: &Placement) -> Html {
    let (all, looked, fit) = placement.counts;
    let again = match placement.attempt {
        0 | 1 => String::new(),
        n => format!(", attempt {n}"),
    };
    let end = match placement.node.as_str() {
        "" => "found no node".to_owned(),
        node => format!("chose {node}"),
    };
    let most = placement.nodes.iter().filter_map(|n| n.total).max().unwrap_or(1).max(1);
    html! {
        <>
            <h3>{ format!("{} {end}", placement.scheduler) }</h3>
            <p class="muted">{ format!("It looked at {looked} of {all} nodes at {}{again}; {fit} fit.", moment(placement.at_ms)) }</p>
            if let Some((plugin, reasons)) = &placement.refused {
                <p>{ format!("{plugin} refused all nodes: {}", reasons.join(", ")) }</p>
            }
            <ol class="verdicts">{ for placement.nodes.iter().map(|node| verdict(node, node.node == placement.node, most)) }</ol>
            { victims(placement) }
        </>
    }
}

fn verdict(node: &NodeVerdict, chosen: bool, most: i64) -> Html {
    let out = !node.rejected_by.is_empty();
    let tone = match (out, chosen) {
        (true, _) => Tone::Bad,
        (false, true) => Tone::Good,
        (false, false) => Tone::Unknown,
    };
    let parts: Vec<String> = node
        .scores
        .iter()
        .map(|s| match s.weight {
            1 => format!("{} {}", s.plugin, s.score),
            weight => format!("{} {}×{weight}", s.plugin, s.score),
        })
        .collect();
    html! {
        <li class={classes!(out.then_some("bad"), chosen.then_some("chosen"))}>
            { shape(tone) }
            <div>
                <p class="head"><span class="mono">{ &node.node }</span>
                    { if out { html! { <b>{ "ruled out" }</b> } } else if chosen { html! { <b class="is-good">{ "chosen" }</b> } } else { html! {} } }
                    if let Some(total) = node.total { <span class="num">{ format!("{total} points") }</span> }
                </p>
                if let Some(total) = node.total {
                    <span class="track" aria-hidden="true"><span style={format!("width:{:.1}%", total as f64 / most as f64 * 100.0)}/></span>
                    <p class="muted" title="What each plugin gave, times its weight">{ parts.join(" + ") }</p>
                } else if out {
                    <p><span class="muted">{ &node.rejected_by }</span>{ " " }{ node.reasons.join(", ") }</p>
                } else {
                    <p class="muted">{ "It fits; no other was compared." }</p>
                }
            </div>
        </li>
    }
}

fn victims(placement: &Placement) -> Html {
    if placement.victims.is_empty() {
        return html! {};
    }
    html! { <p>{ format!("To make room on {} these had to go: {}.", placement.nominated, placement.victims.join(", ")) }</p> }
}

fn trace(trace: &Trace) -> Html {
    let mut steps = Vec::new();
    for root in &trace.roots {
        flatten(root, 0, &mut steps);
    }
    html! {
        <div class="drawer-text explained" tabindex="0">
            if trace.forgotten { <p class="muted">{ "What it began with is too long ago to be remembered." }</p> }
            <ol class="trace" role="tree" aria-label="What followed from what">
                { for steps.into_iter().map(|(step, depth)| self::step(step, depth)) }
            </ol>
        </div>
    }
}

fn flatten<'a>(step: &'a Step, depth: usize, steps: &mut Vec<(&'a Step, usize)>) {
    steps.push((step, depth));
    for next in &step.then {
        flatten(next, depth + 1, steps);
    }
}

fn step(step: &Step, depth: usize) -> Html {
    let what = match step.sort.as_str() {
        "command" => html! { <code class="typed">{ format!("$ {}", step.what) }</code> },
        "more" => html! { <span class="muted">{ format!("… {}", step.what) }</span> },
        "write" => match step.what.split_once(' ') {
            Some((name, did)) if name.contains('/') => {
                html! { <><Named name={name.to_owned()}/>{ format!(" {did}") }</> }
            }
            _ => html! { { &step.what } },
        },
        _ => html! { { &step.what } },
    };
    html! {
        <li role="treeitem" aria-level={(depth + 1).to_string()} class={format!("sort-{}", step.sort)} style={format!("--depth:{}", depth.min(LEVELS))}>
            <time class="num muted">{ if step.sort == "more" { String::new() } else { moment(step.at_ms) } }</time>
            <span class="what">{ what }if !step.by.is_empty() { <span class="muted">{ format!(" · {}", step.by) }</span> }</span>
        </li>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_cut_where_its_head_says() {
        let text = "LAST SEEN           TYPE      REASON   OBJECT      MESSAGE\n\
                    3m (x4 over 5m1s)   Warning   BackOff  Pod/crash   Back-off  restarting\n";
        let rows = table(text).unwrap();
        assert_eq!(rows[0], ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]);
        assert_eq!(
            rows[1],
            ["3m (x4 over 5m1s)", "Warning", "BackOff", "Pod/crash", "Back-off  restarting"]
        );
        assert_eq!(table("No events found in default namespace.\n"), None);
    }
}
