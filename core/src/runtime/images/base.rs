//! What images are built on: busybox, Alpine, Debian and Ubuntu file systems.

use super::super::{ImageDef, LayerCx, LayerDef};
use crate::sim::Time;

/// Commands of busybox, which are all links to one program in real images.
const BUSYBOX: &[&str] = &[
    "awk",
    "base64",
    "basename",
    "cat",
    "chmod",
    "chown",
    "clear",
    "cp",
    "cut",
    "date",
    "df",
    "diff",
    "dirname",
    "du",
    "echo",
    "env",
    "expr",
    "false",
    "find",
    "free",
    "grep",
    "head",
    "hostname",
    "id",
    "ifconfig",
    "ip",
    "kill",
    "ln",
    "ls",
    "md5sum",
    "mkdir",
    "mktemp",
    "mv",
    "nc",
    "nohup",
    "nproc",
    "nslookup",
    "ping",
    "printenv",
    "printf",
    "ps",
    "pwd",
    "readlink",
    "realpath",
    "rm",
    "rmdir",
    "sed",
    "seq",
    "sha256sum",
    "sleep",
    "sort",
    "stat",
    "tail",
    "tar",
    "tee",
    "test",
    "timeout",
    "top",
    "touch",
    "tr",
    "true",
    "tty",
    "uname",
    "uniq",
    "uptime",
    "vi",
    "watch",
    "wc",
    "wget",
    "which",
    "whoami",
    "xargs",
    "yes",
];

/// Commands of a Debian base image (coreutils, findutils, grep, sed, tar, util-linux …).
const DEBIAN: &[&str] = &[
    "awk",
    "base64",
    "basename",
    "cat",
    "chmod",
    "chown",
    "cp",
    "cut",
    "date",
    "df",
    "diff",
    "dirname",
    "du",
    "echo",
    "env",
    "expr",
    "false",
    "find",
    "grep",
    "head",
    "hostname",
    "id",
    "kill",
    "ln",
    "ls",
    "md5sum",
    "mkdir",
    "mktemp",
    "mv",
    "nohup",
    "nproc",
    "printenv",
    "printf",
    "pwd",
    "readlink",
    "realpath",
    "rm",
    "rmdir",
    "sed",
    "seq",
    "sha256sum",
    "sleep",
    "sort",
    "stat",
    "tail",
    "tar",
    "tee",
    "test",
    "timeout",
    "touch",
    "tr",
    "true",
    "tty",
    "uname",
    "uniq",
    "wc",
    "which",
    "whoami",
    "xargs",
    "yes",
];

/// Users and groups that all have.
const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
bin:x:2:2:bin:/bin:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
";
const GROUP: &str =
    "root:x:0:\ndaemon:x:1:\nbin:x:2:\ntty:x:5:\nwww-data:x:33:\nnogroup:x:65534:\n";

fn common(cx: &LayerCx, shell: &str) {
    for dir in ["/bin", "/etc", "/home", "/root", "/usr/bin", "/usr/sbin", "/var/log", "/var/run"] {
        cx.dir(dir);
    }
    cx.own("/root", 0, 0, 0o700);
    cx.file("/etc/passwd", PASSWD.replacen("/bin/sh", shell, 1));
    cx.file("/etc/group", GROUP);
    cx.file("/etc/hostname", "localhost\n");
}

fn busybox_programs(cx: &LayerCx) {
    cx.program("/bin/sh", "ash");
    cx.program("/bin/ash", "ash");
    for name in BUSYBOX {
        cx.program(&format!("/bin/{name}"), name);
    }
}

fn busybox(cx: &LayerCx) {
    common(cx, "/bin/sh");
    busybox_programs(cx);
    cx.program("/bin/httpd", "httpd");
    cx.program("/bin/busybox", "busybox");
}

fn busybox_1_28(cx: &LayerCx) {
    busybox(cx);
    cx.program("/bin/nslookup", "nslookup-1.28");
}

