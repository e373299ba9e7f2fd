//! The browser pane: pages the learner's cluster serves, in a frame that can reach nothing.

pub mod load;
pub mod state;

use std::rc::Rc;

use sandbar_core::session::protocol::PageAnswer;
use web_sys::{HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;

use super::commands::run;
use super::dom::icon;
use super::topics::{Topic, use_page, use_topic};
use load::LoadView;

/// The frame may show what is in it and nothing else: no scripts, no requests, no way out.
const POLICY: &str = "<!doctype html><meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; form-action 'none'; base-uri 'none'\"><meta name=\"color-scheme\" content=\"light\"><base target=\"_blank\">";

/// Paces there are for repeated requests: simulated milliseconds, and words.
const PACES: [(u32, &str); 4] =
    [(1000, "1 a second"), (250, "4 a second"), (50, "20 a second"), (10, "100 a second")];

/// The pane.
#[function_component]
pub fn BrowserPanel() -> Html {
    let page = use_topic(Topic::Browser);
    let browser = page.browser.borrow();
    let (answer, loading) = (browser.answer.clone(), browser.loading);
    let has_load = browser.load.is_some();
    html! {
        <div class="browser-inner">
            <AddressBar/>
            if has_load { <LoadView/> }
            { match answer {
                Some(answer) => html! { <><StatusLine answer={answer.clone()} {loading}/><Frame {answer}/></> },
                None if loading => html! { <p class="empty-line" role="status">{ "Waiting for an answer…" }</p> },
                None => html! {
                    <div class="empty">
                        <h3>{ "Nothing opened yet" }</h3>
                        <p>{ "Addresses that commands print can be clicked, and services with a node port have a link in the cluster panel." }</p>
                    </div>
                },
            } }
        </div>
    }
}

#[function_component]
fn AddressBar() -> Html {
    let page = use_topic(Topic::Browser);
    let input = use_node_ref();
    let browser = page.browser.borrow();
    let address = browser.address.clone();
    {
        // The bar follows what was opened, and leaves alone what is being typed.
        let input = input.clone();
        use_effect_with(address.clone(), move |address| {
            if let Some(input) = input.cast::<HtmlInputElement>() {
                input.set_value(address);
            }
        });
    }
    let on = browser.load.as_ref().is_some_and(|l| l.on);
    let every = if browser.every_ms == 0 { 250 } else { browser.every_ms };
    let onsubmit = {
        let (page, input) = (page.clone(), input.clone());
        move |e: SubmitEvent| {
            e.prevent_default();
            if let Some(input) = input.cast::<HtmlInputElement>() {
                page.browse(&input.value());
            }
        }
    };
    let [back, refresh, keep, pace, close] = [(); 5].map(|()| page.clone());
    let onchange = move |e: Event| {
        if let Ok(ms) = e.target_unchecked_into::<HtmlSelectElement>().value().parse() {
            pace.set_load_pace(ms);
        }
    };
    html! {
        <form class="panel-head address" {onsubmit}>
            <button type="button" class="quiet" aria-label="Back" title="Back" disabled={!page.can_go_back()} onclick={move |_| back.browse_back()}>{ icon("back") }</button>
            <button type="button" class="quiet" aria-label="Refresh" title="Ask again" disabled={address.is_empty()} onclick={move |_| refresh.refresh_page()}>{ icon("refresh") }</button>
            <input ref={input} type="text" inputmode="url" aria-label="Address" placeholder="http://" spellcheck="false" autocomplete="off" autocapitalize="off"/>
            <select aria-label="How often to request" title="How often, in simulated time" {onchange}>
                { for PACES.iter().map(|(ms, words)| html! { <option value={ms.to_string()} selected={*ms == every}>{ *words }</option> }) }
            </select>
            <button type="button" class={classes!("soft", on.then_some("on"))} aria-pressed={on.to_string()} disabled={address.is_empty()}
                title="Keep requesting this address and count who answers" onclick={move |_| {
                    if keep.browser.borrow().every_ms == 0 {
                        keep.browser.borrow_mut().every_ms = 250;
                    }
                    keep.toggle_load();
                }}>
                { icon(if on { "pause" } else { "repeat" }) }<span>{ if on { "Stop requesting" } else { "Keep requesting" } }</span>
            </button>
            <button type="button" class="quiet" aria-label="Hide the browser" title="Hide (Alt-3)" onclick={move |_| run(&close, "browser")}>{ icon("close") }</button>
        </form>
    }
}

#[derive(Properties, PartialEq)]
struct AnswerProps {
    answer: Rc<PageAnswer>,
    #[prop_or_default]
    loading: bool,
}

/// The words of an HTTP status.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        301 => "Moved Permanently",
        302 => "Found",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "",
    }
}

#[function_component]
fn StatusLine(props: &AnswerProps) -> Html {
    let a = &props.answer;
    let tone = match a.status {
        200..=399 => "is-good",
        _ => "is-bad",
    };
    html! {
        <p class={classes!("status-line", props.loading.then_some("loading"))} role="status">
            if a.status == 0 {
                <b class="is-bad">{ "No answer" }</b>
            } else {
                <b class={tone}>{ format!("{} {}", a.status, reason(a.status)) }</b>
            }
            <span class="num muted">{ format!("{} ms", a.millis) }</span>
            if !a.answered_by.is_empty() {
                <span>{ "answered by " }<b class="mono">{ &a.answered_by }</b></span>
            }
            if props.loading { <span class="muted">{ "asking again…" }</span> }
        </p>
    }
}

#[function_component]
fn Frame(props: &AnswerProps) -> Html {
    let page = use_page();
    let a = &props.answer;
    if a.status == 0 {
        let retry = move |_: MouseEvent| page.refresh_page();
        return html! {
            <div class="empty">
                <h3>{ "This page can’t be reached" }</h3>
                <p class="mono">{ &a.body }</p>
                <p class="muted">{ format!("Nothing answered at {}. Check the port, that the service has endpoints, and that a pod is ready.", a.url) }</p>
                <button class="soft" onclick={retry}>{ icon("refresh") }{ "Try again" }</button>
            </div>
        };
    }
    if a.content_type.starts_with("text/html") {
        let document = format!("{POLICY}{}", a.body);
        // An empty sandbox: no scripts, no same origin, no forms, no navigation of the page around it.
        return html! { <iframe class="frame" sandbox="" srcdoc={document} title={format!("Page at {}", a.url)} referrerpolicy="no-referrer"/> };
    }
    html! { <pre class="frame text" tabindex="0">{ &a.body }</pre> }
}
