//! Custom resources: kinds that come and go with their CustomResourceDefinitions.
//!
//! A definition that is stored becomes a line of the table of kinds for each served version; what the
//! version's schema, columns and subresources say is done by [`rules`]. Objects are kept in one of the
//! versions as long as the definition lives: the first storage version.
//!
//! Models `apiextensions-apiserver/pkg/controller/{status,establish,finalizer}` and
//! `pkg/apiserver/customresource_handler.go`.

mod path;
mod rules;
mod schema;
mod validations;

use std::{borrow::Cow, cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionCondition, CustomResourceDefinitionVersion,
};
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;

pub use rules::Custom;
pub use validations::broken;

use super::{
    ApiServer, DeleteOptions, RequestCx, Subresource, User,
    strategy::DynStrategy,
    table::Column,
    webhooks::{self, Hook},
};
use crate::{
    api::{Kind, KindId, Object, Typed, kinds::DynamicKind, object::to_value},
    store::{Change, Op, Subscription},
};

/// What keeps a definition until its objects are gone.
pub const FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";
/// How often the cleaning looks whether the objects are gone.
const CLEANING: Duration = Duration::from_secs(1);

/// The custom kinds of one API server.
#[derive(Default)]
pub struct Customs {
    rules: RefCell<BTreeMap<KindId, Rc<Custom>>>,
    /// Names of columns, each kept once for good.
    names: RefCell<BTreeMap<String, &'static str>>,
    subscription: RefCell<Option<Subscription>>,
}

/// The version whose objects are stored.
fn storage(crd: &CustomResourceDefinition) -> Option<&CustomResourceDefinitionVersion> {
    crd.spec.versions.iter().find(|v| v.storage)
}

impl ApiServer {
    /// From now on definitions make kinds.
    pub(super) fn watch_definitions(&self) {
        let weak = Rc::downgrade(&self.0);
        let subscription = self.store().subscribe(&[CustomResourceDefinition::ID], move |change| {
            if let Some(inner) = weak.upgrade() {
                ApiServer(inner).definition_changed(change);
            }
        });
        *self.0.customs.subscription.borrow_mut() = Some(subscription);
    }

    /// The rules of a custom kind.
    pub fn custom(&self, kind: KindId) -> Option<Rc<Custom>> {
        self.0.customs.rules.borrow().get(&kind).cloned()
    }

    pub(super) fn own_request() -> RequestCx {
        let groups = vec!["system:masters".into()];
        let user = User { name: "system:apiserver".into(), groups, ..Default::default() };
        RequestCx::new(user, "kube-apiserver")
    }

    fn definition_changed(&self, change: &Change) {
        let Some(crd) = change.object.downcast::<CustomResourceDefinition>() else { return };
        if change.op == Op::Deleted {
            self.retire(crd);
            return;
        }
        let object: &dyn Object = crd;
        let Some(stored) = self.store().get(CustomResourceDefinition::ID, "", object.name()) else {
            return;
        };
        if stored.metadata().resource_version != object.metadata().resource_version {
            return; // a later change tells the same
        }
        if object.metadata().deletion_timestamp.is_some() {
            self.clean(crd);
            return;
        }
        self.establish(crd);
    }

    /// Makes the kind known and says so.
    fn establish(&self, crd: &CustomResourceDefinition) {
        let names = &crd.spec.names;
        let taken = {
            let kinds = self.kinds();
            let mut all = kinds.iter().filter(|k| k.group == crd.spec.group);
            all.any(|k| k.plural != names.plural && k.kind == names.kind)
        };
        let mut new = crd.clone();
        let status = new.status.get_or_insert_default();
        let now = self.sim().now().to_meta();
        let mut set = |kind: &str, value: bool, reason: &str, message: &str| {
            let value = if value { "True" } else { "False" };
            let conditions = status.conditions.get_or_insert_default();
            let old = conditions.iter().position(|c| c.type_ == kind);
            if old.and_then(|at| conditions.get(at)).is_some_and(|c| c.status == value) {
                return;
            }
            let condition = CustomResourceDefinitionCondition {
                type_: kind.into(),
                status: value.into(),
                reason: Some(reason.into()),
                message: Some(message.into()),
                last_transition_time: Some(now.clone()),
                ..Default::default()
            };
            match old.and_then(|at| conditions.get_mut(at)) {
                Some(old) => *old = condition,
                None => conditions.push(condition),
            }
        };
        if taken {
            let text = format!("{:?} is already in use", names.kind);
            set("NamesAccepted", false, "KindConflict", &text);
            set("Established", false, "NotAccepted", "not all names are accepted");
        } else {
            set("NamesAccepted", true, "NoConflicts", "no conflicts found");
            let text = "the initial names have been accepted";
            set("Established", true, "InitialNamesAccepted", text);
            status.accepted_names = Some(names.clone());
            self.register_all(crd);
            self.customs_changed();
        }
        if new != *crd {
            let _ = self.update(&Self::own_request(), Box::new(new), Subresource::Status);
        }
    }

