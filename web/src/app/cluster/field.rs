//! Many pods in little room: a line each while they are few, then cells on a canvas, with a text twin.

use std::collections::BTreeMap;
use std::rc::Rc;

use sandbar_core::view::PodRow;
use web_sys::{HtmlCanvasElement, KeyboardEvent, MouseEvent};
use yew::prelude::*;

use super::cells::{Drawing, Slot, animate, grid};
use super::status::{Tone, of_pod, shape};
use super::store::{Kept, object};
use crate::app::clock::age;
use crate::app::dom;
use crate::app::topics::{Topic, use_page, use_topic};

/// Up to this many pods have a line each.
const LINES: usize = 12;

/// What a field is given.
#[derive(Properties, PartialEq)]
pub struct FieldProps {
    /// The pods, in the order in which they are shown.
    pub pods: Rc<Vec<Kept<PodRow>>>,
    /// What they have in common, for those who listen (`on minikube`).
    pub of: AttrValue,
    /// Cells even where there are few.
    #[prop_or_default]
    pub dense: bool,
    /// Whether a line names the pod's node.
    #[prop_or_default]
    pub with_node: bool,
    /// The name of what owns the pods: what their names begin with is left out.
    #[prop_or_default]
    pub owner: AttrValue,
}

/// Pods, as lines or as cells.
#[function_component]
pub fn Field(props: &FieldProps) -> Html {
    if props.pods.len() <= LINES && !props.dense {
        html! {
            <ul class="pods" aria-label={format!("Pods {}", props.of)}>
                { for props.pods.iter().map(|pod| html! {
                    <PodLine key={pod.row.uid.clone()} pod={pod.clone()} with_node={props.with_node} owner={props.owner.clone()}/>
                }) }
            </ul>
        }
    } else {
        html! { <Cells pods={props.pods.clone()} of={props.of.clone()}/> }
    }
}

#[derive(Properties, PartialEq)]
struct LineProps {
    pod: Kept<PodRow>,
    with_node: bool,
    owner: AttrValue,
}

#[function_component]
fn PodLine(props: &LineProps) -> Html {
    let page = use_page();
    let row = props.pod.row.clone();
    let tone = of_pod(&row.status, row.ready);
    let name = match row.name.strip_prefix(&*props.owner) {
        Some(rest) if !props.owner.is_empty() => html! {
            <><span class="owner">{ &props.owner }</span><span class="owner-cut">{ "…" }</span>{ rest }</>
        },
        _ => short(&row.name),
    };
    let onclick = {
        let row = row.clone();
        move |_| page.open_detail(object("pods", &row.namespace, &row.name))
    };
    html! {
        <li>
            <button class={classes!("pod", tone.name(), props.pod.glow(dom::now()))} {onclick}>
                { shape(tone) }
                <span class="name" title={row.name.clone()}>{ name }</span>
                <span class="word">{ &row.status }</span>
                <span class="num" title="containers ready">{ format!("{}/{}", row.ready.0, row.ready.1) }</span>
                <span class="num restarts" title="restarts">{ if row.restarts > 0 { format!("↻{}", row.restarts) } else { String::new() } }</span>
                if props.with_node { <span class="muted cut">{ &row.node }</span> } else { <Age created_ms={row.created_ms}/> }
            </button>
        </li>
    }
}

/// A pod's name with its middle giving way first: the end is what tells pods apart.
pub fn short(name: &str) -> Html {
    let cut = name.char_indices().rev().nth(5).map_or(0, |c| c.0);
    let (head, tail) = name.split_at(cut);
    html! { <><span class="head">{ head }</span><span class="tail">{ tail }</span></> }
}

/// What an age is given.
#[derive(Properties, PartialEq)]
pub struct AgeProps {
    /// When it was made, simulated milliseconds.
    pub created_ms: u64,
}

/// An age that grows.
#[function_component]
pub fn Age(props: &AgeProps) -> Html {
    let page = use_topic(Topic::Second);
    html! { <span class="num muted age">{ age(props.created_ms, page.now_ms()) }</span> }
}

