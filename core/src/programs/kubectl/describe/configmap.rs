//! `kubectl describe configmap`.

use k8s_openapi::api::core::v1::ConfigMap;

use super::{Cx, Writer, common, events};
use crate::api::Object;

/// See the module.
pub fn describe(cx: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(config) = object.downcast::<ConfigMap>() else { return };
    common::name(object, w);
    common::labels_and_annotations(&config.metadata, w);
    w.put(0, "\nData\n====\n");
    for (key, value) in config.data.iter().flatten() {
        w.put(0, format_args!("{key}:\n----\n{value}\n\n"));
    }
    w.put(0, "\nBinaryData\n====\n");
    for (key, value) in config.binary_data.iter().flatten() {
        w.put(0, format_args!("{key}: {} bytes\n", value.0.len()));
    }
    w.put(0, "\n");
    events::of(cx, object, w);
}
