//! The browser pane's state: the address, the answer, and the load generator's counts.

use std::collections::VecDeque;
use std::rc::Rc;

use sandbar_core::session::protocol::{Input, LoadDot, PageAnswer};

use crate::app::page::Page;
use crate::app::topics::Topic;
use crate::app::ui::Place;

/// How many requests are drawn.
pub const DOTS: usize = 3_000;

/// The pane.
#[derive(Default)]
pub struct Browser {
    /// What the address bar says.
    pub address: String,
    /// The last answer.
    pub answer: Option<Rc<PageAnswer>>,
    /// Whether an answer is awaited.
    pub loading: bool,
    request: u64,
    /// Addresses seen, for going back.
    past: Vec<String>,
    /// Requests that keep being made, or were.
    pub load: Option<Load>,
    loads: u32,
    /// Simulated milliseconds between two of them.
    pub every_ms: u32,
}

/// Requests that keep being made.
pub struct Load {
    id: u32,
    /// What is asked for.
    pub url: String,
    /// Whether it goes on.
    pub on: bool,
    /// The newest requests, oldest first, and each one's number of who answered.
    pub dots: VecDeque<(LoadDot, Option<usize>)>,
    /// Who has answered, in the order of their first answer: colours go by it.
    pub names: Vec<String>,
    /// How often each has, as the engine counts.
    pub answered: Vec<(String, u64)>,
    /// Failed requests.
    pub failed: u64,
}

impl Load {
    fn new(id: u32, url: &str) -> Self {
        Load {
            id,
            url: url.to_owned(),
            on: true,
            dots: VecDeque::new(),
            names: Vec::new(),
            answered: Vec::new(),
            failed: 0,
        }
    }

    /// A pod's number, by which it is coloured.
    pub fn number(&mut self, name: &str) -> usize {
        if let Some(at) = self.names.iter().position(|n| n == name) {
            return at;
        }
        self.names.push(name.to_owned());
        self.names.len() - 1
    }
}

impl Browser {
    /// Requests of a session that goes on.
    pub fn restore_load(&mut self, id: u32, url: &str, every_ms: u32) {
        self.loads = self.loads.max(id);
        self.every_ms = every_ms;
        self.address = url.to_owned();
        self.load = Some(Load::new(id, url));
    }

    /// Requests stop.
    pub fn stop_load(&mut self) {
        if let Some(load) = &mut self.load {
            load.on = false;
        }
    }
}

/// The address a person means: `http://` in front, a path behind.
pub fn complete(address: &str) -> String {
    let address = address.trim();
    if address.is_empty() || address.contains("://") {
        address.to_owned()
    } else {
        format!("http://{address}")
    }
}

impl Page {
    /// Opens an address in the browser pane.
    pub fn browse(&self, address: &str) {
        let url = complete(address);
        if url.is_empty() {
            return;
        }
        let request = self.request();
        {
            let mut browser = self.browser.borrow_mut();
            if browser.address != url && !browser.address.is_empty() {
                let old = browser.address.clone();
                browser.past.push(old);
            }
            browser.address = url.clone();
            browser.request = request;
            browser.loading = true;
        }
        self.send(Input::Browse { request, url });
        self.show(Place::Browser);
        self.touch(Topic::Browser);
    }

    /// Asks for the same page again.
    pub fn refresh_page(&self) {
        let address = self.browser.borrow().address.clone();
        self.browse(&address);
    }

    /// Goes back to the address before.
    pub fn browse_back(&self) {
        let before = self.browser.borrow_mut().past.pop();
        if let Some(before) = before {
            self.browser.borrow_mut().address.clear();
            self.browse(&before);
        }
    }

    /// Whether there is an address to go back to.
    pub fn can_go_back(&self) -> bool {
        !self.browser.borrow().past.is_empty()
    }

    /// The engine answers.
    pub fn browser_answer(&self, request: u64, answer: PageAnswer) {
        let mut browser = self.browser.borrow_mut();
        if browser.request == request {
            browser.loading = false;
            browser.answer = Some(Rc::new(answer));
        }
        drop(browser);
        self.touch(Topic::Browser);
    }

    /// Starts or ends requests that keep being made.
    pub fn toggle_load(&self) {
        let (input, stop) = {
            let mut browser = self.browser.borrow_mut();
            if let Some(load) = browser.load.as_mut().filter(|l| l.on) {
                load.on = false;
                (Input::LoadStop { id: load.id }, true)
            } else {
                let url = complete(&browser.address);
                if url.is_empty() {
                    return;
                }
                browser.loads += 1;
                let id = browser.loads;
                browser.load = Some(Load::new(id, &url));
                (Input::LoadStart { id, url, every_ms: browser.every_ms.max(1) }, false)
            }
        };
        self.send(input);
        self.touch(Topic::Browser);
        if !stop {
            self.touch(Topic::Load);
        }
    }

    /// Changes how often requests are made.
    pub fn set_load_pace(&self, every_ms: u32) {
        let change = {
            let mut browser = self.browser.borrow_mut();
            browser.every_ms = every_ms;
            browser.load.as_ref().filter(|l| l.on).map(|l| Input::LoadStart {
                id: l.id,
                url: l.url.clone(),
                every_ms,
            })
        };
        if let Some(input) = change {
            self.send(input);
        }
        self.touch(Topic::Browser);
    }

    /// The engine counted requests.
    pub fn load_news(
        &self,
        id: u32,
        recent: Vec<LoadDot>,
        answered: Vec<(String, u64)>,
        failed: u64,
    ) {
        {
            let mut browser = self.browser.borrow_mut();
            let Some(load) = browser.load.as_mut().filter(|l| l.id == id) else { return };
            for dot in recent {
                let by = (!dot.by.is_empty()).then(|| load.number(&dot.by));
                load.dots.push_back((dot, by));
            }
            for (name, _) in &answered {
                load.number(name);
            }
            let extra = load.dots.len().saturating_sub(DOTS);
            load.dots.drain(..extra);
            load.answered = answered;
            load.failed = failed;
        }
        self.touch(Topic::Load);
    }

    /// A new engine plays the journal: what was awaited will not come.
    pub fn browser_restart(&self) {
        let mut browser = self.browser.borrow_mut();
        browser.loading = false;
        drop(browser);
        self.touch(Topic::Browser);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_address_needs_no_scheme() {
        assert_eq!(super::complete(" 192.168.49.2:32201 "), "http://192.168.49.2:32201");
        assert_eq!(super::complete("http://a/b"), "http://a/b");
    }
}
