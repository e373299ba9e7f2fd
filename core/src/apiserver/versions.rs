//! Requests about a kind in another version than the stored one: objects are converted where they
//! enter and where they leave; in between there is the stored version only.
//!
//! A request in another version says so in [`RequestCx::version`], for the rules that depend on it
//! and for managed fields. Custom resources follow the rules (schema, subresources) of the version
//! that was asked for.
//!
//! Models `apiserver/pkg/endpoints/handlers` (`scope.Kind` against `HubGroupVersion`).

use std::rc::Rc;

use serde_json::Value;

use super::{ApiServer, ListOptions, RequestCx, strategy::DynStrategy};
use crate::api::{Kind, KindId, ObjRef, Object, Status};

/// How long a webhook may take to convert.
const CONVERSION_SECONDS: i32 = 30;

impl ApiServer {
    /// The kind that a kind's objects are stored as.
    pub fn storage_of(&self, kind: KindId) -> KindId {
        self.kinds().get(kind).storage()
    }

    /// A stored object as a kind shows it.
    pub fn shown(&self, kind: KindId, object: ObjRef) -> ObjRef {
        if object.kind_id() == kind {
            return object;
        }
        let kind = self.kind(kind);
        let made = self.convert(&kind, object.to_value());
        made.map_or(object, Object::into_rc)
    }

    /// Stored objects as a kind shows them. Errors: as [`ApiServer::convertible`].
    pub(super) fn all_shown(
        &self,
        kind: KindId,
        objects: Vec<ObjRef>,
    ) -> Result<Vec<ObjRef>, Status> {
        if self.storage_of(kind) == kind || objects.is_empty() {
            return Ok(objects);
        }
        self.convertible(kind)?;
        Ok(objects.into_iter().map(|o| self.shown(kind, o)).collect())
    }

    /// A document of the stored version in a kind's.
    pub(super) fn shown_value(&self, kind: &Kind, value: Value) -> Value {
        let Some(stored) = &kind.stored_as else { return value };
        named(kind, (stored.conversion.from_storage)(value))
    }

    fn convert(&self, kind: &Kind, value: Value) -> Option<Box<dyn Object>> {
        let mut value = self.shown_value(kind, value);
        if let Some(custom) = self.custom(kind.id) {
            custom.prune(&mut value);
            let mut object = kind.decode(value).ok()?;
            custom.defaults(&mut *object);
            return Some(object);
        }
        kind.decode(value).ok()
    }

    /// An object of a request in the stored version, and the request that says which version it came
    /// in. Errors: BadRequest for what can't be said in the stored version.
    pub(super) fn for_storage(
        &self,
        cx: &RequestCx,
        object: Box<dyn Object>,
    ) -> Result<(RequestCx, Box<dyn Object>), Status> {
        let shown = self.kind(object.kind_id());
        let Some(stored) = shown.stored_as else {
            let own = self.custom(shown.id).is_none_or(|c| c.is_storage);
            return Ok((cx.clone(), if own { object } else { self.kept_fields(&shown, object) }));
        };
        self.convertible(shown.id)?;
        let mut cx = cx.clone();
        cx.version = Some(shown.id);
        let kind = self.kind(stored.kind);
        let entries = object.metadata().managed_fields.clone();
        let value = (stored.conversion.to_storage)(object.to_value());
        let made = value.and_then(|value| kind.decode(named(&kind, value)));
        let mut made = made.map_err(Status::bad_request)?;
        made.metadata_mut().managed_fields = entries;
        Ok((cx, if kind.is_custom() { self.kept_fields(&kind, made) } else { made }))
    }

    /// A custom resource without the fields that the storage version does not have.
    fn kept_fields(&self, kind: &Kind, object: Box<dyn Object>) -> Box<dyn Object> {
        let Some(rules) = self.storage_rules(kind) else { return object };
        let mut value = object.to_value();
        rules.prune(&mut value);
        kind.decode(value).unwrap_or(object)
    }

    /// Whether objects of a kind can be converted to the stored version and back. Errors:
    /// InternalError where a webhook would have to do it.
    pub(super) fn convertible(&self, kind: KindId) -> Result<(), Status> {
        let kind = self.kind(kind);
        let custom = kind.stored_as.and_then(|_| self.custom(kind.id));
        let Some(hook) = custom.and_then(|c| c.converter.clone()) else { return Ok(()) };
        let what = format!("{}, Kind={}", kind.api_version(), kind.kind);
        let why = self.call_webhook(&hook, CONVERSION_SECONDS);
        Err(Status::new(500, "", format!("conversion webhook for {what} failed: {why}")))
    }

