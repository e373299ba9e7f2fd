//! What programs share: options, inputs, numbers, widths. No programs.

pub mod archive;
pub mod inputs;
pub mod names;
#[cfg(feature = "cluster")]
pub mod net;
pub mod opts;
pub mod screen;
#[cfg(test)]
mod tests;
pub mod text;
pub mod time;
pub mod tree;

pub use crate::sim::digest;
