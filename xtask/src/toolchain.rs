//! Makes the standard library for wasm32 available.
//!
//! In this order: the current toolchain has it; one composed earlier; `rustup target add`; Debian's
//! `rustc-web` with its source, from which std is built once (about a minute).

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Res,
    shell::{cmd, list, on_path, output, read, root, run, say, write},
};

/// The target all of the page is built for.
pub const TARGET: &str = "wasm32-unknown-unknown";

const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_SRC: &str = "/usr/lib/rustlib/src/rust/library/std/Cargo.toml";
const DEBIAN_LLD: &str = "/usr/lib/llvm-22/bin/lld";
const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-22"];

/// A toolchain that can build for [`TARGET`].
pub enum Toolchain {
    /// The one that runs xtask.
    Default,
    /// One composed here; its `bin` goes first on PATH.
    Composed(PathBuf),
}

impl Toolchain {
    /// A cargo command of this toolchain, in the workspace's folder, free of what the outer cargo
    /// set for its own children.
    pub fn cargo(&self, args: &[&str]) -> Command {
        let program = match self {
            Toolchain::Default => env::var("CARGO").unwrap_or_else(|_| "cargo".into()),
            Toolchain::Composed(dir) => dir.join("bin/cargo").to_string_lossy().into_owned(),
        };
        let mut c = cmd(program, args);
        for name in ["RUSTC", "CARGO", "LD_LIBRARY_PATH", "CARGO_MANIFEST_DIR", "CARGO_PKG_NAME"] {
            c.env_remove(name);
        }
        if let Toolchain::Composed(dir) = self {
            c.env_remove("RUSTUP_TOOLCHAIN").env("PATH", path_with(&dir.join("bin")));
        }
        c
    }
}

fn path_with(first: &Path) -> std::ffi::OsString {
    let rest = env::var_os("PATH").unwrap_or_default();
    let dirs = std::iter::once(first.to_owned()).chain(env::split_paths(&rest));
    env::join_paths(dirs).unwrap_or(rest)
}

/// Finds or makes one.
pub fn wasm() -> Res<Toolchain> {
    let forced = env::var_os("SANDBAR_FORCE_DEBIAN_WASM").is_some();
    if !forced && has_std() {
        return Ok(Toolchain::Default);
    }
    let dir = home()?.join(".cache/sandbar/wasm-toolchain");
    if is_composed(&dir) {
        return Ok(Toolchain::Composed(dir));
    }
    if !forced && on_path("rustup") {
        say(format!("adding the target {TARGET} with rustup"));
        let added = cmd("rustup", &["target", "add", TARGET]).status();
        if added.is_ok_and(|s| s.success()) && has_std() {
            return Ok(Toolchain::Default);
        }
    }
    say("rustup can't add the target; building its standard library with Debian's rustc-web");
    install_debian()?;
    compose(&dir)?;
    Ok(Toolchain::Composed(dir))
}

fn home() -> Res<PathBuf> {
    env::var_os("HOME").map(PathBuf::from).ok_or_else(|| "HOME is not set; set it".into())
}

/// Whether the toolchain in use has std for the target.
fn has_std() -> bool {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let args = ["--print", "target-libdir", "--target", TARGET];
    output(cmd(rustc, &args)).is_some_and(|dir| {
        list(Path::new(&dir)).iter().any(|f| {
            let name = f.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("libstd-") && name.ends_with(".rlib")
        })
    })
}

fn debian_version() -> Option<String> {
    output(cmd(DEBIAN_RUSTC, &["-V"]))
}

fn is_composed(dir: &Path) -> bool {
    output(cmd(dir.join("bin/rustc"), &["-V"])).is_some()
        && debian_version().is_some_and(|v| read(&dir.join("stamp")).is_ok_and(|s| s == v))
}

