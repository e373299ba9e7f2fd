//! The simulation's thread: takes messages, and lets simulated time pass as real time does.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use sandbar_core::{client::Client, sim::Time};

/// Steps of work between two looks at the messages.
const BUDGET: u64 = 2_000;
/// How far simulated time may lag behind; what is beyond is left out instead of being made up for.
const MOST_LAG: Duration = Duration::from_secs(1);

/// A simulated world, as the engine sees it. Lives on the engine's thread.
pub trait World {
    /// The simulated time.
    fn now(&self) -> Time;
    /// When something happens next.
    fn next_due(&self) -> Option<Time>;
    /// Lets time pass until `until`, with at most `budget` steps; whether it got there.
    fn advance(&mut self, until: Time, budget: u64) -> bool;
    /// A client of its API server, if there is one.
    fn client(&self) -> Option<Client>;
    /// Starts a command line in its shell; the answer comes when it ended.
    fn run(&mut self, line: &str) -> Result<Running, String>;
    /// Breaks something on purpose (a fault as the session's protocol has it).
    fn fault(&mut self, fault: serde_json::Value) -> Result<(), String>;
    /// For tests that know what world they made.
    fn as_any(&mut self) -> &mut dyn std::any::Any;
}

/// A command that runs in a world.
pub struct Running {
    /// Yields standard output, standard error and the exit code, once it ended.
    pub done: Box<dyn Fn() -> Option<(Vec<u8>, Vec<u8>, i32)>>,
}

/// How fast simulated time passes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Simulated seconds in a real one.
    pub speed: f64,
    /// Whether it stands still.
    pub paused: bool,
}

/// What the engine's thread holds.
pub struct State {
    /// The world.
    pub world: Box<dyn World>,
    /// How fast its time passes.
    pub pace: Pace,
    make: Make,
    /// What was asked to be done when a command ends.
    waiting: Vec<Waiting>,
}

struct Waiting {
    running: Running,
    end: Time,
    tell: Box<dyn FnOnce(Option<(Vec<u8>, Vec<u8>, i32)>) + Send>,
}

/// Makes a world.
pub type Make = Box<dyn Fn() -> Box<dyn World> + Send>;
type Job = Box<dyn FnOnce(&mut State) + Send>;

/// Handle on the simulation's thread. Clones share it; it ends with the last.
#[derive(Clone)]
pub struct Engine(Sender<Job>, Arc<AtomicUsize>);

