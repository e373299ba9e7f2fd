//! Breaking things on purpose: the faults there are for an object, in words, in a small menu.

use sandbar_core::session::protocol::{Fault, Input, ObjectRef};
use yew::prelude::*;

use crate::app::dom::icon;
use crate::app::topics::use_page;

/// The faults an object can have: what is done, and what to watch.
pub fn faults(object: &ObjectRef) -> Vec<(&'static str, &'static str, Fault)> {
    let (namespace, name) = (object.namespace.clone(), object.name.clone());
    match object.resource.as_str() {
        "pods" => vec![
            (
                "Kill its container",
                "SIGKILL to its first process; the kubelet restarts it",
                Fault::ContainerKill {
                    namespace: namespace.clone(),
                    pod: name.clone(),
                    container: String::new(),
                },
            ),
            (
                "Let it leak memory",
                "It answers ever more slowly, until its liveness probe fails",
                Fault::ContainerLeak { namespace, pod: name },
            ),
        ],
        "nodes" => vec![
            (
                "Stop its kubelet",
                "The node turns NotReady after 40 s without a lease",
                Fault::KubeletStop { node: name.clone() },
            ),
            ("Start its kubelet", "The node turns Ready again", Fault::KubeletStart { node: name }),
        ],
        _ => Vec::new(),
    }
}

/// What the menu is given.
#[derive(Properties, PartialEq)]
pub struct FaultProps {
    /// The object.
    pub object: ObjectRef,
}

/// A button that opens the faults; nothing where there are none.
#[function_component]
pub fn FaultMenu(props: &FaultProps) -> Html {
    let page = use_page();
    let open = use_state(|| false);
    let list = faults(&props.object);
    if list.is_empty() {
        return html! {};
    }
    let toggle = {
        let open = open.clone();
        move |_| open.set(!*open)
    };
    let onkeydown = {
        let open = open.clone();
        move |e: KeyboardEvent| {
            if *open && e.key() == "Escape" {
                e.stop_propagation();
                open.set(false);
            }
        }
    };
    html! {
        <div class="menu" {onkeydown}>
            <button class="soft" aria-haspopup="menu" aria-expanded={open.to_string()} onclick={toggle}>{ icon("break") }{ "Break it" }</button>
            if *open {
                <ul role="menu" aria-label="Break it">
                    { for list.into_iter().map(|(title, then, fault)| {
                        let (page, open) = (page.clone(), open.clone());
                        let onclick = move |_| {
                            page.send(Input::Fault(fault.clone()));
                            open.set(false);
                        };
                        html! { <li role="none"><button role="menuitem" {onclick}><b>{ title }</b><span>{ then }</span></button></li> }
                    }) }
                </ul>
            }
        </div>
    }
}
