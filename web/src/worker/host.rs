//! The session's keeper: messages in, slices of work, messages out.

use std::{collections::VecDeque, time::Duration};

use sandbar_core::{
    session::{Entry, Journal, Session, protocol::Output},
    sim::Time,
};

use super::{
    handover::{self, Handover, Left},
    pace::Pace,
};
use crate::protocol::{FromEngine, ToEngine};

/// Real milliseconds of work before messages get a turn.
const SLICE_MS: f64 = 8.0;
/// Real milliseconds between two messages of outputs.
const FRAME_MS: f64 = 16.0;
/// Objects whose changes one message tells at most: the page reads, keeps and draws them within a
/// frame. What changes again before its turn is told once.
const ROWS: usize = 100;
/// Steps between two looks at the real clock.
const STEPS: u64 = 64;
/// Simulated time that one "next event" may pass at most.
const STEP_LIMIT: Duration = Duration::from_secs(3_600);

/// What a host needs of the world around it.
pub trait Outside {
    /// Real time in milliseconds, from any fixed point.
    fn now_ms(&self) -> f64;
    /// Sends a message to the page.
    fn post(&self, message: FromEngine);
}

/// When a host wants [`Host::wake`] to be called.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    /// As soon as waiting messages were delivered.
    Now,
    /// After so many real milliseconds.
    After(f64),
    /// Not before a message comes.
    Never,
}

/// How a starter can stand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Settled {
    /// A first prompt is on its way to the screen.
    Shown,
    /// It can do nothing without the whole engine.
    Stuck,
}

/// A running session and its clock.
struct Running {
    session: Session,
    pace: Pace,
    /// What remains to be played of a journal, and where to go on to after it.
    replay: VecDeque<Entry>,
    replaying: bool,
    /// Fast forward to here.
    hurry: Option<Time>,
    /// Outputs taken early by "next event".
    held: Vec<Output>,
    /// Entries of the journal that the page knows.
    told: usize,
    behind: bool,
    /// Whether anything happened since the last flush.
    dirty: bool,
    /// Whether the page must be told how the clock stands, even if there is nothing to show.
    news: bool,
    flushed_ms: f64,
    /// What the page was told already by a starter whose journal is played again.
    shown: Option<Vec<Output>>,
    /// Messages that came while a journal was played; their time is after it.
    waiting: VecDeque<ToEngine>,
    /// Where the rate was measured from: real and simulated time.
    measured: (f64, Time),
    rate: f64,
}

/// Keeps a session in step with real time.
pub struct Host<O> {
    outside: O,
    running: Option<Running>,
    /// What was told to the page, if this is a starter.
    told: Option<Vec<Output>>,
    /// Messages for the whole engine.
    later: Vec<ToEngine>,
}

impl<O: Outside> Host<O> {
    /// A host without a session; [`ToEngine::Init`] brings one.
    pub fn new(outside: O) -> Self {
        Host { outside, running: None, told: None, later: Vec::new() }
    }

    /// Takes a message, does what can be done in a slice and says when to go on.
    pub fn receive(&mut self, message: ToEngine) -> Next {
        if let ToEngine::Ping(n) = message {
            self.outside.post(FromEngine::Pong(n));
        } else if self.told.is_some() && (!self.later.is_empty() || is_resumed(&message)) {
            self.later.push(message);
            return Next::Never;
        } else if let ToEngine::Init { seed, start_ms, journal, resume_ms } = message {
            self.init(seed, start_ms, journal, resume_ms);
        } else if let Some(running) = &mut self.running {
            running.catch_up(&self.outside);
            running.take(message, &self.outside);
        }
        self.wake()
    }

    /// Works for a slice and says when to go on.
    pub fn wake(&mut self) -> Next {
        let Some(running) = &mut self.running else { return Next::Never };
        let reached = running.slice(&self.outside);
        let now = self.outside.now_ms();
        let flush_in = running.flushed_ms + FRAME_MS - now;
        if running.dirty && !running.replaying && flush_in <= 0.0 {
            running.flush(&self.outside, self.told.as_mut());
        }
        if !reached {
            return Next::Now;
        }
        let due = running.session.next_due().and_then(|due| running.pace.wait_ms(now, due));
        let flush = running.dirty.then_some(flush_in.max(0.0));
        match (due, flush) {
            (None, None) => Next::Never,
            (Some(a), Some(b)) => Next::After(a.min(b)),
            (Some(a), None) | (None, Some(a)) => Next::After(a),
        }
    }

