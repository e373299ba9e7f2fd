//! Sentences for the person: shown at the bottom, read aloud, gone after a while or when dismissed.

use gloo::timers::callback::Timeout;
use yew::prelude::*;

use super::dom::icon;
use super::page::Page;
use super::topics::{Topic, use_topic};

/// How long a sentence stays, in real milliseconds: long enough to read twice.
const STAYS_MS: u32 = 9_000;

/// What is being said.
#[derive(Default)]
pub struct Notices {
    shown: Vec<(u32, String)>,
    next: u32,
}

impl Page {
    /// Says a sentence.
    pub fn notice(&self, text: impl Into<String>) {
        let text = text.into();
        let id = {
            let mut notices = self.notices.borrow_mut();
            notices.shown.retain(|n| n.1 != text);
            notices.next += 1;
            let id = notices.next;
            notices.shown.push((id, text));
            if notices.shown.len() > 3 {
                notices.shown.remove(0);
            }
            id
        };
        self.touch(Topic::Notices);
        let page = self.clone();
        Timeout::new(STAYS_MS, move || page.dismiss(id)).forget();
    }

    fn dismiss(&self, id: u32) {
        self.notices.borrow_mut().shown.retain(|n| n.0 != id);
        self.touch(Topic::Notices);
    }
}

/// The sentences, above the time bar.
#[function_component]
pub fn NoticeList() -> Html {
    let page = use_topic(Topic::Notices);
    let shown = page.notices.borrow().shown.clone();
    html! {
        <div class="notices" role="status" aria-live="polite">
            { for shown.into_iter().map(|(id, text)| {
                let page = page.clone();
                html! {
                    <p class="notice" key={id}>
                        <span>{ text }</span>
                        <button class="quiet" aria-label="Dismiss" onclick={move |_| page.dismiss(id)}>{ icon("close") }</button>
                    </p>
                }
            }) }
        </div>
    }
}
