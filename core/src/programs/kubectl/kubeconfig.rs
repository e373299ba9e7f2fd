//! kubeconfig files: reading, merging, choosing a server, writing back.
//!
//! Models `k8s.io/client-go/tools/clientcmd`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Error, credentials, flags::Parsed};
use crate::{
    api::yaml,
    client::{Credentials, Impersonation},
    machine::Proc,
};

/// The three kinds of entries, with the key of a list's item.
const SECTIONS: [(&str, &str); 3] =
    [("clusters", "cluster"), ("contexts", "context"), ("users", "user")];

/// What one or several kubeconfig files say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// The context in force; empty if none is.
    pub current_context: String,
    /// Entries by name: clusters, contexts, users.
    pub sections: [BTreeMap<String, Value>; 3],
    /// Which file an entry came from: (section, name) → path.
    origins: BTreeMap<(usize, String), String>,
    /// Which file `current-context` came from.
    current_origin: String,
}

/// Index of clusters in [`Config::sections`].
pub const CLUSTERS: usize = 0;
/// Index of contexts.
pub const CONTEXTS: usize = 1;
/// Index of users.
pub const USERS: usize = 2;

/// Which files are in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Files {
    /// In order of precedence; at least one.
    pub paths: Vec<String>,
    /// Whether `--kubeconfig` names the one.
    pub explicit: bool,
}

impl Files {
    /// From `--kubeconfig`, `$KUBECONFIG` or the home directory.
    pub fn of(proc: &Proc, parsed: &Parsed) -> Files {
        let explicit = parsed.str("kubeconfig");
        if !explicit.is_empty() {
            return Files { paths: vec![explicit.to_owned()], explicit: true };
        }
        let listed = proc.env("KUBECONFIG").unwrap_or_default();
        let mut paths: Vec<String> = Vec::new();
        for path in listed.split(':').filter(|p| !p.is_empty()) {
            if !paths.iter().any(|p| p == path) {
                paths.push(path.to_owned());
            }
        }
        if paths.is_empty() {
            let home = proc.env("HOME").unwrap_or_else(|| "/root".into());
            paths.push(format!("{}/.kube/config", home.trim_end_matches('/')));
        }
        Files { paths, explicit: false }
    }

    /// The file that new entries go to, as messages name it.
    pub fn default_file(&self) -> &str {
        self.paths.last().map_or("", String::as_str)
    }

    /// Reads and merges. A missing file is an error only where it was named explicitly and `strict`.
    pub fn load(&self, proc: &Proc, strict: bool) -> Result<Config, Error> {
        let mut merged = Config::default();
        for path in &self.paths {
            if !proc.exists(path) {
                if self.explicit && strict {
                    return Err(Error::plain(format!("stat {path}: no such file or directory")));
                }
                continue;
            }
            let text = proc
                .read_text(path)
                .map_err(|e| Error::plain(format!("open {path}: {e}").to_lowercase()))?;
            let config = Config::parse(&text, path)
                .map_err(|e| Error::plain(format!("error loading config file \"{path}\": {e}")))?;
            merged.add(config);
        }
        Ok(merged)
    }

