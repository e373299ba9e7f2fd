//! The details drawer: an object as kubectl describes it, the command that shows the same, a shell into
//! it, and ways to break it.

use sandbar_core::session::protocol::{DetailKind, Input, ObjectRef};
use yew::prelude::*;

use super::answers::{self, Answer};
use super::faults::FaultMenu;
use super::status::{of_node, of_pod, shape};
use crate::app::dom::{self, icon};
use crate::app::page::Page;
use crate::app::topics::{Topic, use_topic};

/// Real milliseconds between two looks at an object that keeps changing.
const AGAIN_MS: u32 = 700;

/// The drawer's content.
#[derive(Clone, Debug, PartialEq)]
pub struct Detail {
    /// What is looked at.
    pub object: ObjectRef,
    /// Which side of it.
    pub kind: DetailKind,
    request: u64,
    /// The answer, once it is there.
    answer: Option<Result<Answer, String>>,
    waiting: bool,
    asked: f64,
}

impl Page {
    /// Opens the drawer on an object.
    pub fn open_detail(&self, object: ObjectRef) {
        let kind = self.detail.borrow().as_ref().map_or(DetailKind::Describe, |d| d.kind);
        let kind = if kind == DetailKind::Logs && object.resource != "pods" {
            DetailKind::Describe
        } else {
            kind
        };
        self.ask_detail(object, kind, None);
        self.show(crate::app::ui::Place::Cluster);
    }

    /// Closes the drawer.
    pub fn close_detail(&self) {
        self.detail.replace(None);
        self.touch(Topic::Detail);
        self.focus_terminal();
    }

    fn ask_detail(
        &self,
        object: ObjectRef,
        kind: DetailKind,
        answer: Option<Result<Answer, String>>,
    ) {
        let request = self.request();
        let asked = dom::now();
        self.detail.replace(Some(Detail {
            object: object.clone(),
            kind,
            request,
            answer,
            waiting: true,
            asked,
        }));
        self.send(match kind {
            DetailKind::Why => Input::Why { request, object },
            DetailKind::Trace => Input::Trace { request, object, depth: None, all: false },
            what => Input::Detail { request, object, what },
        });
        self.touch(Topic::Detail);
    }

    /// The engine answers.
    pub fn detail_answer(&self, request: u64, answer: Result<Answer, String>) {
        if let Some(detail) = self.detail.borrow_mut().as_mut().filter(|d| d.request == request) {
            detail.answer = Some(answer);
            detail.waiting = false;
        }
        self.touch(Topic::Detail);
    }

    /// The cluster changed: an open drawer looks again, now and then.
    pub fn detail_refresh(&self) {
        let Some(detail) = self.detail.borrow().clone() else { return };
        if detail.waiting {
            return;
        }
        if let Some(open) = self.detail.borrow_mut().as_mut() {
            open.waiting = true;
        }
        let wait = (f64::from(AGAIN_MS) - (dom::now() - detail.asked)).max(0.0) as u32;
        let page = self.clone();
        gloo::timers::callback::Timeout::new(wait, move || {
            let now = page.detail.borrow().clone();
            if let Some(now) = now.filter(|n| n.request == detail.request) {
                page.ask_detail(now.object, now.kind, now.answer);
            }
        })
        .forget();
    }
}

/// `pods` → `pod`, `ingresses.networking.k8s.io` → `ingress`.
pub fn singular(resource: &str) -> String {
    let plural = resource.split('.').next().unwrap_or(resource);
    let single = plural.strip_suffix("sses").map(|s| format!("{s}ss"));
    single.unwrap_or_else(|| plural.strip_suffix('s').unwrap_or(plural).to_owned())
}

/// The command that shows the same.
pub fn command(object: &ObjectRef, kind: DetailKind) -> String {
    let (one, name) = (singular(&object.resource), &object.name);
    let space = if object.namespace.is_empty() || object.namespace == "default" {
        String::new()
    } else {
        format!(" -n {}", object.namespace)
    };
    match kind {
        DetailKind::Describe => format!("kubectl describe {one} {name}{space}"),
        DetailKind::Yaml => format!("kubectl get {one} {name} -o yaml{space}"),
        DetailKind::Events => format!("kubectl events --for {one}/{name}{space}"),
        DetailKind::Logs => format!("kubectl logs {name} --tail=200{space}"),
        DetailKind::Why => format!("sandbar why {one}/{name}{space}"),
        DetailKind::Trace => format!("sandbar trace {one}/{name}{space}"),
    }
}

