//! The lesson panel: one step at a time, with its command, its check and its hints; or the catalogue.
//!
//! It shows what the engine says and judges nothing: a step is done when its check holds.

pub mod markdown;
pub mod state;
mod step;

use sandbar_core::view::{CatalogueEntry, LessonView};
use yew::prelude::*;

use super::dom::icon;
use super::topics::{Topic, use_page, use_topic};
use step::Step;

/// The panel.
#[function_component]
pub fn LessonPanel() -> Html {
    let page = use_topic(Topic::Lesson);
    let lesson = page.lesson.borrow();
    let view = lesson.view.clone();
    let catalogue = lesson.catalogue || view.id.is_empty();
    let open = !view.id.is_empty();
    let toggle = {
        let page = page.clone();
        move |_| page.show_catalogue(!catalogue)
    };
    html! {
        <div class="lesson-inner">
            <header class="panel-head">
                <h1 class="brand">{ icon("brand") }{ "Sandbar" }</h1>
                <span class="bar-gap"/>
                if open || !catalogue {
                    <button class="quiet worded" onclick={toggle} title="Alt-L">
                        { icon(if catalogue { "back" } else { "list" }) }{ if catalogue { "Back to the lesson" } else { "All lessons" } }
                    </button>
                }
            </header>
            <div class="scroll" id="lesson" tabindex="-1">
                if catalogue { { contents(&page, &view) } } else { <Steps/> }
            </div>
        </div>
    }
}

/// The catalogue by course.
fn contents(page: &super::page::Page, view: &LessonView) -> Html {
    if view.catalogue.is_empty() {
        return html! {
            <div class="lesson-text">
                <h2>{ "Start here" }</h2>
                <p>{ "This is a computer with a terminal. Start a Kubernetes cluster on it:" }</p>
                <step::CommandBox command="minikube start"/>
                <p class="muted">{ "Lessons appear here once the engine has loaded them." }</p>
            </div>
        };
    }
    let mut courses: Vec<(&str, Vec<&CatalogueEntry>)> = Vec::new();
    for entry in &view.catalogue {
        match courses.iter_mut().find(|c| c.0 == entry.course) {
            Some(course) => course.1.push(entry),
            None => courses.push((&entry.course, vec![entry])),
        }
    }
    html! {
        <div class="lesson-text catalogue">
            <h2>{ "All lessons" }</h2>
            { for courses.into_iter().map(|(course, entries)| html! {
                <section>
                    <h3>{ course }</h3>
                    <ol>{ for entries.into_iter().map(|e| entry(page, e, e.id == view.id)) }</ol>
                </section>
            }) }
        </div>
    }
}

fn entry(page: &super::page::Page, e: &CatalogueEntry, here: bool) -> Html {
    let (page, id, (done, all)) = (page.clone(), e.id.clone(), e.done);
    let finished = all > 0 && done >= all;
    let share = (done * 100).checked_div(all).unwrap_or(0);
    html! {
        <li key={e.id.clone()}>
            <button class={classes!("entry", finished.then_some("finished"), here.then_some("here"))} onclick={move |_| page.open_lesson(&id)} aria-current={here.then_some("true")}>
                { icon(if finished { "tick" } else { "lesson" }) }
                <span class="entry-title">{ &e.title }</span>
                <span class="num muted">{ format!("{done}/{all}") }</span>
                <span class="track" aria-hidden="true"><span style={format!("width:{share}%")}/></span>
            </button>
        </li>
    }
}

#[function_component]
fn Steps() -> Html {
    let page = use_topic(Topic::Lesson);
    let view = page.lesson.borrow().view.clone();
    let finished = view.current >= view.steps.len() && !view.steps.is_empty();
    use_effect_with((view.id.clone(), view.current), |(_, current)| step::reveal(*current));
    let done = view.steps.iter().filter(|s| s.done).count();
    html! {
        <div class="lesson-text">
            <h2>{ &view.title }</h2>
            <p class="progress" title={format!("{done} of {} steps done", view.steps.len())}>
                <span class="pips" aria-hidden="true">
                    { for view.steps.iter().enumerate().map(|(i, s)| html! {
                        <i class={classes!(s.done.then_some("done"), (i == view.current).then_some("here"))}/>
                    }) }
                </span>
                <span class="num muted">{ format!("{done} of {} done", view.steps.len()) }</span>
            </p>
            if view.current == 0 || view.steps.is_empty() {
                <div class="intro">{ markdown::render(&view.intro) }</div>
            } else {
                <details class="intro"><summary>{ "What this lesson is about" }</summary>{ markdown::render(&view.intro) }</details>
            }
            if view.current == 0 && !view.setup.is_empty() {
                <details class="intro">
                    <summary>{ "Where this lesson begins" }</summary>
                    <p>{ "It goes on from the lessons before. If you come straight here, run first:" }</p>
                    { for view.setup.iter().map(|command| html! { <step::CommandBox command={command.clone()}/> }) }
                </details>
            }
            <ol class="steps">
                { for view.steps.iter().enumerate().map(|(index, step)| html! {
                    <Step key={index} {index} step={step.clone()} current={view.current}/>
                }) }
            </ol>
            if finished { <Finished/> }
        </div>
    }
}

#[function_component]
fn Finished() -> Html {
    let page = use_page();
    let view = page.lesson.borrow().view.clone();
    let at = view.catalogue.iter().position(|c| c.id == view.id);
    let next = at.and_then(|at| view.catalogue.get(at + 1)).cloned();
    let all = page.clone();
    html! {
        <div class="all-done" role="status">
            <p><strong>{ "Every step of this lesson holds." }</strong></p>
            { match next {
                Some(next) => {
                    let id = next.id.clone();
                    html! { <button class="primary" onclick={move |_| page.open_lesson(&id)}>{ format!("Next: {}", next.title) }</button> }
                }
                None => html! { <button class="primary" onclick={move |_| all.show_catalogue(true)}>{ "All lessons" }</button> },
            } }
        </div>
    }
}
