//! The cluster, live: nodes with their pods, what owns what, services with their routing tables, events.
//!
//! [`store`] keeps what the engine said; each section draws its part of it; [`detail`] is the drawer that
//! opens on a click. Nothing here asks the cluster anything except through `Input::Detail`.

pub mod answers;
mod cells;
pub mod detail;
pub mod events;
pub mod faults;
pub mod field;
pub mod list;
pub mod nodes;
pub mod services;
pub mod status;
pub mod store;
pub mod workloads;

use gloo::storage::{LocalStorage, Storage};
use web_sys::HtmlSelectElement;
use yew::prelude::*;

use super::dom::icon;
use super::topics::{Topic, use_page, use_topic};
use status::{Tone, shape};

/// The panel.
#[function_component]
pub fn ClusterPanel() -> Html {
    html! {
        <div class="cluster-inner" id="cluster" tabindex="-1">
            <ClusterHead/>
            <div class="scroll">
                <ClusterBody/>
            </div>
        </div>
    }
}

fn tone(state: &str) -> Tone {
    match state {
        "Running" => Tone::Good,
        "Starting" => Tone::Wait,
        "Stopped" => Tone::End,
        _ => Tone::Unknown,
    }
}

#[function_component]
fn ClusterHead() -> Html {
    let page = use_topic(Topic::Cluster);
    let store = page.cluster.borrow();
    let cluster = &store.cluster;
    let onchange = {
        let page = page.clone();
        move |e: Event| {
            page.cluster.borrow_mut().only = e.target_unchecked_into::<HtmlSelectElement>().value();
            for topic in [
                Topic::Cluster,
                Topic::Nodes,
                Topic::Workloads,
                Topic::Services,
                Topic::Pods,
                Topic::Events,
            ] {
                page.touch(topic);
            }
        }
    };
    html! {
        <header class="panel-head">
            <h2>{ "Cluster" }</h2>
            if !cluster.name.is_empty() {
                <span class="cluster-state">
                    { shape(tone(&cluster.state)) }
                    <span>{ &cluster.name }</span><span class="muted">{ &cluster.state }</span>
                    <span class="muted">{ &cluster.version }</span>
                </span>
            }
            <span class="bar-gap"/>
            if !store.namespaces.is_empty() {
                <select aria-label="Namespace shown" title="Namespaces shown: yours are all but the system's" {onchange}>
                    <option value="" selected={store.only.is_empty()}>{ "yours" }</option>
                    { for store.namespaces.keys().map(|n| html! {
                        <option value={n.clone()} selected={*n == store.only}>{ n }</option>
                    }) }
                </select>
            }
        </header>
    }
}

#[function_component]
fn ClusterBody() -> Html {
    let page = use_topic(Topic::Cluster);
    let store = page.cluster.borrow();
    if store.nodes.is_empty() {
        let (title, text) = match store.cluster.state.as_str() {
            "Starting" => (
                "The cluster is starting",
                "Its node appears here as soon as it registers with the API server.",
            ),
            "Stopped" => {
                ("The cluster is stopped", "What it held is kept. minikube start brings it back.")
            }
            _ => ("No cluster yet", "Start one by typing this in the terminal:"),
        };
        let page = page.clone();
        let absent = !matches!(store.cluster.state.as_str(), "Starting");
        return html! {
            <div class="empty">
                { icon("cluster") }
                <h3>{ title }</h3>
                <p>{ text }</p>
                if absent {
                    <button class="command-link" onclick={move |_| page.type_for_me("minikube start")}>
                        <code>{ "minikube start" }</code>{ icon("enter") }<span class="sr">{ "Type it for me" }</span>
                    </button>
                    <p class="muted">{ "Then you see its nodes, pods, services and events here, as they change." }</p>
                }
            </div>
        };
    }
    html! {
        <>
            <nodes::Nodes/>
            <workloads::Workloads/>
            <services::Services/>
            <list::PodList/>
            <events::Events/>
        </>
    }
}

/// What a section is given.
#[derive(Properties, PartialEq)]
pub struct SectionProps {
    /// Its name.
    pub name: &'static str,
    /// What there is, in a few words.
    pub summary: AttrValue,
    /// The kubectl command that shows the same.
    pub command: &'static str,
    /// Whether it is open for a person who has not chosen.
    #[prop_or(true)]
    pub open: bool,
    /// Its content.
    pub children: Children,
}

/// A part of the panel that opens and closes, and remembers it.
#[function_component]
pub fn Section(props: &SectionProps) -> Html {
    let key = format!("sandbar.section.{}", props.name);
    let open = use_state(|| LocalStorage::get(&key).unwrap_or(props.open));
    let page = use_page();
    let onclick = {
        let open = open.clone();
        move |_| {
            let _ = LocalStorage::set(&key, !*open);
            open.set(!*open);
        }
    };
    let command = props.command;
    let type_it = move |_| page.type_for_me(command);
    html! {
        <section class="section" aria-label={props.name}>
            <header>
                <button class="fold" aria-expanded={open.to_string()} {onclick}>
                    { icon("fold") }<h3>{ props.name }</h3><span class="muted">{ &props.summary }</span>
                </button>
                <button class="quiet same" onclick={type_it} title={format!("The same in the terminal: {command}")}
                    aria-label={format!("Type {command}")}>{ icon("prompt") }</button>
            </header>
            if *open { { props.children.clone() } }
        </section>
    }
}
