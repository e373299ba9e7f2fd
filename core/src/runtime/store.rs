//! The images a machine has, and how it gets more of them.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

use super::{Image, Layer, PullError, Reference, Registries};
use crate::sim::{Notify, Sim};

/// Token, manifest and configuration: three round trips to a registry far away.
const MANIFEST: Duration = Duration::from_millis(420);
/// The most that chance adds to [`MANIFEST`].
const MANIFEST_JITTER: u64 = 380;
/// Bytes a second that unpacking writes.
const EXTRACT: u64 = 150_000_000;
/// How often progress is told while a layer downloads.
const TICK: Duration = Duration::from_millis(100);

/// The images of one machine. Clones share them.
#[derive(Clone)]
pub struct ImageStore(Rc<Inner>);

struct Inner {
    sim: Sim,
    registries: Registries,
    images: RefCell<BTreeMap<String, Stored>>,
    tags: RefCell<BTreeMap<String, String>>,
    layers: RefCell<BTreeSet<Rc<str>>>,
    pulling: RefCell<BTreeMap<Rc<str>, Notify>>,
    changed: Notify,
}

struct Stored {
    image: Rc<Image>,
    digests: BTreeSet<String>,
}

/// An image with the names it has here.
pub struct ImageRow {
    /// The image.
    pub image: Rc<Image>,
    /// `nginx:1.25`, sorted.
    pub tags: Vec<String>,
    /// `nginx@sha256:…`, sorted.
    pub digests: Vec<String>,
}

/// What a pull did.
pub struct Pulled {
    /// The image.
    pub image: Rc<Image>,
    /// Whether it was here already under that name.
    pub up_to_date: bool,
}

/// A step of a pull, for progress bars.
pub struct PullEvent<'a> {
    /// The layer.
    pub layer: &'a Layer,
    /// What happens to it.
    pub state: PullState,
}

/// What happens to a layer while it is pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullState {
    /// It is here already.
    Exists,
    /// It will be pulled.
    Queued,
    /// So many bytes have come.
    Downloading(u64),
    /// All bytes have come.
    Downloaded,
    /// It is being unpacked.
    Extracting,
    /// It is here.
    Complete,
}

type Progress = Rc<dyn Fn(&PullEvent)>;

impl ImageStore {
    /// An empty store that pulls from these registries.
    pub fn new(sim: &Sim, registries: &Registries) -> Self {
        ImageStore(Rc::new(Inner {
            sim: sim.clone(),
            registries: registries.clone(),
            images: RefCell::default(),
            tags: RefCell::default(),
            layers: RefCell::default(),
            pulling: RefCell::default(),
            changed: Notify::default(),
        }))
    }

    /// The registries it pulls from.
    pub fn registries(&self) -> &Registries {
        &self.0.registries
    }

    /// Notified whenever images come or go.
    pub fn changed(&self) -> &Notify {
        &self.0.changed
    }

    /// An image by reference, or by id or the beginning of one.
    pub fn find(&self, name: &str) -> Option<Rc<Image>> {
        if let Ok(reference) = Reference::parse(name)
            && let Some(image) = self.by_reference(&reference)
        {
            return Some(image);
        }
        let prefix = name.strip_prefix("sha256:").unwrap_or(name);
        if prefix.is_empty() || !prefix.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let images = self.0.images.borrow();
        let key = format!("sha256:{prefix}");
        let (id, found) = images.range(key.clone()..).next()?;
        id.starts_with(&key).then(|| found.image.clone())
    }

    fn by_reference(&self, reference: &Reference) -> Option<Rc<Image>> {
        let images = self.0.images.borrow();
        if let Some(digest) = &reference.digest {
            let name = format!("{}@{digest}", reference.familiar_repository());
            return images.values().find(|s| s.digests.contains(&name)).map(|s| s.image.clone());
        }
        let tags = self.0.tags.borrow();
        images.get(tags.get(&reference.familiar())?).map(|s| s.image.clone())
    }

    /// All images, newest first, with their names.
    pub fn list(&self) -> Vec<ImageRow> {
        let images = self.0.images.borrow();
        let tags = self.0.tags.borrow();
        let mut rows: Vec<_> = images
            .values()
            .map(|stored| ImageRow {
                image: stored.image.clone(),
                tags: tags
                    .iter()
                    .filter(|(_, id)| **id == stored.image.id)
                    .map(|(tag, _)| tag.clone())
                    .collect(),
                digests: stored.digests.iter().cloned().collect(),
            })
            .collect();
        rows.sort_by(|a, b| b.image.created.cmp(&a.image.created).then(a.tags.cmp(&b.tags)));
        rows
    }

    /// The names of an image.
    pub fn names(&self, image: &Image) -> ImageRow {
        let mut rows = self.list();
        rows.retain(|row| row.image.id == image.id);
        rows.pop().unwrap_or_else(|| ImageRow {
            image: Rc::new(Image::new(image.layers.clone(), image.config.clone(), image.created)),
            tags: Vec::new(),
            digests: Vec::new(),
        })
    }

