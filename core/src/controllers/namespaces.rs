//! Empties namespaces that are being deleted, and then lets them go.
//!
//! Pods go first, everything else when they are gone. Models
//! `pkg/controller/namespace/deletion/namespaced_resources_deleter.go`.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::api::core::v1::{Namespace, NamespaceCondition, Pod};

use super::{
    framework::{Controller, Key, Queue},
    pods,
};
use crate::{
    api::{Kind, KindId, ObjRef, Object, Status, Typed, meta::is_deleting},
    client::{Change, Client, DeleteOptions, ListOptions, Subresource},
    sim::Time,
};

const FINALIZER: &str = "kubernetes";
/// How long objects with finalizers are thought to take, in seconds
/// (`finalizerEstimateSeconds`).
const FINALIZERS_TAKE: u64 = 15;

/// The namespace controller.
pub fn make(client: &Client) -> Box<dyn Controller> {
    Box::new(Namespaces { client: client.clone() })
}

struct Namespaces {
    client: Client,
}

/// What is left of a namespace's content.
#[derive(Default)]
struct Left {
    /// Objects, by `plural.group`.
    objects: BTreeMap<String, usize>,
    /// Objects that a finalizer holds, by finalizer.
    held: BTreeMap<String, usize>,
    /// Seconds until it may be gone.
    estimate: u64,
    failures: Vec<String>,
}

impl Namespaces {
    fn kinds_in_namespaces(&self) -> Vec<std::rc::Rc<Kind>> {
        self.client.kinds().stored().filter(|k| k.namespaced).cloned().collect()
    }

    /// Deletes the content and says what is left of it.
    fn empty(&self, namespace: &str) -> Left {
        let mut left = Left::default();
        let (pods, others): (Vec<_>, Vec<_>) =
            self.kinds_in_namespaces().into_iter().partition(|k| k.id == Pod::ID);
        for kind in &pods {
            self.delete_all(kind, namespace, &mut left);
        }
        if left.objects.is_empty() {
            for kind in &others {
                self.delete_all(kind, namespace, &mut left);
            }
        }
        left
    }

    fn delete_all(&self, kind: &Kind, namespace: &str, left: &mut Left) {
        let list = || {
            let options = ListOptions::default();
            self.client.list_any(kind.id, Some(namespace), &options).unwrap_or_default()
        };
        for object in list().iter().filter(|o| !is_deleting(o.metadata())) {
            let options = DeleteOptions::default();
            match self.client.delete_any(kind.id, namespace, object.name(), &options) {
                Err(error) if !error.is_not_found() => left.failures.push(error.message),
                _ => {}
            }
        }
        let remaining = list();
        if remaining.is_empty() {
            return;
        }
        left.objects.insert(resource(kind), remaining.len());
        for object in &remaining {
            let finalizers = object.metadata().finalizers.iter().flatten();
            for finalizer in finalizers {
                *left.held.entry(finalizer.clone()).or_default() += 1;
                left.estimate = left.estimate.max(FINALIZERS_TAKE);
            }
            left.estimate = left.estimate.max(grace(object));
        }
    }

    fn write_conditions(
        &self,
        ns: &Namespace,
        left: &Left,
    ) -> Result<std::rc::Rc<Namespace>, Status> {
        let mut new = ns.clone();
        let conditions = new.status.get_or_insert_default().conditions.get_or_insert_default();
        for (type_, status, reason, message) in conditions_of(left) {
            set(conditions, self.client.sim().now(), type_, status, reason, message);
        }
        if new == *ns {
            return self.client.get("", (ns as &dyn Object).name());
        }
        self.client.update_status(new)
    }
}

fn resource(kind: &Kind) -> String {
    format!("{}.{}", kind.plural, kind.group)
}

/// Seconds a pod has to end.
fn grace(object: &ObjRef) -> u64 {
    let Some(pod) = object.downcast::<Pod>().filter(|p| !pods::is_terminal(p)) else { return 0 };
    let seconds = pod.spec.as_ref().and_then(|s| s.termination_grace_period_seconds);
    u64::try_from(seconds.unwrap_or(0)).unwrap_or(0)
}

