//! `kubectl kuberc view | set`, `kubectl alpha`. Models `k8s.io/kubectl/pkg/cmd/kuberc`.

use serde_json::{Value, json};

use crate::{
    api::{gofmt::quote, yaml},
    programs::kubectl::{
        Cx, Error,
        flags::{Command, Flag, Parsed},
        output,
        preferences::{self, Fault},
    },
};

/// `kubectl kuberc`
pub static COMMAND: Command = Command {
    name: "kuberc",
    usage: "kuberc SUBCOMMAND",
    short: "Look at and change preferences for kubectl",
    long: "Look at and change the file with your preferences for kubectl: defaults of flags, and \
           aliases for commands. It is ~/.kube/kuberc unless --kuberc or $KUBERC names another.",
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
    examples: "# Wide output from now on\n\
               kubectl kuberc set --section defaults --command get --option output=wide\n\n\
               # kubectl getdbs lists the databases\n\
               kubectl kuberc set --section aliases --name getdbs --command get \
               --prependarg pods --option selector=what=database",
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
        Flag::str("section", "", "What to change: defaults, aliases or credentialplugin.")
            .required(),
    ]],
    run: Some(|cx, p| Box::pin(set(cx, p))),
    ..Command::EMPTY
};

static VIEW: Command = Command {
    name: "view",
    usage: "view",
    short: "Show the preferences",
    examples: "# The file's content\nkubectl kuberc view",
    flags: &[
        &[FILE, Flag::str("output", "yaml", output::USAGE).short("o")],
        output::FLAGS_BUT_OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(view(cx, p))),
    ..Command::EMPTY
};

/// The preferences of a file; `None` if it is not there.
fn load(cx: &Cx, path: &str) -> Result<Option<Value>, Error> {
    match preferences::read(cx, path) {
        Ok(Value::Null) | Err(Fault::Missing(_)) => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(fault) => Err(Error::plain(format!("error reading kuberc file: {fault}"))),
    }
}

async fn view(cx: Cx, p: Parsed) -> Result<(), Error> {
    let (path, explicit) =
        preferences::file(&cx, p.str("kuberc")).unwrap_or((String::new(), false));
    let Some(mut value) = load(&cx, &path)? else {
        if explicit {
            return Err(Error::plain(format!("kuberc file not found at {path}")));
        }
        cx.out(&format!(
            "kuberc file not found at {path}\nWould you like to generate a default kuberc file with \
             recommended options? (y/N): "
        ))
        .await;
        let answer = cx.proc.read_line().await.unwrap_or_default();
        if answer.trim().eq_ignore_ascii_case("y") {
            save(&cx, &path, &preferences::recommended()).await?;
        }
        return Ok(());
    };
    complete(&mut value);
    let mut printer = output::Printer::new(&cx, &p, "yaml", "")?;
    cx.out(&printer.one(&value)?).await;
    Ok(())
}

/// Both sections, be they empty, and options of every entry.
fn complete(value: &mut Value) {
    value["apiVersion"] = preferences::VERSION.into();
    for section in ["aliases", "defaults"] {
        if value[section].is_null() {
            value[section] = json!([]);
        }
    }
}

/// Writes the file; sections without entries are null, as the real one has it.
async fn save(cx: &Cx, path: &str, value: &Value) -> Result<(), Error> {
    let mut value = value.clone();
    for section in ["aliases", "defaults"] {
        if value[section].as_array().is_none_or(Vec::is_empty) {
            value[section] = Value::Null;
        }
    }
    if let Some((folder, _)) = path.rsplit_once('/') {
        crate::programs::kubectl::kubeconfig::make_dirs(&cx.proc, folder);
    }
    cx.proc
        .write_file(path, yaml::to_string(&value).as_bytes())
        .map_err(|e| Error::plain(format!("failed to write kuberc file: {e}")))?;
    cx.out(&format!("Updated {path}\n")).await;
    Ok(())
}

