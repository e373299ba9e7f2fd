//! What every verb gets: the process it runs in, and the way to a server.

use std::{cell::Cell, rc::Rc};

use serde_json::Value;

use super::{
    Error,
    discovery::{self, Discovery, Known},
    error::host_of,
    flags::Parsed,
    kubeconfig,
    logging::{self, Log},
};
use crate::{
    api::{Kind, ObjRef},
    client::{Client, directory::Directory},
    machine::Proc,
};

/// A running command.
#[derive(Clone)]
pub struct Cx {
    /// Its process.
    pub proc: Proc,
    /// How many warnings it has printed.
    pub warned: Rc<Cell<usize>>,
    /// What it logs of itself.
    pub log: Log,
}

/// A connection to a cluster.
#[derive(Clone)]
pub struct Conn {
    /// The API.
    pub client: Client,
    /// The namespace in force.
    pub namespace: String,
    /// Whether `-n` was given: manifests must not contradict it.
    pub namespace_given: bool,
    /// The server's URL.
    pub server: String,
    /// Whether objects are wanted with `metadata.managedFields`.
    pub managed_fields: bool,
    /// What is known of the server's kinds.
    pub discovery: Rc<Discovery>,
}

impl Conn {
    /// What kubectl believes the server's kinds to be. Errors: the server does not tell.
    pub fn kinds(&self) -> Result<Rc<Known>, Error> {
        self.discovery.known()
    }

    /// The kind that an object names; the server is asked where it is not known. Errors: the
    /// server does not tell.
    pub fn by_kind(&self, api_version: &str, kind: &str) -> Result<Option<Rc<Kind>>, Error> {
        self.discovery.find(|known| known.by_kind(api_version, kind).cloned())
    }

    /// An object as the server sends it; without managed fields unless they were asked for.
    pub fn value(&self, object: &ObjRef) -> Value {
        if self.managed_fields { self.client.full_value(&**object) } else { object.to_value() }
    }
}

impl Cx {
    /// Writes to standard output.
    pub async fn out(&self, text: &str) {
        self.flush().await;
        self.proc.print(text).await;
    }

    /// Writes bytes to a descriptor.
    pub async fn write(&self, fd: u8, bytes: &[u8]) {
        self.flush().await;
        self.proc.write(fd, bytes).await;
    }

    /// Writes to standard error.
    pub async fn err(&self, text: &str) {
        self.flush().await;
        self.proc.eprint(text).await;
    }

    /// A line as klog writes it, for what kubectl's libraries log.
    pub fn klog(&self, level: char, source: &str, text: &str) -> String {
        logging::line(&self.proc, level, source, text)
    }

    /// Prints what was logged.
    pub async fn flush(&self) {
        let logged = self.log.take();
        if !logged.is_empty() {
            self.proc.eprint(&logged).await;
        }
    }

    /// The context of a process.
    pub fn new(proc: Proc) -> Cx {
        Cx { proc, warned: Rc::default(), log: Log::default() }
    }

    /// Prints the warnings that the server sent since the last call.
    pub async fn warnings(&self, conn: &Conn) {
        for warning in conn.client.take_warnings() {
            self.warned.set(self.warned.get() + 1);
            self.err(&format!("Warning: {warning}\n")).await;
        }
    }

    /// Connects as the kubeconfig and the flags say. `logged` is how often a refused connection is
    /// logged before the error is told: commands that look up kinds try several times.
    pub fn connect(&self, parsed: &Parsed, logged: usize) -> Result<Conn, Error> {
        let target = kubeconfig::target(&self.proc, parsed)?;
        self.log.gates(&self.proc, parsed);
        // Verbs without the flag leave it to the server, which takes the program's name.
        let manager = match parsed.str("field-manager") {
            "" => "kubectl",
            manager => manager,
        };
        let address = with_port(&target.server);
        let directory = self.proc.machine().get::<Directory>();
        let login = |d: Rc<Directory>| d.login(&address, &target.shown, &target.wanted, manager);
        let client = directory.and_then(login);
        let folder = discovery::folder(&self.proc, parsed, &target.server);
        let Some(client) = client else {
            // Whoever knows the kinds does not ask for them in vain.
            let known = discovery::remembers(&self.proc, &folder);
            let logged = if known { 0 } else { logged };
            return Err(Error::Refused {
                url: format!("{}/api?timeout=32s", target.server),
                logged,
            });
        };
        let client = match self.log.tap(&self.proc, parsed, &target) {
            Some(tap) => client?.tapped(tap),
            None => client?,
        };
        let discovery = Discovery::new(self, client.clone(), folder);
        let kubeconfig::Target { server, namespace, namespace_given, .. } = target;
        let managed_fields = super::output::wants_managed_fields(parsed);
        Ok(Conn { client, namespace, namespace_given, server, managed_fields, discovery })
    }
}

/// `host:port` of a URL, with the scheme's port where it names none.
fn with_port(url: &str) -> String {
    let host = host_of(url);
    let has_port = host.rsplit_once(':').is_some_and(|(_, p)| p.parse::<u16>().is_ok());
    match (has_port, url.starts_with("https://")) {
        (true, _) => host.to_owned(),
        (false, true) => format!("{host}:443"),
        (false, false) => format!("{host}:80"),
    }
}
