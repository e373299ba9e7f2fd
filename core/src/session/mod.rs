//! The façade: an engine as a value that takes messages and yields messages.
//!
//! [`Session::handle`] takes what a person does, [`Session::advance`] lets simulated time pass,
//! [`Session::take_outputs`] hands out what there is to show. Nothing else goes in or out, so a
//! journal of (time, input) pairs and the seed are the whole session: [`Session::replay`].

#[cfg(feature = "cluster")]
mod browse;
#[cfg(feature = "cluster")]
mod details;
#[cfg(feature = "cluster")]
mod faults;
pub mod host;
mod journal;
#[cfg(feature = "cluster")]
mod picture;
pub mod protocol;
#[cfg(feature = "cluster")]
mod questions;
#[cfg(feature = "cluster")]
mod rows;
mod windows;
#[cfg(feature = "cluster")]
mod witness;
#[cfg(feature = "cluster")]
mod world;
#[cfg(not(feature = "cluster"))]
#[path = "later.rs"]
mod world;

use std::rc::Rc;

pub use journal::{Entry, Journal};
use protocol::{Input, Output};

use windows::{Outputs, Windows};
use world::World;

#[cfg(feature = "cluster")]
use crate::{
    clusters::{self, Cluster},
    runtime::images,
};
use crate::{
    machine::{Machine, Program},
    programs,
    sim::{Advance, Sim, Time},
};

/// A sandbox: one simulated world and the people's windows on it.
pub struct Session {
    sim: Sim,
    journal: Journal,
    outputs: Outputs,
    host: Rc<Machine>,
    windows: Windows,
    world: World,
}

/// Finds a program on any machine: commands, what runs in images, components of clusters.
pub fn find_program(name: &str) -> Option<&'static Program> {
    let found = programs::find(name);
    #[cfg(feature = "cluster")]
    let found =
        found.or_else(|| images::program(name)).or_else(|| clusters::components::find(name));
    found
}

impl Session {
    /// A new sandbox. `start` is what its clocks show at first; with the same seed and start and
    /// the same inputs at the same times, two sessions are equal.
    pub fn new(seed: u64, start: Time) -> Self {
        let (sim, outputs) = (Sim::new(seed, start), Outputs::default());
        let host = host::build(&sim);
        let windows = Windows::new(host.clone(), outputs.clone());
        let world = World::new(&host, &outputs);
        Session { sim, journal: Journal::new(seed, start), outputs, host, windows, world }
    }

    /// Plays a journal from its beginning up to its last entry, without leaving out simulated time.
    /// Outputs on the way are kept (terminals need them); take them afterwards.
    pub fn replay(journal: &Journal) -> Self {
        let mut session = Session::new(journal.seed, Time::from_micros(journal.start_us));
        for entry in &journal.entries {
            while !session.advance(Time::from_micros(entry.at_us), 1_000_000).reached {}
            session.handle(entry.input.clone());
        }
        session
    }

    /// Takes an input, now.
    pub fn handle(&mut self, input: Input) {
        if !input.is_query() {
            self.journal.push(self.sim.now(), input.clone());
        }
        if !self.windows.handle(&input) {
            self.world.handle(input);
        }
    }

    /// Lets time pass until `until`, taking at most `budget` steps of work.
    pub fn advance(&mut self, until: Time, budget: u64) -> Advance {
        self.sim.advance(until, budget)
    }

    /// The simulated time.
    pub fn now(&self) -> Time {
        self.sim.now()
    }

    /// When something happens next by itself; `None` if nothing will.
    pub fn next_due(&self) -> Option<Time> {
        self.sim.next_due()
    }

    /// What there is to show since the last call, in order. Changes of the view are gathered here,
    /// so calling it once a frame sends each changed row once.
    pub fn take_outputs(&mut self) -> Vec<Output> {
        self.world.gather(usize::MAX);
        self.outputs.take()
    }

    /// As [`Session::take_outputs`], with the view's changes of at most `most` objects; and whether
    /// more are waiting. For those who have little time for each call.
    pub fn take_some_outputs(&mut self, most: usize) -> (Vec<Output>, bool) {
        let more = self.world.gather(most);
        (self.outputs.take(), more)
    }

    /// Queries that could not be answered here, as those of a starter about a cluster.
    pub fn take_unanswered(&mut self) -> Vec<Input> {
        self.world.take_unanswered()
    }

    /// The cluster that is shown, if there is one.
    #[cfg(feature = "cluster")]
    pub fn cluster(&self) -> Option<Rc<Cluster>> {
        self.world.cluster()
    }

    /// The learner's own host.
    pub fn host(&self) -> &Rc<Machine> {
        &self.host
    }

    /// Everything that was done so far.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.sim.shutdown(); // tasks and what they hold point at each other
    }
}
