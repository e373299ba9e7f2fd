//! Scenarios: commands and what a real cluster answered to them, played with our kubectl in virtual
//! time.
//!
//! - `scenarios/reference/`: `*.scn` and `*.txt`, recorded with the real kubectl on a real cluster.
//! - [`play`]: reads a scenario and plays it in a [`world`].
//! - [`normal`]: makes answers comparable, as the recordings' own tool does.

pub mod normal;
pub mod play;
pub mod world;
