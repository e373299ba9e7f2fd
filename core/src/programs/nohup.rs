//! `nohup`.

use crate::machine::{Command, Proc, Program, Signal};

/// `nohup`
pub const PROGRAM: Program = Program {
    name: "nohup",
    summary: "run a program that hangups do not end",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

async fn main(proc: Proc) -> i32 {
    let rest = proc.args().get(1..).unwrap_or_default().to_vec();
    let Some(name) = rest.first().cloned() else {
        proc.eprint("nohup: missing operand\nTry 'nohup --help' for more information.\n").await;
        return 125;
    };
    proc.ignore(Signal::Hup, true);
    let mut command = Command::new(rest);
    if proc.stdout_is_tty() {
        proc.eprint("nohup: ignoring input and appending output to 'nohup.out'\n").await;
        match proc.open_write("nohup.out", true) {
            Ok(fd) => (command.stdout, command.stderr) = (Some(fd.clone()), Some(fd)),
            Err(error) => {
                proc.eprint(&format!("nohup: failed to open 'nohup.out': {error}\n")).await;
                return 125;
            }
        }
        command.stdin = Some(crate::machine::Fd::Null);
    }
    match proc.spawn(command) {
        Ok(child) => child.wait().await.code(),
        Err(error) => {
            proc.eprint(&format!("nohup: failed to run command '{name}': {error}\n")).await;
            error.code()
        }
    }
}