type Condition = (&'static str, &'static str, &'static str, String);

fn conditions_of(left: &Left) -> [Condition; 5] {
    let list = |parts: Vec<String>| parts.join(", ");
    let remaining = left.objects.iter().map(|(r, n)| format!("{r} has {n} resource instances"));
    let held = left.held.iter().map(|(f, n)| format!("{f} in {n} resource instances"));
    let content = if left.failures.is_empty() {
        (
            "False",
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization".into(),
        )
    } else {
        let text = format!(
            "Failed to delete all resource types, {} remaining: {}",
            left.failures.len(),
            left.failures.join(", ")
        );
        ("True", "ContentDeletionFailed", text)
    };
    let remains = if left.objects.is_empty() {
        ("False", "ContentRemoved", "All content successfully removed".to_string())
    } else {
        let text = format!("Some resources are remaining: {}", list(remaining.collect()));
        ("True", "SomeResourcesRemain", text)
    };
    let finalizers = if left.held.is_empty() {
        (
            "False",
            "ContentHasNoFinalizers",
            "All content-preserving finalizers finished".to_string(),
        )
    } else {
        let text = format!(
            "Some content in the namespace has finalizers remaining: {}",
            list(held.collect())
        );
        ("True", "SomeFinalizersRemain", text)
    };
    [
        (
            "NamespaceDeletionDiscoveryFailure",
            "False",
            "ResourcesDiscovered",
            "All resources successfully discovered".into(),
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            "False",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed".into(),
        ),
        ("NamespaceDeletionContentFailure", content.0, content.1, content.2),
        ("NamespaceContentRemaining", remains.0, remains.1, remains.2),
        ("NamespaceFinalizersRemaining", finalizers.0, finalizers.1, finalizers.2),
    ]
}

fn set(
    conditions: &mut Vec<NamespaceCondition>,
    now: Time,
    type_: &str,
    status: &str,
    reason: &str,
    message: String,
) {
    let mut new = NamespaceCondition {
        type_: type_.to_string(),
        status: status.to_string(),
        reason: Some(reason.to_string()),
        message: Some(message),
        last_transition_time: Some(now.to_meta()),
    };
    match conditions.iter_mut().find(|c| c.type_ == type_) {
        Some(old) => {
            if old.status == new.status {
                new.last_transition_time.clone_from(&old.last_transition_time);
            }
            *old = new;
        }
        None => conditions.push(new),
    }
}

impl Controller for Namespaces {
    fn name(&self) -> &'static str {
        "namespace-controller"
    }

    fn kinds(&self) -> Vec<KindId> {
        vec![Namespace::ID]
    }

    fn changed(&self, change: &Change, queue: &Queue) {
        if is_deleting(change.object.metadata()) {
            queue.add_name("", change.object.name());
        }
    }

    fn reconcile(&self, key: &Key, _queue: &Queue) -> Result<Option<Duration>, Status> {
        let Some(ns) = self.client.find::<Namespace>("", &key.1) else { return Ok(None) };
        let finalizers = ns.spec.as_ref().and_then(|s| s.finalizers.as_ref());
        let mine = finalizers.is_some_and(|f| f.iter().any(|f| f == FINALIZER));
        if !is_deleting(&ns.metadata) || !mine {
            return Ok(None);
        }
        let left = self.empty(&key.1);
        let ns = self.write_conditions(&ns, &left)?;
        if !left.objects.is_empty() {
            // Half the time that it may take, and a second more.
            return Ok(Some(Duration::from_secs(left.estimate / 2 + 1)));
        }
        if let Some(failure) = left.failures.first() {
            return Err(Status::internal(failure));
        }
        let mut last = (*ns).clone();
        if let Some(finalizers) = last.spec.as_mut().and_then(|s| s.finalizers.as_mut()) {
            finalizers.retain(|f| f != FINALIZER);
        }
        match self.client.update_any(Box::new(last), Subresource::Other) {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controllers::{
        framework,
        testing::{cluster, edit, make as create, pass},
    };
    use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
    use serde_json::json;

    fn message(client: &Client, type_: &str) -> String {
        let ns = client.get::<Namespace>("", "dev").unwrap();
        let status = ns.status.clone().unwrap();
        assert_eq!(status.phase.as_deref(), Some("Terminating"));
        let conditions = status.conditions.unwrap();
        conditions.iter().find(|c| c.type_ == type_).unwrap().message.clone().unwrap()
    }

    #[test]
    fn a_namespace_goes_when_its_pods_and_then_the_rest_are_gone() {
        let (sim, client) = cluster(1);
        let _running = framework::start(&client, super::make(&client));
        create::<Namespace>(&client, json!({"metadata": {"name": "dev"}}));
        let meta = |name: &str| json!({"name": name, "namespace": "dev"});
        create::<ServiceAccount>(&client, json!({"metadata": meta("default")}));
        create::<Pod>(
            &client,
            json!({"metadata": meta("web"), "spec": {"nodeName": "n1",
                "containers": [{"name": "c", "image": "i"}]}}),
        );
        let mut held = json!({"metadata": meta("conf")});
        held["metadata"]["finalizers"] = json!(["example.com/hold"]);
        create::<ConfigMap>(&client, held);
        client.delete::<Namespace>("", "dev", &DeleteOptions::default()).unwrap();
        pass(&sim, 2.0);
        assert_eq!(
            message(&client, "NamespaceContentRemaining"),
            "Some resources are remaining: pods. has 1 resource instances"
        );
        assert_eq!(client.count::<ConfigMap>(), 1, "the rest waits for the pods");
        let now = DeleteOptions { grace_seconds: Some(0), ..Default::default() };
        client.delete::<Pod>("dev", "web", &now).unwrap();
        pass(&sim, 16.0);
        assert_eq!(
            message(&client, "NamespaceFinalizersRemaining"),
            "Some content in the namespace has finalizers remaining: example.com/hold in 1 \
             resource instances"
        );
        edit::<ConfigMap>(&client, "dev", "conf", |c| c.metadata.finalizers = None);
        pass(&sim, 8.5);
        assert!(client.find::<Namespace>("", "dev").is_none());
    }
}
