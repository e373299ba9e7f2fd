//! The engine in its worker, as the page's engine, and the session that survives a reload.

use sandbar_core::session::Journal;
use sandbar_core::session::protocol::{Input, Output};
use yew::Callback;

use super::clock::Clock;
use super::dom;
use super::engine::Engine;
use super::page::Page;
use crate::engine_host::EngineHost;
use crate::journal_store::TextStore;
use crate::protocol::{FromEngine, ToEngine};

struct Live(EngineHost);

impl Engine for Live {
    fn send(&self, input: Input) {
        self.0.send(ToEngine::Input(input));
    }

    fn pace(&self, speed: u32) {
        self.0.send(ToEngine::Speed { factor: speed });
    }

    fn next_event(&self) {
        self.0.send(ToEngine::StepNextEvent);
    }
}

/// A parameter of the page's address.
fn parameter(name: &str) -> Option<String> {
    let search = gloo::utils::window().location().search().unwrap_or_default();
    let found =
        search.trim_start_matches('?').split('&').find(|p| p.split('=').next() == Some(name))?;
    Some(found.split_once('=').map_or(String::new(), |p| p.1.to_owned()))
}

/// Starts an engine for the page: where the person left, or anew. `?seed=N` in the address starts anew
/// with random choices that can be repeated, `?fresh` starts anew.
pub fn attach(page: &Page) {
    let listener = page.clone();
    let host = EngineHost::start(Callback::from(move |message| hear(&listener, message)));
    let fresh = parameter("fresh").is_some();
    let seed: Option<u64> = parameter("seed").and_then(|s| s.parse().ok());
    if fresh {
        // Once: the next reload goes on with the new sandbox.
        let window = gloo::utils::window();
        let path = window.location().pathname().unwrap_or_default();
        let history = window.history();
        let _ = history
            .and_then(|h| h.replace_state_with_url(&wasm_bindgen::JsValue::NULL, "", Some(&path)));
    }
    let store = TextStore::local();
    let kept = store.as_ref().filter(|_| seed.is_none() && !fresh).and_then(TextStore::load);
    let kept = kept.filter(|journal| !journal.entries.is_empty());
    if let Some(store) = store {
        host.set_store(store);
    }
    let start_ms = js_sys::Date::now() as u64;
    if let Some(journal) = &kept {
        restore(page, journal);
    }
    host.send(ToEngine::Init {
        seed: seed.unwrap_or(start_ms),
        start_ms,
        journal: kept,
        resume_ms: 0,
    });
    page.attach(Box::new(Live(host)));
}

/// Makes the page's side of what a journal holds: its terminals, its requests.
fn restore(page: &Page, journal: &Journal) {
    page.replaying.set(true);
    page.lesson.borrow_mut().offered = true;
    for entry in &journal.entries {
        match &entry.input {
            Input::TerminalOpen { id, place, .. } => {
                page.terminals.borrow_mut().restore(*id, place)
            }
            Input::TerminalClose { id } => page.terminals.borrow_mut().forget(*id),
            Input::Browse { request, .. } => page.requests_after(*request),
            Input::LoadStart { id, url, every_ms } => {
                page.browser.borrow_mut().restore_load(*id, url, *every_ms)
            }
            Input::LoadStop { .. } => page.browser.borrow_mut().stop_load(),
            _ => {}
        }
    }
    page.terminals.borrow_mut().restored();
}

/// Forgets the session and begins a new one.
pub fn start_over() {
    let window = gloo::utils::window();
    let sure =
        window.confirm_with_message("Start over? Everything you did in this sandbox is forgotten.");
    if sure.unwrap_or(false) {
        let _ = window.location().set_search("?fresh");
    }
}

/// What opens panes by itself; not when it is only played again.
fn intrudes(output: &Output) -> bool {
    matches!(
        output,
        Output::OpenUrl { .. }
            | Output::OpenDashboard
            | Output::OpenFile { .. }
            | Output::Notice { .. }
    )
}

fn hear(page: &Page, message: FromEngine) {
    match message {
        FromEngine::Outputs(outputs) => {
            // A replay's outputs come in one message, after `Ready`.
            let replayed = page.replaying.take();
            for output in outputs.into_iter().filter(|o| !(replayed && intrudes(o))) {
                page.receive(output);
            }
        }
        FromEngine::Clock { now_ms, speed, behind, rate } => {
            let old = *page.clock.borrow();
            let paused = speed == 0;
            let speed = if paused { old.speed } else { speed };
            page.clock_news(Clock { now_ms, heard: dom::now(), speed, rate, paused, busy: behind });
        }
        FromEngine::Ready { now_ms } => {
            let old = *page.clock.borrow();
            page.clock_news(Clock { now_ms, heard: dom::now(), busy: false, ..old });
        }
        FromEngine::Restarted { sentence } => {
            page.restart();
            page.replaying.set(true);
            page.notice(sentence);
        }
        FromEngine::Failed { sentence } => page.notice(sentence),
        _ => {}
    }
}
