//! What owns what: Deployments over ReplicaSets over pods, and everything else that owns pods.

use std::rc::Rc;

use sandbar_core::view::WorkloadRow;
use yew::prelude::*;

use super::Section;
use super::field::Field;
use super::status::{of_counts, shape};
use super::store::{Kept, object};
use crate::app::dom;
use crate::app::topics::{Topic, use_page, use_topic};

/// The section.
#[function_component]
pub fn Workloads() -> Html {
    let page = use_topic(Topic::Workloads);
    let store = page.cluster.borrow();
    let tops: Vec<_> =
        store.owned_workloads("").into_iter().filter(|w| store.shows(&w.row.namespace)).collect();
    let alone: Vec<_> =
        store.owned_pods("").into_iter().filter(|p| store.shows(&p.row.namespace)).collect();
    let summary = match (tops.len(), alone.len()) {
        (0, 0) => "none".to_owned(),
        (n, 0) => n.to_string(),
        (n, pods) => format!("{n}, and {pods} without owner"),
    };
    html! {
        <Section name="Workloads" command="kubectl get all" {summary}>
            if tops.is_empty() && alone.is_empty() {
                <p class="none">{ "Nothing of yours runs yet. A Deployment shows here with its ReplicaSets and their pods." }</p>
            }
            <>{ for tops.into_iter().map(|work| {
                let version = store.version(&work.row.uid);
                let key = work.row.uid.clone();
                html! { <div class="card" {key}><Workload {version} {work} level={0}/></div> }
            }) }</>
            if !alone.is_empty() {
                <div class="card">
                    <p class="card-head"><span>{ "Pods without owner" }</span><span class="muted">{ "nothing replaces them" }</span></p>
                    <Field pods={Rc::new(alone)} of="without owner" with_node=true/>
                </div>
            }
        </Section>
    }
}

#[derive(Properties, PartialEq)]
struct WorkloadProps {
    work: Kept<WorkloadRow>,
    version: u64,
    level: u8,
}

#[function_component]
fn Workload(props: &WorkloadProps) -> Html {
    let page = use_page();
    let row = props.work.row.clone();
    let (below, pods, versions, with_node) = {
        let store = page.cluster.borrow();
        let below = store.owned_workloads(&row.uid);
        let versions: Vec<u64> = below.iter().map(|w| store.version(&w.row.uid)).collect();
        (below, store.owned_pods(&row.uid), versions, store.nodes.len() > 1)
    };
    let idle = row.desired == 0 && row.current == 0;
    let onclick = {
        let (page, row) = (page.clone(), row.clone());
        move |_| page.open_detail(object(&row.resource, &row.namespace, &row.name))
    };
    let tone = of_counts(row.ready, row.desired);
    let current = (row.current != row.desired).then(|| format!("{} exist", row.current));
    html! {
        <div class={classes!("work", (props.level > 0).then_some("owned"), idle.then_some("idle"))}>
            <button class={classes!("card-head", tone.name(), props.work.glow(dom::now()))} {onclick}>
                { shape(tone) }
                <span class="kind">{ &row.kind }</span>
                <span class="name strong" title={row.name.clone()}>{ &row.name }</span>
                <span class="bar-gap"/>
                if let Some(current) = current { <span class="muted">{ current }</span> }
                if row.revision > 0 { <span class="muted" title="revision">{ format!("rev {}", row.revision) }</span> }
                <span class="num strong" title="ready of wanted">{ format!("{}/{}", row.ready, row.desired) }</span>
            </button>
            <>{ for below.into_iter().zip(versions).map(|(work, version)| {
                let key = work.row.uid.clone();
                html! { <Workload {key} {work} {version} level={props.level.saturating_add(1)}/> }
            }) }</>
            if !pods.is_empty() {
                <div class="owned"><Field pods={Rc::new(pods)} of={format!("of {}", row.name)} {with_node} owner={row.name.clone()}/></div>
            }
        </div>
    }
}
