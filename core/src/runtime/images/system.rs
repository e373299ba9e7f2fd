//! Images of the cluster's own containers and of minikube's node.
//!
//! Their programs (`etcd`, `kube-apiserver`, `systemd` …) belong to who puts clusters together
//! (`clusters`); here is only what needs no cluster: `pause` and the node's entrypoint.

use super::{
    super::{ImageDef, LayerDef},
    base::DEBIAN_LAYER,
};
use crate::{
    machine::{Proc, Program, Signal},
    sim::Time,
};

/// `pause`: holds a pod's namespaces.
pub const PAUSE: Program = Program {
    name: "pause",
    summary: "holds a pod's namespaces",
    run: |proc| Box::pin(pause(proc)),
    complete: None,
};

async fn pause(proc: Proc) -> i32 {
    proc.process().set_memory(40 << 10);
    loop {
        if let Signal::Term | Signal::Int = proc.signal().await {
            proc.print("Shutting down, got signal: Terminated\n").await;
            return 0;
        }
    }
}

/// `/usr/local/bin/entrypoint` of minikube's node: makes the container look like a machine, then
/// becomes its init.
pub const NODE_ENTRYPOINT: Program = Program {
    name: "node-entrypoint",
    summary: "makes a container a node",
    run: |proc| Box::pin(node_entrypoint(proc)),
    complete: None,
};

async fn node_entrypoint(proc: Proc) -> i32 {
    proc.print(
        "INFO: ensuring we can execute mount/umount even with userns-remap\n\
         INFO: remounting /sys read-only\n\
         INFO: making mounts shared\n\
         INFO: clearing and regenerating /etc/machine-id\n\
         INFO: setting iptables to detected mode: nft\n\
         INFO: starting init\n",
    )
    .await;
    match proc.exec(proc.args()[1..].to_vec()) {
        Ok(run) => run.await,
        Err(error) => {
            proc.eprint(&format!("/usr/local/bin/entrypoint: {error}\n")).await;
            error.code()
        }
    }
}

macro_rules! images {
    ($($name:ident $repository:literal [$($tag:literal)*] $size:literal $path:literal $program:literal
       $entrypoint:expr;)*) => {
        $(static $name: ImageDef = ImageDef {
            repository: $repository,
            tags: &[$($tag),*],
            layers: &[LayerDef {
                id: $repository,
                arg: "",
                size: $size,
                created_by: concat!("COPY ", $program, " ", $path, " # buildkit"),
                build: |cx| cx.program($path, $program),
            }],
            entrypoint: $entrypoint,
            created: Time::from_secs(1_780_000_000),
            ..ImageDef::EMPTY
        };)*
        /// The images of the system's containers.
        pub const IMAGES: &[&ImageDef] = &[$(&$name,)* &NODE];
    };
}

// name  repository  [tags]  size
//     file  program  entrypoint
images! {
    COREDNS "registry.k8s.io/coredns/coredns" ["v1.14.2" "v1.13.1" "v1.12.1"] 76_000_000
        "/coredns" "coredns" &["/coredns"];
    METRICS "registry.k8s.io/metrics-server/metrics-server" ["v0.8.0" "v0.7.2"] 67_500_000
        "/metrics-server" "metrics-server" &["/metrics-server"];
    ETCD "registry.k8s.io/etcd" ["3.6.8-0" "3.6.5-0"] 61_500_000
        "/usr/local/bin/etcd" "etcd" &[];
    API_SERVER "registry.k8s.io/kube-apiserver" ["v1.36.2"] 90_800_000
        "/usr/local/bin/kube-apiserver" "kube-apiserver" &[];
    MANAGER "registry.k8s.io/kube-controller-manager" ["v1.36.2"] 76_900_000
        "/usr/local/bin/kube-controller-manager" "kube-controller-manager" &[];
    PROXY "registry.k8s.io/kube-proxy" ["v1.36.2"] 73_100_000
        "/usr/local/bin/kube-proxy" "kube-proxy" &[];
    SCHEDULER "registry.k8s.io/kube-scheduler" ["v1.36.2" "v1.36.1" "v1.36.0"] 53_800_000
        "/usr/local/bin/kube-scheduler" "kube-scheduler" &[];
    PAUSE_IMAGE "registry.k8s.io/pause" ["3.10.2" "3.10.1" "3.10" "3.9" "3.8" "latest"] 736_000
        "/pause" "pause" &["/pause"];
    STORAGE "gcr.io/k8s-minikube/storage-provisioner" ["v5"] 31_500_000
        "/storage-provisioner" "storage-provisioner" &["/storage-provisioner"];
}

/// minikube's node: a Debian with systemd, docker and the kubelet.
static NODE: ImageDef = ImageDef {
    repository: "gcr.io/k8s-minikube/kicbase",
    tags: &["v0.0.50", "latest"],
    layers: &[
        LayerDef { id: "debian", size: 116_500_000, ..DEBIAN_LAYER },
        LayerDef {
            id: "kicbase",
            arg: "v0.0.50",
            size: 1_192_000_000,
            created_by: "RUN /bin/sh -c clean-install docker-ce containerd.io cri-dockerd … # \
                buildkit",
            build: |cx| {
                cx.program("/usr/local/bin/entrypoint", "node-entrypoint");
                cx.program("/sbin/init", "systemd");
                for name in ["curl", "docker", "ps", "sudo", "systemctl", "top", "vi"] {
                    cx.program(&format!("/usr/bin/{name}"), name);
                }
                for name in ["dockerd", "kubelet"] {
                    cx.program(&format!("/usr/bin/{name}"), name);
                }
                for name in ["ifconfig", "ip", "ping"] {
                    cx.program(&format!("/sbin/{name}"), name);
                }
                cx.program("/var/lib/minikube/binaries/v1.36.2/kubectl", "kubectl");
                cx.file("/kind/product_name", "kind\n");
                cx.dir("/etc/kubernetes/manifests");
                cx.dir("/var/lib/minikube/certs");
                cx.dir("/var/lib/kubelet");
            },
        },
    ],
    entrypoint: &["/usr/local/bin/entrypoint", "/sbin/init"],
    env: &[
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("container", "docker"),
    ],
    exposed: &["22/tcp", "2376/tcp", "32443/tcp", "5000/tcp", "8443/tcp"],
    created: Time::from_secs(1_775_000_000),
    ..ImageDef::EMPTY
};
