//! What the page needs of an engine, wherever it runs. The worker's supervisor and the fixture player
//! (development only) are the two there are.

use sandbar_core::session::protocol::Input;

/// An engine, seen from the page. What it says comes back through [`super::page::Page`].
pub trait Engine {
    /// Something was done.
    fn send(&self, input: Input);
    /// Simulated seconds a real second; 0 pauses.
    fn pace(&self, speed: u32);
    /// Goes to the next thing that happens by itself, while time is paused.
    fn next_event(&self);
}
