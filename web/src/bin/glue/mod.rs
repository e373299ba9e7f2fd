//! Glue between `js/worker.js`, which owns the event loop, and [`sandbar_web::worker::Host`]: the same
//! in both programs of the worker.

use std::cell::RefCell;

use sandbar_web::{
    protocol::{FromEngine, ToEngine},
    worker::{Host, Next, Outside},
};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = postMessage)]
    fn post_message(text: &str);
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now() -> f64;
}

/// The page on the other side of the worker's port.
pub struct Page;

impl Outside for Page {
    fn now_ms(&self) -> f64 {
        performance_now()
    }

    fn post(&self, message: FromEngine) {
        if let Ok(text) = serde_json::to_string(&message) {
            post_message(&text);
        }
    }
}

thread_local! {
    static HOST: RefCell<Host<Page>> = RefCell::new(Host::new(Page));
}

/// Gives something of the host.
pub fn with_host<T>(work: impl FnOnce(&mut Host<Page>) -> T) -> T {
    HOST.with_borrow_mut(work)
}

/// Takes a message of the page; answers as [`wake`] does.
#[wasm_bindgen]
pub fn receive(text: &str) -> f64 {
    match serde_json::from_str::<ToEngine>(text) {
        Ok(message) => HOST.with_borrow_mut(|host| delay(host.receive(message))),
        Err(e) => {
            Page.post(FromEngine::Failed {
                sentence: format!("The page sent what the engine can't read ({e}): reload it."),
            });
            -1.0
        }
    }
}

/// Works for a slice. Answers after how many milliseconds to call it again: 0 for at once but after
/// waiting messages, negative for not before the next message.
#[wasm_bindgen]
pub fn wake() -> f64 {
    HOST.with_borrow_mut(|host| delay(host.wake()))
}

/// What [`wake`] answers.
pub fn delay(next: Next) -> f64 {
    match next {
        Next::Now => 0.0,
        // Browsers round down; a little later is right, a little earlier would be a turn for nothing.
        Next::After(ms) => ms.ceil().clamp(1.0, 60_000.0),
        Next::Never => -1.0,
    }
}

/// Lets a panic's message reach the page.
pub fn start() {
    std::panic::set_hook(Box::new(|info| {
        Page.post(FromEngine::Died { message: info.to_string() });
    }));
}
