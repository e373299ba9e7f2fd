//! The messages between the page and the worker that runs the engine, as JSON texts.

use sandbar_core::session::{
    Entry, Journal,
    protocol::{Input, Output},
};
use serde::{Deserialize, Serialize};

/// From the page to the worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToEngine {
    /// Starts a session, in place of the one that ran: a new one, or a journal played again.
    Init {
        /// Seed of all random choices; a journal's own wins.
        seed: u64,
        /// Simulated start, milliseconds since the Unix epoch; a journal's own wins.
        start_ms: u64,
        /// What was done already.
        journal: Option<Journal>,
        /// Simulated time to go on to after the journal, milliseconds; 0 for its last entry's.
        resume_ms: u64,
    },
    /// Something a person does, now.
    Input(Input),
    /// Simulated seconds per real second: 0 pauses, 1 is real time. Where the engine can't keep
    /// up, simulated time falls behind; so a large factor means "as fast as you can".
    Speed {
        /// The factor.
        factor: u32,
    },
    /// Lets time pass as fast as possible until then, and goes on at the speed before.
    FastForward {
        /// Simulated time, milliseconds since the Unix epoch.
        until_ms: u64,
    },
    /// Goes to the next point in time at which there is something new to show, at most an hour.
    StepNextEvent,
    /// Asks for the whole journal: [`FromEngine::Journal`].
    Journal,
    /// Asks whether the worker is alive: [`FromEngine::Pong`].
    Ping(u64),
}

/// From the worker (or, where noted, from [`crate::engine_host`] itself) to the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FromEngine {
    /// The session runs; a replay is over.
    Ready {
        /// Simulated time, milliseconds since the Unix epoch.
        now_ms: u64,
    },
    /// What there is to show, in order; at most one message in 16 ms.
    Outputs(Vec<Output>),
    /// How the clock stands. Comes with outputs and on changes, so between two the page counts on
    /// by itself at `speed` (nothing is sent while nothing happens).
    Clock {
        /// Simulated time, milliseconds since the Unix epoch.
        now_ms: u64,
        /// The wanted factor; 0 while paused.
        speed: u32,
        /// Whether the engine can't keep up and simulated time falls behind what is wanted.
        behind: bool,
        /// Simulated seconds per real second over about the last second.
        rate: f64,
    },
    /// These inputs were journalled. A message before what they cause is computed.
    JournalAppend(Vec<Entry>),
    /// The answer to [`ToEngine::Journal`].
    Journal(Journal),
    /// The answer to [`ToEngine::Ping`].
    Pong(u64),
    /// The worker panicked, and is gone. The host answers it with a restart.
    Died {
        /// The panic's message.
        message: String,
    },
    /// From the host: a new worker plays the journal; terminals and picture start empty, and
    /// all they showed comes again.
    Restarted {
        /// What happened and what was left out, for the learner.
        sentence: String,
    },
    /// From the host: the engine can't be started.
    Failed {
        /// Why, and what to do, for the learner.
        sentence: String,
    },
}
