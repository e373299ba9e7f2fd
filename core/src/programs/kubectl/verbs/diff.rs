//! `kubectl diff`. Models `k8s.io/kubectl/pkg/cmd/diff`, and `diff -u -N` on what it compares.

use serde_json::Value;

use super::apply::prune;
use crate::{
    api::{Kind, gofmt::quote, patch, yaml},
    client::{FieldValidation, PatchType, Subresource},
    machine,
    programs::kubectl::{
        Conn, Cx, Error,
        flags::{Command, Flag, Parsed},
        manifest::{self, Manifest},
        output,
        write::{self, DryRun, LAST_APPLIED, at},
    },
};

/// `kubectl diff`
pub static COMMAND: Command = Command {
    name: "diff",
    usage: "diff -f FILENAME",
    short: "Show what apply would change",
    long: "Show what apply would change, as diff -u.\n\nThe exit code is 0 if nothing would change, 1 \
           if something would, and more if it cannot be told.",
    examples: "# What would web.yaml change?\nkubectl diff -f web.yaml",
    flags: &[
        &[
            write::field_manager("kubectl-client-side-apply"),
            Flag::bool("prune", false, "Show what apply --prune would delete, too."),
            Flag::array("prune-allowlist", "Kinds to prune: group/version/kind."),
            Flag::str("selector", "", "Only objects with these labels.").short("l"),
            Flag::bool(
                "force-conflicts",
                false,
                "Take fields over from others (server-side only).",
            ),
            Flag::bool("server-side", false, "Let the server merge."),
            Flag::int("concurrency", "1", "How many objects are compared at once."),
            Flag::bool("show-secrets", false, "Show the values of secrets."),
            Flag::bool("show-managed-fields", false, "Show managedFields."),
        ],
        manifest::FLAGS,
    ],
    run: Some(|cx, p| {
        Box::pin(async {
            match run(cx, p).await {
                Err(Error::Exit(1)) => Err(Error::Exit(1)),
                Err(e) => Err(Error::Code(Box::new(e), 2)),
                Ok(()) => Ok(()),
            }
        })
    }),
    ..Command::EMPTY
};

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    if !p.args.is_empty() {
        let args = p.args.join(" ");
        let error = Error::usage(&p.path, format_args!("Unexpected args: [{args}]"));
        return Err(error);
    }
    if !manifest::given(&p) {
        return Err(Error::plain("must specify one of -f and -k"));
    }
    if p.bool("force-conflicts") && !p.bool("server-side") {
        return Err(Error::plain("--force-conflicts only works with --server-side"));
    }
    let conn = cx.connect(&p, 5)?;
    let (manifests, error) = manifest::read(&cx, &conn, &p, false).await;
    if let Some(error) = error {
        return Err(error);
    }
    let selector = crate::api::selector::Selector::parse(p.str("selector"))?;
    let mut pairs = Vec::new();
    let mut found = std::collections::BTreeSet::new();
    for manifest in &manifests {
        if !super::selects(&selector, &manifest.object) {
            continue;
        }
        if manifest.name().is_empty() {
            return Err(Error::plain("resource name may not be empty"));
        }
        let (live, merged) = match p.bool("server-side") {
            true => on_server(&cx, &conn, &p, manifest).await?,
            false => both(&conn, manifest)?,
        };
        let (live, merged) = match &*manifest.kind.kind {
            "Secret" if manifest.kind.group.is_empty() && !p.bool("show-secrets") => {
                let (live, merged) = masked(live, Some(merged));
                (live, merged.unwrap_or(Value::Null))
            }
            _ => (live, merged),
        };
        let uid = live.as_ref().and_then(|l| at(l, &["metadata", "uid"]));
        found.extend(uid.and_then(Value::as_str).map(str::to_owned));
        let name = file_name(&manifest.kind, manifest.namespace(), manifest.name());
        pairs.push((name, live, Some(merged)));
    }
    if p.bool("prune") {
        let kinds = prune::kinds(&conn, &p)?;
        let namespaces: std::collections::BTreeSet<String> = manifests
            .iter()
            .filter(|m| m.kind.namespaced)
            .map(|m| m.namespace().to_owned())
            .collect();
        let dry_run = DryRun::Client;
        let prune = prune::Prune { kinds: &kinds, namespaces, applied: found, dry_run };
        for (kind, value) in prune::left(&conn, &p, &prune)? {
            let text = |key: &str| at(&value, &["metadata", key]).and_then(Value::as_str);
            let (namespace, name) = (text("namespace").unwrap_or(""), text("name").unwrap_or(""));
            pairs.push((file_name(&kind, namespace, name), Some(value.clone()), None));
        }
    }
    let show = |v: Option<Value>| {
        let mut v = v?;
        if !p.bool("show-managed-fields") {
            output::strip_managed_fields(&mut v);
        }
        Some(yaml::to_string(&v))
    };
    let texts = pairs.into_iter().map(|(name, a, b)| (name, show(a), show(b)));
    compare(&cx, texts.filter(|(_, old, new)| old != new).collect()).await
}

