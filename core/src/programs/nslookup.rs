//! `nslookup`: busybox's where a machine's commands are busybox's, otherwise BIND's.

use std::{net::Ipv4Addr, net::SocketAddrV4, rc::Rc, time::Duration};

use super::support::net;
use crate::{
    fabric::{
        Endpoint,
        dns::{self, Answer, Code, RecordData, RecordType, ResolvConf},
    },
    machine::{Proc, Program},
};

/// `nslookup`
pub const PROGRAM: Program = Program {
    name: "nslookup",
    summary: "ask a name server",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

/// `nslookup` of busybox up to 1.28, which tutorials ask for by name: it asks as every other program
/// does, hosts file and search domains included. Models `networking/nslookup.c` of that version.
pub const OLD: Program = Program {
    name: "nslookup-1.28",
    summary: "ask a name server, the old way",
    run: |proc| Box::pin(old(proc)),
    complete: None,
};

const PATIENCE: Duration = Duration::from_secs(5);

async fn main(proc: Proc) -> i32 {
    let (mut kind, mut rest) = (None, Vec::new());
    for arg in proc.args().iter().skip(1) {
        match arg.strip_prefix('-') {
            None => rest.push(arg.clone()),
            Some(option) => match option.split_once('=') {
                Some(("type" | "query" | "q" | "querytype", name)) => match record(name) {
                    Some(record) => kind = Some(record),
                    None => {
                        proc.eprint(&format!("nslookup: invalid query type \"{name}\"\n")).await;
                        return 1;
                    }
                },
                _ => {
                    proc.eprint(&format!("nslookup: option -{option} is not simulated\n")).await;
                    return 1;
                }
            },
        }
    }
    let Some(name) = rest.first() else {
        let usage = "Usage: nslookup [-type=QUERY_TYPE] HOST [DNS_SERVER]\n";
        proc.eprint(usage).await;
        return 1;
    };
    let Some(endpoint) = net::endpoint(&proc) else {
        proc.print(";; connection timed out; no servers could be reached\n\n").await;
        return 1;
    };
    let conf = ResolvConf::parse(&proc.read_file("/etc/resolv.conf").unwrap_or_default());
    let server = match rest.get(1) {
        None => conf.servers.first().copied().unwrap_or(Ipv4Addr::LOCALHOST),
        Some(server) => match net::resolve(&proc, server).await {
            Ok(address) => address,
            Err(_) => {
                let text = format!("nslookup: can't resolve '{server}'\n");
                proc.eprint(&text).await;
                return 1;
            }
        },
    };
    let lookup = Lookup { proc: &proc, endpoint, server, conf };
    match net::is_busybox(&proc) {
        true => lookup.busybox(name, kind).await,
        false => lookup.bind(name, kind).await,
    }
}

async fn old(proc: Proc) -> i32 {
    let args = proc.args().to_vec();
    let (name, server) = match &args[1..] {
        [name] => (name, None),
        [name, server] => (name, Some(server)),
        _ => {
            proc.eprint("Usage: nslookup [HOST] [SERVER]\n").await;
            return 1;
        }
    };
    let mut conf = ResolvConf::parse(&proc.read_file("/etc/resolv.conf").unwrap_or_default());
    if let Some(server) = server {
        match net::resolve(&proc, server).await {
            Ok(address) => conf.servers = vec![address],
            Err(_) => {
                proc.eprint(&format!("nslookup: can't resolve '{server}'\n")).await;
                return 1;
            }
        }
    }
    let server = conf.servers.first().copied().unwrap_or(Ipv4Addr::LOCALHOST);
    let Some(endpoint) = net::endpoint(&proc) else {
        proc.eprint(&format!("nslookup: can't resolve '{name}'\n")).await;
        return 1;
    };
    let lookup = Lookup { proc: &proc, endpoint, server, conf };
    lookup.old_host("Server:", &server.to_string(), &[server]).await;
    proc.print("\n").await;
    let found = match name.parse::<Ipv4Addr>() {
        Ok(address) => vec![address],
        Err(_) => lookup.addresses(name).await,
    };
    if found.is_empty() {
        proc.eprint(&format!("nslookup: can't resolve '{name}'\n")).await;
        return 1;
    }
    lookup.old_host("Name:", name, &found).await;
    0
}

fn record(name: &str) -> Option<RecordType> {
    Some(match name.to_ascii_lowercase().as_str() {
        "a" => RecordType::A,
        "aaaa" => RecordType::Aaaa,
        "srv" => RecordType::Srv,
        "ptr" => RecordType::Ptr,
        _ => return None,
    })
}

struct Lookup<'a> {
    proc: &'a Proc,
    endpoint: Rc<Endpoint>,
    server: Ipv4Addr,
    conf: ResolvConf,
}