fn alpine(cx: &LayerCx) {
    common(cx, "/bin/sh");
    busybox_programs(cx);
    cx.program("/bin/busybox", "busybox");
    cx.file("/etc/alpine-release", format!("{}\n", cx.arg));
    let minor = cx.arg.rsplit_once('.').map_or(cx.arg, |(minor, _)| minor);
    cx.file(
        "/etc/os-release",
        format!(
            "NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID={}\nPRETTY_NAME=\"Alpine Linux \
                v{minor}\"\n\
             HOME_URL=\"https://alpinelinux.org/\"\n",
            cx.arg
        ),
    );
}

fn debian_programs(cx: &LayerCx) {
    cx.program("/bin/sh", "dash");
    cx.program("/bin/dash", "dash");
    cx.program("/bin/bash", "bash");
    cx.program("/usr/bin/apt-get", "apt-get");
    cx.program("/usr/bin/apt", "apt-get");
    for name in DEBIAN {
        let dir = if is_in_usr(name) { "/usr/bin" } else { "/bin" };
        cx.program(&format!("{dir}/{name}"), name);
    }
}

/// What Debian had in /usr/bin before the two became one.
fn is_in_usr(name: &str) -> bool {
    !matches!(
        name,
        "cat"
            | "chmod"
            | "chown"
            | "cp"
            | "date"
            | "dd"
            | "df"
            | "echo"
            | "false"
            | "grep"
            | "gunzip"
            | "gzip"
            | "hostname"
            | "kill"
            | "ln"
            | "ls"
            | "mkdir"
            | "mktemp"
            | "more"
            | "mount"
            | "mv"
            | "pwd"
            | "readlink"
            | "rm"
            | "rmdir"
            | "sed"
            | "sleep"
            | "su"
            | "sync"
            | "tar"
            | "touch"
            | "true"
            | "uname"
    )
}

/// `arg` is `12 bookworm`.
fn debian(cx: &LayerCx) {
    common(cx, "/bin/bash");
    debian_programs(cx);
    let (version, code) = cx.arg.split_once(' ').unwrap_or((cx.arg, ""));
    cx.file("/etc/debian_version", format!("{version}\n"));
    cx.file(
        "/etc/os-release",
        format!(
            "PRETTY_NAME=\"Debian GNU/Linux {version} ({code})\"\nNAME=\"Debian GNU/Linux\"\n\
             VERSION_ID=\"{version}\"\nVERSION=\"{version} ({code})\"\nVERSION_CODENAME={code}\n\
             ID=debian\nHOME_URL=\"https://www.debian.org/\"\n"
        ),
    );
}

/// `arg` is `24.04 Noble Numbat`.
fn ubuntu(cx: &LayerCx) {
    common(cx, "/bin/bash");
    debian_programs(cx);
    let (version, code) = cx.arg.split_once(' ').unwrap_or((cx.arg, ""));
    cx.file(
        "/etc/os-release",
        format!(
            "PRETTY_NAME=\"Ubuntu {version} LTS\"\nNAME=\"Ubuntu\"\nVERSION_ID=\"{version}\"\n\
             VERSION=\"{version} LTS ({code})\"\nID=ubuntu\nID_LIKE=debian\n\
             HOME_URL=\"https://www.ubuntu.com/\"\n"
        ),
    );
}

/// Busybox's files.
pub const BUSYBOX_LAYER: LayerDef = LayerDef {
    id: "busybox",
    arg: "1.36.1",
    size: 4_261_550,
    created_by: "BusyBox 1.36.1 (glibc), Debian 12",
    build: busybox,
};

/// Alpine's files.
pub const ALPINE_LAYER: LayerDef = LayerDef {
    id: "alpine",
    arg: "3.20.3",
    size: 7_797_760,
    created_by: "ADD alpine-minirootfs-3.20.3-x86_64.tar.gz / # buildkit",
    build: alpine,
};

/// Debian's files, the slim variant.
pub const DEBIAN_LAYER: LayerDef = LayerDef {
    id: "debian-slim",
    arg: "12 bookworm",
    size: 74_781_184,
    created_by: "# debian.sh --arch 'amd64' out/ 'bookworm'",
    build: debian,
};

