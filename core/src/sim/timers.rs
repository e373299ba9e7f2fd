//! The queue of callbacks: a heap of due times over slots that can be emptied.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::{Cause, Time};

type Call = Box<dyn FnOnce()>;

/// Names a timer; stays valid (and harmless) after the timer fired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerId {
    slot: u32,
    seq: u64,
}

#[derive(Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Time, u64, u32)>>,
    slots: Vec<Option<(u64, Cause, Call)>>,
    free: Vec<u32>,
    seq: u64,
}

pub(super) struct Due {
    pub at: Time,
    /// What was the cause at hand when it was asked for.
    pub cause: Cause,
    pub call: Call,
}

impl Timers {
    pub fn add(&mut self, at: Time, cause: Cause, call: Call) -> TimerId {
        self.seq += 1;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            (self.slots.len() - 1) as u32
        });
        self.slots[slot as usize] = Some((self.seq, cause, call));
        self.heap.push(Reverse((at, self.seq, slot)));
        TimerId { slot, seq: self.seq }
    }

    /// Empties a timer's slot and hands out what it held.
    pub fn take(&mut self, id: TimerId) -> Option<(Cause, Call)> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        if slot.as_ref()?.0 != id.seq {
            return None;
        }
        self.free.push(id.slot);
        slot.take().map(|(_, cause, call)| (cause, call))
    }

    pub fn next_due(&mut self) -> Option<Time> {
        self.drop_cancelled();
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    pub fn pop_due(&mut self, until: Time) -> Option<Due> {
        self.drop_cancelled();
        let Reverse((at, seq, slot)) = *self.heap.peek()?;
        if at > until {
            return None;
        }
        self.heap.pop();
        self.take(TimerId { slot, seq }).map(|(cause, call)| Due { at, cause, call })
    }

    fn drop_cancelled(&mut self) {
        while let Some(Reverse((_, seq, slot))) = self.heap.peek() {
            match &self.slots[*slot as usize] {
                Some((live, ..)) if live == seq => return,
                _ => self.heap.pop(),
            };
        }
    }
}
