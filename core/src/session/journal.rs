//! What was done, and when: enough to do it all again.

use serde::{Deserialize, Serialize};

use super::protocol::Input;
use crate::sim::Time;

/// Seed, start and inputs of a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Journal {
    /// Format version; a journal of another version is refused, not guessed at.
    pub version: u32,
    /// Seed of all random choices.
    pub seed: u64,
    /// Simulated start, microseconds since the Unix epoch.
    pub start_us: u64,
    /// Inputs in the order in which they came.
    pub entries: Vec<Entry>,
}

/// One input and when it came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Simulated time, microseconds since the Unix epoch.
    pub at_us: u64,
    /// What was done.
    pub input: Input,
}

impl Journal {
    /// The format this code writes and reads.
    pub const VERSION: u32 = 1;

    pub(super) fn new(seed: u64, start: Time) -> Self {
        Journal { version: Self::VERSION, seed, start_us: start.as_micros(), entries: Vec::new() }
    }

    pub(super) fn push(&mut self, at: Time, input: Input) {
        self.entries.push(Entry { at_us: at.as_micros(), input });
    }
}
