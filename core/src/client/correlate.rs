//! Which events are told one by one, which together, and which not at all.
//!
//! Models `client-go/tools/record/events_cache.go` (`EventAggregator`,
//! `EventSourceObjectSpamFilter`).

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::sim::Time;

/// So many different messages of one kind are told; further ones together
/// (`defaultAggregateMaxEvents`).
const SINGLE: usize = 10;
/// Kinds of events are forgotten after so long without one (`defaultAggregateIntervalInSeconds`).
const MEMORY: Duration = Duration::from_secs(600);
/// Events about one object: so many at once, and one more every five minutes
/// (`defaultSpamBurst`, `defaultSpamQPS`).
const BUDGET: (u32, Duration) = (25, Duration::from_secs(300));
/// Subjects remembered (`maxLruCacheEntries`).
const REMEMBERED: usize = 4096;

/// What one recorder remembers.
#[derive(Default)]
pub struct Correlator {
    messages: BTreeMap<String, (Time, BTreeSet<String>)>,
    /// When an object's events would all be paid for.
    budgets: BTreeMap<String, Time>,
}

impl Correlator {
    /// The key under which repeats of an event are counted, and its message. `subject` is what it
    /// is about, `kind` its type, reason and so on.
    pub fn aggregate(
        &mut self,
        subject: &str,
        kind: &str,
        message: &str,
        now: Time,
    ) -> (String, String) {
        let group = format!("{subject}/{kind}");
        if self.messages.len() >= REMEMBERED {
            self.messages.retain(|_, (last, _)| now.since(*last) <= MEMORY);
        }
        let (last, known) =
            self.messages.entry(group.clone()).or_insert_with(|| (now, BTreeSet::new()));
        if now.since(*last) > MEMORY {
            known.clear();
        }
        *last = now;
        known.insert(message.to_string());
        if known.len() < SINGLE {
            return (format!("{group}/{message}"), message.to_string());
        }
        known.pop_first();
        (group, format!("(combined from similar events): {message}"))
    }

    /// Whether an object has any events left to be told.
    pub fn may_tell(&mut self, subject: &str, now: Time) -> bool {
        let (burst, interval) = BUDGET;
        if self.budgets.len() >= REMEMBERED {
            self.budgets.retain(|_, settled| *settled > now);
        }
        let settled = self.budgets.entry(subject.to_string()).or_insert(now);
        let next = (*settled).max(now) + interval;
        if next.since(now) > interval * burst {
            return false;
        }
        *settled = next;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tenth_message_of_a_kind_stands_for_the_rest() {
        let mut correlator = Correlator::default();
        let now = Time::from_secs(1000);
        for n in 1..10 {
            let (_, message) = correlator.aggregate("rs", "Created", &format!("pod {n}"), now);
            assert_eq!(message, format!("pod {n}"));
        }
        let (key, message) = correlator.aggregate("rs", "Created", "pod 10", now);
        assert_eq!(message, "(combined from similar events): pod 10");
        assert_eq!(correlator.aggregate("rs", "Created", "pod 11", now).0, key);
        assert_eq!(correlator.aggregate("rs", "Deleted", "pod 11", now).1, "pod 11");
        let later = now + Duration::from_secs(601);
        assert_eq!(correlator.aggregate("rs", "Created", "pod 12", later).1, "pod 12");
    }

    #[test]
    fn an_object_has_twenty_five_events_and_one_more_every_five_minutes() {
        let mut correlator = Correlator::default();
        let now = Time::from_secs(1000);
        let told = (0..100).filter(|_| correlator.may_tell("rs", now)).count();
        assert_eq!(told, 25);
        assert!(correlator.may_tell("other", now));
        assert!(!correlator.may_tell("rs", now + Duration::from_secs(299)));
        assert!(correlator.may_tell("rs", now + Duration::from_secs(300)));
        assert!(!correlator.may_tell("rs", now + Duration::from_secs(300)));
    }
}