    /// Writes what differs between `old` and `new` to the files it belongs to.
    pub fn save(&self, proc: &Proc, old: &Config, new: &Config) -> Result<(), Error> {
        let mut files: BTreeMap<String, Config> = BTreeMap::new();
        let default = self.paths.iter().find(|p| proc.exists(p)).unwrap_or(&self.paths[0]);
        let default = if self.explicit { &self.paths[0] } else { default };
        let mut touch = |path: &str, change: &mut dyn FnMut(&mut Config)| -> Result<(), Error> {
            if !files.contains_key(path) {
                let text = proc.read_text(path).unwrap_or_default();
                let config = Config::parse(&text, path).map_err(Error::plain)?;
                files.insert(path.to_owned(), config);
            }
            if let Some(config) = files.get_mut(path) {
                change(config);
            }
            Ok(())
        };
        if old.current_context != new.current_context {
            let path = if old.current_origin.is_empty() { default } else { &old.current_origin };
            touch(path, &mut |c| c.current_context.clone_from(&new.current_context))?;
        }
        for section in 0..3 {
            for (name, value) in &new.sections[section] {
                if old.sections[section].get(name) != Some(value) {
                    let path = old.origins.get(&(section, name.clone())).unwrap_or(default);
                    touch(path, &mut |c| {
                        c.sections[section].insert(name.clone(), value.clone());
                    })?;
                }
            }
            for name in old.sections[section].keys() {
                if !new.sections[section].contains_key(name) {
                    let path = old.origins.get(&(section, name.clone())).unwrap_or(default);
                    touch(path, &mut |c| {
                        c.sections[section].remove(name);
                    })?;
                }
            }
        }
        for (path, config) in files {
            if let Some((folder, _)) = path.rsplit_once('/') {
                make_dirs(proc, folder);
            }
            proc.write_file(&path, yaml::to_string(&config.to_value()).as_bytes())
                .map_err(|e| Error::plain(format!("open {path}: {e}")))?;
        }
        Ok(())
    }
}

/// Makes a folder and those above it.
pub fn make_dirs(proc: &Proc, folder: &str) {
    make_dirs_mode(proc, folder, 0o755);
}

/// Makes a folder and those above it, with these permissions.
pub fn make_dirs_mode(proc: &Proc, folder: &str, mode: u32) {
    if folder.is_empty() || proc.exists(folder) {
        return;
    }
    if let Some((parent, _)) = folder.rsplit_once('/') {
        make_dirs_mode(proc, parent, mode);
    }
    // If this fails, writing the file tells why.
    if proc.make_dir(folder).is_ok() {
        let _ = proc.set_attributes(folder, |node| node.mode = mode);
    }
}

impl Config {
    fn parse(text: &str, origin: &str) -> Result<Config, String> {
        let value = yaml::parse(text).map_err(|e| e.to_string())?;
        let mut config = Config::default();
        if let Some(current) = value.get("current-context").and_then(Value::as_str) {
            config.current_context = current.to_owned();
            config.current_origin = origin.to_owned();
        }
        for (index, (list, item)) in SECTIONS.iter().enumerate() {
            for entry in value.get(list).and_then(Value::as_array).into_iter().flatten() {
                let Some(name) = entry.get("name").and_then(Value::as_str) else { continue };
                let content = entry.get(item).cloned().filter(Value::is_object);
                config.sections[index]
                    .insert(name.to_owned(), content.unwrap_or_else(|| json!({})));
                config.origins.insert((index, name.to_owned()), origin.to_owned());
            }
        }
        Ok(config)
    }

    /// Takes over what is not there yet: earlier files win.
    fn add(&mut self, other: Config) {
        if self.current_context.is_empty() {
            self.current_context = other.current_context;
            self.current_origin = other.current_origin;
        }
        for (index, section) in other.sections.into_iter().enumerate() {
            for (name, value) in section {
                if !self.sections[index].contains_key(&name) {
                    let origin = other.origins.get(&(index, name.clone())).cloned();
                    self.origins.insert((index, name.clone()), origin.unwrap_or_default());
                    self.sections[index].insert(name, value);
                }
            }
        }
    }

    /// As a file has it.
    pub fn to_value(&self) -> Value {
        let mut map = Map::new();
        map.insert("apiVersion".into(), "v1".into());
        map.insert("kind".into(), "Config".into());
        map.insert("current-context".into(), self.current_context.clone().into());
        for (index, (list, item)) in SECTIONS.iter().enumerate() {
            let entries: Vec<Value> = self.sections[index]
                .iter()
                .map(|(name, value)| json!({ *item: value, "name": name }))
                .collect();
            let list_value = if entries.is_empty() { Value::Null } else { Value::Array(entries) };
            map.insert((*list).into(), list_value);
        }
        Value::Object(map)
    }

