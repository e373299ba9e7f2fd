//! `kubectl plugin`, and the running of programs named `kubectl-…`. Models
//! `k8s.io/kubectl/pkg/cmd/{cmd.go,plugin}`.

use std::collections::BTreeMap;

use super::ROOT;
use crate::{
    api::gofmt::quote,
    machine::Command as Spawn,
    programs::kubectl::{
        Cx, Error,
        flags::{Command, Flag, Parsed, find, help::PLUGINS},
    },
};

/// `kubectl plugin`
pub static COMMAND: Command = Command {
    name: "plugin",
    usage: "plugin [flags]",
    short: "Show which programs extend kubectl",
    long: "Show which programs extend kubectl.\n\nA program on the PATH whose name begins with \
           kubectl- is run as a subcommand: kubectl-hello is kubectl hello.",
    examples: "# All of them\nkubectl plugin list\n\n# Without folders\nkubectl plugin list --name-only",
    subcommands: &[&LIST],
    ..Command::EMPTY
};

static LIST: Command = Command {
    name: "list",
    usage: "list [flags]",
    short: "List the plugins on the PATH",
    long: "List the plugins on the PATH.\n\nA plugin is a file that may be executed and whose name \
           begins with kubectl-.",
    examples: "# All of them\nkubectl plugin list\n\n# Without folders\nkubectl plugin list --name-only",
    flags: &[&[Flag::bool("name-only", false, "Only the files' names, without their folders.")]],
    run: Some(|cx, p| Box::pin(list(cx, p))),
    ..Command::EMPTY
};

/// Folders of the PATH, each once.
fn folders(cx: &Cx) -> Vec<String> {
    let path = cx.proc.env("PATH").unwrap_or_default();
    let mut out: Vec<String> = Vec::new();
    for folder in path.split(':').filter(|f| !f.trim().is_empty()) {
        if !out.iter().any(|f| f == folder) {
            out.push(folder.to_owned());
        }
    }
    out
}

async fn list(cx: Cx, p: Parsed) -> Result<(), Error> {
    let mut found: Vec<String> = Vec::new();
    for folder in folders(&cx) {
        let entries = match cx.proc.list(&folder) {
            Ok(entries) => entries,
            Err(error) => {
                let why = format!("open {folder}: {}", error.to_string().to_lowercase());
                let folder = quote(&folder);
                cx.err(&format!(
                    "Unable to read directory {folder} from your PATH: {why}. Skipping...\n"
                ))
                .await;
                continue;
            }
        };
        let folder = folder.trim_end_matches('/');
        let plugin = |name: &str, dir: bool| !dir && name.starts_with("kubectl-");
        let names = entries.iter().filter(|(name, node)| plugin(name, node.is_dir()));
        found.extend(names.map(|(name, _)| format!("{folder}/{name}")));
    }
    if found.is_empty() {
        return Err(Error::plain("unable to find any kubectl plugins in your PATH"));
    }
    cx.out("The following compatible plugins are available:\n\n").await;
    let (mut seen, mut warnings): (BTreeMap<String, String>, _) = (BTreeMap::new(), 0);
    for path in found {
        let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
        cx.out(&format!("{}\n", if p.bool("name-only") { &name } else { &path })).await;
        for warning in faults(&cx, &path, &name, &mut seen) {
            cx.err(&format!("  - warning: {warning}\n")).await;
            warnings += 1;
        }
    }
    match warnings {
        0 => Ok(()),
        1 => Err(Error::plain("one plugin warning was found")),
        n => Err(Error::plain(format!("{n} plugin warnings were found"))),
    }
}

/// The root's help with the plugins that there are in their place.
pub fn listed(cx: &Cx, text: &str) -> String {
    let Some((before, after)) = text.split_once(PLUGINS) else { return text.to_owned() };
    let mut names: Vec<String> = Vec::new();
    for folder in folders(cx) {
        for (name, node) in cx.proc.list(&folder).unwrap_or_default() {
            let Some(name) = name.strip_prefix("kubectl-").filter(|_| !node.is_dir()) else {
                continue;
            };
            let first = name.split('-').next().unwrap_or(name).replace('_', "-");
            if !names.contains(&first) && ROOT.subcommand(&first).is_none() {
                names.push(first);
            }
        }
    }
    let line =
        |n: &String| format!("\n  {n:13}   The command {n} is a plugin installed by the user");
    let lines: String = names.iter().map(line).collect();
    format!("{before}{PLUGINS}{lines}{after}")
}

/// What is wrong with a plugin.
fn faults(cx: &Cx, path: &str, name: &str, seen: &mut BTreeMap<String, String>) -> Vec<String> {
    let mut out = Vec::new();
    if !cx.proc.stat(path).is_ok_and(|node| node.mode & 0o111 != 0) {
        out.push(format!("{path} identified as a kubectl plugin, but it is not executable"));
    }
    match seen.get(name) {
        Some(first) => {
            out.push(format!("{path} is overshadowed by a similarly named plugin: {first}"));
        }
        None => drop(seen.insert(name.to_owned(), path.to_owned())),
    }
    let words: Vec<String> = name.split('-').skip(1).map(String::from).collect();
    if let Ok(found) = find::find(&ROOT, &[super::GLOBAL], &words) {
        let command = quote(&found.path());
        out.push(format!("{name} overwrites existing command: {command}"));
    }
    out
}

/// Where a new `create` subcommand may come from: only there plugins extend a verb that exists.
const EXTENDED: &[&str] = &["create"];

/// Runs the plugin that a command line names, if there is one and kubectl itself does not know the
/// command; its exit code. Models `HandlePluginCommand`: the longest name wins.
pub async fn run(cx: &Cx, args: &[String]) -> Option<i32> {
    let words: Vec<&String> = args.iter().take_while(|a| !a.starts_with('-')).collect();
    let first = words.first()?;
    match ROOT.subcommand(first) {
        None if **first == "help" || first.starts_with("__complete") => return None,
        None => {}
        Some(verb) => {
            let sub = words.get(1)?;
            if !EXTENDED.contains(&verb.name) || verb.subcommand(sub).is_some() {
                return None;
            }
        }
    }
    for count in (1..=words.len()).rev() {
        let name: Vec<String> = words.iter().take(count).map(|w| w.replace('-', "_")).collect();
        let name = format!("kubectl-{}", name.join("-"));
        let env = cx.proc.env_all();
        let found = cx.proc.machine().find_command(&name, &env, &cx.proc.cwd(), cx.proc.who()).ok();
        let Some(path) = found else {
            // Only for a new command: an extended verb needs both words.
            if ROOT.subcommand(first).is_some() && count <= 2 {
                return None;
            }
            continue;
        };
        let mut argv = vec![path];
        argv.extend(args.get(count..).unwrap_or_default().iter().cloned());
        return match cx.proc.spawn(Spawn::new(argv)) {
            Ok(child) => Some(child.wait().await.code()),
            Err(error) => {
                cx.err(&Error::plain(format!("{error}")).text()).await;
                Some(1)
            }
        };
    }
    None
}
