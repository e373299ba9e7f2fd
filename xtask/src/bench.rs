//! `cargo xtask bench`: one JSON object a line, `{"name","value","unit"}`, on standard output; what
//! has a target is told in a table on standard error.

use std::{fs, path::Path, process::Stdio};

use crate::{
    Res,
    bundle::{self, Profile},
    serve, setup,
    shell::{cmd, list, read, root, run, say},
    targets::{self, Measured},
};

struct Bench {
    name: &'static str,
    /// Arguments of the native half, one list a process.
    native: &'static [&'static [&'static str]],
    browser: bool,
}

const BENCHES: &[Bench] = &[
    Bench { name: "bundle", native: &[], browser: false },
    Bench { name: "startup", native: &[], browser: true },
    Bench {
        name: "replicas",
        native: &[&["replicas", "10"], &["replicas", "100"], &["replicas", "1000"]],
        browser: true,
    },
    Bench { name: "idle", native: &[&["idle"]], browser: true },
    Bench { name: "frames", native: &[], browser: true },
    Bench { name: "api", native: &[&["api"]], browser: false },
    Bench {
        name: "schedule",
        native: &[
            &["schedule", "plain", "100", "1000"],
            &["schedule", "apart", "100", "1000"],
            &["schedule", "plain", "5000", "30000"],
        ],
        browser: false,
    },
    Bench { name: "requests", native: &[&["requests"]], browser: true },
];

/// Runs the named measurements, or all; with `--native` only their native halves, which need no
/// page. One that fails does not keep the others from running.
pub fn bench(args: &[&str]) -> Res {
    let native = args.contains(&"--native");
    let names: Vec<&str> = args.iter().copied().filter(|a| *a != "--native").collect();
    if let Some(unknown) = names.iter().find(|n| BENCHES.iter().all(|b| b.name != **n)) {
        let known: Vec<_> = BENCHES.iter().map(|b| b.name).collect();
        return Err(format!("there is no bench {unknown:?}; there are: {}", known.join(" ")));
    }
    let chosen: Vec<&Bench> = BENCHES
        .iter()
        .filter(|b| names.is_empty() || names.contains(&b.name))
        .filter(|b| !native || !b.native.is_empty())
        .collect();
    let page = |b: &&&Bench| !native && (b.browser || b.name == "bundle");
    let site = match chosen.iter().find(page) {
        Some(_) => Some(bundle::site(Profile::Release)?),
        None => None,
    };
    let program = match chosen.iter().any(|b| !b.native.is_empty()) {
        true => Some(native_program()?),
        false => None,
    };
    let (mut failed, mut measured) = (Vec::new(), Vec::new());
    for bench in &chosen {
        say(format!("bench {}", bench.name));
        if let Err(why) = one(bench, site.as_deref(), program.as_deref(), &mut measured) {
            eprintln!("xtask: {why}");
            failed.push(bench.name);
        }
    }
    let (table, reached) = targets::table(&measured);
    eprint!("{table}");
    match failed.as_slice() {
        [] => reached,
        some => Err(format!("these were not measured: {}; see above why", some.join(" "))),
    }
}

/// The native bench program, built for speed.
fn native_program() -> Res<std::path::PathBuf> {
    say("compiling the native bench");
    let args = ["build", "--quiet", "--profile", "bench-native", "--package", "sandbar-tests"];
    let mut build = cmd("cargo", &args);
    build.args(["--bin", "bench"]);
    run(build, "the compiler's messages above say what to mend")?;
    Ok(root().join("target/bench-native/bench"))
}

/// Runs one; `site` is there if its other half is wanted too.
fn one(
    bench: &Bench,
    site: Option<&Path>,
    program: Option<&Path>,
    measured: &mut Vec<Measured>,
) -> Res {
    let mut result = Ok(());
    for args in bench.native {
        if let Some(program) = program {
            result = result.and(native(program, args).map(|found| measured.extend(found)));
        }
    }
    let Some(site) = site else { return result };
    if bench.name == "bundle" {
        return sizes(site);
    }
    if bench.browser {
        let browser = setup::browser()?;
        let port = serve::start(site, 0)?;
        let mut node = cmd("node", &["tests/browser/bench.mjs", bench.name]);
        node.env("SANDBAR_URL", format!("http://127.0.0.1:{port}/"));
        node.env("SANDBAR_CHROMIUM", browser.chromium);
        result = result.and(run(node, "it says above why"));
    }
    result
}

/// A native measurement: what it prints is passed on and read.
fn native(program: &Path, args: &[&str]) -> Res<Vec<Measured>> {
    let mut command = cmd(program, args);
    command.stderr(Stdio::inherit());
    let done = command.output().map_err(|e| format!("{} can't be run: {e}", program.display()))?;
    let text = String::from_utf8_lossy(&done.stdout);
    print!("{text}");
    match done.status.success() {
        true => Ok(targets::read(&text)),
        false => Err(format!("`bench {}` failed; it says above why", args.join(" "))),
    }
}

/// Sizes of the site's files, of all, and of those that are loaded before the first prompt.
fn sizes(site: &Path) -> Res {
    let first = read(&site.with_file_name("first.txt"))?;
    let mut totals = [[0_u64; 3]; 2];
    for file in list(site) {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !file.is_file() || name.ends_with(".br") || name.ends_with(".gz") {
            continue;
        }
        let raw = size(&file).ok_or_else(|| format!("{} can't be read", file.display()))?;
        let packed = |ext| size(&site.join(format!("{name}.{ext}"))).unwrap_or(raw);
        let sizes = [raw, packed("gz"), packed("br")];
        print_sizes(&format!("bundle/{}", without_hash(&name)), sizes);
        for (i, n) in sizes.iter().enumerate() {
            totals[0][i] += n;
            totals[1][i] += if first.lines().any(|l| l == name) { *n } else { 0 };
        }
    }
    print_sizes("bundle/total", totals[0]);
    print_sizes("bundle/first-prompt", totals[1]);
    Ok(())
}

fn size(file: &Path) -> Option<u64> {
    fs::metadata(file).ok().map(|m| m.len())
}

fn print_sizes(name: &str, sizes: [u64; 3]) {
    for (kind, n) in ["raw", "gzip", "brotli"].iter().zip(sizes) {
        println!(r#"{{"name":"{name}/{kind}","value":{n},"unit":"bytes"}}"#);
    }
}

/// `app-1a2b3c4d.wasm` → `app.wasm`, so that numbers of different builds can be compared.
fn without_hash(name: &str) -> String {
    let parts = name.rsplit_once('.').and_then(|(stem, ext)| {
        let (plain, hash) = stem.rsplit_once('-')?;
        (hash.len() == 8).then(|| format!("{plain}.{ext}"))
    });
    parts.unwrap_or_else(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_left_out_of_names() {
        for (name, want) in [
            ("app-1a2b3c4d.wasm", "app.wasm"),
            ("terminal-extras-ABCDEFGH.js", "terminal-extras.js"),
            ("index.html", "index.html"),
        ] {
            assert_eq!(without_hash(name), want);
        }
    }
}
