//! `sudo`.

use super::support::{
    names::id,
    opts::{Spec, options},
};
use crate::machine::{Command, Proc, Program, fs::Who};

/// `sudo`
pub const PROGRAM: Program = Program {
    name: "sudo",
    summary: "run a program as another user (root)",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec =
    Spec { usage: "sudo [-u USER] COMMAND [ARG]...", short: "+u:isHEn", long: &[], trouble: 1 };

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let name = options.value('u').unwrap_or("root");
    let Some(uid) = id(&proc, "/etc/passwd", name) else {
        proc.eprint(&format!("sudo: unknown user {name}\n")).await;
        return 1;
    };
    let mut argv = options.rest.clone();
    if argv.is_empty() {
        if !options.has('i') && !options.has('s') {
            proc.eprint("usage: sudo [-u user] command [arg ...]\n").await;
            return 1;
        }
        argv.push("bash".to_string());
    }
    let mut env = (*proc.env_all()).clone();
    env.insert("USER".into(), name.to_string());
    if options.has('i') || options.has('H') {
        env.insert("HOME".into(), if uid == 0 { "/root".into() } else { format!("/home/{name}") });
    }
    let mut command = Command::new(argv.clone()).env(env.into());
    command.who = Some(Who { uid, gid: uid });
    match proc.spawn(command) {
        Ok(child) => child.wait().await.code(),
        Err(_) => {
            proc.eprint(&format!("sudo: {}: command not found\n", argv[0])).await;
            1
        }
    }
}
