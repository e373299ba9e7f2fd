//! Answers to the page's questions about an object: what kubectl would print.
//!
//! kubectl runs on a machine of its own that nobody sees, so that looking changes nothing on the
//! learner's host (no process number is used up, no history written).

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use super::{
    browse::Outbox,
    protocol::{DetailKind, ObjectRef, Output},
};
use crate::{
    client::directory::Directory,
    clusters::Cluster,
    machine::{
        Command, Fd, Machine, MachineSpec,
        fs::{Fs, Who},
    },
};

/// What is on the machine.
const PROGRAMS: &[&str] = &["kubectl", "sandbar"];
const CONFIG: &str = "/root/.kube/config";
const CERTIFICATE: &str = "/root/.kube/client.crt";
const KEY: &str = "/root/.kube/client.key";

/// The machine that looks things up.
pub struct Inspector {
    machine: Rc<Machine>,
}

impl Inspector {
    /// A machine beside the host, from which the same API servers are reached.
    pub fn new(host: &Rc<Machine>, directory: &Rc<Directory>) -> Self {
        let sim = host.sim();
        let fs = Fs::new(sim.now());
        fs.add_basics(sim.now());
        let _ = fs.make_dirs("/root/.kube", sim.now());
        for program in PROGRAMS {
            let _ = fs.install(&format!("/usr/bin/{program}"), program, sim.now());
        }
        let env = BTreeMap::from(
            [("HOME", "/root"), ("PATH", "/usr/bin")].map(|(k, v)| (k.to_string(), v.to_string())),
        );
        let spec = MachineSpec { hostname: "inspector".into(), fs, env, programs: host.finder() };
        let machine = Machine::new(sim, spec);
        machine.set(directory.clone());
        Inspector { machine }
    }

    /// Asks; the answer comes as [`Output::Detail`].
    pub fn ask(
        &self,
        request: u64,
        object: &ObjectRef,
        what: DetailKind,
        cluster: Option<&Cluster>,
        outbox: &Outbox,
    ) {
        let server = cluster.map(|c| c.server()).unwrap_or_default();
        let config = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
             clusters: [{{name: c, cluster: {{server: \"https://{server}\"}}}}]\n\
             contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
             users: [{{name: u, user: {{client-certificate: {CERTIFICATE}, client-key: {KEY}}}}}]\n"
        );
        let (certificate, key) = cluster.map(|c| c.admin_certificate()).unwrap_or_default();
        let files = self.machine.files();
        for (path, text) in [(CONFIG, config), (CERTIFICATE, certificate), (KEY, key)] {
            // The folder is there, and nobody else writes here: this can't fail.
            let _ = files.write(path, text.as_bytes(), 0o600, Who::ROOT);
        }
        let (out, err) = (Rc::new(RefCell::new(Vec::new())), Rc::new(RefCell::new(Vec::new())));
        let sink = |to: &Rc<RefCell<Vec<u8>>>| {
            let to = to.clone();
            Fd::Sink(Rc::new(move |bytes: &[u8]| to.borrow_mut().extend_from_slice(bytes)))
        };
        let command = Command::new(words(object, what)).stdout(sink(&out)).stderr(sink(&err));
        let outbox = outbox.clone();
        let child = match self.machine.spawn(command) {
            Ok(child) => child,
            Err(error) => {
                let text = Err(error.to_string());
                outbox.borrow_mut().push(Output::Detail { request, text });
                return;
            }
        };
        self.machine.sim().spawn(async move {
            let status = child.wait().await;
            let text =
                |bytes: &RefCell<Vec<u8>>| String::from_utf8_lossy(&bytes.borrow()).into_owned();
            let text = if status.success() { Ok(text(&out)) } else { Err(text(&err)) };
            outbox.borrow_mut().push(Output::Detail { request, text });
        });
    }
}

/// The command that shows it.
fn words(object: &ObjectRef, what: DetailKind) -> Vec<String> {
    let ObjectRef { resource, name, namespace } = object;
    let both = format!("{resource}/{name}");
    let mut words: Vec<&str> = match what {
        DetailKind::Describe => vec!["kubectl", "describe", &both],
        DetailKind::Yaml => vec!["kubectl", "get", &both, "-o", "yaml"],
        DetailKind::Events => vec!["kubectl", "events", "--for", &both],
        DetailKind::Why => vec!["sandbar", "why", &both],
        DetailKind::Trace => vec!["sandbar", "trace", &both],
        DetailKind::Logs => {
            vec!["kubectl", "logs", name, "--all-containers", "--prefix", "--tail=200"]
        }
    };
    if !namespace.is_empty() {
        words.extend(["-n", namespace]);
    }
    words.into_iter().map(str::to_string).collect()
}
