//! `kubectl __complete`: what shells are offered that read a completion script.
//!
//! Models the protocol of `cobra` (`completions.go`) and `kubectl/pkg/util/completion`: one offer a
//! line, a tab and a sentence behind it, then `:` and a number that says how to go on. The
//! sandbox's own shell asks [`super::complete`] instead.

use super::{
    Cx, complete,
    flags::{
        Command, Complete, Flag, Parsed, Type,
        find::{self, Found},
    },
    kubeconfig, output, verbs,
};

/// The shell decides, and mostly offers files.
const DEFAULT: u8 = 0;
/// No blank behind the only offer.
const NO_SPACE: u8 = 2;
/// No files instead.
const NO_FILES: u8 = 4;
/// Files with these endings.
const FILE_ENDS: u8 = 8;

/// The names of the bits, in their order.
const NAMES: &[(u8, &str)] = &[
    (NO_SPACE, "ShellCompDirectiveNoSpace"),
    (NO_FILES, "ShellCompDirectiveNoFileComp"),
    (FILE_ENDS, "ShellCompDirectiveFilterFileExt"),
];

/// Types that verbs offer which do not work on all.
const TYPES: &[(&str, &[&str])] = &[
    ("autoscale", &["deployment", "replicaset", "replicationcontroller", "statefulset"]),
    ("expose", &["pod", "service", "replicationcontroller", "deployment", "replicaset"]),
    ("history", &["deployment", "daemonset", "statefulset"]),
    (
        "image",
        &[
            "daemonsets",
            "deployments",
            "pods",
            "cronjobs",
            "replicasets",
            "replicationcontrollers",
            "statefulsets",
        ],
    ),
    ("pause", &["deployment"]),
    ("restart", &["deployment", "daemonset", "statefulset"]),
    ("resume", &["deployment"]),
    ("scale", &["deployment", "replicaset", "replicationcontroller", "statefulset"]),
    ("status", &["deployment", "daemonset", "statefulset"]),
    ("taint", &["node"]),
    ("undo", &["deployment", "daemonset", "statefulset"]),
];

/// Verbs that take one name only.
const ONCE: &[&str] = &["image", "status"];

/// Verbs about whose arguments kubectl offers nothing itself.
const SILENT: &[&str] = &[
    "approve",
    "debug",
    "deny",
    "env",
    "explain",
    "resources",
    "selector",
    "serviceaccount",
    "set-cluster",
    "set-credentials",
    "subject",
    "wait",
];

/// Types that have pods, as they are offered before a slash.
const WITH_PODS: &[&str] = &[
    "daemonsets",
    "deployments",
    "pods",
    "jobs",
    "replicasets",
    "replicationcontrollers",
    "services",
    "statefulsets",
];

/// What is offered, and how to go on.
struct Offers {
    list: Vec<(String, &'static str)>,
    directive: u8,
}

impl Offers {
    fn new(list: Vec<String>, directive: u8) -> Offers {
        Offers { list: list.into_iter().map(|text| (text, "")).collect(), directive }
    }

