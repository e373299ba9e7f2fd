//! Services, each with its routing table: who would answer, who is draining, who is gone.

use std::rc::Rc;

use gloo::timers::callback::Timeout;
use sandbar_core::view::{RouteRow, ServiceRow};
use yew::prelude::*;

use super::Section;
use super::field::short;
use super::status::{of_route, shape};
use super::store::{GHOST_MS, Kept, KeptService, object};
use crate::app::dom::{self, icon};
use crate::app::topics::{Topic, use_page, use_topic};

/// Lines of a routing table that are shown before the rest is counted.
const LINES: usize = 40;

/// The section.
#[function_component]
pub fn Services() -> Html {
    let page = use_topic(Topic::Services);
    let store = page.cluster.borrow();
    let shown: Vec<KeptService> =
        store.services.values().filter(|s| store.shows(&s.kept.row.namespace)).cloned().collect();
    let ghosts = shown.iter().any(|s| !s.ghosts.is_empty());
    {
        let page = page.clone();
        use_effect_with(ghosts, move |&ghosts| {
            let timer = ghosts.then(|| {
                Timeout::new(GHOST_MS as u32, move || {
                    page.cluster.borrow_mut().bury_ghosts(dom::now());
                    page.touch(Topic::Services);
                })
            });
            move || drop(timer)
        });
    }
    html! {
        <Section name="Services" command="kubectl get services" summary={shown.len().to_string()}>
            { for shown.into_iter().map(|s| html! {
                <Service key={s.kept.row.uid.clone()} kept={s.kept.clone()} ghosts={Rc::new(s.ghosts)}/>
            }) }
        </Section>
    }
}

#[derive(Properties, PartialEq)]
struct ServiceProps {
    kept: Kept<ServiceRow>,
    ghosts: Rc<Vec<(RouteRow, f64)>>,
}

#[function_component]
fn Service(props: &ServiceProps) -> Html {
    let page = use_page();
    let row = props.kept.row.clone();
    let onclick = {
        let (page, row) = (page.clone(), row.clone());
        move |_| page.open_detail(object("services", &row.namespace, &row.name))
    };
    let selector: Vec<String> = row.selector.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let empty = row.routes.is_empty() && props.ghosts.is_empty();
    html! {
        <div class="card service">
            <button class={classes!("card-head", props.kept.glow(dom::now()))} {onclick}>
                { icon("service") }
                <span class="name strong">{ &row.name }</span>
                <span class="muted">{ &row.kind }</span>
                <span class="bar-gap"/>
                <span class="mono" title="Cluster IP">{ &row.cluster_ip }</span>
            </button>
            <p class="service-line">
                <span class="mono" title="Ports: inside, and on each node">{ &row.ports }</span>
                if !selector.is_empty() { <span class="muted">{ "selects " }<code>{ selector.join(",") }</code></span> }
                { for row.urls.iter().map(|url| {
                    let (page, address) = (page.clone(), url.clone());
                    html! { <button class="link" onclick={move |_| page.browse(&address)}>{ url }{ icon("open") }</button> }
                }) }
            </p>
            if empty {
                if !row.selector.is_empty() {
                    <p class="none">{ "No pod matches: every request is refused." }</p>
                }
            } else {
                <table class="routes">
                    <thead><tr><th>{ "Address" }</th><th>{ "Pod" }</th><th>{ "State" }</th><th class="r" title="Requests sent there so far">{ "Reqs" }</th><th class="r" title="Connections open now">{ "Open" }</th></tr></thead>
                    <tbody>
                        { for row.routes.iter().take(LINES).map(|r| route(r, &r.state, false)) }
                        { for props.ghosts.iter().map(|g| route(&g.0, "deleted", true)) }
                    </tbody>
                </table>
                if row.routes.len() > LINES {
                    <p class="muted small">{ format!("and {} more; kubectl describe shows all", row.routes.len() - LINES) }</p>
                }
            }
        </div>
    }
}

fn route(row: &RouteRow, state: &str, ghost: bool) -> Html {
    let tone = of_route(state);
    html! {
        <tr key={format!("{}:{}{ghost}", row.ip, row.port)} class={classes!(tone.name(), ghost.then_some("ghost"))}>
            <td class="mono" title={format!("{}:{}", row.ip, row.port)}>{ format!("{}:{}", row.ip, row.port) }</td>
            <td class="routed" title={row.pod.clone()}><span>{ short(&row.pod) }</span></td>
            <td class="state">{ shape(tone) }{ state }</td>
            <td class="r num">{ row.requests }</td>
            <td class="r num">{ row.open }</td>
        </tr>
    }
}
