//! The page's side of the worker: starts it, listens, and replaces it when it dies or hangs.
//!
//! The host keeps the journal of what the worker confirmed. A worker that panics says so itself; one
//! that traps raises an error event; one that hangs leaves a ping unanswered. In each case a new
//! worker plays the journal up to but excluding the last input, which is the one that did it; where
//! that is not enough, twice as many are left out each time.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use sandbar_core::session::{Entry, Journal};
use wasm_bindgen::{JsCast, prelude::*};
use web_sys::{ErrorEvent, MessageEvent, Worker};
use yew::Callback;

use crate::protocol::{FromEngine, ToEngine};

/// Milliseconds between two pings.
const PING_MS: i32 = 1_000;
/// Pings that may be unanswered: a worker that says nothing for about 5 s hangs.
const PINGS_MISSED: u32 = 5;
/// Deaths in a row after which the host gives up.
const DEATHS: u32 = 6;
/// Milliseconds a worker must live for its death to be the first of a row.
const LIFE_MS: f64 = 60_000.0;

#[wasm_bindgen]
extern "C" {
    /// Starts a worker (or hands out the one that index.html started before anything else).
    #[wasm_bindgen(js_namespace = sandbarBoot, js_name = worker)]
    fn new_worker() -> Worker;
}

/// Where a journal survives a reload. The host appends; the page reads it once, at start.
pub trait JournalStore {
    /// A session began; `journal` is what it already holds.
    fn begin(&self, journal: &Journal);
    /// Inputs were confirmed.
    fn append(&self, entries: &[Entry]);
}

/// Handle on the engine; clones are the same engine.
#[derive(Clone)]
pub struct EngineHost(Rc<Inner>);

struct Inner {
    on_message: Callback<FromEngine>,
    store: RefCell<Option<Box<dyn JournalStore>>>,
    worker: RefCell<Option<Worker>>,
    handlers: RefCell<Option<Handlers>>,
    journal: RefCell<Journal>,
    /// The speed the page asked for last.
    speed: Cell<u32>,
    /// Simulated milliseconds that were reached.
    now_ms: Cell<u64>,
    /// Pings sent since the last sign of life; counted only once the worker was ready.
    missed: Cell<u32>,
    ready: Cell<bool>,
    deaths: Cell<u32>,
    born_ms: Cell<f64>,
    ticker: RefCell<Option<Closure<dyn FnMut()>>>,
}

struct Handlers {
    _message: Closure<dyn FnMut(MessageEvent)>,
    _error: Closure<dyn FnMut(ErrorEvent)>,
}

impl PartialEq for EngineHost {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl EngineHost {
    /// Takes the worker that is there and listens to it. Send [`ToEngine::Init`] next.
    pub fn start(on_message: Callback<FromEngine>) -> Self {
        let journal = Journal { version: Journal::VERSION, seed: 0, start_us: 0, entries: vec![] };
        let host = EngineHost(Rc::new(Inner {
            on_message,
            store: RefCell::default(),
            worker: RefCell::default(),
            handlers: RefCell::default(),
            journal: RefCell::new(journal),
            speed: Cell::new(1),
            now_ms: Cell::new(0),
            missed: Cell::new(0),
            ready: Cell::new(false),
            deaths: Cell::new(0),
            born_ms: Cell::new(0.0),
            ticker: RefCell::default(),
        }));
        host.spawn();
        host.start_ticker();
        host
    }

    /// Keeps what happens from now on in a store.
    pub fn set_store(&self, store: impl JournalStore + 'static) {
        *self.0.store.borrow_mut() = Some(Box::new(store));
    }

    /// Everything that was done so far and confirmed.
    pub fn journal(&self) -> Journal {
        self.0.journal.borrow().clone()
    }

    /// Sends a message to the engine.
    pub fn send(&self, message: ToEngine) {
        match &message {
            ToEngine::Init { seed, start_ms, journal, resume_ms } => {
                let fresh = || Journal {
                    version: Journal::VERSION,
                    seed: *seed,
                    start_us: start_ms * 1_000,
                    entries: Vec::new(),
                };
                let journal = journal.clone().unwrap_or_else(fresh);
                if let Some(store) = &*self.0.store.borrow() {
                    store.begin(&journal);
                }
                self.0.now_ms.set(*resume_ms);
                self.0.ready.set(false);
                *self.0.journal.borrow_mut() = journal;
            }
            ToEngine::Speed { factor } => self.0.speed.set(*factor),
            _ => {}
        }
        self.post(&message);
    }

