//! `kubectl kustomize`. Models `sigs.k8s.io/kustomize/kustomize/commands/build`.

use crate::programs::kubectl::{
    Cx, Error,
    flags::{Command, Flag, Parsed},
    kustomize,
};

/// `kubectl kustomize`
pub static COMMAND: Command = Command {
    name: "kustomize",
    usage: "kustomize DIR",
    short: "Build objects from a folder with a kustomization",
    long: "Build objects from a folder with a kustomization and print them.\n\nThe folder has a file \
           kustomization.yaml that names resources and what is to be changed of them. Without a \
           folder it is the one you are in.",
    examples: "# The folder you are in\nkubectl kustomize\n\n# Another folder\n\
               kubectl kustomize overlays/prod",
    flags: &[&[
        Flag::str(
            "load-restrictor",
            "LoadRestrictionsRootOnly",
            "Whether files must be in the folders of their kustomizations: \
             LoadRestrictionsRootOnly or LoadRestrictionsNone.",
        ),
        Flag::str("output", "", "A file to write to, instead of printing.").short("o"),
        Flag::bool("as-current-user", false, "Run functions as yourself. Not simulated."),
        Flag::bool("enable-alpha-plugins", false, "Run plugins. Not simulated."),
        Flag::bool("enable-helm", false, "Inflate charts. Not simulated."),
        Flag::array("env", "Variables of functions. Not simulated.").short("e"),
        Flag::array("helm-api-versions", "API versions for charts. Not simulated."),
        Flag::str("helm-command", "helm", "The program for charts. Not simulated."),
        Flag::bool("helm-debug", false, "Let helm tell more. Not simulated."),
        Flag::str("helm-kube-version", "", "Kubernetes' version for charts. Not simulated."),
        Flag::array("mount", "Files for functions. Not simulated."),
        Flag::bool("network", false, "Network for functions. Not simulated."),
        Flag::str("network-name", "bridge", "The network of functions. Not simulated."),
    ]],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    ..Command::EMPTY
};

/// Flags about what kustomize runs besides itself.
const PLUGINS: &[&str] = &[
    "as-current-user",
    "enable-alpha-plugins",
    "enable-helm",
    "env",
    "helm-api-versions",
    "helm-command",
    "helm-debug",
    "helm-kube-version",
    "mount",
    "network",
    "network-name",
];

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    if let Some(flag) = PLUGINS.iter().find(|flag| p.changed(flag)) {
        return Err(Error::plain(format!(
            "kustomize's plugins, functions and charts (--{flag}) are not simulated in this sandbox"
        )));
    }
    let folder = match p.args.as_slice() {
        [] => ".",
        [one] => one,
        _ => {
            return Err(Error::plain("specify one path to kustomization.yaml"));
        }
    };
    let within = match p.str("load-restrictor") {
        "LoadRestrictionsRootOnly" | "rootOnly" => true,
        "LoadRestrictionsNone" | "none" => false,
        other => {
            return Err(Error::plain(format!(
                "illegal flag value --load-restrictor {other}; legal values: \
                 [LoadRestrictionsRootOnly LoadRestrictionsNone]"
            )));
        }
    };
    let built = kustomize::build(&cx, folder, within)?;
    for warning in &built.warnings {
        cx.err(&format!("{warning}\n")).await;
    }
    match p.str("output") {
        "" => cx.out(&built.text()).await,
        path => {
            let written = cx.proc.write_file(path, built.text().as_bytes());
            written.map_err(|e| Error::plain(format!("open {path}: {e}")))?;
        }
    }
    Ok(())
}
