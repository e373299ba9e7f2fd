//! A deterministic Kubernetes cluster in plain Rust. The map, in reading order:
//!
//! - [`sim`]: the one clock, the one seed, the one event loop.
//! - [`session`], [`view`]: the façade and the plain data that leaves it.

pub mod session;
pub mod sim;
pub mod view;
