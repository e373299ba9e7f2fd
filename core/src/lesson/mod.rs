//! Lessons: steps whose checks look at the cluster's state, and the coach that leads through them.
//!
//! A lesson is data (`lessons/<course>/<nn>-<slug>.yaml`). Its checks say what must be true, not
//! what must be typed, so that another way counts as well; only steps that merely look at something
//! ask whether it was looked at ([`witness::Witness`]).
//!
//! Invariant: a check writes nothing and costs nothing while nothing changed.

pub mod catalogue;
pub mod check;
pub mod coach;
pub mod schema;
pub mod vars;
pub mod witness;

pub use coach::Coach;
pub use schema::{Lesson, Step};
pub use witness::Witness;
