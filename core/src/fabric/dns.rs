//! Names: what is asked and answered, and how a program finds a name's addresses.
//!
//! Models glibc's and musl's stub resolvers: `/etc/hosts` first, then the servers of
//! `/etc/resolv.conf` with its search domains and `ndots`.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    rc::Rc,
    time::Duration,
};

use super::{Endpoint, NameFiles, QueryError};

/// How long a resolver waits for each server (`options timeout:5`), and how often it asks all.
const TIMEOUT: Duration = Duration::from_secs(5);
const ATTEMPTS: u32 = 2;

/// Record types that are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordType {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses: always none.
    Aaaa,
    /// A service's ports.
    Srv,
    /// An address's name.
    Ptr,
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Fully qualified, without the last dot.
    pub name: String,
    /// What is asked.
    pub record: RecordType,
}

/// What a record holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordData {
    /// An address.
    A(Ipv4Addr),
    /// Another name.
    Cname(String),
    /// Priority, weight, port, target.
    Srv(u16, u16, u16, String),
    /// A name.
    Ptr(String),
}

/// A record of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whose.
    pub name: String,
    /// Seconds it may be remembered.
    pub ttl: u32,
    /// What it says.
    pub data: RecordData,
}

/// How a question fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The name exists (maybe without records of this type).
    NoError,
    /// There is no such name.
    NxDomain,
    /// The server can't find out.
    ServFail,
    /// The server does not answer such questions.
    Refused,
}

impl Code {
    /// As nslookup prints it.
    pub fn text(self) -> &'static str {
        match self {
            Code::NoError => "NOERROR",
            Code::NxDomain => "NXDOMAIN",
            Code::ServFail => "SERVFAIL",
            Code::Refused => "REFUSED",
        }
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// How it fared.
    pub code: Code,
    /// Records, aliases first.
    pub records: Vec<Record>,
}

impl Answer {
    /// Its addresses.
    pub fn addresses(&self) -> Vec<Ipv4Addr> {
        let address = |r: &Record| match r.data {
            RecordData::A(address) => Some(address),
            _ => None,
        };
        self.records.iter().filter_map(address).collect()
    }
}

/// What `/etc/resolv.conf` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvConf {
    /// Servers, in order.
    pub servers: Vec<Ipv4Addr>,
    /// Search domains, in order.
    pub search: Vec<String>,
    /// A name with fewer dots is tried with the search domains first.
    pub ndots: usize,
}

impl ResolvConf {
    /// Reads the file's text; what it does not understand is left out, as the C library does.
    pub fn parse(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let mut conf = ResolvConf { ndots: 1, ..ResolvConf::default() };
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => {
                    conf.servers.extend(words.next().and_then(|w| w.parse::<Ipv4Addr>().ok()));
                }
                Some("search") => conf.search = words.map(str::to_string).collect(),
                Some("domain") => conf.search = words.take(1).map(str::to_string).collect(),
                Some("options") => {
                    let ndots =
                        words.filter_map(|w| w.strip_prefix("ndots:")?.parse().ok()).next_back();
                    conf.ndots = ndots.unwrap_or(conf.ndots);
                }
                _ => {}
            }
        }
        conf.servers.truncate(3);
        conf
    }

    /// The names to ask for, in order.
    pub fn candidates(&self, name: &str) -> Vec<String> {
        if let Some(absolute) = name.strip_suffix('.') {
            return vec![absolute.to_string()];
        }
        let mut names: Vec<_> = self.search.iter().map(|d| format!("{name}.{d}")).collect();
        let dots = name.bytes().filter(|b| *b == b'.').count();
        names.insert(if dots >= self.ndots { 0 } else { names.len() }, name.to_string());
        names
    }
}

/// Why a name was not resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResolveError {
    /// There is no such name (EAI_NONAME).
    NotFound,
    /// No server answered (EAI_AGAIN).
    TryAgain,
}

/// The address a hosts file gives a name.
pub fn in_hosts(text: &[u8], name: &str) -> Option<Ipv4Addr> {
    let text = String::from_utf8_lossy(text);
    text.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let address: Ipv4Addr = words.next()?.parse().ok()?;
        words.any(|word| word.eq_ignore_ascii_case(name)).then_some(address)
    })
}

/// Asks one server one question.
///
/// # Errors
/// Where no answer came.
pub async fn ask(
    endpoint: &Endpoint,
    server: SocketAddrV4,
    name: &str,
    record: RecordType,
    patience: Duration,
) -> Result<Rc<Answer>, QueryError> {
    let question = Rc::new(Question { name: name.to_ascii_lowercase(), record });
    endpoint.query::<Answer>(server, question, patience).await
}

/// A name's addresses, as `getaddrinfo` finds them.
///
/// # Errors
/// Where there are none, or nobody could be asked.
pub async fn resolve(
    endpoint: &Endpoint,
    files: Option<&dyn NameFiles>,
    name: &str,
) -> Result<Vec<Ipv4Addr>, ResolveError> {
    if let Ok(address) = name.parse() {
        return Ok(vec![address]);
    }
    let hosts = files.map(NameFiles::hosts).unwrap_or_default();
    if let Some(address) = in_hosts(&hosts, name) {
        return Ok(vec![address]);
    }
    if name.eq_ignore_ascii_case("localhost") {
        return Ok(vec![Ipv4Addr::LOCALHOST]);
    }
    let conf = ResolvConf::parse(&files.map(NameFiles::resolv_conf).unwrap_or_default());
    let mut servers = conf.servers.clone();
    if servers.is_empty() {
        servers.push(Ipv4Addr::LOCALHOST);
    }
    let mut error = ResolveError::NotFound;
    for candidate in conf.candidates(name) {
        match ask_all(endpoint, &servers, &candidate).await {
            Some(answer) => {
                let addresses = answer.addresses();
                if !addresses.is_empty() {
                    return Ok(addresses);
                }
                if matches!(answer.code, Code::ServFail | Code::Refused) {
                    error = ResolveError::TryAgain;
                }
            }
            None => return Err(ResolveError::TryAgain),
        }
    }
    Err(error)
}

async fn ask_all(endpoint: &Endpoint, servers: &[Ipv4Addr], name: &str) -> Option<Rc<Answer>> {
    let mut last = None;
    for _ in 0..ATTEMPTS {
        for server in servers {
            let server = SocketAddrV4::new(*server, 53);
            match ask(endpoint, server, name, RecordType::A, TIMEOUT).await {
                Ok(answer) if !matches!(answer.code, Code::ServFail | Code::Refused) => {
                    return Some(answer);
                }
                Ok(answer) => last = Some(answer),
                Err(_) => {}
            }
        }
    }
    last
}
