//! The images that the simulated registries offer: one file and one line each, sorted by name.

use super::ImageDef;

/// All images, sorted by repository and first tag.
pub static IMAGES: &[&ImageDef] = &[];
