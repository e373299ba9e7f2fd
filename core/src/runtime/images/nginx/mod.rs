//! nginx: the program and the images that are made of it.

mod conf;
mod program;

use std::fmt::Write;

use super::{
    super::{ImageDef, LayerCx, LayerDef},
    base::{ALPINE_LAYER, DEBIAN_LAYER},
};
use crate::{
    machine::{FsError, Program, Signal},
    sim::Time,
};

/// `nginx`
pub const PROGRAM: Program = Program {
    name: "nginx",
    summary: "a web server",
    run: |proc| Box::pin(program::main(proc)),
    complete: None,
};

/// `/docker-entrypoint.sh` of the official image.
pub const ENTRYPOINT: Program = Program {
    name: "nginx-entrypoint",
    summary: "prepares nginx's configuration in a container",
    run: |proc| Box::pin(program::entrypoint(proc)),
    complete: None,
};

const NGINX_CONF: &str = "
user  nginx;
worker_processes  auto;

error_log  /var/log/nginx/error.log notice;
pid        /var/run/nginx.pid;


events {
    worker_connections  1024;
}


http {
    include       /etc/nginx/mime.types;
    default_type  application/octet-stream;

    log_format  main  '$remote_addr - $remote_user [$time_local] \"$request\" '
                      '$status $body_bytes_sent \"$http_referer\" '
                      '\"$http_user_agent\" \"$http_x_forwarded_for\"';

    access_log  /var/log/nginx/access.log  main;

    sendfile        on;
    #tcp_nopush     on;

    keepalive_timeout  65;

    #gzip  on;

    include /etc/nginx/conf.d/*.conf;
}
";

const DEFAULT_CONF: &str = "server {
    listen       80;
    server_name  localhost;

    #access_log  /var/log/nginx/host.access.log  main;

    location / {
        root   /usr/share/nginx/html;
        index  index.html index.htm;
    }

    #error_page  404              /404.html;

    # redirect server error pages to the static page /50x.html
    #
    error_page   500 502 503 504  /50x.html;
    location = /50x.html {
        root   /usr/share/nginx/html;
    }
}
";

const WELCOME: &str = "<!DOCTYPE html>
<html>
<head>
<title>Welcome to nginx!</title>
<style>
html { color-scheme: light dark; }
body { width: 35em; margin: 0 auto; font-family: Tahoma, Verdana, Arial, sans-serif; }
</style>
</head>
<body>
<h1>Welcome to nginx!</h1>
<p>This page is what a fresh nginx serves: the server runs, and its own
content and configuration are still to come.</p>

<p><em>Replace <code>/usr/share/nginx/html/index.html</code> with a page of your own.</em></p>
</body>
</html>
";

const ERROR_PAGE: &str = "<!DOCTYPE html>
<html>
<head><title>Error</title></head>
<body>
<h1>Something went wrong.</h1>
<p>The page can't be shown at the moment. Look at the server's error log.</p>
</body>
</html>
";

fn files(cx: &LayerCx) {
    cx.program("/usr/sbin/nginx", "nginx");
    cx.program("/docker-entrypoint.sh", "nginx-entrypoint");
    cx.file("/etc/nginx/nginx.conf", NGINX_CONF);
    cx.file("/etc/nginx/mime.types", "types {\n    text/html  html htm;\n}\n");
    cx.file("/etc/nginx/conf.d/default.conf", DEFAULT_CONF);
    cx.file("/etc/nginx/version", format!("{}\n", cx.arg));
    cx.file("/usr/share/nginx/html/index.html", WELCOME);
    cx.file("/usr/share/nginx/html/50x.html", ERROR_PAGE);
    cx.dir("/var/cache/nginx");
    cx.dir("/docker-entrypoint.d");
    for script in [
        "10-listen-on-ipv6-by-default.sh",
        "15-local-resolvers.envsh",
        "20-envsubst-on-templates.sh",
        "30-tune-worker-processes.sh",
    ] {
        cx.script(&format!("/docker-entrypoint.d/{script}"), "#!/bin/sh\nexit 0\n");
    }
    cx.link("/var/log/nginx/access.log", "/dev/stdout");
    cx.link("/var/log/nginx/error.log", "/dev/stderr");
    // Debian's image has curl as well (since 1.21); before, people had to install it.
    if !super::before(cx.arg, 1, 21) {
        cx.program("/usr/bin/curl", "curl");
    }
}

pub(super) const fn layer(version: &'static str, size: u64) -> LayerDef {
    LayerDef {
        id: "nginx",
        arg: version,
        size,
        created_by: "RUN /bin/sh -c set -x     && groupadd --system --gid 101 nginx …",
        build: files,
    }
}

/// What all nginx images have in common.
pub(super) const BASE: ImageDef = ImageDef {
    repository: "nginx",
    entrypoint: &["/docker-entrypoint.sh"],
    cmd: &["nginx", "-g", "daemon off;"],
    exposed: &["80/tcp"],
    stop_signal: Signal::Quit,
    ..ImageDef::EMPTY
};

macro_rules! images {
    ($($name:ident $version:literal $base:ident $size:literal $created:literal [$($tag:literal)*];)*) => {
        $(static $name: ImageDef = ImageDef {
            tags: &[$($tag),*],
            layers: &[$base, layer($version, $size)],
            env: &[
                ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
                ("NGINX_VERSION", $version),
                ("PKG_RELEASE", "1~bookworm"),
            ],
            created: Time::from_secs($created),
            ..BASE
        };)*
        /// The official images.
        pub const IMAGES: &[&ImageDef] = &[$(&$name),*];
    };
}

// name     version   base          size         created         tags
images! {
    V1_7_9  "1.7.9"   DEBIAN_LAYER  16_700_000   1_422_748_800   ["1.7" "1.7.9"];
    V1_8    "1.8.1"   DEBIAN_LAYER  58_400_000   1_453_766_400   ["1.8" "1.8.1"];
    V1_9    "1.9.1"   DEBIAN_LAYER  58_300_000   1_432_684_800   ["1.9" "1.9.1"];
    V1_14   "1.14.2"  DEBIAN_LAYER  34_500_000   1_543_881_600   ["1.14" "1.14.2"];
    V1_16   "1.16.1"  DEBIAN_LAYER  52_200_000   1_565_654_400   ["1.16" "1.16.0" "1.16.1"];
    V1_17   "1.17.10" DEBIAN_LAYER  52_400_000   1_586_822_400   ["1.17" "1.17.10"];
    V1_18   "1.18.0"  DEBIAN_LAYER  58_300_000   1_587_427_200   ["1.18" "1.18.0"];
    V1_19   "1.19.10" DEBIAN_LAYER  58_400_000   1_618_272_000   ["1.19" "1.19.10"];
    V1_20   "1.20.2"  DEBIAN_LAYER  66_800_000   1_637_020_800   ["1.20" "1.20.2"];
    V1_21   "1.21.6"  DEBIAN_LAYER  67_000_000   1_643_068_800   ["1.21" "1.21.6"];
    V1_22   "1.22.1"  DEBIAN_LAYER  67_400_000   1_666_137_600   ["1.22" "1.22.1"];
    V1_23   "1.23.4"  DEBIAN_LAYER  67_300_000   1_680_003_600   ["1.23" "1.23.4"];
    V1_24   "1.24.0"  DEBIAN_LAYER  67_500_000   1_681_228_800   ["1.24" "1.24.0"];
    V1_25   "1.25.5"  DEBIAN_LAYER  112_900_000  1_713_283_200   ["1.25" "1.25.3" "1.25.5"];
    V1_26   "1.26.3"  DEBIAN_LAYER  117_100_000  1_738_800_000   ["1.26" "1.26.3" "stable"];
    V1_27   "1.27.5"  DEBIAN_LAYER  117_200_000  1_744_761_600   ["1.27" "1.27.5"];
    V1_28   "1.28.0"  DEBIAN_LAYER  117_300_000  1_745_366_400   ["1.28" "1.28.0"];
    V1_29   "1.29.3"  DEBIAN_LAYER  117_400_000  1_761_609_600   ["1.29" "1.29.3" "1" "latest" "mainline"];
    ALPINE  "1.29.3"  ALPINE_LAYER  44_900_000   1_761_609_600   ["1.29-alpine" "alpine" "stable-alpine"];
    ALPINE2 "1.25.5"  ALPINE_LAYER  40_300_000   1_713_283_200   ["1.25-alpine" "1.24-alpine"];
}

const fn pages(id: &'static str, arg: &'static str, build: fn(&LayerCx)) -> LayerDef {
    LayerDef {
        id,
        arg,
        size: 1_700,
        created_by: "COPY html /usr/share/nginx/html # buildkit",
        build,
    }
}

fn versioned(cx: &LayerCx) {
    let colour = if cx.arg == "1.0" { "#2a6f97" } else { "#7a3e9d" };
    let mut page = String::new();
    let _ = write!(
        page,
        "<!DOCTYPE html>\n<html>\n<head><title>Version {0}</title></head>\n\
         <body style=\"background: {colour}; color: white; font-family: sans-serif\">\n\
         <h1>Version {0}</h1>\n<p>This page is served by nginx, version {0} of this image.</p>\n\
         </body>\n</html>\n",
        cx.arg
    );
    cx.file("/usr/share/nginx/html/index.html", page);
}

macro_rules! versioned {
    ($name:ident $version:literal [$($tag:literal)*]) => {
        /// A page that tells its version.
        pub static $name: ImageDef = ImageDef {
            repository: "vergeops/versioned-nginx",
            tags: &[$($tag),*],
            layers: &[DEBIAN_LAYER, layer("1.17.10", 52_400_000), pages("versioned", $version, versioned)],
            entrypoint: &[],
            ..BASE
        };
    };
}
versioned!(VERSIONED_1 "1.0" ["1.0"]);
versioned!(VERSIONED_2 "2.0" ["2.0" "latest"]);

/// A page for first steps.
pub static KIAMOL_02: ImageDef = ImageDef {
    repository: "kiamol/ch02-hello-kiamol",
    layers: &[
        ALPINE_LAYER,
        layer("1.17.10", 13_500_000),
        pages("kiamol-02", "", |cx| {
            cx.file(
                "/usr/share/nginx/html/index.html",
                "<html>\n  <body>\n    <h1>\n      Hello from Chapter 2!\n    </h1>\n    <h2>\n  \
                        \
                 A page from a pod, to look at and to change\n    </h2>\n    <h3>\n      Served by \
                 nginx\n    </h3>\n  </body>\n</html>\n",
            );
        }),
    ],
    entrypoint: &[],
    ..BASE
};

/// The number nginx prints with an error.
fn errno_number(error: &FsError) -> u32 {
    match error {
        FsError::NotFound => 2,
        FsError::Access => 13,
        FsError::NotADirectory => 20,
        FsError::IsADirectory => 21,
        _ => 5,
    }
}
