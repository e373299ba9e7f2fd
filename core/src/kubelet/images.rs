//! A container's image: there already, or pulled, or not to be had.
//!
//! Models `pkg/kubelet/images/image_manager.go`. Pulls of one node wait for each other
//! (`serializeImagePulls`, on by default).

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    rc::Rc,
    time::Duration,
};

use k8s_openapi::api::core::v1::Container;

use super::{Inner, start::StartError, worker::Worker};
use crate::{
    client::EventType,
    runtime::{EngineKind, Image, ImageDef, LayerDef, PullError, Reference},
    sim::Notify,
};

/// The pause image that sandboxes are made from, where the registries don't offer one.
static PAUSE: ImageDef = ImageDef {
    repository: "registry.k8s.io/pause",
    tags: &["3.10.1"],
    layers: &[LayerDef {
        id: "pause-3.10.1",
        arg: "",
        size: 736_000,
        created_by: "COPY bin/pause-linux-amd64 /pause",
        build: |cx| cx.program("/pause", "pause"),
    }],
    entrypoint: &["/pause"],
    user: "65535:65535",
    ..ImageDef::EMPTY
};

/// The name of the pause image.
pub const PAUSE_IMAGE: &str = "registry.k8s.io/pause:3.10.1";

/// Who may pull: one after the other.
#[derive(Default)]
pub struct PullQueue {
    next: Cell<u64>,
    waiting: RefCell<BTreeSet<u64>>,
    changed: Notify,
}

struct Turn<'a>(&'a PullQueue, u64);

impl PullQueue {
    async fn turn(&self) -> Turn<'_> {
        let ticket = self.next.get();
        self.next.set(ticket + 1);
        self.waiting.borrow_mut().insert(ticket);
        let turn = Turn(self, ticket);
        while self.waiting.borrow().first() != Some(&ticket) {
            self.changed.wait().await;
        }
        turn
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.waiting.borrow_mut().remove(&self.1);
        self.0.changed.notify();
    }
}

/// A duration as Go prints it, cut to milliseconds: `812ms`, `1.2s`, `1m2.5s`.
pub fn go_duration(d: Duration) -> String {
    let millis = d.as_millis();
    if millis == 0 {
        return "0s".into();
    }
    if millis < 1000 {
        return format!("{millis}ms");
    }
    let (minutes, rest) = (millis / 60_000, millis % 60_000);
    let mut seconds = format!("{}.{:03}", rest / 1000, rest % 1000);
    while seconds.ends_with('0') {
        seconds.pop();
    }
    let seconds = seconds.trim_end_matches('.');
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{seconds}s"),
        (0, m) => format!("{m}m{seconds}s"),
        (h, m) => format!("{h}h{m}m{seconds}s"),
    }
}

impl Inner {
    /// Sandboxes need an image that no pod asks for.
    pub fn ensure_pause_image(&self) {
        let images = self.engine.images();
        if images.find(PAUSE_IMAGE).is_none() && !images.preload(PAUSE_IMAGE) {
            let image = Rc::new(PAUSE.image());
            for reference in PAUSE.references() {
                images.add(&reference, &image);
            }
        }
    }

    fn pull_error(&self, error: &PullError) -> String {
        match self.engine.kind() {
            EngineKind::Docker => format!("Error response from daemon: {}", error.docker()),
            EngineKind::Containerd => error.containerd(),
        }
    }

    /// Gets a container's image as its pull policy says, and whether it was pulled for that.
    /// `field` names the container in events.
    pub async fn ensure_image(
        &self,
        worker: &Rc<Worker>,
        container: &Container,
        field: &str,
    ) -> Result<(Rc<Image>, bool), StartError> {
        let pod = worker.pod();
        let name = container.image.as_deref().unwrap_or_default();
        let event = |kind, reason: &str, message: &str| {
            self.recorder.event_at(&*pod, field, kind, reason, message);
        };
        let fail = |reason: &str, message: String| {
            event(EventType::Warning, "Failed", &format!("Error: {reason}"));
            Err(StartError::new(reason, message))
        };
        let reference = match Reference::parse(name) {
            Ok(reference) => reference,
            Err(error) => {
                let message = format!(
                    "Failed to apply default image tag \"{name}\": couldn't parse image name \
                     \"{name}\": {error}"
                );
                event(EventType::Warning, "InspectFailed", &message);
                return fail("InvalidImageName", message);
            }
        };
        let policy = container.image_pull_policy.as_deref().unwrap_or("IfNotPresent");
        match (self.engine.images().find(&reference.familiar()), policy) {
            (Some(image), "IfNotPresent" | "Never") => {
                let message = format!(
                    "Container image \"{name}\" already present on machine and can be accessed by \
                     the pod"
                );
                event(EventType::Normal, "Pulled", &message);
                return Ok((image, false));
            }
            (None, "Never") => {
                let message =
                    format!("Container image \"{name}\" is not present with pull policy of Never");
                event(EventType::Warning, "ErrImageNeverPull", &message);
                return fail("ErrImageNeverPull", message);
            }
            _ => {}
        }
        let key = format!("{}_{name}", worker.uid);
        let now = self.sim.now();
        if self.image_backoff.borrow().pausing_since_update(&key, now).is_some() {
            let message = format!("Back-off pulling image \"{name}\"");
            event(EventType::Normal, "BackOff", &message);
            let before = match worker.waiting.borrow().get(&container.name) {
                Some(w) if w.reason == "ErrImagePull" => format!(": ErrImagePull: {}", w.message),
                Some(w) if w.reason == "ImagePullBackOff" => {
                    w.message.strip_prefix(&message).unwrap_or_default().to_string()
                }
                _ => String::new(),
            };
            return fail("ImagePullBackOff", message + &before);
        }
        event(EventType::Normal, "Pulling", &format!("Pulling image \"{name}\""));
        let turn = self.pulls.turn().await;
        let began = self.sim.now();
        let result = self.engine.images().pull(&reference, None).await;
        drop(turn);
        let done = self.sim.now();
        match result {
            Ok(pulled) => {
                let message = format!(
                    "Successfully pulled image \"{name}\" in {} ({} including waiting). Image \
                     size: {} bytes.",
                    go_duration(done.since(began)),
                    go_duration(done.since(now)),
                    pulled.image.size()
                );
                event(EventType::Normal, "Pulled", &message);
                self.node_images_changed();
                Ok((pulled.image, true))
            }
            Err(error) => {
                let error = self.pull_error(&error);
                let message = format!("Failed to pull image \"{name}\": {error}");
                event(EventType::Warning, "Failed", &message);
                self.image_backoff.borrow_mut().next(&key, done, done);
                fail("ErrImagePull", error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_go_prints_them() {
        for (millis, text) in
            [(0, "0s"), (812, "812ms"), (1_200, "1.2s"), (62_500, "1m2.5s"), (3_600_000, "1h0m0s")]
        {
            assert_eq!(go_duration(Duration::from_millis(millis)), text);
        }
    }
}
