//! Tests that need more than one room. The map:
//!
//! - [`api_bench`]: how fast the API server answers.
//! - [`chaos`]: random clusters and operations, and what must hold whatever happens.
//! - [`determinism`]: one journal, played natively and in WebAssembly, with a digest of all it shows.
//! - [`driver`]: a sandbox with hands and eyes, in virtual time.
//! - [`fuzz`]: random command lines and manifests.
//! - [`scenario`]: commands and what a real cluster answered to them.
//! - `tests/`: scenarios, import walls, habits.
//! - `browser/`: the real page in Chromium.

pub mod api_bench;
pub mod chaos;
pub mod determinism;
pub mod driver;
pub mod fuzz;
pub mod scenario;
pub mod schedule_bench;
