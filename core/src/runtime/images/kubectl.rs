//! Images with kubectl in them, for scripts that work with the cluster from inside.

use super::{
    super::{ImageDef, LayerDef},
    base::{ALPINE_LAYER, DEBIAN_LAYER},
};
use crate::sim::Time;

const KUBECTL: LayerDef = LayerDef {
    id: "kubectl",
    arg: "1.37.0",
    size: 58_500_000,
    created_by: "COPY kubectl /usr/local/bin/kubectl # buildkit",
    build: |cx| cx.program("/usr/local/bin/kubectl", "kubectl"),
};

/// On Debian, with bash.
pub static BITNAMI: ImageDef = ImageDef {
    repository: "bitnami/kubectl",
    tags: &["latest", "1.37", "1.37.0"],
    layers: &[DEBIAN_LAYER, KUBECTL],
    entrypoint: &["kubectl"],
    cmd: &["--help"],
    user: "1001",
    created: Time::from_secs(1_785_000_000),
    ..ImageDef::EMPTY
};

/// On Alpine, with busybox's shell.
pub static ALPINE: ImageDef = ImageDef {
    repository: "alpine/kubectl",
    tags: &["latest", "1.37.0"],
    layers: &[ALPINE_LAYER, KUBECTL],
    entrypoint: &["kubectl"],
    created: Time::from_secs(1_785_000_000),
    ..ImageDef::EMPTY
};
