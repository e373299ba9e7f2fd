//! A fault: a container whose process leaks memory and answers ever more slowly.
//!
//! It hangs on the container's machine, so a restart (a new machine) cures it.

use std::{
    cell::Cell,
    rc::{Rc, Weak},
    time::Duration,
};

use crate::{machine::Machine, sim::Time};

/// Memory that leaks each second.
const PER_SECOND: u64 = 12 << 20;
/// Where it stops: the rest of a small node.
const LIMIT: u64 = 2 << 30;
/// Answers take so much longer at first, doubled every [`DOUBLING`].
const SLOWER: Duration = Duration::from_millis(20);
const DOUBLING: u64 = 3;
/// From then on there are no answers at all.
const STUCK: Duration = Duration::from_secs(30);

/// A leak on a machine.
pub struct Leak {
    since: Time,
    leaked: Cell<u64>,
}

impl Leak {
    /// Lets the first process of a machine leak from now on.
    pub fn start(machine: &Rc<Machine>) {
        if machine.get::<Leak>().is_some() {
            return;
        }
        let leak = Rc::new(Leak { since: machine.sim().now(), leaked: Cell::new(0) });
        machine.set(leak.clone());
        grow(Rc::downgrade(machine), Rc::downgrade(&leak));
    }

    /// How much longer an answer takes now; `None`: for ever.
    pub fn delay(&self, now: Time) -> Option<Duration> {
        let age = now.since(self.since);
        let doublings = u32::try_from(age.as_secs() / DOUBLING).unwrap_or(u32::MAX);
        (age < STUCK)
            .then(|| SLOWER.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX)))
    }
}

fn grow(machine: Weak<Machine>, leak: Weak<Leak>) {
    let Some(sim) = machine.upgrade().map(|m| m.sim().clone()) else { return };
    sim.after(Duration::from_secs(1), move || {
        let (Some(m), Some(l)) = (machine.upgrade(), leak.upgrade()) else { return };
        let Some(process) = m.process(1) else { return };
        if l.leaked.get() < LIMIT {
            l.leaked.set(l.leaked.get() + PER_SECOND);
            process.set_memory(process.memory() + PER_SECOND);
            drop((m, l, process));
            grow(machine, leak);
        }
    });
}
