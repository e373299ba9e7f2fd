//! Which simulated time belongs to which real time.

use std::time::Duration;

use sandbar_core::sim::Time;

/// Real milliseconds of lag above which the clock stops trying to catch up.
const PATIENCE_MS: f64 = 250.0;

/// A straight line from real to simulated time, laid anew when speed changes or time falls behind.
pub struct Pace {
    factor: u32,
    real_ms: f64,
    sim: Time,
}

impl Pace {
    pub fn new(factor: u32, real_ms: f64, sim: Time) -> Self {
        Pace { factor, real_ms, sim }
    }

    pub fn factor(&self) -> u32 {
        self.factor
    }

    /// Goes on from here at another speed.
    pub fn set(&mut self, factor: u32, real_ms: f64, sim: Time) {
        *self = Pace::new(factor, real_ms, sim);
    }

    /// The simulated time that should have been reached at `real_ms`.
    pub fn target(&self, real_ms: f64) -> Time {
        let micros = (real_ms - self.real_ms).max(0.0) * 1e3 * f64::from(self.factor);
        self.sim + Duration::from_micros(micros as u64)
    }

    /// Real milliseconds from `real_ms` until `due`; `None` while paused.
    pub fn wait_ms(&self, real_ms: f64, due: Time) -> Option<f64> {
        if self.factor == 0 {
            return None;
        }
        let micros = due.since(self.sim).as_micros() as f64;
        Some((self.real_ms + micros / 1e3 / f64::from(self.factor) - real_ms).max(0.0))
    }

    /// Gives up time that can't be made good: true if simulated time now falls behind.
    pub fn give_up(&mut self, real_ms: f64, sim: Time) -> bool {
        let lag = self.target(real_ms).since(sim).as_secs_f64() * 1e3;
        let behind = self.factor > 0 && lag > PATIENCE_MS * f64::from(self.factor);
        if behind {
            self.set(self.factor, real_ms, sim);
        }
        behind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_is_a_factor_and_zero_stands_still() {
        let start = Time::from_secs(1_000);
        for (factor, at, want) in
            [(1, 500.0, 1_000_500), (60, 500.0, 1_030_000), (0, 9e9, 1_000_000)]
        {
            let pace = Pace::new(factor, 0.0, start);
            assert_eq!(pace.target(at).as_millis(), want, "×{factor} at {at}");
        }
    }

    #[test]
    fn waits_until_something_is_due_and_never_while_paused() {
        let start = Time::from_secs(1_000);
        let due = start + Duration::from_secs(60);
        assert_eq!(Pace::new(1, 0.0, start).wait_ms(1_000.0, due), Some(59_000.0));
        assert_eq!(Pace::new(60, 0.0, start).wait_ms(1_500.0, due), Some(0.0));
        assert_eq!(Pace::new(0, 0.0, start).wait_ms(0.0, due), None);
    }

    #[test]
    fn a_short_lag_is_made_good_and_a_long_one_is_given_up() {
        let start = Time::from_secs(1_000);
        let mut pace = Pace::new(10, 0.0, start);
        assert!(!pace.give_up(200.0, start));
        assert_eq!(pace.target(200.0), start + Duration::from_secs(2));
        assert!(pace.give_up(300.0, start));
        assert_eq!(pace.target(300.0), start);
    }
}