    /// From now on this is a starter: it has no cluster, so it plays no journal, and it will be
    /// followed by the whole engine.
    pub fn be_starter(&mut self) {
        self.told = Some(Vec::new());
    }

    /// Whether a starter did what it can: it showed something, or it was told to play a journal.
    pub fn settled(&self) -> Option<Settled> {
        if !self.later.is_empty() {
            return Some(Settled::Stuck);
        }
        let shown = self.told.iter().flatten().any(|o| matches!(o, Output::Terminal { .. }));
        shown.then_some(Settled::Shown)
    }

    /// Ends the session, for the whole engine to go on with it.
    pub fn hand_over(&mut self) -> Handover {
        let mut messages = Vec::new();
        let session = self.running.take().map(|mut running| {
            running.catch_up(&self.outside);
            running.flush(&self.outside, self.told.as_mut());
            if let Some(until) = running.hurry {
                messages.push(ToEngine::FastForward { until_ms: until.as_millis() });
            }
            messages.extend(running.session.take_unanswered().into_iter().map(ToEngine::Input));
            Left {
                journal: running.session.journal().clone(),
                now_us: running.session.now().as_micros(),
                speed: running.pace.factor(),
                shown: self.told.take().unwrap_or_default(),
            }
        });
        messages.append(&mut self.later);
        Handover { session, messages }
    }

    /// Goes on where a starter ended.
    pub fn take_over(&mut self, left: Handover) -> Next {
        if let Some(Left { journal, now_us, speed, shown }) = left.session {
            self.init(journal.seed, 0, Some(journal), 0);
            if let Some(running) = &mut self.running {
                let now = Time::from_micros(now_us);
                running.hurry = (now > running.session.now()).then_some(now);
                running.pace.set(speed, self.outside.now_ms(), running.session.now());
                running.shown = Some(shown);
            }
        }
        let mut next = self.wake();
        for message in left.messages {
            next = self.receive(message);
        }
        next
    }

    fn init(&mut self, seed: u64, start_ms: u64, journal: Option<Journal>, resume_ms: u64) {
        let now = self.outside.now_ms();
        let (seed, start) = match &journal {
            Some(j) => (j.seed, Time::from_micros(j.start_us)),
            None => (seed, Time::from_millis(start_ms)),
        };
        let replay: VecDeque<Entry> = journal.map(|j| j.entries.into()).unwrap_or_default();
        let resume = Time::from_millis(resume_ms);
        self.running = Some(Running {
            session: Session::new(seed, start),
            pace: Pace::new(1, now, start),
            told: replay.len(),
            hurry: (resume > start).then_some(resume),
            replay,
            replaying: true,
            held: Vec::new(),
            behind: false,
            shown: None,
            waiting: VecDeque::new(),
            dirty: true,
            news: true,
            flushed_ms: f64::NEG_INFINITY,
            measured: (now, start),
            rate: 1.0,
        });
    }
}

/// Whether a message begins a session in which something was done before.
fn is_resumed(message: &ToEngine) -> bool {
    matches!(message, ToEngine::Init { journal: Some(j), .. } if !j.entries.is_empty())
}

impl Running {
    /// Brings simulated time up to now where that takes no longer than a slice, so that an input
    /// happens when the person did it.
    fn catch_up(&mut self, outside: &impl Outside) {
        if !self.replaying && self.hurry.is_none() {
            self.slice(outside);
        }
    }