fn install_debian() -> Res {
    if [DEBIAN_SRC, DEBIAN_LLD, DEBIAN_CARGO].iter().all(|p| Path::new(p).exists()) {
        return Ok(());
    }
    crate::setup::apt(&DEBIAN_PACKAGES, "a WebAssembly standard library")
}

/// Builds std for the target with Debian's compiler and lays out a toolchain of links around it.
fn compose(dir: &Path) -> Res {
    say("building std for wasm32 (about a minute, once)");
    let work = dir.with_extension("build");
    let _ = fs::remove_dir_all(&work);
    let _ = fs::remove_dir_all(dir);
    write(&work.join("src/lib.rs"), "#![no_std]\n")?;
    write(
        &work.join("Cargo.toml"),
        "[package]\nname = \"std-seed\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[workspace]\n\
         [profile.release]\nopt-level = 3\ncodegen-units = 1\npanic = \"abort\"\n",
    )?;
    let mut build = Command::new(DEBIAN_CARGO);
    build.current_dir(&work).args(["build", "--quiet", "--release", "--target", TARGET]);
    build.arg("-Zbuild-std=std,panic_abort,proc_macro,test");
    for name in ["RUSTUP_TOOLCHAIN", "RUSTC", "CARGO", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"] {
        build.env_remove(name);
    }
    build.env_remove("CARGO_TARGET_DIR").env_remove("LD_LIBRARY_PATH");
    build.env("PATH", "/usr/bin:/bin").env("RUSTC_BOOTSTRAP", "1");
    // Without bitcode in std, LTO of the page's crates with it is refused.
    build.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", "-Cembed-bitcode=yes");
    run(build, "install rustup, whose `rustup target add` makes this unnecessary")?;
    lay_out(dir, &work).map_err(|e| format!("{} can't be laid out: {e}", dir.display()))?;
    let _ = fs::remove_dir_all(&work);
    write(&dir.join("stamp"), debian_version().unwrap_or_default())
}

fn lay_out(dir: &Path, work: &Path) -> std::io::Result<()> {
    let lib = dir.join("lib/rustlib").join(TARGET).join("lib");
    fs::create_dir_all(&lib)?;
    for file in list(&work.join("target").join(TARGET).join("release/deps")) {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".rlib") && !name.starts_with("libstd_seed-") {
            fs::copy(&file, lib.join(&name))?;
        }
    }
    let host = output(cmd(DEBIAN_RUSTC, &["-vV"]))
        .and_then(|v| v.lines().find_map(|l| l.strip_prefix("host: ").map(str::to_owned)))
        .unwrap_or_else(|| "x86_64-unknown-linux-gnu".into());
    let host_dir = dir.join("lib/rustlib").join(&host);
    link(&Path::new("/usr/lib/rustlib").join(&host).join("lib"), &host_dir.join("lib"))?;
    link(Path::new(DEBIAN_LLD), &host_dir.join("bin/rust-lld"))?;
    link(Path::new("/usr/lib/rustlib/src"), &dir.join("lib/rustlib/src"))?;
    link(Path::new(DEBIAN_CARGO), &dir.join("bin/cargo"))?;
    for name in ["rustc", "rustdoc"] {
        let script =
            format!("#!/bin/sh\nexec /usr/bin/{name} --sysroot \"{}\" \"$@\"\n", dir.display());
        let path = dir.join("bin").join(name);
        fs::write(&path, script)?;
        make_executable(&path)?;
    }
    Ok(())
}

fn link(to: &Path, at: &Path) -> std::io::Result<()> {
    at.parent().map_or(Ok(()), fs::create_dir_all)?;
    #[cfg(unix)]
    return std::os::unix::fs::symlink(to, at);
    #[cfg(not(unix))]
    return Err(std::io::Error::other(format!("no links to {} on this system", to.display())));
}

fn make_executable(path: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    let _ = path;
    Ok(())
}

/// Where the page's crates are built, apart from native ones so that neither evicts the other.
pub fn target_dir() -> PathBuf {
    root().join("target/wasm")
}
