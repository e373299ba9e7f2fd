//! Files of a pod that the kubelet manages: `/etc/hosts`, `/etc/resolv.conf`, `/etc/hostname`.
//!
//! Models `kubelet_pods.go` (`managedHostsFileContent`) and `pkg/kubelet/network/dns`.

use std::rc::Rc;

use k8s_openapi::api::core::v1::{Pod, PodSpec};

use super::{Inner, act::uses_host_network, worker::Worker};
use crate::{machine::fs::Who, runtime::Container};

/// A host name is a DNS label: this long at most.
const LONGEST: usize = 63;

/// A pod's host name.
pub fn hostname(pod: &Pod, node: &str) -> String {
    if uses_host_network(pod) {
        return node.to_string();
    }
    let spec = pod.spec.as_ref();
    let own = spec.and_then(|s| s.hostname_override.as_ref().or(s.hostname.as_ref()));
    let own = own.filter(|name| !name.is_empty()).cloned();
    let mut name = own.unwrap_or_else(|| pod.metadata.name.clone().unwrap_or_default());
    if name.len() > LONGEST {
        let mut end = LONGEST;
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        name.truncate(end);
        name.truncate(name.trim_end_matches(['-', '.']).len());
    }
    name
}

impl Inner {
    /// Writes the managed files of a pod whose sandbox has just got its address.
    pub fn manage_files(&self, worker: &Rc<Worker>, sandbox: &Container) {
        let Some(volumes) = worker.volumes.borrow().clone() else { return };
        let (pod, now) = (worker.pod(), self.sim.now());
        let Some(spec) = &pod.spec else { return };
        let name = sandbox.machine.hostname();
        let hosts = match uses_host_network(&pod) {
            true => {
                let node = self.machine.files().read("/etc/hosts", Who::ROOT).unwrap_or_default();
                let head = "# Kubernetes-managed hosts file (host network).\n";
                format!("{head}{}", String::from_utf8_lossy(&node))
            }
            false => self.hosts(&pod, spec, &name, sandbox),
        };
        let dir = &volumes.dir;
        let _ = dir.write("/etc-hosts", hosts + &host_aliases(spec), now);
        let _ = dir.write("/hostname", format!("{name}\n"), now);
        let _ = dir.write("/resolv.conf", self.resolv_conf(&pod, spec), now);
    }

    fn hosts(&self, pod: &Pod, spec: &PodSpec, name: &str, sandbox: &Container) -> String {
        let mut text = String::from(
            "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n\
             ::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\n\
             fe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n",
        );
        if let Some(address) = sandbox.address() {
            let subdomain = spec.subdomain.as_deref().filter(|s| !s.is_empty());
            match subdomain {
                Some(subdomain) => {
                    let ns = pod.metadata.namespace.as_deref().unwrap_or_default();
                    let domain = &self.config.cluster_domain;
                    let full = format!("{name}.{subdomain}.{ns}.svc.{domain}");
                    text.push_str(&format!("{address}\t{full}\t{name}\n"));
                }
                None => text.push_str(&format!("{address}\t{name}\n")),
            }
        }
        text
    }

    fn resolv_conf(&self, pod: &Pod, spec: &PodSpec) -> String {
        let node = self.machine.files().read("/etc/resolv.conf", Who::ROOT).unwrap_or_default();
        let mut dns = Dns::parse(&String::from_utf8_lossy(&node));
        let policy = spec.dns_policy.as_deref().unwrap_or("ClusterFirst");
        let cluster = match policy {
            "ClusterFirst" => !uses_host_network(pod),
            "ClusterFirstWithHostNet" => true,
            _ => false,
        };
        if policy == "None" {
            dns = Dns::default();
        }
        if let (true, Some(server)) = (cluster, self.config.cluster_dns) {
            let ns = pod.metadata.namespace.as_deref().unwrap_or_default();
            let domain = &self.config.cluster_domain;
            let mut search =
                vec![format!("{ns}.svc.{domain}"), format!("svc.{domain}"), domain.clone()];
            search.append(&mut dns.search);
            dns =
                Dns { servers: vec![server.to_string()], search, options: vec!["ndots:5".into()] };
        }
        if let Some(own) = &spec.dns_config {
            dns.servers.extend(own.nameservers.iter().flatten().cloned());
            dns.search.extend(own.searches.iter().flatten().cloned());
            for option in own.options.iter().flatten() {
                let name = option.name.clone().unwrap_or_default();
                dns.options.retain(|o| o.split(':').next() != Some(name.as_str()));
                dns.options.push(match &option.value {
                    Some(value) => format!("{name}:{value}"),
                    None => name,
                });
            }
        }
        dns.text()
    }
}

fn host_aliases(spec: &PodSpec) -> String {
    let aliases = spec.host_aliases.as_deref().unwrap_or_default();
    if aliases.is_empty() {
        return String::new();
    }
    let mut text = String::from("\n# Entries added by HostAliases.\n");
    for alias in aliases {
        let names = alias.hostnames.clone().unwrap_or_default().join("\t");
        text.push_str(&format!("{}\t{names}\n", alias.ip));
    }
    text
}

#[derive(Default)]
struct Dns {
    servers: Vec<String>,
    search: Vec<String>,
    options: Vec<String>,
}

impl Dns {
    fn parse(text: &str) -> Dns {
        let mut dns = Dns::default();
        for line in text.lines() {
            let mut words = line.split_whitespace().map(str::to_string);
            match words.next().as_deref() {
                Some("nameserver") => dns.servers.extend(words),
                Some("search") => dns.search = words.collect(),
                Some("options") => dns.options.extend(words),
                _ => {}
            }
        }
        dns
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for server in &self.servers {
            text.push_str(&format!("nameserver {server}\n"));
        }
        if !self.search.is_empty() {
            text.push_str(&format!("search {}\n", self.search.join(" ")));
        }
        if !self.options.is_empty() {
            text.push_str(&format!("options {}\n", self.options.join(" ")));
        }
        text
    }
}
