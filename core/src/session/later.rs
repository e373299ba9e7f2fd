//! What is around the terminals in a starter: nothing. Inputs are in the journal and are played again
//! by the whole engine; queries, which are not, wait for it here.

use std::{cell::RefCell, rc::Rc};

use super::protocol::{Input, Output};
use crate::machine::Machine;

/// In the place of network, cluster, lesson and browser pane.
#[derive(Default)]
pub struct World {
    unanswered: Vec<Input>,
}

impl World {
    /// A host without a network.
    pub fn new(_host: &Rc<Machine>, _outputs: &Rc<RefCell<Vec<Output>>>) -> Self {
        World::default()
    }

    /// Takes an input that is not about terminals or files.
    pub fn handle(&mut self, input: Input) {
        if input.is_query() {
            self.unanswered.push(input);
        }
    }

    /// Gathers what changed: nothing ever does.
    pub fn gather(&mut self, _most: usize) -> bool {
        false
    }

    /// Queries for the whole engine.
    pub fn take_unanswered(&mut self) -> Vec<Input> {
        std::mem::take(&mut self.unanswered)
    }
}
