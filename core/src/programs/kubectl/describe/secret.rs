//! `kubectl describe secret`: sizes, not values. Models `describeSecret`.

use k8s_openapi::api::core::v1::Secret;

use super::{
    Cx, Writer,
    common::{self, text},
};
use crate::api::Object;

/// See the module.
pub fn describe(_: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(secret) = object.downcast::<Secret>() else { return };
    common::name(object, w);
    common::labels_and_annotations(&secret.metadata, w);
    let kind = text(&secret.type_);
    w.put(0, format_args!("\nType:\t{kind}\n"));
    w.put(0, "\nData\n====\n");
    for (key, value) in secret.data.iter().flatten() {
        if key == "token" && kind == "kubernetes.io/service-account-token" {
            w.put(0, format_args!("{key}:\t{}\n", String::from_utf8_lossy(&value.0)));
        } else {
            w.put(0, format_args!("{key}:\t{} bytes\n", value.0.len()));
        }
    }
}
