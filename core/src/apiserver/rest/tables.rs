//! Objects as they are shown: whole, as tables, as metadata only.
//!
//! Models `apiserver/pkg/endpoints/handlers/response.go`.

use serde_json::{Value, json};

use super::{Call, Response, columns, negotiate::View};
use crate::{
    api::{Kind, ObjRef, Object, Status, json, object::to_value},
    apiserver::ApiServer,
};

/// What rows of tables carry of their objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Include {
    /// Nothing.
    None,
    /// Their metadata.
    #[default]
    Metadata,
    /// All.
    Object,
}

/// A form in which objects are shown, apart from the text's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shape {
    /// What of objects is shown.
    pub view: View,
    /// What rows of tables carry.
    pub include: Include,
}

/// Bare metadata, as rows of tables carry it: without managed fields, which nobody reads there.
fn metadata(object: &dyn Object) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
        "metadata": to_value(object.metadata())})
}

impl Shape {
    /// One object.
    pub fn one(self, api: &ApiServer, object: &ObjRef) -> Value {
        match self.view {
            View::Object => api.full_value(&**object),
            View::Metadata => metadata(&**object),
            View::Table => {
                let version = object.metadata().resource_version.clone();
                let meta = json!({"resourceVersion": version});
                self.table(api, object, std::slice::from_ref(object), meta, true)
            }
        }
    }

    /// An object in a watch: only the first of a watch's tables names the columns.
    pub fn watched(self, api: &ApiServer, object: &ObjRef, first: bool) -> Value {
        match self.view {
            View::Table => {
                let version = object.metadata().resource_version.clone();
                let meta = json!({"resourceVersion": version});
                self.table(api, object, std::slice::from_ref(object), meta, first)
            }
            _ => self.one(api, object),
        }
    }

    fn table(
        self,
        api: &ApiServer,
        of: &ObjRef,
        objects: &[ObjRef],
        meta: Value,
        head: bool,
    ) -> Value {
        self.table_of(api, &api.kind(of.kind_id()), objects, meta, head)
    }

    /// Objects of a kind as a table.
    fn table_of(
        self,
        api: &ApiServer,
        kind: &Kind,
        objects: &[ObjRef],
        meta: Value,
        head: bool,
    ) -> Value {
        let table = api.table(kind.id, objects);
        let rows: Vec<Value> = table
            .rows
            .into_iter()
            .map(|row| {
                let cells = row.cells.into_iter().zip(&table.columns);
                let cells: Vec<Value> =
                    cells.map(|(cell, column)| columns::cell(kind, column.name, cell)).collect();
                match self.include {
                    Include::None => json!({"cells": cells}),
                    Include::Metadata => json!({"cells": cells, "object": metadata(&*row.object)}),
                    Include::Object => json!({"cells": cells, "object": row.object.to_value()}),
                }
            })
            .collect();
        let columns: Vec<Value> = table
            .columns
            .iter()
            .filter(|_| head)
            .map(|column| {
                let (form, format) = columns::form(kind, column.name);
                let format = if column.name == "Name" { "name" } else { format };
                json!({"name": column.name, "type": form, "format": format,
                    "description": columns::description(kind, column.name),
                    "priority": column.priority})
            })
            .collect();
        let columns = if head { Value::Array(columns) } else { Value::Null };
        json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": meta,
            "columnDefinitions": columns, "rows": rows})
    }

    /// A list; `meta` is its metadata.
    pub fn list(self, api: &ApiServer, kind: &Kind, objects: &[ObjRef], meta: Value) -> Value {
        match self.view {
            View::Table => self.table_of(api, kind, objects, meta, true),
            View::Metadata => {
                let items: Vec<Value> = objects.iter().map(|o| metadata(&**o)).collect();
                json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
                    "metadata": meta, "items": items})
            }
            View::Object => {
                let items: Vec<Value> = objects.iter().map(|o| item(api, &**o)).collect();
                json!({"kind": format!("{}List", kind.kind), "apiVersion": kind.api_version(),
                    "metadata": meta, "items": items})
            }
        }
    }
}

/// An object in a list: the list says what it is, unless it is a custom resource.
fn item(api: &ApiServer, object: &dyn Object) -> Value {
    let mut value = api.full_value(object);
    if object.as_any().is::<crate::api::DynamicObject>() {
        return value;
    }
    if let Some(map) = value.as_object_mut() {
        map.remove("apiVersion");
        map.remove("kind");
    }
    value
}

impl Call<'_> {
    /// One object in the form that the client wants. Errors: BadRequest.
    pub(super) fn shown(&self, status: u16, object: &ObjRef) -> Result<Response, Status> {
        let shape = self.shape()?;
        if !self.accept.is_plain_text() {
            return Ok(self.document(status, &shape.one(self.api, object)));
        }
        let mut text = String::new();
        self.api.object_text(object, &mut text);
        text.push('\n');
        Ok(Response::bytes(status, self.accept.media_type(), text.into_bytes()))
    }

    /// A list in the form that the client wants; `meta` is its metadata. Errors: BadRequest.
    pub(super) fn shown_list(
        &self,
        kind: &Kind,
        objects: &[ObjRef],
        meta: Value,
    ) -> Result<Response, Status> {
        let shape = self.shape()?;
        if !self.accept.is_plain_text() {
            return Ok(self.document(200, &shape.list(self.api, kind, objects, meta)));
        }
        let (name, version) = (&kind.kind, kind.api_version());
        let meta = json::compact_typed(&meta);
        let mut text = match kind.is_custom() {
            true => format!("{{\"apiVersion\":\"{version}\",\"items\":["),
            false => format!(
                "{{\"kind\":\"{name}List\",\"apiVersion\":\"{version}\",\"metadata\":{meta},\"items\":["
            ),
        };
        for (i, object) in objects.iter().enumerate() {
            if i > 0 {
                text.push(',');
            }
            text.push_str(&self.api.item_text(object));
        }
        match kind.is_custom() {
            true => text.push_str(&format!("],\"kind\":\"{name}List\",\"metadata\":{meta}}}\n")),
            false => text.push_str("]}\n"),
        }
        Ok(Response::bytes(200, self.accept.media_type(), text.into_bytes()))
    }

    /// The form that the client wants. Errors: BadRequest.
    pub(super) fn shape(&self) -> Result<Shape, Status> {
        let include = match self.parameters.get("includeObject").unwrap_or("") {
            "" | "Metadata" => Include::Metadata,
            "None" => Include::None,
            "Object" => Include::Object,
            other => {
                let why = format!(
                    "unrecognized includeObject value: {other:?}: supported values: \"None\", \
                     \"Metadata\", \"Object\""
                );
                return Err(Status::bad_request(why));
            }
        };
        Ok(Shape { view: self.accept.view, include })
    }
}
