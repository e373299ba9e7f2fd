//! `kubectl api-resources`, `kubectl api-versions`.

use std::rc::Rc;

use serde_json::json;

use crate::{
    api::Kind,
    programs::kubectl::{
        Cx, Error,
        flags::{Command, Flag, Parsed},
        output::Printer,
        print::tabwriter::Tabwriter,
    },
};

/// `kubectl api-versions`
pub static VERSIONS: Command = Command {
    name: "api-versions",
    usage: "api-versions",
    short: "List the versions of the API that the server has",
    examples: "# All of them\nkubectl api-versions",
    run: Some(|cx, p| Box::pin(versions(cx, p))),
    ..Command::EMPTY
};

async fn versions(cx: Cx, p: Parsed) -> Result<(), Error> {
    if !p.args.is_empty() {
        let args = p.args.join(" ");
        return Err(Error::usage(&p.path, format_args!("unexpected arguments: [{args}]")));
    }
    let conn = cx.connect(&p, 5)?;
    conn.discovery.invalidate();
    let mut found = conn.kinds()?.places().to_vec();
    found.sort();
    cx.out(&(found.join("\n") + "\n")).await;
    Ok(())
}

/// `kubectl api-resources`
pub static RESOURCES: Command = Command {
    name: "api-resources",
    usage: "api-resources [flags]",
    short: "List the kinds of objects that the server has",
    examples: "# All of them\nkubectl api-resources\n\n# With what can be done with them\n\
               kubectl api-resources -o wide\n\n# Those of one group\n\
               kubectl api-resources --api-group=apps",
    flags: &[&[
        Flag::str("api-group", "", "Only kinds of this group."),
        Flag::bool("cached", false, "Take what was found before, where it is known."),
        Flag::slice("categories", "Only kinds in all of these categories."),
        Flag::bool(
            "namespaced",
            true,
            "Only kinds whose objects are in namespaces; =false: the others.",
        ),
        Flag::bool("no-headers", false, "Leave the headers out."),
        Flag::str("output", "", "Output format. One of: (json, yaml, name, wide).").short("o"),
        Flag::bool("show-managed-fields", false, "Show managedFields in JSON and YAML."),
        Flag::str("sort-by", "", "Sort by name or kind."),
        Flag::slice("verbs", "Only kinds with which all of this can be done."),
    ]],
    run: Some(|cx, p| Box::pin(resources(cx, p))),
    ..Command::EMPTY
};

async fn resources(cx: Cx, p: Parsed) -> Result<(), Error> {
    if !["", "wide", "name", "json", "yaml", "kyaml"].contains(&p.str("output")) {
        return Err(Error::plain(format!(
            "unable to match a printer suitable for the output format {}, allowed formats are: \
             json,kyaml,name,wide,yaml",
            crate::api::gofmt::quote(p.str("output"))
        )));
    }
    if !["", "name", "kind"].contains(&p.str("sort-by")) {
        return Err(Error::plain("--sort-by accepts only name or kind"));
    }
    if !p.args.is_empty() {
        let args = p.args.join(" ");
        return Err(Error::usage(&p.path, format_args!("unexpected arguments: [{args}]")));
    }
    let conn = cx.connect(&p, 5)?;
    if !p.bool("cached") {
        conn.discovery.invalidate();
    }
    let fits = |k: &Rc<Kind>| {
        (!p.changed("api-group") || k.group == p.str("api-group"))
            && (!p.changed("namespaced") || k.namespaced == p.bool("namespaced"))
            && p.list("verbs").iter().all(|v| k.verbs().contains(&v.as_str()))
            && p.list("categories").iter().all(|c| k.categories.iter().any(|own| own == c))
    };
    let mut found: Vec<Rc<Kind>> = conn.kinds()?.preferred().filter(|k| fits(k)).cloned().collect();
    match p.str("sort-by") {
        "name" => found.sort_by(|a, b| a.plural.cmp(&b.plural)),
        "kind" => found.sort_by(|a, b| a.kind.cmp(&b.kind)),
        _ => found.sort_by(|a, b| (&a.group, &a.plural).cmp(&(&b.group, &b.plural))),
    }
    if ["json", "yaml", "kyaml"].contains(&p.str("output")) {
        return listed(&cx, &p, &found).await;
    }
    let (wide, names) = (p.str("output") == "wide", p.str("output") == "name");
    let mut out = Tabwriter::table();
    if !p.bool("no-headers") && !names {
        out.write("NAME\tSHORTNAMES\tAPIVERSION\tNAMESPACED\tKIND");
        out.write(if wide { "\tVERBS\tCATEGORIES\n" } else { "\n" });
    }
    for kind in found {
        if names {
            out.write(&format!("{}\n", kind.resource()));
            continue;
        }
        let (short, version) = (kind.short_names.join(","), kind.api_version());
        out.write(&format!(
            "{}\t{short}\t{version}\t{}\t{}",
            kind.plural, kind.namespaced, kind.kind
        ));
        if wide {
            out.write(&format!("\t{}\t{}", kind.verbs().join(","), kind.categories.join(",")));
        }
        out.write("\n");
    }
    cx.out(&out.flush()).await;
    Ok(())
}

/// `-o json` and `-o yaml`: the kinds as discovery has them.
async fn listed(cx: &Cx, p: &Parsed, kinds: &[Rc<Kind>]) -> Result<(), Error> {
    let entry = |k: &Rc<Kind>| {
        let mut entry = json!({"name": k.plural, "singularName": k.singular,
            "namespaced": k.namespaced, "version": k.version, "kind": k.kind,
            "verbs": k.verbs()});
        if !k.group.is_empty() {
            entry["group"] = k.group.as_ref().into();
        }
        for (field, list) in [("shortNames", &k.short_names), ("categories", &k.categories)] {
            if !list.is_empty() {
                entry[field] = json!(list);
            }
        }
        entry
    };
    let list = json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "",
        "resources": kinds.iter().map(entry).collect::<Vec<_>>()});
    let mut printer = Printer::new(cx, p, "", "")?;
    printer.typed(true);
    cx.out(&printer.one(&list)?).await;
    Ok(())
}
