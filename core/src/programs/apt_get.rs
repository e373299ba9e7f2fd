//! `apt-get`: installs the packages that this sandbox has programs for.

use std::time::Duration;

use super::support::net;
use crate::machine::{Proc, Program, fs::program_file};

/// `apt-get`
pub const PROGRAM: Program = Program {
    name: "apt-get",
    summary: "install packages",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

/// A package: name, version, kilobytes to get, kilobytes it takes, and its programs by path.
struct Package {
    name: &'static str,
    version: &'static str,
    kilobytes: (u64, u64),
    programs: &'static [(&'static str, &'static str)],
}

macro_rules! packages {
    ($($name:literal $version:literal $get:literal $take:literal [$($path:literal $program:literal)*];)*) => {
        &[$(Package {
            name: $name,
            version: $version,
            kilobytes: ($get, $take),
            programs: &[$(($path, $program)),*],
        }),*]
    };
}

// Name             version             get  takes  programs
static PACKAGES: &[Package] = packages! {
    "bind9-dnsutils" "1:9.18.28-1"      403  1067   ["/usr/bin/nslookup" "nslookup"];
    "curl"           "7.88.1-10+deb12u7" 315 500    ["/usr/bin/curl" "curl"];
    "dnsutils"       "1:9.18.28-1"      11   21     ["/usr/bin/nslookup" "nslookup"];
    "iproute2"       "6.1.0-3"          1046 3665   ["/sbin/ip" "ip"];
    "iputils-ping"   "3:20221126-1"     47   122    ["/bin/ping" "ping"];
    "less"           "590-2.1"          131  319    ["/usr/bin/less" "less"];
    "nano"           "7.2-1"            690  2871   ["/bin/nano" "nano"];
    "net-tools"      "2.10-0.1"         243  931    ["/sbin/ifconfig" "ifconfig"];
    "netcat-openbsd" "1.219-1"          41   109    ["/bin/nc" "nc"];
    "procps"         "2:4.0.2-3"        709  2389
        ["/bin/ps" "ps" "/usr/bin/free" "free" "/usr/bin/pgrep" "pgrep" "/usr/bin/pkill" "pkill"
         "/usr/bin/top" "top" "/usr/bin/uptime" "uptime" "/usr/bin/watch" "watch"];
    "redis-tools"    "5:7.0.15-1"       989  6379   ["/usr/bin/redis-cli" "redis-cli"];
    "sudo"           "1.9.13p3-1"       1889 6199   ["/usr/bin/sudo" "sudo"];
    "vim"            "2:9.0.1378-2"     1567 3744   ["/usr/bin/vim" "vi" "/usr/bin/vi" "vi"];
    "wget"           "1.21.3-1"         984  3692   ["/usr/bin/wget" "wget"];
};

/// Where the lists of packages are once `update` has run.
const LISTS: &str =
    "/var/lib/apt/lists/deb.debian.org_debian_dists_bookworm_main_binary-amd64_Packages";
/// What is installed, a name a line.
const INSTALLED: &str = "/var/lib/dpkg/status-names";

async fn main(proc: Proc) -> i32 {
    let args: Vec<&str> = proc.args().iter().skip(1).map(String::as_str).collect();
    let yes = args.iter().any(|a| matches!(*a, "-y" | "--yes" | "-qy" | "-yq" | "-qqy"));
    let quiet = args.iter().any(|a| matches!(*a, "-qq" | "-qqy"));
    let words: Vec<&str> = args.iter().copied().filter(|a| !a.starts_with('-')).collect();
    if proc.who().uid != 0 {
        proc.eprint(
            "E: Could not open lock file /var/lib/dpkg/lock-frontend - open (13: Permission \
                denied)\n\
             E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), are you root?\n",
        )
        .await;
        return 100;
    }
    match words.split_first() {
        Some((&"update", _)) => update(&proc, quiet).await,
        Some((&"install", names)) => install(&proc, names, yes, quiet).await,
        Some((&("remove" | "purge"), names)) => remove(&proc, names).await,
        Some((&("clean" | "autoremove" | "autoclean"), _)) => 0,
        Some((&"upgrade", _)) => {
            lists(&proc).await;
            proc.print("0 upgraded, 0 newly installed, 0 to remove and 0 not upgraded.\n").await;
            0
        }
        Some((other, _)) => {
            proc.eprint(&format!("E: Invalid operation {other}\n")).await;
            100
        }
        None => {
            proc.print(
                "Usage: apt-get [-y] [-q] update|install|remove|upgrade|clean [PACKAGE...]\n",
            )
            .await;
            1
        }
    }
}

async fn update(proc: &Proc, quiet: bool) -> i32 {
    if net::endpoint(proc).is_none_or(|e| e.addresses().is_empty()) {
        proc.print(
            "Err:1 http://deb.debian.org/debian bookworm InRelease\n  Temporary failure resolving \
             'deb.debian.org'\nReading package lists...\n",
        )
        .await;
        return 100;
    }
    let sources = [
        ("", "InRelease", 151, 300),
        ("-updates", "InRelease", 55, 60),
        ("", "main amd64 Packages", 8787, 900),
    ];
    for (number, (suite, what, kilobytes, millis)) in sources.into_iter().enumerate() {
        proc.sleep(Duration::from_millis(millis)).await;
        if !quiet {
            let line = format!(
                "Get:{} http://deb.debian.org/debian bookworm{suite} {what} [{kilobytes} kB]\n",
                number + 1
            );
            proc.print(&line).await;
        }
    }
    let root = proc.machine().files().root();
    if root.write(LISTS, "", proc.sim().now()).is_err() {
        proc.eprint("E: List directory /var/lib/apt/lists is missing.\n").await;
        return 100;
    }
    if !quiet {
        proc.print("Fetched 8993 kB in 1s (7137 kB/s)\nReading package lists... Done\n").await;
    }
    0
}

async fn lists(proc: &Proc) {
    proc.sleep(Duration::from_millis(250)).await;
    proc.print(
        "Reading package lists... Done\nBuilding dependency tree... Done\nReading state \
            information... Done\n",
    )
    .await;
}

fn installed(proc: &Proc) -> Vec<String> {
    let text = proc.read_text(INSTALLED).unwrap_or_default();
    text.lines().map(str::to_string).collect()
}

async fn install(proc: &Proc, names: &[&str], yes: bool, quiet: bool) -> i32 {
    if !quiet {
        lists(proc).await;
    }
    let known = proc.exists(LISTS);
    let mut wanted: Vec<&Package> = Vec::new();
    for name in names {
        let bare = name.split('=').next().unwrap_or(name);
        match PACKAGES.iter().find(|p| p.name == bare).filter(|_| known) {
            Some(package) => wanted.push(package),
            None => {
                proc.eprint(&format!("E: Unable to locate package {name}\n")).await;
                return 100;
            }
        }
    }
    let have = installed(proc);
    for package in wanted.iter().filter(|p| have.iter().any(|h| h == p.name)) {
        let line =
            format!("{} is already the newest version ({}).\n", package.name, package.version);
        proc.print(&line).await;
    }
    wanted.retain(|p| !have.iter().any(|h| h == p.name));
    let count = wanted.len();
    let sum = |f: fn(&Package) -> u64| wanted.iter().map(|p| f(p)).sum::<u64>();
    let (get, take) = (sum(|p| p.kilobytes.0), sum(|p| p.kilobytes.1));
    if count > 0 && !quiet {
        let list: Vec<&str> = wanted.iter().map(|p| p.name).collect();
        let line = format!("The following NEW packages will be installed:\n  {}\n", list.join(" "));
        proc.print(&line).await;
    }
    if !quiet {
        let line =
            format!("0 upgraded, {count} newly installed, 0 to remove and 0 not upgraded.\n");
        proc.print(&line).await;
    }
    if count == 0 {
        return 0;
    }
    if !quiet {
        let line = format!(
            "Need to get {get} kB of archives.\nAfter this operation, {take} kB of additional \
                disk space will be used.\n"
        );
        proc.print(&line).await;
    }
    if !yes {
        proc.print("Do you want to continue? [Y/n] ").await;
        let answer = proc.read_line().await.unwrap_or_else(|| "n".into());
        if !matches!(answer.trim(), "" | "y" | "Y" | "yes") {
            proc.print("Abort.\n").await;
            return 1;
        }
    }
    unpack(proc, &wanted, quiet).await
}

async fn unpack(proc: &Proc, wanted: &[&Package], quiet: bool) -> i32 {
    for (number, package) in wanted.iter().enumerate() {
        // 10 MB/s, and the time to ask.
        proc.sleep(Duration::from_millis(80 + package.kilobytes.0 / 10)).await;
        if !quiet {
            let line = format!(
                "Get:{} http://deb.debian.org/debian bookworm/main amd64 {} amd64 {} [{} kB]\n",
                number + 1,
                package.name,
                package.version,
                package.kilobytes.0
            );
            proc.print(&line).await;
        }
    }
    let (root, now) = (proc.machine().files().root(), proc.sim().now());
    for package in wanted {
        proc.sleep(Duration::from_millis(60 + package.kilobytes.1 / 100)).await;
        let (name, version) = (package.name, package.version);
        proc.print(&format!("Unpacking {name} ({version}) ...\n")).await;
        for (path, program) in package.programs {
            if let Err(error) = root.write_shared(path, program_file(program), 0o755, now) {
                proc.eprint(&format!("dpkg: error processing {name}: {path}: {error}\n")).await;
                return 100;
            }
        }
        proc.print(&format!("Setting up {name} ({version}) ...\n")).await;
    }
    let mut all = installed(proc);
    all.extend(wanted.iter().map(|p| p.name.to_string()));
    let _ = root.write(INSTALLED, all.join("\n") + "\n", now);
    0
}

async fn remove(proc: &Proc, names: &[&str]) -> i32 {
    lists(proc).await;
    let mut have = installed(proc);
    let gone: Vec<&Package> = PACKAGES
        .iter()
        .filter(|p| names.contains(&p.name) && have.iter().any(|h| h == p.name))
        .collect();
    let (root, now) = (proc.machine().files().root(), proc.sim().now());
    for name in names.iter().filter(|n| !have.iter().any(|h| h == *n)) {
        proc.print(&format!("Package '{name}' is not installed, so not removed\n")).await;
    }
    for package in &gone {
        proc.print(&format!("Removing {} ({}) ...\n", package.name, package.version)).await;
        for (path, _) in package.programs {
            let _ = root.take(path, now);
        }
    }
    have.retain(|h| !gone.iter().any(|p| p.name == h));
    let _ = root.write(INSTALLED, have.join("\n"), now);
    let line =
        format!("0 upgraded, 0 newly installed, {} to remove and 0 not upgraded.\n", gone.len());
    proc.print(&line).await;
    0
}