impl Lookup<'_> {
    async fn ask(&self, name: &str, record: RecordType) -> Option<Rc<Answer>> {
        let server = SocketAddrV4::new(self.server, 53);
        dns::ask(&self.endpoint, server, name, record, PATIENCE).await.ok()
    }

    /// The addresses that a name has, by the first of its candidates that has any.
    async fn addresses(&self, name: &str) -> Vec<Ipv4Addr> {
        let hosts = self.proc.read_file("/etc/hosts").unwrap_or_default();
        if let Some(address) = dns::in_hosts(&hosts, name) {
            return vec![address];
        }
        for candidate in self.conf.candidates(name) {
            let Some(answer) = self.ask(&candidate, RecordType::A).await else { break };
            let address = |record: &dns::Record| match &record.data {
                RecordData::A(address) => Some(*address),
                _ => None,
            };
            let found: Vec<_> = answer.records.iter().filter_map(address).collect();
            if !found.is_empty() {
                return found;
            }
        }
        Vec::new()
    }

    /// A host with its addresses, each with the name that it leads back to.
    async fn old_host(&self, title: &str, name: &str, addresses: &[Ipv4Addr]) {
        self.proc.print(&format!("{title:<10} {name}\n")).await;
        for (address, n) in addresses.iter().zip(1..) {
            let answer = self.ask(&pointer(*address), RecordType::Ptr).await;
            let back =
                answer.iter().flat_map(|a| &a.records).find_map(|record| match &record.data {
                    RecordData::Ptr(target) => Some(format!(" {}", target.trim_end_matches('.'))),
                    _ => None,
                });
            let line = format!("Address {n}: {address}{}\n", back.unwrap_or_default());
            self.proc.print(&line).await;
        }
    }

    async fn nobody(&self) -> i32 {
        self.proc.print(";; connection timed out; no servers could be reached\n\n").await;
        1
    }

    /// Busybox asks for every search domain and for both kinds of addresses, and prints every answer.
    async fn busybox(&self, name: &str, kind: Option<RecordType>) -> i32 {
        let reverse = name.parse::<Ipv4Addr>().ok().map(pointer);
        let plain = name.trim_end_matches('.').to_string();
        let names = match &reverse {
            Some(pointer) => vec![pointer.clone()],
            None if name.contains('.') || self.conf.search.is_empty() => vec![plain],
            None => self.conf.search.iter().map(|domain| format!("{name}.{domain}")).collect(),
        };
        let kinds = match (kind, reverse) {
            (Some(kind), _) => vec![kind],
            (_, Some(_)) => vec![RecordType::Ptr],
            _ => vec![RecordType::A, RecordType::Aaaa],
        };
        let (mut code, mut first) = (0, true);
        for kind in kinds {
            for name in &names {
                let Some(answer) = self.ask(name, kind).await else { return self.nobody().await };
                if std::mem::take(&mut first) {
                    let text = format!("Server:\t\t{0}\nAddress:\t{0}:53\n\n", self.server);
                    self.proc.print(&text).await;
                }
                let mut text = records(&answer);
                if answer.code != Code::NoError {
                    text = format!("** server can't find {name}: {}\n", answer.code.text());
                    code = 1;
                }
                self.proc.print(&format!("{text}\n")).await;
            }
        }
        code
    }

    /// BIND's asks for one name after another until one is there.
    async fn bind(&self, name: &str, kind: Option<RecordType>) -> i32 {
        let (names, kind) = match name.parse::<Ipv4Addr>() {
            Ok(address) => (vec![pointer(address)], RecordType::Ptr),
            Err(_) => (self.conf.candidates(name), kind.unwrap_or(RecordType::A)),
        };
        let mut last = None;
        for candidate in &names {
            let Some(answer) = self.ask(candidate, kind).await else { return self.nobody().await };
            let found = answer.code == Code::NoError;
            last = Some((candidate, answer));
            if found {
                break;
            }
        }
        let head = format!("Server:\t\t{0}\nAddress:\t{0}#53\n\n", self.server);
        let Some((candidate, answer)) = last else { return self.nobody().await };
        if answer.code != Code::NoError {
            let text = format!("{head}** server can't find {name}: {}\n\n", answer.code.text());
            self.proc.print(&text).await;
            return 1;
        }
        let mut text = records(&answer);
        if text.is_empty() {
            text = format!("*** Can't find {candidate}: No answer\n");
        }
        self.proc.print(&format!("{head}{text}\n")).await;
        0
    }
}

fn pointer(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("{d}.{c}.{b}.{a}.in-addr.arpa")
}

fn records(answer: &Answer) -> String {
    let line = |record: &dns::Record| match &record.data {
        RecordData::A(address) => format!("Name:\t{}\nAddress: {address}\n", record.name),
        RecordData::Cname(target) => format!("{}\tcanonical name = {target}\n", record.name),
        RecordData::Ptr(target) => format!("{}\tname = {target}\n", record.name),
        RecordData::Srv(priority, weight, port, target) => {
            format!("{}\tservice = {priority} {weight} {port} {target}\n", record.name)
        }
    };
    answer.records.iter().map(line).collect()
}
