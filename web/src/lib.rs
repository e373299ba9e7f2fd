//! What the page and its worker share, and the page. The map:
//!
//! - [`protocol`]: the messages between page and worker.
//! - [`worker`]: runs the engine in real time; the only place that knows both clocks.
//! - [`engine_host`]: the page's side of it: starts workers, replaces dead ones, keeps the journal.
//! - [`app`]: what a person sees and touches.
//!
//! The two programs are `bin/app.rs` (the page) and `bin/engine.rs` (the worker).

pub mod app;
pub mod engine_host;
pub mod protocol;
pub mod worker;