    /// How an image is told to the kubelet: `nginx@sha256:…`, or its id if it was never pulled.
    pub fn repo_digest(&self, image: &Image) -> String {
        let images = self.0.images.borrow();
        let digest = images.get(&image.id).and_then(|s| s.digests.first().cloned());
        digest.unwrap_or_else(|| image.id.clone())
    }

    /// Puts an image here without a registry (`docker load`, `docker build`, what a machine comes with).
    pub fn add(&self, reference: &Reference, image: &Rc<Image>) {
        self.0.layers.borrow_mut().extend(image.layers.iter().map(|l| l.digest.clone()));
        self.0
            .images
            .borrow_mut()
            .entry(image.id.clone())
            .or_insert_with(|| Stored { image: image.clone(), digests: BTreeSet::new() });
        if reference.tag.is_some() {
            self.0.tags.borrow_mut().insert(reference.familiar(), image.id.clone());
        }
        self.0.changed.notify();
    }

    /// As [`ImageStore::add`] with an image of the registries, as if it had been pulled; `false` if
    /// there is none.
    pub fn preload(&self, name: &str) -> bool {
        let Ok(reference) = Reference::parse(name) else { return false };
        let Ok(image) = self.0.registries.resolve(&reference) else { return false };
        self.store_pulled(&reference, &image);
        true
    }

    fn store_pulled(&self, reference: &Reference, image: &Rc<Image>) {
        self.add(reference, image);
        let digest = format!("{}@{}", reference.familiar_repository(), image.digest);
        if let Some(stored) = self.0.images.borrow_mut().get_mut(&image.id) {
            stored.digests.insert(digest);
        }
    }

    /// Takes a name away; whether it was there. The image stays until it is removed.
    pub fn untag(&self, reference: &Reference) -> bool {
        let gone = self.0.tags.borrow_mut().remove(&reference.familiar()).is_some();
        self.0.changed.notify();
        gone
    }

    /// Removes an image with all its names; returns the digests of layers that nothing else uses.
    pub fn remove(&self, id: &str) -> Vec<Rc<str>> {
        let Some(stored) = self.0.images.borrow_mut().remove(id) else { return Vec::new() };
        self.0.tags.borrow_mut().retain(|_, of| of != id);
        let images = self.0.images.borrow();
        let used: BTreeSet<_> =
            images.values().flat_map(|s| s.image.layers.iter().map(|l| &l.digest)).collect();
        let layers = stored.image.layers.iter().rev().map(|l| l.digest.clone());
        let gone: Vec<_> = layers.filter(|digest| !used.contains(digest)).collect();
        self.0.layers.borrow_mut().retain(|digest| !gone.contains(digest));
        self.0.changed.notify();
        gone
    }

    /// Gets an image from its registry, taking the time that takes. Layers that are here, or that
    /// another pull is getting, are not fetched twice.
    ///
    /// # Errors
    /// See [`PullError`].
    pub async fn pull(
        &self,
        reference: &Reference,
        progress: Option<Progress>,
    ) -> Result<Pulled, PullError> {
        let sim = &self.0.sim;
        sim.sleep(MANIFEST + Duration::from_millis(sim.random(MANIFEST_JITTER))).await;
        let image = self.0.registries.resolve(reference)?;
        let up_to_date = self.by_reference(reference).is_some_and(|here| here.id == image.id);
        let tell = Teller(progress);
        for layer in image.layers.iter().filter(|_| !up_to_date) {
            let here = self.0.layers.borrow().contains(&layer.digest);
            tell.tell(layer, if here { PullState::Exists } else { PullState::Queued });
        }
        for layer in &image.layers {
            self.pull_layer(layer, &tell).await;
        }
        self.store_pulled(reference, &image);
        Ok(Pulled { image, up_to_date })
    }

    async fn pull_layer(&self, layer: &Layer, tell: &Teller) {
        loop {
            if self.0.layers.borrow().contains(&layer.digest) {
                return;
            }
            let other = self.0.pulling.borrow().get(&layer.digest).cloned();
            match other {
                Some(other) => other.wait().await,
                None => break,
            }
        }
        let mine = Pulling::new(self, layer);
        let (sim, bandwidth) = (&self.0.sim, self.0.registries.bandwidth());
        let (start, total) = (sim.now(), layer.compressed());
        let takes = Duration::from_micros(total.saturating_mul(1_000_000) / bandwidth);
        while tell.0.is_some() && sim.now() + TICK < start + takes {
            sim.sleep(TICK).await;
            let done = sim.now().since(start).as_micros() as u64 * bandwidth / 1_000_000;
            tell.tell(layer, PullState::Downloading(done.min(total)));
        }
        sim.sleep_until(start + takes).await;
        tell.tell(layer, PullState::Downloaded);
        tell.tell(layer, PullState::Extracting);
        sim.sleep(Duration::from_micros(layer.size.saturating_mul(1_000_000) / EXTRACT)).await;
        self.0.layers.borrow_mut().insert(layer.digest.clone());
        drop(mine);
        tell.tell(layer, PullState::Complete);
    }
}

