//! `kubectl exec`, `kubectl attach`. Model `k8s.io/kubectl/pkg/cmd/{exec,attach}`.

use crate::{
    client::ExecOptions,
    programs::kubectl::{
        Cx, Error,
        flags::{Command, Complete, Flag, Parsed},
        manifest, pods, stream,
    },
};

/// `kubectl exec`
pub static EXEC: Command = Command {
    name: "exec",
    usage: "exec (POD | TYPE/NAME) [-c CONTAINER] [flags] -- COMMAND [args...]",
    short: "Run a command in a container",
    examples: "# The date in the pod web\nkubectl exec web -- date\n\n\
               # A shell in it\nkubectl exec -it web -- sh\n\n\
               # In the first pod of a deployment\nkubectl exec deploy/web -- date",
    flags: &[
        &[
            Flag::str("container", "", "The container; the pod's first one without it.").short("c"),
            Flag::duration("pod-running-timeout", "1m0s", "How long to wait for a pod."),
            Flag::bool("quiet", false, "Only what the command prints.").short("q"),
            Flag::bool("stdin", false, "Pass standard input on.").short("i"),
            Flag::bool("tty", false, "Standard input is a terminal.").short("t"),
        ],
        manifest::FLAGS,
    ],
    run: Some(|cx, p| Box::pin(exec(cx, p))),
    complete: Complete::FirstPod,
    ..Command::EMPTY
};

async fn exec(cx: Cx, p: Parsed) -> Result<(), Error> {
    let (target, command) = match p.dash {
        None if p.args.len() > 1 => {
            return Err(Error::usage(
                &p.path,
                "exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND] instead",
            ));
        }
        None => (p.args.first(), &[][..]),
        Some(dash) => (p.args.first().filter(|_| dash > 0), p.args.get(dash..).unwrap_or_default()),
    };
    let Some(target) = target else {
        return Err(Error::plain("pod, type/name or --filename must be specified"));
    };
    if command.is_empty() {
        return Err(Error::plain("you must specify at least one command for the container"));
    }
    let conn = cx.connect(&p, 0)?;
    let (pod, _) = pods::resolve(&cx, &conn, target, p.duration("pod-running-timeout")).await?;
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
    let (stdin, mut tty) = (p.bool("stdin"), p.bool("tty"));
    if tty && cx.proc.tty().is_none() {
        cx.err("Unable to use a TTY - input is not a terminal or the right kind of file\n").await;
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

/// `kubectl attach`
pub static ATTACH: Command = Command {
    name: "attach",
    usage: "attach (POD | TYPE/NAME) -c CONTAINER",
    short: "Join the process that runs in a container",
    examples: "# What the pod web prints from now on\nkubectl attach web\n\n\
               # And type to it\nkubectl attach web -c web -i -t",
    flags: &[&[
        Flag::str("container", "", "The container; the pod's first one without it.").short("c"),
        Flag::duration("pod-running-timeout", "1m0s", "How long to wait for a pod."),
        Flag::bool("quiet", false, "Only what the process prints.").short("q"),
        Flag::bool("stdin", false, "Pass standard input on.").short("i"),
        Flag::bool("tty", false, "Standard input is a terminal.").short("t"),
    ]],
    run: Some(|cx, p| Box::pin(attach(cx, p))),
    complete: Complete::FirstPod,
    ..Command::EMPTY
};

async fn attach(cx: Cx, p: Parsed) -> Result<(), Error> {
    let target = match p.args.as_slice() {
        [] => {
            return Err(Error::usage(&p.path, "at least 1 argument is required for attach"));
        }
        [one] => one.clone(),
        [kind, name] => format!("{kind}/{name}"),
        _ => {
            let text = format!(
                "expected POD, TYPE/NAME, or TYPE NAME, (at most 2 arguments) saw {}: [{}]",
                p.args.len(),
                p.args.join(" ")
            );
            return Err(Error::usage(&p.path, text));
        }
    };
    let conn = cx.connect(&p, 0)?;
    let (pod, _) = pods::resolve(&cx, &conn, &target, p.duration("pod-running-timeout")).await?;
    join(&cx, &conn, &p, &pod, p.bool("stdin"), p.bool("tty")).await
}

/// Joins a pod's container, as `attach` and `run -i` do.
pub async fn join(
    cx: &Cx,
    conn: &crate::programs::kubectl::Conn,
    p: &Parsed,
    pod: &k8s_openapi::api::core::v1::Pod,
    stdin: bool,
    tty: bool,
) -> Result<(), Error> {
    let phase = pods::phase(pod);
    if ["Succeeded", "Failed"].contains(&phase) {
        return Err(Error::plain(format!(
            "cannot attach a container in a completed pod; current phase is {phase}"
        )));
    }
    let wanted = if p.has("container") { p.str("container") } else { "" };
    let (container, note) = pods::container(pod, wanted)?;
    if let Some(note) = note.filter(|_| !p.bool("quiet")) {
        cx.err(&note).await;
    }
    let tty = tty && cx.proc.tty().is_some();
    if stdin && tty && !p.bool("quiet") {
        cx.err(
            "All commands and output from this session will be recorded in container logs, \
             including credentials and sensitive information passed through the command prompt.\n\
             If you don't see a command prompt, try pressing enter.\n",
        )
        .await;
    }
    let options = ExecOptions {
        container: Some(container),
        stdin,
        tty: stream::size(cx, tty),
        ..ExecOptions::default()
    };
    let streams = conn
        .client
        .attach(pods::namespace(pod), pods::name(pod), &options)
        .map_err(stream::refused)?;
    stream::connect(cx, streams, tty).await;
    Ok(())
}
