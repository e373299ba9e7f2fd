//! Admission: what looks at a write after its defaults and before its validation.
//!
//! One file a plugin, one line in [`PLUGINS`], in the order in which they run
//! (`pkg/kubeapiserver/options/plugins.go`). Plugins may change the object or refuse it.

use super::{ApiServer, RequestCx};
use crate::api::{Kind, Object, Status};

/// A write that is looked at.
pub struct Attributes<'a> {
    /// The API server (to read other objects).
    pub api: &'a ApiServer,
    /// The request.
    pub request: &'a RequestCx,
    /// The object's kind.
    pub kind: &'a Kind,
    /// The object before the write; `None` for a create.
    pub old: Option<&'a dyn Object>,
}

/// A plugin.
pub struct Plugin {
    /// Its name upstream.
    pub name: &'static str,
    /// Changes the object or refuses the write. Runs for creates and updates of main resources.
    pub admit: fn(&Attributes, &mut dyn Object) -> Result<(), Status>,
}

/// In the order in which they run.
pub const PLUGINS: &[Plugin] = &[];

/// Runs all plugins.
pub(super) fn admit(attributes: &Attributes, object: &mut dyn Object) -> Result<(), Status> {
    PLUGINS.iter().try_for_each(|plugin| (plugin.admit)(attributes, object))
}
