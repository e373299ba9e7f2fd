//! `kubectl config current-context | get-contexts | rename-context | use-context`.

use super::{exactly_or_help, load};
use crate::{
    api::gofmt::quote,
    programs::kubectl::{
        Cx, Error,
        flags::{Command, Complete, Flag, Parsed},
        kubeconfig::CONTEXTS,
        print::tabwriter::Tabwriter,
    },
};

pub(super) static CURRENT: Command = Command {
    name: "current-context",
    usage: "current-context [flags]",
    short: "Print the context in force",
    examples: "# Which context am I using?\nkubectl config current-context",
    run: Some(|cx, p| Box::pin(current(cx, p))),
    ..Command::EMPTY
};

async fn current(cx: Cx, p: Parsed) -> Result<(), Error> {
    let (_, config) = load(&cx, &p)?;
    if config.current_context.is_empty() {
        return Err(Error::plain("current-context is not set"));
    }
    cx.out(&format!("{}\n", config.current_context)).await;
    Ok(())
}

pub(super) static GET: Command = Command {
    name: "get-contexts",
    usage: "get-contexts [(-o|--output=)name)]",
    short: "List contexts",
    examples: "# All contexts\nkubectl config get-contexts\n\n# One of them\nkubectl config get-contexts minikube",
    flags: &[&[
        Flag::bool("no-headers", false, "Leave the headers out."),
        Flag::str("output", "", "'name' for names only.").short("o"),
    ]],
    run: Some(|cx, p| Box::pin(get(cx, p))),
    complete: Complete::Config("contexts"),
    ..Command::EMPTY
};

async fn get(cx: Cx, p: Parsed) -> Result<(), Error> {
    let output = p.str("output");
    if !["", "name"].contains(&output) {
        return Err(Error::plain(format!(
            "--output {output} is not available in kubectl \
             config get-contexts; resetting to default output format"
        )));
    }
    let (_, config) = load(&cx, &p)?;
    let mut names: Vec<String> = p.args.clone();
    if names.is_empty() {
        names = config.sections[CONTEXTS].keys().cloned().collect();
    }
    names.sort();
    let mut out = Tabwriter::table();
    if !p.bool("no-headers") && output.is_empty() {
        out.write("CURRENT\tNAME\tCLUSTER\tAUTHINFO\tNAMESPACE\n");
    }
    let mut errors = Vec::new();
    for name in &names {
        if !config.sections[CONTEXTS].contains_key(name) {
            errors.push(Error::plain(format!("context {name} not found")));
            continue;
        }
        if output == "name" {
            out.write(&format!("{name}\n"));
            continue;
        }
        let mark = if *name == config.current_context { "*" } else { "" };
        let field = |f| config.field(CONTEXTS, name, f);
        let (cluster, user, ns) = (field("cluster"), field("user"), field("namespace"));
        out.write(&format!("{mark}\t{name}\t{cluster}\t{user}\t{ns}\n"));
    }
    cx.out(&out.flush()).await;
    Error::collect(errors)
}

pub(super) static RENAME: Command = Command {
    name: "rename-context",
    usage: "rename-context CONTEXT_NAME NEW_NAME",
    short: "Give a context another name",
    examples: "# Call it home from now on\nkubectl config rename-context minikube home",
    run: Some(|cx, p| Box::pin(rename(cx, p))),
    complete: Complete::Config("contexts"),
    ..Command::EMPTY
};

async fn rename(cx: Cx, p: Parsed) -> Result<(), Error> {
    exactly_or_help(&cx, &p, 2).await?;
    let (old, new) = (&p.args[0], &p.args[1]);
    if new.is_empty() {
        return Err(Error::plain("You must specify a new non-empty context name"));
    }
    let (files, before) = load(&cx, &p)?;
    let file = files.default_file();
    let mut after = before.clone();
    let Some(entry) = after.sections[CONTEXTS].remove(old) else {
        return Err(Error::plain(format!(
            "cannot rename the context {}, it's not in {file}",
            quote(old)
        )));
    };
    if before.sections[CONTEXTS].contains_key(new) {
        return Err(Error::plain(format!(
            "cannot rename the context {}, the context {} already exists in {file}",
            quote(old),
            quote(new)
        )));
    }
    after.sections[CONTEXTS].insert(new.clone(), entry);
    if after.current_context == *old {
        after.current_context.clone_from(new);
    }
    files.save(&cx.proc, &before, &after)?;
    cx.out(&format!("Context {} renamed to {}.\n", quote(old), quote(new))).await;
    Ok(())
}

pub(super) static USE: Command = Command {
    name: "use-context",
    aliases: &["use"],
    usage: "use-context CONTEXT_NAME",
    short: "Choose the context in force",
    examples: "# Work with minikube from now on\nkubectl config use-context minikube",
    run: Some(|cx, p| Box::pin(use_context(cx, p))),
    complete: Complete::Config("contexts"),
    ..Command::EMPTY
};

async fn use_context(cx: Cx, p: Parsed) -> Result<(), Error> {
    exactly_or_help(&cx, &p, 1).await?;
    let name = &p.args[0];
    if name.is_empty() {
        return Err(Error::plain("empty context names are not allowed"));
    }
    let (files, before) = load(&cx, &p)?;
    if !before.sections[CONTEXTS].contains_key(name) {
        return Err(Error::plain(format!("no context exists with the name: {}", quote(name))));
    }
    let mut after = before.clone();
    after.current_context.clone_from(name);
    files.save(&cx.proc, &before, &after)?;
    cx.out(&format!("Switched to context {}.\n", quote(name))).await;
    Ok(())
}
