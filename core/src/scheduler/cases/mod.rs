//! A table of cases that follow upstream's plugin tests; [`tests`] reads and judges them.

mod tests;