/// The drawer.
#[function_component]
pub fn Drawer() -> Html {
    let page = use_topic(Topic::Detail);
    let opened = page.detail.borrow().as_ref().map(|d| d.object.clone());
    use_effect_with(opened, |opened| {
        if opened.is_some() {
            dom::focus("drawer");
        }
    });
    let Some(detail) = page.detail.borrow().clone() else { return html! {} };
    let object = detail.object.clone();
    let is_pod = object.resource == "pods";
    let close = {
        let page = page.clone();
        move |_| page.close_detail()
    };
    let onkeydown = {
        let page = page.clone();
        move |e: KeyboardEvent| {
            if e.key() == "Escape" {
                page.close_detail();
            }
        }
    };
    let same = command(&object, detail.kind);
    let (type_same, copy_same) = (same.clone(), same.clone());
    let typed = page.clone();
    let shell = {
        let (page, object) = (page.clone(), object.clone());
        let space = if object.namespace == "default" {
            String::new()
        } else {
            format!(" -n {}", object.namespace)
        };
        move |_| page.type_for_me(&format!("kubectl exec -it {}{space} -- /bin/sh", object.name))
    };
    html! {
        <aside class="drawer" id="drawer" tabindex="-1" aria-label={format!("Details of {} {}", singular(&object.resource), object.name)} {onkeydown}>
            <header class="panel-head">
                <Condition object={object.clone()}/>
                <span class="muted">{ singular(&object.resource) }</span>
                <h2 class="mono" title={object.name.clone()}>{ &object.name }</h2>
                <span class="bar-gap"/>
                <button class="quiet" aria-label="Close details" title="Close (Esc)" onclick={close}>{ icon("close") }</button>
            </header>
            <div class="drawer-tools">
                <div class="tabs" role="tablist" aria-label="Sides of the object">
                    { for [(DetailKind::Describe, "Describe"), (DetailKind::Yaml, "YAML"), (DetailKind::Events, "Events"), (DetailKind::Why, "Why"), (DetailKind::Trace, "Trace"), (DetailKind::Logs, "Logs")]
                        .into_iter().filter(|(kind, _)| is_pod || *kind != DetailKind::Logs).map(|(kind, name)| {
                            let (page, object, on) = (page.clone(), object.clone(), kind == detail.kind);
                            html! {
                                <button role="tab" aria-selected={on.to_string()} class={on.then_some("on")}
                                    onclick={move |_| page.ask_detail(object.clone(), kind, None)}>{ name }</button>
                            }
                        }) }
                </div>
                <span class="bar-gap"/>
                if is_pod { <button class="soft" onclick={shell} title="Types kubectl exec in a terminal">{ icon("terminal") }{ "Shell" }</button> }
                <FaultMenu object={object.clone()}/>
            </div>
            <p class="same-command">
                <code>{ &same }</code>
                <button class="quiet" aria-label="Type it in the terminal" title="Type it in the terminal" onclick={move |_| typed.type_for_me(&type_same)}>{ icon("enter") }</button>
                <button class="quiet" aria-label="Copy" title="Copy" onclick={move |_| dom::copy(&copy_same)}>{ icon("copy") }</button>
            </p>
            { answer(&detail) }
        </aside>
    }
}

fn answer(detail: &Detail) -> Html {
    match &detail.answer {
        None => html! { <div class="drawer-text" aria-busy="true"/> },
        Some(Err(why)) => html! { <div class="drawer-text"><p class="none">{ why }</p></div> },
        Some(Ok(answer)) => answers::draw(detail.kind, answer),
    }
}

#[derive(Properties, PartialEq)]
struct ConditionProps {
    object: ObjectRef,
}

/// The object's status, live.
#[function_component]
fn Condition(props: &ConditionProps) -> Html {
    let _ = use_topic(Topic::Nodes);
    let page = use_topic(Topic::Pods);
    let store = page.cluster.borrow();
    let o = &props.object;
    let pod = |p: &sandbar_core::view::PodRow| p.name == o.name && p.namespace == o.namespace;
    let found = match o.resource.as_str() {
        "pods" => store
            .pods
            .values()
            .find(|p| pod(&p.row))
            .map(|p| (of_pod(&p.row.status, p.row.ready), p.row.status.clone())),
        "nodes" => store
            .nodes
            .values()
            .find(|n| n.row.name == o.name)
            .map(|n| (of_node(&n.row.status), n.row.status.clone())),
        _ => return html! {},
    };
    match found {
        Some((tone, word)) => {
            html! { <span class={classes!("condition", tone.name())}>{ shape(tone) }{ word }</span> }
        }
        None => html! { <span class="condition muted">{ "deleted" }</span> },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_what_one_would_type() {
        let pod =
            ObjectRef { resource: "pods".into(), namespace: "default".into(), name: "web".into() };
        assert_eq!(command(&pod, DetailKind::Describe), "kubectl describe pod web");
        let deploy = ObjectRef {
            resource: "deployments.apps".into(),
            namespace: "dev".into(),
            name: "web".into(),
        };
        assert_eq!(command(&deploy, DetailKind::Yaml), "kubectl get deployment web -o yaml -n dev");
        assert_eq!(command(&deploy, DetailKind::Trace), "sandbar trace deployment/web -n dev");
        assert_eq!(singular("ingresses.networking.k8s.io"), "ingress");
    }
}