    /// The rules for a request about a stored kind.
    pub(super) fn rules(&self, cx: &RequestCx, kind: &Kind) -> Rc<dyn DynStrategy> {
        match cx.version {
            Some(shown) if kind.is_custom() => self.strategy(shown),
            _ => self.strategy(kind.id),
        }
    }

    /// What options select, with fields named as in the stored version. Errors: BadRequest for a field
    /// that can't be selected by.
    pub(super) fn stored_fields(
        &self,
        kind: KindId,
        options: &ListOptions,
    ) -> Result<ListOptions, Status> {
        let mut options = options.clone();
        let names = self.kind(kind).stored_as.map_or(&[][..], |s| s.conversion.fields);
        if names.is_empty() || options.fields.is_everything() {
            return Ok(options);
        }
        let own = |path: &str| path.starts_with("metadata.");
        let known = |path: &str| names.iter().find(|(shown, _)| *shown == path).map(|(_, to)| *to);
        if let Some(path) = options.fields.fields().find(|p| !own(p) && known(p).is_none()) {
            return Err(Status::bad_request(format!("field label not supported: {path}")));
        }
        options.fields = options.fields.renamed(|path| known(path).unwrap_or(path).to_string());
        Ok(options)
    }

    /// Objects of a request's version in the stored one, to read.
    pub(super) fn stored_forms(&self, objects: &[ObjRef]) -> Vec<ObjRef> {
        let stored = |o: &ObjRef| {
            let kind = self.kind(o.kind_id());
            self.store()
                .get(kind.storage(), o.namespace(), o.name())
                .filter(|s| s.metadata().resource_version == o.metadata().resource_version)
        };
        let convert = |o: &ObjRef| {
            let shown = self.kind(o.kind_id());
            let stored = shown.stored_as?;
            let kind = self.kind(stored.kind);
            let value = (stored.conversion.to_storage)(o.to_value()).ok()?;
            kind.decode(named(&kind, value)).ok().map(Object::into_rc)
        };
        objects.iter().map(|o| stored(o).or_else(|| convert(o)).unwrap_or(o.clone())).collect()
    }
}

