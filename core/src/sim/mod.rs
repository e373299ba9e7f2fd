//! Simulated time: one clock, one seed, one event loop.
//!
//! A [`Sim`] is a cheap handle. Control-plane code asks to be called back ([`Sim::at`], [`Sim::after`]);
//! programs are futures ([`Sim::spawn`], [`Sim::sleep`]). Time moves only in [`Sim::advance`].
//! Everything due at one instant runs in the order in which it was asked for, so two runs with
//! the same seed and inputs are equal.
//!
//! Invariant: nothing in here, or in any room, reads real time, spawns threads or draws unseeded
//! random numbers.

mod channel;
pub mod digest;
mod executor;
mod race;
mod time;
mod timers;
pub mod trace;

use std::{
    cell::{Cell, RefCell},
    future::Future,
    rc::Rc,
    time::Duration,
};

pub use channel::{Notify, Receiver, Sender, channel};
pub use executor::{TaskHandle, yield_now};
pub use race::{Either, race};
pub use time::Time;
pub use timers::TimerId;
pub use trace::Cause;

/// Handle on the one clock, the one queue and the one source of randomness. Clones share them.
#[derive(Clone)]
pub struct Sim(Rc<Inner>);

struct Inner {
    now: Cell<Time>,
    timers: RefCell<timers::Timers>,
    tasks: executor::Tasks,
    rng: RefCell<fastrand::Rng>,
    steps: Cell<u64>,
    trace: trace::Trace,
    /// The last reading in nanoseconds.
    read: Cell<u64>,
}

/// How far [`Sim::advance`] got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advance {
    /// Steps taken.
    pub steps: u64,
    /// Whether the wanted time was reached; if not, the step budget ran out first.
    pub reached: bool,
}

impl Sim {
    /// A simulation whose clock starts at `start` and whose random numbers follow from `seed`.
    pub fn new(seed: u64, start: Time) -> Self {
        Sim(Rc::new(Inner {
            now: Cell::new(start),
            timers: RefCell::default(),
            tasks: executor::Tasks::default(),
            rng: RefCell::new(fastrand::Rng::with_seed(seed)),
            steps: Cell::new(0),
            trace: trace::Trace::default(),
            read: Cell::new(0),
        }))
    }

    /// The simulated time now.
    pub fn now(&self) -> Time {
        self.0.now.get()
    }

    /// Steps taken since the start; equal in equal runs.
    pub fn steps(&self) -> u64 {
        self.0.steps.get()
    }

    /// Calls `f` at time `at` (at once, but not before this call returns, if that is past).
    pub fn at(&self, at: Time, f: impl FnOnce() + 'static) -> TimerId {
        self.0.timers.borrow_mut().add(at.max(self.now()), self.cause(), Box::new(f))
    }

    /// Calls `f` after `delay`.
    pub fn after(&self, delay: Duration, f: impl FnOnce() + 'static) -> TimerId {
        self.at(self.now() + delay, f)
    }

    /// Forgets a timer; does nothing if it has fired already.
    pub fn cancel(&self, timer: TimerId) {
        let dropped = self.0.timers.borrow_mut().take(timer);
        drop(dropped); // outside the borrow: what it holds may cancel timers of its own
    }

    /// Starts a task. It is first polled after this call returns.
    pub fn spawn(&self, future: impl Future<Output = ()> + 'static) -> TaskHandle {
        self.0.tasks.spawn(Box::pin(future), self.cause())
    }

    /// Ends a task wherever it waits; what it owns is dropped. Does nothing if it has ended.
    pub fn kill(&self, task: &TaskHandle) {
        self.0.tasks.kill(task);
    }

    /// Completes after `delay` of simulated time.
    pub fn sleep(&self, delay: Duration) -> Sleep {
        self.sleep_until(self.now() + delay)
    }

    /// Completes at `at`.
    pub fn sleep_until(&self, at: Time) -> Sleep {
        Sleep { sim: self.clone(), at, timer: None, waker: None }
    }

    /// Nanoseconds as a running program reads them: two readings within one instant of the simulation
    /// are apart and in order, since on a real machine time passes between them.
    pub fn reading(&self) -> u64 {
        let earliest = (self.now().as_micros() * 1_000).max(self.0.read.get() + 1);
        let reading = earliest + self.random(100_000);
        self.0.read.set(reading);
        reading
    }

    /// A random number below `bound` (which is above 0).
    pub fn random(&self, bound: u64) -> u64 {
        self.0.rng.borrow_mut().u64(0..bound)
    }

    /// Whether nothing at all is due now.
    pub fn is_idle(&self) -> bool {
        !self.0.tasks.has_ready() && self.next_due().is_none_or(|t| t > self.now())
    }

