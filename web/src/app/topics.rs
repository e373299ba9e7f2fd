//! Who is told when what changes: components subscribe to topics, changes are announced once a frame.
//!
//! A burst of messages from the engine costs one rendering of each part it touched. What changed is
//! not carried here; components read it from the [`Page`].

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo::render::{AnimationFrame, request_animation_frame};
use gloo::timers::callback::Timeout;
use yew::prelude::*;

use super::page::Page;

/// A part of the page's state that can be subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Topic {
    /// The simulated clock moved or was set to another pace.
    Clock,
    /// The simulated clock shows another second (ages are redrawn).
    Second,
    /// The cluster as a whole, its namespaces, what is shown of it.
    Cluster,
    /// Nodes, or pods on them.
    Nodes,
    /// What owns pods, or pods owned.
    Workloads,
    /// Services and their routing tables.
    Services,
    /// Pods.
    Pods,
    /// Events.
    Events,
    /// The details drawer.
    Detail,
    /// The lesson panel.
    Lesson,
    /// Terminals: tabs, panes, what runs.
    Terminals,
    /// The browser pane.
    Browser,
    /// The browser pane's load generator.
    Load,
    /// Open files.
    Editor,
    /// Sentences for the person.
    Notices,
    /// Layout, theme, presenter mode, overlays.
    Ui,
}

impl Topic {
    fn bit(self) -> u32 {
        1 << self as u8
    }
}

/// The subscriptions and what is to be announced in the next frame.
#[derive(Default)]
pub struct Topics {
    subscribers: RefCell<Vec<(u64, Topic, Callback<()>)>>,
    next: Cell<u64>,
    dirty: Cell<u32>,
    frame: RefCell<Option<AnimationFrame>>,
    later: Cell<u32>,
}

impl Topics {
    fn subscribe(&self, topic: Topic, callback: Callback<()>) -> u64 {
        let id = self.next.get();
        self.next.set(id + 1);
        self.subscribers.borrow_mut().push((id, topic, callback));
        id
    }

    fn unsubscribe(&self, id: u64) {
        self.subscribers.borrow_mut().retain(|s| s.0 != id);
    }

    fn announce(&self) {
        let dirty = self.dirty.take();
        let callbacks: Vec<_> = self
            .subscribers
            .borrow()
            .iter()
            .filter(|s| s.1.bit() & dirty != 0)
            .map(|s| s.2.clone())
            .collect();
        for callback in callbacks {
            callback.emit(());
        }
    }
}

/// How long a topic may wait that is announced a few times a second, real milliseconds. The topics take
/// turns, so that no frame carries them all.
const LATER_MS: [u32; 4] = [160, 200, 240, 280];

impl Page {
    /// Has everyone who looks at `topic` drawn again before long: for pictures that cost and change all the time.
    pub fn touch_later(&self, topic: Topic) {
        let later = &self.topics.later;
        if later.get() & topic.bit() != 0 {
            return;
        }
        later.set(later.get() | topic.bit());
        let wait = LATER_MS.get(topic as usize % LATER_MS.len()).copied().unwrap_or(200);
        let page = self.clone();
        Timeout::new(wait, move || {
            let later = &page.topics.later;
            later.set(later.get() & !topic.bit());
            page.touch(topic);
        })
        .forget();
    }

    /// Has everyone who looks at `topic` drawn again in the next frame.
    pub fn touch(&self, topic: Topic) {
        let topics = &self.topics;
        topics.dirty.set(topics.dirty.get() | topic.bit());
        if topics.frame.borrow().is_some() {
            return;
        }
        let page = self.clone();
        let frame = request_animation_frame(move |_| {
            // Dropped only after the call: it owns the closure that is running.
            let done = page.topics.frame.borrow_mut().take();
            page.topics.announce();
            drop(done);
        });
        *topics.frame.borrow_mut() = Some(frame);
    }
}

/// The page, from any component below the root.
#[hook]
pub fn use_page() -> Page {
    use_context::<Page>().expect("components live below App")
}

/// The page; the component is drawn again when `topic` changes.
#[hook]
pub fn use_topic(topic: Topic) -> Page {
    let page = use_page();
    let update = use_force_update();
    let from = page.clone();
    use_effect_with((), move |()| {
        let id = from.topics.subscribe(topic, Callback::from(move |()| update.force_update()));
        let from = from.clone();
        move || from.topics.unsubscribe(id)
    });
    page
}

/// Runs `on_change` when `topic` changes, without drawing the component again (for canvases).
#[hook]
pub fn use_watch(topic: Topic, on_change: Rc<dyn Fn()>) {
    let page = use_page();
    use_effect_with((), move |()| {
        let id = page.topics.subscribe(topic, Callback::from(move |()| on_change()));
        let page = page.clone();
        move || page.topics.unsubscribe(id)
    });
}
