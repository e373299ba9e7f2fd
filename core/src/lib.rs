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
//!
//! Without the feature `cluster` there is a host with its shell and general programs only: the page's
//! starter, which shows a prompt while the rest is on its way.

// What only the cluster's rooms use is not pruned by hand for the starter.
#![cfg_attr(not(feature = "cluster"), allow(dead_code, unused_imports))]

#[cfg(feature = "cluster")]
pub mod api;
#[cfg(feature = "cluster")]
pub mod apiserver;
#[cfg(feature = "cluster")]
pub mod checkers;
#[cfg(feature = "cluster")]
pub mod client;
#[cfg(feature = "cluster")]
pub mod clusters;
#[cfg(feature = "cluster")]
pub mod controllers;
#[cfg(feature = "cluster")]
pub mod explain;
#[cfg(feature = "cluster")]
pub mod fabric;
#[cfg(feature = "cluster")]
pub mod kubelet;
#[cfg(feature = "cluster")]
pub mod lesson;
pub mod machine;
#[cfg(feature = "cluster")]
pub mod network;
pub mod programs;
#[cfg(feature = "cluster")]
pub mod runtime;
#[cfg(feature = "cluster")]
pub mod scheduler;
pub mod session;
pub mod shell;
pub mod sim;
#[cfg(feature = "cluster")]
pub mod store;
pub mod view;