    /// Those that begin with a word.
    fn beginning(all: impl IntoIterator<Item = String>, word: &str, directive: u8) -> Offers {
        Offers::new(all.into_iter().filter(|text| text.starts_with(word)).collect(), directive)
    }
}

/// Answers `kubectl __complete WORD…`; without descriptions for `__completeNoDesc`.
pub async fn run(cx: &Cx, words: &[String], described: bool) -> i32 {
    let (word, before) = words.split_last().map_or(("", &[][..]), |(w, b)| (w.as_str(), b));
    let offers = match find::find(&verbs::ROOT, &[verbs::GLOBAL], before) {
        _ if before.first().is_some_and(|first| first == "help") => {
            helped(before.get(1..).unwrap_or_default(), word)
        }
        Ok(found) => offers(cx, &found, before, word),
        Err(_) => {
            cx.err(&format!(
                "[Debug] Cleared global flags for plugin completion\n[Debug] [Error] unable to find \
                 a command for arguments: [{}]\n",
                before.join(" ")
            ))
            .await;
            Offers::new(Vec::new(), DEFAULT)
        }
    };
    let mut text = String::new();
    for (offer, sentence) in &offers.list {
        text.push_str(offer);
        if described && !sentence.is_empty() {
            text.push_str(&format!("\t{sentence}"));
        }
        text.push('\n');
    }
    cx.out(&format!("{text}:{}\n", offers.directive)).await;
    let bits = NAMES.iter().filter(|(bit, _)| offers.directive & bit != 0);
    let names: Vec<&str> = bits.map(|(_, name)| *name).collect();
    let names =
        if names.is_empty() { "ShellCompDirectiveDefault".to_owned() } else { names.join(", ") };
    cx.err(&format!("Completion ended with directive: {names}\n")).await;
    0
}

fn offers(cx: &Cx, found: &Found, before: &[String], word: &str) -> Offers {
    let command = found.command();
    let all: Vec<&Flag> = command.own_flags().chain(verbs::GLOBAL).collect();
    let read = |args: &[String]| {
        Parsed::read(&found.path(), command.own_flags().chain(verbs::GLOBAL), args)
    };
    // A line that ends with a flag that still needs its value can't be read without it.
    let shorter = found.args.len().saturating_sub(1);
    let parsed = read(&found.args).or_else(|_| read(found.args.get(..shorter).unwrap_or_default()));
    let Ok(parsed) = parsed else { return Offers::new(Vec::new(), DEFAULT) };
    if before.iter().any(|arg| arg == "--") {
        return Offers::new(Vec::new(), DEFAULT);
    }
    if let Some((flag, typed)) = flag_in_hand(&all, before.last(), word) {
        return values(cx, &parsed, command, flag, typed);
    }
    if word.starts_with('-') && !word.contains('=') {
        return flags(command, &parsed, word);
    }
    if parsed.args.is_empty() && !command.subcommands.is_empty() {
        let list = subcommands(command, word);
        if !list.is_empty() || command.run.is_none() {
            return Offers { list, directive: NO_FILES };
        }
    }
    arguments(cx, &parsed, command, word)
}

fn subcommands(command: &Command, word: &str) -> Vec<(String, &'static str)> {
    let shown = command.subcommands.iter().filter(|c| !c.hidden && c.name.starts_with(word));
    let mut list: Vec<_> = shown.map(|c| (c.name.to_owned(), c.short)).collect();
    if command.name == verbs::ROOT.name && "help".starts_with(word) {
        list.push(("help".into(), "Help about any command"));
    }
    list.sort();
    list
}

/// `help`: commands below what was named.
fn helped(before: &[String], word: &str) -> Offers {
    let list = match find::find(&verbs::ROOT, &[], before) {
        Ok(found) => subcommands(found.command(), word),
        Err(_) => Vec::new(),
    };
    Offers { list, directive: NO_FILES }
}

/// The flag whose value is being typed, and what of it is there.
fn flag_in_hand<'a, 'w>(
    all: &[&'a Flag],
    before: Option<&String>,
    word: &'w str,
) -> Option<(&'a Flag, &'w str)> {
    let long = |name: &str| all.iter().find(|flag| flag.name == name).copied();
    let short =
        |letter: &str| all.iter().find(|f| !f.short.is_empty() && f.short == letter).copied();
    if let Some((name, typed)) = word.split_once('=').filter(|_| word.starts_with('-')) {
        let flag = match name.strip_prefix("--") {
            Some(name) => long(name),
            None => short(name.get(name.len().saturating_sub(1)..).unwrap_or("")),
        };
        return flag.map(|flag| (flag, typed));
    }
    let before = before.filter(|arg| !arg.contains('=') && !word.starts_with('-'))?;
    let flag = match (before.strip_prefix("--"), before.strip_prefix('-')) {
        (Some(name), _) => long(name)?,
        (None, Some(letters)) => short(letters.chars().last()?.to_string().as_str())?,
        _ => return None,
    };
    flag.bare.is_empty().then_some((flag, word))
}

fn values(cx: &Cx, p: &Parsed, command: &Command, flag: &Flag, word: &str) -> Offers {
    let own = |section: usize| complete::entries(cx, p, section);
    let list = match flag.name {
        "namespace" => complete::names(cx, p, "namespaces"),
        "context" => own(kubeconfig::CONTEXTS),
        "cluster" => own(kubeconfig::CLUSTERS),
        "user" => own(kubeconfig::USERS),
        "container" if command.name == "exec" => complete::containers(cx, p),
        "output" if command.name == "get" => {
            output::formats_of_get().into_iter().map(str::to_owned).collect()
        }
        "clusterrole" if command.name == "clusterrolebinding" => {
            complete::names(cx, p, "clusterroles")
        }
        "subresource" => ["status", "scale", "resize"].map(String::from).to_vec(),
        "filename" => {
            let ends = ["json", "yaml", "yml"].map(String::from).to_vec();
            return Offers::new(ends, FILE_ENDS);
        }
        _ => return Offers::new(Vec::new(), DEFAULT),
    };
    Offers::beginning(list, word, NO_FILES)
}

/// Names of flags: those that are required first, and alone.
fn flags(command: &Command, p: &Parsed, word: &str) -> Offers {
    let forms = |flag: &'static Flag| {
        let long = format!("--{}", flag.name);
        let short = format!("-{}", flag.short);
        let mut list = Vec::new();
        if long.starts_with(word) {
            list.push((long, flag.usage));
        }
        if !flag.short.is_empty() && short.starts_with(word) {
            list.push((short, flag.usage));
        }
        list
    };
    let sorted = |flags: Vec<&'static Flag>| {
        let mut flags = flags;
        flags.sort_by_key(|flag| flag.name);
        flags.dedup_by_key(|flag| flag.name);
        flags
    };
    let own = sorted(command.own_flags().collect());
    let required = own.iter().filter(|flag| flag.required && !p.changed(flag.name));
    let mut list: Vec<_> = required.flat_map(|flag| forms(flag)).collect();
    if list.is_empty() {
        let again = |flag: &&&'static Flag| {
            !flag.hidden
                && (!p.changed(flag.name) || matches!(flag.kind, Type::Array | Type::Slice))
        };
        let global = sorted(verbs::GLOBAL.iter().collect());
        let global: Vec<_> =
            global.into_iter().filter(|flag| !own.iter().any(|o| o.name == flag.name)).collect();
        list.extend(global.iter().chain(&own).filter(again).flat_map(|flag| forms(flag)));
    }
    Offers { list, directive: NO_FILES }
}

