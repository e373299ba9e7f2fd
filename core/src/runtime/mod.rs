//! The container runtime: images, registries, containers and their sandboxes.
//!
//! Reading order: [`Reference`] (how images are named), [`image`] (what an image is), [`registry`]
//! (where images come from), [`ImageStore`] (which images a machine has).
//!
//! Not here: what is *in* the images of the table (`images`, one file each), and pods: the kubelet
//! knows those, this room knows containers.

pub mod digest;
pub mod image;
pub mod images;
mod reference;
pub mod registry;
mod store;

pub use image::{Image, ImageConfig, ImageDef, Layer, LayerCx, LayerDef};
pub use reference::Reference;
pub use registry::{PullError, Registries};
pub use store::{ImageStore, PullEvent, PullState};
