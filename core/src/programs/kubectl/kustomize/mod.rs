//! Kustomizations: folders that say how objects are put together and changed.
//!
//! [`build`] reads a folder and what it refers to, [`load`] gathers resources, [`generate`] makes
//! config maps and secrets, [`patches`], [`transform`] and [`replace`] change them level by level,
//! [`refs`] mends references to names that changed, [`order`] sorts the result.
//!
//! Models `sigs.k8s.io/kustomize/api` as `kubectl` uses it. Not here: plugins, charts, remote bases,
//! variables.

mod generate;
pub use generate::name_hash;
mod load;
mod order;
mod patches;
mod refs;
mod replace;
mod resource;
mod specs;
mod transform;

use serde_json::Value;

use super::{Cx, Error};
use crate::api::yaml;

/// What a build comes to.
pub struct Built {
    /// The objects, sorted.
    pub objects: Vec<Value>,
    /// What is discouraged, for standard error.
    pub warnings: Vec<String>,
}

impl Built {
    /// The objects as a file of YAML documents.
    pub fn text(&self) -> String {
        let all: Vec<String> = self.objects.iter().map(yaml::to_string).collect();
        all.join("---\n")
    }
}

/// Builds a folder. `within`: files must be in the folders of their kustomizations.
pub fn build(cx: &Cx, folder: &str, within: bool) -> Result<Built, Error> {
    let mut loader = load::Loader::new(cx, within);
    let root = loader.root(folder)?;
    let mut all = loader.target(&root, Vec::new(), 0)?;
    generate::add_hashes(&mut all);
    refs::mend(&mut all);
    all.retain(|res| res.annotation("config.kubernetes.io/local-config") != Some("true"));
    if loader.legacy_order {
        order::sort(&mut all);
    }
    let objects = all.into_iter().map(|res| res.value).collect();
    Ok(Built { objects, warnings: loader.warnings })
}

#[cfg(test)]
mod tests;