    fn post(&self, message: &ToEngine) {
        if let (Some(worker), Ok(text)) = (&*self.0.worker.borrow(), serde_json::to_string(message))
        {
            let _ = worker.post_message(&JsValue::from_str(&text));
        }
    }

    fn spawn(&self) {
        let worker = new_worker();
        let host = self.clone();
        let message = Closure::new(move |event: MessageEvent| host.hear(&event));
        let host = self.clone();
        let error = Closure::new(move |event: ErrorEvent| {
            event.prevent_default();
            let message = event.message();
            host.died(if message.is_empty() { "it stopped without a word" } else { &message });
        });
        worker.set_onmessage(Some(message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(error.as_ref().unchecked_ref()));
        *self.0.worker.borrow_mut() = Some(worker);
        // The old handlers may be running just now: they are dropped once the stack is empty.
        let old = self.0.handlers.replace(Some(Handlers { _message: message, _error: error }));
        wasm_bindgen_futures::spawn_local(async move { drop(old) });
        self.0.missed.set(0);
        self.0.ready.set(false);
        self.0.born_ms.set(js_sys::Date::now());
    }

    fn hear(&self, event: &MessageEvent) {
        let Some(message) = event.data().as_string().and_then(|t| serde_json::from_str(&t).ok())
        else {
            return;
        };
        self.0.missed.set(0);
        match &message {
            FromEngine::Pong(_) => return,
            FromEngine::Died { message } => return self.died(message),
            FromEngine::Ready { now_ms } => {
                self.0.ready.set(true);
                self.0.now_ms.set(*now_ms);
            }
            FromEngine::Clock { now_ms, .. } => self.0.now_ms.set(*now_ms),
            FromEngine::JournalAppend(entries) => {
                self.0.journal.borrow_mut().entries.extend(entries.iter().cloned());
                if let Some(store) = &*self.0.store.borrow() {
                    store.append(entries);
                }
            }
            _ => {}
        }
        self.0.on_message.emit(message);
    }

    /// Ends the worker and starts another one without the input that ended this one.
    fn died(&self, why: &str) {
        let Some(worker) = self.0.worker.take() else { return };
        worker.set_onmessage(None);
        worker.set_onerror(None);
        worker.terminate();
        let lived = js_sys::Date::now() - self.0.born_ms.get();
        let deaths = if lived < LIFE_MS { self.0.deaths.get() } else { 0 };
        self.0.deaths.set(deaths + 1);
        if deaths >= DEATHS {
            let sentence =
                format!("The engine can't be started ({why}): reload the page to begin anew.");
            return self.0.on_message.emit(FromEngine::Failed { sentence });
        }
        let (journal, left_out) = {
            let mut journal = self.0.journal.borrow_mut();
            let keep = journal.entries.len().saturating_sub(1 << deaths);
            let left_out = journal.entries.split_off(keep).len();
            (journal.clone(), left_out)
        };
        if let Some(store) = &*self.0.store.borrow() {
            store.begin(&journal);
        }
        let what = match left_out {
            0 => "everything was played again".to_owned(),
            1 => "everything but the last input was played again".to_owned(),
            n => format!("everything but the last {n} inputs was played again"),
        };
        self.spawn();
        let sentence = format!("The engine stopped ({why}) and was started anew; {what}.");
        self.0.on_message.emit(FromEngine::Restarted { sentence });
        // Where time alone ended it, going on to the same moment would end it again.
        let last_us = journal.entries.last().map_or(journal.start_us, |e| e.at_us);
        self.post(&ToEngine::Init {
            seed: journal.seed,
            start_ms: journal.start_us / 1_000,
            resume_ms: last_us / 1_000,
            journal: Some(journal),
        });
        self.post(&ToEngine::Speed { factor: self.0.speed.get() });
    }

    fn start_ticker(&self) {
        let host = self.clone();
        let tick = Closure::new(move || {
            if !host.0.ready.get() {
                return;
            }
            if host.0.missed.get() >= PINGS_MISSED {
                return host.died("it did not answer for 5 seconds");
            }
            host.0.missed.set(host.0.missed.get() + 1);
            host.post(&ToEngine::Ping(0));
        });
        if let Some(window) = web_sys::window() {
            let _ = window.set_interval_with_callback_and_timeout_and_arguments_0(
                tick.as_ref().unchecked_ref(),
                PING_MS,
            );
        }
        *self.0.ticker.borrow_mut() = Some(tick);
    }
}
