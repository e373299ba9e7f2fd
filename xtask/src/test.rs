//! `cargo xtask test`: everything that must hold, quick checks first.

use std::time::Instant;

use crate::{
    Res,
    bundle::{self, Profile},
    serve, setup,
    shell::{cmd, list, output, root, run, say},
    toolchain::{self, TARGET},
};

/// One kind of test.
struct Step {
    name: &'static str,
    what: &'static str,
    run: fn() -> Res,
}

const STEPS: &[Step] = &[
    Step { name: "fmt", what: "the code is formatted", run: fmt },
    Step { name: "native", what: "units, walls, scenarios, determinism", run: native },
    Step {
        name: "kubectl",
        what: "the real kubectl plays every scenario, beside ours",
        run: kubectl,
    },
    Step { name: "clippy", what: "no lint complains", run: clippy },
    Step { name: "wasm", what: "what is specific to WebAssembly, in Chromium", run: wasm },
    Step { name: "browser", what: "the real page in Chromium", run: browser },
];

/// Runs the named steps, or all, and prints a summary. A failure does not keep later ones from
/// running.
pub fn test(names: &[&str]) -> Res {
    if let Some(unknown) = names.iter().find(|n| STEPS.iter().all(|s| s.name != **n)) {
        let known: Vec<_> = STEPS.iter().map(|s| s.name).collect();
        return Err(format!("there is no test {unknown:?}; there are: {}", known.join(" ")));
    }
    let chosen = STEPS.iter().filter(|s| names.is_empty() || names.contains(&s.name));
    let mut summary = Vec::new();
    for step in chosen {
        say(format!("test {}: {}", step.name, step.what));
        let start = Instant::now();
        let result = (step.run)();
        if let Err(why) = &result {
            eprintln!("xtask: {why}");
        }
        summary.push((step, result, start.elapsed()));
    }
    println!("\nsummary");
    for (step, result, took) in &summary {
        let word = if result.is_ok() { "ok" } else { "FAILED" };
        println!("  {:<8} {word:<7} {:>5.0} s  {}", step.name, took.as_secs_f64(), step.what);
    }
    let failed: Vec<_> = summary.iter().filter(|s| s.1.is_err()).map(|s| s.0.name).collect();
    match failed.as_slice() {
        [] => Ok(()),
        some => Err(format!(
            "failed: {}; the messages above say why, `cargo xtask test {}` runs just that",
            some.join(" "),
            some.join(" ")
        )),
    }
}

fn fmt() -> Res {
    setup::component("fmt", "rustfmt")?;
    run(cmd("cargo", &["fmt", "--all", "--check"]), "`cargo fmt --all` mends it")
}

fn native() -> Res {
    let args = ["test", "--workspace", "--no-fail-fast"];
    run(cmd("cargo", &args), "the failures are listed above")
}

/// The real kubectl against the endpoint, compared with recordings and with ours.
fn kubectl() -> Res {
    let folder = setup::kubectl()?;
    let args = ["test", "--package", "sandbar-server", "--test", "kubectl", "--", "--nocapture"];
    let mut test = cmd("cargo", &args);
    test.env("SANDBAR_KUBECTL", folder);
    run(test, "the differences are listed above; mend them or list them with their reasons")
}

fn clippy() -> Res {
    setup::component("clippy", "clippy")?;
    let args = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
    run(cmd("cargo", &args), "mend what it names")
}

/// wasm-bindgen-test in headless Chromium. The digest of a native run is built into the test, which
/// compares it with its own.
fn wasm() -> Res {
    let toolchain = toolchain::wasm()?;
    let browser = setup::browser()?;
    say("building the runner of WebAssembly tests");
    let features = ["--package", "xtask", "--features", "runner", "--bin", "wasm-test-runner"];
    let mut build = cmd("cargo", &["build", "--quiet"]);
    build.args(features);
    run(build, "check that cargo reaches its registry, then try again")?;
    say("playing the determinism journal natively");
    let digest = ["run", "--quiet", "--package", "sandbar-tests", "--bin", "digest"];
    let digest = output(cmd("cargo", &digest))
        .ok_or("the native run of the determinism journal failed; `cargo run -p sandbar-tests --bin digest` says why")?;

    let chrome = format!(
        r#"{{"goog:chromeOptions":{{"binary":{:?},"args":["--headless=new","--no-sandbox","--disable-dev-shm-usage","--disable-gpu","--disable-background-networking"]}}}}"#,
        browser.chromium
    );
    let options = root().join("target/webdriver.json");
    crate::shell::write(&options, chrome)?;
    let args = ["test", "--package", "sandbar-web", "--test", "wasm", "--target", TARGET];
    let mut test = toolchain.cargo(&args);
    test.args(["--profile", "wasm-dev", "--target-dir"]).arg(toolchain::target_dir());
    test.env(
        "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER",
        root().join("target/debug/wasm-test-runner"),
    );
    test.env("CHROMEDRIVER", browser.driver).env("WASM_BINDGEN_TEST_WEBDRIVER_JSON", options);
    test.env("WASM_BINDGEN_TEST_TIMEOUT", "300").env("SANDBAR_NATIVE_DIGEST", digest);
    run(test, "the failures are listed above")
}

/// The page as it is published, driven with the mouse and the keyboard.
fn browser() -> Res {
    let browser = setup::browser()?;
    let site = bundle::site(Profile::Release)?;
    let port = serve::start(&site, 0)?;
    // The same site from a path that is not its host's root.
    let nested = serve::start(site.parent().unwrap_or(&site), 0)?;
    let tests: Vec<_> = list(&root().join("tests/browser"))
        .into_iter()
        .filter(|f| f.to_string_lossy().ends_with(".test.mjs"))
        .collect();
    let mut node = cmd("node", &["--test", "--test-concurrency=1", "--test-reporter=spec"]);
    node.args(tests);
    node.env("SANDBAR_URL", format!("http://127.0.0.1:{port}/"));
    node.env("SANDBAR_NESTED_URL", format!("http://127.0.0.1:{nested}/site/"));
    node.env("SANDBAR_CHROMIUM", browser.chromium);
    run(node, "the failures are listed above, screenshots are in target/screenshots")
}
