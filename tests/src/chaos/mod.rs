//! Random clusters, random operations, and components that are stopped in the middle of it.
//!
//! - [`cluster`]: a cluster of parts with real kubelets, each of which can be stopped and started.
//! - [`ops`]: what can be done to it, drawn from a seed, and by whom: the API, or the world.
//! - [`restart`]: parts that are restarted in the middle of it.
//! - [`run`]: plays operations, asks the checkers after each, shrinks what fails.
//! - [`settled`]: what is left when everything has come to rest, without what is left to chance.

pub mod cluster;
pub mod ops;
pub mod restart;
pub mod run;
pub mod settled;

/// Numbers that follow from a seed (splitmix64).
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// From this seed.
    pub fn new(seed: u64) -> Self {
        Chance(seed)
    }

    /// A number below `bound`, which is above 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}
