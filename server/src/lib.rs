//! The Kubernetes API of a simulated cluster for real clients: HTTPS around `core`'s request entry.
//!
//! The simulation runs on a thread of its own ([`engine`]), the only place with real time; requests
//! reach it as messages and answers come back the same way. What happens in a request is decided in
//! `core` alone; here are sockets, TLS, WebSockets, SPDY frames and the pace of time.
//!
//! Invariant: no client can hold the simulation up. Bodies, queues and waits are bounded.

pub mod certs;
mod clients;
pub mod connection;
pub mod endpoint;
pub mod engine;
mod http;
mod node_ports;
mod proto;
mod sandbar;
mod spdy;
mod spdy_process;
mod upgrade;
pub mod users;
mod wire;
pub mod worlds;

pub use endpoint::{Endpoint, Options};
pub use engine::{Engine, World};
