//! Growing pauses between attempts, forgotten after a while.
//!
//! Models `client-go/util/flowcontrol.Backoff` as the kubelet uses it: 10 s, doubling up to 5 min,
//! forgotten after twice that.

use std::{collections::BTreeMap, time::Duration};

use crate::sim::Time;

/// The first pause (`initialBackOff`).
const FIRST: Duration = Duration::from_secs(10);
/// The longest pause (`maxBackOff`).
const LONGEST: Duration = Duration::from_secs(300);
/// After this long without a failure everything is forgotten.
const FORGET: Duration = Duration::from_secs(600);

struct Entry {
    pause: Duration,
    updated: Time,
}

/// Pauses by key.
pub struct Backoff(BTreeMap<String, Entry>);

impl Backoff {
    /// No pauses yet.
    pub fn new() -> Self {
        Backoff(BTreeMap::new())
    }

    /// The pause that is still on at `now`, counted from `since`, and when it ends. A pause is
    /// forgotten where `since` is long after it was set.
    pub fn pausing(&self, key: &str, since: Time, now: Time) -> Option<(Duration, Time)> {
        let entry = self.0.get(key)?;
        if since.since(entry.updated) > FORGET || now.since(since) >= entry.pause {
            return None;
        }
        Some((entry.pause, since + entry.pause))
    }

    /// As [`Backoff::pausing`], counted from the last failure.
    pub fn pausing_since_update(&self, key: &str, now: Time) -> Option<(Duration, Time)> {
        let entry = self.0.get(key)?;
        let over = now.since(entry.updated) > FORGET || now.since(entry.updated) >= entry.pause;
        (!over).then(|| (entry.pause, entry.updated + entry.pause))
    }

    /// Lengthens the pause.
    pub fn next(&mut self, key: &str, since: Time, now: Time) {
        match self.0.get_mut(key) {
            Some(entry) if since.since(entry.updated) <= FORGET => {
                entry.pause = (entry.pause * 2).min(LONGEST);
                entry.updated = now;
            }
            _ => {
                self.0.insert(key.to_string(), Entry { pause: FIRST, updated: now });
            }
        }
    }

    /// Forgets the keys that begin so (a pod that is gone).
    pub fn forget(&mut self, prefix: &str) {
        self.0.retain(|key, _| !key.starts_with(prefix));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_are_forgotten() {
        let at = Time::from_secs;
        let mut backoff = Backoff::new();
        assert_eq!(backoff.pausing("k", at(0), at(0)), None);
        let mut pauses = Vec::new();
        let mut now = 1_000;
        for _ in 0..7 {
            backoff.next("k", at(now), at(now));
            let (pause, end) = backoff.pausing("k", at(now + 1), at(now + 2)).unwrap();
            assert_eq!(end, at(now + 1) + pause);
            pauses.push(pause.as_secs());
            now += pause.as_secs() + 1;
        }
        assert_eq!(pauses, [10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(backoff.pausing("k", at(now + 700), at(now + 700)), None);
        backoff.next("k", at(now + 1_000), at(now + 1_000));
        assert_eq!(backoff.pausing_since_update("k", at(now + 1_005)).unwrap().0, FIRST);
        assert_eq!(backoff.pausing_since_update("k", at(now + 1_010)), None);
    }
}
