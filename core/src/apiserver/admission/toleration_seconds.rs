//! DefaultTolerationSeconds: pods stay five minutes on a node that is lost.
//!
//! Models `plugin/pkg/admission/defaulttolerationseconds`.

use k8s_openapi::api::core::v1::{Pod, Toleration};

use super::Attributes;
use crate::api::{Object, Status};

/// `--default-not-ready-toleration-seconds` and its sibling.
const SECONDS: i64 = 300;

/// Adds what the pod does not tolerate itself.
pub fn admit(_: &Attributes, object: &mut dyn Object) -> Result<(), Status> {
    let Some(spec) = object.downcast_mut::<Pod>().and_then(|p| p.spec.as_mut()) else {
        return Ok(());
    };
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let tolerations = spec.tolerations.get_or_insert_default();
        let said = tolerations.iter().any(|t| {
            let (own, effect) = (t.key.as_deref(), t.effect.as_deref());
            (own == Some(key) || own.is_none_or(str::is_empty))
                && (effect == Some("NoExecute") || effect.is_none_or(str::is_empty))
        });
        if !said {
            tolerations.push(Toleration {
                effect: Some("NoExecute".into()),
                key: Some(key.into()),
                operator: Some("Exists".into()),
                toleration_seconds: Some(SECONDS),
                value: None,
            });
        }
    }
    Ok(())
}