/// A document that says that it is of a kind.
fn named(kind: &Kind, mut value: Value) -> Value {
    if let Some(map) = value.as_object_mut() {
        map.insert("apiVersion".into(), kind.api_version().into());
        map.insert("kind".into(), kind.kind.as_ref().into());
    }
    value
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{
        api::{autoscaling::v2::HorizontalPodAutoscaler, core::v1::Event},
        apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    };
    use serde_json::json;

    use crate::{
        api::{Typed, patch::PatchType},
        apiserver::{CreateOptions, ListOptions, Subresource, tests::api},
    };

    #[test]
    fn an_autoscaler_of_the_older_version_is_stored_in_the_newer_one() {
        let (api, cx) = api();
        let old = api.kinds().by_kind("autoscaling/v1", "HorizontalPodAutoscaler").unwrap().id;
        let sent = json!({"metadata": {"name": "web"}, "spec": {"maxReplicas": 4,
            "targetCPUUtilizationPercentage": 60,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}});
        let object = api.decode(old, sent).unwrap();
        let here = CreateOptions { namespace: "default" };
        let made = api.create(&cx, object, &here).unwrap().to_value();
        assert_eq!(made["apiVersion"], "autoscaling/v1");
        assert_eq!(made["spec"]["targetCPUUtilizationPercentage"], 60);
        let new = HorizontalPodAutoscaler::ID;
        let share = |v: &serde_json::Value| {
            v["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"].clone()
        };
        assert_eq!(share(&api.get(new, "default", "web").unwrap().to_value()), 60);
        let patch = json!({"spec": {"targetCPUUtilizationPercentage": 70}});
        let patch = (PatchType::Merge, &patch);
        api.patch(&cx, old, ("default", "web"), patch, Subresource::Main).unwrap();
        let stored = api.get(new, "default", "web").unwrap();
        assert_eq!(share(&stored.to_value()), 70);
        let entries = api.full_value(&*stored)["metadata"]["managedFields"].clone();
        assert_eq!(entries[0]["apiVersion"], "autoscaling/v1");
        assert!(entries[0].to_string().contains("f:targetCPUUtilizationPercentage"), "{entries}");
        let all = api.list(old, None, &ListOptions::default()).unwrap();
        assert_eq!(api.table(old, &all).rows[0].cells[2], "cpu: <unknown>/70%");
    }

    #[test]
    fn events_have_two_groups() {
        let (api, cx) = api();
        let new = api.kinds().by_kind("events.k8s.io/v1", "Event").unwrap().id;
        let mut watch = api.watch(new, None, &ListOptions::default(), None).unwrap();
        let event = json!({"metadata": {"name": "e"}, "message": "it happened",
            "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"}});
        let event = api.decode(Event::ID, event).unwrap();
        api.create(&cx, event, &CreateOptions { namespace: "default" }).unwrap();
        api.sim().advance(api.sim().now() + std::time::Duration::from_secs(1), 1_000);
        let seen = watch.try_next().unwrap().object.to_value();
        assert_eq!(
            (&seen["note"], &seen["apiVersion"]),
            (&"it happened".into(), &"events.k8s.io/v1".into())
        );
        assert_eq!(seen["regarding"]["name"], "p");
    }

    #[test]
    fn versions_of_a_custom_resource_show_the_same_objects() {
        let (api, cx) = api();
        let version = |name: &str, storage: bool, field: &str| {
            let mut version = json!({"name": name, "served": true, "storage": storage,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}}}});
            let path = "/schema/openAPIV3Schema/properties/spec/properties";
            version.pointer_mut(path).unwrap()[field] = json!({"type": "string"});
            version
        };
        let crd = |first: bool, webhook: bool| {
            let mut crd = json!({"metadata": {"name": "widgets.example.com"}, "spec": {
                "group": "example.com", "scope": "Namespaced",
                "names": {"plural": "widgets", "singular": "widget", "kind": "Widget",
                    "listKind": "WidgetList"},
                "versions": [version("v1beta1", first, "old"), version("v1", !first, "new")]}});
            if webhook {
                crd["spec"]["conversion"] = json!({"strategy": "Webhook", "webhook": {
                    "conversionReviewVersions": ["v1"], "clientConfig": {
                        "service": {"namespace": "default", "name": "hook", "path": "/convert"}}}});
            }
            crd
        };
        let id = CustomResourceDefinition::ID;
        let write = |value| {
            let object = api.decode(id, value).unwrap();
            let done = match api.get(id, "", "widgets.example.com") {
                Ok(_) => api.update(&cx, object, Subresource::Main),
                Err(_) => api.create(&cx, object, &CreateOptions::default()),
            };
            done.unwrap();
            api.sim().advance(api.sim().now() + std::time::Duration::from_secs(1), 1_000);
        };
        write(crd(true, false));
        let kind = |version: &str| {
            api.kinds().by_kind(&format!("example.com/{version}"), "Widget").unwrap().id
        };
        assert_eq!(api.kinds().preferred().filter(|k| k.plural == "widgets").count(), 1);
        let widget = json!({"metadata": {"name": "w"}, "spec": {"size": 1, "new": "n"}});
        let object = api.decode(kind("v1"), widget).unwrap();
        let here = CreateOptions { namespace: "default" };
        let made = api.create(&cx, object, &here).unwrap().to_value();
        // What the storage version does not know is not kept.
        assert_eq!(made["apiVersion"], "example.com/v1");
        assert_eq!(made["spec"], json!({"size": 1}));
        let spec = |version: &str| {
            api.get(kind(version), "default", "w").map(|o| o.to_value()["spec"].clone())
        };
        assert_eq!(spec("v1beta1").unwrap(), json!({"size": 1}));
        write(crd(false, false));
        let patch = (PatchType::Merge, &json!({"spec": {"new": "n"}}));
        api.patch(&cx, kind("v1"), ("default", "w"), patch, Subresource::Main).unwrap();
        assert_eq!(spec("v1").unwrap(), json!({"size": 1, "new": "n"}));
        write(crd(false, true));
        assert_eq!(
            spec("v1").unwrap_err().message,
            "conversion webhook for example.com/v1, Kind=Widget failed: Post \
             \"https://hook.default.svc:443/convert?timeout=30s\": service \"hook\" not found"
        );
    }
}