/// A secret's values as they may be shown: only whether they differ. Models `Masker`.
fn masked(mut from: Option<Value>, mut to: Option<Value>) -> (Option<Value>, Option<Value>) {
    let data = |v: &Option<Value>| v.as_ref()?.get("data")?.as_object().cloned();
    let (old, new) = (data(&from).unwrap_or_default(), data(&to).unwrap_or_default());
    let mut put = |key: &str, before: &str, after: &str| {
        for (object, text, there) in
            [(&mut from, before, old.contains_key(key)), (&mut to, after, new.contains_key(key))]
        {
            if let Some(map) = object.as_mut().and_then(|o| o.get_mut("data")?.as_object_mut()) {
                if there {
                    map.insert(key.to_owned(), text.into());
                }
            }
        }
    };
    for (key, value) in &old {
        match new.get(key) {
            Some(other) if other != value => put(key, "*** (before)", "*** (after)"),
            _ => put(key, "***", "***"),
        }
    }
    for key in new.keys().filter(|key| !old.contains_key(*key)) {
        put(key, "***", "***");
    }
    (from, to)
}

/// Names, texts as they are and as they would be.
type Texts = Vec<(String, Option<String>, Option<String>)>;

/// Shows what differs, with the program that `KUBECTL_EXTERNAL_DIFF` names if it does.
async fn compare(cx: &Cx, texts: Texts) -> Result<(), Error> {
    let folder = cx.proc.env("TMPDIR").unwrap_or_else(|| "/tmp".into());
    let folder = folder.trim_end_matches('/').to_owned();
    let number = || cx.proc.sim().random(1_000_000_000) + 1_000_000_000;
    let (live_dir, merged_dir) =
        (format!("{folder}/LIVE-{}", number()), format!("{folder}/MERGED-{}", number()));
    let program = cx.proc.env("KUBECTL_EXTERNAL_DIFF").filter(|p| !p.is_empty());
    if let Some(program) = program {
        return external(cx, &program, (&live_dir, &merged_dir), &texts).await;
    }
    for (file, old, new) in &texts {
        let stamp = stamp(cx);
        let text = format!(
            "diff -u -N {live_dir}/{file} {merged_dir}/{file}\n--- {live_dir}/{file}\t{stamp}\n\
             +++ {merged_dir}/{file}\t{stamp}\n{}",
            unified(old.as_deref().unwrap_or(""), new.as_deref().unwrap_or(""))
        );
        cx.out(&text).await;
    }
    if texts.is_empty() { Ok(()) } else { Err(Error::Exit(1)) }
}

