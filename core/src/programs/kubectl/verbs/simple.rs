//! Verbs that mostly say what the sandbox does not have: `top`, `explain`, `kustomize`, `debug`,
//! `proxy`, `certificate`, `autoscale`.

use crate::programs::kubectl::{
    Cx, Error,
    flags::{Command, Complete, Flag, Parsed},
    resources,
};

/// `kubectl top`
pub static TOP: Command = Command {
    name: "top",
    usage: "top",
    short: "Show what nodes and pods use",
    long: "Show how much processor and memory nodes and pods use.\n\nThis needs a metrics server in \
           the cluster.",
    subcommands: &[&TOP_NODE, &TOP_POD],
    ..Command::EMPTY
};

const TOP_FLAGS: &[Flag] = &[
    Flag::bool("no-headers", false, "Leave the headers out."),
    Flag::str("selector", "", "Only objects with these labels.").short("l"),
    Flag::str("sort-by", "", "Sort by cpu or memory."),
    Flag::bool("use-protocol-buffers", true, "Accepted for compatibility."),
];

static TOP_NODE: Command = Command {
    name: "node",
    aliases: &["nodes", "no"],
    usage: "node [NAME | -l label]",
    short: "Show what nodes use",
    examples: "# All nodes\nkubectl top node",
    flags: &[TOP_FLAGS],
    run: Some(|cx, p| Box::pin(top(cx, p))),
    complete: Complete::Names("nodes"),
    ..Command::EMPTY
};

static TOP_POD: Command = Command {
    name: "pod",
    aliases: &["pods", "po"],
    usage: "pod [NAME | -l label]",
    short: "Show what pods use",
    examples: "# All pods of the namespace\nkubectl top pod",
    flags: &[
        TOP_FLAGS,
        &[
            Flag::bool("all-namespaces", false, "In all namespaces.").short("A"),
            Flag::bool("containers", false, "Show containers."),
        ],
    ],
    run: Some(|cx, p| Box::pin(top(cx, p))),
    complete: Complete::Names("pods"),
    ..Command::EMPTY
};

async fn top(cx: Cx, p: Parsed) -> Result<(), Error> {
    let sort = p.str("sort-by");
    if !["", "cpu", "memory", "swap"].contains(&sort) {
        return Err(Error::plain("--sort-by accepts only cpu or memory"));
    }
    cx.connect(&p, 5)?;
    Err(Error::plain("Metrics API not available"))
}

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

/// `kubectl autoscale`
pub static AUTOSCALE: Command = Command {
    name: "autoscale",
    usage: "autoscale (-f FILENAME | TYPE NAME) [--min=MINPODS] --max=MAXPODS [--cpu=CPU]",
    short: "Let load decide how many pods there are",
    examples: "# Between two and ten. Not simulated\n\
               kubectl autoscale deployment web --min=2 --max=10",
    flags: &[&[
        Flag::str("cpu", "", "The use of processors to aim for."),
        Flag::int32("max", "-1", "At most so many pods."),
        Flag::int32("min", "-1", "At least so many pods."),
    ]],
    run: Some(|_, p| {
        Box::pin(async move {
            if !p.changed("max") {
                return Err(Error::plain("required flag(s) \"max\" not set"));
            }
            Err(Error::plain("autoscaling is not simulated in this sandbox"))
        })
    }),
    complete: Complete::Resources,
    ..Command::EMPTY
};

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
