//! Answers for those who ask why: what led to an object ([`trace`]), why it is as it is ([`why`]).
//!
//! Reads the simulation's records, the scheduler's decisions and API objects; writes nothing and
//! remembers nothing itself. The answers are plain data (`view`); [`text`] prints them.
//!
//! Invariant: whoever asks sees no more than the API would let them read.

mod change;
mod graph;
mod pods;
pub mod text;
mod trace;
mod why;

pub use trace::trace;
pub use why::why;

use crate::api::Kind;

/// `pod/web-1`, `deployment.apps/web`: how an object is called here.
pub fn called(kind: &Kind, name: &str) -> String {
    format!("{}/{name}", kind.singular)
}
