//! APIServices: which group versions this server has itself, and which others it would pass on.
//!
//! Those of its own kinds are put in place by the server; for others it looks whether their service
//! is there and says what it found. Answers of other servers come from whoever brings their kinds
//! ([`ApiServer::bring`]).
//!
//! Models `kube-aggregator/pkg/controllers/{autoregister,status}` and
//! `pkg/controlplane/apiserver/aggregator.go`.

use std::{collections::BTreeMap, rc::Rc};

use k8s_openapi::{
    api::core::v1::{Endpoints, Service},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
    kube_aggregator::pkg::apis::apiregistration::v1::{
        APIService, APIServiceCondition, APIServiceSpec,
    },
};

use super::{ApiServer, CreateOptions, DeleteOptions, Subresource};
use crate::{
    api::{DynamicObject, KindId, ObjRef, Object, Typed, kinds::DynamicKind, object::from_value},
    store::Change,
};

/// Group, and priorities of the group and of the version. Models `apiVersionPriorities`.
const PRIORITIES: &[(&str, &str, i32, i32)] = &[
    ("", "v1", 18_000, 1),
    ("admissionregistration.k8s.io", "v1", 16_700, 15),
    ("apiextensions.k8s.io", "v1", 16_700, 15),
    ("apps", "v1", 17_800, 15),
    ("authentication.k8s.io", "v1", 17_700, 15),
    ("authorization.k8s.io", "v1", 17_600, 15),
    ("autoscaling", "v1", 17_500, 15),
    ("autoscaling", "v2", 17_500, 30),
    ("batch", "v1", 17_400, 15),
    ("certificates.k8s.io", "v1", 17_300, 15),
    ("coordination.k8s.io", "v1", 16_500, 15),
    ("discovery.k8s.io", "v1", 16_200, 15),
    ("events.k8s.io", "v1", 17_750, 15),
    ("flowcontrol.apiserver.k8s.io", "v1", 16_100, 21),
    ("networking.k8s.io", "v1", 17_200, 15),
    ("node.k8s.io", "v1", 16_300, 15),
    ("policy", "v1", 17_100, 15),
    ("rbac.authorization.k8s.io", "v1", 17_000, 15),
    ("resource.k8s.io", "v1", 16_200, 20),
    ("scheduling.k8s.io", "v1", 16_600, 15),
    ("storage.k8s.io", "v1", 16_800, 15),
];

/// Of custom resources.
const CUSTOM: (i32, i32) = (1000, 100);
const MANAGED: &str = "kube-aggregator.kubernetes.io/automanaged";

/// Gives objects of a kind that another server has, of one namespace or of all.
pub type Source = Rc<dyn Fn(Option<&str>) -> Vec<DynamicObject>>;

/// Kinds of other servers that somebody brought.
#[derive(Default)]
pub struct Brought(std::cell::RefCell<BTreeMap<KindId, Source>>);

/// Who brings a kind; when this is dropped, the kind is gone.
pub struct Bringing {
    api: ApiServer,
    kind: KindId,
}

impl Drop for Bringing {
    fn drop(&mut self) {
        self.api.0.brought.0.borrow_mut().remove(&self.kind);
        self.api.0.kinds.borrow_mut().remove_dynamic(self.kind);
        self.api.look_at_services();
    }
}

impl ApiServer {
    /// Serves a kind whose objects another server works out whenever somebody asks.
    pub fn bring(&self, kind: DynamicKind, source: Source) -> Bringing {
        let id = self.0.kinds.borrow_mut().add_dynamic(kind);
        let plain = self.strategy(k8s_openapi::api::core::v1::ServiceAccount::ID);
        let mut strategies = self.0.strategies.borrow_mut();
        match strategies.get_mut(id.0 as usize) {
            Some(place) => *place = plain,
            None => strategies.push(plain),
        }
        drop(strategies);
        self.0.brought.0.borrow_mut().insert(id, source);
        self.look_at_services();
        Bringing { api: self.clone(), kind: id }
    }

