//! Pipes: bounded byte queues between processes.

use std::{
    cell::RefCell,
    collections::VecDeque,
    future::{Future, poll_fn},
    rc::Rc,
    task::{Poll, Waker},
};

/// What a pipe holds before its writer waits, as on Linux.
const CAPACITY: usize = 65_536;

#[derive(Default)]
struct Shared {
    data: VecDeque<u8>,
    readers: usize,
    writers: usize,
    waiting: Vec<Waker>,
}

impl Shared {
    fn wait(&mut self, waker: &Waker) {
        if !self.waiting.iter().any(|w| w.will_wake(waker)) {
            self.waiting.push(waker.clone());
        }
    }
}

fn wake(shared: &RefCell<Shared>) {
    let waiting = std::mem::take(&mut shared.borrow_mut().waiting);
    waiting.into_iter().for_each(Waker::wake);
}

/// The end to read from. Clones share it; the pipe breaks when the last is dropped.
pub struct PipeReader(Rc<RefCell<Shared>>);

/// The end to write to. Clones share it; readers see the end when the last is dropped.
pub struct PipeWriter(Rc<RefCell<Shared>>);

/// A new pipe.
pub fn pipe() -> (PipeReader, PipeWriter) {
    let shared = Shared { readers: 1, writers: 1, ..Shared::default() };
    let shared = Rc::new(RefCell::new(shared));
    (PipeReader(shared.clone()), PipeWriter(shared))
}

impl PipeReader {
    /// At most `max` bytes, up to and including the first `stop` if one is given; empty at the end.
    pub fn read(&self, max: usize, stop: Option<u8>) -> impl Future<Output = Vec<u8>> + '_ {
        poll_fn(move |cx| {
            let mut shared = self.0.borrow_mut();
            if shared.data.is_empty() {
                if shared.writers == 0 {
                    return Poll::Ready(Vec::new());
                }
                shared.wait(cx.waker());
                return Poll::Pending;
            }
            let mut length = max.min(shared.data.len());
            if let Some(stop) = stop
                && let Some(at) = shared.data.iter().take(length).position(|b| *b == stop)
            {
                length = at + 1;
            }
            let bytes = shared.data.drain(..length).collect();
            drop(shared);
            wake(&self.0);
            Poll::Ready(bytes)
        })
    }
}

impl PipeWriter {
    /// Writes everything, waiting while the pipe is full; `false` once nobody reads any more.
    pub async fn write(&self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            let written = poll_fn(|cx| {
                let mut shared = self.0.borrow_mut();
                if shared.readers == 0 {
                    return Poll::Ready(None);
                }
                let room = CAPACITY - shared.data.len().min(CAPACITY);
                if room == 0 {
                    shared.wait(cx.waker());
                    return Poll::Pending;
                }
                let length = room.min(bytes.len());
                shared.data.extend(&bytes[..length]);
                drop(shared);
                wake(&self.0);
                Poll::Ready(Some(length))
            })
            .await;
            match written {
                Some(length) => bytes = &bytes[length..],
                None => return false,
            }
        }
        self.0.borrow().readers > 0
    }

    /// Writes everything at once, beyond the bound if need be; for those who can't wait.
    pub fn push(&self, bytes: &[u8]) -> bool {
        if self.0.borrow().readers == 0 {
            return false;
        }
        self.0.borrow_mut().data.extend(bytes);
        wake(&self.0);
        true
    }

    /// Whether nobody reads any more.
    pub fn is_broken(&self) -> bool {
        self.0.borrow().readers == 0
    }
}

impl Clone for PipeReader {
    fn clone(&self) -> Self {
        self.0.borrow_mut().readers += 1;
        PipeReader(self.0.clone())
    }
}

impl Clone for PipeWriter {
    fn clone(&self) -> Self {
        self.0.borrow_mut().writers += 1;
        PipeWriter(self.0.clone())
    }
}

impl Drop for PipeReader {
    fn drop(&mut self) {
        self.0.borrow_mut().readers -= 1;
        wake(&self.0);
    }
}

impl Drop for PipeWriter {
    fn drop(&mut self) {
        self.0.borrow_mut().writers -= 1;
        wake(&self.0);
    }
}