/// Runs a program on two folders with the texts.
async fn external(
    cx: &Cx,
    program: &str,
    (live, merged): (&str, &str),
    texts: &Texts,
) -> Result<(), Error> {
    let failed = |e: &dyn std::fmt::Display| Error::plain(e.to_string());
    let mut made = Vec::new();
    for folder in [live, merged] {
        cx.proc.make_dir(folder).map_err(|e| failed(&e))?;
    }
    for (file, old, new) in texts {
        for (folder, text) in [(live, old), (merged, new)] {
            let Some(text) = text else { continue };
            let path = format!("{folder}/{file}");
            cx.proc.write_file(&path, text.as_bytes()).map_err(|e| failed(&e))?;
            made.push(path);
        }
    }
    let mut argv: Vec<String> = program.split_whitespace().map(str::to_owned).collect();
    argv.extend([live.to_owned(), merged.to_owned()]);
    let ended = match cx.proc.spawn(machine::Command::new(argv)) {
        Ok(child) => Ok(child.wait().await.code()),
        Err(e) => Err(failed(&format!("failed to run {}: {e}", quote(program)))),
    };
    for path in made.iter().map(String::as_str).chain([live, merged]) {
        let _ = cx.proc.remove(path);
    }
    match ended? {
        0 => Ok(()),
        1 => Err(Error::Exit(1)),
        code => Err(Error::Code(Box::new(failed(&format!("exit status {code}"))), code)),
    }
}

fn file_name(kind: &Kind, namespace: &str, name: &str) -> String {
    let group = match &*kind.group {
        "" => String::new(),
        group => format!("{group}."),
    };
    format!("{group}{}.{}.{namespace}.{name}", kind.version, kind.kind)
}

fn stamp(cx: &Cx) -> String {
    let text = cx.proc.sim().now().to_timestamp().to_string();
    let (date, time) = text.split_once('T').unwrap_or((&text, ""));
    let (seconds, fraction) =
        time.trim_end_matches('Z').split_once('.').unwrap_or((time.trim_end_matches('Z'), ""));
    format!("{date} {seconds}.{fraction:0<9.9} +0000")
}

/// The object as it is and as the server would merge it.
async fn on_server(
    cx: &Cx,
    conn: &Conn,
    p: &Parsed,
    manifest: &Manifest,
) -> Result<(Option<Value>, Value), Error> {
    let (kind, key) = (manifest.kind.id, (manifest.namespace(), manifest.name()));
    let live = match conn.client.get_any(kind, key.0, key.1) {
        Ok(live) => Some(conn.client.full_value(&*live)),
        Err(e) if e.is_not_found() => None,
        Err(e) => return Err(e.into()),
    };
    let client = conn.client.dry_run().managed_by(super::apply::manager(p));
    let (config, force) = (manifest.object.clone(), p.bool("force-conflicts"));
    let applied = client.apply(kind, key, config, force, Subresource::Main);
    if applied.as_ref().is_err_and(|e| e.reason == "Conflict") {
        // A conflict of any sort is tried again, the last time without the object's version.
        let kind = &manifest.kind;
        let text = format!(
            "Object ({}/{}, Kind={}: {}) keeps changing, diffing without lock",
            kind.group, kind.version, kind.kind, key.1
        );
        cx.err(&cx.klog('W', "diff.go:723", &text)).await;
    }
    let (merged, _) = applied?;
    Ok((live, conn.client.full_value(&*merged)))
}

/// The object as it is and as it would be.
fn both(conn: &Conn, manifest: &Manifest) -> Result<(Option<Value>, Value), Error> {
    let (namespace, name) = (manifest.namespace(), manifest.name());
    let dry = conn.client.dry_run();
    let live = match conn.client.get_any(manifest.kind.id, namespace, name) {
        Ok(live) => live.to_value(),
        Err(e) if e.is_not_found() => {
            let object = manifest.object.clone();
            let validation = FieldValidation::Strict;
            let made = dry.create_value(manifest.kind.id, namespace, object, validation)?;
            let mut merged = made.to_value();
            if let Some(meta) = write::map_at(&mut merged, &["metadata"]) {
                meta.remove("resourceVersion");
            }
            return Ok((None, merged));
        }
        Err(e) => return Err(e.into()),
    };
    let original = at(&live, &["metadata", "annotations", LAST_APPLIED]).and_then(Value::as_str);
    let original = original.and_then(|t| yaml::parse(t).ok()).unwrap_or(Value::Null);
    let mut modified = manifest.object.clone();
    // As in the note, which has annotations even where there are none.
    write::map_at(&mut modified, &["metadata", "annotations"]);
    let mut change = patch::three_way(&original, &modified, &live);
    // The note itself stays as it is.
    if let Some(map) = change.get_mut("metadata").and_then(Value::as_object_mut) {
        if let Some(Value::Object(annotations)) = map.get_mut("annotations") {
            annotations.remove(LAST_APPLIED);
        }
    }
    // What is compared must not change in between.
    let version = at(&live, &["metadata", "resourceVersion"]).cloned();
    if let (Some(meta), Some(version)) = (write::map_at(&mut change, &["metadata"]), version) {
        meta.insert("resourceVersion".into(), version);
    }
    let key = (namespace, name);
    let change = (PatchType::Strategic, &change);
    let merged = dry.patch(manifest.kind.id, key, change, Subresource::Main)?;
    Ok((Some(live), merged.to_value()))
}