    /// Objects of a kind that is worked out whenever somebody asks; `None` for kinds that are stored.
    pub(super) fn worked_out(&self, kind: KindId, namespace: Option<&str>) -> Option<Vec<ObjRef>> {
        let source = self.0.brought.0.borrow().get(&kind).cloned();
        if let Some(source) = source {
            let made = source(namespace).into_iter().map(|mut object| {
                object.kind_id = kind;
                Box::new(object).into_rc()
            });
            return Some(made.collect());
        }
        if self.kinds().get(kind).is_stored() {
            return None;
        }
        let made = self.strategy(kind).worked_out(self)?;
        Some(made.into_iter().map(Object::into_rc).collect())
    }

    /// Puts an APIService in place for each group version of the server's own kinds, and takes away
    /// those of custom resources that are gone.
    pub fn register_own(&self) {
        let mut wanted: BTreeMap<String, APIService> = BTreeMap::new();
        let kinds: Vec<_> = self.kinds().iter().cloned().collect();
        for kind in kinds.iter().filter(|k| !self.0.brought.0.borrow().contains_key(&k.id)) {
            let own = (&*kind.group, &*kind.version);
            let line = PRIORITIES.iter().find(|(g, v, ..)| (*g, *v) == own);
            if line.is_none() && !kind.is_custom() {
                continue;
            }
            let (group, version) = line.map_or(CUSTOM, |(_, _, g, v)| (*g, *v));
            let name = format!("{}.{}", kind.version, kind.group);
            let mark = if line.is_some() { "onstart" } else { "true" };
            let made = APIService {
                metadata: ObjectMeta {
                    name: Some(name.clone()),
                    labels: Some([(MANAGED.to_string(), mark.to_string())].into()),
                    ..ObjectMeta::default()
                },
                spec: Some(APIServiceSpec {
                    group: Some(kind.group.to_string()).filter(|g| !g.is_empty()),
                    version: Some(kind.version.to_string()),
                    group_priority_minimum: group,
                    version_priority: version,
                    ..APIServiceSpec::default()
                }),
                status: None,
            };
            wanted.insert(name, made);
        }
        let cx = Self::own_request();
        for object in self.store().list(APIService::ID, None) {
            let labels = object.metadata().labels.as_ref();
            let own = labels.and_then(|l| l.get(MANAGED)).is_some_and(|v| v == "true");
            if own && !wanted.contains_key(object.name()) {
                let options = DeleteOptions::default();
                let _ = self.delete(&cx, APIService::ID, "", object.name(), &options);
            }
        }
        for (name, service) in wanted {
            if self.store().get(APIService::ID, "", &name).is_none() {
                let _ = self.create(&cx, Box::new(service), &CreateOptions::default());
            }
        }
        self.look_at_services();
    }

    /// Something changed that availability depends on.
    pub(super) fn services_changed(&self, change: &Change) {
        let depends = change.kind == APIService::ID
            || self.0.watched_services.borrow().contains(&(
                change.object.namespace().to_string(),
                change.object.name().to_string(),
            ));
        if depends {
            self.look_at_services();
        }
    }

    /// Writes the condition `Available` of every APIService that it is not true of.
    fn look_at_services(&self) {
        let cx = Self::own_request();
        let mut watched = std::collections::BTreeSet::new();
        for object in self.store().list(APIService::ID, None) {
            let Some(service) = object.downcast::<APIService>() else { continue };
            if let Some(place) = service.spec.as_ref().and_then(|s| s.service.as_ref()) {
                let text = |t: &Option<String>| t.clone().unwrap_or_default();
                watched.insert((text(&place.namespace), text(&place.name)));
            }
            let wanted = self.availability(service);
            let old = service.status.as_ref().and_then(|s| s.conditions.as_ref());
            let old = old.into_iter().flatten().find(|c| c.type_ == "Available");
            let key =
                |c: &APIServiceCondition| (c.status.clone(), c.reason.clone(), c.message.clone());
            if old.is_some_and(|old| key(old) == key(&wanted)) {
                continue;
            }
            let mut new = service.clone();
            let mut wanted = wanted;
            if let Some(old) = old.filter(|o| o.status == wanted.status) {
                wanted.last_transition_time.clone_from(&old.last_transition_time);
            }
            new.status.get_or_insert_default().conditions = Some(vec![wanted]);
            let _ = self.update(&cx, Box::new(new), Subresource::Status);
        }
        *self.0.watched_services.borrow_mut() = watched;
    }

