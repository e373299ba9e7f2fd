//! Runs a session in real time: maps the page's clock to the simulated one, advances in slices,
//! and sends what there is to show, at most once in 16 ms.
//!
//! [`Host`] is plain: it is told when it is called, asks [`Outside`] for the time, and says when it
//! wants to be called next. So its tests run natively with a clock of their own.
//!
//! Two programs hold one: a starter without a cluster, and the whole engine, which takes its session
//! over ([`Handover`]).

mod handover;
mod host;
mod pace;

pub use handover::{Handover, Left};
pub use host::{Host, Next, Outside, Settled};