    fn take(&mut self, message: ToEngine, outside: &impl Outside) {
        if self.replaying {
            return self.waiting.push_back(message);
        }
        let now = outside.now_ms();
        match message {
            ToEngine::Input(input) => {
                self.session.handle(input);
                let entries = &self.session.journal().entries;
                if let Some(new) = entries.get(self.told..).filter(|new| !new.is_empty()) {
                    outside.post(FromEngine::JournalAppend(new.to_vec()));
                    self.told = entries.len();
                }
            }
            ToEngine::Speed { factor } => {
                self.pace.set(factor, now, self.session.now());
                self.measured = (now, self.session.now());
                self.rate = f64::from(factor);
                self.behind = false;
                self.hurry = None;
            }
            ToEngine::FastForward { until_ms } => self.hurry = Some(Time::from_millis(until_ms)),
            ToEngine::StepNextEvent => self.step(outside),
            ToEngine::Journal => {
                outside.post(FromEngine::Journal(self.session.journal().clone()));
            }
            ToEngine::Init { .. } | ToEngine::Ping(_) => {}
        }
        self.news = true;
        self.dirty = true;
    }

    /// Works for at most a slice; true if there is nothing left to do now.
    fn slice(&mut self, outside: &impl Outside) -> bool {
        let end = outside.now_ms() + SLICE_MS;
        loop {
            let target = self.target(outside.now_ms());
            let got = self.session.advance(target, STEPS);
            self.dirty |= got.steps > 0;
            if got.reached && self.arrived(target, outside) {
                self.set_behind(false);
                return true;
            }
            let now = outside.now_ms();
            if now >= end {
                if !self.replaying && self.hurry.is_none() {
                    let gave_up = self.pace.give_up(now, self.session.now());
                    self.set_behind(self.behind || gave_up);
                }
                return false;
            }
        }
    }

    fn set_behind(&mut self, behind: bool) {
        self.news |= self.behind != behind;
        self.dirty |= self.behind != behind;
        self.behind = behind;
    }

    /// Where time should be now.
    fn target(&self, now: f64) -> Time {
        match (self.replay.front(), self.hurry) {
            (Some(entry), _) => Time::from_micros(entry.at_us),
            (None, Some(until)) => until.max(self.session.now()),
            (None, None) => self.pace.target(now).max(self.session.now()),
        }
    }

    /// The wanted time was reached: false if there is another one to go to at once.
    fn arrived(&mut self, target: Time, outside: &impl Outside) -> bool {
        if let Some(entry) = self.replay.pop_front() {
            self.session.handle(entry.input);
            return false;
        }
        let hurried = self.hurry.take_if(|until| *until <= target).is_some();
        if hurried || self.replaying {
            self.pace.set(self.pace.factor(), outside.now_ms(), self.session.now());
            self.measured = (outside.now_ms(), self.session.now());
        }
        if std::mem::take(&mut self.replaying) {
            if self.shown.is_none() {
                outside.post(FromEngine::Ready { now_ms: self.session.now().as_millis() });
            }
            for message in std::mem::take(&mut self.waiting) {
                self.take(message, outside);
            }
            return false;
        }
        !hurried
    }

    /// Goes on to the next thing there is to show.
    fn step(&mut self, outside: &impl Outside) {
        let end = outside.now_ms() + 4.0 * SLICE_MS;
        let limit = self.session.now() + STEP_LIMIT;
        while let Some(due) = self.session.next_due().filter(|due| *due <= limit) {
            self.session.advance(due, STEPS);
            self.held.extend(self.session.take_outputs());
            if !self.held.is_empty() || outside.now_ms() >= end {
                break;
            }
        }
        self.pace.set(self.pace.factor(), outside.now_ms(), self.session.now());
    }

