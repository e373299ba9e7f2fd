//! The browser pane and load generators: requests from the learner's host into the network.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use super::protocol::{LoadDot, Output, PageAnswer};
use crate::{
    fabric::{
        Endpoint,
        http::{HttpOptions, http_get},
    },
    lesson::Witness,
    sim::{Sim, TaskHandle, Time},
};

/// A browser's patience.
const TIMEOUT: Duration = Duration::from_secs(30);
/// A load generator's patience for one answer.
const LOAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Redirects that are followed.
const REDIRECTS: u32 = 10;
/// Dots in one message.
const DOTS: usize = 200;
/// The largest page that is shown, in bytes.
const LARGEST_PAGE: usize = 2 << 20;

/// Outputs of the session, from wherever they come.
pub type Outbox = Rc<RefCell<Vec<Output>>>;

fn options(timeout: Duration) -> HttpOptions {
    HttpOptions {
        timeout: Some(timeout),
        redirects: REDIRECTS,
        headers: vec![("User-Agent".into(), "Sandbar".into())],
        ..Default::default()
    }
}

/// Asks for a page; the answer comes as [`Output::Page`].
pub fn browse(
    endpoint: &Endpoint,
    request: u64,
    url: String,
    outbox: &Outbox,
    witness: &Rc<RefCell<Witness>>,
) {
    let (endpoint, outbox, witness) = (endpoint.clone(), outbox.clone(), witness.clone());
    let sim = endpoint.sim().clone();
    sim.clone().spawn(async move {
        let start = sim.now();
        let result = http_get(&endpoint, &url, &options(TIMEOUT)).await;
        let millis = sim.now().since(start).as_millis() as u64;
        let answer = match result {
            Ok(answer) => {
                witness.borrow_mut().saw(sim.now(), &answer.by);
                let body = &answer.response.body[..answer.response.body.len().min(LARGEST_PAGE)];
                PageAnswer {
                    status: answer.response.status,
                    content_type: answer.response.content_type().to_string(),
                    body: String::from_utf8_lossy(body).into_owned(),
                    answered_by: answer.by.to_string(),
                    millis,
                    url: answer.url.to_string(),
                }
            }
            Err(error) => PageAnswer {
                status: 0,
                content_type: String::new(),
                body: error.to_string(),
                answered_by: String::new(),
                millis,
                url,
            },
        };
        outbox.borrow_mut().push(Output::Page { request, answer });
    });
}

/// What a load generator counted.
#[derive(Default)]
struct Counts {
    recent: Vec<LoadDot>,
    answered: BTreeMap<String, u64>,
    failed: u64,
    changed: bool,
}

struct Generator {
    counts: Rc<RefCell<Counts>>,
    task: TaskHandle,
    sim: Sim,
}

impl Drop for Generator {
    fn drop(&mut self) {
        self.sim.kill(&self.task);
    }
}

/// The load generators that run, by number.
#[derive(Default)]
pub struct Load(BTreeMap<u32, Generator>);

impl Load {
    /// Starts a generator, in place of one with the same number.
    pub fn start(
        &mut self,
        endpoint: &Endpoint,
        id: u32,
        url: String,
        every: Duration,
        witness: &Rc<RefCell<Witness>>,
    ) {
        self.0.remove(&id);
        let counts = Rc::new(RefCell::new(Counts::default()));
        let (endpoint, witness, c) = (endpoint.clone(), witness.clone(), counts.clone());
        let sim = endpoint.sim().clone();
        let clock = sim.clone();
        let task = sim.spawn(async move {
            loop {
                // Requests go out on time whether or not earlier ones were answered.
                clock.spawn(one(endpoint.clone(), url.clone(), c.clone(), witness.clone()));
                clock.sleep(every).await;
            }
        });
        self.0.insert(id, Generator { counts, task, sim });
    }

    /// Ends a generator.
    pub fn stop(&mut self, id: u32) {
        self.0.remove(&id);
    }

    /// What was counted since the last call, for each generator that counted anything.
    pub fn take(&mut self) -> Vec<Output> {
        let mut outputs = Vec::new();
        for (id, generator) in &self.0 {
            let mut counts = generator.counts.borrow_mut();
            if !std::mem::take(&mut counts.changed) {
                continue;
            }
            let mut recent = std::mem::take(&mut counts.recent);
            let surplus = recent.len().saturating_sub(DOTS);
            recent.drain(..surplus);
            outputs.push(Output::Load {
                id: *id,
                recent,
                answered: counts.answered.clone().into_iter().collect(),
                failed: counts.failed,
            });
        }
        outputs
    }
}

async fn one(
    endpoint: Endpoint,
    url: String,
    counts: Rc<RefCell<Counts>>,
    witness: Rc<RefCell<Witness>>,
) {
    let sim = endpoint.sim().clone();
    let start: Time = sim.now();
    let result = http_get(&endpoint, &url, &options(LOAD_TIMEOUT)).await;
    let millis = sim.now().since(start).as_millis() as u32;
    let mut counts = counts.borrow_mut();
    counts.changed = true;
    let (by, status) = match &result {
        Ok(answer) => (answer.by.to_string(), answer.response.status),
        Err(_) => (String::new(), 0),
    };
    if status == 0 || status >= 500 {
        counts.failed += 1;
    }
    if status != 0 {
        *counts.answered.entry(by.clone()).or_default() += 1;
        witness.borrow_mut().saw(sim.now(), &by);
    }
    if counts.recent.len() >= 2 * DOTS {
        counts.recent.drain(..DOTS);
    }
    counts.recent.push(LoadDot { by, status, millis });
}
