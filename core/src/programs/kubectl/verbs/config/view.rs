//! `kubectl config view`.

use super::load;
use crate::api::base64;
use crate::programs::kubectl::{
    Cx, Error,
    flags::{Command, Flag, Parsed},
    kubeconfig::{CLUSTERS, Files, USERS},
    output,
};

pub(super) static VIEW: Command = Command {
    name: "view",
    usage: "view [flags]",
    short: "Show the kubeconfig in force",
    examples: "# All of it, secrets left out\nkubectl config view\n\n# The server of the context in force\n\
               kubectl config view --minify -o jsonpath={.clusters[0].cluster.server}",
    flags: &[
        &[
            Flag::bool("flatten", false, "Put the content of files in place of their paths."),
            Flag::bool("merge", true, "Merge all files in force."),
            Flag::bool("minify", false, "Only what the context in force uses."),
            Flag::bool("raw", false, "Show secrets too."),
        ],
        &[Flag::str("output", "yaml", output::USAGE).short("o")],
        output::FLAGS_BUT_OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    ..Command::EMPTY
};

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    if !p.args.is_empty() {
        let args = p.args.join(" ");
        return Err(Error::usage(&p.path, format_args!("unexpected arguments: [{args}]")));
    }
    let files = Files::of(&cx.proc, &p);
    if p.changed("merge") && !p.bool("merge") && !files.explicit {
        return Err(Error::plain("if merge==false a precise file must be specified"));
    }
    let (_, mut config) = load(&cx, &p)?;
    if p.bool("minify") {
        if !p.str("context").is_empty() {
            config.current_context = p.str("context").to_owned();
        }
        config.minify()?;
    }
    if p.bool("flatten") {
        flatten(&cx, &mut config)?;
    } else if !p.bool("raw") {
        config.redact();
    }
    let mut printer = output::Printer::new(&cx, &p, "yaml", "")?;
    printer.typed(true);
    cx.out(&printer.one(&config.to_value())?).await;
    Ok(())
}

fn flatten(
    cx: &Cx,
    config: &mut crate::programs::kubectl::kubeconfig::Config,
) -> Result<(), Error> {
    for (section, field) in
        [(CLUSTERS, "certificate-authority"), (USERS, "client-certificate"), (USERS, "client-key")]
    {
        let names: Vec<String> = config.sections[section].keys().cloned().collect();
        for name in names {
            let path = config.field(section, &name, field).to_owned();
            if path.is_empty() {
                continue;
            }
            let bytes = cx
                .proc
                .read_file(&path)
                .map_err(|_| Error::plain(format!("open {path}: no such file or directory")))?;
            config.set_field(section, &name, &format!("{field}-data"), base64::encode(&bytes));
            config.remove_field(section, &name, field);
        }
    }
    Ok(())
}
