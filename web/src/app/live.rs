//! The engine in its worker, as the page's engine.

use sandbar_core::session::protocol::Input;
use yew::Callback;

use super::clock::Clock;
use super::dom;
use super::engine::Engine;
use super::page::Page;
use crate::engine_host::EngineHost;
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

/// Starts an engine for the page. `?seed=N` in the address makes its random choices repeatable.
pub fn attach(page: &Page) {
    let listener = page.clone();
    let host = EngineHost::start(Callback::from(move |message| hear(&listener, message)));
    let start_ms = js_sys::Date::now() as u64;
    let search = gloo::utils::window().location().search().unwrap_or_default();
    let seed = search.trim_start_matches('?').split('&').find_map(|p| p.strip_prefix("seed=")?.parse().ok());
    host.send(ToEngine::Init { seed: seed.unwrap_or(start_ms), start_ms, journal: None, resume_ms: 0 });
    page.attach(Box::new(Live(host)));
}

fn hear(page: &Page, message: FromEngine) {
    match message {
        FromEngine::Outputs(outputs) => {
            for output in outputs {
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
            page.notice(sentence);
        }
        FromEngine::Failed { sentence } => page.notice(sentence),
        _ => {}
    }
}
