//! Registries: where images come from, and why they sometimes don't.
//!
//! One [`Registries`] per session stands for all registries of the simulated internet. Every machine's
//! [`ImageStore`](super::ImageStore) pulls from it and takes its time.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use super::{Image, ImageDef, Reference};

/// Bytes a second that one machine gets: 20 MB/s, an ordinary line at home.
pub const BANDWIDTH: u64 = 20_000_000;

/// All registries that can be reached. Clones share them.
#[derive(Clone)]
pub struct Registries(Rc<Inner>);

struct Inner {
    repositories: RefCell<BTreeMap<String, Repository>>,
    reachable: Cell<bool>,
    bandwidth: Cell<u64>,
}

#[derive(Default)]
struct Repository {
    tags: BTreeMap<String, Rc<Image>>,
}

impl Registries {
    /// Registries that offer these images.
    pub fn new(images: &[&'static ImageDef]) -> Self {
        let registries = Registries(Rc::new(Inner {
            repositories: RefCell::default(),
            reachable: Cell::new(true),
            bandwidth: Cell::new(BANDWIDTH),
        }));
        for def in images {
            let image = Rc::new(def.image());
            for reference in def.references() {
                registries.push(&reference, &image);
            }
        }
        registries
    }

    /// Adds an image (`docker push`); a tag that exists moves.
    pub fn push(&self, reference: &Reference, image: &Rc<Image>) {
        let mut repositories = self.0.repositories.borrow_mut();
        let repository = repositories.entry(reference.repository()).or_default();
        let tag = reference.tag.clone().unwrap_or_else(|| "latest".into());
        repository.tags.insert(tag, image.clone());
    }

    /// The network to the registries fails, or works again.
    pub fn set_reachable(&self, reachable: bool) {
        self.0.reachable.set(reachable);
    }

    /// Bytes a second that one machine gets.
    pub fn bandwidth(&self) -> u64 {
        self.0.bandwidth.get()
    }

    /// Makes the line faster or slower (at least one byte a second).
    pub fn set_bandwidth(&self, bytes_per_second: u64) {
        self.0.bandwidth.set(bytes_per_second.max(1));
    }

    /// What is offered: repositories as people write them, each with its tags, sorted.
    pub fn list(&self) -> Vec<(String, Vec<String>)> {
        let repositories = self.0.repositories.borrow();
        let tags = |(name, repository): (&String, &Repository)| {
            let name = Reference::parse(name).map_or(name.clone(), |r| r.familiar_repository());
            (name, repository.tags.keys().cloned().collect())
        };
        let mut all: Vec<_> = repositories.iter().map(tags).collect();
        all.sort_unstable();
        all
    }

    /// The tags of a repository, sorted.
    pub fn tags(&self, repository: &Reference) -> BTreeSet<String> {
        let repositories = self.0.repositories.borrow();
        let found = repositories.get(&repository.repository());
        found.map(|r| r.tags.keys().cloned().collect()).unwrap_or_default()
    }

    /// What a reference names now.
    ///
    /// # Errors
    /// See [`PullError`].
    pub fn resolve(&self, reference: &Reference) -> Result<Rc<Image>, PullError> {
        let error = |why| Err(PullError { reference: reference.clone(), why });
        if !self.0.reachable.get() {
            return error(Why::Unreachable);
        }
        let repositories = self.0.repositories.borrow();
        let Some(repository) = repositories.get(&reference.repository()) else {
            // A registry of one's own that nobody has set up does not even have a name.
            let known = ["docker.io", "registry.k8s.io", "quay.io", "ghcr.io", "gcr.io"];
            return match reference.domain.as_str() {
                "docker.io" => error(Why::Denied),
                domain if known.contains(&domain) => error(Why::NoManifest),
                _ => error(Why::NoSuchHost),
            };
        };
        let found = match (&reference.digest, &reference.tag) {
            (Some(digest), _) => repository.tags.values().find(|i| i.digest == *digest),
            (None, tag) => repository.tags.get(tag.as_deref().unwrap_or("latest")),
        };
        match found {
            Some(image) => Ok(image.clone()),
            None => error(Why::NoManifest),
        }
    }
}

/// Why an image could not be pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullError {
    /// What was asked for.
    pub reference: Reference,
    /// Why it failed.
    pub why: Why,
}

/// The ways in which a pull fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// No such repository (or, as Docker Hub words it, no right to see it).
    Denied,
    /// The repository has no such tag or digest.
    NoManifest,
    /// The registry's name can't be resolved.
    NoSuchHost,
    /// The network is down.
    Unreachable,
}

impl PullError {
    /// As docker's daemon words it (without `Error response from daemon: `).
    pub fn docker(&self) -> String {
        let name = self.reference.familiar_repository();
        match self.why {
            Why::Denied => format!(
                "pull access denied for {name}, repository does not exist or may require \
                 'docker login': denied: requested access to the resource is denied"
            ),
            Why::NoManifest => format!(
                "manifest for {} not found: manifest unknown: manifest unknown",
                self.reference.familiar()
            ),
            Why::NoSuchHost => {
                let domain = &self.reference.domain;
                format!("Get \"https://{domain}/v2/\": dial tcp: lookup {domain}: no such host")
            }
            Why::Unreachable => format!(
                "Get \"https://{}/v2/\": net/http: request canceled while waiting for connection \
                 (Client.Timeout exceeded while awaiting headers)",
                self.host()
            ),
        }
    }

    /// As containerd words it to the kubelet.
    pub fn containerd(&self) -> String {
        let full = &self.reference;
        let head = format!(
            "failed to pull and unpack image \"{full}\": failed to resolve reference \"{full}\":"
        );
        match self.why {
            Why::Denied => format!(
                "{head} pull access denied, repository does not exist or may require \
                 authorization: server message: insufficient_scope: authorization failed"
            ),
            Why::NoManifest => format!("{head} {full}: not found"),
            Why::NoSuchHost | Why::Unreachable => {
                let (host, path) = (self.host(), &full.path);
                let tag = full.tag.as_deref().or(full.digest.as_deref()).unwrap_or("latest");
                let cause = match self.why {
                    Why::NoSuchHost => format!("dial tcp: lookup {host}: no such host"),
                    _ => format!("dial tcp: lookup {host}: i/o timeout"),
                };
                format!(
                    "{head} failed to do request: Head \
                     \"https://{host}/v2/{path}/manifests/{tag}\": {cause}"
                )
            }
        }
    }

    fn host(&self) -> &str {
        match self.reference.domain.as_str() {
            "docker.io" => "registry-1.docker.io",
            domain => domain,
        }
    }
}