    /// When the next timer is due; `None` if there is none. Ready tasks are due now.
    pub fn next_due(&self) -> Option<Time> {
        if self.0.tasks.has_ready() {
            return Some(self.now());
        }
        self.0.timers.borrow_mut().next_due()
    }

    /// Runs everything due up to and including `until`, taking at most `budget` steps, and leaves
    /// the clock at `until` if it got there.
    pub fn advance(&self, until: Time, budget: u64) -> Advance {
        let advance = self.run(until, budget);
        self.0.trace.current.set(Cause::default());
        advance
    }

    fn run(&self, until: Time, budget: u64) -> Advance {
        let mut steps = 0;
        while steps < budget {
            if self.0.tasks.poll_one(&self.0.trace.current) {
                steps += 1;
                continue;
            }
            let Some(due) = self.0.timers.borrow_mut().pop_due(until) else {
                self.0.now.set(until.max(self.now()));
                self.0.steps.set(self.steps() + steps);
                return Advance { steps, reached: true };
            };
            self.0.now.set(due.at.max(self.now()));
            self.0.trace.current.set(due.cause);
            (due.call)();
            steps += 1;
        }
        self.0.steps.set(self.steps() + steps);
        Advance { steps, reached: false }
    }

    /// Drops all tasks and timers: breaks reference cycles when a simulation ends.
    pub fn shutdown(&self) {
        self.0.tasks.clear();
        let timers = self.0.timers.take();
        drop(timers);
    }
}

/// Future of [`Sim::sleep`].
pub struct Sleep {
    sim: Sim,
    at: Time,
    timer: Option<TimerId>,
    waker: Option<std::task::Waker>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<()> {
        if self.sim.now() >= self.at {
            return std::task::Poll::Ready(());
        }
        // A task that races this against other things polls it many times.
        match &self.waker {
            Some(waker) if self.timer.is_some() && waker.will_wake(cx.waker()) => {
                return std::task::Poll::Pending;
            }
            _ => {}
        }
        if let Some(old) = self.timer.take() {
            self.sim.cancel(old);
        }
        let waker = cx.waker().clone();
        self.waker = Some(waker.clone());
        self.timer = Some(self.sim.at(self.at, move || waker.wake()));
        std::task::Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.take() {
            self.sim.cancel(timer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sim() -> Sim {
        Sim::new(1, Time::from_secs(1_000))
    }

    #[test]
    fn timers_fire_in_order_of_time_then_of_request() {
        let (sim, log) = (sim(), Rc::new(RefCell::new(Vec::new())));
        for (delay, name) in [(2, "c"), (1, "a"), (1, "b")] {
            let log = log.clone();
            sim.after(Duration::from_secs(delay), move || log.borrow_mut().push(name));
        }
        assert!(sim.advance(sim.now() + Duration::from_secs(3), 100).reached);
        assert_eq!(*log.borrow(), ["a", "b", "c"]);
        assert_eq!(sim.now(), Time::from_secs(1_003));
    }

    #[test]
    fn a_cancelled_timer_never_fires_and_its_slot_is_reused_safely() {
        let (sim, log) = (sim(), Rc::new(RefCell::new(Vec::new())));
        let l = log.clone();
        let first = sim.after(Duration::from_secs(1), move || l.borrow_mut().push(1));
        sim.cancel(first);
        let l = log.clone();
        sim.after(Duration::from_secs(2), move || l.borrow_mut().push(2));
        sim.cancel(first);
        sim.advance(sim.now() + Duration::from_secs(5), 100);
        assert_eq!(*log.borrow(), [2]);
    }

    #[test]
    fn tasks_sleep_talk_and_can_be_killed() {
        let (sim, log) = (sim(), Rc::new(RefCell::new(Vec::new())));
        let (tx, mut rx) = channel::<u32>();
        let (s, l) = (sim.clone(), log.clone());
        sim.spawn(async move {
            while let Some(n) = rx.recv().await {
                l.borrow_mut().push((s.now().as_secs(), n));
            }
            l.borrow_mut().push((s.now().as_secs(), 99));
        });
        let s = sim.clone();
        let talker = sim.spawn(async move {
            for n in 0.. {
                s.sleep(Duration::from_secs(1)).await;
                tx.send(n);
            }
        });
        let (s, t) = (sim.clone(), talker.clone());
        sim.after(Duration::from_millis(2_500), move || s.kill(&t));
        sim.advance(Time::from_secs(1_010), 1_000);
        assert!(talker.is_finished());
        assert_eq!(*log.borrow(), [(1_001, 0), (1_002, 1), (1_002, 99)]);
    }

    #[test]
    fn a_task_that_never_waits_is_stopped_by_the_budget() {
        let sim = sim();
        sim.spawn(async {
            loop {
                yield_now().await;
            }
        });
        let got = sim.advance(sim.now() + Duration::from_secs(1), 50);
        assert_eq!(got, Advance { steps: 50, reached: false });
    }
}
