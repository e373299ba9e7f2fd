//! What programs share: options, inputs, numbers, widths. No programs.

pub mod inputs;
pub mod names;
pub mod opts;
pub mod time;