/// The hunks of `diff -u` with three lines of context.
fn unified(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let steps = steps(&old, &new);
    let mut out = String::new();
    let mut at = 0;
    while at < steps.len() {
        let Some(first) = steps[at..].iter().position(|s| s.0 != ' ').map(|n| at + n) else {
            break;
        };
        let start = first.saturating_sub(3).max(at);
        let mut end = first;
        let mut last = first;
        while end < steps.len() && end <= last + 6 {
            if steps[end].0 != ' ' {
                last = end;
            }
            end += 1;
        }
        let end = (last + 4).min(steps.len());
        let hunk = &steps[start..end];
        let count = |not: char| hunk.iter().filter(|s| s.0 != not).count();
        let before = |not: char| steps[..start].iter().filter(|s| s.0 != not).count();
        let range = |from: usize, n: usize| match n {
            0 => format!("{from},0"),
            1 => format!("{}", from + 1),
            n => format!("{},{n}", from + 1),
        };
        out.push_str(&format!(
            "@@ -{} +{} @@\n",
            range(before('+'), count('+')),
            range(before('-'), count('-'))
        ));
        for (mark, line) in hunk {
            out.push(*mark);
            out.push_str(line);
            out.push('\n');
        }
        at = end;
    }
    out
}

/// Lines kept, removed and added, by the longest common subsequence.
fn steps<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(char, &'a str)> {
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let tail =
        old[head..].iter().rev().zip(new[head..].iter().rev()).take_while(|(a, b)| a == b).count();
    let (a, b) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);
    let mut out: Vec<(char, &str)> = old[..head].iter().map(|l| (' ', *l)).collect();
    if a.len().saturating_mul(b.len()) > 4_000_000 {
        // Too different to be worth the time: all out, all in.
        out.extend(a.iter().map(|l| ('-', *l)));
        out.extend(b.iter().map(|l| ('+', *l)));
    } else {
        let width = b.len() + 1;
        let mut best = vec![0u32; (a.len() + 1) * width];
        for i in (0..a.len()).rev() {
            for j in (0..b.len()).rev() {
                best[i * width + j] = if a[i] == b[j] {
                    best[(i + 1) * width + j + 1] + 1
                } else {
                    best[(i + 1) * width + j].max(best[i * width + j + 1])
                };
            }
        }
        let (mut i, mut j) = (0, 0);
        while i < a.len() || j < b.len() {
            if i < a.len() && j < b.len() && a[i] == b[j] {
                out.push((' ', a[i]));
                i += 1;
                j += 1;
            } else if j == b.len()
                || (i < a.len() && best[(i + 1) * width + j] >= best[i * width + j + 1])
            {
                out.push(('-', a[i]));
                i += 1;
            } else {
                out.push(('+', b[j]));
                j += 1;
            }
        }
    }
    out.extend(old[old.len() - tail..].iter().map(|l| (' ', *l)));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn hunks_are_those_of_diff() {
        let lines = |n: std::ops::Range<i32>| n.map(|i| format!("{i}\n")).collect::<String>();
        let old = lines(0..30);
        let new = old.replace("\n5\n", "\nfive\n").replace("\n20\n", "\n");
        expect![[r#"
            @@ -3,7 +3,7 @@
             2
             3
             4
            -5
            +five
             6
             7
             8
            @@ -18,7 +18,6 @@
             17
             18
             19
            -20
             21
             22
             23
        "#]]
        .assert_eq(&unified(&old, &new));
        assert_eq!(unified("", "a\nb\n"), "@@ -0,0 +1,2 @@\n+a\n+b\n");
    }
}