struct Teller(Option<Progress>);

impl Teller {
    fn tell(&self, layer: &Layer, state: PullState) {
        if let Some(progress) = &self.0 {
            progress(&PullEvent { layer, state });
        }
    }
}

/// Marks a layer as being pulled; whoever waits goes on when it is dropped, however that comes.
struct Pulling<'a>(&'a ImageStore, Rc<str>);

impl<'a> Pulling<'a> {
    fn new(store: &'a ImageStore, layer: &Layer) -> Self {
        let digest = layer.digest.clone();
        store.0.pulling.borrow_mut().insert(digest.clone(), Notify::default());
        Pulling(store, digest)
    }
}

impl Drop for Pulling<'_> {
    fn drop(&mut self) {
        let notify = self.0.0.pulling.borrow_mut().remove(&self.1);
        if let Some(notify) = notify {
            notify.notify();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        runtime::{ImageDef, LayerDef},
        sim::Time,
    };

    const BASE: LayerDef = LayerDef {
        id: "base",
        arg: "",
        size: 100_000_000,
        created_by: "ADD rootfs",
        build: |cx| cx.file("/etc/base", "1"),
    };
    static ONE: ImageDef =
        ImageDef { repository: "one", tags: &["1", "latest"], layers: &[BASE], ..ImageDef::EMPTY };
    static TWO: ImageDef = ImageDef {
        repository: "acme/two",
        layers: &[
            BASE,
            LayerDef {
                id: "two",
                arg: "",
                size: 1_000_000,
                created_by: "COPY",
                build: |cx| cx.file("/two", "2"),
            },
        ],
        ..ImageDef::EMPTY
    };

    fn pull(sim: &Sim, store: &ImageStore, name: &str) -> (Result<bool, String>, u64) {
        let out = Rc::new(RefCell::new(None));
        let (into, store, begin) = (out.clone(), store.clone(), sim.now());
        let (s, reference) = (sim.clone(), Reference::parse(name).unwrap());
        sim.spawn(async move {
            let result = store.pull(&reference, None).await;
            let result = result.map(|p| p.up_to_date).map_err(|e| e.docker());
            *into.borrow_mut() = Some((result, s.now().since(begin).as_millis() as u64));
        });
        sim.advance(sim.now() + Duration::from_secs(60), 10_000);
        out.take().unwrap()
    }

    #[test]
    fn pulls_take_their_time_and_share_layers() {
        let sim = Sim::new(1, Time::from_secs(1_000));
        let registries = Registries::new(&[&ONE, &TWO]);
        let store = ImageStore::new(&sim, &registries);
        let (result, millis) = pull(&sim, &store, "one:1");
        assert_eq!(result, Ok(false));
        assert!((2_900..3_500).contains(&millis), "{millis}"); // 38 MB at 20 MB/s, and unpacking
        let (result, millis) = pull(&sim, &store, "one");
        assert_eq!(result, Ok(false));
        assert!(millis < 900);
        assert_eq!(pull(&sim, &store, "one").0, Ok(true));
        let (_, millis) = pull(&sim, &store, "acme/two");
        assert!(millis < 1_000);
        let files = store.find("acme/two").unwrap().files();
        assert!(files.get("/two").is_ok() && files.get("/etc/base").is_ok());
        assert_eq!(store.list().len(), 2);
        let one = store.find("one:1").unwrap();
        assert_eq!(store.find(one.short_id()).unwrap().id, one.id);
        assert_eq!(store.repo_digest(&one), format!("one@{}", one.digest));
        let two = store.find("acme/two").unwrap();
        assert_eq!(store.remove(&two.id).len(), 1, "the shared layer stays");
    }

    #[test]
    fn what_can_not_be_pulled_is_told_in_dockers_words() {
        let sim = Sim::new(1, Time::from_secs(1_000));
        let registries = Registries::new(&[&ONE]);
        let store = ImageStore::new(&sim, &registries);
        let error = |name: &str| pull(&sim, &store, name).0.unwrap_err();
        assert_eq!(
            error("kub-first-app"),
            "pull access denied for kub-first-app, repository does not exist or may require \
             'docker login': denied: requested access to the resource is denied"
        );
        assert_eq!(
            error("one:3"),
            "manifest for one:3 not found: manifest unknown: manifest unknown"
        );
        assert!(error("example.com/x").contains("no such host"));
        registries.set_reachable(false);
        assert!(error("one").contains("request canceled"));
    }
}
