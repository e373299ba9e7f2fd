//! Random command lines: whatever is typed, the sandbox answers, ends or can be interrupted, and
//! goes on.
//!
//! - [`lines`]: command lines of kubectl and of the shell, drawn from a seed.
//! - [`manifests`]: manifests that are odd, deep, large or costly.
//! - [`play`]: types them, and sees to it that each comes to an end.

pub mod lines;
pub mod manifests;
pub mod play;

use crate::chaos::Chance;

/// One of these, by chance.
pub fn one<'a>(chance: &mut Chance, of: &[&'a str]) -> &'a str {
    of.get(chance.below(of.len().max(1) as u64) as usize).copied().unwrap_or_default()
}
