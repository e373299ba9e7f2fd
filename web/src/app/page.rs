//! The page's state in one place, and the two ways in: what the engine says ([`Page::receive`]) and what
//! the person does (methods in each panel's room).
//!
//! It decides nothing about the cluster: every fact shown was sent by the engine.

use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::rc::Rc;

use sandbar_core::session::protocol::{Input, Output};

use super::browser::state::Browser;
use super::clock::Clock;
use super::cluster::answers::Answer;
use super::cluster::detail::Detail;
use super::cluster::store::Store;
use super::editor::Editor;
use super::engine::Engine;
use super::lesson::state::Lesson;
use super::notices::Notices;
use super::terminals::state::Terminals;
use super::topics::{Topic, Topics};
use super::ui::Ui;

/// From this many pods on, their pictures are drawn a few times a second and not in each frame.
const MANY: usize = 300;

/// A handle on the page's state; clones share it.
#[derive(Clone)]
pub struct Page(Rc<State>);

/// Everything the page knows.
pub struct State {
    /// Who is told of changes.
    pub topics: Topics,
    /// What the engine said of the cluster.
    pub cluster: RefCell<Store>,
    /// The lesson panel.
    pub lesson: RefCell<Lesson>,
    /// The terminals.
    pub terminals: RefCell<Terminals>,
    /// The browser pane.
    pub browser: RefCell<Browser>,
    /// The details drawer, where open.
    pub detail: RefCell<Option<Detail>>,
    /// Files being edited.
    pub editor: RefCell<Editor>,
    /// Simulated time.
    pub clock: RefCell<Clock>,
    /// Sentences for the person.
    pub notices: RefCell<Notices>,
    /// Layout, theme, overlays.
    pub ui: RefCell<Ui>,
    /// Whether the next outputs only repeat what was already done.
    pub replaying: Cell<bool>,
    engine: RefCell<Option<Box<dyn Engine>>>,
    requests: Cell<u64>,
}

impl PartialEq for Page {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Deref for Page {
    type Target = State;
    fn deref(&self) -> &State {
        &self.0
    }
}

impl Page {
    /// A page without an engine; [`Page::attach`] gives it one.
    pub fn new() -> Self {
        Page(Rc::new(State {
            topics: Topics::default(),
            cluster: RefCell::default(),
            lesson: RefCell::default(),
            terminals: RefCell::default(),
            browser: RefCell::default(),
            detail: RefCell::default(),
            editor: RefCell::default(),
            clock: RefCell::default(),
            notices: RefCell::default(),
            ui: RefCell::new(Ui::restore()),
            replaying: Cell::default(),
            engine: RefCell::default(),
            requests: Cell::new(1),
        }))
    }

    /// Connects the engine.
    pub fn attach(&self, engine: Box<dyn Engine>) {
        *self.engine.borrow_mut() = Some(engine);
    }

    /// Tells the engine what the person did.
    pub fn send(&self, input: Input) {
        self.with_engine(|engine| engine.send(input));
    }

    /// Runs `act` with the engine, if there is one.
    pub fn with_engine(&self, act: impl FnOnce(&dyn Engine)) {
        if let Some(engine) = self.engine.borrow().as_deref() {
            act(engine);
        }
    }

    /// A number for a question to the engine, never used before.
    pub fn request(&self) -> u64 {
        let n = self.requests.get();
        self.requests.set(n + 1);
        n
    }

    /// Numbers up to this one were used in a session that goes on.
    pub fn requests_after(&self, used: u64) {
        self.requests.set(self.requests.get().max(used.saturating_add(1)));
    }

    /// Takes what the engine said.
    pub fn receive(&self, output: Output) {
        match output {
            Output::Terminal { id, data } => self.terminal_write(id, &data),
            Output::TerminalState { id, place, running } => self.terminal_state(id, place, running),
            Output::TerminalClosed { id } => self.terminal_ended(id),
            Output::Page { request, answer } => self.browser_answer(request, answer),
            Output::Load { id, recent, answered, failed } => {
                self.load_news(id, recent, answered, failed)
            }
            Output::OpenUrl { url } => self.browse(&url),
            Output::OpenDashboard => self.show_dashboard(),
            Output::OpenFile { path, text } => self.edit_file(path, text),
            Output::File { path, text } => self.file_read(path, text),
            Output::Files { .. } => {}
            Output::View(changes) => self.view_changed(changes),
            Output::Lesson(view) => self.lesson_changed(*view),
            Output::Detail { request, text } => {
                self.detail_answer(request, text.map(|t| Answer::Text(t.into())));
            }
            Output::Why { request, answer } => {
                self.detail_answer(request, answer.map(|a| Answer::Why(Rc::from(a))));
            }
            Output::Trace { request, answer } => {
                self.detail_answer(request, answer.map(|a| Answer::Trace(Rc::from(a))));
            }
            Output::Notice { text } => self.notice(text),
        }
    }

    /// A new engine plays everything again: what came from the old one is forgotten.
    pub fn restart(&self) {
        self.cluster.borrow_mut().clear();
        self.terminals_restart();
        self.browser_restart();
        for topic in self.cluster.borrow_mut().take_touched() {
            self.touch(topic);
        }
    }

    fn view_changed(&self, changes: Vec<sandbar_core::view::ViewChange>) {
        let now = super::dom::now();
        let touched = {
            let mut store = self.cluster.borrow_mut();
            for change in changes {
                store.apply(change, now);
            }
            store.take_touched()
        };
        let many = self.cluster.borrow().pods.len() > MANY;
        for topic in touched {
            if many
                && matches!(topic, Topic::Nodes | Topic::Workloads | Topic::Pods | Topic::Events)
            {
                self.touch_later(topic);
            } else {
                self.touch(topic);
            }
        }
        self.detail_refresh();
    }
}

impl Default for Page {
    fn default() -> Self {
        Page::new()
    }
}
