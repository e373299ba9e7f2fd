//! What the cluster's names mean.
//!
//! Models CoreDNS's kubernetes plugin with `pods insecure` and `ttl 30`
//! (<https://github.com/kubernetes/dns/blob/master/docs/specification.md>).

use std::net::Ipv4Addr;

use k8s_openapi::api::{
    core::v1::{Namespace, Service},
    discovery::v1::{Endpoint, EndpointSlice},
};

use super::services::by_service;
use crate::{
    api::Typed,
    client::{Client, IndexId},
    fabric::dns::{Answer, Code, Question, Record, RecordData, RecordType},
};

/// Seconds that answers about the cluster may be remembered.
const TTL: u32 = 30;

/// The names of a cluster.
pub struct Zone {
    client: Client,
    slices: IndexId,
    by_ip: IndexId,
    by_host_ip: IndexId,
    domain: String,
    hosts: Vec<(String, Ipv4Addr)>,
}

impl Zone {
    /// The names of a client's cluster, below a domain (`cluster.local`). `hosts` are names beside
    /// the cluster's own (CoreDNS's hosts plugin).
    pub fn new(client: &Client, domain: &str, hosts: Vec<(String, Ipv4Addr)>) -> Self {
        Zone {
            client: client.clone(),
            slices: client.index::<EndpointSlice>(by_service),
            by_ip: client.index::<Service>(by_cluster_ip),
            by_host_ip: client.index::<EndpointSlice>(by_host_address),
            domain: domain.trim_matches('.').to_string(),
            hosts,
        }
    }

    /// Answers a question.
    pub fn answer(&self, question: &Question) -> Answer {
        let name = question.name.trim_end_matches('.').to_ascii_lowercase();
        let found = if let Some(rest) = strip_domain(&name, &self.domain) {
            self.in_cluster(&name, rest, question.record)
        } else if let Some(address) = name.strip_suffix(".in-addr.arpa").and_then(reverse) {
            self.pointer(&name, address)
        } else {
            self.elsewhere(&name)
        };
        match found {
            Some(records) => {
                let wanted = |r: &Record| match (&r.data, question.record) {
                    (RecordData::Cname(_), _) => true,
                    (RecordData::A(_), record) => record == RecordType::A,
                    (RecordData::Srv(..), record) => record == RecordType::Srv,
                    (RecordData::Ptr(_), record) => record == RecordType::Ptr,
                };
                Answer {
                    code: Code::NoError,
                    records: records.into_iter().filter(wanted).collect(),
                }
            }
            None => Answer { code: self.unknown(&name), records: Vec::new() },
        }
    }

    /// The Internet is not simulated: of names that could be there nobody knows.
    fn unknown(&self, name: &str) -> Code {
        let inside = strip_domain(name, &self.domain).is_some() || name.ends_with(".arpa");
        let top = name.rsplit('.').next().unwrap_or_default();
        let private = !name.contains('.') || matches!(top, "local" | "internal" | "svc" | "test");
        if inside || private { Code::NxDomain } else { Code::ServFail }
    }

    /// `None` where there is no such name; an empty list where it has no records.
    fn in_cluster(&self, name: &str, rest: &str, record: RecordType) -> Option<Vec<Record>> {
        let labels: Vec<&str> = rest.split('.').filter(|l| !l.is_empty()).collect();
        match labels.as_slice() {
            [] | ["svc"] | ["pod"] => Some(Vec::new()),
            [namespace, "svc" | "pod"] => self.has_namespace(namespace).then(Vec::new),
            [address, namespace, "pod"] => {
                let address: Ipv4Addr = address.replace('-', ".").parse().ok()?;
                self.has_namespace(namespace).then(|| vec![a(name, address)])
            }
            [service, namespace, "svc"] => {
                let service = self.client.find::<Service>(namespace, service)?;
                self.service(name, &service, None, record)
            }
            [host, service, namespace, "svc"] => {
                let service = self.client.find::<Service>(namespace, service)?;
                self.service(name, &service, Some(host), record)
            }
            [port, proto, service, namespace, "svc"] => {
                let service = self.client.find::<Service>(namespace, service)?;
                let port = port.strip_prefix('_')?;
                let proto = proto.strip_prefix('_')?.to_ascii_uppercase();
                self.ports(name, &service, port, &proto)
            }
            _ => None,
        }
    }

    fn has_namespace(&self, namespace: &str) -> bool {
        self.client.find::<Namespace>("", namespace).is_some()
    }

    fn service(
        &self,
        name: &str,
        service: &Service,
        host: Option<&str>,
        record: RecordType,
    ) -> Option<Vec<Record>> {
        let spec = service.spec.as_ref()?;
        if spec.type_.as_deref() == Some("ExternalName") {
            let target = spec.external_name.as_deref()?.trim_end_matches('.').to_string();
            if host.is_some() {
                return None;
            }
            let data = RecordData::Cname(target.clone());
            let mut records = vec![Record { name: name.to_string(), ttl: TTL, data }];
            // Where it leads is looked up as well, as far as it can be known.
            if target != name {
                let question = Question { name: target, record };
                records.extend(self.answer(&question).records);
            }
            return Some(records);
        }
        let headless = spec.cluster_ip.as_deref() == Some("None");
        if let (false, None) = (headless, host) {
            let address = spec.cluster_ip.as_ref().and_then(|ip| ip.parse().ok());
            return Some(address.map(|ip| a(name, ip)).into_iter().collect());
        }
        let all = spec.publish_not_ready_addresses.unwrap_or(false);
        let mut records = Vec::new();
        for endpoint in self.endpoints(service, all) {
            let matches = host.is_none_or(|host| endpoint_name(&endpoint) == host);
            let address = endpoint.addresses.first().and_then(|ip| ip.parse().ok());
            if let (true, Some(ip)) = (matches, address) {
                records.push(a(name, ip));
            }
        }
        // A headless service without endpoints does not exist, as far as CoreDNS is concerned.
        (!records.is_empty()).then_some(records)
    }

