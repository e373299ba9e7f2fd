//! Pods as a list: the text twin of the pictures above. Only the lines that can be seen exist.

use web_sys::{HtmlElement, HtmlInputElement};
use yew::prelude::*;

use super::Section;
use super::field::{Age, census};
use super::status::{of_pod, shape};
use super::store::{Kept, object};
use crate::app::topics::{Topic, use_topic};
use sandbar_core::view::PodRow;

/// Height of a line and of the window on them, CSS pixels.
const LINE: f64 = 24.0;
const WINDOW: f64 = 312.0;

/// The section.
#[function_component]
pub fn PodList() -> Html {
    let page = use_topic(Topic::Pods);
    let store = page.cluster.borrow();
    let counts =
        census(store.pods.values().filter(|p| store.shows(&p.row.namespace)).map(|p| &*p.row));
    let words: Vec<String> = counts.iter().map(|(_, word, n)| format!("{n} {word}")).collect();
    let summary = if words.is_empty() { "none".to_owned() } else { words.join(", ") };
    html! {
        <Section name="Pods" command="kubectl get pods" {summary} open=false>
            <Lines/>
        </Section>
    }
}

#[function_component]
fn Lines() -> Html {
    let page = use_topic(Topic::Pods);
    let top = use_state(|| 0.0f64);
    let wanted = use_state(String::new);
    let store = page.cluster.borrow();
    let mut pods: Vec<&Kept<PodRow>> = store
        .pods
        .values()
        .filter(|p| {
            store.shows(&p.row.namespace)
                && (p.row.name.contains(&*wanted) || p.row.status.contains(&*wanted))
        })
        .collect();
    pods.sort_by(|a, b| (&a.row.namespace, &a.row.name).cmp(&(&b.row.namespace, &b.row.name)));
    let first = ((*top / LINE) as usize).saturating_sub(4).min(pods.len());
    let last = (first + (WINDOW / LINE) as usize + 8).min(pods.len());
    let onscroll = {
        let top = top.clone();
        move |e: Event| top.set(f64::from(e.target_unchecked_into::<HtmlElement>().scroll_top()))
    };
    let oninput = {
        let wanted = wanted.clone();
        move |e: InputEvent| wanted.set(e.target_unchecked_into::<HtmlInputElement>().value())
    };
    let height = pods.len() as f64 * LINE;
    html! {
        <div class="list">
            if store.pods.len() > 12 {
                <input type="search" aria-label="Only pods whose name or status contains" placeholder="Filter by name or status" value={(*wanted).clone()} {oninput}/>
            }
            if pods.is_empty() { <p class="none">{ "No pods here." }</p> }
            <div class="list-window" style={format!("max-height:{WINDOW}px")} {onscroll} tabindex="0" role="table" aria-label="Pods" aria-rowcount={pods.len().to_string()}>
                <div style={format!("height:{height}px;position:relative")}>
                    { for pods[first..last].iter().enumerate().map(|(i, pod)| {
                        let row = pod.row.clone();
                        let tone = of_pod(&row.status, row.ready);
                        let y = (first + i) as f64 * LINE;
                        let open = {
                            let (page, row) = (page.clone(), row.clone());
                            move |_| page.open_detail(object("pods", &row.namespace, &row.name))
                        };
                        html! {
                            <button class="list-line" role="row" key={row.uid.clone()} style={format!("top:{y}px")} onclick={open}>
                                { shape(tone) }
                                <span role="cell" class="name" title={row.name.clone()}>{ &row.name }</span>
                                <span role="cell" class="num">{ format!("{}/{}", row.ready.0, row.ready.1) }</span>
                                <span role="cell" class="word">{ &row.status }</span>
                                <Age created_ms={row.created_ms}/>
                            </button>
                        }
                    }) }
                </div>
            </div>
        </div>
    }
}
