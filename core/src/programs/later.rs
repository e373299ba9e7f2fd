//! Commands that need what a starter lacks: they wait, until the whole engine has come and plays what
//! was done from the beginning, with the real commands. Nothing here is ever shown.

use crate::machine::Program;

macro_rules! later {
    ($($id:ident $name:literal $summary:literal,)*) => {
        $(
            #[doc = concat!("`", $name, "`")]
            pub static $id: Program = Program {
                name: $name,
                summary: $summary,
                run: |_proc| Box::pin(std::future::pending()),
                complete: Some(|_| Vec::new()),
            };
        )*
    };
}

later! {
    APT_GET "apt-get" "install packages",
    CURL "curl" "transfer a URL",
    DOCKER "docker" "run and look at containers and images",
    IFCONFIG "ifconfig" "show network interfaces",
    IP "ip" "show addresses and routes",
    KUBECTL "kubectl" "controls the Kubernetes cluster manager",
    MINIKUBE "minikube" "run a local Kubernetes cluster",
    NC "nc" "talk over a connection",
    NSLOOKUP "nslookup" "ask a name server",
    OPENSSL "openssl" "make keys and requests for certificates, look at certificates",
    PING "ping" "ask a host whether it is there",
    REDIS_CLI "redis-cli" "talk to a redis server",
    SANDBAR "sandbar" "break things on purpose, and ask why",
    WGET "wget" "download a page",
}
