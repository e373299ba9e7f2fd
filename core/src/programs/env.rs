//! `env`.

use std::rc::Rc;

use super::support::opts::{Spec, options};
use crate::machine::{Command, Proc, Program};

/// `env`
pub const PROGRAM: Program = Program {
    name: "env",
    summary: "run a program in a changed environment",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec {
    usage: "env [-i] [-u NAME] [NAME=VALUE]... [COMMAND [ARG]...]",
    short: "+iu:",
    long: &[("ignore-environment", 'i'), ("unset", 'u')],
    trouble: 125,
};

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let mut env = if options.has('i') { Default::default() } else { (*proc.env_all()).clone() };
    for name in options.values('u') {
        env.remove(name);
    }
    let mut rest = options.rest.as_slice();
    while let Some((name, value)) = rest.first().and_then(|a| a.split_once('=')) {
        env.insert(name.to_string(), value.to_string());
        rest = &rest[1..];
    }
    if rest.is_empty() {
        for (name, value) in &env {
            proc.print(&format!("{name}={value}\n")).await;
        }
        return 0;
    }
    match proc.spawn(Command::new(rest.to_vec()).env(Rc::new(env))) {
        Ok(child) => child.wait().await.code(),
        Err(error) => {
            let text = match error.code() {
                127 => "No such file or directory".to_string(),
                _ => error.to_string(),
            };
            proc.eprint(&format!("env: '{}': {text}\n", rest[0])).await;
            error.code()
        }
    }
}
