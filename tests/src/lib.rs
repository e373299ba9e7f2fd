//! Tests that need more than one room. The map:
//!
//! - [`determinism`]: one journal, played natively and in WebAssembly, with a digest of all it shows.
//! - `tests/`: scenarios, import walls, habits.
//! - `browser/`: the real page in Chromium.

pub mod determinism;