fn arguments(cx: &Cx, p: &Parsed, command: &Command, word: &str) -> Offers {
    if SILENT.contains(&command.name) {
        return Offers::new(Vec::new(), DEFAULT);
    }
    match command.complete {
        Complete::Nothing => Offers::new(Vec::new(), DEFAULT),
        Complete::Words(words) => {
            Offers::beginning(words.iter().map(|w| (*w).to_owned()), word, NO_FILES)
        }
        Complete::Config(section) => {
            let index = ["clusters", "contexts", "users"].iter().position(|s| *s == section);
            let list = match p.args.is_empty() {
                true => complete::entries(cx, p, index.unwrap_or(kubeconfig::CONTEXTS)),
                false => Vec::new(),
            };
            Offers::beginning(list, word, NO_FILES)
        }
        Complete::Names("nodes") if command.name == "taint" => resources(cx, p, command, word),
        Complete::Names(_) if !p.args.is_empty() => Offers::new(Vec::new(), NO_FILES),
        Complete::Names(resource) => {
            Offers::beginning(complete::names(cx, p, resource), word, NO_FILES)
        }
        Complete::Resources => resources(cx, p, command, word),
        Complete::Pods if p.args.len() == 1 && command.name == "logs" => {
            Offers::beginning(complete::containers(cx, p), word, NO_FILES)
        }
        Complete::Pods | Complete::FirstPod if !p.args.is_empty() => {
            Offers::new(Vec::new(), NO_FILES)
        }
        Complete::Pods | Complete::FirstPod => pods(cx, p, word),
    }
}

fn pods(cx: &Cx, p: &Parsed, word: &str) -> Offers {
    if let Some((kind, name)) = word.split_once('/') {
        return slashed(cx, p, kind, name);
    }
    let mut offers = Offers::beginning(complete::names(cx, p, "pods"), word, NO_FILES);
    if offers.list.is_empty() {
        offers.directive |= NO_SPACE;
    }
    let kinds = WITH_PODS.iter().filter(|kind| kind.starts_with(word));
    offers.list.extend(kinds.map(|kind| (format!("{kind}/"), "")));
    offers
}

/// `TYPE/NAME`, without what is there already.
fn slashed(cx: &Cx, p: &Parsed, kind: &str, name: &str) -> Offers {
    let names = complete::names(cx, p, kind).into_iter().filter(|n| n.starts_with(name));
    let list = names.map(|n| format!("{kind}/{n}")).filter(|n| !p.args.contains(n)).collect();
    Offers::new(list, NO_FILES)
}

/// Types first, then names. Models `resourceTypeAndNameCompletionFunc`.
fn resources(cx: &Cx, p: &Parsed, command: &Command, word: &str) -> Offers {
    let allowed = TYPES.iter().find(|(verb, _)| *verb == command.name).map(|(_, types)| *types);
    let repeat = !ONCE.contains(&command.name);
    if let Some(kind) = p.args.first().filter(|first| !first.contains('/')) {
        let list = match repeat || p.args.len() == 1 {
            true => complete::names(cx, p, kind),
            false => Vec::new(),
        };
        return Offers::beginning(list, word, NO_FILES);
    }
    if let Some((kind, name)) = word.split_once('/') {
        return match repeat || p.args.is_empty() {
            true => slashed(cx, p, kind, name),
            false => Offers::new(Vec::new(), NO_FILES),
        };
    }
    // Several types stand behind one another.
    let (head, last) = word.rsplit_once(',').map_or(("", word), |(h, l)| (h, l));
    let types: Vec<String> = match allowed {
        Some(types) => types.iter().map(|t| (*t).to_owned()).collect(),
        None => complete::types(cx, p),
    };
    let types = types.into_iter().filter(|t| t.starts_with(last));
    if p.args.is_empty() {
        let whole = |t: String| if head.is_empty() { t } else { format!("{head},{t}") };
        return Offers::new(types.map(whole).collect(), NO_FILES);
    }
    let list = if repeat { types.map(|t| format!("{t}/")).collect() } else { Vec::new() };
    Offers::new(list, NO_FILES | NO_SPACE)
}
