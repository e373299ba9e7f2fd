//! What the page and its worker share, and the page. The map:
//!
//! - [`protocol`]: the messages between page and worker.
//! - [`worker`]: runs the engine in real time; the only place that knows both clocks.
//! - [`engine_host`]: the page's side of it: starts workers, replaces dead ones, keeps the journal.
//! - [`app`]: what a person sees and touches.
//! - [`journal_store`]: where the journal survives a reload.
//!
//! The two programs are `bin/app.rs` (the page) and `bin/engine.rs` (the worker).

pub mod app;
pub mod engine_host;
pub mod journal_store;
pub mod protocol;
pub mod worker;
