//! `kubectl cp`. Models `k8s.io/kubectl/pkg/cmd/cp`, which needs a `tar` in the container.

use crate::programs::kubectl::{
    Cx, Error,
    flags::{Command, Complete, Flag, Parsed},
};

/// `kubectl cp`
pub static COMMAND: Command = Command {
    name: "cp",
    usage: "cp <file-spec-src> <file-spec-dest>",
    short: "Copy files to and from containers",
    examples: "# A file from here into the pod web. Not simulated\nkubectl cp page.html web:/www/",
    flags: &[&[
        Flag::str("container", "", "The container; the pod's first one without it.").short("c"),
        Flag::bool("no-preserve", false, "Do not keep owners and modes."),
        Flag::int("retries", "0", "How often to try again; negative: for ever."),
    ]],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    complete: Complete::Pods,
    ..Command::EMPTY
};

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    let [from, to] = p.args.as_slice() else {
        return Err(Error::plain("source and destination are required"));
    };
    // A path before the colon is a file of this machine, however it goes on.
    let remote =
        |spec: &str| spec.split_once(':').is_some_and(|(pod, _)| !pod.starts_with(['.', '/']));
    match (remote(from), remote(to)) {
        (true, true) => Err(Error::plain("one of src or dest must be a local file specification")),
        (false, false) => {
            Err(Error::plain("one of src or dest must be a remote file specification"))
        }
        _ => {
            cx.connect(&p, 0)?;
            Err(Error::plain("copying files is not simulated in this sandbox"))
        }
    }
}