    /// Tells what there is to show; `told` keeps it.
    fn flush(&mut self, outside: &impl Outside, told: Option<&mut Vec<Output>>) {
        let now = outside.now_ms();
        let mut outputs = std::mem::take(&mut self.held);
        let (new, more) = self.session.take_some_outputs(ROWS);
        outputs.extend(new);
        if let Some(shown) = self.shown.take() {
            outputs = handover::difference(&shown, outputs);
        }
        if let Some(told) = told {
            told.extend(outputs.iter().cloned());
        }
        if !outputs.is_empty() {
            self.news = true;
            outside.post(FromEngine::Outputs(outputs));
        }
        let (since, from) = self.measured;
        if now - since >= 1_000.0 {
            let passed = self.session.now().since(from).as_secs_f64();
            self.rate = passed * 1e3 / (now - since);
            self.measured = (now, self.session.now());
            self.news = true;
        }
        if std::mem::take(&mut self.news) {
            outside.post(FromEngine::Clock {
                now_ms: self.session.now().as_millis(),
                speed: self.pace.factor(),
                behind: self.behind,
                rate: self.rate,
            });
        }
        self.flushed_ms = now;
        self.dirty = more;
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::{Cell, RefCell},
        rc::Rc,
    };

    use sandbar_core::session::protocol::Input;

    use super::*;

    /// A clock that moves a little with each look, and a page that only listens.
    #[derive(Clone, Default)]
    struct Fake {
        now: Rc<Cell<f64>>,
        said: Rc<RefCell<Vec<FromEngine>>>,
    }

    impl Outside for Fake {
        fn now_ms(&self) -> f64 {
            self.now.set(self.now.get() + 0.001);
            self.now.get()
        }

        fn post(&self, message: FromEngine) {
            self.said.borrow_mut().push(message);
        }
    }

    impl Fake {
        fn heard(&self) -> Vec<FromEngine> {
            self.said.take()
        }

        /// Lets real time pass and calls the host whenever it wants to be called.
        fn pass(&self, host: &mut Host<Fake>, ms: f64) {
            let end = self.now.get() + ms;
            let mut next = host.wake();
            while let Next::Now | Next::After(_) = next {
                let wait = if let Next::After(wait) = next { wait.max(1.0) } else { 0.0 };
                if self.now.get() + wait > end {
                    break;
                }
                self.now.set(self.now.get() + wait);
                next = host.wake();
            }
            self.now.set(self.now.get().max(end));
        }
    }

    fn init(journal: Option<Journal>, resume_ms: u64) -> ToEngine {
        ToEngine::Init { seed: 1, start_ms: 1_000_000, journal, resume_ms }
    }

    fn open(id: u32) -> Input {
        Input::TerminalOpen { id, place: String::new(), cols: 80, rows: 24 }
    }

    fn keys(data: &str) -> Input {
        Input::TerminalKeys { id: 1, data: data.into() }
    }

    #[test]
    fn an_input_is_journalled_at_the_simulated_time_of_the_real_moment() {
        let fake = Fake::default();
        let mut host = Host::new(fake.clone());
        host.receive(init(None, 0));
        assert_eq!(fake.heard()[0], FromEngine::Ready { now_ms: 1_000_000 });
        host.receive(ToEngine::Speed { factor: 10 });
        fake.pass(&mut host, 500.0);
        fake.heard();
        host.receive(ToEngine::Input(open(1)));
        let FromEngine::JournalAppend(entries) = &fake.heard()[0] else { panic!("no entry") };
        let at_ms = entries[0].at_us / 1_000;
        assert!((1_005_000..1_005_010).contains(&at_ms), "{at_ms}");
    }

    #[test]
    fn a_pause_stands_still() {
        let fake = Fake::default();
        let mut host = Host::new(fake.clone());
        host.receive(init(None, 0));
        host.receive(ToEngine::Speed { factor: 0 });
        fake.pass(&mut host, 60_000.0);
        fake.heard();
        host.receive(ToEngine::Speed { factor: 1 });
        fake.pass(&mut host, 20.0);
        let clock = fake.heard().into_iter().find_map(|m| match m {
            FromEngine::Clock { now_ms, .. } => Some(now_ms),
            _ => None,
        });
        assert!(clock.is_some_and(|now| now < 1_000_100), "{clock:?}");
    }