/// `busybox`
pub static BUSYBOX_IMAGE: ImageDef = ImageDef {
    repository: "busybox",
    tags: &[
        "latest", "1", "1.31", "1.32", "1.33", "1.34", "1.35", "1.36", "1.36.1", "1.37", "glibc",
        "musl", "uclibc", "stable",
    ],
    layers: &[BUSYBOX_LAYER],
    cmd: &["sh"],
    created: Time::from_secs(1_727_386_302),
    ..ImageDef::EMPTY
};

/// `busybox:1.28`, the last one whose `nslookup` asks for short names as other programs do.
pub static BUSYBOX_1_28_IMAGE: ImageDef = ImageDef {
    tags: &["1.28", "1.28.4", "1.27", "1.24"],
    layers: &[LayerDef {
        arg: "1.28.4",
        size: 1_146_369,
        created_by: "/bin/sh -c #(nop) ADD file:busybox.tar.xz in / ",
        build: busybox_1_28,
        ..BUSYBOX_LAYER
    }],
    created: Time::from_secs(1_526_947_000),
    ..BUSYBOX_IMAGE
};

/// `alpine`
pub static ALPINE_IMAGE: ImageDef = ImageDef {
    repository: "alpine",
    tags: &["latest", "3", "3.18", "3.19", "3.20", "3.20.3", "edge"],
    layers: &[ALPINE_LAYER],
    cmd: &["/bin/sh"],
    created: Time::from_secs(1_725_638_400),
    ..ImageDef::EMPTY
};

/// `debian`
pub static DEBIAN_IMAGE: ImageDef = ImageDef {
    repository: "debian",
    tags: &["latest", "12", "bookworm", "stable"],
    layers: &[LayerDef { id: "debian", size: 116_500_000, ..DEBIAN_LAYER }],
    cmd: &["bash"],
    created: Time::from_secs(1_727_395_200),
    ..ImageDef::EMPTY
};

/// `debian:bookworm-slim`
pub static DEBIAN_SLIM_IMAGE: ImageDef = ImageDef {
    repository: "debian",
    tags: &["bookworm-slim", "12-slim", "stable-slim"],
    layers: &[DEBIAN_LAYER],
    cmd: &["bash"],
    created: Time::from_secs(1_727_395_200),
    ..ImageDef::EMPTY
};

/// What the controller manager has volumes emptied with.
pub static RECYCLER_IMAGE: ImageDef = ImageDef {
    repository: "registry.k8s.io/build-image/debian-base",
    tags: &["bookworm-v1.0.6"],
    layers: &[DEBIAN_LAYER],
    cmd: &["/bin/sh"],
    created: Time::from_secs(1_756_000_000),
    ..ImageDef::EMPTY
};

/// `ubuntu`
pub static UBUNTU_IMAGE: ImageDef = ImageDef {
    repository: "ubuntu",
    tags: &["latest", "24.04", "noble"],
    layers: &[LayerDef {
        id: "ubuntu",
        arg: "24.04 Noble Numbat",
        size: 78_120_960,
        created_by: "ADD file:ubuntu-noble-core-cloudimg-amd64-root.tar.gz in / ",
        build: ubuntu,
    }],
    cmd: &["/bin/bash"],
    created: Time::from_secs(1_726_500_000),
    ..ImageDef::EMPTY
};

/// `ubuntu:22.04`
pub static UBUNTU_JAMMY_IMAGE: ImageDef = ImageDef {
    repository: "ubuntu",
    tags: &["22.04", "jammy"],
    layers: &[LayerDef {
        id: "ubuntu",
        arg: "22.04 Jammy Jellyfish",
        size: 77_860_864,
        created_by: "ADD file:ubuntu-jammy-core-cloudimg-amd64-root.tar.gz in / ",
        build: ubuntu,
    }],
    cmd: &["/bin/bash"],
    created: Time::from_secs(1_726_200_000),
    ..ImageDef::EMPTY
};
