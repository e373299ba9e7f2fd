//! Deletes finished jobs that are not to be kept for ever.
//!
//! Models `pkg/controller/ttlafterfinished`.

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;

use super::{
    framework::{Controller, Key, Queue},
    job,
};
use crate::{
    api::{KindId, Object, Status, Typed, meta::is_deleting},
    client::{Change, Client, DeleteOptions, Op, Propagation},
};

/// The controller.
pub fn make(client: &Client) -> Box<dyn Controller> {
    Box::new(TtlAfterFinished { client: client.clone() })
}

struct TtlAfterFinished {
    client: Client,
}

impl Controller for TtlAfterFinished {
    fn name(&self) -> &'static str {
        "ttl-after-finished-controller"
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![Job::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        if change.op != Op::Deleted {
            queue.add_name(change.object.namespace(), change.object.name());
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        let Some(found) = self.client.find::<Job>(&key.0, &key.1) else { return Ok(None) };
        let ttl = found.spec.as_ref().and_then(|s| s.ttl_seconds_after_finished);
        let (Some(ttl), Some((_, end))) = (ttl, job::end_of(&found)) else { return Ok(None) };
        if is_deleting(&found.metadata) {
            return Ok(None);
        }
        let due = end + Duration::from_secs(u64::try_from(ttl).unwrap_or(0));
        let now = self.client.sim().now();
        if due > now {
            return Ok(Some(due.since(now)));
        }
        let options = DeleteOptions {
            propagation: Propagation::Foreground,
            uid: Some((&*found as &dyn Object).uid().to_string()),
            ..Default::default()
        };
        match self.client.delete::<Job>(&key.0, &key.1, &options) {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(None),
        }
    }
}
