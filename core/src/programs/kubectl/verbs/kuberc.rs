//! `kubectl kuberc`, `kubectl alpha`: what they are, and that they do nothing here.

use crate::programs::kubectl::{
    Cx, Error,
    flags::{Command, Flag, Parsed},
    output,
};

/// `kubectl kuberc`
pub static COMMAND: Command = Command {
    name: "kuberc",
    usage: "kuberc SUBCOMMAND",
    short: "Look at and change preferences for kubectl",
    long: "Look at and change the file with your preferences for kubectl: defaults of flags, and \
           aliases for commands.\n\nThe sandbox's kubectl has no preferences.",
    examples: "# What is preferred now\nkubectl kuberc view\n\n\
               # Wide output from now on\n\
               kubectl kuberc set --section defaults --command get --option output=wide",
    subcommands: &[&SET, &VIEW],
    ..Command::EMPTY
};

const FILE: Flag = Flag::str("kuberc", "", "The file with the preferences.");

static SET: Command = Command {
    name: "set",
    usage: "set --section (defaults|aliases) --command COMMAND",
    short: "Change a preference",
    long: "Change a preference. The sandbox's kubectl has none.",
    examples: "# Wide output from now on\n\
               kubectl kuberc set --section defaults --command get --option output=wide",
    flags: &[&[
        Flag::array("allowlist-entry", "A credential plugin that may be run."),
        Flag::array("appendarg", "An argument that an alias puts at the end."),
        Flag::str("command", "", "The command that the preference is about."),
        FILE,
        Flag::str("name", "", "The alias."),
        Flag::array("option", "A flag and its value: flag=value."),
        Flag::bool("overwrite", false, "Also change what is there already."),
        Flag::str("policy", "", "Which credential plugins may be run."),
        Flag::array("prependarg", "An argument that an alias puts at the beginning."),
        Flag::str("section", "", "What to change: defaults, aliases or credentialplugin."),
    ]],
    run: Some(|cx, p| Box::pin(set(cx, p))),
    ..Command::EMPTY
};

static VIEW: Command = Command {
    name: "view",
    usage: "view",
    short: "Show the preferences",
    long: "Show the file with the preferences. The sandbox's kubectl follows none.",
    examples: "# The file's content\nkubectl kuberc view",
    flags: &[
        &[FILE, Flag::str("output", "yaml", output::USAGE).short("o")],
        output::FLAGS_BUT_OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(view(cx, p))),
    ..Command::EMPTY
};

fn path(cx: &Cx, p: &Parsed) -> String {
    let home = cx.proc.env("HOME").unwrap_or_else(|| "/root".into());
    match p.str("kuberc") {
        "" => cx.proc.env("KUBERC").unwrap_or_else(|| format!("{home}/.kube/kuberc")),
        given => given.to_owned(),
    }
}

async fn view(cx: Cx, p: Parsed) -> Result<(), Error> {
    let path = path(&cx, &p);
    let Ok(text) = cx.proc.read_text(&path) else {
        return Err(Error::plain(format!("kuberc file not found at {path}")));
    };
    let value = crate::api::yaml::parse(&text).map_err(|e| Error::plain(e.to_string()))?;
    let mut printer = output::Printer::new(&cx, &p, "yaml", "")?;
    cx.out(&printer.one(&value)?).await;
    Ok(())
}

async fn set(_: Cx, _: Parsed) -> Result<(), Error> {
    Err(Error::plain("preferences (kuberc) are not simulated in this sandbox"))
}

/// `kubectl alpha`
pub static ALPHA: Command = Command {
    name: "alpha",
    usage: "alpha",
    short: "Commands for features in alpha",
    long: "Commands for features that are still tried out. This version has none.",
    examples: "# Is there any?\nkubectl alpha",
    hidden: true,
    run: Some(|cx, _| {
        Box::pin(async move {
            cx.err("No alpha commands are available in this version of kubectl\n").await;
            Ok(())
        })
    }),
    ..Command::EMPTY
};
