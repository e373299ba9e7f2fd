//! A deterministic Kubernetes cluster in plain Rust. The map, in reading order:
//!
//! - [`sim`]: the one clock, the one seed, the one event loop.
//! - [`fabric`]: the network between machines: addresses, connections, verdicts.
//! - [`machine`]: places where processes run: files, the process table, terminals.
//! - [`shell`]: what people type into.
//! - [`programs`]: the programs that can run there.
//! - [`runtime`]: images, registries, containers.
//! - [`network`]: service rules on nodes, names of the cluster.
//! - [`session`], [`view`]: the façade and the plain data that leaves it.

pub mod api;
pub mod apiserver;
pub mod client;
pub mod clusters;
pub mod controllers;
pub mod fabric;
pub mod kubelet;
pub mod lesson;
pub mod machine;
pub mod network;
pub mod programs;
pub mod runtime;
pub mod scheduler;
pub mod session;
pub mod shell;
pub mod sim;
pub mod store;
pub mod view;
