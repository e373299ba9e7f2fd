//! Objects of any kind behind one trait, and the way from and to JSON values.

use std::{any::Any, fmt::Debug, rc::Rc};

use k8s_openapi::{Metadata, Resource, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::kinds::KindId;

/// A stored object: immutable and shared; a write makes a new one.
pub type ObjRef = Rc<dyn Object>;

/// An API object of any kind.
pub trait Object: Any + Debug {
    /// Which kind it is.
    fn kind_id(&self) -> KindId;
    /// Its metadata.
    fn metadata(&self) -> &ObjectMeta;
    /// Its metadata, to change.
    fn metadata_mut(&mut self) -> &mut ObjectMeta;
    /// A copy to change.
    fn boxed_clone(&self) -> Box<dyn Object>;
    /// As JSON, with `apiVersion` and `kind`; keys sorted.
    fn to_value(&self) -> Value;
    /// Whether `other` is of the same kind and equal in every field.
    fn equals(&self, other: &dyn Object) -> bool;
    /// Becomes a copy of `other`, if that is of the same kind.
    fn become_as(&mut self, other: &dyn Object);
    /// For downcasts.
    fn as_any(&self) -> &dyn Any;
    /// For downcasts.
    fn as_any_mut(&mut self) -> &mut dyn Any;
    /// For downcasts that keep sharing.
    fn into_any(self: Rc<Self>) -> Rc<dyn Any>;
    /// For downcasts that keep ownership.
    fn boxed_any(self: Box<Self>) -> Box<dyn Any>;
    /// Makes it shared.
    fn into_rc(self: Box<Self>) -> ObjRef;
}

impl dyn Object {
    /// Its name (empty before it has one).
    pub fn name(&self) -> &str {
        self.metadata().name.as_deref().unwrap_or_default()
    }

    /// Its namespace; empty for cluster-scoped kinds.
    pub fn namespace(&self) -> &str {
        self.metadata().namespace.as_deref().unwrap_or_default()
    }

    /// Its uid (empty before it has one).
    pub fn uid(&self) -> &str {
        self.metadata().uid.as_deref().unwrap_or_default()
    }

    /// As a known type, if it is one.
    pub fn downcast<T: Typed>(&self) -> Option<&T> {
        self.as_any().downcast_ref()
    }

    /// As a known type, to change.
    pub fn downcast_mut<T: Typed>(&mut self) -> Option<&mut T> {
        self.as_any_mut().downcast_mut()
    }
}

/// As a known type, sharing the object.
pub fn downcast_rc<T: Typed>(obj: &ObjRef) -> Option<Rc<T>> {
    obj.clone().into_any().downcast().ok()
}

/// The types of built-in kinds (implemented by the table in [`super::kinds`]).
pub trait Typed:
    Resource
    + Metadata<Ty = ObjectMeta>
    + Serialize
    + DeserializeOwned
    + Clone
    + Debug
    + PartialEq
    + Default
    + 'static
{
    /// The kind's place in the table.
    const ID: KindId;
}

impl<T: Typed> Object for T {
    fn kind_id(&self) -> KindId {
        T::ID
    }

    fn metadata(&self) -> &ObjectMeta {
        Metadata::metadata(self)
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        Metadata::metadata_mut(self)
    }

    fn boxed_clone(&self) -> Box<dyn Object> {
        Box::new(self.clone())
    }

    fn to_value(&self) -> Value {
        let mut value = to_value(self);
        super::wire::complete(T::ID, &mut value);
        value
    }

    fn equals(&self, other: &dyn Object) -> bool {
        other.downcast::<T>() == Some(self)
    }

    fn become_as(&mut self, other: &dyn Object) {
        if let Some(other) = other.downcast::<T>() {
            self.clone_from(other);
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn into_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }

    fn boxed_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }

    fn into_rc(self: Box<Self>) -> ObjRef {
        Rc::<Self>::from(self)
    }
}

/// An object of a kind that has no type here (custom resources).
#[derive(Clone, Debug, PartialEq)]
pub struct DynamicObject {
    /// Which kind.
    pub kind_id: KindId,
    /// `group/version`.
    pub api_version: String,
    /// The kind's name.
    pub kind: String,
    /// Metadata.
    pub metadata: ObjectMeta,
    /// Everything but `apiVersion`, `kind` and `metadata`.
    pub rest: serde_json::Map<String, Value>,
}

impl Object for DynamicObject {
    fn kind_id(&self) -> KindId {
        self.kind_id
    }

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }

    fn boxed_clone(&self) -> Box<dyn Object> {
        Box::new(self.clone())
    }

    fn to_value(&self) -> Value {
        let mut map = self.rest.clone();
        map.insert("apiVersion".into(), Value::String(self.api_version.clone()));
        map.insert("kind".into(), Value::String(self.kind.clone()));
        map.insert("metadata".into(), to_value(&self.metadata));
        Value::Object(map)
    }

    fn equals(&self, other: &dyn Object) -> bool {
        other.as_any().downcast_ref::<Self>() == Some(self)
    }

    fn become_as(&mut self, other: &dyn Object) {
        if let Some(other) = other.as_any().downcast_ref::<Self>() {
            self.clone_from(other);
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn into_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }

    fn boxed_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }

    fn into_rc(self: Box<Self>) -> ObjRef {
        Rc::<Self>::from(self)
    }
}

/// A typed value as JSON. The types of this crate's objects always serialise; a failure would be
/// a bug and yields `null`.
pub fn to_value<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_else(|error| {
        debug_assert!(false, "not serialisable: {error}");
        Value::Null
    })
}

/// A typed value from JSON. Errors say what was expected where.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, serde_json::Error> {
    serde_json::from_value(value)
}
