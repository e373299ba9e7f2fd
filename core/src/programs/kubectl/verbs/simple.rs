//! Verbs that mostly say what the sandbox does not have: `explain`, `kustomize`, `debug`, `proxy`,
//! `certificate`.

use crate::programs::kubectl::{
    Cx, Error,
    flags::{Command, Complete, Flag, Parsed},
    resources,
};

/// `kubectl explain`
pub static EXPLAIN: Command = Command {
    name: "explain",
    usage: "explain TYPE [--recursive=FALSE|TRUE] [--api-version=api-version-group] [-o|--output=plaintext|plaintext-openapiv2]",
    short: "Tell what the fields of a kind mean",
    examples: "# What a pod is made of\nkubectl explain pods",
    flags: &[&[
        Flag::str("api-version", "", "The version of the API to explain."),
        Flag::str("output", "plaintext", "plaintext or plaintext-openapiv2.").short("o"),
        Flag::bool("recursive", false, "All fields at once."),
    ]],
    run: Some(|cx, p| Box::pin(explain(cx, p))),
    complete: Complete::Resources,
    ..Command::EMPTY
};

async fn explain(cx: Cx, p: Parsed) -> Result<(), Error> {
    let word = match p.args.as_slice() {
        [] => {
            return Err(Error::usage(
                &p.path,
                "You must specify the type of resource to explain. Use \"kubectl api-resources\" for \
                 a complete list of supported resources.\n",
            ));
        }
        [one] => one.split('.').next().unwrap_or(one).to_owned(),
        _ => {
            return Err(Error::usage(&p.path, "We accept only this format: explain RESOURCE\n"));
        }
    };
    let conn = cx.connect(&p, 5)?;
    resources::kind_for(&conn, &word)?;
    Err(Error::plain("this sandbox has no descriptions of fields yet, so nothing can be explained"))
}

/// Verbs that exist and whose subject is not simulated.
macro_rules! absent {
    ($($constant:ident $name:literal $short:literal $what:literal;)*) => {
        $(#[doc = concat!("`kubectl ", $name, "`")]
        pub static $constant: Command = Command {
            name: $name,
            usage: $name,
            short: $short,
            examples: concat!("# Not simulated\nkubectl ", $name),
            run: Some(|_, _| Box::pin(async {
                Err(Error::plain(concat!($what, " not simulated in this sandbox")))
            })),
            ..Command::EMPTY
        };)*
    };
}

absent! {
    CERTIFICATE "certificate" "Approve or deny requests for certificates" "certificate requests are";
    DEBUG "debug" "Look into pods with debugging containers" "debugging containers are";
    KUSTOMIZE "kustomize" "Build objects from a folder with a kustomization" "kustomize is";
    PROXY "proxy" "Offer the API on a local port" "kubectl proxy is";
}
