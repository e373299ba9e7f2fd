//! The container runtime: images, registries, containers and their sandboxes.
//!
//! Reading order: [`Reference`] (how images are named), [`image`] (what an image is), [`registry`]
//! (where images come from), [`ImageStore`] (which images a machine has), [`Engine`] (a machine's
//! docker), [`Container`].
//!
//! Not here: what is *in* the images of the table (`images`, one file each), and pods: the kubelet
//! knows those, this room knows containers.

mod container;
pub mod digest;
mod engine;
pub mod image;
pub mod images;
pub mod log;
pub mod network;
mod reference;
pub mod registry;
mod run;
mod store;
#[cfg(test)]
mod tests;
mod users;
mod words;

pub use container::{
    Container, ContainerSpec, Mount, NetworkMode, PidMode, PodLabels, PortBinding, RestartPolicy,
    State, Status,
};
pub use engine::{Engine, EngineConfig, EngineError, EngineKind, EngineWatch, EventKind};
pub use image::{Image, ImageConfig, ImageDef, Layer, LayerCx, LayerDef};
pub use reference::Reference;
pub use registry::{PullError, Registries};
pub use run::{ExecSpec, Work};
pub use store::{ImageStore, PullEvent, PullState};
