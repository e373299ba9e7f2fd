//! Events: what components tell about objects, gathered where they repeat.
//!
//! Models `client-go/tools/record`.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use k8s_openapi::{
    api::core::v1::{Event, EventSource, ObjectReference},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{Client, correlate::Correlator};
use crate::api::{Object, Status};

/// Whether something went as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    /// It did.
    Normal,
    /// It did not.
    Warning,
}

/// Repeats remembered, so that they are counted in one event (`maxLruCacheEntries`).
const REMEMBERED: usize = 4096;

/// Records events of one component. Clones share what they remember.
#[derive(Clone)]
pub struct Recorder {
    client: Client,
    component: Rc<str>,
    host: Rc<str>,
    seen: Rc<RefCell<BTreeMap<String, String>>>,
    correlator: Rc<RefCell<Correlator>>,
}

impl Recorder {
    /// A recorder for `component` (`kubelet`, `deployment-controller`), on `host` where it has one.
    pub fn new(client: &Client, component: &str, host: &str) -> Self {
        Recorder {
            client: client.clone(),
            component: component.into(),
            host: host.into(),
            seen: Rc::default(),
            correlator: Rc::default(),
        }
    }

    /// Tells something about an object.
    pub fn event(&self, about: &dyn Object, kind: EventType, reason: &str, message: &str) {
        self.event_at(about, "", kind, reason, message);
    }

    /// Tells something about a part of an object (`spec.containers{web}`).
    pub fn event_at(
        &self,
        about: &dyn Object,
        field_path: &str,
        event_type: EventType,
        reason: &str,
        message: &str,
    ) {
        let kind = self.client.kind(about.kind_id());
        let reference = ObjectReference {
            api_version: Some(kind.api_version()),
            kind: Some(kind.kind.to_string()),
            name: Some(about.name().to_string()),
            namespace: Some(about.namespace().to_string()).filter(|n| !n.is_empty()),
            uid: Some(about.uid().to_string()),
            resource_version: about.metadata().resource_version.clone(),
            field_path: Some(field_path.to_string()).filter(|f| !f.is_empty()),
        };
        self.record(reference, event_type, reason, message);
    }

    /// Tells something about an object that is only named.
    pub fn record(
        &self,
        about: ObjectReference,
        event_type: EventType,
        reason: &str,
        message: &str,
    ) {
        let type_ = if event_type == EventType::Normal { "Normal" } else { "Warning" };
        let subject = format!(
            "{}/{}/{}",
            about.namespace.as_deref().unwrap_or_default(),
            about.name.as_deref().unwrap_or_default(),
            about.uid.as_deref().unwrap_or_default(),
        );
        let sort = format!("{}/{type_}/{reason}", about.field_path.as_deref().unwrap_or_default());
        let at = self.client.sim().now();
        let (key, message) = self.correlator.borrow_mut().aggregate(&subject, &sort, message, at);
        if !self.correlator.borrow_mut().may_tell(&subject, at) {
            return;
        }
        let ns = about.namespace.clone().unwrap_or_else(|| "default".into());
        let now = self.client.sim().now().to_meta();
        let known = self.seen.borrow().get(&key).cloned();
        let again = known.and_then(|name| self.client.find::<Event>(&ns, &name));
        if let Some(old) = again {
            let mut event = (*old).clone();
            event.count = Some(event.count.unwrap_or(1) + 1);
            event.message = Some(message);
            event.last_timestamp = Some(now);
            event.involved_object.resource_version = about.resource_version;
            let _ = self.client.update(event);
            return;
        }
        let event = Event {
            metadata: ObjectMeta { namespace: Some(ns), ..Default::default() },
            involved_object: about,
            reason: Some(reason.to_string()),
            message: Some(message),
            type_: Some(type_.to_string()),
            source: Some(EventSource {
                component: Some(self.component.to_string()),
                host: Some(self.host.to_string()).filter(|h| !h.is_empty()),
            }),
            reporting_component: Some(self.component.to_string()),
            reporting_instance: Some(self.host.to_string()).filter(|h| !h.is_empty()),
            first_timestamp: Some(now.clone()),
            last_timestamp: Some(now),
            count: Some(1),
            ..Default::default()
        };
        // An event that can't be stored (its namespace is going) is lost, as on a real cluster.
        if let Ok(stored) = create_named(&self.client, event) {
            let mut seen = self.seen.borrow_mut();
            if seen.len() >= REMEMBERED {
                seen.clear();
            }
            seen.insert(key, stored.metadata.name.clone().unwrap_or_default());
        }
    }
}

/// Creates an event under its object's name and the time in nanoseconds, read anew until the name is
/// free. Events of one instant are listed in the order in which they happened.
pub(super) fn create_named(client: &Client, event: Event) -> Result<Rc<Event>, Status> {
    let about = event.involved_object.name.clone().unwrap_or_default();
    let mut last = None;
    for _ in 0..8 {
        let nanos = client.sim().reading();
        let mut event = event.clone();
        event.metadata.name = Some(format!("{about}.{nanos:x}"));
        match client.create(event) {
            Err(error) if error.is_already_exists() => last = Some(error),
            other => return other,
        }
    }
    Err(last.unwrap_or_else(|| Status::internal("no free name")))
}