/// Which flags go together. Models `SetOptions.Validate`.
fn check(p: &Parsed) -> Result<(), Error> {
    let section = p.str("section");
    let arguments = !p.list("prependarg").is_empty() || !p.list("appendarg").is_empty();
    let entries = !p.list("allowlist-entry").is_empty();
    let text = match section {
        "defaults" | "aliases" | "credentialplugin" => match section {
            "aliases" if p.str("name").is_empty() => "--name is required when --section=aliases",
            "defaults" if !p.str("name").is_empty() => {
                "--name should not be specified when --section=defaults"
            }
            "defaults" if arguments => {
                "--prependarg and --appendarg are only valid for --section=aliases"
            }
            "defaults" | "aliases" if p.str("command").is_empty() => {
                "--command is required when --section=aliases or --section=defaults"
            }
            "defaults" | "aliases" => return Ok(()),
            _ => match p.str("policy") {
                "" => "--policy is required when --section=credentialplugin",
                "AllowAll" | "DenyAll" if entries => {
                    "--allowlist-entry may only be used when --section=credentialplugin and \
                     --policy=Allowlist"
                }
                "Allowlist" if !entries => {
                    "--allowlist-entry is required when --section=credentialplugin and \
                     --policy=Allowlist"
                }
                "AllowAll" | "DenyAll" | "Allowlist" => return Ok(()),
                other => {
                    return Err(Error::plain(format!(
                        " --policy must be  \"AllowAll\", \"DenyAll\", or \"Allowlist\", got: {other}"
                    )));
                }
            },
        },
        other => {
            return Err(Error::plain(format!(
                "--section must be \"defaults\", \"aliases\", or \"credentialplugin\", got: {other}"
            )));
        }
    };
    Err(Error::plain(text))
}

async fn set(cx: Cx, p: Parsed) -> Result<(), Error> {
    let Some((path, _)) = preferences::file(&cx, p.str("kuberc")) else {
        return Err(Error::plain("KUBERC is disabled via KUBERC=off environment variable"));
    };
    check(&p)?;
    let empty = || json!({"apiVersion": preferences::VERSION, "kind": "Preference"});
    let mut value = load(&cx, &path)?.unwrap_or_else(empty);
    complete(&mut value);
    let mut options = Vec::new();
    for option in p.list("option") {
        let (name, default) = option.split_once('=').ok_or_else(|| {
            let option = quote(option);
            Error::plain(format!("invalid option format {option}, expected flag=value"))
        })?;
        options.push(json!({"name": name.trim_start_matches('-'), "default": default}));
    }
    let section = p.str("section");
    if section == "credentialplugin" {
        value["credentialPluginPolicy"] = p.str("policy").into();
        if !p.list("allowlist-entry").is_empty() {
            let names: Vec<Value> = p
                .list("allowlist-entry")
                .iter()
                .map(|e| json!({"name": e.trim_start_matches("name=")}))
                .collect();
            value["credentialPluginAllowlist"] = Value::Array(names);
        }
        return save(&cx, &path, &value).await;
    }
    let alias = section == "aliases";
    let (key, wanted) = if alias { ("name", p.str("name")) } else { ("command", p.str("command")) };
    let mut entry = json!({"command": p.str("command")});
    if alias {
        entry["name"] = wanted.into();
    }
    if !options.is_empty() {
        entry["options"] = Value::Array(options);
    }
    for (flag, field) in [("appendarg", "appendArgs"), ("prependarg", "prependArgs")] {
        if !p.list(flag).is_empty() {
            entry[field] = json!(p.list(flag));
        }
    }
    let Some(entries) = value[section].as_array_mut() else {
        return Err(Error::plain(format!("{section} of {path} are no list")));
    };
    match entries.iter_mut().find(|e| e[key] == wanted) {
        None => entries.push(entry),
        Some(_) if !p.bool("overwrite") => {
            let what = if alias { "alias" } else { "defaults for command" };
            let (word, wanted) = (if alias { "exists" } else { "exist" }, quote(wanted));
            return Err(Error::plain(format!(
                "{what} {wanted} already {word}, use --overwrite to replace"
            )));
        }
        Some(old) => {
            for field in ["options", "appendArgs", "prependArgs"] {
                if entry.get(field).is_none() {
                    if let Some(kept) = old.get(field) {
                        entry[field] = kept.clone();
                    }
                }
            }
            *old = entry;
        }
    }
    save(&cx, &path, &value).await
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