    /// A field of an entry, empty if it has none.
    pub fn field(&self, section: usize, name: &str, field: &str) -> &str {
        let entry = self.sections[section].get(name);
        entry.and_then(|e| e.get(field)).and_then(Value::as_str).unwrap_or("")
    }

    /// Sets a field of an entry, which is made if it is not there.
    pub fn set_field(&mut self, section: usize, name: &str, field: &str, value: impl Into<Value>) {
        let entry = self.sections[section].entry(name.to_owned()).or_insert_with(|| json!({}));
        if let Value::Object(map) = entry {
            map.insert(field.to_owned(), value.into());
        }
    }

    /// Removes a field of an entry.
    pub fn remove_field(&mut self, section: usize, name: &str, field: &str) {
        if let Some(Value::Object(map)) = self.sections[section].get_mut(name) {
            map.remove(field);
        }
    }

    /// Only what the context in force uses.
    pub fn minify(&mut self) -> Result<(), Error> {
        if self.current_context.is_empty() {
            return Err(Error::plain("current-context must exist in order to minify"));
        }
        let name = self.current_context.clone();
        if !self.sections[CONTEXTS].contains_key(&name) {
            return Err(Error::plain(format!("cannot locate context {name}")));
        }
        let cluster = self.field(CONTEXTS, &name, "cluster").to_owned();
        let user = self.field(CONTEXTS, &name, "user").to_owned();
        if !cluster.is_empty() && !self.sections[CLUSTERS].contains_key(&cluster) {
            return Err(Error::plain(format!("cannot locate cluster {cluster}")));
        }
        if !user.is_empty() && !self.sections[USERS].contains_key(&user) {
            return Err(Error::plain(format!("cannot locate user {user}")));
        }
        self.sections[CONTEXTS].retain(|k, _| *k == name);
        self.sections[CLUSTERS].retain(|k, _| *k == cluster);
        self.sections[USERS].retain(|k, _| *k == user);
        Ok(())
    }

    /// Hides what must not be shown.
    pub fn redact(&mut self) {
        for user in self.sections[USERS].values_mut() {
            for (field, shown) in [
                ("token", "REDACTED"),
                ("password", "REDACTED"),
                ("client-certificate-data", "DATA+OMITTED"),
                ("client-key-data", "DATA+OMITTED"),
            ] {
                if let Some(value) = user.get_mut(field) {
                    *value = shown.into();
                }
            }
        }
        for cluster in self.sections[CLUSTERS].values_mut() {
            if let Some(value) = cluster.get_mut("certificate-authority-data") {
                *value = "DATA+OMITTED".into();
            }
        }
    }
}

/// What a command needs to reach a server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Target {
    /// `https://192.168.49.2:8443`, without a slash at its end.
    pub server: String,
    /// The namespace in force.
    pub namespace: String,
    /// Whether it was given on the command line.
    pub namespace_given: bool,
    /// What shows who one is.
    pub shown: Credentials,
    /// As whom one wants to act.
    pub wanted: Impersonation,
}

/// The name of the cluster that flags and files choose, empty if none.
pub fn cluster_in_force(proc: &Proc, parsed: &Parsed) -> String {
    let given = parsed.global("cluster");
    if !given.is_empty() {
        return given.to_owned();
    }
    let Ok(config) = Files::of(proc, parsed).load(proc, false) else { return String::new() };
    let name = match parsed.str("context") {
        "" => config.current_context.clone(),
        name => name.to_owned(),
    };
    config.field(CONTEXTS, &name, "cluster").to_owned()
}