    fn endpoints(&self, service: &Service, all: bool) -> Vec<Endpoint> {
        let meta = &service.metadata;
        let value = format!(
            "{}/{}",
            meta.namespace.as_deref().unwrap_or_default(),
            meta.name.as_deref().unwrap_or_default()
        );
        let slices = self.client.by_index::<EndpointSlice>(self.slices, &value);
        let ready =
            |e: &&Endpoint| all || e.conditions.as_ref().and_then(|c| c.ready).unwrap_or(true);
        slices.iter().flat_map(|s| s.endpoints.iter().flatten()).filter(ready).cloned().collect()
    }

    fn ports(&self, name: &str, service: &Service, port: &str, proto: &str) -> Option<Vec<Record>> {
        let spec = service.spec.as_ref()?;
        let found = spec.ports.iter().flatten().find(|p| {
            p.name.as_deref() == Some(port) && p.protocol.as_deref().unwrap_or("TCP") == proto
        })?;
        let number = u16::try_from(found.port).ok()?;
        let base = name.splitn(3, '.').nth(2)?.to_string();
        let srv = |target: String| {
            let data = RecordData::Srv(0, 100, number, target);
            Record { name: name.to_string(), ttl: TTL, data }
        };
        if spec.cluster_ip.as_deref() != Some("None") {
            return Some(vec![srv(base)]);
        }
        let endpoints = self.endpoints(service, false);
        Some(endpoints.iter().map(|e| srv(format!("{}.{base}", endpoint_name(e)))).collect())
    }

    /// An address leads back to its service, or to the endpoints that have a host name.
    fn pointer(&self, name: &str, address: Ipv4Addr) -> Option<Vec<Record>> {
        let text = address.to_string();
        let back = |target| Record {
            name: name.to_string(),
            ttl: TTL,
            data: RecordData::Ptr(format!("{target}.svc.{}", self.domain)),
        };
        let services = self.client.by_index::<Service>(self.by_ip, &text);
        if let Some(meta) = services.first().map(|s| &s.metadata) {
            let target = format!("{}.{}", meta.name.as_deref()?, meta.namespace.as_deref()?);
            return Some(vec![back(target)]);
        }
        let mut found = Vec::new();
        for slice in self.client.by_index::<EndpointSlice>(self.by_host_ip, &text) {
            let services = by_service(&*slice);
            let Some((namespace, service)) = services.first().and_then(|s| s.split_once('/'))
            else {
                continue;
            };
            let endpoints = slice.endpoints.iter().flatten();
            let hosts = endpoints.filter(|e| e.addresses.first() == Some(&text));
            let hosts = hosts.filter_map(|e| e.hostname.as_deref());
            found.extend(hosts.map(|host| back(format!("{host}.{service}.{namespace}"))));
        }
        (!found.is_empty()).then_some(found)
    }

    fn elsewhere(&self, name: &str) -> Option<Vec<Record>> {
        let (_, address) = self.hosts.iter().find(|(host, _)| host == name)?;
        Some(vec![a(name, *address)])
    }
}

fn a(name: &str, address: Ipv4Addr) -> Record {
    Record { name: name.to_string(), ttl: TTL, data: RecordData::A(address) }
}

/// What is before the domain; empty for the domain itself.
fn strip_domain<'a>(name: &'a str, domain: &str) -> Option<&'a str> {
    let rest = name.strip_suffix(domain)?;
    match rest.strip_suffix('.') {
        Some(rest) => Some(rest),
        None => rest.is_empty().then_some(rest),
    }
}

/// `1.0.96.10` is 10.96.0.1.
fn reverse(labels: &str) -> Option<Ipv4Addr> {
    let mut parts: Vec<&str> = labels.split('.').collect();
    parts.reverse();
    parts.join(".").parse().ok()
}

/// An endpoint's host name, or its address with dashes.
fn endpoint_name(endpoint: &Endpoint) -> String {
    let address = endpoint.addresses.first().map(|a| a.replace('.', "-"));
    endpoint.hostname.clone().or(address).unwrap_or_default()
}

fn by_cluster_ip(object: &dyn crate::api::Object) -> Vec<String> {
    debug_assert_eq!(object.kind_id(), Service::ID);
    let spec = object.downcast::<Service>().and_then(|s| s.spec.as_ref());
    let ip = spec.and_then(|s| s.cluster_ip.clone());
    ip.filter(|ip| ip != "None" && !ip.is_empty()).into_iter().collect()
}

fn by_host_address(object: &dyn crate::api::Object) -> Vec<String> {
    let slice = object.downcast::<EndpointSlice>();
    let endpoints = slice.iter().flat_map(|s| s.endpoints.iter().flatten());
    let named = endpoints.filter(|e| e.hostname.is_some());
    named.filter_map(|e| e.addresses.first().cloned()).collect()
}
