//! Signals and `trap`.

use super::{Exec, Flow, Shell};
use crate::machine::{Proc, Signal};

impl Shell {
    /// Handles signals that have come since: runs their traps, or does what happens without one.
    ///
    /// # Errors
    /// Where that ends the commands that run.
    pub(super) async fn run_traps(&self, proc: &Proc) -> Result<(), Flow> {
        if !self.is_interactive() && !self.catches_signals() {
            return Ok(());
        }
        while let Some(signal) = proc.try_signal() {
            self.handle_signal(proc, signal).await?;
        }
        Ok(())
    }

    fn catches_signals(&self) -> bool {
        self.traps.borrow().iter().any(|(name, action)| name != "EXIT" && !action.is_empty())
    }

    /// Does what a signal asks for.
    ///
    /// # Errors
    /// Where that ends the commands that run.
    pub(super) async fn handle_signal(&self, proc: &Proc, signal: Signal) -> Result<(), Flow> {
        let action = self.traps.borrow().get(signal.name()).cloned();
        match action {
            Some(action) => {
                let status = self.status.get();
                self.eval(proc, &action).await?;
                self.status.set(status);
                Ok(())
            }
            None if self.is_interactive() => match signal {
                Signal::Int => {
                    proc.eprint("\n").await; // after the `^C` that the terminal showed
                    self.status.set(130);
                    Err(Flow::Interrupt)
                }
                Signal::Hup => Err(Flow::Exit(129)),
                _ => Ok(()),
            },
            None if signal.ignored_by_default() => Ok(()),
            None => {
                // What it would have done, had the shell not asked for signals because of others.
                proc.default_signals();
                proc.process().signal(signal, false);
                if proc.process().status().is_some() {
                    std::future::pending::<()>().await;
                }
                proc.try_signal(); // process 1 goes on, with its traps
                Ok(())
            }
        }
    }

    /// Runs the EXIT trap once; its `exit`, if it says so, is the exit code.
    pub(super) async fn run_exit_trap(&self, proc: &Proc) -> Option<i32> {
        let action = self.traps.borrow_mut().remove("EXIT")?;
        match self.eval(proc, &action).await {
            Err(Flow::Exit(status)) => Some(status),
            _ => None,
        }
    }

    /// Parses and runs a text.
    pub(super) async fn eval(&self, proc: &Proc, text: &str) -> Exec {
        let parsed = {
            let aliases = self.aliases.borrow();
            super::parse::parse(text, &aliases, self.flavour.knows_extensions())
        };
        match parsed {
            Ok(list) => {
                self.on_fresh_stack(proc, move |shell, proc| {
                    Box::pin(async move { shell.list(&proc, &list, false).await })
                })
                .await
            }
            Err(error) => {
                self.syntax_error(proc, &error, text).await;
                Err(Flow::Error(2))
            }
        }
    }
}
