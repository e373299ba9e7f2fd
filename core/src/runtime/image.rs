//! What an image is: layers that build a file tree, and how its containers start.
//!
//! Images of the table are constants ([`ImageDef`]); images that are built or committed in a session are
//! made at run time ([`Image`]). Files are built once per image and shared by all containers.
//! Sizes are what the real image has, whatever the simulated files weigh.

use std::{cell::OnceCell, rc::Rc};

use super::{Reference, digest};
use crate::{
    machine::{Signal, fs::Fs},
    sim::Time,
};

/// An image of the table of a registry. Fill in what differs from [`ImageDef::EMPTY`].
pub struct ImageDef {
    /// Repository as people write it: `nginx`, `registry.k8s.io/pause`.
    pub repository: &'static str,
    /// The tags that name this image. Another version is another definition.
    pub tags: &'static [&'static str],
    /// From the bottom up. Layers with equal `id`, `arg` and everything below are shared.
    pub layers: &'static [LayerDef],
    /// `ENTRYPOINT`
    pub entrypoint: &'static [&'static str],
    /// `CMD`
    pub cmd: &'static [&'static str],
    /// `ENV`
    pub env: &'static [(&'static str, &'static str)],
    /// `WORKDIR`
    pub workdir: &'static str,
    /// `USER`: a name, or `uid[:gid]`.
    pub user: &'static str,
    /// `EXPOSE`: `80/tcp`.
    pub exposed: &'static [&'static str],
    /// `VOLUME`
    pub volumes: &'static [&'static str],
    /// `STOPSIGNAL`
    pub stop_signal: Signal,
    /// `LABEL`
    pub labels: &'static [(&'static str, &'static str)],
    /// When it was built.
    pub created: Time,
}

/// A layer of an image of the table.
pub struct LayerDef {
    /// Names the content; layers of different images with the same `id` and `arg` are the same.
    pub id: &'static str,
    /// Handed to `build`: a version, say.
    pub arg: &'static str,
    /// Bytes, unpacked, as `docker history` shows them.
    pub size: u64,
    /// The instruction that made it, as `docker history` shows it.
    pub created_by: &'static str,
    /// Adds the layer's files to those below.
    pub build: fn(&LayerCx),
}

/// What a layer is built with.
pub struct LayerCx<'a> {
    /// The files so far.
    pub fs: &'a Fs,
    /// The layer's `arg`.
    pub arg: &'a str,
    /// When the image was built.
    pub now: Time,
}

impl LayerCx<'_> {
    /// Writes a file, mode 644, and makes missing directories.
    pub fn file(&self, path: &str, content: impl Into<Vec<u8>>) {
        self.check(path, self.fs.write(path, content, self.now));
    }

    /// Writes an executable script.
    pub fn script(&self, path: &str, content: &str) {
        let content = Rc::new(content.as_bytes().to_vec());
        self.check(path, self.fs.write_shared(path, content, 0o755, self.now));
    }

    /// Puts a registered program at a path.
    pub fn program(&self, path: &str, program: &str) {
        self.check(path, self.fs.install(path, program, self.now));
    }

    /// Makes a directory and its parents.
    pub fn dir(&self, path: &str) {
        self.check(path, self.fs.make_dirs(path, self.now));
    }

    /// Makes a symbolic link.
    pub fn link(&self, path: &str, target: &str) {
        self.check(path, self.fs.link(path, target, self.now));
    }

    /// Changes owner and mode of what is at a path.
    pub fn own(&self, path: &str, uid: u32, gid: u32, mode: u32) {
        let changed =
            self.fs.update(path, |node| (node.uid, node.gid, node.mode) = (uid, gid, mode));
        self.check(path, changed);
    }

    fn check(&self, path: &str, result: Result<(), crate::machine::FsError>) {
        debug_assert!(result.is_ok(), "{path}: {result:?}");
    }
}

impl ImageDef {
    /// An image with nothing in it.
    pub const EMPTY: ImageDef = ImageDef {
        repository: "",
        tags: &["latest"],
        layers: &[],
        entrypoint: &[],
        cmd: &[],
        env: &[("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")],
        workdir: "",
        user: "",
        exposed: &[],
        volumes: &[],
        stop_signal: Signal::Term,
        labels: &[],
        created: Time::from_secs(1_717_000_000),
    };

    /// The names of this image in a registry. Names that don't parse are a bug of the table.
    pub fn references(&self) -> impl Iterator<Item = Reference> {
        self.tags
            .iter()
            .filter_map(|tag| Reference::parse(&format!("{}:{tag}", self.repository)).ok())
    }