    fn availability(&self, service: &APIService) -> APIServiceCondition {
        let condition = |status: &str, reason: &str, message: String| APIServiceCondition {
            type_: "Available".into(),
            status: status.into(),
            reason: Some(reason.into()),
            message: Some(message),
            last_transition_time: Some(self.sim().now().to_meta()),
        };
        let spec = service.spec.clone().unwrap_or_default();
        let Some(place) = &spec.service else {
            let text = "Local APIServices are always available";
            return condition("True", "Local", text.into());
        };
        let text = |t: &Option<String>| t.clone().unwrap_or_default();
        let (namespace, name) = (text(&place.namespace), text(&place.name));
        let Some(found) = self.store().get(Service::ID, &namespace, &name) else {
            let why = format!("service/{name} in {namespace:?} is not present");
            return condition("False", "ServiceNotFound", why);
        };
        let port = place.port.unwrap_or(443);
        let own = found.downcast::<Service>().and_then(|s| s.spec.clone()).unwrap_or_default();
        let Some(port) = own.ports.iter().flatten().find(|p| p.port == port) else {
            let why = format!("service/{name} in {namespace:?} is not listening on port {port}");
            return condition("False", "ServicePortError", why);
        };
        let endpoints = self.store().get(Endpoints::ID, &namespace, &name);
        let ready = endpoints.as_ref().and_then(|e| e.downcast::<Endpoints>()).is_some_and(|e| {
            let subsets = e.subsets.iter().flatten();
            subsets.flat_map(|s| s.addresses.iter().flatten()).next().is_some()
        });
        if !ready {
            let why = format!(
                "endpoints for service/{name} in {namespace:?} have no addresses with port name {:?}",
                port.name.clone().unwrap_or_default()
            );
            return condition("False", "MissingEndpoints", why);
        }
        let (group, version) = (text(&spec.group), text(&spec.version));
        let served = {
            let kinds = self.kinds();
            kinds.iter().any(|k| k.group == group && k.version == version)
        };
        if served {
            return condition("True", "Passed", "all checks passed".into());
        }
        let address = own.cluster_ip.unwrap_or_default();
        let url = format!("https://{address}:{}/apis/{group}/{version}", port.port);
        let why = format!(
            "failing or missing response from {url}: Get \"{url}\": dial tcp {address}:{}: connect: \
             connection refused",
            port.port
        );
        condition("False", "FailedDiscoveryCheck", why)
    }

    /// Somebody says that a component of the cluster works, as long as they hold what they get.
    pub fn announce(&self, component: &'static str) -> Rc<()> {
        let token = Rc::new(());
        self.0.at_work.borrow_mut().insert(component, Rc::downgrade(&token));
        token
    }

    /// Whether a component of the cluster works.
    pub fn is_at_work(&self, component: &str) -> bool {
        self.0.at_work.borrow().get(component).is_some_and(|token| token.strong_count() > 0)
    }

    /// An object of another server's kind from JSON.
    pub fn foreign_object(value: serde_json::Value) -> Option<DynamicObject> {
        let serde_json::Value::Object(mut rest) = value else { return None };
        let text = |v: Option<serde_json::Value>| v.and_then(|v| v.as_str().map(str::to_string));
        let api_version = text(rest.remove("apiVersion"))?;
        let kind = text(rest.remove("kind"))?;
        let metadata = from_value(rest.remove("metadata")?).ok()?;
        Some(DynamicObject { kind_id: KindId(0), api_version, kind, metadata, rest })
    }
}

/// An API server that looks after its APIServices from now on.
pub(super) fn watch(api: &ApiServer) -> crate::store::Subscription {
    let weak = Rc::downgrade(&api.0);
    let kinds = [APIService::ID, Service::ID, Endpoints::ID];
    api.store().subscribe(&kinds, move |change| {
        if let Some(inner) = weak.upgrade() {
            ApiServer(inner).services_changed(change);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_version_of_the_table_has_its_priority() {
        let table = crate::api::KindTable::default();
        // The aggregator has no line for itself.
        for kind in table.iter().filter(|k| k.group != "apiregistration.k8s.io") {
            let own = (&*kind.group, &*kind.version);
            assert!(PRIORITIES.iter().any(|(g, v, ..)| (*g, *v) == own), "{own:?}");
        }
        assert!(PRIORITIES.is_sorted_by_key(|(g, v, ..)| (*g, *v)));
    }
}
