//! kubectl.
//!
//! - [`verbs`]: one file a verb, with its flags, help, examples, completion and what it does.
//! - [`flags`]: command lines and help, as `cobra` and `pflag`.
//! - [`print`]: everything `-o` knows.
//! - [`kubeconfig`], [`cx`]: which server, and the way to it. [`error`]: how errors are told.
//!
//! Invariant: nothing here knows a cluster's insides; everything goes through [`crate::client`].

pub mod complete;
mod credentials;
pub mod cx;
pub mod describe;
pub mod discovery;
pub mod error;
pub mod flags;
pub(crate) mod global;
pub mod kubeconfig;
pub mod kustomize;
mod logging;
pub mod manifest;
mod offers;
pub mod output;
pub mod pods;
pub mod preferences;
pub mod print;
mod raw;
pub mod reference;
pub mod resources;
mod stream;
pub mod things;
mod url;
pub(crate) mod valid;
pub mod verbs;
pub mod write;

pub use cx::{Conn, Cx};
pub use error::Error;

use flags::{Parsed, find, help};

use crate::machine::{Proc, Program};

/// `kubectl`
pub const PROGRAM: Program = Program {
    name: "kubectl",
    summary: "controls the Kubernetes cluster manager",
    run: |proc| Box::pin(main(proc)),
    complete: Some(complete::complete),
};

/// Runs a command line.
pub async fn main(proc: Proc) -> i32 {
    let args = proc.args().get(1..).unwrap_or_default().to_vec();
    run(proc, args).await
}

/// Runs `kubectl` with these arguments (without the name), as `minikube kubectl` does.
pub async fn run(proc: Proc, args: Vec<String>) -> i32 {
    let cx = Cx::new(proc);
    if let Some((first @ ("__complete" | "__completeNoDesc"), words)) =
        args.split_first().map(|(f, rest)| (f.as_str(), rest))
    {
        return offers::run(&cx, words, first == "__complete").await;
    }
    let args = match preferences::applied(&cx, &args).await {
        Ok(args) => args,
        Err(error) => {
            cx.err(&error.text()).await;
            return error.code();
        }
    };
    if let Some(code) = verbs::plugin::run(&cx, &args).await {
        return code;
    }
    let done = dispatch(&cx, &args).await;
    cx.flush().await;
    match done {
        Ok(()) => 0,
        Err(error) => {
            if let Error::Refused { logged, .. } = &error {
                let text = format!(
                    "\"Couldn't get current server API group list\" err={}",
                    crate::api::gofmt::quote(&error.message())
                );
                for _ in 0..*logged {
                    cx.err(&logging::line(&cx.proc, 'E', "memcache.go:381", &text)).await;
                }
            }
            if let (Error::Status { status, .. }, true) = (&error, cx.log.level() >= 4) {
                let shown = crate::api::json::indented_typed(&status.to_value(), 2);
                let text = format!("server response object: {}", shown.trim_end());
                cx.err(&cx.klog('I', "helpers.go:247", &text)).await;
            }
            cx.err(&error.text()).await;
            error.code()
        }
    }
}

/// The help of a command by its full name.
pub(crate) fn help_of(path: &str) -> String {
    let words: Vec<String> = path.split(' ').skip(1).map(str::to_owned).collect();
    let found = find::find(&verbs::ROOT, &[verbs::GLOBAL], &words);
    found.map_or_else(|text| text, |found| help::help(&found.way, verbs::GROUPS, None))
}

async fn dispatch(cx: &Cx, args: &[String]) -> Result<(), Error> {
    let width = cx.proc.any_tty().filter(|_| cx.proc.stdout_is_tty());
    let width = width.map(|tty| usize::from(tty.size().0));
    // `kubectl help VERB` is `kubectl VERB --help`.
    let (args, asked) = match args.split_first() {
        Some((first, rest)) if first == "help" => (rest, true),
        _ => (args, false),
    };
    let found = find::find(&verbs::ROOT, &[verbs::GLOBAL], args).map_err(Error::Plain)?;
    let command = found.command();
    let path = found.path();
    let flags = command.own_flags().chain(verbs::GLOBAL);
    let parsed = Parsed::read(&path, flags, &found.args).map_err(|e| {
        Error::Plain(match command.name {
            "options" => format!("{e}\nRun '{path}' without flags."),
            _ => format!("{e}\nSee '{path} --help' for usage."),
        })
    })?;
    for notice in &parsed.notices {
        cx.err(&format!("{notice}\n")).await;
    }
    if parsed.help || asked || found.way.len() == 1 {
        let text = help::help(&found.way, verbs::GROUPS, width);
        cx.out(&verbs::plugin::listed(cx, &text)).await;
        return Ok(());
    }
    global::check(cx, &parsed).await?;
    parsed.check_required().map_err(Error::Plain)?;
    let strict = parsed.bool("warnings-as-errors");
    match command.run {
        Some(run) => {
            run(cx.clone(), parsed).await?;
            match cx.warned.get() {
                0 => Ok(()),
                _ if !strict => Ok(()),
                1 => Err(Error::plain("1 warning received")),
                n => Err(Error::plain(format!("{n} warnings received"))),
            }
        }
        None if parsed.args.is_empty() || command.name == "certificate" => {
            let text = help::help(&found.way, verbs::GROUPS, width);
            // Upstream's certificate takes that for a wish, and rollout tells it on stdout.
            if command.name == "certificate" {
                cx.out(&text).await;
                return Ok(());
            }
            if command.name == "rollout" {
                cx.out(&text).await;
            } else {
                cx.err(&text).await;
            }
            Err(Error::Exit(1))
        }
        None => {
            let words = crate::api::gofmt::quote(&parsed.args.join(" "));
            Err(Error::usage(&path, format_args!("unknown command {words}")))
        }
    }
}
