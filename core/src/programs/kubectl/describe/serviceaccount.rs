//! `kubectl describe serviceaccount`. Models `describeServiceAccount`.

use k8s_openapi::api::core::v1::ServiceAccount;

use super::{Cx, Writer, common, events};
use crate::api::Object;

/// See the module.
pub fn describe(cx: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(account) = object.downcast::<ServiceAccount>() else { return };
    common::name(object, w);
    common::labels_and_annotations(&account.metadata, w);
    let secrets = account.image_pull_secrets.as_deref().unwrap_or_default();
    if secrets.is_empty() {
        w.put(0, "Image pull secrets:\t<none>\n");
    }
    for (i, secret) in secrets.iter().enumerate() {
        let title = if i == 0 { "Image pull secrets:" } else { "                   " };
        w.put(0, format_args!("{title}\t{}\n", secret.name));
    }
    events::of(cx, object, w);
}
