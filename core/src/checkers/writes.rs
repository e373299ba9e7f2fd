//! How often each object is written: controllers that fight, or never come to rest, show here.

use std::{cell::RefCell, collections::BTreeMap};

use crate::{client::Change, sim::Time};

/// Writes of one object within a simulated minute that no work explains.
const MOST: u32 = 150;

#[derive(Clone, Copy, Default)]
struct Count {
    minute: u64,
    within: u32,
    total: u32,
}

/// Counts of writes by object; events count for the object that they are about.
#[derive(Default)]
pub struct Writes(RefCell<BTreeMap<String, Count>>);

impl Writes {
    /// Counts a change; says so if it is one too many.
    pub fn count(&self, kind: &str, change: &Change, now: Time) -> Option<String> {
        let event = change.object.downcast::<k8s_openapi::api::core::v1::Event>();
        let about = event.map(|event| {
            let of = &event.involved_object;
            let part = |text: &Option<String>| text.clone().unwrap_or_default();
            format!("events of {} {}/{}", part(&of.kind), part(&of.namespace), part(&of.name))
        });
        let own = || format!("{kind} {}/{}", change.object.namespace(), change.object.name());
        let key = about.unwrap_or_else(own);
        let mut counts = self.0.borrow_mut();
        let count = counts.entry(key.clone()).or_default();
        let minute = now.as_secs() / 60;
        if count.minute != minute {
            (count.minute, count.within) = (minute, 0);
        }
        count.within += 1;
        count.total += 1;
        (count.within == MOST).then(|| format!("{key} was written {MOST} times in a minute"))
    }

    /// Writes by object since the last call.
    pub fn take(&self) -> BTreeMap<String, u32> {
        let counts = self.0.take();
        counts.into_iter().map(|(key, count)| (key, count.total)).collect()
    }
}
