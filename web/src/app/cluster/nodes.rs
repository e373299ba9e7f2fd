//! Nodes, each with the pods it runs.

use std::rc::Rc;

use sandbar_core::view::NodeRow;
use yew::prelude::*;

use super::Section;
use super::field::Field;
use super::status::{Tone, of_node, shape};
use super::store::{Kept, is_system, object};
use crate::app::dom;
use crate::app::topics::{Topic, use_page, use_topic};

/// The section.
#[function_component]
pub fn Nodes() -> Html {
    let page = use_topic(Topic::Nodes);
    let store = page.cluster.borrow();
    // As kubectl lists them; the store is sorted by uid, which tells nobody anything.
    let mut nodes: Vec<_> = store.nodes.values().cloned().collect();
    nodes.sort_by(|a, b| a.row.name.cmp(&b.row.name));
    let waiting: Vec<_> =
        store.on_node("").into_iter().filter(|p| store.shows(&p.row.namespace)).collect();
    let ready = nodes.iter().filter(|n| of_node(&n.row.status) == Tone::Good).count();
    html! {
        <Section name="Nodes" command="kubectl get nodes" summary={format!("{ready} of {} Ready", nodes.len())}>
            <div class="node-cards">{ for nodes.into_iter().map(|node| {
                let (key, version) = (node.row.uid.clone(), store.version(&node.row.name));
                html! { <Node {key} {version} {node} only={store.only.clone()}/> }
            }) }</div>
            if !waiting.is_empty() {
                <div class="card waiting">
                    <p class="card-head"><span>{ "Not on a node yet" }</span></p>
                    <Field pods={Rc::new(waiting)} of="without a node"/>
                </div>
            }
        </Section>
    }
}

#[derive(Properties, PartialEq)]
struct NodeProps {
    node: Kept<NodeRow>,
    version: u64,
    only: String,
}

#[function_component]
fn Node(props: &NodeProps) -> Html {
    let page = use_page();
    let row = props.node.row.clone();
    let (mut yours, mut system) = (Vec::new(), Vec::new());
    {
        let store = page.cluster.borrow();
        for pod in store.on_node(&row.name) {
            if store.shows(&pod.row.namespace) {
                yours.push(pod);
            } else if is_system(&pod.row.namespace) && store.only.is_empty() {
                system.push(pod);
            }
        }
    }
    let tone = of_node(&row.status);
    let onclick = {
        let name = row.name.clone();
        move |_| page.open_detail(object("nodes", "", &name))
    };
    let of = AttrValue::from(format!("on {}", row.name));
    html! {
        <div class={classes!("card", "node", tone.name())}>
            <button class={classes!("card-head", props.node.glow(dom::now()))} {onclick}>
                { shape(tone) }
                <span class="name strong">{ &row.name }</span>
                <span class="word">{ &row.status }</span>
                if row.roles != "<none>" { <span class="muted">{ &row.roles }</span> }
                <span class="bar-gap"/>
                <span class="muted mono">{ &row.address }</span>
            </button>
            <div class="gauges">
                { gauge("cpu", row.cpu_milli, &cpu(row.cpu_milli)) }
                { gauge("memory", row.memory, &memory(row.memory)) }
            </div>
            if yours.is_empty() {
                <p class="none">{ "None of your pods runs here." }</p>
            } else {
                <Field pods={Rc::new(yours)} of={of.clone()}/>
            }
            if !system.is_empty() {
                <div class="system">
                    <p class="muted small">{ match system.len() {
                        1 => "kube-system · 1 pod".to_string(),
                        n => format!("kube-system · {n} pods"),
                    } }</p>
                    <Field pods={Rc::new(system)} of={format!("of the system {of}")} dense=true/>
                </div>
            }
        </div>
    }
}

/// What pods have reserved of what the node has.
fn gauge(name: &'static str, (has, asked): (u64, u64), words: &str) -> Html {
    let share = if has == 0 { 0.0 } else { (asked as f64 / has as f64 * 100.0).min(100.0) };
    html! {
        <span class="gauge" title={format!("{name} requested by pods, of what the node can give")}>
            <span class="muted">{ name }</span>
            <span class="track" aria-hidden="true"><span style={format!("width:{share:.1}%")}/></span>
            <span class="num">{ words }</span>
        </span>
    }
}

fn cpu((has, asked): (u64, u64)) -> String {
    let cores = has as f64 / 1000.0;
    format!("{asked}m of {cores}")
}

fn memory((has, asked): (u64, u64)) -> String {
    const MI: u64 = 1 << 20;
    let shown = |bytes: u64| match bytes / MI {
        mi @ 0..1024 => format!("{mi}Mi"),
        mi if mi % 1024 == 0 => format!("{}Gi", mi / 1024),
        mi => format!("{:.1}Gi", mi as f64 / 1024.0),
    };
    format!("{} of {}", shown(asked), shown(has))
}

#[cfg(test)]
mod tests {
    #[test]
    fn amounts_are_short() {
        assert_eq!(super::cpu((2000, 850)), "850m of 2");
        assert_eq!(super::memory((6 << 30, 170 << 20)), "170Mi of 6Gi");
        assert_eq!(super::memory((16 << 30, 0)), "0Mi of 16Gi");
    }
}