/// How many pods there are of each status, the worst first.
pub fn census<'a>(pods: impl Iterator<Item = &'a PodRow>) -> Vec<(Tone, String, usize)> {
    let mut counts: BTreeMap<(Tone, &str), usize> = BTreeMap::new();
    for pod in pods {
        *counts.entry((of_pod(&pod.status, pod.ready), pod.status.as_str())).or_default() += 1;
    }
    counts.into_iter().map(|((tone, word), n)| (tone, word.to_owned(), n)).collect()
}

/// A census as shapes, numbers and words.
pub fn census_line(counts: &[(Tone, String, usize)]) -> Html {
    html! {
        <p class="census">{ for counts.iter().map(|(tone, word, n)| html! {
            <span class={tone.name()}>{ shape(*tone) }<b>{ n }</b>{ word }</span>
        }) }</p>
    }
}

#[derive(Properties, PartialEq)]
struct CellsProps {
    pods: Rc<Vec<Kept<PodRow>>>,
    of: AttrValue,
}

#[function_component]
fn Cells(props: &CellsProps) -> Html {
    let page = use_topic(Topic::Ui);
    let canvas = use_node_ref();
    let at = use_state(|| None::<usize>);
    let slot: Slot = use_mut_ref(|| None);
    let counts = census(props.pods.iter().map(|p| &*p.row));
    {
        let drawing = Drawing { canvas: canvas.clone(), pods: props.pods.clone(), at: *at };
        use_effect(move || animate(&slot, drawing));
    }
    let index = {
        let (canvas, count) = (canvas.clone(), props.pods.len());
        move |e: &MouseEvent| {
            let canvas = canvas.cast::<HtmlCanvasElement>()?;
            let (pitch, columns) = grid(&canvas, count);
            let i = (f64::from(e.offset_y()) / pitch) as usize * columns
                + (f64::from(e.offset_x()) / pitch) as usize;
            (i < count).then_some(i)
        }
    };
    let open = {
        let (page, pods) = (page.clone(), props.pods.clone());
        move |i: Option<usize>| {
            if let Some(pod) = i.and_then(|i| pods.get(i)) {
                page.open_detail(object("pods", &pod.row.namespace, &pod.row.name));
            }
        }
    };
    let onclick = {
        let (index, open) = (index.clone(), open.clone());
        move |e: MouseEvent| open(index(&e))
    };
    let onmousemove = {
        let at = at.clone();
        move |e: MouseEvent| at.set(index(&e))
    };
    let onmouseleave = {
        let at = at.clone();
        move |_: MouseEvent| at.set(None)
    };
    let onkeydown = {
        let (at, canvas, count) = (at.clone(), canvas.clone(), props.pods.len());
        move |e: KeyboardEvent| {
            let columns = canvas.cast::<HtmlCanvasElement>().map_or(1, |c| grid(&c, count).1);
            let now = at.unwrap_or(0);
            let next = match e.key().as_str() {
                "ArrowRight" => now + 1,
                "ArrowLeft" => now.saturating_sub(1),
                "ArrowDown" => now + columns,
                "ArrowUp" => now.saturating_sub(columns),
                "Enter" | " " => {
                    e.prevent_default();
                    return open(Some(now));
                }
                _ => return,
            };
            e.prevent_default();
            at.set(Some(next.min(count.saturating_sub(1))));
        }
    };
    let pointed = at.and_then(|i| props.pods.get(i)).map(|p| {
        format!(
            "{} · {} · {}/{} · {}",
            p.row.name, p.row.status, p.row.ready.0, p.row.ready.1, p.row.namespace
        )
    });
    let words: Vec<String> = counts.iter().map(|(_, w, n)| format!("{n} {w}")).collect();
    html! {
        <div class="cells">
            <canvas ref={canvas} tabindex="0" role="img" {onclick} {onmousemove} {onmouseleave} {onkeydown}
                aria-label={format!("{} pods {}: {}. Arrow keys choose one, Enter opens it.", props.pods.len(), props.of, words.join(", "))}/>
            <p class="cell-foot" aria-live="polite">
                if let Some(pointed) = pointed { <span class="mono">{ pointed }</span> } else { { census_line(&counts) } }
            </p>
        </div>
    }
}
