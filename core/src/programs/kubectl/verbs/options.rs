//! `kubectl options`.

use crate::programs::kubectl::flags::{Command, help};

/// `kubectl options`
pub static COMMAND: Command = Command {
    name: "options",
    usage: "options",
    short: "Print the flags that every command takes",
    run: Some(|cx, _| {
        Box::pin(async move {
            let width = cx.proc.any_tty().filter(|_| cx.proc.stdout_is_tty());
            let width = width.map(|tty| usize::from(tty.size().0));
            cx.out(&help::global_options(super::GLOBAL.iter(), width)).await;
            Ok(())
        })
    }),
    ..Command::EMPTY
};
