//! One step: its text, its command, whether it holds and what is missing, its hints.

use sandbar_core::session::protocol::Input;
use sandbar_core::view::StepView;
use wasm_bindgen::JsCast;
use web_sys::{HtmlElement, ScrollBehavior, ScrollIntoViewOptions, ScrollLogicalPosition};
use yew::prelude::*;

use super::markdown::{inline, render};
use crate::app::dom::{self, icon};
use crate::app::topics::use_page;

/// Brings a step to where it can be read.
pub fn reveal(index: usize) {
    let Some(element) = gloo::utils::document().get_element_by_id(&format!("step-{index}")) else {
        return;
    };
    // At the start the panel's top is what should be seen.
    if index == 0 {
        return;
    }
    let options = ScrollIntoViewOptions::new();
    options.set_block(ScrollLogicalPosition::Nearest);
    options.set_behavior(if dom::reduced_motion() {
        ScrollBehavior::Auto
    } else {
        ScrollBehavior::Smooth
    });
    if let Ok(element) = element.dyn_into::<HtmlElement>() {
        element.scroll_into_view_with_scroll_into_view_options(&options);
    }
}

#[derive(Properties, PartialEq)]
pub struct StepProps {
    /// Its place, from 0.
    pub index: usize,
    /// The step.
    pub step: StepView,
    /// Where the learner is.
    pub current: usize,
}

/// A step of the list: open where the learner is, a title elsewhere.
#[function_component]
pub fn Step(props: &StepProps) -> Html {
    let page = use_page();
    let (step, index) = (&props.step, props.index);
    let here = index == props.current;
    let just_done = step.done && index + 1 == props.current;
    let go = {
        let page = page.clone();
        move |_| page.go_to_step(index)
    };
    html! {
        <li id={format!("step-{index}")} class={classes!("step", here.then_some("here"), step.done.then_some("done"))} aria-current={here.then_some("step")}>
            <button class="step-title" onclick={go} aria-expanded={here.to_string()}>
                <span class="step-mark" aria-hidden="true">
                    if step.done { { icon("tick") } } else { { index + 1 } }
                </span>
                <span>{ &step.title }</span>
                if step.done { <span class="sr">{ "done" }</span> }
            </button>
            if here { { body(props, &page) } }
            if just_done && !step.after.is_empty() { <div class="after">{ render(&step.after) }</div> }
        </li>
    }
}

fn body(props: &StepProps, page: &crate::app::page::Page) -> Html {
    let (step, index) = (&props.step, props.index);
    let more = step.hints.len() < step.hints_total;
    let (hint, next) = (page.clone(), page.clone());
    html! {
        <div class="step-body">
            { render(&step.text) }
            if !step.command.is_empty() { <CommandBox command={step.command.clone()}/> }
            <div class="check" role="status" aria-live="polite">
                if step.done {
                    <p class="good">{ icon("tick") }<span>{ "Done" }</span></p>
                } else if !step.missing.is_empty() {
                    <p class="waits"><span class="wait-dot" aria-hidden="true"/><span>{ inline(&step.missing) }</span></p>
                }
            </div>
            if step.done {
                if !step.after.is_empty() { <div class="after">{ render(&step.after) }</div> }
                <button class="primary" onclick={move |_| next.move_step(1)}>{ "Next step" }</button>
            } else if step.hints_total > 0 {
                <div class="hints">
                    { for step.hints.iter().map(|h| html! { <div class="hint">{ render(h) }</div> }) }
                    if more {
                        <button class="link" onclick={move |_| hint.send(Input::LessonHint { step: index })}>
                            { if step.hints.is_empty() { "Hint".to_owned() } else { format!("Another hint ({} of {})", step.hints.len() + 1, step.hints_total) } }
                        </button>
                    }
                </div>
            }
        </div>
    }
}

#[derive(Properties, PartialEq)]
pub struct CommandProps {
    /// The command.
    pub command: AttrValue,
}

/// A command, to be typed by the person, by us, or copied.
#[function_component]
pub fn CommandBox(props: &CommandProps) -> Html {
    let page = use_page();
    let copied = use_state(|| false);
    let (type_it, copy_it) = (props.command.clone(), props.command.clone());
    let onclick = {
        let copied = copied.clone();
        move |_: MouseEvent| {
            dom::copy(&copy_it);
            copied.set(true);
            let copied = copied.clone();
            gloo::timers::callback::Timeout::new(1_500, move || copied.set(false)).forget();
        }
    };
    html! {
        <div class="command">
            <pre tabindex="0"><code>{ &props.command }</code></pre>
            <div class="command-tools">
                <button class="primary" onclick={move |_| page.type_for_me(&type_it)} title="Alt-Enter">{ icon("enter") }{ "Type it for me" }</button>
                <button class="soft" {onclick}>{ icon("copy") }<span aria-live="polite">{ if *copied { "Copied" } else { "Copy" } }</span></button>
            </div>
        </div>
    }
}