    /// The image.
    pub fn image(&'static self) -> Image {
        let mut chain = String::new();
        let layers = self
            .layers
            .iter()
            .map(|def| {
                chain = digest::hex64([chain.as_str(), def.id, def.arg]);
                Layer {
                    digest: format!("sha256:{chain}").into(),
                    size: def.size,
                    created_by: def.created_by.into(),
                    content: LayerContent::Def(def),
                }
            })
            .collect();
        let strings = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        let pair = |(k, v): &(&str, &str)| (k.to_string(), v.to_string());
        let config = ImageConfig {
            entrypoint: strings(self.entrypoint),
            cmd: strings(self.cmd),
            env: self.env.iter().map(pair).collect(),
            workdir: self.workdir.into(),
            user: self.user.into(),
            exposed: strings(self.exposed),
            volumes: strings(self.volumes),
            stop_signal: self.stop_signal,
            labels: self.labels.iter().map(pair).collect(),
        };
        Image::new(layers, config, self.created)
    }
}

/// How containers of an image start. Models the OCI image configuration.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // as in ImageDef
pub struct ImageConfig {
    pub entrypoint: Vec<String>,
    pub cmd: Vec<String>,
    pub env: Vec<(String, String)>,
    pub workdir: String,
    pub user: String,
    pub exposed: Vec<String>,
    pub volumes: Vec<String>,
    pub stop_signal: Signal,
    pub labels: Vec<(String, String)>,
}

/// A layer of an image.
#[derive(Clone)]
pub struct Layer {
    /// `sha256:…`; follows from the layer's content and everything below it.
    pub digest: Rc<str>,
    /// Bytes, unpacked.
    pub size: u64,
    /// The instruction that made it.
    pub created_by: String,
    /// Its files.
    pub content: LayerContent,
}

impl Layer {
    /// Bytes that travel: layers are compressed to about 38 %.
    pub fn compressed(&self) -> u64 {
        self.size * 38 / 100
    }
}

/// Where a layer's files come from.
#[derive(Clone)]
pub enum LayerContent {
    /// A layer of the table.
    Def(&'static LayerDef),
    /// The whole tree after the instruction that made the layer.
    Tree(Rc<Fs>),
    /// An instruction that changes no files (`ENV`, `CMD`).
    Empty,
}

/// An image.
pub struct Image {
    /// Digest of its configuration: `sha256:…`, the image id.
    pub id: String,
    /// Digest of its manifest: `sha256:…`, what a repository is asked for.
    pub digest: String,
    /// From the bottom up.
    pub layers: Vec<Layer>,
    /// How its containers start.
    pub config: ImageConfig,
    /// When it was built.
    pub created: Time,
    files: OnceCell<Rc<Fs>>,
}

impl Image {
    /// An image; its ids follow from the arguments.
    pub fn new(layers: Vec<Layer>, config: ImageConfig, created: Time) -> Image {
        let config_text = format!("{config:?}{}", created.as_secs());
        let all = || layers.iter().map(|l| &*l.digest).chain([config_text.as_str()]);
        let (id, manifest) = (digest::sha256(all()), digest::sha256(all().chain(["manifest"])));
        Image { id, digest: manifest, layers, config, created, files: OnceCell::new() }
    }

    /// Bytes, unpacked.
    pub fn size(&self) -> u64 {
        self.layers.iter().map(|l| l.size).sum()
    }

    /// `linux/amd64`: the only platform there is.
    pub fn platform(&self) -> &'static str {
        "linux/amd64"
    }

    /// Its files for a new container: a copy that shares everything until it is written.
    pub fn files(&self) -> Rc<Fs> {
        self.files.get_or_init(|| self.build()).copy()
    }

    fn build(&self) -> Rc<Fs> {
        let mut fs = Fs::new(self.created);
        fs.add_basics(self.created);
        for layer in &self.layers {
            match &layer.content {
                LayerContent::Def(def) => {
                    (def.build)(&LayerCx { fs: &fs, arg: def.arg, now: self.created });
                }
                LayerContent::Tree(tree) => fs = tree.copy(),
                LayerContent::Empty => {}
            }
        }
        fs
    }

    /// The id as lists show it: 12 digits.
    pub fn short_id(&self) -> &str {
        let id = self.id.strip_prefix("sha256:").unwrap_or(&self.id);
        &id[..12.min(id.len())]
    }
}