    /// All versions become lines of the table of kinds, that in which objects are kept first.
    fn register_all(&self, crd: &CustomResourceDefinition) {
        let versions = &crd.spec.versions;
        let known = self.kinds().home_of(&crd.spec.group, &crd.spec.names.plural).cloned();
        let home = match &known {
            Some(known) => versions.iter().find(|v| v.name == known.version),
            None => storage(crd),
        };
        let Some(id) = home.map(|v| self.register(crd, v, None)).or(known.map(|k| k.id)) else {
            return;
        };
        let named = |kind: &Kind| versions.iter().any(|v| v.served && v.name == kind.version);
        let gone: Vec<KindId> = {
            let kinds = self.kinds();
            let all = kinds.iter().filter(|k| k.storage() == id && !named(k));
            all.map(|k| k.id).collect()
        };
        let mut hidden = gone;
        hidden.extend(home.filter(|h| !h.served).map(|_| id));
        for other in versions.iter().filter(|v| home.is_none_or(|h| h.name != v.name)) {
            let id = self.register(crd, other, Some(id));
            hidden.extend((!other.served).then_some(id));
        }
        for id in hidden {
            self.0.kinds.borrow_mut().remove_dynamic(id);
        }
    }

    fn register(
        &self,
        crd: &CustomResourceDefinition,
        version: &CustomResourceDefinitionVersion,
        stored_as: Option<KindId>,
    ) -> KindId {
        let names = &crd.spec.names;
        let parts = version.subresources.clone().unwrap_or_default();
        let subresources: &'static [&'static str] =
            match (parts.scale.is_some(), parts.status.is_some()) {
                (true, true) => &["scale", "status"],
                (true, false) => &["scale"],
                (false, true) => &["status"],
                (false, false) => &[],
            };
        let owned = |list: &Option<Vec<String>>| -> Vec<Cow<'static, str>> {
            list.iter().flatten().map(|s| Cow::Owned(s.clone())).collect()
        };
        let kind = DynamicKind {
            group: crd.spec.group.clone(),
            version: version.name.clone(),
            kind: names.kind.clone(),
            plural: names.plural.clone(),
            singular: names.singular.clone().unwrap_or_else(|| names.kind.to_lowercase()),
            short_names: owned(&names.short_names),
            namespaced: crd.spec.scope == "Namespaced",
            categories: owned(&names.categories),
            subresources,
            stored_as,
            verbs: None,
        };
        let custom = Rc::new(self.rules_of(crd, version));
        let id = self.0.kinds.borrow_mut().add_dynamic(kind);
        let mut strategies = self.0.strategies.borrow_mut();
        let rules: Rc<dyn DynStrategy> = custom.clone();
        match strategies.get_mut(id.0 as usize) {
            Some(place) => *place = rules,
            None => strategies.push(rules),
        }
        self.0.customs.rules.borrow_mut().insert(id, custom);
        id
    }

    fn rules_of(
        &self,
        crd: &CustomResourceDefinition,
        version: &CustomResourceDefinitionVersion,
    ) -> Custom {
        let parts = version.subresources.as_ref();
        let schema = version.schema.as_ref().and_then(|s| s.open_api_v3_schema.as_ref());
        let scale = parts.and_then(|p| p.scale.as_ref()).map(|s| {
            let selector = s.label_selector_path.clone().unwrap_or_default();
            (s.spec_replicas_path.clone(), s.status_replicas_path.clone(), selector)
        });
        let deprecated = version.deprecated.unwrap_or(false).then(|| {
            let own = version.deprecation_warning.clone();
            let (group, kind) = (&crd.spec.group, &crd.spec.names.kind);
            let usual = || format!("{group}/{} {kind} is deprecated", version.name);
            self.kept(&own.unwrap_or_else(usual))
        });
        let schema = schema.map(to_value).unwrap_or_default();
        Custom {
            rules: validations::Rules::of(&schema),
            schema,
            status: parts.is_some_and(|p| p.status.is_some()),
            scale,
            selectable: version
                .selectable_fields
                .iter()
                .flatten()
                .map(|f| f.json_path.clone())
                .collect(),
            columns: self.columns(version),
            is_storage: version.storage,
            deprecated,
            converter: converter(crd),
        }
    }

    /// The rules of the version of a custom resource that says which fields are kept.
    pub(super) fn storage_rules(&self, kind: &Kind) -> Option<Rc<Custom>> {
        let kinds = self.kinds();
        let rules = self.0.customs.rules.borrow();
        let own = kinds.all().filter(|k| k.storage() == kind.storage());
        own.filter_map(|k| rules.get(&k.id)).find(|c| c.is_storage).cloned()
    }

    /// A text that is kept for good, each once.
    fn kept(&self, text: &str) -> &'static str {
        let mut names = self.0.customs.names.borrow_mut();
        match names.get(text) {
            Some(kept) => kept,
            None => {
                let kept: &'static str = Box::leak(text.to_string().into_boxed_str());
                names.insert(text.to_string(), kept);
                kept
            }
        }
    }

    fn columns(&self, version: &CustomResourceDefinitionVersion) -> Vec<(Column, String, String)> {
        let Some(columns) = &version.additional_printer_columns else {
            let age = Column { name: "Age", priority: 0 };
            return vec![(age, "date".into(), ".metadata.creationTimestamp".into())];
        };
        let column = |c: &k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceColumnDefinition| {
            let priority = u8::from(c.priority.unwrap_or(0) > 0);
            let column = Column { name: self.kept(&c.name), priority };
            (column, c.type_.clone(), c.json_path.clone())
        };
        columns.iter().map(column).collect()
    }

    /// Deletes all objects of a definition that goes; then lets it go.
    fn clean(&self, crd: &CustomResourceDefinition) {
        let request = Self::own_request();
        let id = self.id_of(crd);
        let left = |api: &ApiServer| id.map_or(0, |id| api.store().count(id));
        for object in id.map(|id| self.store().list(id, None)).unwrap_or_default() {
            let (ns, name) = (object.namespace(), object.name());
            let options = DeleteOptions::default();
            let _ = self.delete(&request, object.kind_id(), ns, name, &options);
        }
        let object: &dyn Object = crd;
        if left(self) > 0 {
            let (weak, name) = (Rc::downgrade(&self.0), object.name().to_string());
            self.sim().after(CLEANING, move || {
                let Some(api) = weak.upgrade().map(ApiServer) else { return };
                let stored = api.store().get(CustomResourceDefinition::ID, "", &name);
                let found = stored.as_ref().and_then(|s| s.downcast::<CustomResourceDefinition>());
                if let Some(crd) = found.filter(|c| c.metadata.deletion_timestamp.is_some()) {
                    api.clean(crd);
                }
            });
            return;
        }
        let has = |f: &String| f == FINALIZER;
        if crd.metadata.finalizers.iter().flatten().any(has) {
            let mut new = crd.clone();
            new.metadata.finalizers.get_or_insert_default().retain(|f| !has(f));
            let _ = self.update(&request, Box::new(new), Subresource::Main);
        }
    }

    fn id_of(&self, crd: &CustomResourceDefinition) -> Option<KindId> {
        let kinds = self.kinds();
        kinds.home_of(&crd.spec.group, &crd.spec.names.plural).map(|k| k.id)
    }

    fn retire(&self, crd: &CustomResourceDefinition) {
        let Some(id) = self.id_of(crd) else { return };
        let all: Vec<KindId> = {
            let kinds = self.kinds();
            kinds.iter().filter(|k| k.storage() == id).map(|k| k.id).chain([id]).collect()
        };
        for id in all {
            self.0.kinds.borrow_mut().remove_dynamic(id);
            self.0.customs.rules.borrow_mut().remove(&id);
        }
        self.customs_changed();
    }

    /// A server that keeps APIServices keeps those of custom resources as well.
    fn customs_changed(&self) {
        if self.store().count(APIService::ID) > 0 {
            self.register_own();
        }
    }
}

/// Who converts between versions, if they are not the same.
fn converter(crd: &CustomResourceDefinition) -> Option<Hook> {
    let conversion = crd.spec.conversion.as_ref().filter(|c| c.strategy == "Webhook")?;
    let client = conversion.webhook.as_ref()?.client_config.as_ref()?;
    let service = client.service.clone().unwrap_or_default();
    Some(Hook {
        url: client.url.clone(),
        service: (service.namespace, service.name, service.port.unwrap_or(webhooks::PORT)),
        path: service.path.unwrap_or_default(),
    })
}
