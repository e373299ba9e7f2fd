//! `kubectl exec`. Models `k8s.io/kubectl/pkg/cmd/exec`.

use crate::{
    client::ExecOptions,
    programs::kubectl::{
        Conn, Cx, Error,
        flags::{Command, Complete, Flag, Parsed},
        manifest, pods, stream,
    },
};

/// `kubectl exec`
pub static COMMAND: Command = Command {
    name: "exec",
    usage: "exec (POD | TYPE/NAME) [-c CONTAINER] [flags] -- COMMAND [args...]",
    short: "Run a command in a container",
    long: "Run a command in a container.",
    examples: "# The date in the pod web\nkubectl exec web -- date\n\n\
               # A shell in it\nkubectl exec -it web -- sh\n\n\
               # In a certain container\nkubectl exec web -c sidecar -- ls /tmp\n\n\
               # In the first pod of a deployment\nkubectl exec deploy/web -- date",
    flags: &[&[
        Flag::str("container", "", "The container; without it the pod's default one.").short("c"),
        manifest::FILENAME,
        Flag::duration("pod-running-timeout", "1m0s", "How long to wait for a pod."),
        Flag::bool("quiet", false, "Only what the command prints.").short("q"),
        Flag::bool("stdin", false, "Pass standard input on.").short("i"),
        Flag::bool("tty", false, "Standard input is a terminal.").short("t"),
    ]],
    run: Some(|cx, p| Box::pin(exec(cx, p))),
    complete: Complete::FirstPod,
    ..Command::EMPTY
};

async fn exec(cx: Cx, p: Parsed) -> Result<(), Error> {
    let files = manifest::given(&p);
    let (target, command) = match p.dash {
        Some(dash @ (0 | 1)) => {
            (p.args.first().filter(|_| dash == 1), p.args.get(dash..).unwrap_or_default())
        }
        _ if p.args.len() > 1 || (!p.args.is_empty() && files) => {
            return Err(Error::usage(
                &p.path,
                "exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND] instead",
            ));
        }
        _ => (p.args.first(), &[][..]),
    };
    if target.is_none() && !files {
        return Err(Error::plain("pod, type/name or --filename must be specified"));
    }
    if command.is_empty() {
        return Err(Error::plain("you must specify at least one command for the container"));
    }
    if p.duration("pod-running-timeout") <= 0 {
        return Err(Error::usage(&p.path, "--pod-running-timeout must be higher than zero"));
    }
    let conn = cx.connect(&p, 0)?;
    let target = match target {
        Some(target) => target.clone(),
        None => from_file(&cx, &conn, &p).await?,
    };
    let (pod, _) = pods::resolve(&cx, &conn, &target, p.duration("pod-running-timeout")).await?;
    let phase = pods::phase(&pod);
    if ["Succeeded", "Failed"].contains(&phase) {
        return Err(Error::plain(format!(
            "cannot exec into a container in a completed pod; current phase is {phase}"
        )));
    }
    let (container, note) = pods::container(&pod, p.str("container"))?;
    if let Some(note) = note.filter(|_| !p.bool("quiet")) {
        cx.err(&note).await;
    }
    let stdin = p.bool("stdin");
    let mut tty = p.bool("tty") && stdin;
    if tty && cx.proc.tty().is_none() {
        if !p.bool("quiet") {
            let text = "Unable to use a TTY - input is not a terminal or the right kind of file\n";
            cx.err(text).await;
        }
        tty = false;
    }
    let options = ExecOptions {
        container: Some(container),
        command: command.to_vec(),
        stdin,
        tty: stream::size(&cx, tty),
    };
    let streams = conn
        .client
        .exec(pods::namespace(&pod), pods::name(&pod), &options)
        .map_err(stream::refused)?;
    stream::outcome(stream::connect(&cx, streams, tty).await)
}

/// The one object that `-f` names, as `TYPE/NAME`.
async fn from_file(cx: &Cx, conn: &Conn, p: &Parsed) -> Result<String, Error> {
    let (found, error) = manifest::read(cx, conn, p, false).await;
    if let Some(error) = error {
        return Err(error);
    }
    match found.as_slice() {
        [one] => Ok(format!("{}/{}", one.kind.resource(), one.name())),
        _ => Err(Error::plain("cannot exec into multiple objects at a time")),
    }
}