/// Chooses server, user and namespace as `client-go` does, flags first.
pub fn target(proc: &Proc, parsed: &Parsed) -> Result<Target, Error> {
    let config = Files::of(proc, parsed).load(proc, true)?;
    let wanted = parsed.str("context");
    let inside = in_cluster(proc, &config, parsed);
    let name = if wanted.is_empty() { &config.current_context } else { wanted };
    if !name.is_empty() && !config.sections[CONTEXTS].contains_key(name) {
        let text = if wanted.is_empty() {
            format!("context was not found for specified context: {name}")
        } else {
            format!("context was not found for specified context: {wanted}")
        };
        return Err(Error::Config(vec![text]));
    }
    let pick = |flag: &str, field: &str| {
        let given = parsed.global(flag);
        if given.is_empty() {
            config.field(CONTEXTS, name, field).to_owned()
        } else {
            given.to_owned()
        }
    };
    let (cluster, user) = (pick("cluster", "cluster"), pick("user", "user"));
    let mut errors = Vec::new();
    if !user.is_empty() && !config.sections[USERS].contains_key(&user) {
        let text = format!("auth info {} does not exist", crate::api::gofmt::quote(&user));
        if !parsed.global("user").is_empty() {
            return Err(Error::Plain(text));
        }
        errors.push(text);
    }
    let given = parsed.str("server");
    let named = parsed.global("cluster");
    if given.is_empty() && !named.is_empty() && !config.sections[CLUSTERS].contains_key(named) {
        let text = format!("no server found for cluster {}", crate::api::gofmt::quote(named));
        return Err(Error::Plain(text));
    }
    if given.is_empty() && !cluster.is_empty() {
        if !config.sections[CLUSTERS].contains_key(&cluster) {
            errors.push(format!("cluster {} does not exist", crate::api::gofmt::quote(&cluster)));
        } else if config.field(CLUSTERS, &cluster, "server").is_empty() {
            errors.push(format!(
                "no server found for cluster {}",
                crate::api::gofmt::quote(&cluster)
            ));
        }
    }
    if !errors.is_empty() {
        return Err(Error::Config(errors));
    }
    let mut server = if given.is_empty() {
        config.field(CLUSTERS, &cluster, "server").to_owned()
    } else {
        given.to_owned()
    };
    if server.is_empty() {
        server = match &inside {
            Some(inside) => inside.server.clone(),
            None => "http://localhost:8080".into(),
        };
    }
    if !server.contains("://") {
        server = format!("http://{server}");
    }
    let mut shown = credentials::shown(proc, &config, &user, parsed)?;
    if let Some(inside) = &inside {
        shown.token = shown.token.or_else(|| Some(inside.token.clone()));
    }
    let wanted = credentials::wanted(&config, &user, parsed)?;
    let given = parsed.str("namespace");
    let namespace = match (given, config.field(CONTEXTS, name, "namespace")) {
        ("", "") => inside.as_ref().map_or("default", |i| &i.namespace),
        ("", configured) => configured,
        (given, _) => given,
    };
    Ok(Target {
        server: server.trim_end_matches('/').to_owned(),
        namespace: namespace.to_owned(),
        namespace_given: !given.is_empty(),
        shown,
        wanted,
    })
}

/// How a pod reaches the API of its cluster.
struct Inside {
    server: String,
    token: String,
    namespace: String,
}

/// A pod's own way to the API, where nothing else is configured. Models `rest.InClusterConfig` and
/// `inClusterClientConfig.Possible`.
fn in_cluster(proc: &Proc, config: &Config, parsed: &Parsed) -> Option<Inside> {
    const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
    if *config != Config::default() || !parsed.str("server").is_empty() {
        return None;
    }
    let host = proc.env("KUBERNETES_SERVICE_HOST").filter(|h| !h.is_empty())?;
    let port = proc.env("KUBERNETES_SERVICE_PORT").filter(|p| !p.is_empty())?;
    let token = proc.read_text(&format!("{ACCOUNT}/token")).ok()?;
    let namespace = proc.read_text(&format!("{ACCOUNT}/namespace")).unwrap_or_default();
    let namespace = Some(namespace.trim()).filter(|n| !n.is_empty()).unwrap_or("default");
    Some(Inside {
        server: format!("https://{host}:{port}"),
        token: token.trim().to_string(),
        namespace: namespace.to_string(),
    })
}
