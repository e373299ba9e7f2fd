//! Tells the coach which commands the learner runs.

use std::{cell::RefCell, rc::Rc};

use crate::{
    lesson::Witness,
    machine::{ExitStatus, Machine, ProcessObserver},
};

/// Lets `witness` see the commands that the shells of terminals on `machine` start. What those
/// start in turn (`watch`, scripts) was not typed and does not count.
pub fn observe(machine: &Rc<Machine>, witness: &Rc<RefCell<Witness>>) {
    let (begin, end) = (witness.clone(), witness.clone());
    let weak = Rc::downgrade(machine);
    let typed = move |parent: u32| {
        let machine = weak.upgrade()?;
        let shell = machine.process(parent)?;
        // A terminal's shell was started from outside.
        (shell.parent.get() == 0 && parent != 1).then_some(())
    };
    machine.set(Rc::new(ProcessObserver {
        started: Box::new(move |process| {
            if typed(process.parent.get()).is_some() {
                let argv = process.args().to_vec();
                begin.borrow_mut().begin(u64::from(process.pid), process.start, argv);
            }
        }),
        ended: Box::new(move |process, status: ExitStatus| {
            end.borrow_mut().end(u64::from(process.pid), &process.args(), status.code());
        }),
    }));
}
