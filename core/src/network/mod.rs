//! How traffic finds pods: service rules on every node, and the cluster's names.
//!
//! - [`Proxy`]: a node's kube-proxy, which keeps rules on the node's [`Site`](crate::fabric::Site).
//! - [`Services`]: the table those rules ask, and what went where ([`Route`]).
//! - [`Dns`]: what CoreDNS answers.
//!
//! Not here: what travels (`fabric`), who writes EndpointSlices (`controllers`).
//!
//! Invariant: new connections go to endpoints that the EndpointSlices say are ready (or, where none
//! is, that still serve while they terminate); open connections are never touched.

mod dns;
mod proxy;
mod services;
#[cfg(test)]
mod tests;
mod zone;

pub use dns::Dns;
pub use proxy::Proxy;
pub use services::{Route, RouteState, Services};
pub use zone::Zone;
