//! What network programs share: the endpoint, names, the words for what goes wrong.

use std::{net::Ipv4Addr, rc::Rc};

use crate::{
    fabric::{
        ConnectError, Endpoint, NameFiles,
        dns::{self, ResolveError},
    },
    machine::Proc,
    runtime::network::Names,
};

/// The network endpoint of a process's machine.
pub fn endpoint(proc: &Proc) -> Option<Rc<Endpoint>> {
    proc.machine().get::<Endpoint>()
}

/// Where a process looks names up.
pub fn names(proc: &Proc) -> Rc<dyn NameFiles> {
    Names::of(proc.machine())
}

/// A name's first address.
///
/// # Errors
/// Where it has none.
pub async fn resolve(proc: &Proc, name: &str) -> Result<Ipv4Addr, ResolveError> {
    let endpoint = endpoint(proc).ok_or(ResolveError::TryAgain)?;
    let names = names(proc);
    let found = dns::resolve(&endpoint, Some(&*names), name).await?;
    found.first().copied().ok_or(ResolveError::NotFound)
}

/// As `strerror` has it.
pub fn strerror(error: ConnectError) -> &'static str {
    match error {
        ConnectError::Refused => "Connection refused",
        ConnectError::TimedOut => "Connection timed out",
        ConnectError::NoRoute => "No route to host",
    }
}

/// Whether a machine's commands are busybox's.
pub fn is_busybox(proc: &Proc) -> bool {
    proc.exists("/bin/busybox")
}

/// A number of seconds, with or without a fraction.
pub fn seconds(text: &str) -> Option<std::time::Duration> {
    let seconds: f64 = text.parse().ok()?;
    (seconds.is_finite() && (0.0..1e9).contains(&seconds))
        .then(|| std::time::Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests;