/// Counts somebody who waits for something that the simulation will send.
pub struct Busy(Arc<AtomicUsize>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl State {
    /// Begins the world anew.
    pub fn reset(&mut self) {
        self.waiting.clear();
        self.world = (self.make)();
    }

    /// Lets simulated time pass at once, whatever the pace is.
    pub fn skip(&mut self, time: Duration) {
        let until = self.world.now() + time;
        while !self.world.advance(until, u64::MAX) {}
        self.settle();
    }

    /// Runs what is due now, without letting time pass.
    fn settle(&mut self) {
        let now = self.world.now();
        self.world.advance(now, BUDGET);
        self.ended();
    }

    /// Calls `tell` when a command ended, or with `None` after `limit` of simulated time. While time
    /// stands still it is let go from event to event until then.
    pub fn when_done(
        &mut self,
        running: Running,
        limit: Duration,
        tell: impl FnOnce(Option<(Vec<u8>, Vec<u8>, i32)>) + Send + 'static,
    ) {
        let end = self.world.now() + limit;
        self.waiting.push(Waiting { running, end, tell: Box::new(tell) });
        if self.pace.paused {
            while !self.waiting.is_empty() {
                let next = self.world.next_due().unwrap_or(end).min(end);
                self.world.advance(next, BUDGET);
                self.ended();
            }
        }
    }

    fn ended(&mut self) {
        let now = self.world.now();
        let mut at = 0;
        while let Some(waiting) = self.waiting.get(at) {
            let result = (waiting.running.done)();
            if result.is_some() || now >= waiting.end {
                let waiting = self.waiting.remove(at);
                (waiting.tell)(result);
            } else {
                at += 1;
            }
        }
    }
}

impl Engine {
    /// Starts a thread with the world that `make` makes.
    ///
    /// # Errors
    /// Where the system has no thread left.
    pub fn start(make: Make, pace: Pace) -> Result<Engine, String> {
        let (sender, inbox) = channel::<Job>();
        thread::Builder::new()
            .name("simulation".into())
            .stack_size(16 << 20)
            .spawn(move || {
                let world = make();
                let mut state = State { world, pace, make, waiting: Vec::new() };
                run(&mut state, &inbox);
            })
            .map_err(|error| format!("the simulation's thread does not start: {error}"))?;
        Ok(Engine(sender, Arc::default()))
    }

    /// How many clients wait for something: watches, other streams, answers that take time.
    pub fn busy(&self) -> usize {
        self.1.load(Ordering::Relaxed)
    }

    /// Counts one client more until this is dropped.
    pub fn count(&self) -> Busy {
        self.1.fetch_add(1, Ordering::Relaxed);
        Busy(self.1.clone())
    }

    /// Does something on the engine's thread.
    pub fn send(&self, job: impl FnOnce(&mut State) + Send + 'static) {
        let _ = self.0.send(Box::new(job)); // an engine that ended has nothing to do
    }

    /// Makes the engine look whether something became due.
    pub fn nudge(&self) {
        self.send(|_| {});
    }

    /// Does something on the engine's thread and waits for what comes of it.
    ///
    /// # Errors
    /// Where the engine has ended.
    pub fn call<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut State) -> T + Send + 'static,
    ) -> Result<T, String> {
        let (to, from) = channel();
        self.send(move |state| {
            let _ = to.send(job(state));
        });
        from.recv().map_err(|_| "the simulation has ended".to_owned())
    }
}

/// The thread: messages first, then time.
fn run(state: &mut State, inbox: &Receiver<Job>) {
    let mut clock = Clock { real: Instant::now(), simulated: state.world.now(), pace: state.pace };
    let mut behind = false;
    loop {
        let wait = if behind { Duration::ZERO } else { clock.until(state) };
        match inbox.recv_timeout(wait) {
            Ok(job) => job(state),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        for _ in 0..64 {
            match inbox.try_recv() {
                Ok(job) => job(state),
                Err(_) => break,
            }
        }
        behind = !clock.follow(state);
        state.ended();
    }
}

/// Where simulated time ought to be.
struct Clock {
    real: Instant,
    simulated: Time,
    pace: Pace,
}

impl Clock {
    /// Real time until something is due.
    fn until(&self, state: &State) -> Duration {
        const LONG: Duration = Duration::from_secs(3_600);
        let Some(due) = state.world.next_due() else { return LONG };
        let now = state.world.now();
        if due <= now {
            return Duration::ZERO;
        }
        if state.pace.paused || state.pace.speed <= 0.0 {
            return LONG;
        }
        let simulated = due.since(now).as_secs_f64();
        Duration::try_from_secs_f64(simulated / state.pace.speed).unwrap_or(LONG).min(LONG)
    }

    /// Lets the world follow; whether it got there.
    fn follow(&mut self, state: &mut State) -> bool {
        let mut elapsed = self.real.elapsed();
        self.real = Instant::now();
        if self.pace != state.pace {
            elapsed = Duration::ZERO; // it passed at the old pace
        }
        if self.pace != state.pace || self.simulated < state.world.now() {
            self.pace = state.pace;
            self.simulated = state.world.now();
        }
        if !state.pace.paused {
            let speed = state.pace.speed.max(0.0);
            self.simulated = self.simulated
                + Duration::try_from_secs_f64(elapsed.as_secs_f64() * speed).unwrap_or_default();
        }
        let reached = state.world.advance(self.simulated, BUDGET);
        let most = state.world.now()
            + Duration::try_from_secs_f64(MOST_LAG.as_secs_f64() * state.pace.speed.max(1.0))
                .unwrap_or(MOST_LAG);
        self.simulated = self.simulated.min(most);
        reached
    }
}
