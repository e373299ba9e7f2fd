//! Events in their newer form (`events.k8s.io/v1`), which the scheduler records: who reports is
//! the reporting controller, repeats are a series.
//!
//! Models `client-go/tools/events`.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    time::Duration,
};

use k8s_openapi::{
    api::core::v1::{Event, EventSeries, ObjectReference},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{Client, EventType, events::create_named};
use crate::{api::Object, sim::Time};

/// A series that was not continued for so long has ended (`finishTime`).
const FINISHED: Duration = Duration::from_secs(6 * 60);
/// A series that goes on is written this often (`refreshTime`).
const REFRESH: Duration = Duration::from_secs(30 * 60);
/// Series remembered, ended ones included.
const REMEMBERED: usize = 4096;

struct Series {
    namespace: String,
    name: String,
    count: i32,
    last: Time,
    written: Time,
}

/// Records events of one controller. Clones share what they remember.
#[derive(Clone)]
pub struct ModernRecorder {
    client: Client,
    controller: Rc<str>,
    instance: Rc<str>,
    series: Rc<RefCell<BTreeMap<String, Series>>>,
    /// With so many series those that have ended are forgotten.
    limit: Rc<Cell<usize>>,
}

impl ModernRecorder {
    /// A recorder for `controller` (`default-scheduler`), running as `instance`.
    pub fn new(client: &Client, controller: &str, instance: &str) -> Self {
        ModernRecorder {
            client: client.speaking("events.k8s.io/v1", "Event"),
            controller: controller.into(),
            instance: instance.into(),
            series: Rc::default(),
            limit: Rc::new(Cell::new(REMEMBERED)),
        }
    }

    /// Tells something about an object; `action` is what was being done. Of a series the first
    /// message stands, as on a real cluster.
    pub fn event(
        &self,
        about: &dyn Object,
        event_type: EventType,
        reason: &str,
        action: &str,
        message: &str,
    ) {
        let now = self.client.sim().now();
        let type_ = if event_type == EventType::Normal { "Normal" } else { "Warning" };
        let key = format!("{}/{type_}/{reason}/{action}", about.uid());
        if self.continues(&key, now) {
            return;
        }
        let kind = self.client.kind(about.kind_id());
        let namespace = Some(about.namespace()).filter(|n| !n.is_empty()).unwrap_or("default");
        let event = Event {
            metadata: ObjectMeta { namespace: Some(namespace.to_string()), ..Default::default() },
            involved_object: ObjectReference {
                api_version: Some(kind.api_version()),
                kind: Some(kind.kind.to_string()),
                name: Some(about.name().to_string()),
                namespace: Some(about.namespace().to_string()).filter(|n| !n.is_empty()),
                uid: Some(about.uid().to_string()),
                resource_version: about.metadata().resource_version.clone(),
                field_path: None,
            },
            reason: Some(reason.to_string()),
            message: Some(message.to_string()),
            type_: Some(type_.to_string()),
            action: Some(action.to_string()),
            event_time: Some(now.to_micro()),
            reporting_component: Some(self.controller.to_string()),
            reporting_instance: Some(self.instance.to_string()),
            ..Default::default()
        };
        // An event that can't be stored (its namespace is going) is lost, as on a real cluster.
        if let Ok(stored) = create_named(&self.client, event) {
            let name = stored.metadata.name.clone().unwrap_or_default();
            let mut series = self.series.borrow_mut();
            if series.len() >= self.limit.get() {
                series.retain(|_, s| now.since(s.last) < FINISHED);
                // Where most go on, looking again at each event would cost as much as there are.
                self.limit.set(REMEMBERED.max(series.len() * 2));
            }
            let namespace = namespace.to_string();
            series.insert(key, Series { namespace, name, count: 1, last: now, written: now });
        }
    }

    /// Counts a repeat in its series, if there is one.
    fn continues(&self, key: &str, now: Time) -> bool {
        let mut all = self.series.borrow_mut();
        let Some(series) = all.get_mut(key).filter(|s| now.since(s.last) < FINISHED) else {
            return false;
        };
        series.count += 1;
        series.last = now;
        if series.count > 2 && now.since(series.written) < REFRESH {
            return true; // only the first repeat is written at once
        }
        let Some(old) = self.client.find::<Event>(&series.namespace, &series.name) else {
            return false;
        };
        let mut event = (*old).clone();
        event.series = Some(EventSeries {
            count: Some(series.count),
            last_observed_time: Some(now.to_micro()),
        });
        series.written = now;
        let _ = self.client.update(event);
        true
    }
}
