//! `kubectl attach`, and joining a container as `run` and `debug` do it. Models
//! `k8s.io/kubectl/pkg/cmd/attach`.

use k8s_openapi::api::core::v1::Pod;

use crate::{
    client::ExecOptions,
    programs::kubectl::{
        Conn, Cx, Error,
        flags::{Command, Complete, Flag, Parsed},
        pods,
        stream::{self, Detach},
    },
};

/// `--detach-keys`.
pub const DETACH_KEYS: Flag = Flag::str(
    "detach-keys",
    "ctrl-p,ctrl-q",
    "The keys that leave the container without ending what runs in it.",
);

/// `kubectl attach`
pub static COMMAND: Command = Command {
    name: "attach",
    usage: "attach (POD | TYPE/NAME) -c CONTAINER",
    short: "Join the process that runs in a container",
    long: "Join the process that runs in a container: see what it prints, and type to it.",
    examples: "# What the pod web prints from now on\nkubectl attach web\n\n\
               # And type to it\nkubectl attach web -c web -i -t\n\n\
               # The first pod of a replica set\nkubectl attach rs/web",
    flags: &[&[
        Flag::str("container", "", "The container; without it the pod's default one.").short("c"),
        DETACH_KEYS,
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
        [] => return Err(Error::plain("at least 1 argument is required for attach")),
        [one] => one.clone(),
        [kind, name] => format!("{kind}/{name}"),
        many => {
            return Err(Error::plain(format!(
                "expected POD, TYPE/NAME, or TYPE NAME, (at most 2 arguments) saw {}: [{}]",
                many.len(),
                many.join(" ")
            )));
        }
    };
    if p.duration("pod-running-timeout") <= 0 {
        return Err(Error::usage(&p.path, "--pod-running-timeout must be higher than zero"));
    }
    let conn = cx.connect(&p, 0)?;
    let (pod, _) = pods::resolve(&cx, &conn, &target, p.duration("pod-running-timeout")).await?;
    let phase = pods::phase(&pod);
    if ["Succeeded", "Failed"].contains(&phase) {
        return Err(Error::plain(format!(
            "cannot attach a container in a completed pod; current phase is {phase}"
        )));
    }
    let join = Join { command: "kubectl attach", ..Join::of(&p) };
    join.run(&cx, &conn, &pod).await
}

/// How a container is joined.
pub struct Join<'a> {
    /// What its user would type to come back.
    pub command: &'a str,
    /// The container; empty: the pod's default one.
    pub container: &'a str,
    /// Whether input is passed on.
    pub stdin: bool,
    /// Whether a terminal is wanted.
    pub tty: bool,
    /// Whether nothing but the container's output is printed.
    pub quiet: bool,
    /// The keys that leave it.
    pub detach: &'a str,
}

impl<'a> Join<'a> {
    /// As a verb's flags say.
    pub fn of(p: &'a Parsed) -> Join<'a> {
        Join {
            command: "kubectl attach",
            container: if p.has("container") { p.str("container") } else { "" },
            stdin: p.bool("stdin"),
            tty: p.bool("tty"),
            quiet: p.bool("quiet"),
            detach: if p.has("detach-keys") { p.str("detach-keys") } else { "" },
        }
    }

    /// Joins a container of the pod until it ends or the user leaves it.
    pub async fn run(&self, cx: &Cx, conn: &Conn, pod: &Pod) -> Result<(), Error> {
        let (container, note) = pods::container(pod, self.container)
            .map_err(|e| e.about("cannot attach to the container"))?;
        if let Some(note) = note.filter(|_| !self.quiet) {
            cx.err(&note).await;
        }
        let raw = self.terminal(cx, pod, &container).await;
        if !self.quiet {
            cx.err(
                "All commands and output from this session will be recorded in container logs, \
                 including credentials and sensitive information passed through the command \
                 prompt.\nIf you don't see a command prompt, try pressing enter.\n",
            )
            .await;
        }
        let detach = match self.stdin && raw {
            true => Detach::parse(self.detach)
                .map_err(|e| Error::plain(format!("could not bind detach keys: {e}")))?,
            false => Detach::never(),
        };
        let options = ExecOptions {
            container: Some(container.clone()),
            stdin: self.stdin,
            tty: stream::size(cx, raw),
            ..ExecOptions::default()
        };
        let (namespace, name) = (pods::namespace(pod), pods::name(pod));
        let streams = conn.client.attach(namespace, name, &options).map_err(stream::refused)?;
        stream::attach(cx, streams, raw, detach).await;
        if self.quiet || !self.stdin || !raw {
            return Ok(());
        }
        let again = format!("'{} {name} -c {container} -n {namespace} -i -t'", self.command);
        cx.out(&match pods::is_ephemeral(pod, &container) {
            true => format!(
                "Session ended, the ephemeral container will not be restarted but may be reattached \
                 using {again} if it is still running\n"
            ),
            false => format!("Session ended, resume using {again} command\n"),
        })
        .await;
        Ok(())
    }

    /// Whether this session has a terminal: one must be wanted or be there already, and both sides
    /// must have one.
    async fn terminal(&self, cx: &Cx, pod: &Pod, container: &str) -> bool {
        let has = pods::has_terminal(pod, container);
        if self.tty && !has && !self.quiet {
            let text = format!(
                "error: Unable to use a TTY - container {container} did not allocate one\n"
            );
            cx.err(&text).await;
        }
        if !has || !self.stdin {
            return false;
        }
        if cx.proc.tty().is_none() {
            if !self.quiet {
                let text =
                    "Unable to use a TTY - input is not a terminal or the right kind of file\n";
                cx.err(text).await;
            }
            return false;
        }
        true
    }
}
