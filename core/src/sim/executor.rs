//! A small executor: tasks are polled one at a time, in the order in which they were woken.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::Future,
    pin::Pin,
    rc::Rc,
    sync::{Arc, Mutex},
    task::{Context, Poll, Wake, Waker},
};

use super::Cause;

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Handle on a task. Dropping it does not end the task.
#[derive(Clone)]
pub struct TaskHandle {
    index: usize,
    finished: Rc<Cell<bool>>,
}

impl TaskHandle {
    /// Whether the task has ended or was killed.
    pub fn is_finished(&self) -> bool {
        self.finished.get()
    }
}

/// `std`'s wakers must be `Send`; the lock is never contended, the engine has one thread.
#[derive(Default)]
struct Ready(Mutex<VecDeque<(usize, u64)>>);

impl Ready {
    fn queue(&self) -> std::sync::MutexGuard<'_, VecDeque<(usize, u64)>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

struct TaskWaker {
    index: usize,
    generation: u64,
    ready: Arc<Ready>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ready.queue().push_back((self.index, self.generation));
    }
}

struct Slot {
    generation: u64,
    task: Option<Task>,
    /// What it was begun for.
    cause: Cause,
    waker: Waker,
    finished: Rc<Cell<bool>>,
}

#[derive(Default)]
pub(super) struct Tasks {
    slots: RefCell<Vec<Slot>>,
    free: RefCell<Vec<usize>>,
    generation: Cell<u64>,
    ready: Arc<Ready>,
}

impl Tasks {
    pub fn spawn(&self, task: Task, cause: Cause) -> TaskHandle {
        self.generation.set(self.generation.get() + 1);
        let generation = self.generation.get();
        let mut slots = self.slots.borrow_mut();
        let index = self.free.borrow_mut().pop().unwrap_or(slots.len());
        let finished = Rc::new(Cell::new(false));
        let waker =
            Waker::from(Arc::new(TaskWaker { index, generation, ready: self.ready.clone() }));
        let slot = Slot { generation, task: Some(task), cause, waker, finished: finished.clone() };
        if index == slots.len() {
            slots.push(slot);
        } else {
            slots[index] = slot;
        }
        self.ready.queue().push_back((index, generation));
        TaskHandle { index, finished }
    }

    pub fn kill(&self, handle: &TaskHandle) {
        if handle.finished.get() {
            return;
        }
        handle.finished.set(true);
        let task = {
            let mut slots = self.slots.borrow_mut();
            let slot = &mut slots[handle.index];
            let task = slot.task.take();
            if task.is_some() {
                slot.generation = 0;
                self.free.borrow_mut().push(handle.index);
            } // else it is being polled right now: poll_one drops it afterwards
            task
        };
        drop(task); // outside the borrow: it may spawn, kill or wake
    }

    pub fn has_ready(&self) -> bool {
        let mut queue = self.ready.queue();
        let slots = self.slots.borrow();
        while let Some((index, generation)) = queue.front() {
            if slots[*index].generation == *generation {
                return true;
            }
            queue.pop_front();
        }
        false
    }

    /// Polls the task that has been ready longest, with its cause at hand; `false` if there is none.
    pub fn poll_one(&self, current: &Cell<Cause>) -> bool {
        if !self.has_ready() {
            return false;
        }
        let Some((index, generation)) = self.ready.queue().pop_front() else { return false };
        let taken = {
            let mut slots = self.slots.borrow_mut();
            let slot = &mut slots[index];
            current.set(slot.cause);
            slot.task.take().map(|t| (t, slot.waker.clone(), slot.finished.clone()))
        };
        let Some((mut task, waker, finished)) = taken else { return true };
        let done = task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        if done || finished.get() {
            finished.set(true);
            drop(task);
            self.slots.borrow_mut()[index].generation = 0;
            self.free.borrow_mut().push(index);
        } else {
            let mut slots = self.slots.borrow_mut();
            debug_assert_eq!(slots[index].generation, generation);
            slots[index].task = Some(task);
        }
        true
    }

    pub fn clear(&self) {
        let slots = self.slots.take();
        self.free.borrow_mut().clear();
        self.ready.queue().clear();
        for slot in &slots {
            slot.finished.set(true);
        }
        drop(slots);
    }
}

/// Lets every other ready task have its turn.
pub fn yield_now() -> impl Future<Output = ()> {
    let mut yielded = false;
    std::future::poll_fn(move |cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}
