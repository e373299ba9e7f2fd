//! From crates to a folder of files that any static host can serve.
//!
//! cargo → wasm-bindgen (as a library, so that its version can't drift from the crate's) → wasm-opt
//! → `bundle.mjs` (esbuild, hashed names, `index.html`, .br and .gz files).

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    Res, setup,
    shell::{cmd, fingerprint, is_fresh, list, root, run, set_stamp, timed},
    toolchain::{self, TARGET},
};

/// How the page is built.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Quickly: hardly optimised, not compressed.
    Dev,
    /// As it is published.
    Release,
}

impl Profile {
    fn name(self) -> &'static str {
        match self {
            Profile::Dev => "wasm-dev",
            Profile::Release => "release",
        }
    }
}

/// The page's programs, and whether they are built with the whole engine. Two runs of cargo: in one, its
/// features would be everyone's.
const BINS: [(&str, bool); 3] = [("app", false), ("starter", false), ("engine", true)];

/// Builds what changed; the folder holds the finished site.
pub fn site(profile: Profile) -> Res<PathBuf> {
    setup::npm()?;
    compile(profile)?;
    let work = root().join("target/site").join(profile.name());
    for (bin, _) in BINS {
        bindgen(profile, bin, &work)?;
    }
    pack(profile, &work)?;
    Ok(work.join("site"))
}

/// Builds the site and copies it to `dist/`.
pub fn dist(profile: Profile) -> Res {
    let site = site(profile)?;
    let dist = root().join("dist");
    let _ = fs::remove_dir_all(&dist);
    copy_dir(&site, &dist).map_err(|e| format!("dist/ can't be written: {e}"))?;
    crate::shell::say("the site is in dist/: copy it to any path of any static host");
    Ok(())
}

fn copy_dir(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for path in list(from) {
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy_dir(&path, &target)?;
        } else {
            fs::copy(&path, &target)?;
        }
    }
    Ok(())
}

fn compile(profile: Profile) -> Res {
    let toolchain = toolchain::wasm()?;
    timed("compiling the page and the engine to WebAssembly", || {
        for whole in [false, true] {
            let args = ["build", "--package", "sandbar-web", "--target", TARGET];
            let mut build = toolchain.cargo(&args);
            build.arg("--target-dir").arg(toolchain::target_dir());
            build.args(["--profile", profile.name()]);
            for (bin, _) in BINS.iter().filter(|(_, wants)| *wants == whole) {
                build.args(["--bin", bin]);
            }
            if !whole {
                build.arg("--no-default-features");
            }
            if profile == Profile::Dev {
                // `?fixture=practical` plays canned messages, to work on the page alone.
                build.args(["--features", "fixture"]);
            }
            run(build, "the compiler's messages above say what to mend")?;
        }
        Ok(())
    })
}

/// Makes JavaScript glue and a bound module of one program in `work/gen/<bin>/`.
fn bindgen(profile: Profile, bin: &str, work: &Path) -> Res {
    let input =
        toolchain::target_dir().join(TARGET).join(profile.name()).join(format!("{bin}.wasm"));
    let out = work.join("gen").join(bin);
    let inputs = [input.clone(), root().join("web/js"), root().join("Cargo.lock")];
    let (stamp, print) = (work.join(format!("{bin}.stamp")), fingerprint(&inputs, ""));
    if is_fresh(&stamp, &print) && out.exists() {
        return Ok(());
    }
    timed(&format!("binding {bin}"), || {
        let _ = fs::remove_dir_all(&out);
        let mut bindgen = wasm_bindgen_cli_support::Bindgen::new();
        let made = bindgen
            .input_path(&input)
            .web(true)
            .and_then(|b| {
                b.typescript(false).remove_name_section(profile == Profile::Release).generate(&out)
            })
            .map_err(|e| format!("wasm-bindgen refused {bin}: {e:#}"));
        made?;
        if profile == Profile::Release {
            optimise(&out.join(format!("{bin}_bg.wasm")))?;
        }
        set_stamp(&stamp, &print)
    })
}

fn optimise(wasm: &Path) -> Res {
    let mut opt = cmd("node", &["node_modules/binaryen/bin/wasm-opt", "-Oz"]);
    for feature in [
        "bulk-memory",
        "bulk-memory-opt",
        "call-indirect-overlong",
        "multivalue",
        "mutable-globals",
        "nontrapping-float-to-int",
        "reference-types",
        "sign-ext",
    ] {
        opt.arg(format!("--enable-{feature}"));
    }
    opt.arg(wasm).arg("-o").arg(wasm);
    run(opt, "remove node_modules and try again")
}

fn pack(profile: Profile, work: &Path) -> Res {
    let gen_dir = work.join("gen");
    let inputs = [
        gen_dir.clone(),
        root().join("static"),
        root().join("web/js"),
        root().join("package-lock.json"),
        root().join("xtask/src/bundle.mjs"),
    ];
    let (stamp, print) = (work.join("site.stamp"), fingerprint(&inputs, ""));
    let site = work.join("site");
    if is_fresh(&stamp, &print) && site.exists() {
        return Ok(());
    }
    timed("bundling the page", || {
        let mut pack = cmd("node", &["xtask/src/bundle.mjs"]);
        pack.arg(&gen_dir).arg(&site).arg(profile.name());
        run(pack, "the bundler's messages above say what to mend")?;
        set_stamp(&stamp, &print)
    })
}