    #[test]
    fn a_starter_is_followed_by_the_engine_and_only_what_is_new_is_told() {
        let fake = Fake::default();
        let mut starter = Host::new(fake.clone());
        starter.be_starter();
        starter.receive(init(None, 0));
        assert_eq!(starter.settled(), None);
        starter.receive(ToEngine::Input(open(1)));
        fake.pass(&mut starter, 2_000.0);
        assert_eq!(starter.settled(), Some(Settled::Shown));
        starter.receive(ToEngine::Input(keys("echo $((6*7))\r")));
        fake.pass(&mut starter, 1_500.0);
        fake.heard();
        let left = starter.hand_over();
        let now_us = left.session.as_ref().map(|s| s.now_us).unwrap();
        assert!(now_us >= 1_003_500_000);
        let mut engine = Host::new(fake.clone());
        engine.take_over(left);
        engine.receive(ToEngine::Input(keys("echo $((7*8))\r")));
        fake.pass(&mut engine, 1_000.0);
        let mut text = String::new();
        for message in fake.heard() {
            match message {
                FromEngine::Outputs(outputs) => outputs.into_iter().for_each(|o| {
                    if let Output::Terminal { data, .. } = o {
                        text.push_str(&data);
                    }
                }),
                FromEngine::JournalAppend(entries) => {
                    assert_eq!(entries.len(), 1);
                    assert!(entries[0].at_us >= now_us);
                }
                FromEngine::Ready { .. } => panic!("the page was told before"),
                _ => {}
            }
        }
        assert!(text.contains("56") && !text.contains("42"), "{text}");
    }

    #[test]
    fn a_starter_leaves_a_journal_to_the_engine() {
        let fake = Fake::default();
        let mut host = Host::new(fake.clone());
        host.receive(init(None, 0));
        host.receive(ToEngine::Input(open(1)));
        let journal = host.running.as_ref().unwrap().session.journal().clone();
        fake.heard();
        let mut starter = Host::new(fake.clone());
        starter.be_starter();
        assert_eq!(starter.receive(init(Some(journal), 0)), Next::Never);
        assert_eq!(starter.receive(ToEngine::Speed { factor: 10 }), Next::Never);
        assert_eq!(starter.settled(), Some(Settled::Stuck));
        assert!(fake.heard().is_empty());
        let mut engine = Host::new(fake.clone());
        engine.take_over(starter.hand_over());
        assert!(fake.heard().contains(&FromEngine::Ready { now_ms: 1_000_000 }));
        assert_eq!(engine.running.as_ref().unwrap().pace.factor(), 10);
    }

    #[test]
    fn a_replayed_journal_is_the_journal_and_is_not_told_again() {
        let fake = Fake::default();
        let mut host = Host::new(fake.clone());
        host.receive(init(None, 0));
        for id in 1..4 {
            fake.pass(&mut host, 1_000.0);
            host.receive(ToEngine::Input(open(id)));
        }
        host.receive(ToEngine::Journal);
        let journal = fake.heard().into_iter().find_map(|m| match m {
            FromEngine::Journal(journal) => Some(journal),
            _ => None,
        });
        let journal = journal.expect("asked for it");
        assert_eq!(journal.entries.len(), 3);

        host.receive(init(Some(journal.clone()), 1_010_000));
        fake.pass(&mut host, 100.0);
        host.receive(ToEngine::Journal);
        let heard = fake.heard();
        assert!(heard.contains(&FromEngine::Journal(journal)));
        assert!(heard.contains(&FromEngine::Ready { now_ms: 1_010_000 }), "{heard:?}");
        assert!(!heard.iter().any(|m| matches!(m, FromEngine::JournalAppend(_))));
    }

    #[test]
    fn fast_forward_goes_there_and_then_on_at_the_speed_before() {
        let fake = Fake::default();
        let mut host = Host::new(fake.clone());
        host.receive(init(None, 0));
        host.receive(ToEngine::FastForward { until_ms: 5_000_000 });
        fake.pass(&mut host, 100.0);
        host.receive(ToEngine::Input(open(1)));
        let at = fake.heard().into_iter().find_map(|m| match m {
            FromEngine::JournalAppend(entries) => Some(entries[0].at_us / 1_000),
            _ => None,
        });
        assert!(at.is_some_and(|at| (5_000_000..5_000_200).contains(&at)), "{at:?}");
    }
}
