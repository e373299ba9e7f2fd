//! Events, newest first.

use yew::prelude::*;

use super::Section;
use super::status::{Tone, shape};
use super::store::Kept;
use crate::app::clock::time_of_day;
use crate::app::dom;
use crate::app::topics::{Topic, use_page, use_topic};
use sandbar_core::view::EventRow;

/// How many are shown at first, and how many more on each request.
const STEP: usize = 30;

/// The section.
#[function_component]
pub fn Events() -> Html {
    let page = use_topic(Topic::Events);
    let limit = use_state(|| STEP);
    let store = page.cluster.borrow();
    let mut shown: Vec<Kept<EventRow>> = store
        .newest_events()
        .filter(|e| store.shows(&e.row.namespace))
        .take(*limit + 1)
        .cloned()
        .collect();
    let more = shown.len() > *limit;
    shown.truncate(*limit);
    let warnings = store
        .events
        .values()
        .filter(|e| e.row.kind == "Warning" && store.shows(&e.row.namespace))
        .count();
    let summary = if warnings == 0 { String::new() } else { format!("{warnings} warnings") };
    let onclick = {
        let limit = limit.clone();
        move |_| limit.set(*limit + STEP)
    };
    html! {
        <Section name="Events" command="kubectl events" {summary}>
            if shown.is_empty() { <p class="none">{ "Nothing has happened in these namespaces yet." }</p> }
            <ol class="events">
                { for shown.into_iter().map(|event| {
                    let key = event.row.uid.clone();
                    html! { <Line {key} {event}/> }
                }) }
            </ol>
            if more { <button class="link" {onclick}>{ "Older events" }</button> }
        </Section>
    }
}

#[derive(Properties, PartialEq)]
struct LineProps {
    event: Kept<EventRow>,
}

#[function_component]
fn Line(props: &LineProps) -> Html {
    let page = use_page();
    let row = props.event.row.clone();
    let warning = row.kind == "Warning";
    let onclick = {
        let row = row.clone();
        move |_| {
            let found = page.cluster.borrow().lookup(&row.object);
            if let Some(object) = found {
                page.open_detail(object);
            }
        }
    };
    html! {
        <li class={classes!(warning.then_some("bad"), props.event.glow(dom::now()))}>
            <span class="event-head">
                <time class="num muted">{ time_of_day(row.last_ms) }</time>
                if warning { { shape(Tone::Bad) }<span class="sr">{ "Warning" }</span> }
                <b>{ &row.reason }</b>
                <button class="link object" {onclick}>{ &row.object }</button>
                if row.count > 1 { <span class="num muted">{ format!("×{}", row.count) }</span> }
            </span>
            <span class="event-text">{ &row.message }</span>
        </li>
    }
}
